// Who is signed in. Kept in sessionStorage, so that it ends with the tab; the secret never leaves the browser.

const KEY = "celaje.session";

/** @returns {{accessKeyId: string, secretAccessKey: string, sessionToken: string, region: string, account: string, arn: string} | null} */
export function session() {
  return JSON.parse(sessionStorage.getItem(KEY));
}

export function keep(changes) {
  sessionStorage.setItem(KEY, JSON.stringify({ ...session(), ...changes }));
}

export function forget() {
  sessionStorage.removeItem(KEY);
}
