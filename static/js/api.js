/* api.js - the one module that talks to Weir's interface, with stream.js for event streams. Paths and shapes are those of the
 * HTTP interface; every refusal becomes an ApiError that carries its error object. */
import { boot } from "./boot.js";

export class ApiError extends Error {
  constructor(status, error) {
    super(error.message ?? `HTTP ${status}`);
    this.status = status;
    this.error = error;
  }
}

export async function refusal(response) {
  let error = null;
  try { error = (await response.json()).error; } catch { /* not ours: a proxy's page */ }
  return new ApiError(response.status, error ?? {
    type: response.status === 401 ? "authentication_error" : "unavailable",
    code: response.status === 401 ? "invalid_token" : "unavailable",
    message: `The server answered ${response.status}.`,
  });
}

/* Nobody answered, or not to the end. */
export const unreachable = (message = "Weir could not be reached.", status = 0) => new ApiError(status, { type: "network", code: "network", message });

export async function call(path, options) {
  try {
    return await fetch(path, { credentials: "same-origin", cache: "no-store", redirect: "error", ...options });
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw unreachable();
  }
}

/* The session's secret against forgery: the page's, until a sign-in on it gave another. */
let csrf = boot.csrf_token ?? "";
export const headers = (more = {}) => ({ "X-CSRF-Token": csrf, ...more });

/* GET as JSON. */
export async function get(path, { signal } = {}) {
  const response = await call(path, { headers: { Accept: "application/json" }, signal });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

/* POST, PATCH or DELETE with a JSON body; gives the answer's JSON, or null without one. */
export async function send(method, path, body, { keepalive = false } = {}) {
  const response = await call(path, {
    method, keepalive,
    headers: headers(body === undefined ? {} : { "Content-Type": "application/json" }),
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw await refusal(response);
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  csrf = answer?.csrf_token ?? csrf;
  return answer;
}

/* GET that costs a 304 when nothing changed: gives null then. `memo` keeps the tag between calls. */
export async function changed(path, memo, { signal } = {}) {
  const response = await call(path, { headers: memo.etag ? { "If-None-Match": memo.etag } : {}, signal });
  if (response.status === 304) return null;
  if (!response.ok) throw await refusal(response);
  memo.etag = response.headers.get("ETag") ?? "";
  return response.json();
}

/* 128 random bits; crypto.randomUUID does not exist on plain http. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
