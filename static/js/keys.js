/* keys.js - what a key press means. */

/* A key that picks a word in an input method, or ends that, is for it alone: no field and no shortcut of any page hears of it. */
addEventListener("keydown", (event) => {
  if (!event.isComposing && event.keyCode !== 229) return;
  event.stopImmediatePropagation();
  if (event.key === "Enter") event.preventDefault();          /* nor does it submit a form */
}, true);

/* On a touch keyboard Enter is a new line and the button sends. */
export const touch = matchMedia("(hover: none) and (pointer: coarse)");

/* Does this key press send? `mode` is the setting: "enter" or "ctrl". */
export function isSend(event, mode) {
  if (event.key !== "Enter") return false;
  if (event.ctrlKey || event.metaKey) return true;
  return mode !== "ctrl" && !event.shiftKey && !event.altKey && !touch.matches;
}
