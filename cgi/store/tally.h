/* tally.h - sums by key, of one span at a time: what roll-ups are compared with.
 * One thread at a time. */
#ifndef WEIR_TALLY_H
#define WEIR_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is summed. COST is both costs; HIST the marks of the durations (rules/hist.h), and wraps. */
enum tally_sum {
    TALLY_REQUESTS, TALLY_PROMPT, TALLY_CACHED, TALLY_CACHE_WRITE, TALLY_COMPLETION, TALLY_REASONING, TALLY_CHARS,
    TALLY_COST_IN, TALLY_COST_OUT, TALLY_UNPRICED, TALLY_UNPRICED_TOKENS, TALLY_ESTIMATED, TALLY_RETRIES, TALLY_QUEUE_US,
    TALLY_RETRY_US, TALLY_TTFT_US, TALLY_WRITING_US, TALLY_COST, TALLY_HIST, TALLY_SUMS
};
const char *tally_name(enum tally_sum s);            /* the roll-up's column */

struct tally_row {
    int64_t key;
    bool met;                                        /* the caller's: it was compared */
    int64_t sum[TALLY_SUMS];
};

struct tally {
    struct tally_row *row;                           /* in the order they were met first */
    size_t n, cap;
    uint32_t *slot;                                  /* row + 1; 0: free */
    size_t slots;
};

/* The row of a key, made with zeros if new; borrowed until the next call. */
struct tally_row *tally_at(struct tally *t, int64_t key);
/* The same, or NULL if there is none. */
struct tally_row *tally_find(struct tally *t, int64_t key);
/* Add all of `sum` to a key's row. */
void tally_add(struct tally *t, int64_t key, const int64_t sum[TALLY_SUMS]);
void tally_clear(struct tally *t);                   /* no rows; keeps its memory */
void tally_done(struct tally *t);

#endif
