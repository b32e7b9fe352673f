/* copy.js - to the clipboard, also on plain http, where navigator.clipboard does
 * not exist; the button always shows what came of it. */
import { say } from "./announce.js";
import { el } from "./dom.js";

async function toClipboard(text) {
  if (navigator.clipboard) {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* the old way below */ }
  }
  const box = el("textarea", { class: "sr", "aria-hidden": "true", tabindex: "-1" });
  const focused = document.activeElement;
  box.value = text;
  document.body.append(box);
  box.select();
  let done = false;
  try { done = document.execCommand("copy"); } catch { /* refused */ }
  box.remove();
  focused?.focus({ preventScroll: true });
  return done;
}

/* Copy `text` and show the result in `label` for two seconds. */
export async function copy(text, label) {
  const done = await toClipboard(text);
  const result = done ? "Copied" : "Press Ctrl+C";
  const before = label.dataset.label ??= label.textContent;
  label.textContent = result;
  say(result);
  setTimeout(() => { label.textContent = before; }, 2000);
}
