/* turn.js - one exchange on the page: the person's message, the answer as it comes,
 * and the status card between them. Takes the events of a Run; draws at most
 * once a frame, once a second while the page is hidden. */
import { clone, el, part } from "./dom.js";
import { copy } from "./copy.js";
import { render } from "./markdown.js";
import { Status } from "./status.js";
import { boot } from "./boot.js";
import { FINISH, budget, failure, limited, mail, queued, retrying, switched } from "./texts.js";
import { clock, cost, count, speed, when } from "./format.js";
import { alert, say, sayPlace } from "./announce.js";

/* The buttons that copy: the source, and of an answer what it reads as. */
const copyFrom = (node, text) => {
  part(node, "copy").addEventListener("click", () => copy(text(), part(node, "copy-label")));
  part(node, "copy-plain")?.addEventListener("click", () => copy(part(node, "body").innerText, part(node, "plain-label")));
};

/* A long message of one's own, a quoted file in it, shows its beginning until one asks for all. */
const LONG = /^[^]{3000}|^(.*\n){24}/;
function fold(own, text) {
  const body = part(own, "body"), whole = part(own, "whole");
  whole.hidden = !body.classList.toggle("folded", LONG.test(text));
  whole.addEventListener("click", () => { whole.textContent = body.classList.toggle("folded") ? "Show all" : "Show less"; });
}

/* Give life to a message that came with the page: Markdown, copy. */
export function adopt(article) {
  const body = part(article, "body");
  const text = body.textContent;
  if (article.classList.contains("assistant") && text) {
    body.classList.remove("raw");
    render(body, text);
  } else if (!article.classList.contains("assistant")) fold(article, text);
  for (const time of article.querySelectorAll("time[datetime]")) time.textContent = when(time.dateTime);
  copyFrom(article, () => text);
}

export class Turn {
  #act; #answer; #body; #status; #grow = null; #grew; #reasoning = null; #waits = null; #failure = null; #other = null;
  #buffer = ""; #thoughts = ""; #frame = 0; #started = 0; #chars = 0; #heard = 0; #retrying = false;

