// One security group and its rules.

import { ec2, items, listAll } from "../api.js";
import { ask } from "../dialog.js";
import { code, facts, field, h, heading, panel, select, table } from "../dom.js";

const DIRECTIONS = { in: "Ingress", out: "Egress" };

export async function show(container, signal, id) {
  const rules = h("div", {});
  const reload = async () => rules.replaceChildren(...(await rulePanels(id, signal, reload)));
  const [group] = items((await ec2("DescribeSecurityGroups", { GroupId: [id] }, signal)).securityGroupInfo);
  container.append(
    h("p", {}, h("a", { href: "#/security-groups" }, "← Security groups")),
    heading(
      group.groupName,
      h("button", { onclick: () => remove(group) }, "Delete"),
      h("button", { class: "primary", onclick: async () => (await addRule(id)) && reload() }, "Add rule"),
    ),
    panel("Details", facts([["Group ID", code(id)], ["VPC", code(group.vpcId)], ["Description", group.groupDescription]])),
    rules,
  );
  await reload();
}

async function rulePanels(id, signal, reload) {
  const filter = [{ Name: "group-id", Value: [id] }];
  const all = await listAll("DescribeSecurityGroupRules", "securityGroupRuleSet", { Filter: filter }, signal);
  const drop = (rule) => h("button", { onclick: async () => (await removeRule(id, rule)) && reload() }, "Remove");
  const columns = (peer) => [
    ["Rule", (rule) => code(rule.securityGroupRuleId)],
    ["Protocol", (rule) => (rule.ipProtocol === "-1" ? "all" : rule.ipProtocol)],
    ["Ports", ports],
    [peer, (rule) => code(rule.cidrIpv4 ?? rule.cidrIpv6 ?? rule.referencedGroupInfo?.groupId)],
    ["Description", (rule) => rule.description],
    ["", drop],
  ];
  const list = (title, peer, egress) =>
    panel(title, table(title, columns(peer), all.filter((rule) => rule.isEgress === egress), "No rules: nothing passes."));
  return [list("Inbound rules", "From", "false"), list("Outbound rules", "To", "true")];
}

function ports({ ipProtocol, fromPort, toPort }) {
  if (ipProtocol === "-1" || fromPort === "-1") return "all";
  return fromPort === toPort ? fromPort : `${fromPort}–${toPort}`;
}

function addRule(id) {
  const text = (name, attributes) => h("input", { name, autocomplete: "off", ...attributes });
  return ask({
    title: "Add rule",
    content: [
      field("Direction", select({ name: "direction" }, [["in", "Inbound"], ["out", "Outbound"]])),
      field("Protocol", select({ name: "protocol" }, [["tcp", "TCP"], ["udp", "UDP"], ["icmp", "ICMP"], ["-1", "All"]])),
      field("Ports", text("ports", { pattern: "\\d+(-\\d+)?" }), "One or a range, such as 443 or 8000-8010; none for ICMP and All."),
      field("From or to", text("peer", { required: true, value: "0.0.0.0/0" }), "An address range or a security group's id."),
      field("Description", text("description", { maxlength: "255" })),
    ],
    confirm: "Add",
    work: (data) => ec2(`AuthorizeSecurityGroup${DIRECTIONS[data.get("direction")]}`, { GroupId: id, IpPermissions: [permission(data)] }),
  });
}

function permission(data) {
  const [protocol, peer, Description] = ["protocol", "peer", "description"].map((name) => data.get(name).trim());
  const [first, last = first] = data.get("ports") ? data.get("ports").split("-") : ["-1"];
  const range = protocol === "-1" ? {} : { FromPort: first, ToPort: last };
  const [kind, address] = peer.startsWith("sg-")
    ? ["Groups", "GroupId"]
    : peer.includes(":") ? ["Ipv6Ranges", "CidrIpv6"] : ["IpRanges", "CidrIp"];
  return { IpProtocol: protocol, ...range, [kind]: [{ [address]: peer, Description }] };
}

function removeRule(id, rule) {
  const direction = rule.isEgress === "true" ? "Egress" : "Ingress";
  return ask({
    title: "Remove this rule?",
    content: h("p", {}, code(rule.securityGroupRuleId)),
    confirm: "Remove",
    danger: true,
    work: () => ec2(`RevokeSecurityGroup${direction}`, { GroupId: id, SecurityGroupRuleId: [rule.securityGroupRuleId] }),
  });
}

async function remove(group) {
  const gone = await ask({
    title: `Delete security group ${group.groupName}?`,
    content: h("p", {}, code(group.groupId)),
    confirm: "Delete",
    danger: true,
    work: () => ec2("DeleteSecurityGroup", { GroupId: group.groupId }),
  });
  if (gone) location.hash = "#/security-groups";
}
