// Hands a text to the user as a file.

import { h } from "./dom.js";

export function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/x-pem-file" }));
  h("a", { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}
