/* attach.js - text files become a quoted block in the message: dropped, pasted,
 * or chosen. What is no text is refused with a sentence. Loaded when it is needed. */
import { send } from "./api.js";
import { byId, part } from "./dom.js";
import { alert, say } from "./announce.js";
import { count } from "./format.js";

const MOST_BYTES = 256 * 1024;

/* A fence longer than any in the text. */
function quoted(name, text) {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((m) => m[0].length));
  const fence = "`".repeat(longest + 1);
  const kind = /\.([A-Za-z0-9]{1,8})$/.exec(name)?.[1].toLowerCase() ?? "";
  return `${name}:\n${fence}${kind}\n${text.replace(/\n?$/, "\n")}${fence}\n`;
}

async function read(file) {
  if (/^image\/|pdf$/.test(file.type)) throw new Error(`“${file.name}” is no text: pictures and PDF files cannot be sent.`);
  if (file.size > MOST_BYTES) throw new Error(`“${file.name}” is too large: at most 256 KiB of text can be sent.`);
  const bytes = await file.arrayBuffer();
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (!text.includes("\0")) return text;
  } catch { /* said below */ }
  throw new Error(`“${file.name}” is no text in UTF-8.`);
}

const box = byId("text");
const note = byId("note");
let act = null;

function show(text, label, f) {
  part(note, "text").textContent = text;
  act = f;
  byId("note-button").textContent = label;
  note.hidden = false;
}

function tell(text, label, f) {
  show(text, label, f);
  alert(text);
}

/* How many tokens `text` has for the chosen model, as far as Weir can be asked. */
async function tokens(text) {
  try { return `: ≈ ${count((await send("POST", "/chat/estimate", { model: byId("model").value, message: text })).prompt_tokens)} tokens`; } catch { return ""; }
}

/* What was just quoted, and the way to have it out again. */
async function quote(name, block) {
  put(block);
  const text = `“${name}” is quoted in the message${await tokens(block)}.`;
  if (!note.hidden) return;                     /* a refusal says more */
  show(text, "Remove", () => {
    const at = box.value.indexOf(block);
    if (at < 0) return;
    box.setRangeText("", at, at + block.length, "end");
    box.dispatchEvent(new Event("input"));
  });
  say(text);
}

function put(text, from = box.selectionStart, to = box.selectionEnd) {
  const before = box.value.slice(0, from);
  box.setRangeText(before && !before.endsWith("\n") ? `\n${text}` : text, from, to, "end");
  box.dispatchEvent(new Event("input"));
}

byId("note-button").addEventListener("click", () => { note.hidden = true; act?.(); box.focus(); });

/* Put `files` into the message. */
export async function take(files) {
  note.hidden = true;
  for (const file of files) {
    try { await quote(file.name, quoted(file.name, await read(file))); } catch (x) { tell(x.message, "Close", null); }
  }
  box.focus();
}

/* `text` was pasted at `from`: it may become a quoted block. */
export function offer(text, from) {
  tell("A long text was pasted.", "Quote it as a file", () => {
    if (box.value.slice(from, from + text.length) === text) put(quoted("pasted.txt", text), from, from + text.length);
  });
}