  /* `where` takes the nodes; act(name) answers the card's buttons; grew() is told of every growth;
   * with `raise` the card of a waiting message offers a higher priority. */
  constructor(where, text, model, { act, grew, raise }) {
    this.raise = raise;
    this.#grew = grew;
    this.#act = act;
    this.text = text;
    this.node = el("div", { class: "turn" });
    if (text) this.node.append(this.#own(text));
    this.#answer = clone("t-answer");
    this.#body = part(this.#answer, "body");
    this.#body.classList.remove("raw");
    /* what comes before it is loaded is drawn then; the end waits for it */
    this.ready = import("./growing.js").then(({ Growing }) => new Growing(this.#body), () => this.#plain()).then((grow) => { this.#grow = grow; this.#draw(); });
    part(this.#answer, "who").textContent = model;
    part(this.#answer, "at").textContent = clock(new Date(), false);
    copyFrom(this.#answer, () => this.answerText);
    part(this.#answer, "acts").hidden = true;
    for (const name of ["again", "explain"]) part(this.#answer, name).hidden = true;
    this.#answer.hidden = true;
    this.node.append(this.#answer);
    this.#status = new Status(this.node, act);
    where.append(this.node);
    this.#card({ tone: "plain", text: { head: "Sending…" }, moving: true, actions: ["cancel"] });
  }

  get answerText() { return this.#grow?.text ?? ""; }

  /* `items` are the newest messages of the conversation as the server keeps them: ids and versions for those of this turn, by mark() of branch.js. */
  settle(items, request, mark) {
    const answer = items.find((m) => m.role === "assistant" && m.request_id === request);
    const question = items.find((m) => m.role === "user" && (m.message_id === answer?.parent_id || m.request_id === request));
    const own = this.node.querySelector(".msg.user");
    if (answer) mark(this.#answer, answer);
    if (question && own) mark(own, question);
    for (const name of ["again", "explain"]) part(this.#answer, name).hidden = !answer;
  }

  /* Its letters as they come, where what draws Markdown could not be loaded. */
  #plain() {
    const body = this.#body;
    body.classList.add("raw");
    body.before(el("p", { class: "muted small" }, "Shown as plain text: a part of this page could not be loaded."));
    return { text: "", append(more) { this.text += more; body.append(more); }, finish() {} };
  }

  #own(text) {
    const own = clone("t-user");
    part(own, "body").textContent = text;
    part(own, "at").textContent = clock(new Date(), false);
    own.classList.add("sending");
    copyFrom(own, () => text);
    fold(own, text);
    return own;
  }

  #card(state) {
    this.#status.show(state);
    this.#grew();
  }

  /* --- events of the run --- */

  accepted() {
    this.node.querySelector(".sending")?.classList.remove("sending");
    this.#card({ tone: "plain", text: { head: "Sent" }, moving: true });
  }

  queue(q) {
    if (q.reason === "backoff" && this.#retrying) return;        /* the retry card says more */
    this.#retrying = false;
    if (q.reason === "pacing" && (q.eta_ms ?? 0) < 1000) return;
    const until = q.eta_ms === null || q.eta_ms === undefined ? null : Date.now() + q.eta_ms;
    this.#waits = { tone: "info", until, moving: true, actions: this.raise ? ["cancel", "raise"] : ["cancel"],
      text: until === null ? queued(q) : (left) => queued({ ...q, eta_ms: left }) };
    this.#wait();
    if (q.reason !== "pacing") sayPlace(q.position, queued(q).head);
  }

  retry(r) {
    const until = Date.now() + r.delay_ms;
    this.#retrying = true;
    this.#waits = { tone: "warn", until, actions: r.status === 429 ? ["cancel"] : ["now", "cancel"], text: (left) => retrying(r, left) };
    this.#wait();
    sayPlace(0);
    say(retrying(r, r.delay_ms).head);
  }

  /* A limit of the person's own holds it; nothing was taken yet. */
  limited(error) {
    this.#card({ tone: "warn", until: Date.now() + error.retry_after_ms, actions: ["cancel"], text: (left) => limited(error, left) });
    say(limited(error, error.retry_after_ms).head);
  }

  /* The card of what it waits for, with another model if one would begin sooner. */
  #wait() {
    const { actions, until } = this.#waits;
    const left = until === null ? undefined : until - Date.now();
    const sooner = this.#other && (left === undefined || left > this.#other.ms + 2000);
    this.#card({ ...this.#waits, actions: sooner ? [...actions, { act: "switch", label: switched(this.#other, left) }] : actions });
  }

  /* `model` ({id, name, ms}) may be had for this message in place of the one it was sent to. */
  offer(model) {
    this.#other = model;
    if (this.#failure) this.#refuse();
    else if (this.#waits) this.#wait();
  }

  get other() { return this.#other; }

  /* It is asked for again now. */
  hurried() { this.#card({ tone: "warn", text: { head: "Trying again…", more: "Your message is safe." }, moving: true, actions: ["cancel"] }); }

  start(s) {
    this.#retrying = false;
    this.#waits = null;
    if (s.model) part(this.#answer, "who").textContent = s.model;
    this.#card({ tone: "plain", text: { head: "Waiting for the first word…" }, moving: true });
    sayPlace(0);
    say("Answer started");
  }

  delta(d) {
    if (!this.#started) {
      this.#started = performance.now();
      this.#answer.hidden = false;
      this.#answer.classList.add("writing");
    }
    this.#buffer += d.text ?? "";
    this.#thoughts += d.reasoning ?? "";
    if (this.#frame) return;
    this.#frame = document.hidden ? setTimeout(() => this.#draw(), 1000) : requestAnimationFrame(() => this.#draw());
  }

  usage(u) { this.numbers = u; }

  lost(ms) {
    const until = Date.now() + ms;
    this.#card({ tone: "warn", until, actions: ["reconnect"], text: (left) => ({ head: `Connection lost. Reconnecting in ${Math.ceil(left / 1000)} s…`, more: "What arrived is kept." }) });
    say("Connection lost, reconnecting");
  }

  back() { this.#card({ tone: "plain", text: { head: "Reconnecting…" }, moving: true }); }

  /* The one end of the run. Nothing is drawn after this. */
  end(end) {
    sayPlace(0);
    this.#draw();
    this.#grow?.finish();
    this.node.querySelector(".sending")?.classList.remove("sending");
    const kept = this.answerText !== "";
    this.#answer.classList.remove("writing");
    this.#answer.hidden = !kept;
    part(this.#answer, "acts").hidden = !kept;
    if (end.kind === "done") this.#finished(end);
    else this.#failed(end);
    if (end.kind === "done" || this.numbers || end.error?.usage) {
      const numbers = this.numbers ?? (end.usage ? end : end.error);
      if (numbers?.usage && kept) this.#figures(numbers);
    }
    this.#grew();
  }

  /* Without a connection there are none until the page is loaded again. */
  #figures(numbers) {
    import("./metrics.js").then(({ showMetrics }) => {
      showMetrics(part(this.#answer, "metrics"), numbers);
      this.#grew();
    }, () => {});
  }

  #finished(end) {
    this.#status.clear();
    const stopped = FINISH[end.finish_reason];
    if (stopped && !this.answerText) {
      this.#status.show({ tone: "plain", text: { head: `${stopped} before an answer came.` } });
    } else if (stopped) {
      const at = end.finish_reason === "length" && this.numbers ? ` (${count(this.numbers.usage.completion_tokens)})` : "";
      const charged = end.finish_reason === "cancelled" && this.numbers?.cost?.priced && this.numbers.cost.total_usd
        ? ` · ${cost(this.numbers.cost)} charged for ${count(this.numbers.usage.completion_tokens)} tokens${this.numbers.usage.estimated ? " (estimated)" : ""}` : "";
      const chip = part(this.#answer, "chip");
      chip.replaceChildren(el("span", { class: end.finish_reason === "content_filter" ? "pill warn" : "pill" }, stopped + at + charged),
        ...(["cancelled", "length"].includes(end.finish_reason) ? [" ", el("button", { type: "button", class: "btn small", onclick: () => this.#act("continue") }, "Continue")] : []));
      chip.hidden = false;
    }
    say(stopped ?? "Answer finished");
  }

  #failed(end) {
    const error = end.kind === "interrupted" ? { code: "interrupted" } : end.error;
    if (end.kind === "aborted") {
      this.node.remove();
      return;
    }
    this.#waits = null;
    this.#failure = error;
    this.#refuse();
    const { head, todo } = failure(error);
    alert(`${head} ${todo}`);
  }

  /* The card of what went wrong, with another model once one is known, and whom to ask for money. */
  #refuse() {
    const error = this.#failure, { head, todo, actions } = failure(error);
    const poor = error.code === "budget_exceeded" && error.budget;
    const sentence = error.message && error.message !== head && error.code !== "network" ? error.message : "";
    this.#status.show({ tone: "err", ref: error.request_id, until: poor?.resets_at ? Date.parse(poor.resets_at) : null,
      actions: [...(this.#other ? [{ act: "switch", label: switched(this.#other) }] : []), ...actions,
        ...(poor && boot.contact ? [{ href: mail(boot.contact, error), label: "Ask the administrator" }] : [])],
      text: poor ? () => ({ head, more: budget(poor), todo }) : { head, more: sentence, todo } });
  }

  #draw() {
    if (document.hidden) clearTimeout(this.#frame); else cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#thoughts) this.#think();
    if (!this.#buffer || !this.#grow) return;
    this.#chars += this.#buffer.length;
    this.#grow.append(this.#buffer);
    this.#buffer = "";
    this.#live();
    this.#grew();
  }

  /* "Writing · ≈ 71 tok/s · ≈ 188 tok": a guess from the letters until the real numbers come. */
  #live() {
    const tokens = Math.round(this.#chars / 4);
    const seconds = (performance.now() - this.#started) / 1000;
    const rate = seconds > 0.5 ? ` · ≈ ${speed(tokens / seconds)} tok/s` : "";
    const line = `Writing${rate} · ≈ ${count(tokens)} tok`;
    if (!this.#heard) this.#status.show({ tone: "plain", text: { head: line }, moving: true });
    else this.#status.say(line);
    if (!this.#heard || performance.now() - this.#heard > 8000) {
      if (this.#heard) say("Still writing");
      this.#heard = performance.now();
    }
  }

  /* A block for each line, so that of a long thought a piece lays out the last line only. */
  #think() {
    if (!this.#reasoning) {
      this.#reasoning = el("div");
      this.#body.before(el("details", { class: "thinking" }, el("summary", {}, "Thinking"), this.#reasoning));
    }
    for (const line of this.#thoughts.split(/(?<=\n)/)) {
      if (this.#reasoning.lastChild?.textContent.endsWith("\n") ?? true) this.#reasoning.append(el("div"));
      this.#reasoning.lastChild.append(line);
    }
    this.#thoughts = "";
    this.#grew();
  }
}
