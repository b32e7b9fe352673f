/* announce.js - what a screen reader hears: two quiet regions, never the log. */
import { byId } from "./dom.js";

const REST_MS = 5000;
let place = 0, told = 0, later = 0;

/* Say it when there is a pause. */
export function say(text) {
  byId("say").textContent = text;
}

/* Say the place in line, if it is another: at once in the beginning and at the front, else once in 5 s, the newest then.
 * 0: it waits no more. */
export function sayPlace(at, text) {
  clearTimeout(later);
  if (!at) place = 0;
  if (at === place) return;
  const rest = at > 1 && place ? told + REST_MS - Date.now() : 0;
  if (rest > 0) {
    later = setTimeout(() => sayPlace(at, text), rest);
    return;
  }
  place = at;
  told = Date.now();
  say(text);
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
