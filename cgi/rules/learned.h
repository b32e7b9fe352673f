/* learned.h - how long answers really are, by model and caller.
 *
 * Keeps the last LEARNED_SAMPLES output lengths of each pair, and of each model
 * over all callers for those who are new. From them come the amount to set
 * aside (the median, of few a high quantile), the one to expect (the mean, over a longer past) and the least to expect.
 * Bounded: pairs not seen for long make room. */
#ifndef WEIR_LEARNED_H
#define WEIR_LEARNED_H

#include <stdint.h>

#include "rules/idmap.h"

enum {
    LEARNED_SAMPLES = 32,
    LEARNED_MEAN = 128,          /* lengths scatter by nearly their mean: of 32 it would be off by a sixth */
    LEARNED_ENOUGH = 8,          /* fewer say nothing yet but their mean */
    LEARNED_ROWS = 2048,
    LEARNED_FIRST_PERCENT = 80,  /* of fewer than LEARNED_SAMPLES the high quantile is set aside; … */
    LEARNED_QUANTILE_PERCENT = 50,      /* … then the middle: the limits let more come (limits.h) */
    LEARNED_KEPT = 64,           /* rows that outlive a restart */
    LEARNED_LEAST_PERCENT = 10
};

struct learned_row {
    uint64_t key;
    int32_t sample[LEARNED_SAMPLES];
    int32_t n, next;
    int32_t reserve, least;      /* quantiles: to set aside, and the low one */
    int64_t mean_milli;          /* thousandths of a token, over about LEARNED_MEAN answers, the last ones most */
    int32_t seen;                /* at most LEARNED_MEAN */
    uint64_t used;               /* when last asked or told, in steps of `learned.clock` */
};

struct learned {
    struct idmap rows;
    struct learned_row *row;
    uint32_t count, hand;
    uint64_t clock;
};

struct learned_guess {
    int64_t reserve;             /* to set aside */
    int64_t expect;              /* to plan with */
    int64_t least;               /* nine of ten answers had as many */
};

void learned_init(struct learned *l);
void learned_done(struct learned *l);
/* What an answer of at most max_tokens will take. While nothing is known, a usual answer's size, reserved generously. */
struct learned_guess learned_guess(struct learned *l, uint64_t model, uint64_t user, int64_t max_tokens);
/* An answer had this many output tokens. */
void learned_tell(struct learned *l, uint64_t model, uint64_t user, int64_t output);
/* The rows used last, at most LEARNED_KEPT, the least recent first; gives how many. They stay the module's. */
uint32_t learned_recent(const struct learned *l, const struct learned_row *out[LEARNED_KEPT]);
/* One sample of a row that was kept, in the order they came. */
void learned_restore(struct learned *l, uint64_t key, int32_t output);

#endif
