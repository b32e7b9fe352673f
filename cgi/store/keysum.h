/* keysum.h - sums by key, of one span at a time: what roll-ups are compared with.
 * One thread at a time. */
#ifndef WEIR_KEYSUM_H
#define WEIR_KEYSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is summed. COST is both costs; HIST the marks of the durations (rules/hist.h), and wraps; WAIT
 * is queue and retries. */
enum keysum_sum {
    KEYSUM_REQUESTS, KEYSUM_PROMPT, KEYSUM_CACHED, KEYSUM_CACHE_WRITE, KEYSUM_COMPLETION, KEYSUM_REASONING, KEYSUM_CHARS,
    KEYSUM_COST_IN, KEYSUM_COST_OUT, KEYSUM_UNPRICED, KEYSUM_UNPRICED_TOKENS, KEYSUM_ESTIMATED, KEYSUM_RETRIES, KEYSUM_QUEUE_US,
    KEYSUM_RETRY_US, KEYSUM_TTFT_US, KEYSUM_WRITING_US, KEYSUM_COST, KEYSUM_HIST,
    KEYSUM_WAIT_US, KEYSUM_SUMS
};
const char *keysum_name(enum keysum_sum s);            /* the roll-up's column */

struct keysum_row {
    int64_t key;
    bool met;                                        /* the caller's: it was compared */
    int64_t sum[KEYSUM_SUMS];
};

struct keysum {
    struct keysum_row *row;                           /* in the order they were met first */
    size_t n, cap;
    uint32_t *slot;                                  /* row + 1; 0: free */
    size_t slots;
};

/* The row of a key, made with zeros if new; borrowed until the next call. */
struct keysum_row *keysum_at(struct keysum *t, int64_t key);
/* The same, or NULL if there is none. */
struct keysum_row *keysum_find(struct keysum *t, int64_t key);
/* Add all of `sum` to a key's row. */
void keysum_add(struct keysum *t, int64_t key, const int64_t sum[KEYSUM_SUMS]);
void keysum_clear(struct keysum *t);                   /* no rows; keeps its memory */
void keysum_done(struct keysum *t);

#endif
