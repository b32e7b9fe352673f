/* Limits that change while calls run: what was used, is set aside, owed or cut
 * stays, and after no admission can the limit in force be passed by what is used
 * and what of the rest can come meanwhile, counted by a model of its own that
 * remembers every event. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "rules/limits.h"

#define SEC INT64_C(1000000)
#define START (50000 * SEC)

static struct limits l;

static void given(const struct limits_config *c)
{
    limits_init(&l, c, START);
}

static int64_t wait_for(int64_t input, int64_t output)
{
    enum gate why = GATE_NONE;

    return limits_wait_us(&l, &(struct limits_need){input, output, LIMITS_USUAL, false}, &why);
}

/* Every dimension from any limit to any other, with calls done, under way, owed for and refused: nothing of it is lost. */
START_TEST(a_change_of_limits_keeps_what_is_used_held_owed_and_cut)
{
    static const int64_t limits[] = {0, 40, 1000, 60000, LIMITS_MAX};

    for (int d = 0; d < DIM_COUNT; d++)
        for (int from = 0; from < 5; from++)
            for (int to = 0; to < 5; to++) {
                struct limits_config c = {.limit = {0}};
                struct limits_hold done, runs;
                struct limits_dim before;

                c.limit[d] = limits[from];
                given(&c);
                done = limits_take(&l, &(struct limits_need){20, 10, LIMITS_USUAL, false});
                limits_settle(&l, &done, 18, 7);
                runs = limits_take(&l, &(struct limits_need){30, 900, LIMITS_USUAL, false});
                limits_produced(&l, &runs, 5, 5);
                limits_refused(&l, (enum dim)d, START, 900 * SEC);
                before = l.dim[d];
                c.limit[d] = limits[to];
                limits_change(&l, &c, START);
                ck_assert_int_eq(l.dim[d].limit, limits[to]);
                ck_assert_int_eq(l.dim[d].window.sum, before.window.sum);
                ck_assert_int_eq(l.dim[d].held, before.held);
                ck_assert_int_eq(l.dim[d].open, before.open);
                ck_assert_mem_eq(&l.dim[d].stab, &before.stab, sizeof before.stab);
                if (limits[from] && limits[to] && before.bucket.level < 0)
                    ck_assert_int_eq(l.dim[d].bucket.level, before.bucket.level);
                ck_assert_int_le(l.dim[d].bucket.level, l.dim[d].bucket.cap);
                limits_settle(&l, &runs, 30, 5);
                ck_assert_int_eq(l.dim[d].held, 0);
                ck_assert_int_eq(l.dim[d].open, 0);
                limits_tick(&l, START + 8000 * SEC);
                if (limits[to])
                    ck_assert_int_eq(l.dim[d].window.sum, 0);
            }
}
END_TEST

START_TEST(a_lowered_limit_lets_nothing_start_until_it_fits_again)
{
    struct limits_config c = {.limit = {600, 0, 0, 0, 0, 0}, .burst_requests = 600};

    given(&c);
    for (int i = 0; i < 50; i++)
        (void)limits_take(&l, &(struct limits_need){1, 1, LIMITS_USUAL, false});
    ck_assert_int_eq(wait_for(1, 1), 0);
    c.limit[0] = 50;
    limits_change(&l, &c, START);
    ck_assert_int_gt(wait_for(1, 1), 59 * SEC);
    limits_tick(&l, START + 59 * SEC);
    ck_assert_int_gt(wait_for(1, 1), 0);
    limits_tick(&l, START + 61 * SEC);
    ck_assert_int_eq(wait_for(1, 1), 0);
    c.limit[0] = 600;
    limits_change(&l, &c, START + 61 * SEC);
    ck_assert_int_eq(wait_for(1, 1), 0);
}
END_TEST

START_TEST(a_limit_that_is_set_later_knows_of_the_calls_before)
{
    struct limits_config c = {.limit = {0}};
    struct limits_hold runs;

    given(&c);
    runs = limits_take(&l, &(struct limits_need){300, 200, LIMITS_USUAL, false});
    limits_tick(&l, START + 30 * SEC);
    limits_produced(&l, &runs, 50, 200);
    c.limit[DIM_TOKENS_PER_MINUTE] = 1000;
    limits_change(&l, &c, START + 30 * SEC);
    ck_assert_int_eq(l.dim[DIM_TOKENS_PER_MINUTE].window.sum, 350);
    ck_assert_int_eq(l.dim[DIM_TOKENS_PER_MINUTE].held, 150);
    ck_assert_int_gt(wait_for(650, 1), 0);            /* 350 of 1,000 are gone, and 150 are to come */
    limits_settle(&l, &runs, 300, 60);
    ck_assert_int_eq(l.dim[DIM_TOKENS_PER_MINUTE].window.sum, 360);
    limits_tick(&l, START + 61 * SEC);                /* the input has left the window, the output not */
    ck_assert_int_eq(l.dim[DIM_TOKENS_PER_MINUTE].window.sum, 60);
}
END_TEST

