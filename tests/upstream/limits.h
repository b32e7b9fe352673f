/* limits.h - the provider's own limits, kept as strictly as a real one keeps them. Pure.
 *
 * Requests and tokens a minute, each counted as a token bucket, a sliding window
 * or a fixed minute. Deliberately another implementation than Weir's rules: this
 * one is exact and remembers every grant, for it is the judge. */
#ifndef WEIR_TESTS_LIMITS_H
#define WEIR_TESTS_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum limit_kind { LIMIT_BUCKET, LIMIT_SLIDING, LIMIT_FIXED };

struct limit_grant {
    int64_t at_us, amount;
};

struct limit {
    enum limit_kind kind;
    int64_t max;                  /* per window; 0 = unlimited */
    int64_t window_us;
    int64_t used;                 /* in the window (bucket: what has not yet flowed back) */
    int64_t since_us;             /* fixed: the window's begin; bucket: when `used` was right */
    int64_t rest;                 /* bucket: millionths of a unit already flowed back */
    struct limit_grant *grants;   /* sliding: a ring of what was granted */
    size_t first, count, cap;
};

/* Begin anew with nothing used. `l` is zeroed memory or an earlier limit. */
void limit_set(struct limit *l, enum limit_kind kind, int64_t max, int64_t window_us, int64_t now_us);
bool limit_kind_parse(const char *name, enum limit_kind *out);      /* "bucket" "sliding" "fixed" */
/* Microseconds until `amount` would pass; 0 = now; -1 = never. Takes nothing. */
int64_t limit_wait_us(struct limit *l, int64_t amount, int64_t now_us);
/* Count `amount`, also beyond the limit. */
void limit_take(struct limit *l, int64_t amount, int64_t now_us);
int64_t limit_remaining(struct limit *l, int64_t now_us);           /* >= 0 */
int64_t limit_reset_us(struct limit *l, int64_t now_us);            /* until nothing is used any more */

#endif
