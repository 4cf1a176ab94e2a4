// The form that launches instances.

import { ec2, items, listAll } from "../api.js";
import { complaint, field, h, heading, panel, select } from "../dom.js";
import { createSshGroup } from "./create-security-group.js";
import { createKeyPair } from "./create-key-pair.js";

const USUAL_TYPE = "t3.micro";

export async function show(container, signal) {
  container.append(heading("Launch instance"));
  const [images, types, keys, groups] = await Promise.all([
    listAll("DescribeImages", "imagesSet", {}, signal),
    listAll("DescribeInstanceTypes", "instanceTypeSet", {}, signal),
    listAll("DescribeKeyPairs", "keySet", {}, signal),
    defaultVpcGroups(signal),
  ]);
  const keyChoice = h("span", {}, keySelect(keys));
  const groupChoice = h("div", { class: "choices" }, groupBoxes(groups, ["default"]));

  async function newKey() {
    const name = await createKeyPair();
    if (name) keyChoice.replaceChildren(keySelect(await listAll("DescribeKeyPairs", "keySet", {}, signal), name));
  }

  async function newGroup() {
    const name = await createSshGroup();
    if (name) groupChoice.replaceChildren(...groupBoxes(await defaultVpcGroups(signal), [...chosenNames(groupChoice), name]));
  }

  const trouble = h("div", {});
  const submit = h("button", { class: "primary" }, "Launch");

  async function send(event) {
    event.preventDefault();
    submit.disabled = true;
    trouble.replaceChildren();
    try {
      await ec2("RunInstances", request(new FormData(event.target)));
      location.hash = "#/instances";
    } catch (error) {
      trouble.replaceChildren(complaint(error));
      submit.disabled = false;
    }
  }

  container.append(
    h(
      "form",
      { class: "launch", onsubmit: send },
      panel(
        "Machine",
        field("Name", h("input", { name: "name", maxlength: "256", autocomplete: "off" })),
        field("Image", select({ name: "image", required: true }, images.map(imageOption).sort(byText)), noImages(images)),
        field("Type", select({ name: "type", required: true }, types.sort(bySize).map(typeOption), USUAL_TYPE)),
        field("Count", h("input", { name: "count", type: "number", min: "1", max: "100", value: "1", required: true })),
      ),
      panel(
        "Access",
        field("Key pair", keyChoice, "Its private key lets you log in by SSH."),
        h("button", { type: "button", onclick: newKey }, "Create key pair"),
        h("fieldset", {}, h("legend", {}, "Security groups"), groupChoice),
        h("button", { type: "button", onclick: newGroup }, "Create group that lets SSH in"),
      ),
      panel(
        "User data",
        field("Script or cloud-config, run at the first boot", h("textarea", { name: "data", rows: "6", spellcheck: "false" })),
      ),
      trouble,
      h("div", { class: "actions" }, h("a", { class: "button", href: "#/instances" }, "Cancel"), submit),
    ),
  );
}

function request(data) {
  const name = data.get("name").trim();
  return {
    ImageId: data.get("image"),
    InstanceType: data.get("type"),
    MinCount: data.get("count"),
    MaxCount: data.get("count"),
    KeyName: data.get("key"),
    SecurityGroupId: data.getAll("group"),
    UserData: base64(data.get("data")),
    ClientToken: crypto.randomUUID(),
    TagSpecification: name ? [{ ResourceType: "instance", Tag: [{ Key: "Name", Value: name }] }] : [],
  };
}

function base64(text) {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
}

// A launch without a subnet goes into the default VPC, and takes groups of that VPC only.
async function defaultVpcGroups(signal) {
  const filter = [{ Name: "is-default", Value: ["true"] }];
  const [vpc] = items((await ec2("DescribeVpcs", { Filter: filter }, signal)).vpcSet);
  if (!vpc) return [];
  const inVpc = [{ Name: "vpc-id", Value: [vpc.vpcId] }];
  return listAll("DescribeSecurityGroups", "securityGroupInfo", { Filter: inVpc }, signal);
}

function keySelect(keys, chosen = keys[0]?.keyName) {
  return select({ name: "key" }, [...keys.map((key) => [key.keyName]), ["", "None"]], chosen);
}

function groupBoxes(groups, chosen) {
  const box = ({ groupId, groupName }) =>
    h("input", { type: "checkbox", name: "group", value: groupId, "data-name": groupName, checked: chosen.includes(groupName) });
  return groups.map((group) => h("label", {}, box(group), ` ${group.groupName} – ${group.groupDescription}`));
}

const chosenNames = (target) => [...target.querySelectorAll(":checked")].map((box) => box.dataset.name);

const imageOption = (image) => [image.imageId, `${image.name} (${image.imageId})`];
const noImages = (images) => (images.length ? "" : "There is none yet: celaje image build tiny");
const byText = (a, b) => a[1].localeCompare(b[1]);

const memory = (type) => Number(type.memoryInfo.sizeInMiB);
const cores = (type) => Number(type.vCpuInfo.defaultVCpus);
const bySize = (a, b) =>
  memory(a) - memory(b) || cores(a) - cores(b) || a.instanceType.localeCompare(b.instanceType);

function typeOption(type) {
  return [type.instanceType, `${type.instanceType} – ${cores(type)} vCPU, ${memory(type) / 1024} GiB`];
}
