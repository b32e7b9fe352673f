/* The limits against a slow exact model: every event remembered with its exact
 * time, levels in 128-bit integers, a million random steps. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "rules/limits.h"

#define SEC INT64_C(1000000)
#define START (50000 * SEC)

enum { OPEN_MAX = 64 };

struct event {
    int64_t at_us, n;
};

struct exact {                       /* one dimension, as it should be */
    int64_t limit, window_us, burst;
    __int128 level;                  /* parts of 1 / window_us */
    int64_t at_us;
    struct event *event;
    size_t first, count, cap;
    int64_t sum, held;
};

struct open_call {
    struct limits_hold hold;
    size_t event[DIM_COUNT];
};

struct world {
    struct limits l;
    struct exact dim[DIM_COUNT];
    struct open_call open[OPEN_MAX];
    int opens;
    int64_t now;
    int64_t debts;                   /* looks that found a bucket below nothing */
    struct rng rng;
};

static bool counts_in(int d) { return d == 2 || d == 3 || d == 4; }
static bool counts_out(int d) { return d == 2 || d == 3 || d == 5; }

static int64_t share(int d, int64_t in, int64_t out)
{
    return d < 2 ? 1 : (counts_in(d) ? in : 0) + (counts_out(d) ? out : 0);
}

static void exact_advance(struct exact *x, int64_t now)
{
    if (now > x->at_us) {
        x->level += (__int128)(now - x->at_us) * x->limit;
        if (x->level > (__int128)x->burst * x->window_us)
            x->level = (__int128)x->burst * x->window_us;
        x->at_us = now;
    }
    while (x->first < x->count && x->event[x->first].at_us <= now - x->window_us)
        x->sum -= x->event[x->first++].n;
}

static size_t exact_count(struct exact *x, int64_t n, int64_t now)
{
    if (x->count == x->cap) {
        x->cap = x->cap ? x->cap * 2 : 4096;
        x->event = mem_grow(x->event, x->cap, sizeof *x->event);
    }
    x->event[x->count] = (struct event){now, n};
    x->sum += n;
    return x->count++;
}

static void exact_give(struct exact *x, int64_t n)
{
    x->level += (__int128)n * x->window_us;
    if (x->level > (__int128)x->burst * x->window_us)
        x->level = (__int128)x->burst * x->window_us;
}

static void world_begin(struct world *w, uint64_t seed)
{
    struct limits_config c = {.limit = {60, 2400, 20000, 800000, 15000, 9000}, .burst_requests = 12};

    memset(w, 0, sizeof *w);
    w->rng = rng_make(seed);
    w->now = START;
    limits_init(&w->l, &c, START);
    for (int d = 0; d < DIM_COUNT; d++) {
        struct exact *x = &w->dim[d];

        *x = (struct exact){.limit = c.limit[d], .window_us = dim_window_us((enum dim)d), .at_us = START,
                            .burst = d == 0 ? 12 : c.limit[d] / 6};
        x->level = (__int128)x->burst * x->window_us;
    }
}

static void world_end(struct world *w)
{
    for (int d = 0; d < DIM_COUNT; d++)
        free(w->dim[d].event);
}

/* What streams under way and a call that starts now may have added so long after now, stream by stream: a stream that told nothing
 * yet all that is set aside for it, the others no more than that at their speed, some of them since a while. */
static double may_come(const struct world *w, const struct limits_need *need, int d, int64_t after_us)
{
    double speed = (double)w->l.speed / 1e6, after = (double)after_us, sum = (double)share(d, need->input, 0);

    if (!counts_out(d))
        return sum;
    sum += w->l.speed ? fmin((double)need->output, speed * after) : (double)need->output;
    if (w->opens > 0)
        sum += (double)w->l.surprise;
    for (int i = 0, told = 0; i < w->opens; i++) {
        const struct limits_hold *h = &w->open[i].hold;
        double left = (double)(h->output - h->produced);

        if (h->produced > 0 && w->l.hidden.took_ms > 0)
            sum += (double)(w->l.hidden.tokens_ms / w->l.hidden.took_ms) / 2 - 1;

        if (h->produced == 0 || !w->l.speed)
            sum += left;
        else
            sum += fmin(left, speed * (after + (told++ < 8 ? 700000 : 0)) - 1);
    }
    return sum;
}

