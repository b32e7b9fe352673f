/* report.h - the figures of /monitoring, each defined once, as JSON.
 *
 * Sums come from the 15-minute roll-ups (by minute: from the minute ones); the
 * part of a quarter hour that a range cuts off is added from the events, so a
 * report equals the sum of the events in [from, to) exactly. Read-only
 * connection; JSON goes to `out` only on OK. What the engine knows (queue,
 * limits) is added by the caller. */
#ifndef WEIR_REPORT_H
#define WEIR_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "store/db.h"
#include "store/usage.h"
#include "store/zone.h"

enum granularity { GRANULARITY_AUTO, GRANULARITY_MINUTE, GRANULARITY_HOUR, GRANULARITY_DAY, GRANULARITY_WEEK, GRANULARITY_MONTH };
enum report_metric { REPORT_REQUESTS, REPORT_TOKENS, REPORT_COST, REPORT_METRICS };
const char *report_metric_name(enum report_metric m);      /* "requests" "tokens" "cost_usd" */
bool report_metric_parse(const char *s, enum report_metric *out);

/* What a history is put in the order of. */
enum report_sort { SORT_AT, SORT_TOKENS, SORT_COST, SORT_FIRST_TOKEN, SORT_TOTAL, SORT_QUEUED, SORT_RETRIES, REPORT_SORTS };
const char *report_sort_name(enum report_sort s);          /* "at" "total_tokens" "cost_usd" "ttft_ms" "duration_ms" "queue_ms" "retries" */

/* Strings are borrowed from the query; NULL means any. */
struct report_filter {
    int64_t now_ms, from_ms, to_ms;       /* UTC, [from, to) */
    const char *owner_id;                 /* set by the caller for role user: only this user's; NULL: everybody's */
    const char *user_id, *session_id, *model, *upstream, *api_endpoint;
    int priority;                         /* enum priority or -1 */
    int status;                           /* enum call_status or -1 */
    enum granularity granularity;         /* AUTO: minute up to 2 h, hour up to 7 d, else day */
    struct zone zone;                     /* decides days; a week begins on its Monday, a month on its first */
    int64_t limit;                        /* 1 … 1000 */
    enum report_sort sort;                /* of a history; by what it is called, with - before it for the largest first */
    bool ascending;
    int64_t cursor, cursor_key;           /* of a history: behind this event, whose figure was cursor_key; 0: from the first on */
    int64_t horizon_ms;                   /* of a forecast */
    enum report_metric metric;            /* the same */
};

/* The last 24 hours of everything, UTC, 100 a page, the newest first; forecasts of tokens for 7 days. */
struct report_filter report_filter_make(int64_t now_ms);
/* One parameter of the query: from, to, user_id, session_id, model, upstream, api_endpoint, priority, status,
 * granularity, tz, limit, sort, cursor, horizon, metric. from and to are RFC 3339 or -24h, -7d, -30d (m, h, d before now), or "now".
 * E_UNKNOWN_FIELD: not one of these (the caller may know it). E_INVALID_FIELD, E_OUT_OF_RANGE: `why` is a sentence
 * that names parameter, value and what is allowed. */
enum weir_err report_filter_set(struct report_filter *f, const char *key, const char *value, char why[160])
    __attribute__((warn_unused_result));
/* When all were set: from before to, not more than 3,000 buckets, a cursor of the same sort. *param names the field at fault. */
enum weir_err report_filter_check(const struct report_filter *f, const char **param, char why[160])
    __attribute__((warn_unused_result));
/* RFC 3339 with any offset, or relative to now as above. */
bool report_time_parse(const char *s, int64_t now_ms, int64_t *out_ms);

/* {totals, series:[{at,…}], by_model:[{key,…}], efficiency:{chars_per_token}}. Buckets without traffic are there. */
enum weir_err report_token_usage(struct db *ro, const struct report_filter *f, struct sb *out)
    __attribute__((warn_unused_result));
