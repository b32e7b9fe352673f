/* status.js - the status card under a message that is not finished: one card, one
 * state at a time, with what it means and what may be done. Countdowns run here. */
import { el } from "./dom.js";
import { copy } from "./copy.js";

const LABELS = {
  cancel: "Cancel", retry: "Try again", edit: "Edit message", reload: "Reload page", signin: "Sign in", reconnect: "Reconnect now",
  continue: "Continue", raise: "High priority", now: "Try now", details: "Copy details",
};

addEventListener("resize", () => { for (const line of document.querySelectorAll(".status p")) line.style.minHeight = ""; });

export class Status {
  #card; #timer = 0; #act; #head = el("p", { class: "head" }); #words = el("span"); #more = el("p", { class: "more" }); #shown = ""; #wide = 0;

  /* The card is put into `slot`; `act(name)` is called for its buttons. */
  constructor(slot, act) {
    this.#card = el("div", { class: "status", hidden: true });
    this.#act = act;
    slot.append(this.#card);
  }

  /* tone: info, warn, err or plain. text: {head, more, todo}, or a function of the ms left until
   * `until` that gives one; it is asked again each second. An action is a name, or {act, label}, or {href, label}.
   * `ref` is a request id, shown and copied with the details. */
  show({ tone, text, until, actions = [], ref, moving }) {
    const write = () => {
      const t = typeof text === "function" ? text(Math.max(0, until - Date.now())) : text;
      this.say(t.head);
      this.#more.textContent = [t.more, t.todo].filter(Boolean).join(" ");
      this.#more.hidden = !this.#more.textContent;
      this.#keep();
    };
    clearInterval(this.#timer);
    if (typeof text === "function") this.#timer = setInterval(write, 1000);
    if (!this.#card.classList.contains(tone)) this.#wide = 0;
    const shown = JSON.stringify([tone, actions, ref, moving]);
    if (shown !== this.#shown) {                       /* else its buttons stay under the hand that is on them */
      const focused = document.activeElement.dataset.act;
      this.#shown = shown;
      this.#card.className = `status ${tone}`;
      this.#head.replaceChildren(moving ? el("i", { class: "dot", "aria-hidden": "true" }) : "", this.#words);
      this.#card.replaceChildren(this.#head, this.#more,
        ...(ref ? [el("p", { class: "ref" }, "Request ", el("code", {}, ref))] : []),
        ...(actions.length ? [el("div", { class: "do" }, ...actions.map((a, i) => this.#button(a, i === 0 && tone === "err" ? "btn small primary" : "btn small")),
          ref ? this.#details(ref) : null)] : []));
      if (focused) this.#card.querySelector(`[data-act="${focused}"]`)?.focus();
    }
    this.#card.hidden = false;
    write();
  }

  /* Its lines stay as high as they were: a figure that loses a digit moves nothing. */
  #keep() {
    const wide = this.#card.clientWidth;
    for (const line of [this.#head, this.#more]) {
      if (wide !== this.#wide) line.style.minHeight = "";
      line.style.minHeight = `${line.offsetHeight}px`;
    }
    this.#wide = wide;
  }

  /* Change the words of what is shown, nothing else. */
  say(text) { this.#words.textContent = text; }

  clear() {
    clearInterval(this.#timer);
    this.#card.hidden = true;
    this.#card.replaceChildren();
    this.#shown = "";
  }

  #button(action, look) {
    const { act, label = LABELS[act], href } = typeof action === "string" ? { act: action } : action;
    return href ? el("a", { class: look, href }, label)
      : el("button", { type: "button", class: look, "data-act": act, onclick: () => this.#act(act) }, label);
  }

  /* What somebody who helps wants to know. */
  #details(id) {
    const label = el("span", {}, LABELS.details);
    const words = () => [...this.#card.querySelectorAll(".head span, .more")].map((n) => n.textContent).filter(Boolean);
    return el("button", { type: "button", class: "btn small", onclick: () => copy([...words(), `Request ${id}`, new Date().toISOString()].join("\n"), label) }, label);
  }
}
