// The dialog that makes a key pair, and hands over its private half: the cloud does not keep it.

import { ec2 } from "../api.js";
import { ask } from "../dialog.js";
import { field, h, select } from "../dom.js";
import { download } from "../download.js";

/** Answers the name of the new key pair, or undefined. */
export function createKeyPair() {
  return ask({
    title: "Create key pair",
    content: [
      field("Name", h("input", { name: "name", required: true, maxlength: "255", autocomplete: "off" })),
      field("Type", select({ name: "type" }, [["ed25519", "ED25519"], ["rsa", "RSA"]])),
      h("p", { class: "quiet" }, "The private key is downloaded now, and cannot be had later."),
    ],
    confirm: "Create",
    work: async (data) => {
      const made = await ec2("CreateKeyPair", { KeyName: data.get("name"), KeyType: data.get("type") });
      download(`${made.keyName}.pem`, made.keyMaterial);
      return made.keyName;
    },
  });
}
