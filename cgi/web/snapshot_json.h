/* snapshot_json.h - the engine's snapshot as JSON of /monitoring: queue, limits,
 * health. Pure; any thread. */
#ifndef WEIR_SNAPSHOT_JSON_H
#define WEIR_SNAPSHOT_JSON_H

#include "base/sb.h"
#include "flow/engine.h"

/* Is this upstream to be shown? One that is out of the configuration is while something still runs there. */
bool snapshot_shows(const struct admit_upstream_view *u);

/* A list of what gauge_json() writes, one for each upstream. */
void snapshot_limits_json(const struct snapshot *s, struct sb *out);

/* {depth: {High, Medium, Low}, running, max_concurrent, oldest_wait_ms} and, unless `entries` is 0, entries: at most so many.
 * `user_id` (NULL: everybody's) narrows depth, oldest wait and entries; `upstreams` are named as in the snapshot. */
void snapshot_queue_json(const struct snapshot *s, const char *user_id, size_t entries, struct sb *out);

/* [{id, scope, window, limit_usd, spent_usd, reserved_usd, resets_at, key, each, left_usd, warned}], one for each ledger.
 * With `user_id` only that user's own budgets: those of everybody say what others spend. */
void snapshot_budgets_json(const struct snapshot *s, const char *user_id, struct sb *out);
/* One of them without its braces. */
void snapshot_budget_json(const struct budget_view *v, struct sb *out);
/* A warn level in millionths as a share with as many decimals as it has; null for 0. */
void snapshot_level_json(int32_t ppm, struct sb *out);

/* {status, text}: "healthy" "warning" "limited" "stabilizing" "down", and a sentence. */
void snapshot_health_json(const struct snapshot *s, struct sb *out);

/* May this user see the ledger? Everybody's if user_id is NULL, else only those kept for the user. */
bool snapshot_budget_is_of(const struct snapshot_budget *b, const char *user_id);

#endif
