/* growing.js - an answer that grows. What can no longer change is built once and left alone, so that reading, selecting
 * and copying go on in peace, and a piece costs as much at the end of a long answer as at its beginning: whole blocks,
 * and of a block that does not end the parts that are settled. Only the tail after that is read and drawn again. */
import { lexer } from "/static/vendor/marked-18.2.1/marked.esm.js";
import { block, colour, inline, listItem, place, tableRow } from "./markdown.js";

const GROUP = 4096;                   /* characters of code that are laid out together */
const LIVE = 800;                     /* characters at the end of a paragraph in which a mark may still find its other half */

/* `raw` has a whole line, or enough of one, that could not belong to what stands before it any more. */
const follows = (raw) => /\S.*\n|.{12}/.test(raw);

const closed = (raw) => !/^ {0,3}(`{3,}|~{3,})/.test(raw) || /\n {0,3}(`{3,}|~{3,})[ \t]*\n?$/.test(raw);
const firstLines = (raw, n) => raw.split("\n", n).join("\n") + "\n";

/* The blocks that may become long, by the lexer's name for them:
 *   empty     what of a token is replaced for the block as it is with nothing in it
 *   into      where in the block's node its parts belong
 *   parts     a token's parts as nodes
 *   keep      puts the parts that stay there, where that is not at the end
 *   split     what of a token will stay as it is: a token with those parts only, and the length of their source; or null
 *   carry     what must stand before the rest for the lexer to read it as the same block */
const GROWS = {
  list: {
    empty: { items: [] },
    into: (node) => node,
    parts: (t) => t.items.map(listItem),
    split(t) {                        /* two stay: they tell whether there are empty lines between the items */
      const items = t.items.slice(0, follows(t.items.at(-1).raw) ? -2 : -3);
      return items.length ? [{ ...t, items }, items.reduce((sum, item) => sum + item.raw.length, 0)] : null;
    },
    carry: () => "",
  },
  table: {
    empty: { rows: [] },
    into: (node) => node.querySelector("tbody"),
    parts: (t) => t.rows.map((row) => tableRow(row, t.align)),
    split: (t) => (t.rows.length > 1 ? [{ ...t, rows: t.rows.slice(0, -1) }, t.raw.trimEnd().lastIndexOf("\n") + 1] : null),
    carry: (t) => firstLines(t.raw, 2),
  },
  code: {
    empty: { text: "" },
    into: (node) => node.querySelector("code"),
    parts: (t) => [document.createTextNode(t.text)],
    keep(into, nodes) {               /* in groups, as a line is laid out with all that stands in one block with it */
      const last = into.lastElementChild;
      const group = last && last.textContent.length < GROUP ? last : into.appendChild(document.createElement("div"));
      group.append(...nodes);
    },
    split(t) {
      const length = t.raw.lastIndexOf("\n") + 1;
      if (closed(t.raw) || length <= firstLines(t.raw, 1).length) return null;
      return [{ ...t, text: length < t.raw.length ? t.text.slice(0, t.text.lastIndexOf("\n") + 1) : `${t.text}\n` }, length];
    },
    carry: (t) => firstLines(t.raw, 1),
  },
  paragraph: {
    empty: { tokens: [] },
    into: (node) => node,
    parts: (t) => inline(t.tokens).map((n) => (typeof n === "string" ? document.createTextNode(n) : n)),
    split(t) {                        /* before a word, as a word begins nothing but a paragraph */
      if (t.raw.length < 2 * LIVE) return null;
      let length = 0, found = null;
      for (const [i, k] of t.tokens.entries()) {
        const last = k.type === "text" ? [...k.raw.matchAll(/(?<=[\s\u2e80-\uffef])(?=\p{L})/gu)].findLast((word) => length + word.index <= t.raw.length - LIVE) : null;
        if (last) {
          const raw = k.raw.slice(0, last.index);
          found = [{ ...t, tokens: [...t.tokens.slice(0, i), { ...k, raw, text: raw }] }, length + last.index];
        }
        length += k.raw.length;
      }
      return found;
    },
    carry: () => "",
  },
};

export class Growing {
  #root; #text = ""; #tail = ""; #done = []; #live = []; #open = null;

