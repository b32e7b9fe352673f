/* scroll.js - follow the end of a growing conversation, but only while the reader wants to.
 *
 * Pinned: every growth shows the end. Going up in any way lets go at once,
 * before a key's animated scroll begins; coming down to the last 24 px, End, or
 * the button takes hold again. Our own writes are known by their position. */
const NEAR = 24;

export class Pin {
  constructor(box, button) {
    this.box = box;
    this.button = button;
    this.held = true;
    this.at = box.scrollTop;
    box.addEventListener("scroll", () => this.#moved(), { passive: true });
    box.addEventListener("wheel", (e) => { if (e.deltaY < 0) this.#release(); }, { passive: true });
    box.addEventListener("touchmove", () => this.#release(), { passive: true });
    box.addEventListener("keydown", (e) => {
      if (e.key === "PageUp" || e.key === "ArrowUp" || e.key === "Home" || (e.key === " " && e.shiftKey)) this.#release();
      if (e.key === "End") { e.preventDefault(); this.jump(); }
    });
    button.addEventListener("click", () => { this.jump(); box.focus({ preventScroll: true }); });
    const sizes = new ResizeObserver(() => this.grew());
    sizes.observe(box);
    sizes.observe(box.firstElementChild);
  }

  /* The content grew: follow if pinned. */
  grew() {
    if (this.held) this.#toEnd();
    this.#show();
  }

  /* Go to the end and stay there. */
  jump() {
    this.held = true;
    this.#toEnd();
    this.#show();
  }

  #toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
    this.at = this.box.scrollTop;
  }

  #left() { return this.box.scrollHeight - this.box.clientHeight - this.box.scrollTop; }

  #release() {
    if (this.box.scrollHeight <= this.box.clientHeight) return;
    this.held = false;
    this.#show();
  }

  #moved() {
    const top = this.box.scrollTop;
    if (Math.abs(top - this.at) < 1) return;
    if (top < this.at && this.#left() > 1) this.held = false;
    else if (top > this.at && this.#left() <= NEAR) this.held = true;
    this.at = top;
    this.#show();
  }

  #show() { this.button.hidden = this.held || this.#left() <= NEAR; }
}
