// Elements. Data reaches the page as text nodes and attributes only, never as markup.

/** An element: `on…` attributes are listeners, true/false ones are present or not, children are nodes or text. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(key, value);
    else if (value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** A labelled control of a form. */
export function field(label, control, hint) {
  return h("label", { class: "field" }, h("span", {}, label), control, hint ? h("small", {}, hint) : null);
}

/** A drop-down list of [value, text] pairs. */
export function select(attributes, options, chosen) {
  const option = ([value, text]) => h("option", { value, selected: value === chosen }, text ?? value);
  return h("select", attributes, options.map(option));
}

/** A state as a word with a coloured dot. */
export function badge(state) {
  return h("span", { class: `badge ${state}` }, state);
}

/** An id or address in the typeface for code. */
export const code = (text) => h("code", {}, text || "–");

/** Names and values, one a line. */
export function facts(pairs) {
  return h("dl", {}, pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value || "–"))));
}

/** A boxed part of a page. */
export function panel(title, ...content) {
  return h("section", { class: "panel" }, h("h2", {}, title), ...content);
}

/** The top of a page: its title, and buttons or links. */
export function heading(title, ...actions) {
  return h("header", { class: "heading" }, h("h1", { tabindex: "-1" }, title), h("div", { class: "actions" }, actions));
}

/** A table: `columns` are [name, row => node or text]. */
export function table(caption, columns, rows, empty = "Nothing here yet.") {
  if (rows.length === 0) return h("p", { class: "empty" }, empty);
  const head = ([name]) => (name ? h("th", { scope: "col" }, name) : h("td"));
  const cells = (row) => columns.map(([, show]) => h("td", {}, show(row) || "–"));
  return h(
    "div",
    { class: "table" },
    h(
      "table",
      {},
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, columns.map(head))),
      h("tbody", {}, rows.map((row) => h("tr", {}, cells(row)))),
    ),
  );
}

/** What went wrong, in AWS's own words. */
export function complaint(error) {
  const why = error.denied && error.requestId ? h("p", {}, "Why: ", code(`celaje explain ${error.requestId}`)) : null;
  const title = error.code && typeof error.code === "string" ? error.code : "The cloud does not answer";
  return h("div", { class: "notice error", role: "alert" }, h("strong", {}, title), h("p", {}, error.message), why);
}
