/* status.js - the status card under a message that is not finished: one card, one
 * state at a time, with what it means and what may be done. Countdowns run here. */
import { el } from "./dom.js";
import { copy } from "./copy.js";

const LABELS = {
  cancel: "Cancel", retry: "Try again", edit: "Edit message", reload: "Reload page", signin: "Sign in", reconnect: "Reconnect now",
  continue: "Continue", raise: "High priority",
};

export class Status {
  #card; #timer = 0; #act;

  /* The card is put into `slot`; `act(name)` is called for its buttons. */
  constructor(slot, act) {
    this.#card = el("div", { class: "status", hidden: true });
    this.#act = act;
    slot.append(this.#card);
  }

  /* tone: info, warn, err or plain. text: {head, more, todo}, or a function of the ms left until
   * `until` that gives one; it is asked again each second. `ref` is a request id to copy. */
  show({ tone, text, until, actions = [], ref, moving }) {
    clearInterval(this.#timer);
    const head = el("span");
    const more = el("p", { class: "more" });
    const write = () => {
      const t = typeof text === "function" ? text(Math.max(0, until - Date.now())) : text;
      head.textContent = t.head;
      more.textContent = [t.more, t.todo].filter(Boolean).join(" ");
      more.hidden = !more.textContent;
    };
    write();
    if (typeof text === "function") this.#timer = setInterval(write, 1000);
    this.#card.className = `status ${tone}`;
    this.#card.replaceChildren(
      el("p", { class: "head" }, moving ? el("i", { class: "dot", "aria-hidden": "true" }) : null, head), more,
      ...(ref ? [this.#reference(ref)] : []),
      ...(actions.length ? [el("div", { class: "do" }, ...actions.map((a, i) =>
        el("button", { type: "button", class: i === 0 && tone === "err" ? "btn small primary" : "btn small", "data-act": a, onclick: () => this.#act(a) }, LABELS[a])))] : []));
    this.#card.hidden = false;
  }

  /* Change the words of what is shown, nothing else. */
  say(text) {
    const head = this.#card.querySelector(".head span");
    if (head) head.textContent = text;
  }

  clear() {
    clearInterval(this.#timer);
    this.#card.hidden = true;
    this.#card.replaceChildren();
  }

  #reference(id) {
    const label = el("span", {}, "Copy");
    return el("p", { class: "ref" }, "Request ", el("code", {}, id), " ",
      el("button", { type: "button", class: "icon small", onclick: () => copy(id, label) }, label));
  }
}
