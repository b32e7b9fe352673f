/* announce.js - what a screen reader hears: two quiet regions, never the log. */
import { byId } from "./dom.js";

let last = 0;

/* Say it when there is a pause. With `every`, at most once in that many ms. */
export function say(text, every = 0) {
  const now = Date.now();
  if (every && now - last < every) return;
  last = now;
  byId("say").textContent = text;
}

/* Say it once while this tab is open. */
export function sayOnce(text, key) {
  try {
    if (sessionStorage.getItem(`weir.said.${key}`)) return;
    sessionStorage.setItem(`weir.said.${key}`, "1");
  } catch { /* said again on the next page */ }
  say(text);
}

/* Say it now. */
export function alert(text) {
  byId("alert").textContent = text;
}