/* At no moment from now on would more than the limit be used: as events leave, and what is set aside comes. */
static void check_ahead(const struct world *w, const struct limits_need *need, int d)
{
    const struct exact *x = &w->dim[d];
    double left = (double)x->sum, all = may_come(w, need, d, INT64_MAX / 2);

    for (size_t i = x->first; i < x->count && left + all > (double)x->limit; i++) {
        double then = left + may_come(w, need, d, x->event[i].at_us + x->window_us - 1 - w->now);

        ck_assert_msg(then <= (double)x->limit, "dimension %d: %.1f of %lld in the window some time", d, then, (long long)x->limit);
        left -= (double)x->event[i].n;
    }
    ck_assert_msg(left + all <= (double)x->limit, "dimension %d: %.1f of %lld in the end", d, left + all, (long long)x->limit);
}

/* A start: right by the model? And if refused: nothing changed, and the wait told is exact. */
static void step_start(struct world *w)
{
    struct limits_need need = {1 + rng_below(&w->rng, 600), 1 + rng_below(&w->rng, 300), LIMITS_USUAL, false};
    struct limits before = w->l;
    enum gate why = GATE_NONE;
    int64_t wait;
    struct open_call *c = &w->open[w->opens];

    if (rng_below(&w->rng, 200) == 0)
        need.input = 3000 + rng_below(&w->rng, 9000);            /* larger than a burst */
    wait = limits_wait_us(&w->l, &need, &why);
    ck_assert_mem_eq(&before, &w->l, sizeof before);
    if (wait > 0 && wait != LIMITS_NOT_BY_TIME) {
        limits_tick(&before, w->now + wait - 1);
        ck_assert_int_gt(limits_wait_us(&before, &need, &why), 0);
        limits_tick(&before, w->now + wait);
        ck_assert_int_eq(limits_wait_us(&before, &need, &why), 0);
    }
    if (wait > 0 || w->opens == OPEN_MAX)
        return;
    for (int d = 0; d < DIM_COUNT; d++)
        check_ahead(w, &need, d);
    c->hold = limits_take(&w->l, &need);
    w->opens++;
    for (int d = 0; d < DIM_COUNT; d++) {
        struct exact *x = &w->dim[d];
        int64_t n = share(d, need.input, need.output), out = counts_out(d) ? need.output : 0;
        __int128 must = (__int128)(n < x->burst ? n : x->burst) * x->window_us;

        ck_assert_msg(x->level >= must, "dimension %d: the bucket was passed", d);
        x->level -= (__int128)n * x->window_us;
        c->event[d] = exact_count(x, n - out, w->now);
        x->held += out;
    }
}

static void exact_amend(struct exact *x, size_t event, int64_t n)
{
    if (event >= x->first)
        x->sum += n;
    x->event[event].n += n;
}

static void exact_settle(struct exact *x, const struct open_call *c, int d, int64_t in, int64_t out, int64_t now)
{
    if (counts_in(d) && in <= c->hold.input)
        exact_amend(x, c->event[d], in - c->hold.input);
    else if (counts_in(d))
        (void)exact_count(x, in - c->hold.input, now);
    if (counts_out(d)) {
        x->held -= c->hold.output - c->hold.produced;
        (void)exact_count(x, out - c->hold.produced, now);
    }
    exact_give(x, share(d, c->hold.input, c->hold.output) - share(d, in, out));
}

/* It ends, one in eight with more than was set aside: a debt. */
static void step_end(struct world *w)
{
    int i = (int)rng_below(&w->rng, w->opens);
    struct open_call *c = &w->open[i];
    int64_t in = c->hold.input - rng_below(&w->rng, c->hold.input / 4 + 1);
    int64_t out = c->hold.produced + rng_below(&w->rng, c->hold.output - c->hold.produced + 1);

    if (w->opens == 0)
        return;
    if (rng_below(&w->rng, 8) == 0) {
        in = c->hold.input + rng_below(&w->rng, 50);
        out = c->hold.output + rng_below(&w->rng, 400);
    }
    limits_settle(&w->l, &c->hold, in, out);
    for (int d = 0; d < DIM_COUNT; d++)
        exact_settle(&w->dim[d], c, d, in, out, w->now);
    *c = w->open[--w->opens];
}

