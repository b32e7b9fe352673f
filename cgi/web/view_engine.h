/* view_engine.h - what the engine's snapshot says, in the words of a page:
 * health, limits, queue, budgets. Pure; any thread. */
#ifndef WEIR_VIEW_ENGINE_H
#define WEIR_VIEW_ENGINE_H

#include <jansson.h>

#include "base/settings.h"
#include "flow/engine.h"
#include "store/report.h"

/* {tone, word, text, href}: the pill, and where its word is explained. Each function's result is new, the caller's. */
json_t *view_health(const struct snapshot *s);

/* A list of {name, tone, word, note, has_gauges, gauges: [what templates/gauge.mustache takes]}; of the upstream
 * `only`, or of all if it is NULL. */
json_t *view_limits(const struct snapshot *s, const struct settings *settings, const char *only);

/* {running, waiting, oldest, waits, lifetime, promises, has_entries, entries, more}. Entries are the first `max` of
 * `user_id`, or of everybody if NULL, that `chosen` (NULL: all) has nothing against: of a person, session, model, provider
 * or priority; more: how many others of them wait, or false. */
json_t *view_queue(const struct snapshot *s, const char *user_id, const struct report_filter *chosen, size_t max);

/* A list of what templates/gauge.mustache takes, one for each ledger; the line in it is the warn level that comes next, and
 * its tone is the levels' own. Of `user_id` only (as snapshot_budgets_json()), or all if NULL. Each has the
 * budget's id and the key whose ledger it is, a user's has user_id beside it, and that at the end of its name. Times
 * are as the clocks of `z` have them. */
json_t *view_budgets(const struct snapshot *s, const char *user_id, const struct zone *z);

/* How many wait, all priorities together. */
int64_t view_waiting(const struct snapshot *s);

#endif
