/* shortcut.js - what the keys of the chat page do, by the letter with Ctrl or ⌘, by the key's code with Alt. Loaded with the
 * first of them. */
import { byId, part } from "./dom.js";

const shown = (column) => [...column.querySelectorAll(".msg")].filter((m) => m.offsetParent);
const press = (column, name) => { const answer = shown(column).findLast((m) => m.classList.contains("assistant")); if (answer) part(answer, name).click(); };

/* To the message before or after the one that has the focus. */
function step(column, by) {
  const messages = shown(column), at = messages.indexOf(document.activeElement);
  const next = messages[at < 0 ? messages.length - 1 : at + by];
  if (next) { next.tabIndex = -1; next.focus({ preventScroll: true }); next.scrollIntoView({ block: "nearest" }); }
}

const DOES = {
  KeyC: (column) => press(column, "copy"),
  KeyR: (column) => press(column, "again"),
  ArrowUp: (column) => step(column, -1),
  ArrowDown: (column) => step(column, 1),
  o: () => location.assign("/app/"),
  s: () => byId("menu").click(),
  ";": (column) => [...column.querySelectorAll(".code-head .icon:last-child")].pop()?.click(),
  "/": () => location.assign("/app/help/keys"),
  ".": () => byId("show-monitoring").click(),
};

/* Do what `key` is for; `column` has the messages. */
export const shortcut = (key, column) => DOES[key](column);
