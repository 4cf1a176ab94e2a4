// Signing in: an access key, checked with GetCallerIdentity.

import { callerIdentity } from "../api.js";
import { complaint, field, h } from "../dom.js";
import { keep } from "../session.js";
import { canSign } from "../sigv4.js";

/** The page; calls `done` when somebody has signed in. */
export function signIn(done) {
  const trouble = h("div");
  const button = h("button", { class: "primary", disabled: !canSign() }, "Sign in");
  const input = (name, type, required) => h("input", { name, type, required, autocomplete: "off", spellcheck: "false" });
  if (!canSign()) trouble.append(insecure());

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    trouble.replaceChildren();
    try {
      const credentials = trimmed(new FormData(event.target));
      credentials.region = (await (await fetch("cloud.json")).json()).region;
      const { Account, Arn } = await callerIdentity(credentials);
      keep({ ...credentials, account: Account, arn: Arn });
      done();
    } catch (error) {
      trouble.replaceChildren(complaint(error));
      button.disabled = false;
    }
  }

  return h(
    "main",
    { class: "sign-in" },
    h(
      "form",
      { class: "panel", onsubmit: send },
      h("h1", {}, h("img", { src: "favicon.svg", alt: "" }), "Celaje"),
      h("p", {}, "Sign in with an access key of your account."),
      field("Access key ID", input("accessKeyId", "text", true)),
      field("Secret access key", input("secretAccessKey", "password", true)),
      field("Session token", input("sessionToken", "password", false), "Only for temporary credentials."),
      trouble,
      button,
      h(
        "p",
        { class: "quiet" },
        "The key stays in this tab and is gone when you close it: the browser signs requests itself. ",
        h("code", {}, "celaje env"),
        " prints the keys of the cloud's first account.",
      ),
    ),
  );
}

function trimmed(data) {
  return Object.fromEntries([...data].map(([name, value]) => [name, value.trim()]));
}

function insecure() {
  const port = location.port || "80";
  return h(
    "div",
    { class: "notice error", role: "alert" },
    h("strong", {}, "This browser cannot sign requests here"),
    h("p", {}, "Browsers offer cryptography only over https and on this computer's own address. Open a tunnel:"),
    h("p", {}, h("code", {}, `ssh -L ${port}:127.0.0.1:${port} ${location.hostname}`)),
    h("p", {}, "and then ", h("code", {}, `http://127.0.0.1:${port}${location.pathname}`)),
  );
}
