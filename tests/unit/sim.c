/* sim.c - the simulated clock's event loop. */
#include "sim.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "rules/heap.h"

/* Output is counted and topped up this often. */
enum { PRODUCE_US = 500000 };

enum event { EVENT_ARRIVE, EVENT_REACH, EVENT_PRODUCE, EVENT_END };

struct run {
    struct sim *s;
    struct rng come;             /* who comes, when, and how long the answer will be: the same whatever Weir does */
    struct rng rng;              /* of the rest */
    struct heap events;          /* id = call * 4 + event */
    struct sim_call *call;
    uint32_t *free;              /* stack of free calls */
    uint32_t frees;
    uint64_t seq;
    struct sb saved;
    int64_t saved_us;
};

int64_t sim_log_normal(struct rng *r, double mean, double sigma, int64_t most)
{
    double u = 1.0 - rng_unit(r), v = rng_unit(r);
    double z = sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
    int64_t n = (int64_t)llround(mean * exp(sigma * z - sigma * sigma / 2));

    return n < 1 ? 1 : n > most ? most : n;
}

static void later(struct run *r, int64_t at_us, uint32_t call, enum event e)
{
    heap_push(&r->events, NULL, at_us, r->seq++, call * 4 + (uint32_t)e);
}

static void provider_count(struct run *r, const struct sim_call *c, int64_t requests, int64_t input, int64_t output, int64_t now)
{
    const int64_t n[DIM_COUNT] = {requests, requests, input + output, input + output, input, output};

    for (int d = 0; d < DIM_COUNT; d++) {
        strict_count(&r->s->limit[c->upstream][d], n[d], now);
        if (now >= SIM_START + r->s->settle_in_us)
            r->s->counted[d] += n[d];
    }
}

/* Over any limit? Which? */
static enum dim provider_refuses(struct run *r, const struct sim_call *c, int64_t now)
{
    int64_t out = r->s->keeps_max ? c->ask.max_tokens : 0, in = c->ask.prompt_tokens;
    const int64_t n[DIM_COUNT] = {1, 1, in + out, in + out, in, out};

    for (int d = 0; d < DIM_COUNT; d++) {
        if (strict_refuses(&r->s->limit[c->upstream][d], n[d], now))
            return (enum dim)d;
    }
    return DIM_COUNT;
}

static void provider_tells(struct run *r, const struct sim_call *c, int64_t now)
{
    struct provider_word w;

    memset(&w, 0xff, sizeof w);          /* every member -1 */
    for (int d = 0; d < DIM_COUNT; d++) {
        struct strict_limit *l = &r->s->limit[c->upstream][d];

        if (!l->limit)
            continue;
        w.limit[d] = l->limit;
        w.remaining[d] = strict_remaining(l, now) > 0 ? strict_remaining(l, now) : 0;
    }
    admit_provider_word(r->s->admit, c->upstream, &w, now);
}

static void call_free(struct run *r, struct sim_call *c)
{
    r->free[r->frees++] = (uint32_t)(c - r->call);
}

/* Arrivals a second at this time, and who comes. */
static double rate_at(const struct sim *s, int64_t now)
{
    return s->per_second + (s->wave ? s->wave(now - SIM_START) : 0);
}

static enum priority who_comes(struct run *r, int roll, int64_t now)
{
    struct sim *s = r->s;

    if (s->wave)
        return rng_unit(&r->come) * rate_at(s, now) < s->per_second ? PRIORITY_LOW : roll < s->high ? PRIORITY_HIGH : PRIORITY_MEDIUM;
    return roll < s->low ? PRIORITY_LOW : roll < s->low + s->high ? PRIORITY_HIGH : PRIORITY_MEDIUM;
}