/* The provider refuses it, or it never got there. */
static void step_release(struct world *w)
{
    struct open_call *c = &w->open[rng_below(&w->rng, w->opens)];
    bool reached = rng_below(&w->rng, 2);

    if (w->opens == 0)
        return;
    limits_release(&w->l, &c->hold, reached);
    for (int d = 0; d < DIM_COUNT; d++) {
        struct exact *x = &w->dim[d];
        int64_t counted = d < 2 ? !reached : counts_in(d) ? c->hold.input : 0;
        int64_t held = counts_out(d) ? c->hold.output - c->hold.produced : 0;

        exact_amend(x, c->event[d], -counted);
        x->held -= held;
        exact_give(x, counted + held);
    }
    *c = w->open[--w->opens];
}

/* More came, no faster than so many tokens a second; one time in a hundred more than was set aside. What is nearly outgrown is topped
 * up, into debt if need be. */
static void step_produce(struct world *w)
{
    enum { SPEED = 40 };
    struct open_call *c = &w->open[rng_below(&w->rng, w->opens)];
    int64_t left = c->hold.output - c->hold.produced, most = (w->now - c->hold.produced_us) * SPEED / SEC;
    int64_t fresh = rng_below(&w->rng, (left < most ? left : most) + 1) + (rng_below(&w->rng, 100) ? 0 : rng_below(&w->rng, 300));
    int64_t output = c->hold.produced + fresh, reserve = output + output / 4 + 16;
    int64_t more = output + (reserve - output) / 2 > c->hold.output ? reserve - c->hold.output : 0;

    if (w->opens == 0)
        return;
    for (int d = 0; d < DIM_COUNT; d++) {
        if (!counts_out(d))
            continue;
        w->dim[d].level -= (__int128)more * w->dim[d].window_us;
        w->dim[d].held += more - fresh;
        (void)exact_count(&w->dim[d], fresh, w->now);
    }
    limits_produced(&w->l, &c->hold, output, reserve);
    ck_assert_int_ge(c->hold.output, output);
}

static void step_time(struct world *w)
{
    int64_t steps[] = {0, 1, 1000, 40000, 400000, 2 * SEC, -SEC, -3600 * SEC};
    int64_t by = steps[rng_below(&w->rng, 8)];
    int64_t roll = rng_below(&w->rng, 20000);

    if (roll == 0)
        by = 2 * 3600 * SEC;                                     /* the machine slept */
    else if (by > 0)
        by += rng_below(&w->rng, by);
    limits_tick(&w->l, w->now + by);
    if (by > 0)
        w->now += by;
    for (int d = 0; d < DIM_COUNT; d++)
        exact_advance(&w->dim[d], w->now);
}

/* What ours counts is never less than the truth, and no more than the truth of a window two slots longer. */
static void compare(struct world *w)
{
    for (int d = 0; d < DIM_COUNT; d++) {
        const struct exact *x = &w->dim[d];
        const struct limits_dim *o = &w->l.dim[d];
        int64_t longer = x->sum;

        for (size_t i = x->first; i-- > 0 && x->event[i].at_us > w->now - x->window_us - 2 * x->window_us / WINDOW_SLOTS;)
            longer += x->event[i].n;
        ck_assert_int_eq(o->held, x->held);
        ck_assert_int_ge(o->window.sum, x->sum);
        ck_assert_int_le(o->window.sum, longer);
        ck_assert_int_eq(o->bucket.level, (int64_t)x->level);
        w->debts += x->level < 0;
    }
}

START_TEST(a_million_random_steps_agree_with_an_exact_model)
{
    static struct world w;

    for (uint64_t seed = 1; seed <= 4; seed++) {
        printf("seed %llu\n", (unsigned long long)seed);
        world_begin(&w, seed);
        for (int i = 0; i < UNIT_TIMES(250000); i++) {
            switch (rng_below(&w.rng, 5)) {
            case 0:
            case 1: step_start(&w); break;
            case 2: rng_below(&w.rng, 6) ? step_end(&w) : step_release(&w); break;
            case 3: step_produce(&w); break;
            default: step_time(&w); break;
            }
            if (i % 16 == 0)
                compare(&w);
        }
        ck_assert_int_gt(w.debts, UNIT_TIMES(100));
        world_end(&w);
    }
}
END_TEST

