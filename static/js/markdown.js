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

export function inline(tokens = []) {
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

const languageOf = (token) => (token.lang ?? "").trim().split(/[\s{]/)[0];

/* Colours for `text`, the element that holds the code of `token`. */
export function colour(text, token) {
  const language = languageOf(token);
  if (language) import("./highlight.js").then(({ highlight }) => highlight(text, token.text, language));
}

/* The block's node; `open` while more of it may come, so that colours wait. */
function code(token, open) {
  const language = languageOf(token);
  const text = el("code", {}, token.text);
  const label = el("span", {}, "Copy");
  const wrap = el("button", { class: "icon small", type: "button", "aria-pressed": "false" }, "Wrap");
  const box = el("div", { class: "code" },
    el("div", { class: "code-head" },
      el("span", { class: "lang" }, language || "text"), wrap,
      el("button", { class: "icon small", type: "button", onclick: () => copy(text.textContent, label) }, icon("copy"), label)),
    el("pre", { tabindex: "0", role: "group", "aria-label": language ? `Code, ${language}` : "Code" }, text));
  wrap.addEventListener("click", () => wrap.setAttribute("aria-pressed", String(box.classList.toggle("wrap"))));
  if (!open) colour(text, token);
  return box;
}

function cell(tag, c, align) {
  return el(tag, { "data-align": align, scope: tag === "th" ? "col" : null }, ...inline(c.tokens));
}

export function tableRow(row, align) {
  return el("tr", {}, ...row.map((c, i) => cell("td", c, align[i])));
}

function table(t) {
  return el("div", { class: "table", tabindex: "0", role: "group", "aria-label": "Table" }, el("table", {},
    el("thead", {}, el("tr", {}, ...t.header.map((c, i) => cell("th", c, t.align[i])))),
    el("tbody", {}, ...t.rows.map((row) => tableRow(row, t.align)))));
}

export function listItem(item) {
  return el("li", { class: item.task ? "task" : null }, ...item.tokens.flatMap((k) =>
    k.type === "text" ? inline(k.tokens ?? [k]) : k.type === "checkbox" ? inline([k]) : block(k)));
}

function list(t) {
  return el(t.ordered ? "ol" : "ul", { start: t.ordered && t.start !== 1 ? t.start : null }, ...t.items.map(listItem));
}

/* One block token as a list of nodes; `open` while more of it may come. */
export function block(t, open = false) {
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

/* Blocks stand in groups of this many, so that the layout of a long answer passes over what has not changed a group at a time. */
const GROUP = 32;

/* Put `nodes`, the block with this `index` in the answer, at its end. */
export function place(root, index, nodes) {
  if (!nodes.length) return;
  const group = Math.floor(index / GROUP);
  while (root.childElementCount <= group) root.append(el("div"));
  root.children[group].append(...nodes);
}

/* A whole text at once. */
export function render(root, text) {
  root.replaceChildren();
  lexer(text).forEach((t, i) => place(root, i, block(t)));
}
