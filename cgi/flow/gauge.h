/* gauge.h - limits and budgets as people and programs see them: an upstream's
 * object of GET /monitoring/rate-limits and of the stream's `limits` event, a
 * budget's of a refusal and of the lists of budgets. Pure. */
#ifndef WEIR_GAUGE_H
#define WEIR_GAUGE_H

#include <stdint.h>

#include "base/sb.h"
#include "flow/admit.h"
#include "rules/budget.h"

/* Make the view's moments relative to now, as a snapshot has them: from then on they do not depend on this process's clock. */
void gauge_rebase(struct admit_upstream_view *v, int64_t now_us);
/* {"name","status","dimensions":{…},"stabilization","cooldown","provider_reported","provider_429s_24h",
 * "outlook"}; `v` re-based at `at_ms`.
 * provider_reported: null, or per dimension {"limit","remaining","at","drift"}: what the provider's headers last said and
 * when, and how much more than this Weir sent it has counted in the window now (others use the same key); that part is
 * in the dimension's `used` too. `drift` is null where Weir has no limit of that kind and so counts nothing.
 * outlook: null while too little is known, or {"horizon_ms","requests":{"expected","error"},"tokens":{…},"low":{"requests",
 * "tokens"},"spread_low","low_held"}: what the next quarter of an hour is expected to bring, and how far such predictions were
 * off in the last day as a share of what came, or null. */
void gauge_json(struct sb *out, const struct admit_upstream_view *v, int64_t at_ms);
/* What `reason` alone does not tell of who waits, ,"spread": null, or {"limit","capacity"}: not what is used of the limit
 * holds it, but the pace at which Weir spreads it, so many at a time. */
void gauge_spread_json(struct sb *out, const struct admit_spread *s);
/* "id","scope","window","limit_usd","spent_usd","reserved_usd","resets_at" of a budget, without braces; the three sums only
 * with `sums`; resets_at is null where nothing resets it. */
void gauge_budget_json(struct sb *out, const struct budget_view *v, bool sums);

#endif
