/* bucket.h - a token bucket in exact integers: pace and burst.
 *
 * Refill is continuous. One token is counted as `window_us` parts and the
 * bucket gains `rate` parts a microsecond, so no fraction is ever lost and
 * nothing drifts. The level is signed: use beyond it is a debt that is paid
 * back before anything is granted. Amounts are tokens (or requests), 0 …
 * BUCKET_MAX; with an hour's window the parts then stay below 2^62. */
#ifndef WEIR_BUCKET_H
#define WEIR_BUCKET_H

#include <stdint.h>

#define BUCKET_MAX INT64_C(1000000000)

struct bucket {
    int64_t window_us;   /* parts per token */
    int64_t rate;        /* tokens per window = parts per microsecond */
    int64_t burst;       /* capacity, tokens */
    int64_t cap;         /* the same in parts */
    int64_t level;       /* parts; < 0: a debt */
    int64_t at_us;       /* refilled up to here */
};

/* A full bucket. rate and burst are clamped to 1 … BUCKET_MAX. */
struct bucket bucket_make(int64_t rate, int64_t window_us, int64_t burst, int64_t now_us);
/* Change pace and capacity from now on; what is above the new capacity is lost. */
void bucket_set(struct bucket *b, int64_t rate, int64_t burst, int64_t now_us);
/* Add what accrued. A clock that stands still or steps back adds nothing. */
void bucket_refill(struct bucket *b, int64_t now_us);
/* This share of the capacity in parts, for `keep` below. */
int64_t bucket_share(const struct bucket *b, int32_t ppm);
/* Microseconds from the last refill until `tokens` are there with `keep` parts left over; 0: now. More than the
 * capacity is never asked for: a larger ask starts on a full bucket. */
int64_t bucket_wait_us(const struct bucket *b, int64_t tokens, int64_t keep);
/* Take, into debt if need be; give back, never above the capacity. */
void bucket_take(struct bucket *b, int64_t tokens);
void bucket_give(struct bucket *b, int64_t tokens);
/* Hold no more than this many whole tokens (the provider says so); a debt stays. */
void bucket_lower(struct bucket *b, int64_t tokens);
/* Whole tokens, rounded down; negative: a debt. */
int64_t bucket_tokens(const struct bucket *b);
/* What could still be taken at `after_us` past the last refill once `tokens` are set aside then, whole tokens, >= 0. */
int64_t bucket_slack(const struct bucket *b, int64_t tokens, int64_t keep, int64_t after_us);

#endif
