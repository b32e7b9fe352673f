/* attach.js - text files become a quoted block in the message: dropped, pasted,
 * or chosen. What is no text is refused with a sentence. Loaded when it is needed. */
import { send } from "./api.js";
import { byId, el } from "./dom.js";
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
const notes = byId("note");
const about = new Map();                /* the lines over the box: what of the message each is about, "" for a refusal */

/* A line with one button, which does `f`; `block` is what of the message it is about. */
function show(text, block, label, f) {
  const line = el("div", { class: "notice" }, el("span", {}, text), el("button", { class: "btn small", type: "button", onclick: () => { drop(line); f?.(); box.focus(); } }, ...label));
  about.set(line, block);
  notes.append(line);
}

function drop(line) {
  about.delete(line);
  line.remove();
}

/* A line goes with what it is about: taken out, changed by hand, sent. */
box.addEventListener("input", () => { for (const [line, block] of about) if (!box.value.includes(block)) drop(line); });

/* How many tokens `text` has for the chosen model, as far as Weir can be asked. */
async function tokens(text) {
  try { return `: ≈ ${count((await send("POST", "/chat/estimate", { model: byId("model").value, message: text })).prompt_tokens)} tokens`; } catch { return ""; }
}

/* What was just quoted, and the way to have it out again. */
async function quote(name, block) {
  put(block);
  const text = `“${name}” is quoted in the message${await tokens(block)}.`;
  if (!box.value.includes(block)) return;
  show(text, block, ["Remove", el("span", { class: "sr" }, ` “${name}”`)], () => {
    const at = box.value.indexOf(block);
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

/* Put `files` into the message. */
export async function take(files) {
  for (const [line, block] of about) if (!block) drop(line);
  for (const file of files) {
    try { await quote(file.name, quoted(file.name, await read(file))); } catch (x) { show(x.message, "", ["Close"]); alert(x.message); }
  }
  box.focus();
}

/* `text` was pasted at `from`: it may become a quoted block. */
export function offer(text, from) {
  const said = "A long text was pasted.";
  show(said, text, ["Quote it as a file"], () => {
    if (box.value.slice(from, from + text.length) === text) put(quoted("pasted.txt", text), from, from + text.length);
  });
  alert(said);
}
