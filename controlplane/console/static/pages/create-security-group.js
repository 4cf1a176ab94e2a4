// The dialogs that make security groups.

import { ec2, listAll } from "../api.js";
import { ask } from "../dialog.js";
import { field, h, select } from "../dom.js";

const name = (value) => field("Name", h("input", { name: "name", required: true, maxlength: "255", value, autocomplete: "off" }));

/** Answers the id of the new group, or undefined. */
export async function createSecurityGroup() {
  const vpcs = await listAll("DescribeVpcs", "vpcSet");
  return ask({
    title: "Create security group",
    content: [
      name(""),
      field("Description", h("input", { name: "description", required: true, maxlength: "255", autocomplete: "off" })),
      field("VPC", select({ name: "vpc" }, vpcs.map((vpc) => [vpc.vpcId, `${vpc.vpcId} (${vpc.cidrBlock})`]))),
    ],
    confirm: "Create",
    work: (data) => create(data.get("name"), data.get("description"), data.get("vpc")),
  });
}

/** A group of the default VPC that lets SSH in from everywhere. Answers its name, or undefined. */
export function createSshGroup() {
  return ask({
    title: "Create security group",
    content: [name("ssh"), h("p", { class: "quiet" }, "Lets in TCP port 22 from everywhere (0.0.0.0/0).")],
    confirm: "Create",
    work: async (data) => {
      const id = await create(data.get("name"), "SSH in", "");
      const port = { IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: "0.0.0.0/0" }] };
      await ec2("AuthorizeSecurityGroupIngress", { GroupId: id, IpPermissions: [port] });
      return data.get("name");
    },
  });
}

async function create(groupName, description, vpc) {
  const made = await ec2("CreateSecurityGroup", { GroupName: groupName, GroupDescription: description, VpcId: vpc });
  return made.groupId;
}
