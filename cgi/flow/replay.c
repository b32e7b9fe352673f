/* replay.c - the virtual clock: arrivals, grants, answers of the provider, ends. */
#include "flow/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "flow/admission.h"
#include "flow/replay_meter.h"
#include "flow/replay_parts.h"
#include "flow/replay_sum.h"
#include "rules/heap.h"

enum {
    TELL_US = 250 * 1000,          /* those who wait are told where they stand at most this often */
    TELL_LEAST_US = 250 * 1000,    /* and admission what a call has written, … */
    TELLS_MOST = 16                /* … so often at most */
};

#define START (100000 * USEC_PER_SEC)      /* the virtual clock's beginning: windows reach back an hour */
#define RETRY_LEAST_US USEC_PER_SEC

enum event { EVENT_TELL, EVENT_END };

struct run_call {
    struct admit_ticket *ticket;
    int64_t began_us;
    int64_t produced;              /* of the answer */
    uint8_t upstream;
    bool lined;                    /* counted among those who wait */
    bool ended;
};

struct replay {
    const struct traffic *t;
    struct replay_setup setup;
    struct replay_result out;
    struct admit *admit;
    struct traffic_call *call;     /* as recorded, with what is missing made up */
    struct run_call *state;
    uint64_t *serves;              /* by model: upstreams */
    size_t *group;                 /* by upstream: the first of its quota group */
    struct replay_meter *meter;    /* by group and dimension */
    struct heap events;
    uint64_t seq;
    struct replay_wait *wait;
    size_t waits, arrived;
    uint32_t *fresh;               /* arrived at this instant and not yet granted */
    size_t fresh_n;
    struct replay_contest contest;
    int64_t now_us, tell_us;
};

/* --- before it begins --- */

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* Whose limits hold for an upstream: the first of its quota group that is there, in the order of configuration. */
static size_t leader(const struct settings *s, size_t of)
{
    size_t first = of;

    for (size_t i = 0; i < s->n_upstreams; i++) {
        const struct upstream_settings *u = &s->upstreams[i];

        if (u->enabled && u->rank < s->upstreams[first].rank && same(u->quota_group, s->upstreams[of].quota_group))
            first = i;
    }
    return first;
}

static void set_meters(struct replay *r)
{
    const struct settings *s = r->setup.settings;
    size_t count = s->n_upstreams;

    r->group = mem_zalloc(count, sizeof *r->group);
    r->meter = mem_zalloc(count * DIM_COUNT, sizeof *r->meter);
    for (size_t i = 0; i < count; i++) {
        r->group[i] = leader(s, i);
        for (int d = 0; d < DIM_COUNT; d++) {
            r->meter[i * DIM_COUNT + (size_t)d].window_us = dim_window_us((enum dim)d);
            if (r->setup.provider)
                r->meter[i * DIM_COUNT + (size_t)d].limit = r->setup.provider[i][d];
        }
    }
}

/* --- who waits --- */

/* The rest of the fresh ones wait. */
static void line_up(struct replay *r)
{
    for (size_t i = 0; i < r->fresh_n; i++) {
        struct run_call *st = &r->state[r->fresh[i]];

        if (!st->ticket || st->began_us || st->ended)
            continue;
        st->lined = true;
        replay_contest_enter(&r->contest, r->call[r->fresh[i]].user);
    }
    r->fresh_n = 0;
}

static void step_out(struct replay *r, uint32_t i, int64_t tokens)
{
    if (r->state[i].lined)
        replay_contest_leave(&r->contest, r->call[i].user, tokens);
    r->state[i].lined = false;
}

/* --- the provider --- */

static struct replay_meter *meters(struct replay *r, const struct run_call *st)
{
    return &r->meter[r->group[st->upstream] * DIM_COUNT];
}

static const struct tuning_settings *tuning(const struct replay *r, const struct run_call *st)
{
    return &r->setup.settings->upstreams[st->upstream].tune;
}

static void count(struct replay *r, const struct run_call *st, int64_t requests, int64_t input, int64_t output)
{
    const int64_t n[DIM_COUNT] = {requests, requests, input + output, input + output, input, output};

    for (int d = 0; d < DIM_COUNT; d++)
        replay_meter_add(&meters(r, st)[d], n[d], r->now_us);
}

/* The limit that refuses, and how long; DIM_COUNT: none does. */
static enum dim refuses(struct replay *r, const struct traffic_call *c, const struct run_call *st, int64_t *wait_us)
{
    int64_t out = tuning(r, st)->reserve_output == RESERVE_OUTPUT_MAX ? c->max_tokens : 0;
    const int64_t n[DIM_COUNT] = {1, 1, c->input + out, c->input + out, c->input, out};
    enum dim longest = DIM_COUNT;

    *wait_us = 0;
    for (int d = 0; d < DIM_COUNT; d++) {
        int64_t wait = replay_meter_wait_us(&meters(r, st)[d], n[d], r->now_us);

        if (wait > *wait_us) {
            *wait_us = wait;
            longest = (enum dim)d;
        }
    }
    return longest;
}

