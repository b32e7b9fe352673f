/* composer.js - where a message is written: the growing box, its draft, model and
 * priority, and the one button that sends or stops.
 *
 * A draft is kept per conversation 300 ms after the last key and is cleared only
 * when the server has accepted the message. What is sent while an answer is
 * written is held, and goes out when that has ended well. */
import { boot } from "./boot.js";
import { byId, part } from "./dom.js";
import { isSend, touch } from "./keys.js";
import { recall, remember } from "./prefs.js";
import { say } from "./announce.js";

export class Composer {
  #timer = 0; #unsent = false; #next = ""; #parent = ""; #hint = "";

  /* onSend(text, {model, priority, parent}), onStop(), onChange() whenever text or choices are others, onHold() whenever
   * a message is held, or no longer. */
  constructor(session, { onSend, onStop, onChange, onHold }) {
    this.onChange = onChange;
    this.onHold = onHold;
    this.session = session;
    this.box = byId("text");
    this.button = byId("send");
    this.model = byId("model");
    this.priority = byId("priority");
    this.onSend = onSend;
    this.onStop = onStop;
    this.busy = false;
    if (recall("sendkey") === "ctrl") byId("hint").textContent = "Ctrl or ⌘ with Enter sends.";
    this.#hint = byId("hint").textContent;
    this.now = false;
    this.#choose(this.model, "model");
    this.#choose(this.priority, "priority");
    this.priority.addEventListener("change", () => this.#explain());
    this.#explain();
    this.box.value ||= recall(this.#key());
    this.#fit();
    this.box.addEventListener("input", () => this.#typed());
    this.box.addEventListener("keydown", (e) => this.#key_down(e));
    byId("edit-cancel").addEventListener("click", () => { this.edit("", ""); this.box.focus(); });
    byId("next-now").addEventListener("click", () => { this.now = true; this.onStop(); });
    byId("next-edit").addEventListener("click", () => this.restore(this.takeNext()));
    byId("next-remove").addEventListener("click", () => { this.takeNext(); this.box.focus(); });
    byId("composer").addEventListener("submit", (e) => { e.preventDefault(); this.press(); });
    addEventListener("storage", (e) => this.#elsewhere(e));
    addEventListener("pagehide", () => this.#save());
    this.#show();
  }

  /* Put `text` into the box, before what may stand there. */
  restore(text) {
    if (!text) return;
    this.#put(this.box.value ? `${text}\n\n${this.box.value}` : text);
    this.box.focus();
  }

  /* Write another version of a message that hangs on `parent`; with "" no longer. */
  edit(text, parent) {
    this.#parent = parent;
    byId("editing").hidden = !parent;
    this.#put(text);
    if (parent) this.box.focus();
  }

  get parent() { return this.#parent; }

  /* Is anything held to be sent next? `now` says that it goes out also after an answer that was stopped for it. */
  get holds() { return this.#next !== ""; }

  /* A higher priority could be had for what is sent. */
  get mayRaise() { return this.priority.value !== "High" && !this.priority.querySelector('[value="High"]').disabled; }

  /* What waits to be sent next, "" if nothing; it is the caller's from here on. */
  takeNext() {
    const text = this.#next;
    this.#hold("");
    return text;
  }

  /* The message was accepted: its draft may go. `session` is where the conversation now lives. */
  accepted(session) {
    clearTimeout(this.#timer);
    this.#unsent = false;
    remember(this.#key(), null);
    this.session = session;
    this.#save();
  }

  setBusy(busy) {
    this.busy = busy;
    this.#show();
  }

  /* While Weir cannot be reached, writing goes on and nothing is sent. */
  setOffline(offline) {
    this.offline = offline;
    this.#show();
  }

  modelName() { return this.model.selectedOptions[0]?.dataset.name ?? this.model.value; }

  #key() { return `draft.${this.session || `new.${boot.user?.user_id}`}`; }

  /* A choice is remembered, and taken back if it is still offered. */
  #choose(select, name) {
    const before = recall(name);
    if (before && [...select.options].some((o) => o.value === before && !o.disabled)) select.value = before;
    select.addEventListener("change", () => { remember(name, select.value); this.onChange(); });
  }

  /* What High means, while it is chosen. */
  #explain() {
    const high = this.priority.value === "High";
    byId("hint").textContent = high ? "High goes first and may use the 15 % of each limit that is kept in reserve." : this.#hint;
    byId("hint").classList.toggle("told", high);
  }

  /* Send what stands in the box, or stop what is written. */
  press() {
    if (this.busy) return this.#holding ? this.#later(this.box.value.trim()) : this.onStop();
    const text = this.box.value.trim();
    if (!text || this.offline) return this.box.focus();
    this.#save();
    this.#unsent = true;
    if (!touch.matches) this.box.focus();
    const parent = this.#parent;
    this.edit("", "");
    this.onSend(text, { model: this.model.value, priority: this.priority.value, parent });
  }

  #key_down(e) {
    if (e.key === "Escape" && this.busy && !e.shiftKey) return this.onStop();
    if (!isSend(e, recall("sendkey"))) return undefined;
    e.preventDefault();
    if (this.busy) return this.#parent ? undefined : this.#later(this.box.value.trim());
    return this.press();
  }

  #later(text) {
    if (!text) return;
    this.#save();
    this.#unsent = true;
    this.#hold(this.#next ? `${this.#next}\n\n${text}` : text);
    this.edit("", "");
    say("Held until the answer has ended");
  }

  #hold(text) {
    this.#next = text;
    this.now = false;
    part(byId("next"), "text").textContent = text;
    byId("next").hidden = !text;
    this.onHold();
  }

  /* As if it had been typed, also for whoever else listens. */
  #put(text) {
    this.box.value = text;
    this.box.dispatchEvent(new Event("input"));
  }

  #typed() {
    this.#fit();
    this.#show();
    this.onChange();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), 300);
  }

  /* An empty box takes nothing away from a message that is on its way or was refused. */
  #save() {
    if (this.box.value || !this.#unsent) remember(this.#key(), this.box.value);
  }

  /* Another tab wrote in the same conversation; never under the hands of whoever types here. */
  #elsewhere(e) {
    if (e.key !== `weir.${this.#key()}` || document.activeElement === this.box) return;
    this.box.value = e.newValue ?? "";
    this.#fit();
    this.#show();
  }

  /* As high as its text; what is above stands still meanwhile, or it would seem to be scrolled. */
  #fit() {
    const around = this.box.parentElement;
    around.style.minHeight = `${around.offsetHeight}px`;
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight, 260)}px`;
    around.style.minHeight = "";
  }

  /* On a touch keyboard, where Enter is a new line, the button holds what was written meanwhile. */
  get #holding() { return touch.matches && !this.#parent && this.box.value.trim() !== ""; }

  #show() {
    const stops = this.busy && !this.#holding;
    this.button.classList.toggle("primary", !stops);
    this.button.disabled = !this.busy && (this.offline || this.box.value.trim() === "");
    this.button.dataset.state = stops ? "stop" : "send";
    byId("send-label").textContent = stops ? "Stop" : this.busy ? "Send next" : "Send";
  }
}