START_TEST(a_debt_is_paid_at_the_new_pace)
{
    struct limits_config c = {.limit = {0, 0, 6000, 0, 0, 0}};
    struct limits_hold h;

    given(&c);
    h = limits_take(&l, &(struct limits_need){500, 100, LIMITS_USUAL, false});
    limits_settle(&l, &h, 500, 1100);                 /* 600 beyond the burst of 1,000 */
    ck_assert_int_eq(bucket_tokens(&l.dim[2].bucket), -600);
    c.limit[2] = 60000;
    limits_change(&l, &c, START);
    ck_assert_int_eq(bucket_tokens(&l.dim[2].bucket), -600);
    ck_assert_int_eq(wait_for(300, 100), SEC);        /* a thousand a second now */
}
END_TEST

START_TEST(pause_margin_and_reserve_follow)
{
    struct limits_config c = {.limit = {100, 0, 0, 0, 0, 0}, .burst_requests = 100, .pause_us = 10 * SEC};
    enum gate why = GATE_NONE;

    given(&c);
    (void)limits_take(&l, &(struct limits_need){1, 1, LIMITS_USUAL, false});
    ck_assert_int_eq(limits_closed_us(&l, &why), 10 * SEC);
    c = (struct limits_config){.limit = {100, 0, 0, 0, 0, 0}, .burst_requests = 100, .safety_ppm = 200000, .reserve_ppm = 500000};
    limits_change(&l, &c, START);
    ck_assert_int_eq(limits_closed_us(&l, &why), 0);
    ck_assert_int_eq(l.dim[0].allowed, 80);
    ck_assert_int_eq(l.dim[0].room_low, 40);
}
END_TEST

/* --- at random, against a model of its own --- */

enum { OPEN = 24, EVENTS = 400000, STEPS = 60000 };

struct event {
    int64_t at_us, n;
};

static struct exact {
    struct event event[EVENTS];
    size_t first, count;
    int64_t held;
} exact[DIM_COUNT];

static struct {
    struct limits_hold hold;
    size_t event[DIM_COUNT];         /* of its start */
    bool runs;
} call[OPEN];

static bool counts_in(int d) { return d == 2 || d == 3 || d == 4; }
static bool counts_out(int d) { return d == 2 || d == 3 || d == 5; }

static int64_t amount(int d, int64_t in, int64_t out)
{
    return d < 2 ? 1 : (counts_in(d) ? in : 0) + (counts_out(d) ? out : 0);
}

static size_t count(int d, int64_t n, int64_t now)
{
    ck_assert_uint_lt(exact[d].count, EVENTS);
    exact[d].event[exact[d].count] = (struct event){now, n};
    return exact[d].count++;
}

/* What of all that was counted until now counts then. */
static int64_t used_at(int d, int64_t then)
{
    const struct exact *x = &exact[d];
    int64_t sum = 0;

    for (size_t i = x->count; i-- > x->first && x->event[i].at_us > then - dim_window_us((enum dim)d);)
        sum += x->event[i].n;
    return sum;
}

/* Of what is set aside for streams under way: at their speed, if any told one; what told nothing may be there. */
static int64_t may_come(int64_t after_us)
{
    int64_t sum = 0;

    for (int i = 0; i < OPEN; i++) {
        const struct limits_hold *h = &call[i].hold;
        int64_t left = h->output - h->produced, came = h->produced && l.speed ? l.speed * after_us / SEC : left;

        if (call[i].runs)
            sum += came < left ? came : left;
    }
    return sum;
}

static struct limits_config some_limits(struct rng *r)
{
    static const int64_t most[DIM_COUNT] = {60, 600, 20000, 200000, 15000, 8000};
    struct limits_config c = {.reserve_ppm = (int32_t)rng_below(r, 3) * 150000, .safety_ppm = (int32_t)rng_below(r, 2) * 100000,
                              .pause_us = rng_below(r, 3) ? 0 : SEC / 10};

    for (int d = 0; d < DIM_COUNT; d++)
        c.limit[d] = rng_below(r, 3) ? 1 + rng_below(r, most[d]) : 0;
    c.burst_requests = rng_below(r, 2) ? c.limit[0] : 0;
    c.burst_tokens = rng_below(r, 2) ? c.limit[2] : 0;
    return c;
}