/* --- what happens --- */

static void later(struct replay *r, int64_t at_us, uint32_t call, enum event e)
{
    heap_push(&r->events, NULL, at_us, r->seq++, call * 2 + (uint32_t)e);
}

static void arrive(struct replay *r, uint32_t i)
{
    const struct traffic_call *c = &r->call[i];
    struct ask ask = {
        .job = &r->state[i], .upstreams = r->serves[c->model], .priority = c->priority, .user = c->user + UINT64_C(1),
        .weight = r->t->weight ? r->t->weight[c->user] : 0,
        .session = c->session, .model = c->model + UINT64_C(1), .prompt_tokens = c->prompt,
        .max_tokens = c->max_tokens > 0 ? c->max_tokens : 1, .arrived_us = START + c->at_us,
        .deadline_us = START + c->at_us + r->setup.settings->queue.max_wait_us,
    };
    int64_t wait;

    r->arrived++;
    if (!ask.upstreams)
        r->out.unserved++;
    if (!ask.upstreams || admit_enqueue(r->admit, &ask, r->now_us, &r->state[i].ticket, &wait)) {
        r->out.refused++;
        r->state[i].ended = true;
        return;
    }
    r->fresh[r->fresh_n++] = i;
}

static void refused(struct replay *r, uint32_t i, enum dim dim, int64_t wait_us)
{
    struct run_call *st = &r->state[i];
    int64_t delay;

    r->out.answers_429++;
    count(r, st, 1, 0, 0);
    if (admit_retry(r->admit, st->ticket, FAULT_RATE_LIMIT, dim, wait_us > RETRY_LEAST_US ? wait_us : RETRY_LEAST_US, r->now_us,
                    &delay)) {
        r->out.retries++;
        return;
    }
    step_out(r, i, 0);
    st->ended = true;
    r->out.failed++;
}

/* What a call has written is told several times a second, as the engine does; of a long one less often. */
static void plan_tell(struct replay *r, uint32_t i)
{
    const struct traffic_call *c = &r->call[i];
    int64_t writes_us = r->state[i].began_us + c->first_us, step_us = c->writing_us / TELLS_MOST;
    int64_t at_us = (r->now_us > writes_us ? r->now_us : writes_us) + (step_us > TELL_LEAST_US ? step_us : TELL_LEAST_US);

    if (at_us < writes_us + c->writing_us)
        later(r, at_us, i, EVENT_TELL);
}

static void granted(struct replay *r, const struct admit_grant *g)
{
    uint32_t i = (uint32_t)((struct run_call *)g->job - r->state);
    const struct traffic_call *c = &r->call[i];
    struct run_call *st = &r->state[i];
    int64_t wait_us;
    enum dim over;

    st->ticket = g->ticket;
    st->upstream = (uint8_t)g->upstream;
    over = refuses(r, c, st, &wait_us);
    if (over != DIM_COUNT) {
        refused(r, i, over, wait_us);
        return;
    }
    count(r, st, 1, c->input, tuning(r, st)->reserve_output == RESERVE_OUTPUT_MAX ? c->max_tokens : 0);
    step_out(r, i, c->input + c->output);
    st->began_us = r->now_us;
    r->wait[r->waits++] = (struct replay_wait){r->now_us - START - c->at_us, c->user, c->priority};
    replay_sum_started(&r->out, c);
    plan_tell(r, i);
    later(r, r->now_us + c->first_us + c->writing_us, i, EVENT_END);
}

/* The answer came so far. A provider that counts max_tokens at the start has counted it. */
static void produced(struct replay *r, struct run_call *st, int64_t output)
{
    if (tuning(r, st)->reserve_output != RESERVE_OUTPUT_MAX)
        count(r, st, 0, 0, output - st->produced);
    st->produced = output;
}

static void handle(struct replay *r, struct heap_entry e)
{
    uint32_t i = e.id / 2;
    const struct traffic_call *c = &r->call[i];
    struct run_call *st = &r->state[i];

    if (st->ended)
        return;
    switch ((enum event)(e.id % 2)) {
    case EVENT_TELL:
        produced(r, st, (int64_t)((__int128)c->output * (r->now_us - st->began_us - c->first_us) / c->writing_us));
        admit_topup(r->admit, st->ticket, st->produced, r->now_us);
        plan_tell(r, i);
        return;
    case EVENT_END:
        produced(r, st, c->output);
        admit_settle(r->admit, st->ticket, c->input, c->output, r->now_us);
        st->ended = true;
        return;
    }
}

static void expired(struct replay *r, uint32_t i)
{
    step_out(r, i, 0);
    r->state[i].ended = true;
    r->out.timed_out++;
}

static void nobody(void *ctx, void *job, const struct admit_place *place)
{
    (void)ctx, (void)job, (void)place;
}

