/* shortcut.js - Alt with C, R, up, down: copy the last answer, another answer, the message before or after.
 * Loaded at its first use. */
import { part } from "./dom.js";

/* `code` is the key's, `column` has the messages. */
export function shortcut(code, column) {
  const messages = [...column.querySelectorAll(".msg")].filter((m) => m.offsetParent);
  const answer = messages.filter((m) => m.classList.contains("assistant")).pop();
  const step = { ArrowUp: -1, ArrowDown: 1 }[code];
  if (step) {
    const at = messages.indexOf(document.activeElement);
    const next = messages[at < 0 ? messages.length - 1 : at + step];
    if (next) { next.tabIndex = -1; next.focus({ preventScroll: true }); next.scrollIntoView({ block: "nearest" }); }
  } else if (code === "KeyC") part(answer ?? column, "copy")?.click();
  else part(answer ?? column, "again")?.click();
}
