/* markdown.js - an answer's Markdown as nodes: tokens of the lexer become elements
 * and text nodes. Raw HTML is shown as the text it is, pictures as links, and a
 * link leads only to http, https or mailto. */
import { lexer, use } from "/static/vendor/marked-18.2.1/marked.esm.js";
import { el, icon } from "./dom.js";
import { copy } from "./copy.js";
import { recall } from "./prefs.js";

let drawMath = null;                  /* loaded when the first formula appears */

/* \\(…\\), \\[…\\] and $$…$$ are mathematics; $…$ only where it can be no amount of money: nothing but the formula
 * between the signs on one line, no space inside them, no digit after them. */
function math(src) {
  const all = /^\$\$((?:\\[\s\S]|[^\\$])+?)\$\$|^\\\[([\s\S]+?)\\\]|^\\\(([\s\S]+?)\\\)/.exec(src);
  if (all) return { type: "math", raw: all[0], tex: all[1] ?? all[2] ?? all[3], display: all[3] === undefined };
  const one = recall("dollars") === "off" ? null : /^\$(?!\s)((?:\\.|[^\\$`\n])+?)(?<!\s)\$(?!\d)/.exec(src);
  return one && !/^[\d.,]+$/.test(one[1]) ? { type: "math", raw: one[0], tex: one[1], display: false } : undefined;
}

use({ extensions: [{ name: "math", level: "inline", tokenizer: math, start: (src) => { const at = src.search(/\$|\\[([]/); return at < 0 ? undefined : at; } }] });

function formula(t) {
  const node = t.display ? el("span", { class: "math display", tabindex: "0", role: "group", "aria-label": "Formula" }, t.raw) : el("span", { class: "math" }, t.raw);
  if (drawMath) drawMath(node, t.tex, t.display);
  else import("./math.js").then((m) => { drawMath = m.draw; drawMath(node, t.tex, t.display); });
  return node;
}

const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", copy: "©", reg: "®", trade: "™", hellip: "…", mdash: "—", ndash: "–", times: "×", deg: "°", larr: "←", rarr: "→", laquo: "«", raquo: "»" };

/* Entities outside of code mean their character, as in any Markdown. */
function decode(text) {
  return text.includes("&") ? text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-zA-Z]{2,8}));/g, (all, dec, hex, name) => {
    if (name) return NAMED[name] ?? all;
    const code = dec ? Number(dec) : parseInt(hex, 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
  }) : text;
}

function safeHref(href) {
  try {
    const url = new URL(decode(href));
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch { return null; }
}

function link(token) {
  const href = safeHref(token.href);
  if (!href) return el("span", {}, ...inline(token.tokens));
  return el("a", { href, title: token.title, target: "_blank", rel: "noopener noreferrer nofollow" }, ...inline(token.tokens));
}

/* A picture's address can carry the conversation away, so it is never loaded. */
function image(token) {
  const href = safeHref(token.href);
  const label = `[image: ${decode(token.text) || "no description"}]`;
  return href ? el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, label) : label;
}

function inline(tokens = []) {
  return tokens.map((t) => {
    switch (t.type) {
      case "strong": return el("strong", {}, ...inline(t.tokens));
      case "em": return el("em", {}, ...inline(t.tokens));
      case "del": return el("del", {}, ...inline(t.tokens));
      case "codespan": return el("code", {}, t.text);
      case "br": return el("br");
      case "link": return link(t);
      case "image": return image(t);
      case "checkbox": return el("input", { type: "checkbox", disabled: true, checked: t.checked, "aria-label": t.checked ? "done" : "to do" });
      case "escape": return t.text;
      case "math": return formula(t);
      case "html": return t.raw;
      case "text": return t.tokens ? el("span", {}, ...inline(t.tokens)) : decode(t.text);
      default: return t.raw;
    }
  });
}

/* The block's node; `open` while more of it may come, so that colours wait. */
function code(token, open) {
  const language = (token.lang ?? "").trim().split(/[\s{]/)[0];
  const text = el("code", {}, token.text);
  const label = el("span", {}, "Copy");
  const wrap = el("button", { class: "icon small", type: "button", "aria-pressed": "false" }, "Wrap");
  const box = el("div", { class: "code" },
    el("div", { class: "code-head" },
      el("span", { class: "lang" }, language || "text"), wrap,
      el("button", { class: "icon small", type: "button", onclick: () => copy(text.textContent, label) }, icon("copy"), label)),
    el("pre", { tabindex: "0", role: "group", "aria-label": language ? `Code, ${language}` : "Code" }, text));
  wrap.addEventListener("click", () => wrap.setAttribute("aria-pressed", String(box.classList.toggle("wrap"))));
  if (!open && language) import("./highlight.js").then(({ highlight }) => highlight(text, token.text, language));
  return box;
}

function cell(tag, c, align) {
  return el(tag, { "data-align": align, scope: tag === "th" ? "col" : null }, ...inline(c.tokens));
}

function table(t) {
  return el("div", { class: "table", tabindex: "0", role: "group", "aria-label": "Table" }, el("table", {},
    el("thead", {}, el("tr", {}, ...t.header.map((c, i) => cell("th", c, t.align[i])))),
    el("tbody", {}, ...t.rows.map((row) => el("tr", {}, ...row.map((c, i) => cell("td", c, t.align[i])))))));
}

function list(t) {
  return el(t.ordered ? "ol" : "ul", { start: t.ordered && t.start !== 1 ? t.start : null },
    ...t.items.map((item) => el("li", { class: item.task ? "task" : null }, ...item.tokens.flatMap((k) =>
      k.type === "text" ? inline(k.tokens ?? [k]) : k.type === "checkbox" ? inline([k]) : block(k)))));
}

/* One block token as a list of nodes. */
function block(t, open = false) {
  switch (t.type) {
    case "paragraph": return [el("p", {}, ...inline(t.tokens))];
    case "text": return [el("p", {}, ...(t.tokens ? inline(t.tokens) : [decode(t.text)]))];
    case "heading": return [el("h3", { "data-depth": t.depth }, ...inline(t.tokens))];
    case "code": return [code(t, open)];
    case "list": return [list(t)];
    case "table": return [table(t)];
    case "blockquote": return [el("blockquote", {}, ...t.tokens.flatMap((k) => block(k)))];
    case "hr": return [el("hr")];
    case "space": case "def": return [];
    default: return [el("p", { class: "raw" }, t.raw.trimEnd())];
  }
}

const closed = (t) => t.type !== "code" || !/^ {0,3}(`{3,}|~{3,})/.test(t.raw) || /\n {0,3}(`{3,}|~{3,})[ \t]*\n?$/.test(t.raw);

/* A whole text at once. */
export function render(root, text) {
  root.replaceChildren(...lexer(text).flatMap((t) => block(t)));
}

/* An answer that grows. Blocks that can no longer change are built once and left
 * alone, so that reading, selecting and copying go on in peace; only the tail is redrawn. */
export class Growing {
  #root; #text = ""; #tail = ""; #done = []; #live = []; #fence = null;

  constructor(root) { this.#root = root; }

  get text() { return this.#text; }

  append(more) {
    this.#text += more;
    this.#tail += more;
    const tokens = lexer(this.#tail);
    this.#commit(tokens);
    const last = tokens[tokens.length - 1];
    if (tokens.length === 1 && last?.type === "code" && !closed(last)) return this.#growFence(last);
    this.#fence = null;
    this.#swap(tokens.flatMap((t) => block(t, true)));
  }

  /* Everything is here: one full reading, in which only what differs is built again. */
  finish() {
    const tokens = lexer(this.#text);
    const links = Object.keys(tokens.links ?? {}).length > 0;
    const old = this.#done;
    this.#swap([]);
    let same = 0;
    while (!links && same < old.length && same < tokens.length && old[same].raw === tokens[same].raw) same++;
    for (const o of old.slice(same)) o.nodes.forEach((n) => n.remove());
    this.#root.append(...tokens.slice(same).flatMap((t) => block(t)));
  }

  /* Move what is settled from `tokens` to the finished part: a block is settled when
   * a later one has a whole line, which could not belong to it any more. */
  #commit(tokens) {
    let last = tokens.length - 1;
    while (last > 0 && (tokens[last].type === "space" || !/\S.*\n|.{12}/.test(tokens[last].raw))) last--;
    if (last <= 0) return;
    this.#swap([]);
    this.#fence = null;
    for (const t of tokens.splice(0, last)) {
      const nodes = block(t);
      this.#root.append(...nodes);
      this.#done.push({ raw: t.raw, nodes });
      this.#tail = this.#tail.slice(t.raw.length);
    }
  }

  #growFence(token) {
    if (!this.#fence) {
      const nodes = block(token, true);
      this.#swap(nodes);
      this.#fence = nodes[0].querySelector("code").firstChild ?? nodes[0].querySelector("code").appendChild(document.createTextNode(""));
    } else {
      this.#fence.data = token.text;
    }
  }

  #swap(nodes) {
    this.#live.forEach((n) => n.remove());
    this.#live = nodes;
    this.#root.append(...nodes);
  }
}