static void turn(struct replay *r)
{
    struct admit_grant g;
    struct run_call *st;

    while (r->arrived < r->t->n && START + r->call[r->arrived].at_us <= r->now_us)
        arrive(r, (uint32_t)r->arrived);
    while (r->events.n && r->events.v[0].key <= r->now_us)
        handle(r, heap_pop(&r->events, NULL));
    while (admit_next(r->admit, r->now_us, &g))
        granted(r, &g);
    while ((st = admit_expire(r->admit, r->now_us)))
        expired(r, (uint32_t)(st - r->state));
    line_up(r);
    if (r->setup.promises && r->now_us >= r->tell_us) {
        admit_each_waiting(r->admit, r->now_us, nobody, NULL);
        r->tell_us = r->now_us + TELL_US;
    }
}

/* When something happens next; INT64_MAX: never. */
static int64_t next_us(const struct replay *r)
{
    int64_t next = r->arrived < r->t->n ? START + r->call[r->arrived].at_us : INT64_MAX;
    int64_t wake = admit_wake_us(r->admit, r->now_us);

    if (r->events.n && r->events.v[0].key < next)
        next = r->events.v[0].key;
    if (wake <= r->now_us)                     /* it wants to be asked again at once; the clock goes on */
        wake = r->now_us + 1;
    return wake < next ? wake : next;
}

bool replay_step(struct replay *r, int64_t turns)
{
    int64_t next = next_us(r);

    for (; turns > 0 && next != INT64_MAX; turns--, next = next_us(r)) {
        r->now_us = next > r->now_us ? next : r->now_us;
        turn(r);
    }
    return next != INT64_MAX;
}

/* --- after it ended --- */

static void sum_limits(struct replay *r)
{
    const struct settings *s = r->setup.settings;
    size_t count = s->n_upstreams;
    int64_t span = r->out.span_us > 0 ? r->out.span_us : 1;

    r->out.limit = mem_zalloc(count * DIM_COUNT, sizeof *r->out.limit);
    for (size_t i = 0; i < count; i++) {
        const struct tuning_settings *u = &s->upstreams[i].tune;
        const int64_t limit[DIM_COUNT] = {u->limits.requests_per_minute, u->limits.requests_per_hour, u->limits.tokens_per_minute,
                                          u->limits.tokens_per_hour, u->limits.input_tokens_per_minute,
                                          u->limits.output_tokens_per_minute};

        for (int d = 0; d < DIM_COUNT && r->group[i] == i; d++) {
            const struct replay_meter *m = &r->meter[i * DIM_COUNT + (size_t)d];
            int64_t windows_us = span > m->window_us ? span : m->window_us;

            if (!limit[d] || !m->total)
                continue;
            r->out.limit[r->out.limits++] = (struct replay_limit){
                .upstream = i, .dim = (enum dim)d, .limit = limit[d],
                .peak_ppm = (int32_t)((__int128)m->peak * 1000000 / limit[d]),
                .mean_ppm = (int32_t)((__int128)m->total * m->window_us * 1000000 / ((__int128)limit[d] * windows_us)),
            };
        }
    }
}

static void sum_up(struct replay *r)
{
    struct admit_counters c;

    admit_counters(r->admit, &c);
    r->out.promises = c.promises;
    r->out.kept = c.promises_kept;
    r->out.span_us = r->now_us - START;
    replay_sum_waits(&r->out, r->wait, r->waits);
    r->out.jain_ppm = replay_contest_sum(&r->contest, r->t->weight, &r->out.contenders);
    sum_limits(r);
}

struct replay *replay_new(const struct traffic *t, const struct replay_setup *setup)
{
    struct replay *r = mem_zalloc(1, sizeof *r);

    r->t = t;
    r->setup = *setup;
    r->now_us = START;
    replay_sum_begin(t, &r->out);
    r->call = replay_calls(t, setup->priority);
    r->serves = replay_serves(t, setup->settings);
    set_meters(r);
    r->state = mem_zalloc(t->n, sizeof *r->state);
    r->wait = mem_zalloc(t->n, sizeof *r->wait);
    r->fresh = mem_zalloc(t->n, sizeof *r->fresh);
    replay_contest_init(&r->contest, t->users.n);
    r->admit = admission_new(setup->settings, setup->seed, START);
    return r;
}

void replay_end(struct replay *r, struct replay_result *out)
{
    size_t count = r ? r->setup.settings->n_upstreams : 0;

    if (!r)
        return;
    if (out) {
        sum_up(r);
        *out = r->out;
    } else
        replay_done(&r->out);
    admit_free(r->admit);
    for (size_t i = 0; i < count * DIM_COUNT; i++)
        replay_meter_done(&r->meter[i]);
    free(r->meter);
    free(r->group);
    free(r->serves);
    free(r->call);
    free(r->state);
    free(r->wait);
    free(r->fresh);
    replay_contest_done(&r->contest);
    heap_done(&r->events);
    free(r);
}

void replay_run(const struct traffic *t, const struct replay_setup *setup, struct replay_result *out)
{
    struct replay *r = replay_new(t, setup);

    while (replay_step(r, INT64_MAX)) {
    }
    replay_end(r, out);
}
