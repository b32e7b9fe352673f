/* strict.h - a provider that keeps its limits to the letter, for simulations.
 *
 * Deliberately another implementation than Weir's rules: exact times, every
 * event remembered, as token bucket (capacity = limit), sliding window or fixed
 * window counted from the clock's zero. */
#ifndef WEIR_TESTS_STRICT_H
#define WEIR_TESTS_STRICT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "rules/gate.h"

/* STRICT_SECONDS: a sixtieth of the limit in each second. STRICT_EACH: as bucket, sliding and fixed window at once; it
 * refuses what any of them would, so that who is never refused by it would be by none, in one run. */
enum strict_kind { STRICT_BUCKET, STRICT_SLIDING, STRICT_FIXED, STRICT_SECONDS, STRICT_EACH };

static const char *const strict_names[] = {"token bucket", "sliding window", "fixed window", "single seconds", "each way of counting"};

struct strict_event {
    int64_t at_us, n;
};

struct strict_limit {
    enum strict_kind kind;
    int64_t limit, window_us;      /* limit 0: none */
    double level;                  /* bucket */
    int64_t at_us;
    int64_t sliding, fixed;        /* sums */
    int64_t epoch;                 /* of the fixed window */
    struct strict_event *event;    /* sliding: all so far */
    size_t first, count, cap;
};

static inline void strict_init(struct strict_limit *s, enum strict_kind kind, int64_t limit, int64_t window_us, int64_t now_us)
{
    if (kind == STRICT_SECONDS) {
        limit = limit * 1000000 / window_us;
        window_us = 1000000;
        kind = STRICT_FIXED;
    }
    *s = (struct strict_limit){.kind = kind, .limit = limit, .window_us = window_us, .level = (double)limit, .at_us = now_us,
                               .epoch = now_us / window_us};
}

static inline bool strict_counts_as(const struct strict_limit *s, enum strict_kind kind)
{
    return s->kind == kind || s->kind == STRICT_EACH;
}

static inline void strict_advance(struct strict_limit *s, int64_t now_us)
{
    s->level += (double)(now_us - s->at_us) * (double)s->limit / (double)s->window_us;
    s->level = s->level > (double)s->limit ? (double)s->limit : s->level;
    while (s->first < s->count && s->event[s->first].at_us <= now_us - s->window_us)
        s->sliding -= s->event[s->first++].n;
    if (now_us / s->window_us > s->epoch) {
        s->epoch = now_us / s->window_us;
        s->fixed = 0;
    }
    s->at_us = now_us;
}

static inline int64_t strict_remaining(struct strict_limit *s, int64_t now_us)
{
    int64_t least = s->limit;

    strict_advance(s, now_us);
    if (strict_counts_as(s, STRICT_BUCKET) && (int64_t)s->level < least)
        least = (int64_t)s->level;
    if (strict_counts_as(s, STRICT_SLIDING) && s->limit - s->sliding < least)
        least = s->limit - s->sliding;
    if (strict_counts_as(s, STRICT_FIXED) && s->limit - s->fixed < least)
        least = s->limit - s->fixed;
    return least;
}

/* Would n more be refused? */
static inline bool strict_refuses(struct strict_limit *s, int64_t n, int64_t now_us)
{
    if (!s->limit)
        return false;
    strict_advance(s, now_us);
    return (strict_counts_as(s, STRICT_BUCKET) && s->level < (double)n - 1e-3) ||
           (strict_counts_as(s, STRICT_SLIDING) && s->sliding + n > s->limit) ||
           (strict_counts_as(s, STRICT_FIXED) && s->fixed + n > s->limit);
}

static inline void strict_count(struct strict_limit *s, int64_t n, int64_t now_us)
{
    if (!s->limit || !n)
        return;
    strict_advance(s, now_us);
    s->level -= (double)n;
    s->fixed += n;
    if (!strict_counts_as(s, STRICT_SLIDING))
        return;
    s->sliding += n;
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1024;
        s->event = realloc(s->event, s->cap * sizeof *s->event);
        if (!s->event)
            abort();
    }
    s->event[s->count++] = (struct strict_event){now_us, n};
}

#endif