  constructor(root) { this.#root = root; }

  get text() { return this.#text; }

  append(more) {
    this.#text += more;
    this.#tail += more;
    this.#clear();
    let tokens = this.#read();
    let last = tokens.length - 1;
    while (last > 0 && (tokens[last].type === "space" || !follows(tokens[last].raw))) last--;
    for (const t of tokens.splice(0, last)) this.#commit(t);
    if (tokens.length === 1 && this.#settle(tokens[0])) tokens = this.#read();
    this.#draw(tokens);
  }

  /* Everything is here: one full reading, in which only what differs is built again. */
  finish() {
    this.#clear();
    for (const t of this.#read()) this.#commit(t);
    const tokens = lexer(this.#text);
    const links = Object.keys(tokens.links ?? {}).length > 0;
    const old = this.#done;
    let same = 0;
    while (!links && same < old.length && same < tokens.length && old[same].raw === tokens[same].raw) same++;
    for (const [i, o] of old.slice(0, same).entries()) if (o.inParts) this.#mend(o.nodes[0], block(tokens[i])[0]);
    for (const o of old.slice(same)) o.nodes.forEach((n) => n.remove());
    while (this.#root.lastElementChild && !this.#root.lastElementChild.hasChildNodes()) this.#root.lastElementChild.remove();
    tokens.slice(same).forEach((t, i) => place(this.#root, same + i, block(t)));
    this.#done = [];
  }

  /* The tokens of the tail; the first may be the rest of the block that is open. */
  #read() { return lexer((this.#open?.carry ?? "") + this.#tail); }

  #goesOn(t) { return this.#open?.type === t.type; }

  /* Take `length` characters off the tail, as the source of `done`. */
  #take(done, length) {
    done.raw += this.#tail.slice(0, length);
    this.#tail = this.#tail.slice(length);
  }

  /* Build `t`, the first token of the tail, for good. */
  #commit(t) {
    const open = this.#goesOn(t) ? this.#open : this.#add(t, block(t));
    this.#take(open.done, t.raw.length - open.carry.length);
    if (open === this.#open) this.#close(t);
    this.#open = null;
  }

  #add(t, nodes) {
    const done = { raw: "", nodes, inParts: false };
    place(this.#root, this.#done.length, nodes);
    this.#done.push(done);
    return { type: t.type, carry: "", done };
  }

  /* The open block ends with what is left of it in `t`. */
  #close(t) {
    const { into, done } = this.#open;
    if (t.type === "code") {
      const [whole] = lexer(done.raw);
      into.replaceChildren(whole.text);
      colour(into, whole);
    } else {
      into.append(...GROWS[t.type].parts(t));
      done.inParts = true;
    }
  }

  /* Build what of `t`, the only token of the tail, will stay as it is. Tells whether there was any. */
  #settle(t) {
    const kind = GROWS[t.type];
    const [settled, length] = kind?.split(t) ?? [];
    if (!settled) return false;
    if (!this.#goesOn(t)) {
      const nodes = block({ ...t, ...kind.empty }, true);
      this.#open = { ...this.#add(t, nodes), into: kind.into(nodes[0]) };
    }
    const { into } = this.#open, parts = kind.parts(settled);
    if (kind.keep) kind.keep(into, parts);
    else into.append(...parts);
    this.#take(this.#open.done, length - this.#open.carry.length);
    this.#open.carry = kind.carry(t);
    return true;
  }

  /* What was read from it in parts stays if it reads the same as `whole`. */
  #mend(node, whole) {
    node.normalize();
    whole.normalize();
    if (!node.isEqualNode(whole)) node.replaceWith(whole);
  }

  #draw(tokens) {
    tokens.forEach((t, i) => {
      const goesOn = i === 0 && this.#goesOn(t);
      const nodes = goesOn ? GROWS[t.type].parts(t) : block(t, true);
      if (goesOn) this.#open.into.append(...nodes);
      else place(this.#root, this.#done.length + i, nodes);
      this.#live.push(...nodes);
    });
  }

  #clear() {
    for (const n of this.#live) n.remove();
    this.#live = [];
  }
}
