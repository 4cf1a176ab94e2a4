// VPCs and subnets.

import { listAll, tag } from "../api.js";
import { badge, code, heading, panel, table } from "../dom.js";

const yes = (value) => (value === "true" ? "yes" : "no");

export async function show(container, signal) {
  container.append(heading("Networks"));
  const [vpcs, subnets] = await Promise.all([
    listAll("DescribeVpcs", "vpcSet", {}, signal),
    listAll("DescribeSubnets", "subnetSet", {}, signal),
  ]);
  container.append(panel("VPCs", vpcTable(vpcs)), panel("Subnets", subnetTable(subnets)));
}

function vpcTable(vpcs) {
  return table(
    "VPCs",
    [
      ["Name", (each) => tag(each, "Name")],
      ["VPC", (each) => code(each.vpcId)],
      ["State", (each) => badge(each.state)],
      ["IPv4 range", (each) => code(each.cidrBlock)],
      ["Default", (each) => yes(each.isDefault)],
    ],
    vpcs,
  );
}

function subnetTable(subnets) {
  return table(
    "Subnets",
    [
      ["Name", (each) => tag(each, "Name")],
      ["Subnet", (each) => code(each.subnetId)],
      ["VPC", (each) => code(each.vpcId)],
      ["Zone", (each) => each.availabilityZone],
      ["IPv4 range", (each) => code(each.cidrBlock)],
      ["Free addresses", (each) => each.availableIpAddressCount],
      ["Public address", (each) => yes(each.mapPublicIpOnLaunch)],
    ],
    subnets,
  );
}
