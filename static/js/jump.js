/* jump.js - g, then c or d: to the chat or the dashboard, where that was chosen, and never while one writes. */
import { recall } from "./prefs.js";

const PLACES = { c: "/app/", d: "/app/dashboard" };
const TWO_KEYS_MS = 1500;
let pressed = -Infinity;

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select") || !recall("jump")) return;
  if (e.timeStamp - pressed < TWO_KEYS_MS && PLACES[e.key]) location.assign(PLACES[e.key]);
  pressed = e.key === "g" ? e.timeStamp : -Infinity;
});
