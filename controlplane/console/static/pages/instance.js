// One instance: what it is, how to log in, and what it printed.

import { ec2, items, listAll, tag } from "../api.js";
import { badge, code, complaint, facts, h, heading, panel, table } from "../dom.js";
import { watch } from "../watch.js";
import { actionButtons, isMoving } from "./instance-actions.js";

// What a terminal would act upon, but a page shows as rubbish.
const CONTROL = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78cM])|[\x00-\x08\x0b-\x1f\x7f]/g;

export async function show(container, signal, id) {
  let instance = null;
  let look = () => {};
  const buttons = actionButtons(() => (instance ? [instance] : []), () => look());
  const refresh = h("button", { type: "button", onclick: () => readConsole(output, id, signal) }, "Refresh");
  const output = h("div", {});
  const about = h("div", {});
  const disks = h("div", {});
  container.append(
    h("p", {}, h("a", { href: "#/instances" }, "← Instances")),
    heading(id, buttons.elements),
    about,
    panel("Volumes", disks),
    panel("Console output", refresh, output),
  );

  function draw({ found, image }) {
    instance = found;
    buttons.update();
    fill(disks, () => volumes(id, signal), signal);
    readConsole(output, id, signal);
    return summary(found, image);
  }

  look = await watch(signal, about, () => load(id, signal), draw, ({ found }) => isMoving(found));
}

async function load(id, signal) {
  const reservations = items((await ec2("DescribeInstances", { InstanceId: [id] }, signal)).reservationSet);
  const found = items(reservations[0].instancesSet)[0];
  return { found, image: await imageName(found.imageId, signal) };
}

// The image may be gone, or not be the caller's to see; the instance is shown without its name then.
async function imageName(imageId, signal) {
  try {
    return items((await ec2("DescribeImages", { ImageId: [imageId] }, signal)).imagesSet)[0]?.name ?? "";
  } catch {
    return "";
  }
}

function summary(instance, image) {
  const reason = instance.stateReason?.message;
  return [
    h(
      "div",
      { class: "columns" },
      panel(
        "Details",
        facts([
          ["State", badge(instance.instanceState.name)],
          ["Reason", reason],
          ["Type", instance.instanceType],
          ["Image", `${image} ${instance.imageId}`],
          ["Launched", new Date(instance.launchTime).toLocaleString()],
          ["Key pair", instance.keyName],
          ["Role", instance.iamInstanceProfile?.arn],
        ]),
      ),
      panel(
        "Network",
        facts([
          ["Public IPv4", code(instance.ipAddress)],
          ["Private IPv4", code(instance.privateIpAddress)],
          ["Private name", instance.privateDnsName],
          ["Zone", instance.placement?.availabilityZone],
          ["VPC", code(instance.vpcId)],
          ["Subnet", code(instance.subnetId)],
          ["Security groups", h("span", {}, items(instance.groupSet).map(groupLink))],
        ]),
      ),
    ),
    panel("Log in", sshLine(instance, image)),
    panel("Tags", table("Tags", [["Key", (each) => each.key], ["Value", (each) => each.value]], items(instance.tagSet))),
  ];
}

function groupLink({ groupId, groupName }, index) {
  return [index ? ", " : "", h("a", { href: `#/security-groups/${groupId}` }, groupName)];
}

function sshLine(instance, image) {
  if (!instance.ipAddress || !instance.keyName) {
    const missing = instance.keyName ? "a public address" : "a key pair";
    return h("p", { class: "empty" }, `There is no way in by SSH: the instance has not got ${missing}.`);
  }
  const user = image.includes("debian") ? "debian" : "ec2-user";
  return h("pre", { id: "ssh" }, `ssh -i ${instance.keyName}.pem ${user}@${instance.ipAddress}`);
}

async function volumes(id, signal) {
  const filter = [{ Name: "attachment.instance-id", Value: [id] }];
  const found = await listAll("DescribeVolumes", "volumeSet", { Filter: filter }, signal);
  const attachment = (each) => items(each.attachmentSet)[0] ?? {};
  return table(
    "Volumes",
    [
      ["Volume", (each) => code(each.volumeId)],
      ["Device", (each) => attachment(each).device],
      ["Size", (each) => `${each.size} GiB`],
      ["Type", (each) => each.volumeType],
      ["State", (each) => badge(each.status)],
    ],
    found,
    "No volumes.",
  );
}

function readConsole(target, id, signal) {
  return fill(target, () => consoleOutput(id, signal), signal);
}

async function consoleOutput(id, signal) {
  const { output } = await ec2("GetConsoleOutput", { InstanceId: id, Latest: true }, signal);
  if (!output) return h("p", { class: "empty" }, "Nothing was printed yet.");
  const bytes = Uint8Array.from(atob(output), (character) => character.charCodeAt(0));
  const text = new TextDecoder().decode(bytes).replace(CONTROL, "");
  return h("pre", { class: "terminal", tabindex: "0", "aria-label": "Console output" }, text);
}

async function fill(target, make, signal) {
  try {
    target.replaceChildren(await make());
  } catch (error) {
    if (!signal.aborted) target.replaceChildren(complaint(error));
  }
}
