/* admission.c - one line for each number of the settings that admission knows. */
#include "flow/admission.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

/* The part of an upstream's settings that admission goes by. */
static struct admit_upstream admission_of(const struct upstream_settings *u)
{
    const struct tuning_settings *t = &u->tune;

    return (struct admit_upstream){
        .name = u->name,
        .quota_group = u->quota_group,
        .limit = {
            [DIM_REQUESTS_PER_MINUTE] = t->limits.requests_per_minute,
            [DIM_REQUESTS_PER_HOUR] = t->limits.requests_per_hour,
            [DIM_TOKENS_PER_MINUTE] = t->limits.tokens_per_minute,
            [DIM_TOKENS_PER_HOUR] = t->limits.tokens_per_hour,
            [DIM_INPUT_TOKENS_PER_MINUTE] = t->limits.input_tokens_per_minute,
            [DIM_OUTPUT_TOKENS_PER_MINUTE] = t->limits.output_tokens_per_minute,
        },
        .burst_requests = t->limits.requests_per_minute * t->burst_us / (60 * USEC_PER_SEC),
        .burst_tokens = t->limits.tokens_per_minute / 60 * t->burst_us / USEC_PER_SEC
                        + t->limits.tokens_per_minute % 60 * t->burst_us / (60 * USEC_PER_SEC),
        .max_concurrent = t->max_concurrent,
        .pause_us = t->pause_us,
        .safety_ppm = (int32_t)t->safety_margin_permille * 1000,
        .reserve_ppm = (int32_t)t->reserve_permille * 1000,
        .spread_low = t->spread_low,
        .exact = u->protocol == PROTOCOL_OPERATION,
        .reserve_max_output = t->reserve_output == RESERVE_OUTPUT_MAX,
        .patience = {
            .max_retries = (int32_t)t->retry.max_retries,
            .base_delay_us = t->retry.base_delay_us,
            .max_delay_us = t->retry.max_delay_us,
            .stabilization_us = t->stabilization_us,
        },
        .gone = !u->enabled,
        .rank = u->rank,
    };
}

struct admit_config admission_config(const struct settings *s, struct admit_upstream *u)
{
    for (size_t i = 0; i < s->n_upstreams; i++)
        u[i] = admission_of(&s->upstreams[i]);
    return (struct admit_config){
        .upstreams = u,
        .upstream_count = s->n_upstreams,
        .queue_max = s->queue.max_size,
        .retry_budget_ppm = (int32_t)s->retry_budget_permille * 1000,
    };
}

struct admit *admission_new(const struct settings *s, uint64_t seed, int64_t now_us)
{
    struct admit_upstream *u = mem_zalloc(s->n_upstreams, sizeof *u);
    struct admit_config c = admission_config(s, u);
    struct admit *a = admit_new(&c, seed, now_us);

    free(u);
    return a;
}
