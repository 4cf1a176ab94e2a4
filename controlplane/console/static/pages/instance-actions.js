// Start, stop, reboot and terminate, for the list and for one instance.

import { ec2, tag } from "../api.js";
import { ask } from "../dialog.js";
import { h } from "../dom.js";

const ACTIONS = [
  { name: "Start", operation: "StartInstances", from: ["stopped"] },
  { name: "Stop", operation: "StopInstances", from: ["pending", "running"], warning: "What is in memory is lost." },
  { name: "Reboot", operation: "RebootInstances", from: ["running"], warning: "Programs on it are stopped." },
  {
    name: "Terminate",
    operation: "TerminateInstances",
    from: ["pending", "running", "stopping", "stopped"],
    warning: "Their disks are deleted with them. This cannot be undone.",
    danger: true,
  },
];
const MOVING = ["pending", "stopping", "shutting-down"];

export const isMoving = (instance) => MOVING.includes(instance.instanceState.name);

/** Buttons for the instances that `chosen()` answers; `update()` enables those that make sense now. */
export function actionButtons(chosen, done) {
  const pairs = ACTIONS.map((action) => {
    const run = async () => (await confirm(action, chosen())) && done();
    return [action, h("button", { type: "button", disabled: true, onclick: run }, action.name)];
  });
  const update = () => {
    const states = chosen().map((each) => each.instanceState.name);
    for (const [action, button] of pairs) {
      button.disabled = states.length === 0 || !states.every((state) => action.from.includes(state));
    }
  };
  return { elements: pairs.map(([, button]) => button), update };
}

function confirm({ name, operation, warning, danger }, instances) {
  const line = (each) => h("li", {}, h("code", {}, each.instanceId), ` ${tag(each, "Name")}`);
  return ask({
    title: `${name} ${instances.length === 1 ? "this instance" : `these ${instances.length} instances`}?`,
    content: [h("ul", {}, instances.map(line)), warning ? h("p", {}, warning) : null],
    confirm: name,
    danger,
    work: () => ec2(operation, { InstanceId: instances.map((each) => each.instanceId) }),
  });
}
