/* view.h - figures as people read them: what pages are filled with.
 *
 * A figure is a double, NAN where it is not known: that is shown as "—", never
 * as 0. static/js/format.js writes the same forms for what changes on the page.
 * Everything given back is a new JSON value, the caller's. Pure; any thread. */
#ifndef WEIR_VIEW_H
#define WEIR_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "rules/gate.h"
#include "store/zone.h"

/* The number at `key`; NAN if it is absent, null or no number, or obj is NULL. */
double view_number(const json_t *obj, const char *key);

json_t *view_count(double n);            /* 33,100 */
json_t *view_money(double usd);          /* $0.000175 below a cent, $0.1795 below a dollar, $12.40 */
json_t *view_span(double ms);            /* 0.42 s, 1.8 s, 14 s, 3 min 20 s, 2 h 5 min */
json_t *view_ratio(double n);            /* 4.1 */
json_t *view_percent(double share);      /* 0.4 %, 91 % */
/* A change in whole percent: "+12 % on the day before", "as in the day before" or "nothing in the day before". */
json_t *view_change(double now, double before, const char *period);
/* An SVG length, 0 to 100 %. */
json_t *view_length(double share);
/* "ok" below 0.8, "warn" below 0.95, else "err". */
const char *view_level(double share);

/* A message's or record's cost object: money, "free", or "—" without a price. */
json_t *view_cost(const json_t *cost);

/* Parts of an RFC 3339 time in UTC; "—" if `at` is no such string. */
enum view_time {
    VIEW_CLOCK,          /* 14:02 */
    VIEW_SECONDS,        /* 14:02:31 */
    VIEW_DAY,            /* 2026-11-22 */
    VIEW_MINUTE,         /* 2026-11-22 14:02 */
    VIEW_SHORT           /* 11-22 14:02:31 */
};
json_t *view_time(const json_t *at, enum view_time how);
/* The same of a moment, as the clocks of a zone have it. */
json_t *view_moment(const struct zone *z, int64_t utc_ms, enum view_time how);

/* The line under an answer as a list of {label, value, meaning, long, dot}; `m` has usage, cost and metrics. NULL if it
 * has no usage. */
json_t *view_metrics(const json_t *m);

/* "Requests per minute" and so on; what a request that is held there waits for. */
const char *view_dim_label(enum dim d);
const char *view_gate_label(enum gate g);

/* printf into a new JSON string; at most 500 bytes. */
json_t *view_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
