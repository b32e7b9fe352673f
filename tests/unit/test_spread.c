/* Low is spread: every hour a wave of High and Medium that the hour's limit cannot
 * carry by itself, under a flood of Low, for hours; once as it comes, once
 * looking ahead. What the waves are like is known from the weeks before. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/limits.h"
#include "sim.h"

#define MINUTE (60 * SEC)

enum { WAITS_MAX = 100000, HOURS = 3, WEEKS = 4, PROMPT = 500, OUTPUT = 300 };

static int64_t *waits;
static size_t n_waits;
static int64_t low_tokens, first_tokens;

/* High and Medium a second: a little all the time, a wave for a quarter of an hour in each. */
static double wave(int64_t since_us)
{
    int64_t minute = (SIM_START + since_us) / MINUTE % 60;

    return minute >= 30 && minute < 45 ? 0.38 : 0.06;
}

static void granted(struct sim *s, struct sim_call *c, int64_t now)
{
    (void)s;
    if (c->ask.priority == PRIORITY_LOW) {
        low_tokens += c->ask.prompt_tokens + c->output;
        return;
    }
    first_tokens += c->ask.prompt_tokens + c->output;
    if (n_waits < WAITS_MAX)
        waits[n_waits++] = now - c->ask.arrived_us;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The weeks before: like the wave, a tenth more or less each quarter. */
static struct outlook_past *past_weeks(void)
{
    struct outlook_past *p = mem_zalloc(1, sizeof *p);
    struct outlook_usual *u;
    struct rng rng = rng_make(5);

    p->upstreams = 1;
    p->upstream = mem_zalloc(1, sizeof *p->upstream);
    p->upstream[0].name = mem_strdup("strict");
    u = &p->upstream[0].usual;
    u->first = 0;
    u->end = WEEKS * OUTLOOK_WEEK;
    for (int i = 0; i < WEEKS * OUTLOOK_WEEK; i++) {
        double n = wave((int64_t)i * 15 * MINUTE - SIM_START) * 900 * (0.9 + 0.2 * rng_unit(&rng));
        struct outlook_amount *a = &u->sum[i % OUTLOOK_WEEK][OUTLOOK_FIRST];

        a->requests += n;
        a->input += n * PROMPT;
        a->output += n * OUTPUT * 1.5;
    }
    return p;
}

struct outcome {
    double p95_s, p50_s, low, first;
};

static struct outcome run(bool spread, uint64_t seed)
{
    struct outlook_past *past = past_weeks();
    struct sim s = {
        .upstream = {{.name = "strict", .max_concurrent = 500, .spread_low = spread,
                      .limit = {[DIM_REQUESTS_PER_MINUTE] = 120, [DIM_TOKENS_PER_HOUR] = 1000000}}},
        .upstreams = 1, .kind = STRICT_SLIDING, .per_second = 0.18, .wave = wave, .high = 20, .past = past,
        .duration_us = HOURS * 60 * MINUTE + 30 * MINUTE, .prompt_least = PROMPT / 2, .prompt_most = PROMPT / 2 * 3, .output_mean = OUTPUT,
        .output_sigma = 0.8, .max_tokens = 4000, .first_us = 200000, .token_us = 2000, .queue_max = 2000,
        .wait_max_us = 3600 * SEC, .users = 8, .greed = 1, .seed = seed, .granted = granted,
    };
    struct admit_counters n;
    struct outcome o;

    waits = mem_zalloc(WAITS_MAX, sizeof *waits);
    n_waits = 0;
    low_tokens = first_tokens = 0;
    sim_run(&s);
    qsort(waits, n_waits, sizeof *waits, by_size);
    o = (struct outcome){(double)waits[n_waits * 95 / 100] / 1e6, (double)waits[n_waits / 2] / 1e6, (double)low_tokens,
                         (double)first_tokens};
    printf("seed %llu, %s: High and Medium waited p50 %.1f s, p95 %.1f s and had %.0f tokens; Low had %.0f; %lld of %lld rejected, "
           "%lld gave up, %lld refused by the provider\n",
           (unsigned long long)seed, spread ? "spread" : "as it comes", o.p50_s, o.p95_s, o.first, o.low, (long long)s.rejected,
           (long long)s.asked, (long long)s.expired, (long long)s.refused);
    admit_counters(s.admit, &n);
    printf("%.1f %% of %lld promises kept\n", 100.0 * (double)n.promises_kept / (double)n.promises, (long long)n.promises);
    ck_assert_int_eq(s.refused, 0);
    sim_done(&s);
    outlook_past_done(past);
    free(past);
    free(waits);
    return o;
}

/* The same asks come both times. */
static void compare(uint64_t seed)
{
    struct outcome off = run(false, seed), on = run(true, seed);

    printf("p95 %.1f s -> %.1f s, Low %.1f %%\n", off.p95_s, on.p95_s, on.low / off.low * 100);
    ck_assert_msg(on.p95_s < off.p95_s / 2, "p95 %.1f s after %.1f s", on.p95_s, off.p95_s);
    ck_assert_msg(on.low >= off.low * 0.95, "Low had %.0f after %.0f", on.low, off.low);
}

START_TEST(looking_ahead_cuts_the_waits_of_high_and_medium_and_costs_low_next_to_nothing)
{
    compare(32);
}
END_TEST

START_TEST(it_does_so_whoever_comes)
{
    compare(33);
}
END_TEST

/* --- the gate by itself --- */

static struct limits_need low_of(int64_t input)
{
    return (struct limits_need){.input = input, .output = 1, .who = LIMITS_LOW, .output_at_start = true};
}

/* 60,000 tokens a minute, with a bucket of 10,000; so many of High and Medium expected a minute. */
static void expecting(struct limits *l, bool on, double tokens, int64_t now)
{
    const struct limits_config c = {.limit = {[DIM_TOKENS_PER_MINUTE] = 60000}, .spread_low = on};
    struct outlook_plan plan = {.from_us = now, .known = true};
    const struct outlook_amount waiting[OUTLOOK_CLASSES] = {[OUTLOOK_LOW] = {100, 100000, 0}};

    limits_init(l, &c, now);
    for (int q = 0; q < OUTLOOK_AHEAD; q++)
        plan.quarter[q][OUTLOOK_FIRST] = (struct outlook_amount){tokens / 1000, tokens, 0};
    limits_expect(l, &plan);
    ck_assert_int_eq(limits_spread_due(l), on);
    if (on)
        limits_spread(l, waiting);
}

START_TEST(low_leaves_what_is_expected_of_the_others_and_takes_the_rest)
{
    struct limits l;
    struct limits_need need = low_of(9000), medium = {.input = 9000, .output = 1, .output_at_start = true};
    enum gate why = GATE_NONE;

    expecting(&l, true, 100000, 1000 * SEC);      /* more than the limit: all of the bucket is to be left */
    l.spread.started_us = 1000 * SEC;
    (void)limits_take(&l, &medium);
    limits_tick(&l, 1009 * SEC);                  /* room for 9,999 again */
    ck_assert(!limits_fits(&l, &need));
    ck_assert(limits_fits(&l, &medium));
    ck_assert_int_gt(limits_wait_us(&l, &need, &why), 0);
    ck_assert_int_eq(why, GATE_PACING);
    need.who = LIMITS_USUAL;                      /* its turn by its age */
    ck_assert(limits_fits(&l, &need));
    expecting(&l, true, 1000, 1000 * SEC);        /* next to nothing expected */
    need = low_of(9000);
    ck_assert(limits_fits(&l, &need));
    expecting(&l, false, 100000, 1000 * SEC);
    ck_assert(limits_fits(&l, &need));
}
END_TEST

START_TEST(whatever_is_expected_a_low_may_start_every_half_minute)
{
    struct limits l;
    const struct limits_need need = low_of(2000);
    int64_t now = 1000 * SEC, last = now;
    int started = 0;

    expecting(&l, true, 1e9, now);
    (void)limits_take(&l, &need);
    limits_low_started(&l);
    for (now += SEC; now <= 1300 * SEC; now += SEC) {
        limits_tick(&l, now);
        if (limits_fits(&l, &need)) {
            ck_assert_int_le(now - last, LIMITS_LOW_LEAST_US);
            (void)limits_take(&l, &need);
            limits_low_started(&l);
            last = now;
            started++;
        }
    }
    ck_assert_int_ge(started, 10);
}
END_TEST

START_TEST(low_that_fits_beside_the_others_is_not_held)
{
    struct limits l;
    const struct outlook_amount waiting[OUTLOOK_CLASSES] = {[OUTLOOK_LOW] = {2, 4000, 0}};
    const struct limits_need need = low_of(2000);

    expecting(&l, true, 30000, 1000 * SEC);
    ck_assert(l.spread.holds);
    limits_spread(&l, waiting);
    ck_assert(!l.spread.holds);
    ck_assert(limits_fits(&l, &need));
}
END_TEST

UNIT_MAIN("spread", looking_ahead_cuts_the_waits_of_high_and_medium_and_costs_low_next_to_nothing, it_does_so_whoever_comes,
          low_leaves_what_is_expected_of_the_others_and_takes_the_rest, whatever_is_expected_a_low_may_start_every_half_minute,
          low_that_fits_beside_the_others_is_not_held)
