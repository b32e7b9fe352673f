/* retry.h - whether to try again, and after how long.
 *
 * Exponential with full jitter; what the provider asked for is a floor. Over
 * everybody, retries are held to a share of the recent requests, so that they
 * never become the load; a few are always allowed, for a lone request. */
#ifndef WEIR_RETRY_H
#define WEIR_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"
#include "rules/window.h"

/* A provider that asks for more than this is taken to mean this. */
#define RETRY_AFTER_MAX_US (INT64_C(300) * 1000000)

enum { RETRY_ALWAYS_ALLOWED = 10 };      /* retries a minute, whatever the share says */

struct retry_budget {
    struct window requests, retries;     /* of the last minute */
    int32_t share_ppm;
};

/* The wait before attempt number `failed` + 1: anything up to base * 2^(failed - 1), at most max, but not less than
 * retry_after_us (< 0: not said). failed >= 1. */
int64_t retry_delay_us(int failed, int64_t base_us, int64_t max_us, int64_t retry_after_us, struct rng *rng);

void retry_budget_init(struct retry_budget *b, int32_t share_ppm, int64_t now_us);
/* `share_ppm` is another from now on. */
void retry_budget_change(struct retry_budget *b, int32_t share_ppm);
void retry_budget_request(struct retry_budget *b, int64_t now_us);
/* Spend one retry; false: none is left. */
bool retry_budget_spend(struct retry_budget *b, int64_t now_us);

#endif
