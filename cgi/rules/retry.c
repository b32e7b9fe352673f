/* retry.c - full jitter, a floor, a budget. */
#include "rules/retry.h"

#define MINUTE_US (INT64_C(60) * 1000000)

int64_t retry_delay_us(int failed, int64_t base_us, int64_t max_us, int64_t retry_after_us, struct rng *rng)
{
    int64_t top = base_us;
    int64_t delay;

    while (--failed > 0 && top < max_us)
        top *= 2;
    if (top > max_us)
        top = max_us;
    delay = rng_below(rng, top + 1);
    if (retry_after_us > RETRY_AFTER_MAX_US)
        retry_after_us = RETRY_AFTER_MAX_US;
    return delay > retry_after_us ? delay : retry_after_us;
}

void retry_budget_init(struct retry_budget *b, int32_t share_ppm, int64_t now_us)
{
    b->share_ppm = share_ppm;
    window_init(&b->requests, MINUTE_US, now_us);
    window_init(&b->retries, MINUTE_US, now_us);
}

void retry_budget_change(struct retry_budget *b, int32_t share_ppm)
{
    b->share_ppm = share_ppm;
}

void retry_budget_request(struct retry_budget *b, int64_t now_us)
{
    window_advance(&b->requests, now_us);
    window_add(&b->requests, 1);
}

bool retry_budget_spend(struct retry_budget *b, int64_t now_us)
{
    int64_t allowed;

    window_advance(&b->requests, now_us);
    window_advance(&b->retries, now_us);
    allowed = b->requests.sum * b->share_ppm / 1000000;
    if (allowed < RETRY_ALWAYS_ALLOWED)
        allowed = RETRY_ALWAYS_ALLOWED;
    if (b->retries.sum >= allowed)
        return false;
    window_add(&b->retries, 1);
    return true;
}