static struct limits *made(const struct limits_config *c)
{
    struct limits *l = mem_zalloc(1, sizeof *l);

    limits_init(l, c, START);
    return l;
}

START_TEST(a_call_that_was_never_sent_leaves_no_trace)
{
    for (int at_start = 0; at_start < 2; at_start++) {
        struct limits *l = made(&(struct limits_config){.limit = {60, 3000, 6000, 100000, 5000, 4000}});
        struct limits before = *l;
        struct limits_hold h = limits_take(l, &(struct limits_need){100, 50, LIMITS_USUAL, at_start});

        limits_release(l, &h, false);
        l->last_start_us = before.last_start_us;
        ck_assert_mem_eq(&before, l, sizeof before);
        free(l);
    }
}
END_TEST

START_TEST(a_stream_that_outgrows_its_reservation_is_a_debt_paid_before_anything_else)
{
    struct limits *l = made(&(struct limits_config){.limit = {0, 0, 6000, 0, 0, 0}});      /* a hundred a second, burst 1,000 */
    struct limits_hold h = limits_take(l, &(struct limits_need){500, 100, LIMITS_USUAL, false});
    enum gate why = GATE_NONE;

    limits_produced(l, &h, 1000, 1500);
    ck_assert_int_eq(h.output, 1500);
    ck_assert_int_eq(bucket_tokens(&l->dim[2].bucket), -1000);
    limits_settle(l, &h, 500, 1200);
    ck_assert_int_eq(bucket_tokens(&l->dim[2].bucket), -700);
    ck_assert_int_eq(l->dim[2].held, 0);
    ck_assert_int_eq(l->dim[2].open, 0);
    ck_assert_int_eq(l->dim[2].window.sum, 1700);
    ck_assert_int_eq(limits_wait_us(l, &(struct limits_need){90, 10, LIMITS_USUAL, false}, &why), 8 * SEC);
    ck_assert_int_eq(why, (enum gate)(GATE_SPREAD + DIM_TOKENS_PER_MINUTE));
    free(l);
}
END_TEST

START_TEST(whether_the_pace_of_a_limit_holds_or_its_sum_is_told)
{
    struct limits *paced = made(&(struct limits_config){.limit = {0, 0, 6000, 0, 0, 0}});     /* burst 1,000 */
    struct limits *used_up = made(&(struct limits_config){.limit = {0, 0, 6000, 0, 0, 0}, .burst_tokens = 6000});
    struct limits_need all = {900, 100, LIMITS_USUAL, true}, next = {90, 10, LIMITS_USUAL, false};
    enum gate why = GATE_NONE;
    enum dim d = DIM_COUNT;

    limits_take(paced, &all);
    ck_assert_int_eq(limits_wait_us(paced, &next, &why), SEC);
    ck_assert(gate_spreads(why, &d));
    ck_assert_int_eq(d, DIM_TOKENS_PER_MINUTE);
    ck_assert_str_eq(gate_name(why), "tokens_per_minute");
    for (int i = 0; i < 6; i++)
        limits_take(used_up, &all);
    ck_assert_int_gt(limits_wait_us(used_up, &next, &why), 59 * SEC);     /* a second fills the bucket, but not the minute */
    ck_assert(!gate_spreads(why, &d));
    ck_assert_int_eq(why, (enum gate)DIM_TOKENS_PER_MINUTE);
    free(paced);
    free(used_up);
}
END_TEST

START_TEST(output_told_ahead_of_its_time_is_given_back)
{
    struct limits *l = made(&(struct limits_config){.limit = {0, 0, 6000, 0, 0, 0}});
    struct limits_hold h = limits_take(l, &(struct limits_need){500, 100, LIMITS_USUAL, false});

    limits_produced(l, &h, 200, 300);
    ck_assert_int_eq(l->dim[2].window.sum + l->dim[2].held, 800);
    limits_settle(l, &h, 500, 120);
    ck_assert_int_eq(l->dim[2].window.sum, 620);
    ck_assert_int_eq(l->dim[2].held, 0);
    ck_assert_int_eq(bucket_tokens(&l->dim[2].bucket), 380);
    free(l);
}
END_TEST

