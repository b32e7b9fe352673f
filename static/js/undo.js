/* undo.js - what was just done can be taken back for eight seconds, instead of a
 * question before it. One thing at a time: the next makes the one before final. */
import { byId, part } from "./dom.js";
import { say } from "./announce.js";

const UNDO_MS = 8000;
const bar = byId("undo");
let pending = null;
let timer = 0;

/* `text` says what was done. undo() takes it back; final(leaving) is called once when it stays,
 * with `leaving` true when the page is being left. Before that the focus, if it is on Undo, goes to what beside() gives. */
export function offer(text, { undo, final, beside }) {
  settle(false);
  pending = { undo, final, beside };
  part(bar, "text").textContent = text;
  bar.hidden = false;
  timer = setTimeout(() => settle(false), UNDO_MS);
  say(`${text} Undo is available.`);
  byId("undo-button").focus();
}

function take() {
  const was = pending;
  clearTimeout(timer);
  pending = null;
  bar.hidden = true;
  return was;
}

function settle(leaving) {
  const here = bar.contains(document.activeElement), was = take();
  if (here) was?.beside().focus();
  was?.final(leaving);
}

byId("undo-button").addEventListener("click", () => take()?.undo());
addEventListener("pagehide", () => settle(true));