static bool start(int64_t now, struct rng *r)
{
    struct limits_need need = {1 + rng_below(r, 500), 1 + rng_below(r, 300), rng_below(r, 4) == 0 ? LIMITS_HIGH : LIMITS_USUAL, false};
    enum gate why = GATE_NONE;
    int i = 0;

    while (i < OPEN && call[i].runs)
        i++;
    if (i == OPEN || limits_too_large(&l, &need) || limits_closed_us(&l, &why) || limits_wait_us(&l, &need, &why))
        return false;
    for (int d = 0; d < DIM_COUNT; d++) {
        for (int64_t after_us = 0; after_us < 70 * SEC; after_us += after_us / 4 + SEC / 2) {
            int64_t all = used_at(d, now + after_us) + amount(d, need.input, 0);

            all += counts_out(d) ? may_come(after_us) + (l.speed * after_us / SEC < need.output ? l.speed * after_us / SEC : need.output) : 0;
            ck_assert_msg(!l.dim[d].limit || all <= l.dim[d].limit, "%s, %lld ms later: %lld of %lld", dim_name((enum dim)d),
                          (long long)after_us / 1000, (long long)all, (long long)l.dim[d].limit);
        }
        call[i].event[d] = count(d, amount(d, need.input, 0), now);
        exact[d].held += counts_out(d) ? need.output : 0;
    }
    call[i].hold = limits_take(&l, &need);
    call[i].runs = true;
    return true;
}

static void go_on(int64_t now, struct rng *r)
{
    int i = (int)rng_below(r, OPEN);
    struct limits_hold *h = &call[i].hold;
    int64_t more;

    if (!call[i].runs)
        return;
    more = rng_below(r, h->output - h->produced + 1);
    for (int d = 0; d < DIM_COUNT && more; d++)
        if (counts_out(d)) {
            (void)count(d, more, now);
            exact[d].held -= more;
        }
    limits_produced(&l, h, h->produced + more, h->output);
    if (rng_below(r, 3))
        return;
    more = rng_below(r, h->input + 1);                /* so much input was counted too many */
    for (int d = 0; d < DIM_COUNT; d++) {
        exact[d].held -= counts_out(d) ? h->output - h->produced : 0;
        exact[d].event[call[i].event[d]].n -= counts_in(d) ? more : 0;
    }
    limits_settle(&l, h, h->input - more, h->produced);
    call[i].runs = false;
}

START_TEST(at_no_admission_is_the_limit_in_force_passed_however_limits_change)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rng r = rng_make(seed);
        struct limits_config c = some_limits(&r);
        int64_t now = START;
        int started = 0;

        printf("seed %llu\n", (unsigned long long)seed);
        for (int d = 0; d < DIM_COUNT; d++)
            exact[d].first = exact[d].count = (size_t)(exact[d].held = 0);
        memset(call, 0, sizeof call);
        limits_init(&l, &c, now);
        for (int i = 0; i < STEPS; i++) {
            now += rng_below(&r, 10) ? rng_below(&r, SEC / 2) : rng_below(&r, 20 * SEC);
            limits_tick(&l, now);
            if (rng_below(&r, 100) == 0) {
                c = some_limits(&r);
                limits_change(&l, &c, now);
            }
            if (rng_below(&r, 2000) == 0)
                limits_refused(&l, (enum dim)rng_below(&r, DIM_COUNT + 1), now, 60 * SEC);
            started += start(now, &r);
            go_on(now, &r);
        }
        ck_assert_int_gt(started, STEPS / 50);
        for (int i = 0; i < OPEN; i++)
            if (call[i].runs)
                limits_settle(&l, &call[i].hold, 0, call[i].hold.produced);
        for (int d = 0; d < DIM_COUNT; d++)
            c.limit[d] = 1000;
        limits_change(&l, &c, now + 8000 * SEC);
        for (int d = 0; d < DIM_COUNT; d++) {
            ck_assert_int_eq(l.dim[d].held, 0);
            ck_assert_int_eq(l.dim[d].open, 0);
            ck_assert_int_eq(l.dim[d].window.sum, 0);
        }
    }
}
END_TEST

UNIT_MAIN("limits_change", a_change_of_limits_keeps_what_is_used_held_owed_and_cut,
          a_lowered_limit_lets_nothing_start_until_it_fits_again, a_limit_that_is_set_later_knows_of_the_calls_before,
          a_debt_is_paid_at_the_new_pace, pause_margin_and_reserve_follow,
          at_no_admission_is_the_limit_in_force_passed_however_limits_change)
