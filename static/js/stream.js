/* stream.js - the half of api.js that reads event streams. Loaded with the first message. */
import { call, headers, refusal, unreachable } from "./api.js";

/* Read one event stream to its end. `on` gets (name, data, id) for each event. With a body it is
 * a POST, without one a GET that resumes after `lastId`. Throws ApiError when refused or broken. */
export async function stream(path, { body, key, lastId }, on) {
  const { createParser } = await import("/static/vendor/eventsource-parser-3.1.1/index.js").catch(() => { throw unreachable(); });
  const response = await call(path, {
    method: body ? "POST" : "GET",
    headers: headers({
      Accept: "text/event-stream",
      ...(body ? { "Content-Type": "application/json" } : {}),
      ...(key ? { "Idempotency-Key": key } : {}),
      ...(lastId ? { "Last-Event-ID": String(lastId) } : {}),
    }),
    body: body ? JSON.stringify(body) : undefined,
  });
  if (!response.ok) throw await refusal(response);
  const parser = createParser({ onEvent: (e) => on(e.event ?? "message", JSON.parse(e.data), Number(e.id)) });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await next(reader);
    if (done) return;
    parser.feed(value);
  }
}

async function next(reader) {
  try {
    return await reader.read();
  } catch {
    throw unreachable("The connection broke.");
  }
}
