// Questions: a modal dialog with a form, which stays open until its work is done.

import { complaint, h } from "./dom.js";

/**
 * Ask for `content` (fields, text) and do `work(form data)` when it is confirmed. What fails is shown inside.
 * Answers what `work` answered, or undefined when it was cancelled.
 */
export function ask({ title, content, confirm, danger = false, work }) {
  return new Promise((resolve) => {
    const trouble = h("div");
    const submit = h("button", { class: danger ? "danger" : "primary" }, confirm);
    const cancel = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
    const form = h(
      "form",
      { onsubmit: send },
      h("h2", { id: "dialog-title" }, title),
      content,
      trouble,
      h("div", { class: "actions" }, cancel, submit),
    );
    const dialog = h("dialog", { "aria-labelledby": "dialog-title", onclose: () => finish(undefined) }, form);

    function finish(result) {
      dialog.remove();
      resolve(result);
    }

    async function send(event) {
      event.preventDefault();
      submit.disabled = true;
      trouble.replaceChildren();
      try {
        finish((await work(new FormData(form))) ?? true);
      } catch (error) {
        trouble.replaceChildren(complaint(error));
        submit.disabled = false;
      }
    }

    document.body.append(dialog);
    dialog.showModal();
  });
}
