// All instances of a region, and what can be done with those that are selected.

import { listAll, items, tag } from "../api.js";
import { badge, code, h, heading, table } from "../dom.js";
import { watch } from "../watch.js";
import { actionButtons, isMoving } from "./instance-actions.js";

export async function show(container, signal) {
  const selected = new Set();
  let all = [];
  let look = () => {};
  const buttons = actionButtons(() => all.filter((each) => selected.has(each.instanceId)), () => look());
  const list = h("div", {});
  container.append(
    heading("Instances", buttons.elements, h("a", { class: "button primary", href: "#/launch" }, "Launch instance")),
    list,
  );

  function draw(instances) {
    all = instances;
    for (const id of selected) if (!all.some((each) => each.instanceId === id)) selected.delete(id);
    buttons.update();
    return [table("Instances", columns(selected, buttons.update), instances, "No instances in this region.")];
  }

  look = await watch(signal, list, loadInstances, draw, (found) => found.some(isMoving));
}

async function loadInstances(signal) {
  const reservations = await listAll("DescribeInstances", "reservationSet", {}, signal);
  const instances = reservations.flatMap((reservation) => items(reservation.instancesSet));
  return instances.sort((a, b) => b.launchTime.localeCompare(a.launchTime));
}

function columns(selected, changed) {
  const choose = ({ instanceId }) =>
    h("input", {
      type: "checkbox",
      id: `choose-${instanceId}`,
      "aria-label": `Select ${instanceId}`,
      checked: selected.has(instanceId),
      onchange: (event) => {
        selected[event.target.checked ? "add" : "delete"](instanceId);
        changed();
      },
    });
  const link = ({ instanceId }) => h("a", { id: instanceId, href: `#/instances/${instanceId}` }, code(instanceId));
  return [
    ["", choose],
    ["Name", (each) => tag(each, "Name")],
    ["Instance ID", link],
    ["State", (each) => badge(each.instanceState.name)],
    ["Type", (each) => each.instanceType],
    ["Zone", (each) => each.placement?.availabilityZone],
    ["Private IPv4", (each) => code(each.privateIpAddress)],
    ["Public IPv4", (each) => code(each.ipAddress)],
    ["Launched", (each) => new Date(each.launchTime).toLocaleString()],
  ];
}