/* The series of that alone: cheaper where one page asks for many. */
enum weir_err report_series(struct db *ro, const struct report_filter *f, struct sb *out) __attribute__((warn_unused_result));
/* {session_id, totals, messages:[{message_id, request_id, at, model, …, usage, cost, metrics}]}; numbers, no text.
 * E_NOT_FOUND: no such session, or not owner_id's. Range and other filters are not applied. */
enum weir_err report_session_usage(struct db *ro, const struct report_filter *f, const char *session_id, struct sb *out)
    __attribute__((warn_unused_result));
/* Of calls that went through Weir, without usage made elsewhere: {latency_ms:{p50,p90,p95,p99,mean}, ttft_ms, queue_wait_ms, tokens_per_second, success_rate, error_rates:[{type,
 * count, rate}], retries:{total, per_request}, cancelled, score, score_parts, requests, series:[{at, p50, p90, p95, p99, ttft_p95}], suggestions:
 * [{severity, text, setting, current, proposed, evidence}]}, which is the last member, for the caller to add to. Without
 * history ratios and percentiles are null and there are no suggestions.
 * score, 0 to 100, is the weighted mean of score_parts [{name, weight, value 0 … 1}]: success (50; of all but cancelled
 * requests), no_waiting (20; the share of all time that was not spent in queue and retries), first_token (15; 2 s by
 * its p95, at most 1), no_retries (15; 1 less retries per request, at least 0). A part without data is left out. */
enum weir_err report_performance(struct db *ro, const struct report_filter *f, struct sb *out)
    __attribute__((warn_unused_result));
/* {totals, ttft_ms, queue_wait_ms, efficiency} as the reports of usage and performance have them, from one pass: what another
 * range is compared with. */
enum weir_err report_brief(struct db *ro, const struct report_filter *f, struct sb *out) __attribute__((warn_unused_result));
/* {requests, succeeded}: how many were tried more than once, and how many of them ended well. */
enum weir_err report_retried(struct db *ro, const struct report_filter *f, struct sb *out) __attribute__((warn_unused_result));
/* {models:[{key, requests, latency_ms, ttft_ms, queue_wait_ms, tokens_per_second, success_rate}]} of the same calls, each as
 * above: the dearest models, fewer than f->limit if there are more. */
enum weir_err report_models(struct db *ro, const struct report_filter *f, struct sb *out) __attribute__((warn_unused_result));
/* {requests, by_upstream:[{key, …}], refused:[{at, upstream, model, request_id, status}]}: what each carried, and the newest
 * attempts that were answered 429, f->limit at most. Of the filter, only range and user count for `refused`. */
enum weir_err report_upstreams(struct db *ro, const struct report_filter *f, struct sb *out) __attribute__((warn_unused_result));
/* {currency, total, cost_per, by_model, by_upstream, by_user, by_session, by_endpoint, by_priority, by_day, by_week, by_month,
 * by_hour, unpriced}; lists by cost, descending (times by time), at most f->limit entries each. cost_per: {request_usd,
 * session_usd, thousand_tokens_usd}, of what had a price. Of more than 93 days by_hour is null; of
 * more than 100,000 requests cost_per.session_usd is, for then only the dearest sessions are looked for. */
enum weir_err report_cost_breakdown(struct db *ro, const struct report_filter *f, struct sb *out)
    __attribute__((warn_unused_result));
/* The same without by_hour: 720 hours of a month are most of it, and no page shows them. */
enum weir_err report_cost_days(struct db *ro, const struct report_filter *f, struct sb *out) __attribute__((warn_unused_result));
/* {from, to, days, confidence, requests: {slope_per_day, low, high, total, previous, change}, tokens, cost_usd}. The slope is
 * Theil and Sen's over the whole days of the range since the first request, with its 95 % interval; null below three
 * days. total is the range's, previous that of the range of equal length before it, change how much more total is, as
 * a share of previous; null where that is 0. */
enum weir_err report_trend(struct db *ro, const struct report_filter *f, struct sb *out) __attribute__((warn_unused_result));
/* {history_days, enough_history, found, items: [{at, bucket, metric, value, expected, low, high, score}]}: whole days and
 * hours of the range (or what granularity says) that lie outside the band of rules/trend.h, told from the range and
 * the 8 weeks before it; the newest first, f->limit of the `found` ones. Below 7 days of history there are none. */