static void arrive(struct run *r, int64_t now)
{
    struct sim *s = r->s;
    struct rng *rng = &r->come;
    int pool = s->users > 1 ? s->users - 1 + s->greed : 1;
    int user = (int)rng_below(rng, pool);
    int roll = (int)rng_below(rng, 100);
    struct sim_call *c = &r->call[r->free[--r->frees]];
    int64_t wait;

    user = user < s->greed ? 0 : user - s->greed + 1;
    *c = (struct sim_call){.user = user};
    c->output = sim_log_normal(rng, s->output_mean * (user % 2 ? 2 : 1), s->output_sigma, s->max_tokens);
    c->ask = (struct ask){
        .job = c, .upstreams = (UINT64_C(1) << s->upstreams) - 1, .user = 100 + (uint64_t)user, .model = 5,
        .priority = who_comes(r, roll, now),
        .prompt_tokens = s->prompt_least + rng_below(rng, s->prompt_most - s->prompt_least + 1),
        .max_tokens = s->max_tokens, .arrived_us = now, .deadline_us = now + s->wait_max_us,
    };
    s->asked++;
    if (admit_enqueue(s->admit, &c->ask, now, &c->ticket, &wait)) {
        s->rejected++;
        call_free(r, c);
    }
    later(r, now + 1 + (int64_t)(-log(1.0 - rng_unit(rng)) / rate_at(s, now) * 1e6), 0, EVENT_ARRIVE);
}

static void start_all(struct run *r, int64_t now)
{
    struct sim *s = r->s;
    struct admit_grant g;
    struct sim_call *c;

    while ((c = admit_expire(s->admit, now))) {
        s->expired++;
        call_free(r, c);
    }
    while (admit_next(s->admit, now, &g)) {
        c = g.job;
        c->ticket = g.ticket;
        c->upstream = g.upstream;
        c->granted_us = now;
        c->promised_us = g.wait.promised_us;
        c->reserved = g.reserved_output;
        s->started++;
        s->started_late += now >= SIM_START + s->settle_in_us;
        s->wait_us[c->ask.priority] += now - c->ask.arrived_us;
        s->waits[c->ask.priority]++;
        if (s->granted)
            s->granted(s, c, now);
        later(r, now + 5000 + rng_below(&r->rng, 150000), (uint32_t)(c - r->call), EVENT_REACH);
    }
}

static void reach(struct run *r, struct sim_call *c, int64_t now)
{
    struct sim *s = r->s;
    enum dim over = provider_refuses(r, c, now);
    int64_t delay;

    if (s->trouble_us && now >= SIM_START + s->trouble_us) {
        s->trouble_us = 0;
        over = DIM_REQUESTS_PER_MINUTE;
    }
    if (over != DIM_COUNT) {
        s->refused++;
        s->refused_late += now >= SIM_START + s->settle_in_us;
        provider_count(r, c, 1, 0, 0, now);
        if (!admit_retry(s->admit, c->ticket, FAULT_RATE_LIMIT, over, 2 * SEC, now, &delay))
            call_free(r, c);
        return;
    }
    provider_count(r, c, 1, c->ask.prompt_tokens, s->keeps_max ? c->ask.max_tokens : 0, now);
    if (s->headers)
        provider_tells(r, c, now);
    c->sent_us = now;
    c->end_us = now + s->first_us + c->output * s->token_us;
    later(r, c->end_us, (uint32_t)(c - r->call), EVENT_END);
    if (!s->whole && now + s->first_us + PRODUCE_US < c->end_us)
        later(r, now + s->first_us + PRODUCE_US, (uint32_t)(c - r->call), EVENT_PRODUCE);
}

static void produce(struct run *r, struct sim_call *c, int64_t now)
{
    int64_t n = (now - c->sent_us - r->s->first_us) / r->s->token_us;

    if (!r->s->keeps_max)
        provider_count(r, c, 0, 0, n - c->produced, now);
    c->produced = n;
    admit_topup(r->s->admit, c->ticket, r->s->hidden ? n / 2 : n, now);
    if (now + PRODUCE_US < c->end_us)
        later(r, now + PRODUCE_US, (uint32_t)(c - r->call), EVENT_PRODUCE);
}

static void end(struct run *r, struct sim_call *c, int64_t now)
{
    if (!r->s->keeps_max)
        provider_count(r, c, 0, 0, c->output - c->produced, now);
    r->s->user_tokens[c->user % SIM_USERS] += c->ask.prompt_tokens + c->output;
    r->s->reserved_by_used += (double)c->reserved / (double)c->output;
    admit_settle(r->s->admit, c->ticket, c->ask.prompt_tokens, c->output, now);
    c->ticket = NULL;
    call_free(r, c);
}

static void handle(struct run *r, struct heap_entry e)
{
    struct sim_call *c = &r->call[e.id / 4];

    switch ((enum event)(e.id % 4)) {
    case EVENT_ARRIVE: arrive(r, e.key); break;
    case EVENT_REACH: reach(r, c, e.key); break;
    case EVENT_PRODUCE: produce(r, c, e.key); break;
    case EVENT_END: end(r, c, e.key); break;
    }
}

