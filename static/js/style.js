/* style.js - a style sheet of what is loaded at its first use. */
import { el } from "./dom.js";

const asked = new Map();

/* Fulfilled when the sheet of this name is there, or cannot be had: what it is for is shown either way. */
export function styled(name) {
  if (!asked.has(name)) asked.set(name, new Promise((over) => { document.head.append(el("link", { rel: "stylesheet", href: `/static/css/${name}.css`, onload: over, onerror: over })); }));
  return asked.get(name);
}
