// AWS Signature Version 4 of a form POST to `/`, with the browser's own cryptography.

const encoder = new TextEncoder();
export const CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8";

/** Whether this page may sign at all: browsers offer WebCrypto over https and on loopback only. */
export const canSign = () => Boolean(globalThis.crypto?.subtle);

/** The headers that authorize `body`; the browser adds Host by itself. */
export async function sign(body, service, credentials, now = new Date()) {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = [time.slice(0, 8), credentials.region, service, "aws4_request"];
  const headers = { "content-type": CONTENT_TYPE, host: location.host, "x-amz-date": time };
  if (credentials.sessionToken) headers["x-amz-security-token"] = credentials.sessionToken;

  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join("");
  const request = ["POST", "/", "", lines, names.join(";"), await sha256(body)].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope.join("/"), await sha256(request)].join("\n");

  let key = encoder.encode(`AWS4${credentials.secretAccessKey}`);
  for (const part of [...scope, text]) key = await hmac(key, part);
  const credential = `${credentials.accessKeyId}/${scope.join("/")}`;
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(";")}, Signature=${hex(key)}`;
  delete headers.host;
  return { ...headers, authorization };
}

async function sha256(text) {
  return hex(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
}

async function hmac(secret, text) {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", key, encoder.encode(text));
}

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