enum weir_err report_anomalies(struct db *ro, const struct report_filter *f, struct sb *out) __attribute__((warn_unused_result));

/* One of them. */
struct report_anomaly {
    int64_t at_ms;                            /* where its hour or day begins */
    bool day;
    enum report_metric metric;
    double value, expected, low, high, score; /* cost in dollars */
};
enum { REPORT_ANOMALIES_NOW = 2 * REPORT_METRICS };
/* Those of the last whole hour and the last whole day (UTC) before now_ms, by the same judgement. Gives their number. */
enum weir_err report_anomalies_now(struct db *ro, int64_t now_ms, struct report_anomaly out[REPORT_ANOMALIES_NOW], size_t *n)
    __attribute__((warn_unused_result));

/* Something that traffic will reach if it goes on so. */
struct report_goal {
    const char *user_id, *model, *upstream;   /* whose traffic counts; NULL: any */
    enum report_metric metric;
    bool by_hour;                             /* one hour's traffic reaches the amount; else the sum from now on */
    int64_t amount;                           /* requests, tokens, or picodollars */
    int64_t until_ms;                         /* a sum counts up to here */
    int64_t reached_ms, possible_ms;          /* given: when, or -1; by_hour: when the upper end of the band does */
    double expected;                          /* given: of a sum, what is to come from now until until_ms, cost in dollars; -1: unknown */
};
/* {metric, bucket, horizon_days, confidence, history_days, enough_history, message, series: [{at, expected, low, high}]} of
 * f->metric for f->horizon_ms from now (hours up to two weeks, else days), from the range's past, and when each goal will be
 * reached: sums are looked for 62 days ahead, hours 7, or as far as the horizon. Below 7 days of history series is empty,
 * message says so, and goals are not reached. */
enum weir_err report_forecast(struct db *ro, const struct report_filter *f, struct report_goal *goal, size_t goals, struct sb *out)
    __attribute__((warn_unused_result));

/* Is it cheap enough to put a history in the order that `f` asks for? By time it always is. For all else every event of
 * the range, the session or the failures is looked at, which at most 200,000 may be: E_OUT_OF_RANGE with a sentence. */
enum weir_err report_sort_check(struct db *ro, const struct report_filter *f, char why[160]) __attribute__((warn_unused_result));
/* {items, next_cursor}: events in the filter's order, those of the same figure newest first. What is not known is less than nothing. */
enum weir_err report_history(struct db *ro, const struct report_filter *f, struct sb *out)
    __attribute__((warn_unused_result));
/* What the engine knows of a request that has not ended; filled by engine_request(). */
struct report_open {
    struct call_record rec;       /* its attempts, times and waits so far; numbers alone, no text */
    struct sb now;                /* an object: where it stands; made by the caller, as is the next */
    struct sb attempts;           /* its attempts so far, as a list */
};

/* One request, explained: {at, request_id, …, state, gates:[{gate, held_ms, text}], attempts, reserved, used, price, cost,
 * timings, promise, now}. The gates sum to queue_ms + retry_wait_ms. `open` is for one that has not ended, NULL: nothing
 * is known of it but its row. E_NOT_FOUND: there is none, or with `own` none of the viewer's. Metadata is for its owner alone. */
enum weir_err report_request(struct db *ro, const char *viewer_id, bool own, const char *request_id,
                             const struct report_open *open, struct sb *out) __attribute__((warn_unused_result));
/* Is there such a request that has not ended? */
bool report_request_is_open(struct db *ro, const char *request_id);
/* {requests, errors, prompt_tokens, completion_tokens, total_tokens, cost_usd, unpriced_requests, success_rate} since the
 * day began in `zone`; for /monitoring/live. */
enum weir_err report_today(struct db *ro, const char *owner_id, const struct zone *zone, int64_t now_ms, struct sb *out)
    __attribute__((warn_unused_result));
/* Changes whenever anything was settled: for ETags. */
int64_t report_version(struct db *ro);

#endif
