/* window.h - what was used in the last minute or hour, never too little.
 *
 * A ring of slots, each a 240th of the window. What fell into a slot counts
 * until the whole slot has left the window, and for one more slot: a guard
 * against requests that overtake each other on their way to the provider. So
 * the promise "no more than the limit in any window" holds however the provider
 * counts, and at most 2 in 240 of the limit is given up for it. */
#ifndef WEIR_WINDOW_H
#define WEIR_WINDOW_H

#include <stdint.h>

enum {
    WINDOW_SLOTS = 240,             /* a window */
    WINDOW_SPAN = WINDOW_SLOTS + 2, /* slots that count: the window, the one that is leaving, the guard */
    WINDOW_RING = 256               /* >= WINDOW_SPAN; a power of two */
};

struct window {
    int64_t slot_us;
    int64_t current;                /* number of the newest slot since the clock's zero */
    int64_t sum;                    /* of all slots that count */
    int64_t slot[WINDOW_RING];
};

/* An empty window. window_us is a multiple of WINDOW_SLOTS. */
void window_init(struct window *w, int64_t window_us, int64_t now_us);
/* Let pass what has left. A clock that steps back changes nothing. */
void window_advance(struct window *w, int64_t now_us);
/* Count n in the newest slot. */
void window_add(struct window *w, int64_t n);
/* Count n more (or less, n < 0) in the slot of an earlier time; nothing if that has left. */
void window_amend(struct window *w, int64_t at_us, int64_t n);
/* Count n at an earlier time, after a restart; what is in the newest slot's future goes into the newest. */
void window_restore(struct window *w, int64_t at_us, int64_t n);
/* Microseconds from now_us until at least n of the sum has left; INT64_MAX if n > sum. */
int64_t window_wait_us(const struct window *w, int64_t n, int64_t now_us);
/* The sum that will still count at a later time if nothing is added. */
int64_t window_sum_at(const struct window *w, int64_t later_us);

/* What is to come into a window: some of it at once, the rest of each part at its pace until all of it has come. */
struct window_flow {
    int64_t at_once;
    struct {
        int64_t most, a_second;     /* 0 … WINDOW_FLOW_MAX; most is 0 where a_second is */
    } part[2];
};

#define WINDOW_FLOW_MAX INT64_C(1000000000)

/* The guard slot is for what comes at once: what comes in time meets a slot until it has truly left.
 * Microseconds from now_us until the flow may begin so that at no moment from its beginning on what still counts and what
 * has come pass `room` together; INT64_MAX: all that is to come is more than that. */
int64_t window_wait_flow_us(const struct window *w, const struct window_flow *f, int64_t room, int64_t now_us);
/* The most they will be together if the flow begins at begin_us, not before now; rounded up. */
int64_t window_peak(const struct window *w, const struct window_flow *f, int64_t begin_us);

#endif
