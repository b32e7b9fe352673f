/* admit_change.c - which upstreams there are and what they may, at the start and after every change of configuration.
 *
 * An upstream keeps its index and its quota group for life: masks of waiting asks and what running calls have set
 * aside go by them. One that is gone is down for good, until it comes back. */
#include "flow/admit.h"

#include <string.h>

#include "flow/admit_state.h"

enum { FIRST_CALL_US = 3000000 };      /* how long a call takes, before any was seen */

#define DAY_US (INT64_C(86400) * 1000000)

/* The group of a new upstream: that of the first with the same name of group, or one of its own. */
static uint32_t group_for(const struct admit *a, size_t upstream)
{
    const char *name = a->upstream[upstream].quota_group;

    for (size_t i = 0; name && i < upstream; i++) {
        if (a->upstream[i].quota_group && strcmp(a->upstream[i].quota_group, name) == 0)
            return a->pick.upstream[i].group;
    }
    return a->pick.groups;
}

static struct limits_config limits_of(const struct admit_upstream *u)
{
    struct limits_config c = {.burst_requests = u->burst_requests, .burst_tokens = u->burst_tokens, .pause_us = u->pause_us,
                              .safety_ppm = u->safety_ppm, .reserve_ppm = u->reserve_ppm, .spread_low = u->spread_low};

    memcpy(c.limit, u->limit, sizeof c.limit);
    return c;
}

static void upstream_begin(struct admit *a, size_t i, int64_t now_us)
{
    uint32_t group = group_for(a, i);

    if (group == a->pick.groups) {
        const struct limits_config c = limits_of(&a->upstream[i]);

        limits_init(&a->pick.limits[a->pick.groups++], &c, now_us);
        admit_told_init(a, group, now_us);
        admit_outlook_begin(a, group, now_us);
    }
    a->pick.group_mask[group] |= UINT64_C(1) << i;
    a->pick.upstream[i] = (struct pick_upstream){.group = group, .cooldown_us = INT64_MIN / 2, .call_us = FIRST_CALL_US,
                                                 .why = GATE_NONE};
    window_init(&a->refused[i], DAY_US, now_us);
    a->pick.upstreams++;
}

const struct admit_upstream *admit_leader(const struct admit *a, uint32_t group)
{
    const struct admit_upstream *first = NULL;

    for (uint64_t left = a->pick.group_mask[group]; left; left &= left - 1) {
        const struct admit_upstream *u = &a->upstream[__builtin_ctzll(left)];

        if (!u->gone && (!first || u->rank < first->rank))
            first = u;
    }
    return first;
}

void admit_change(struct admit *a, const struct admit_config *config, uint64_t renewed, int64_t now_us)
{
    a->config = *config;
    a->config.upstreams = a->upstream;
    retry_budget_change(&a->retries, config->retry_budget_ppm);
    for (size_t i = 0; i < config->upstream_count; i++) {
        struct pick_upstream *u = &a->pick.upstream[i];
        bool was_gone = i < a->pick.upstreams && a->upstream[i].gone;

        a->upstream[i] = config->upstreams[i];
        if (i >= a->pick.upstreams)
            upstream_begin(a, i, now_us);
        if (was_gone || (renewed >> i & 1)) {
            u->down = false;
            u->cooldown_us = INT64_MIN / 2;
            pick_answered(&a->pick, (int)i);
        }
        u->down = u->down || a->upstream[i].gone;
        u->max_concurrent = a->upstream[i].max_concurrent;
        u->output_at_start = a->upstream[i].reserve_max_output && !a->upstream[i].exact;
        u->exact = a->upstream[i].exact;
    }
    for (uint32_t g = 0; g < a->pick.groups; g++) {
        const struct admit_upstream *u = admit_leader(a, g);

        if (u) {
            const struct limits_config c = limits_of(u);

            limits_change(&a->pick.limits[g], &c, now_us);
        }
    }
    a->minute_us = now_us;                  /* who spreads Low from now on needs a plan */
    a->forecast.at_us = INT64_MIN / 2;
    admit_changed(a);
}

void *admit_stranded(struct admit *a, int64_t now_us, enum weir_err *why)
{
    struct queue *q = &a->pick.queue;

    for (uint32_t i = 0; i < q->items; i++) {
        struct admit_ticket *t = q->item[i].owner;
        void *job;

        if (q->item[i].state != ITEM_READY && q->item[i].state != ITEM_PARKED && q->item[i].state != ITEM_RESTING)
            continue;
        *why = admit_unservable(a, &q->item[i]);
        if (!*why)
            continue;
        job = t->job;
        admit_promise_broken(a, t, now_us);
        admit_cancel(a, t, now_us);
        return job;
    }
    return NULL;
}
