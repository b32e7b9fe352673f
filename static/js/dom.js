/* dom.js - building and finding nodes. Text always becomes a text node: nothing
 * here, or anywhere in Weir's scripts, turns a string into markup. */

/* el("p", {class: "x", title: "y", onclick: f}, "text", node, null) */
export function el(tag, props = {}, ...kids) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...kids.filter((k) => k !== null && k !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, props = {}, ...kids) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) {
    if (value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...kids);
  return node;
}

/* One of the page's icons (templates/icons.mustache), hidden from screen readers. */
export function icon(name) {
  return svg("svg", { class: "i", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
}

export const byId = (id) => document.getElementById(id);

/* A copy of the first element in <template id>, so that markup stands in one place. */
export function clone(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/* The descendant marked data-part="name". */
export function part(node, name) {
  return node.querySelector(`[data-part="${name}"]`);
}
