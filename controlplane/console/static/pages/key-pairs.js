// All key pairs of a region.

import { ec2, listAll } from "../api.js";
import { ask } from "../dialog.js";
import { code, field, h, heading, table } from "../dom.js";
import { createKeyPair } from "./create-key-pair.js";

export async function show(container, signal) {
  const list = h("div", {});
  const reload = async () => list.replaceChildren(keyTable(await listAll("DescribeKeyPairs", "keySet", {}, signal), reload));
  container.append(
    heading(
      "Key pairs",
      h("button", { onclick: async () => (await importKey()) && reload() }, "Import public key"),
      h("button", { class: "primary", onclick: async () => (await createKeyPair()) && reload() }, "Create key pair"),
    ),
    list,
  );
  await reload();
}

function keyTable(keys, reload) {
  return table(
    "Key pairs",
    [
      ["Name", (each) => each.keyName],
      ["Key pair ID", (each) => code(each.keyPairId)],
      ["Type", (each) => each.keyType],
      ["Fingerprint", (each) => code(each.keyFingerprint)],
      ["Created", (each) => new Date(each.createTime).toLocaleString()],
      ["", (each) => h("button", { onclick: async () => (await remove(each)) && reload() }, "Delete")],
    ],
    keys,
  );
}

function importKey() {
  return ask({
    title: "Import public key",
    content: [
      field("Name", h("input", { name: "name", required: true, maxlength: "255", autocomplete: "off" })),
      field("Public key", h("textarea", { name: "key", rows: "4", required: true }), "As in ~/.ssh/id_ed25519.pub"),
    ],
    confirm: "Import",
    work: (data) => ec2("ImportKeyPair", { KeyName: data.get("name"), PublicKeyMaterial: btoa(data.get("key").trim()) }),
  });
}

function remove(key) {
  return ask({
    title: `Delete key pair ${key.keyName}?`,
    content: h("p", {}, "Machines that know it go on accepting it."),
    confirm: "Delete",
    danger: true,
    work: () => ec2("DeleteKeyPair", { KeyPairId: key.keyPairId }),
  });
}
