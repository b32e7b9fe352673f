/* status.js - the status card under a message that is not finished: one card, one
 * state at a time, with what it means and what may be done. Countdowns run here. */
import { el } from "./dom.js";
import { copy } from "./copy.js";

const LABELS = {
  cancel: "Cancel", retry: "Try again", edit: "Edit message", reload: "Reload page", signin: "Sign in", reconnect: "Reconnect now",
  continue: "Continue", raise: "High priority", now: "Try now", details: "Copy details",
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
   * `until` that gives one; it is asked again each second. An action is a name, or {act, label}, or {href, label}.
   * `ref` is a request id, shown and copied with the details. */
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
      ...(ref ? [el("p", { class: "ref" }, "Request ", el("code", {}, ref))] : []),
      ...(actions.length ? [el("div", { class: "do" }, ...actions.map((a, i) => this.#button(a, i === 0 && tone === "err" ? "btn small primary" : "btn small")),
        ref ? this.#details(ref) : null)] : []));
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