/* The keeper's save, as of SIM's clock. */
static void save(struct run *r, int64_t now)
{
    sb_done(&r->saved);
    r->saved = sb_make(1 << 20);
    r->saved_us = now;
    if (r->s->save_every_us)
        admit_save_running(r->s->admit, r->s->save_every_us + SEC, now, now / 1000, &r->saved);
    else
        admit_save(r->s->admit, now, now / 1000, &r->saved);
}

/* Stopped or killed, and started again. What was on its way still reaches the provider; what was being written breaks off. */
static void begin_again(struct run *r, const struct admit_config *config, int64_t now)
{
    struct heap events = r->events;

    if (!r->s->save_every_us)
        save(r, now);
    admit_free(r->s->admit);
    r->s->admit = admit_new(config, r->s->seed, now);
    if (!sb_ok(&r->saved) || !admit_load(r->s->admit, sb_str(&r->saved), r->saved.len, now, now / 1000))
        abort();
    r->events = (struct heap){0};
    r->frees = 0;
    for (uint32_t i = SIM_CALLS; i-- > 0;)
        r->free[r->frees++] = i;
    for (uint32_t i = 0; i < events.n; i++) {
        struct sim_call *c = &r->call[events.v[i].id / 4];

        if (events.v[i].id % 4 == EVENT_ARRIVE)
            later(r, events.v[i].key, 0, EVENT_ARRIVE);
        else if (events.v[i].id % 4 == EVENT_REACH)
            provider_count(r, c, 1, c->ask.prompt_tokens, 0, now);
    }
    heap_done(&events);
}

static void tell(void *ctx, void *job, const struct admit_place *place)
{
    const int64_t *now = ctx;
    struct sim_call *c = job;

    if (c->shown_us || place->eta_us < 0)
        return;
    c->shown_us = *now + place->eta_us;
    c->within_us = place->eta_error_us;
}

void sim_run(struct sim *s)
{
    struct admit_config c = {.upstreams = s->upstream, .upstream_count = s->upstreams, .queue_max = s->queue_max,
                             .retry_budget_ppm = 100000};
    struct run r = {.s = s, .come = rng_make(s->seed + 1), .rng = rng_make(s->seed), .saved_us = INT64_MIN / 2};
    int64_t now = SIM_START, told = now, restart = s->restart_every_us ? SIM_START + s->restart_every_us : INT64_MAX;

    r.call = mem_zalloc(SIM_CALLS, sizeof *r.call);
    r.free = mem_zalloc(SIM_CALLS, sizeof *r.free);
    for (uint32_t i = SIM_CALLS; i-- > 0;)
        r.free[r.frees++] = i;
    for (size_t u = 0; u < s->upstreams; u++)
        s->upstream[u].patience = (struct admit_patience){5, SEC, 300 * SEC, 900 * SEC};
    s->admit = admit_new(&c, s->seed, now);
    if (s->past)
        admit_recall(s->admit, s->past, now);
    s->end_us = now + s->duration_us;
    for (size_t u = 0; u < s->upstreams; u++) {
        for (int d = 0; d < DIM_COUNT; d++)
            strict_init(&s->limit[u][d], s->kind, s->upstream[u].limit[d], dim_window_us((enum dim)d), now);
    }
    later(&r, now, 0, EVENT_ARRIVE);
    while (now < s->end_us) {
        int64_t wake = admit_wake_us(s->admit, now);

        now = wake > now && wake < r.events.v[0].key ? wake : r.events.v[0].key > now ? r.events.v[0].key : now;
        if (s->save_every_us && now >= r.saved_us + s->save_every_us)
            save(&r, now);
        if (now >= restart) {
            begin_again(&r, &c, now);
            restart += s->restart_every_us;
        }
        while (r.events.v[0].key <= now)
            handle(&r, heap_pop(&r.events, NULL));
        start_all(&r, now);
        if (s->tell_every_us && now >= told + s->tell_every_us) {
            admit_each_waiting(s->admit, now, tell, &now);
            told = now;
        }
    }
    heap_done(&r.events);
    sb_done(&r.saved);
    free(r.call);
    free(r.free);
}

void sim_done(struct sim *s)
{
    admit_free(s->admit);
    for (size_t u = 0; u < s->upstreams; u++) {
        for (int d = 0; d < DIM_COUNT; d++)
            free(s->limit[u][d].event);
    }
}
