/* admit_view.c - what is shown: places, upstreams, counters. */
#include "flow/admit.h"

#include <string.h>

#include "flow/admit_state.h"

/* From this use on an upstream is shown as a warning. */
enum { WARN_PPM = 800000 };

static enum gate reason_of(const struct admit *a, const struct item *it, int upstream)
{
    enum gate why;

    switch (it->state) {
    case ITEM_PARKED: return GATE_SESSION;
    case ITEM_RESTING: return GATE_BACKOFF;
    case ITEM_READY: break;
    case ITEM_RUNNING:
    case ITEM_FREE: return GATE_NONE;
    }
    why = a->pick.upstream[upstream].why;
    return why == GATE_NONE ? a->pick.queue.line[a->pick.queue.flow[it->flow].line].why : why;
}

static struct admit_spread spread_of(const struct admit *a, enum gate why, int upstream)
{
    const struct limits *l = &a->pick.limits[a->pick.upstream[upstream].group];
    enum dim d;

    if (!gate_spreads(why, &d))
        return (struct admit_spread){0, 0};
    return (struct admit_spread){l->dim[d].limit, l->dim[d].bucket.burst};
}

static void place_out(const struct admit *a, uint32_t item, const struct forecast_place *place, int64_t now_us,
                      struct admit_place *out)
{
    int64_t eta = place->start_us == FORECAST_NEVER ? -1 : place->start_us > now_us ? place->start_us - now_us : 0;
    const struct item *it = &a->pick.queue.item[item];

    *out = (struct admit_place){
        .position = place->position, .ahead = place->position - 1,
        .eta_us = eta, .eta_error_us = eta < 0 ? 0 : promise_within_us(&a->promise[it->priority], eta),
        .reason = reason_of(a, it, place->upstream), .upstream = place->upstream,
    };
    out->spread = spread_of(a, out->reason, place->upstream);
}

void admit_place(struct admit *a, const struct admit_ticket *t, int64_t now_us, struct admit_place *out)
{
    struct admit_ticket *own = a->pick.queue.item[t->item].owner;
    struct forecast_place place;

    admit_look_ahead(a, true, now_us);
    place = forecast_of(&a->forecast, &a->pick, t->item, now_us);
    admit_promise(a, own, &place, now_us);
    place_out(a, t->item, &place, now_us, out);
}

static bool waits(const struct item *it)
{
    return it->state == ITEM_READY || it->state == ITEM_PARKED || it->state == ITEM_RESTING;
}

void admit_each_waiting(struct admit *a, int64_t now_us,
                        void (*visit)(void *ctx, void *job, const struct admit_place *place), void *ctx)
{
    const struct queue *q = &a->pick.queue;
    struct admit_place out;

    if (admit_waiting(a) == 0)
        return;
    admit_look_ahead(a, true, now_us);
    for (uint32_t i = 0; i < a->forecast.count; i++) {
        uint32_t item = a->forecast.order[i];
        const struct forecast_place *place = &a->forecast.place[item];
        struct admit_ticket *t = q->item[item].owner;

        if (!forecast_knows(&a->forecast, &a->pick, item) || place->guessed || !waits(&q->item[item]))
            continue;                             /* it left since */
        admit_promise(a, t, place, now_us);
        place_out(a, item, place, now_us, &out);
        visit(ctx, t->job, &out);
    }
    if (!a->stale)
        return;
    for (uint32_t i = 0; i < q->items; i++) {     /* those who came since */
        struct forecast_place place;

        if (!waits(&q->item[i]) || (forecast_knows(&a->forecast, &a->pick, i) && !a->forecast.place[i].guessed))
            continue;
        place = forecast_of(&a->forecast, &a->pick, i, now_us);
        place_out(a, i, &place, now_us, &out);
        visit(ctx, ((struct admit_ticket *)q->item[i].owner)->job, &out);
    }
}

static int64_t not_negative(int64_t n)
{
    return n > 0 ? n : 0;
}

static void dim_view(const struct limits *l, enum dim i, struct admit_told *told, struct admit_dim_view *v)
{
    const struct limits_dim *d = &l->dim[i];
    int64_t all = d->window.sum + d->held;

    window_advance(&told->drift, l->now_us);
    *v = (struct admit_dim_view){.provider_limit = d->told_limit, .provider_remaining = d->told_remaining,
                                 .provider_ago_us = told->at_us == ADMIT_NEVER_US ? 0 : l->now_us - told->at_us, .drift = told->drift.sum};
    if (!d->limit)
        return;
    v->limit = d->limit;
    v->allowed = d->allowed;
    v->reserved = d->open < all ? d->open : all;
    v->used = all - v->reserved;
    v->remaining = not_negative(d->allowed - all);
    v->left = bucket_tokens(&d->bucket);
    v->capacity = d->bucket.burst;
    if (d->held > 0)
        v->resets_in_us = dim_window_us(i);
    else if (d->window.sum > 0)
        v->resets_in_us = window_wait_us(&d->window, d->window.sum, l->now_us);
}

int64_t admit_waiting_for(const struct admit *a, int upstream)
{
    const struct queue *q = &a->pick.queue;
    int64_t n = 0;

    for (uint32_t i = 0; i < q->lines; i++) {
        if ((q->line[i].upstreams >> upstream) & 1)
            n += q->line[i].waiting;
    }
    return n;
}

void admit_view(struct admit *a, int upstream, int64_t now_us, struct admit_upstream_view *out)
{
    const struct pick_upstream *u = &a->pick.upstream[upstream];
    struct limits *l = &a->pick.limits[u->group];
    int64_t cooldown = u->cooldown_us > l->cooldown_us ? u->cooldown_us : l->cooldown_us;
    bool high = false;

    limits_tick(l, now_us);
    window_advance(&a->refused[upstream], now_us);
    memset(out, 0, sizeof *out);
    out->name = a->upstream[upstream].name;
    for (int d = 0; d < DIM_COUNT; d++) {
        struct admit_dim_view *v = &out->dim[d];

        dim_view(l, (enum dim)d, &a->told[u->group][d], v);
        high = high || (v->limit && (v->used + v->reserved) * 1000000 / v->limit >= WARN_PPM);
    }
    out->rate_ppm = limits_rate_ppm(l, &out->stabilizing_until_us);
    out->stabilizing = out->stabilizing_until_us > 0;
    out->cooldown_until_us = cooldown > now_us ? cooldown : 0;
    out->gone = a->upstream[upstream].gone;
    out->down = u->down;
    out->running = u->running;
    out->max_concurrent = out->gone ? 0 : u->max_concurrent;
    out->waiting = admit_waiting_for(a, upstream);
    out->calls = a->granted[upstream].calls;
    out->wait_us = a->granted[upstream].wait_us;
    out->provider_429s_24h = a->refused[upstream].sum;
    admit_outlook_turn(a, now_us);
    admit_outlook_view(a, u->group, &out->outlook);
    if (u->down || out->cooldown_until_us)
        out->status = ADMIT_ERROR;
    else
        out->status = high || out->stabilizing ? ADMIT_WARNING : ADMIT_HEALTHY;
}

void admit_counters(const struct admit *a, struct admit_counters *out)
{
    *out = a->counters;
    for (int p = 0; p < PRIORITY_COUNT; p++) {
        const struct promise *of = &a->promise[p];

        out->promises += of->made;
        out->promises_kept += of->kept;
        if (of->median_us > out->promise_error_us)
            out->promise_error_us = of->median_us;
        out->promise[p] = (struct admit_promises){of->made, of->kept, of->median_us};
    }
}
