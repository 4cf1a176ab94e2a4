// All security groups of a region.

import { listAll } from "../api.js";
import { code, h, heading, table } from "../dom.js";
import { createSecurityGroup } from "./create-security-group.js";

export async function show(container, signal) {
  const create = async () => {
    const id = await createSecurityGroup();
    if (id) location.hash = `#/security-groups/${id}`;
  };
  container.append(heading("Security groups", h("button", { class: "primary", onclick: create }, "Create security group")));
  const groups = await listAll("DescribeSecurityGroups", "securityGroupInfo", {}, signal);
  container.append(
    table(
      "Security groups",
      [
        ["Name", (each) => each.groupName],
        ["Group ID", (each) => h("a", { href: `#/security-groups/${each.groupId}` }, code(each.groupId))],
        ["VPC", (each) => code(each.vpcId)],
        ["Description", (each) => each.groupDescription],
      ],
      groups,
    ),
  );
}