START_TEST(an_ask_larger_than_the_burst_starts_on_a_full_bucket)
{
    struct limits *l = made(&(struct limits_config){.limit = {0, 0, 6000, 0, 0, 0}});
    struct limits_need large = {3900, 100, LIMITS_USUAL, false}, small = {90, 10, LIMITS_USUAL, false}, never = {5990, 11, LIMITS_USUAL, false};
    enum gate why = GATE_NONE;

    ck_assert_int_eq(limits_wait_us(l, &large, &why), 0);
    (void)limits_take(l, &small);
    ck_assert_int_eq(limits_wait_us(l, &large, &why), SEC);      /* until it is full again */
    limits_tick(l, START + SEC);
    (void)limits_take(l, &large);
    ck_assert_int_eq(limits_wait_us(l, &small, &why), 31 * SEC); /* 3,000 of debt, 100 to take */
    ck_assert(limits_too_large(l, &never));
    ck_assert(!limits_too_large(l, &large));
    free(l);
}
END_TEST

START_TEST(the_reserve_is_for_high_and_lent_while_no_high_asks)
{
    struct limits *l = made(&(struct limits_config){.limit = {60, 0, 0, 0, 0, 0}, .burst_requests = 20, .reserve_ppm = 150000});
    struct limits_need low = {1, 1, LIMITS_USUAL, false}, high = {1, 1, LIMITS_HIGH, false};
    enum gate why = GATE_NONE;

    for (int i = 0; i < 17; i++)
        (void)limits_take(l, &low);
    ck_assert_int_eq(limits_wait_us(l, &low, &why), 0);           /* nobody High was seen: lent */
    limits_high_asked(l, START);
    ck_assert_int_eq(limits_wait_us(l, &low, &why), SEC);         /* three of twenty are kept */
    ck_assert_int_eq(limits_wait_us(l, &high, &why), 0);
    limits_tick(l, START + 60 * SEC);
    for (int i = 0; i < 17; i++)
        (void)limits_take(l, &low);
    ck_assert_int_eq(limits_wait_us(l, &low, &why), 0);           /* a minute later: lent again */
    free(l);
}
END_TEST

START_TEST(what_the_provider_says_only_makes_things_stricter)
{
    struct limits *l = made(&(struct limits_config){.limit = {60, 0, 6000, 0, 0, 0}});
    struct limits before;

    (void)limits_take(l, &(struct limits_need){1000, 1, LIMITS_USUAL, false});
    ck_assert_int_eq(limits_told(l, DIM_TOKENS_PER_MINUTE, 6000, 3999, -1), 1000);      /* somebody else used a thousand */
    ck_assert_int_eq(l->dim[2].window.sum + l->dim[2].held, 2001);
    before = *l;
    ck_assert_int_eq(limits_told(l, DIM_TOKENS_PER_MINUTE, 9000, 8900, -1), 0);
    ck_assert_int_eq(l->dim[2].allowed, before.dim[2].allowed);
    ck_assert_int_eq(l->dim[2].window.sum, before.dim[2].window.sum);
    ck_assert_int_eq(l->dim[2].bucket.level, before.dim[2].bucket.level);
    ck_assert_int_eq(l->dim[2].told_limit, 9000);
    ck_assert_int_eq(limits_told(l, DIM_REQUESTS_PER_MINUTE, 50, 3, 3600 * SEC), 0);      /* fifty a day, not a minute */
    ck_assert_int_eq(l->dim[0].allowed, 60);
    (void)limits_told(l, DIM_REQUESTS_PER_MINUTE, 30, -1, 10 * SEC);
    ck_assert_int_eq(l->dim[0].allowed, 30);
    (void)limits_told(l, DIM_REQUESTS_PER_MINUTE, -1, 0, -1);
    ck_assert_int_eq(bucket_tokens(&l->dim[0].bucket), 0);
    free(l);
}
END_TEST

