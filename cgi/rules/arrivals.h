/* arrivals.h - who came lately, so that a forecast can expect the like.
 *
 * In a queue with priorities and fair shares those who have not come yet decide
 * how long one waits. A forecast therefore lets the last minutes happen again:
 * the same users, sizes and gaps, from anywhere in them on. Several such walks
 * are several futures as likely as each other. Only asks that were taken are
 * remembered. */
#ifndef WEIR_ARRIVALS_H
#define WEIR_ARRIVALS_H

#include <stdint.h>

#include "rules/queue.h"

enum { ARRIVALS_RING = 2048 };

#define ARRIVALS_SPAN_US (INT64_C(300) * 1000000)
/* A burst is no rate: what came at once is not expected again before this. */
#define ARRIVALS_LEAST_SPAN_US (INT64_C(10) * 1000000)

struct arrival {
    int64_t at_us;
    uint64_t user;
    uint64_t upstreams;
    int32_t weight;
    enum priority priority;
    int64_t input, max_output, want_output, expect_output;
    struct queue_hint hint;
};

struct arrivals {
    struct arrival ring[ARRIVALS_RING];
    uint32_t n, next;
};

/* This one came, and is item `item` of the queue now. */
void arrivals_note(struct arrivals *a, const struct queue *q, uint32_t item, uint64_t user, int64_t now_us);

/* A walk through the arrivals to expect from now on, in order of time. */
struct arrivals_walk {
    const struct arrivals *from;
    uint32_t first, at;        /* places in the ring, counted from its oldest */
    int64_t shift_us;          /* what lies between then and its repetition */
    int64_t span_us;
};

/* from_ppm: where in the time remembered the walk begins, millionths; 0: with the oldest. */
struct arrivals_walk arrivals_expect(const struct arrivals *a, int32_t from_ppm, int64_t now_us);
/* When the next comes; INT64_MAX: none. */
int64_t arrivals_next_us(const struct arrivals_walk *w);
/* That one, and on to the one after. */
const struct arrival *arrivals_take(struct arrivals_walk *w);

#endif
