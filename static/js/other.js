/* other.js - another model for a message that waits long or was refused: the one that
 * would start soonest of those it fits, the built-in ones apart, which stand for none. Asked by estimates; loaded
 * when it is needed. */
import { send } from "./api.js";

const MOST_ASKED = 5;

/* The first model of each other provider, then the rest: those of one provider share its limits. */
function candidates(options, model) {
  const there = options.filter((o) => !o.disabled && o.value !== model && o.dataset.upstream !== "builtin");
  const known = new Set([options.find((o) => o.value === model)?.dataset.upstream]);
  const first = there.filter((o) => !known.has(o.dataset.upstream) && known.add(o.dataset.upstream));
  return [...new Set([...first, ...there])].slice(0, MOST_ASKED);
}

/* `body` is what was sent, `options` are those of the model box. `wanted(estimate)` says whether a model will do.
 * Gives {id, name, ms} or null; ms is 0 where it would start at once. */
export async function otherModel(body, options, wanted) {
  const found = await Promise.all(candidates([...options], body.model).map(async (o) => {
    try {
      const e = await send("POST", "/chat/estimate", { ...body, model: o.value });
      return e.fits && e.starts_in_ms !== null && wanted(e) ? { id: o.value, name: o.dataset.name, ms: e.starts_in_ms } : null;
    } catch { return null; }
  }));
  return found.filter(Boolean).sort((a, b) => a.ms - b.ms)[0] ?? null;
}
