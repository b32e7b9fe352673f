/* live.js - the small snapshot a page refreshes itself from. An unchanged one
 * costs a 304; nothing is asked while the page is hidden, or held still by who made it. */
import { changed } from "./api.js";

export class Live {
  #memo = {}; #timer = 0; #every; #misses = 0;

  /* take(snapshot) for each new one, take(null) when it is as before; failed(misses, error) after each that did not come.
   * While held() nothing is asked. */
  constructor(every_ms, { take, failed, held = () => false }) {
    this.#every = every_ms;
    this.take = take;
    this.failed = failed;
    this.held = held;
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.now(); });
    this.now();
  }

  /* Ask now, and begin the pause anew. */
  async now() {
    clearTimeout(this.#timer);
    try {
      const snapshot = await changed("/monitoring/live", this.#memo);
      this.#misses = 0;
      this.take(snapshot);
    } catch (x) {
      this.failed?.(++this.#misses, x);
    }
    this.#later();
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (document.hidden) return;
      if (this.held()) this.#later();
      else this.now();
    }, this.#every * (0.9 + Math.random() * 0.2));
  }
}
