/* run.js - the life of one request, from Send to its one end.
 *
 * Reads the event stream, survives a broken connection by asking for the rest
 * after the last event id, or before the first one by sending the message again
 * under its key, drops what it has seen, and reports exactly one end:
 *   {kind: "done", finish_reason} · {kind: "error", error} · {kind: "refused", error}
 *   (nothing was accepted) · {kind: "aborted"} (taken back before that) ·
 *   {kind: "interrupted"} (the stream ended without its end, and is gone).
 * One's own limit is no end: the message waits here until that is free again. */
import { ApiError, newKey, send, unreachable } from "./api.js";

const stream = (...how) => import("./stream.js").then((m) => m.stream(...how), () => { throw unreachable(); });

const cancel = (id) => send("POST", "/chat/cancel", { request_id: id });
const RECONNECTS = 5;                 /* tries in a row without a new event */
const RESENDS = 2;                    /* of a message that may or may not have arrived: with its key it counts once */

export class Run {
  #abort = new AbortController();
  #lastId = 0;
  #end = null;
  #stopping = false;
  #hurry = null;

  /* `on` has a function for each event name it cares for, and lost(ms), back(), limited(error). */
  constructor(on) {
    this.on = on;
    this.requestId = null;
  }

  /* Send `body` to /chat/stream and read until the end. */
  start(body) {
    const key = newKey();
    return this.#read(() => stream("/chat/stream", { body: { ...body, on_disconnect: "keep" }, key }, this.#take));
  }

  /* Read a request that is under way or has just ended, from its first event. */
  resume(requestId) {
    this.requestId = requestId;
    return this.#read(this.#rest);
  }

  /* Do not wait any longer for the next try. */
  hurry() { this.#hurry?.(); }

  /* Stop it: at the server once it was accepted, here before that. */
  async stop() {
    this.#stopping = true;
    if (!this.requestId) return this.#abort.abort();
    try { await cancel(this.requestId); } catch { this.#abort.abort(); }
  }

  #rest = () => stream(`/chat/stream/${this.requestId}`, { lastId: this.#lastId }, this.#take);

  /* What was taken back before that was known to have arrived is stopped when it is. */
  #take = (name, data, id) => {
    if (this.#abort.signal.aborted) {
      if (name === "accepted") cancel(data.request_id).catch(() => {});
      return;
    }
    if (id && id <= this.#lastId) return;
    if (id) this.#lastId = id;
    if (name === "accepted") this.requestId = data.request_id;
    if (name === "done") this.#end = { kind: "done", ...data };
    else if (name === "error") this.#end = { kind: "error", error: data.error ?? data };
    else this.on[name]?.(data);
  };

  async #read(first) {
    const signal = this.#abort.signal, gone = new Promise((_, no) => signal.addEventListener("abort", no));
    const wait = (ms) => Promise.race([gone, new Promise((go) => { this.#hurry = go; setTimeout(go, ms); })]);
    let read = first;
    for (let tries = 0; ; tries++) {
      const seen = this.#lastId;
      try {
        await Promise.race([read(), gone]);
      } catch (e) {
        if (signal.aborted) return this.requestId ? { kind: "done", finish_reason: "cancelled" } : { kind: "aborted" };
        if (!(e instanceof ApiError)) throw e;
        if (!this.requestId && e.error.code === "rate_limited" && e.error.retry_after_ms > 0) {
          this.on.limited?.(e.error);
          try { await wait(e.error.retry_after_ms); } catch { return { kind: "aborted" }; }
          continue;
        }
        const here = e.error.code === "idempotency_in_progress";      /* it had arrived, and is being answered */
        if (here && e.error.running_request_id) { this.requestId = e.error.running_request_id; read = this.#rest; continue; }
        if (!this.requestId && ((e.status && !here) || tries >= RESENDS)) return { kind: "refused", error: e.error };
        if (e.status === 401) return { kind: "error", error: e.error };
        if (e.status === 404 || e.status === 410) return { kind: "interrupted" };
      }
      if (this.#end) return this.#end;
      if (!this.requestId && tries >= RESENDS) return { kind: "refused", error: { code: "interrupted", message: "The connection ended before the message was taken." } };
      if (this.#stopping) return { kind: "done", finish_reason: "cancelled" };
      if (this.#lastId > seen) tries = 0;
      if (tries >= RECONNECTS) return { kind: "interrupted" };
      const pause = Math.min(8000, 500 * 2 ** tries);
      this.on.lost?.(pause);
      try { await wait(pause); } catch { return { kind: this.requestId ? "interrupted" : "aborted" }; }
      this.on.back?.();
      if (this.requestId) read = this.#rest;
    }
  }
}
