/* tally.h - what has happened since the start, counted for /metrics.
 *
 * The engine owns one and counts as things happen; whoever looks gets a copy
 * (engine_tally). Bounded whatever comes: so many lines, and what is new beyond
 * them counts under the label `other`. Models are names of the price table or
 * the configuration; users, sessions and keys are in none of it. Pure: no
 * clock, no lock, no I/O. */
#ifndef WEIR_TALLY_H
#define WEIR_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/gate.h"
#include "rules/usage_tokens.h"

/* --- histograms --- */

enum { TALLY_BOUNDS_MAX = 14 };

/* Upper bounds of a histogram's buckets, rising, in `unit`s: 1,000,000 of microseconds are a second. */
struct tally_scale {
    int64_t unit;
    size_t n;
    int64_t bound[TALLY_BOUNDS_MAX];
};
extern const struct tally_scale tally_seconds;    /* of a call: 10 ms … 81.92 s, counted in µs */
extern const struct tally_scale tally_waits;      /* in line: 10 ms … 900 s, counted in µs */
extern const struct tally_scale tally_tokens;     /* 1 … 67,108,864 */
extern const struct tally_scale tally_ratios;     /* 0.5 … 3, counted in millionths */

struct tally_hist {
    int64_t n[TALLY_BOUNDS_MAX + 1];              /* by bucket, the last is for what passes every bound; not cumulative */
    int64_t count, sum;
};
void tally_hist_add(struct tally_hist *h, const struct tally_scale *s, int64_t value);

/* --- what is counted --- */

enum tally_outcome {
    TALLY_OK,
    TALLY_CLIENT_ERROR,          /* refused as it is: a 4xx that is none of the others */
    TALLY_RATE_LIMITED,          /* Weir's limits or the provider's, to the end */
    TALLY_QUOTA,                 /* a budget, or no price under a budget */
    TALLY_UPSTREAM_ERROR,
    TALLY_CANCELLED,
    TALLY_QUEUE_TIMEOUT,
    TALLY_UNAVAILABLE,           /* Weir itself: it stops, cannot write, or made a mistake */
    TALLY_OUTCOMES
};
const char *tally_outcome_name(enum tally_outcome o);

enum { TALLY_LINES = 512, TALLY_ROUTES = 8, TALLY_TIMES = 1024, TALLY_EVENTS = 1024, TALLY_PROVIDER_SIZE = 33, TALLY_MODEL_SIZE = 128,
       TALLY_ROUTE_SIZE = 32 };
#define TALLY_OTHER "other"      /* what has no line of its own */
#define TALLY_NONE "none"        /* the provider of what was never sent */

/* One model at one provider. */
struct tally_line {
    char provider[TALLY_PROVIDER_SIZE], model[TALLY_MODEL_SIZE];
    int64_t requests[TALLY_ROUTES][TALLY_OUTCOMES][PRIORITY_COUNT];
    struct usage_tokens used;
    int64_t cost;                               /* picodollars */
    int64_t unpriced;                           /* calls without a price */
    struct tally_hist first_chunk;              /* streams alone: tally_seconds */
    struct tally_hist input, output;            /* of calls that succeeded: tally_tokens */
    struct tally_hist estimate;                 /* prompt tokens billed by those counted: tally_ratios */
};

/* How long calls took, by how they ended: tally_seconds. */
struct tally_time {
    size_t line;
    const char *error;                          /* static; "": none */
    struct tally_hist took;
};

enum tally_what { TALLY_ANSWER, TALLY_RETRY, TALLY_FAILOVER };

struct tally_event {
    enum tally_what what;
    char provider[TALLY_PROVIDER_SIZE];
    int status;                                 /* of an answer: HTTP's; 0: there was none */
    const char *reason;                         /* static */
    int64_t n;
};

struct tally_throttle {                         /* time spent waiting for one limit of one provider */
    char provider[TALLY_PROVIDER_SIZE];
    int64_t us[DIM_COUNT];
};

struct tally {
    size_t line_count, time_count, event_count, throttle_count;
    struct tally_line *lines;
    struct tally_time *times;
    struct tally_event *events;
    struct tally_throttle *throttles;
    int route_count;
    char routes[TALLY_ROUTES][TALLY_ROUTE_SIZE];
    struct tally_hist wait[PRIORITY_COUNT];     /* tally_waits */
    int64_t records_pending;                    /* ends of calls handed to the writer and not yet committed */
    int64_t records_lost;                       /* ends that could not be stored */
};

/* Where something counts; a name that is too long is cut. The line may move with the next call. Never NULL. */
struct tally_line *tally_line(struct tally *t, const char *provider, const char *model);
void tally_request(struct tally *t, struct tally_line *l, const char *route, enum tally_outcome o, enum priority p);
/* A call took `us`; `error` static, "" for none. */
void tally_took(struct tally *t, const struct tally_line *l, const char *error, int64_t us);
/* `reason` static, `status` 0 where it does not apply. */
void tally_event(struct tally *t, enum tally_what what, const char *provider, int status, const char *reason);
void tally_throttled(struct tally *t, const char *provider, enum dim d, int64_t us);

/* A copy of its own; caller frees with tally_free(). */
struct tally *tally_copy(const struct tally *t);
/* Free what is in it. */
void tally_done(struct tally *t);
void tally_free(struct tally *t);               /* NULL is fine */

#endif
