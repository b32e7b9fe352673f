/* reach.js - whether Weir can be reached: the browser's own word, and three
 * refreshes in a row that did not come. Says so in a bar; writing goes on. */
import { byId, part } from "./dom.js";
import { alert, say } from "./announce.js";

const MISSES = 3;

export class Reach {
  #bar = byId("reach"); #missed = 0;

  /* changed(reachable) on each change; retry() asks again. */
  constructor({ changed, retry }) {
    this.changed = changed;
    this.reachable = true;
    addEventListener("offline", () => this.#set(false));
    addEventListener("online", retry);
    byId("reach-retry").addEventListener("click", retry);
    if (!navigator.onLine) this.#set(false);
  }

  /* A refresh came, or did not. */
  came() { this.#missed = 0; this.#set(navigator.onLine); }
  missed() { if (++this.#missed >= MISSES) this.#set(false); }

  #set(reachable) {
    if (reachable === this.reachable) return;
    this.reachable = reachable;
    part(this.#bar, "text").textContent = navigator.onLine ? "Weir cannot be reached. Drafts are saved on this device." : "You are offline. Drafts are saved on this device.";
    this.#bar.hidden = reachable;
    if (reachable) say("Connected again");
    else alert(part(this.#bar, "text").textContent);
    this.changed(reachable);
  }
}
