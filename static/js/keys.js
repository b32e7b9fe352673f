/* keys.js - what a key press means. Every field that acts on Enter asks here. */

/* True for an Enter that ends a thought, not one that picks a word in an input method. */
export function isEnter(event) {
  return event.key === "Enter" && !event.isComposing && event.keyCode !== 229;
}

/* On a touch keyboard Enter is a new line and the button sends. */
export const touch = matchMedia("(hover: none) and (pointer: coarse)");

/* Does this key press send? `mode` is the setting: "enter" or "ctrl". */
export function isSend(event, mode) {
  if (!isEnter(event)) return false;
  if (event.ctrlKey || event.metaKey) return true;
  return mode !== "ctrl" && !event.shiftKey && !event.altKey && !touch.matches;
}
