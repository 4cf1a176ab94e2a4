// The frame around the pages: signing in, navigation, region, and which page is shown.

import { ec2, items } from "./api.js";
import { complaint, h, select } from "./dom.js";
import { forget, keep, session } from "./session.js";
import * as images from "./pages/images.js";
import * as instance from "./pages/instance.js";
import * as instances from "./pages/instances.js";
import * as keyPairs from "./pages/key-pairs.js";
import * as launch from "./pages/launch.js";
import * as networks from "./pages/networks.js";
import * as securityGroup from "./pages/security-group.js";
import * as securityGroups from "./pages/security-groups.js";
import { signIn } from "./pages/sign-in.js";

// Each page: title, list (of everything), item (one thing, by its id in the path).
const PAGES = {
  instances: { title: "Instances", list: instances, item: instance },
  launch: { title: "Launch instance", list: launch },
  images: { title: "Images", list: images },
  "key-pairs": { title: "Key pairs", list: keyPairs },
  "security-groups": { title: "Security groups", list: securityGroups, item: securityGroup },
  networks: { title: "Networks", list: networks },
};

const main = h("main", { id: "main" });
let leaving = new AbortController();

function start() {
  if (!session()) {
    leaving.abort();
    document.title = "Sign in · Celaje";
    document.body.replaceChildren(signIn(start));
    return;
  }
  const skip = h("a", { class: "skip", href: "#main", onclick: jump }, "Skip to content");
  document.body.replaceChildren(skip, bar(), h("div", { class: "frame" }, navigation(), main));
  show();
}

function bar() {
  const { account, arn, region } = session();
  const regions = h("span", {}, regionChooser([region], region));
  listRegions().then((found) => regions.replaceChildren(regionChooser(found, region)), () => {});
  return h(
    "header",
    { class: "bar" },
    h("a", { class: "brand", href: "#/instances" }, h("img", { src: "favicon.svg", alt: "" }), "Celaje"),
    regions,
    h("span", { class: "who", title: arn }, `${arn.split(":").pop()} @ ${account}`),
    h("button", { onclick: signOut }, "Sign out"),
  );
}

// Somebody who may not list regions stays in the one of the cloud.
async function listRegions() {
  return items((await ec2("DescribeRegions")).regionInfo).map((region) => region.regionName).sort();
}

function regionChooser(names, chosen) {
  const change = (event) => {
    keep({ region: event.target.value });
    // What is shown belongs to the region that is left; its list is there in every one.
    const list = location.hash.split("/").slice(0, 2).join("/");
    if (list === location.hash) show();
    else location.hash = list;
  };
  return select({ "aria-label": "Region", onchange: change }, names.map((name) => [name]), chosen);
}

function navigation() {
  const link = ([path, page]) => h("li", {}, h("a", { href: `#/${path}`, "data-page": path }, page.title));
  return h("nav", { "aria-label": "Pages" }, h("ul", {}, Object.entries(PAGES).map(link)));
}

/** Show the page that the address names, in a container of its own: one that was left writes into nothing. */
async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [name, id] = location.hash.slice(2).split("/");
  const path = name in PAGES ? name : "instances";
  const page = PAGES[path];
  document.title = `${id || page.title} · Celaje`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const container = h("div", { class: "page" });
  main.replaceChildren(container);
  try {
    await (id && page.item ? page.item : page.list).show(container, signal, id);
  } catch (error) {
    if (!signal.aborted) container.append(complaint(error));
  }
  if (!signal.aborted) container.querySelector("h1")?.focus({ preventScroll: true });
}

function jump(event) {
  event.preventDefault();
  main.querySelector("h1")?.focus();
}

function signOut() {
  forget();
  start();
}

addEventListener("hashchange", () => session() && show());
start();
