/* estimate.js - before it is sent: what a message will take, cost and wait, asked
 * when the writing pauses. Nothing is sent to a provider for it. */
import { send } from "./api.js";
import { byId } from "./dom.js";
import { estimated } from "./texts.js";

const PAUSE_MS = 400;

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