START_TEST(what_others_used_is_forgotten_when_the_provider_forgets_it)
{
    static const struct {
        int64_t reset_us, least_us, most_us;      /* when a call of all 6000 fits, from now */
    } table[] = {
        {20 * SEC, 20 * SEC, 24 * SEC}, {SEC, SEC, 5 * SEC}, {59 * SEC, 59 * SEC, 61 * SEC}, {-1, 60 * SEC, 61 * SEC}, {0, 60 * SEC, 61 * SEC},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct limits *l = made(&(struct limits_config){.limit = {0, 0, 6000, 0, 0, 0}});
        int64_t gone_us;

        ck_assert_int_eq(limits_told(l, DIM_TOKENS_PER_MINUTE, 6000, 0, table[i].reset_us), 6000);
        gone_us = window_wait_us(&l->dim[DIM_TOKENS_PER_MINUTE].window, 6000, l->now_us);
        ck_assert_int_ge(gone_us, table[i].least_us);
        ck_assert_int_le(gone_us, table[i].most_us);
        free(l);
    }
}
END_TEST

START_TEST(after_a_429_only_the_dimension_that_was_hit_is_cut_and_climbs_back)
{
    struct limits *l = made(&(struct limits_config){.limit = {60, 0, 6000, 0, 0, 0}});
    int64_t until;

    for (int i = 0; i < 50; i++)
        (void)limits_take(l, &(struct limits_need){1, 1, LIMITS_USUAL, false});
    limits_tick(l, START + SEC);
    limits_refused(l, DIM_REQUESTS_PER_MINUTE, START, 900 * SEC);
    ck_assert_int_eq(l->dim[0].allowed, 30);
    ck_assert_int_eq(l->dim[0].bucket.burst, 5);
    ck_assert_int_eq(l->dim[2].allowed, 6000);
    ck_assert_int_eq(limits_rate_ppm(l, &until), 500000);
    ck_assert_int_eq(until, START + 901 * SEC);
    limits_refused(l, DIM_REQUESTS_PER_MINUTE, START, 900 * SEC);      /* it was under way at the cut */
    ck_assert_int_eq(l->dim[0].allowed, 30);
    limits_tick(l, START + 451 * SEC);
    ck_assert_int_eq(l->dim[0].allowed, 45);                            /* half-way */
    limits_tick(l, START + 901 * SEC);
    ck_assert_int_eq(l->dim[0].allowed, 60);
    ck_assert_int_eq(limits_rate_ppm(l, &until), 1000000);
    ck_assert_int_eq(until, 0);
    limits_refused(l, DIM_COUNT, START + 900 * SEC, 900 * SEC);         /* not said: what is fullest */
    ck_assert_int_lt(limits_rate_ppm(l, &until), 1000000);
    free(l);
}
END_TEST

START_TEST(a_reset_forgets_the_past_but_not_what_is_under_way)
{
    struct limits *l = made(&(struct limits_config){.limit = {60, 0, 6000, 0, 0, 0}});
    struct limits_hold h, gone = limits_take(l, &(struct limits_need){2000, 500, LIMITS_USUAL, false});

    limits_settle(l, &gone, 2000, 400);
    h = limits_take(l, &(struct limits_need){300, 200, LIMITS_USUAL, false});
    limits_cool(l, START + 100 * SEC);
    limits_refused(l, DIM_TOKENS_PER_MINUTE, START, 900 * SEC);
    limits_reset(l);
    ck_assert_int_eq(l->dim[2].allowed, 6000);
    ck_assert_int_eq(l->dim[2].window.sum + l->dim[2].held, 500);
    ck_assert_int_eq(l->dim[2].held, 200);
    ck_assert_int_eq(bucket_tokens(&l->dim[2].bucket), 500);
    limits_settle(l, &h, 300, 100);
    ck_assert_int_eq(l->dim[2].held, 0);
    ck_assert_int_eq(l->dim[2].open, 0);
    ck_assert_int_eq(l->dim[2].window.sum, 400);
    free(l);
}
END_TEST

UNIT_MAIN("limits", a_million_random_steps_agree_with_an_exact_model, a_call_that_was_never_sent_leaves_no_trace,
          a_stream_that_outgrows_its_reservation_is_a_debt_paid_before_anything_else,
          whether_the_pace_of_a_limit_holds_or_its_sum_is_told,
          output_told_ahead_of_its_time_is_given_back, what_others_used_is_forgotten_when_the_provider_forgets_it,
          an_ask_larger_than_the_burst_starts_on_a_full_bucket, the_reserve_is_for_high_and_lent_while_no_high_asks,
          what_the_provider_says_only_makes_things_stricter,
          after_a_429_only_the_dimension_that_was_hit_is_cut_and_climbs_back,
          a_reset_forgets_the_past_but_not_what_is_under_way)
