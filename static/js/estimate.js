/* estimate.js - before it is sent: what a message will take, cost and wait, asked
 * when the writing pauses. Nothing is sent to a provider for it. */
import { send } from "./api.js";
import { byId } from "./dom.js";
import { about, count, money, percent } from "./format.js";

const PAUSE_MS = 400;

import("./stream.js").catch(() => {});              /* there when what is written is sent */

/* What a message will take: {text, title, warn}. */
function estimated(e) {
  const low = e.cost_low_usd === 0 ? "free" : money(e.cost_low_usd);
  const price = e.cost_high_usd === null || e.cost_high_usd === undefined ? "no price set" : e.cost_high_usd === 0 ? "free" : `${low} – ${money(e.cost_high_usd)}`;
  const begins = e.starts_in_ms >= 500 ? ` · starts in ≈ ${about(e.starts_in_ms)}` : "";
  const window = e.context_window ? ` ${percent(e.prompt_tokens / e.context_window)} of the context window of ${count(e.context_window)}.` : "";
  return {
    text: e.fits ? `≈ ${count(e.prompt_tokens)} tok in · ${price}${begins}` : e.why?.message ?? "This does not fit.",
    title: `About ${count(e.prompt_tokens)} tokens with what came before.${window} The higher amount is for the longest answer of ${count(e.max_completion_tokens)} tokens.`,
    warn: !e.fits || Boolean(e.omitted_messages),
  };
}

export class Estimate {
  #chip = byId("estimate"); #timer = 0; #asked = 0;

  /* body() gives what would be sent, or null; told(e) is given each estimate. */
  constructor(body, told) {
    this.body = body;
    this.told = told;
  }

  /* Something changed. */
  soon() {
    clearTimeout(this.#timer);
    if (!this.body()) { this.#asked++; this.#chip.hidden = true; return; }
    this.#timer = setTimeout(() => this.#ask(), PAUSE_MS);
  }

  async #ask() {
    const mine = ++this.#asked;
    const body = this.body();
    let e;
    if (!body) return;
    try { e = await send("POST", "/chat/estimate", body); } catch { this.#chip.hidden = true; return; }
    if (mine !== this.#asked || !this.body()) return;
    const { text, title, warn } = estimated(e);
    this.#chip.textContent = text;
    this.#chip.title = title;
    this.#chip.classList.toggle("warn", warn);
    this.#chip.hidden = false;
    this.told?.(e);
  }
}
