/* admit_told.c - what providers say and do: refusals and failures, headers, and
 * an operator's reset. */
#include "flow/admit.h"

#include "flow/admit_state.h"

/* Nothing is sent for this long after a 429 that names no time. */
#define COOL_US INT64_C(1000000)

static int64_t cooldown_us(int64_t retry_after_us)
{
    if (retry_after_us > RETRY_AFTER_MAX_US)
        return RETRY_AFTER_MAX_US;
    return retry_after_us > COOL_US ? retry_after_us : COOL_US;
}

/* What a failed attempt does to its upstream. */
static void upstream_failed(struct admit *a, const struct item *it, enum attempt_fault fault, enum dim dim,
                            int64_t retry_after_us, int64_t now_us)
{
    struct pick_upstream *u = &a->pick.upstream[it->upstream];
    struct limits *l = &a->pick.limits[u->group];

    switch (fault) {
    case FAULT_RATE_LIMIT:
        window_advance(&a->refused[it->upstream], now_us);
        window_add(&a->refused[it->upstream], 1);
        limits_refused(l, dim, it->began_us, a->upstream[it->upstream].patience.stabilization_us);
        limits_cool(l, now_us + cooldown_us(retry_after_us));
        break;
    case FAULT_OVERLOADED:
        if (now_us + cooldown_us(retry_after_us) > u->cooldown_us)
            u->cooldown_us = now_us + cooldown_us(retry_after_us);
        break;
    case FAULT_SERVER:
        pick_failed(&a->pick, it->upstream, now_us);
        break;
    case FAULT_AUTH:
    case FAULT_QUOTA:
        u->down = true;
        break;
    }
}

void admit_failed(struct admit *a, const struct admit_ticket *t, enum attempt_fault fault, enum dim dim, int64_t retry_after_us,
                  int64_t now_us)
{
    const struct item *it = &a->pick.queue.item[t->item];

    limits_tick(&a->pick.limits[a->pick.upstream[it->upstream].group], now_us);
    upstream_failed(a, it, fault, dim, retry_after_us, now_us);
    admit_changed(a);
}

/* The upstreams an item may still go to, whatever their state. */
static uint64_t upstreams_left(const struct item *it)
{
    uint64_t left = it->candidates ? 0 : it->upstreams;

    for (int i = 0; i < it->candidate_count; i++)
        if (it->candidates[i].stage >= it->from_stage)
            left |= it->candidates[i].upstreams;
    return left;
}

/* It has failed as often as it may with the models it has had: on to those after. False: there are none. */
static bool next_stage(struct admit_ticket *t, struct item *it)
{
    for (int i = 0; i < it->candidate_count; i++) {
        if (it->candidates[i].stage <= it->stage || !it->candidates[i].upstreams)
            continue;
        it->from_stage = it->candidates[i].stage;
        it->failed_at = 0;
        t->moved = CHOICE_FALLBACK_FAILED;
        t->failed = 0;
        return true;
    }
    return false;
}

/* The soonest that one of its upstreams takes calls again; INT64_MAX: all are down. */
static int64_t open_again_us(const struct admit *a, const struct item *it)
{
    int64_t soonest = INT64_MAX;

    for (uint64_t left = upstreams_left(it); left; left &= left - 1) {
        const struct pick_upstream *u = &a->pick.upstream[__builtin_ctzll(left)];
        int64_t open = a->pick.limits[u->group].cooldown_us;

        if (u->down)
            continue;
        if (u->cooldown_us > open)
            open = u->cooldown_us;
        if (open < soonest)
            soonest = open;
    }
    return soonest;
}

bool admit_retry(struct admit *a, struct admit_ticket *t, enum attempt_fault fault, enum dim dim, int64_t retry_after_us,
                 int64_t now_us, int64_t *delay_us)
{
    struct item *it = &a->pick.queue.item[t->item];
    const struct admit_patience *p = &a->upstream[it->upstream].patience;
    bool more;
    int64_t open_us;

    limits_tick(&a->pick.limits[a->pick.upstream[it->upstream].group], now_us);
    if (fault == FAULT_SERVER)      /* it got through, so its input may have been counted */
        pick_settle(&a->pick, t->item, it->input, it->hold.produced);
    else
        pick_release(&a->pick, t->item, true);
    upstream_failed(a, it, fault, dim, retry_after_us, now_us);
    it->failed_at |= UINT64_C(1) << it->upstream;
    t->retried = true;
    more = ++t->failed <= p->max_retries || next_stage(t, it);
    open_us = open_again_us(a, it);
    *delay_us = retry_delay_us(t->failed ? t->failed : 1, p->base_delay_us, p->max_delay_us, -1, &a->rng);
    if (open_us != INT64_MAX && open_us - now_us > *delay_us)
        *delay_us = open_us - now_us;
    if (!more || open_us == INT64_MAX || now_us + *delay_us > t->deadline_us ||
        !retry_budget_spend(&a->retries, now_us)) {
        admit_drop(a, t, now_us);
        return false;
    }
    a->counters.retries++;
    t->waits_us = now_us;
    queue_rest(&a->pick.queue, t->item, now_us + *delay_us);
    heap_push(&a->deadlines, a->deadline_pos, t->deadline_us, t->item, t->item);
    admit_changed(a);
    return true;
}

void admit_told_init(struct admit *a, uint32_t group, int64_t now_us)
{
    for (int d = 0; d < DIM_COUNT; d++) {
        window_init(&a->told[group][d].drift, dim_window_us((enum dim)d), now_us);
        a->told[group][d].at_us = ADMIT_NEVER_US;
    }
}

void admit_provider_word(struct admit *a, int upstream, const struct provider_word *w, int64_t now_us)
{
    uint32_t group = a->pick.upstream[upstream].group;
    struct limits *l = &a->pick.limits[group];

    limits_tick(l, now_us);
    for (int d = 0; d < DIM_COUNT; d++) {
        struct admit_told *told = &a->told[group][d];
        int64_t unseen = limits_told(l, (enum dim)d, w->limit[d], w->remaining[d], w->reset_us[d]);

        if (w->limit[d] >= 0 || w->remaining[d] >= 0)
            told->at_us = now_us;
        window_advance(&told->drift, now_us);
        if (unseen > 0) {
            window_restore(&told->drift, now_us - limits_told_age_us((enum dim)d, w->reset_us[d]), unseen);
            admit_changed(a);
        }
    }
}

void admit_reset(struct admit *a, int upstream, int64_t now_us)
{
    for (int i = 0; i < (int)a->pick.upstreams; i++) {
        struct pick_upstream *u = &a->pick.upstream[i];

        if (upstream >= 0 && i != upstream)
            continue;
        limits_tick(&a->pick.limits[u->group], now_us);
        limits_reset(&a->pick.limits[u->group]);
        admit_told_init(a, u->group, now_us);
        u->cooldown_us = INT64_MIN / 2;
        pick_answered(&a->pick, i);
        u->down = a->upstream[i].gone;
    }
    admit_changed(a);
}
