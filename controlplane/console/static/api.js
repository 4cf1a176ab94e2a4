// Calls of the cloud's API, in the query protocols of EC2 and STS.

import { session } from "./session.js";
import { sign } from "./sigv4.js";

const VERSIONS = { ec2: "2016-11-15", sts: "2011-06-15" };

/** What AWS would say: a code, a message, and the request's id. */
export class AwsError extends Error {
  constructor(code, message, requestId) {
    super(message);
    this.code = code;
    this.requestId = requestId;
  }

  get denied() {
    return ["UnauthorizedOperation", "AccessDenied"].includes(this.code);
  }
}

/** One EC2 operation; lists in the parameters become Name.1, Name.2 … */
export const ec2 = (action, parameters = {}, signal = undefined) => call("ec2", action, parameters, session(), signal);

/** All pages of an EC2 operation's list `member`. */
export async function listAll(action, member, parameters = {}, signal = undefined) {
  const found = [];
  let token;
  do {
    const page = await ec2(action, token ? { ...parameters, NextToken: token } : parameters, signal);
    found.push(...items(page[member]));
    token = page.nextToken;
  } while (token);
  return found;
}

/** Who the credentials belong to: {Account, Arn, UserId}. Throws AwsError when they are wrong. */
export async function callerIdentity(credentials) {
  return (await call("sts", "GetCallerIdentity", {}, credentials)).GetCallerIdentityResult;
}

/** A list of an answer; an empty one looks like an empty string. */
export const items = (value) => (Array.isArray(value) ? value : []);

/** The value of a tag, or "". */
export const tag = (resource, key) => items(resource.tagSet).find((each) => each.key === key)?.value ?? "";

async function call(service, action, parameters, credentials, signal) {
  const form = new URLSearchParams({ Action: action, Version: VERSIONS[service] });
  flatten(form, "", parameters);
  const body = form.toString();
  const headers = await sign(body, service, credentials);
  const answer = await fetch("/", { method: "POST", body, headers, signal, credentials: "omit", redirect: "error" });
  const xml = new DOMParser().parseFromString(await answer.text(), "application/xml");
  if (answer.ok) return read(xml.documentElement);
  const text = (name) => xml.querySelector(name)?.textContent;
  throw new AwsError(
    text("Error > Code") ?? `HTTP ${answer.status}`,
    text("Error > Message") ?? answer.statusText,
    text("RequestID, RequestId") ?? "",
  );
}

function flatten(form, name, value) {
  if (value === undefined || value === null || value === "") return;
  if (typeof value !== "object") form.append(name, value);
  else {
    const parts = Array.isArray(value) ? value.map((each, index) => [index + 1, each]) : Object.entries(value);
    for (const [part, inner] of parts) flatten(form, name ? `${name}.${part}` : part, inner);
  }
}

function read(element) {
  const children = [...element.children];
  if (children.length === 0) return element.textContent;
  if (children.every((child) => child.localName === "item")) return children.map(read);
  return Object.fromEntries(children.map((child) => [child.localName, read(child)]));
}
