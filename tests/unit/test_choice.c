/* Which of several models and upstreams an ask goes to: cheapest now, soonest otherwise, fallbacks in their turn. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "flow/admit.h"
#include "rules/pick.h"

#define SEC INT64_C(1000000)
#define START (1000 * SEC)

enum { UPSTREAMS = 4, ROUNDS = 20000 };

/* --- the rules, against a plain reading of them --- */

static struct pick *picks(struct rng *r)
{
    struct pick *p = mem_zalloc(1, sizeof *p);

    pick_init(p, UPSTREAMS);
    p->upstreams = UPSTREAMS;
    for (int i = 0; i < UPSTREAMS; i++) {
        struct limits_config c = {.limit = {0, 0, 6000}, .burst_tokens = 1000 + rng_below(r, 4000)};
        int64_t kind = rng_below(r, 8);

        limits_init(&p->limits[i], &c, START);
        p->group_mask[i] = UINT64_C(1) << i;
        p->upstream[i] = (struct pick_upstream){.group = (uint32_t)i, .max_concurrent = 2, .call_us = SEC, .cooldown_us = INT64_MIN / 2,
                                                .doubt_us = INT64_MIN / 2};
        p->upstream[i].down = kind == 0;
        if (kind == 1)
            p->upstream[i].cooldown_us = START + 1 + rng_below(r, 60 * SEC);
        if (kind == 2)
            limits_cool(&p->limits[i], START + 1 + rng_below(r, 60 * SEC));
        if (kind == 3)
            p->upstream[i].doubt_us = START + 1 + rng_below(r, 60 * SEC);
        if (rng_below(r, 4) == 0)
            p->upstream[i].running = 2;
        if (rng_below(r, 2))
            (void)limits_take(&p->limits[i], &(struct limits_need){rng_below(r, 6000), 1, LIMITS_USUAL, false});
    }
    return p;
}

/* Candidates in up to three stages; within a stage no two share an upstream. */
static int candidates(struct rng *r, struct candidate *c, uint64_t *all)
{
    int n = 1 + (int)rng_below(r, 5), stage = 0;
    uint64_t used = 0;

    *all = 0;
    for (int i = 0; i < n; i++) {
        if (i && rng_below(r, 3) == 0) {
            stage++;
            used = 0;
        }
        c[i] = (struct candidate){.upstreams = (uint64_t)rng_below(r, 1 << UPSTREAMS) & ~used, .input = 1 + rng_below(r, 3000), .max_output = 10,
                                  .want_output = 5, .expect_output = 5, .cost = rng_below(r, 4), .stage = stage, .number = i};
        used |= c[i].upstreams;
        *all |= c[i].upstreams;
    }
    return n;
}

enum state { DOWN, COOLING, DOUBTED, SOUND };

static enum state state_of(const struct pick *p, int i, int64_t now)
{
    const struct pick_upstream *u = &p->upstream[i];

    if (u->down)
        return DOWN;
    if (u->cooldown_us > now || p->limits[i].cooldown_us > now)
        return COOLING;
    return u->doubt_us > now ? DOUBTED : SOUND;
}

/* The stage that counts, and the least state in it that does. */
static int stage_of(const struct pick *p, const struct candidate *c, int n, int64_t now, enum state *least)
{
    for (int s = SOUND; s >= DOWN; s--)
        for (int i = 0; i < n; i++)
            for (int u = 0; u < UPSTREAMS; u++)
                if ((c[i].upstreams >> u & 1) && state_of(p, u, now) >= (enum state)s) {
                    *least = (enum state)s;
                    return c[i].stage;
                }
    return -1;
}

static int64_t wait_of(const struct pick *p, int u, const struct candidate *c)
{
    struct limits_need need = {.input = c->input, .output = limits_fit_output(&p->limits[u], c->input, 5)};
    enum gate why;

    if (limits_too_large(&p->limits[u], &(struct limits_need){.input = c->input, .output = 1}))
        return INT64_MAX;
    return p->upstream[u].running >= p->upstream[u].max_concurrent ? INT64_MAX : limits_wait_us(&p->limits[u], &need, &why);
}

/* The cheapest that can start now in the stage that counts (-1: none), and when the first can. */
static int64_t cheapest_now(const struct pick *p, const struct candidate *c, int n, int64_t now, int64_t *soonest)
{
    int64_t cost = -1;
    enum state least;
    int stage = stage_of(p, c, n, now, &least);

    *soonest = INT64_MAX;
    for (int i = 0; i < n; i++)
        for (int u = 0; u < UPSTREAMS; u++) {
            int64_t wait;

            if (c[i].stage != stage || !(c[i].upstreams >> u & 1) || state_of(p, u, now) < least || state_of(p, u, now) < DOUBTED)
                continue;
            wait = wait_of(p, u, &c[i]);
            if (wait < *soonest)
                *soonest = wait;
            if (wait == 0 && (cost < 0 || c[i].cost < cost))
                cost = c[i].cost;
        }
    return cost;
}

START_TEST(random_asks_go_to_the_cheapest_healthy_one_that_can_start_or_to_the_first_that_can)
{
    struct rng r = rng_make(20261);
    int started = 0, waited = 0;

    for (int round = 0; round < ROUNDS; round++) {
        struct pick *p = picks(&r);
        struct candidate c[8];
        uint64_t all;
        int n = candidates(&r, c, &all);
        struct queue_entry e = {.priority = PRIORITY_MEDIUM, .user = 1, .upstreams = all, .arrived_us = START, .candidates = c, .candidate_count = n};
        int64_t now = START, soonest, first, cost;
        uint32_t item = 0, own;

        if (all) {
            own = queue_add(&p->queue, &e);
            for (int i = 0; i < UPSTREAMS; i++)
                limits_tick(&p->limits[i], now);
            cost = cheapest_now(p, c, n, now, &first);
            for (int step = 0; step < 200; step++) {
                const struct item *it = &p->queue.item[own];
                enum state least;
                int stage = stage_of(p, c, n, now, &least);

                for (int i = 0; i < UPSTREAMS; i++)
                    limits_tick(&p->limits[i], now);
                cost = cheapest_now(p, c, n, now, &soonest);
                if (pick_next(p, now, &item)) {
                    ck_assert_msg(cost >= 0, "round %d: it started where nothing could", round);
                    ck_assert_int_eq(it->stage, stage);
                    ck_assert_int_eq(c[it->number].cost, cost);
                    ck_assert(c[it->number].upstreams >> it->upstream & 1);
                    ck_assert_int_ge(state_of(p, it->upstream, now), least);
                    ck_assert_int_eq(it->input, c[it->number].input);
                    started++;
                    waited += now > START;
                    break;
                }
                ck_assert_msg(cost < 0, "round %d: at %lld it could have started", round, (long long)(now - START));
                if (p->wake_us == INT64_MAX)
                    break;
                /* It looks again no later than the first could, and than anybody's health changes. */
                ck_assert(soonest == INT64_MAX || p->wake_us <= now + soonest);
                for (int i = 0; i < UPSTREAMS; i++)
                    ck_assert(p->upstream[i].doubt_us <= now || p->wake_us <= p->upstream[i].doubt_us);
                now = p->wake_us > now ? p->wake_us : now + 1;
            }
        }
        pick_done(p);
        free(p);
    }
    ck_assert_int_gt(started, ROUNDS / 2);
    ck_assert_int_gt(waited, ROUNDS / 20);
}
END_TEST

/* When a large ask with two models starts while small ones come for both all the time, or none. */
static int64_t large_starts(uint64_t seed, bool small_ones)
{
    struct rng r = rng_make(seed);
    struct pick *p = mem_zalloc(1, sizeof *p);
    struct candidate c[2];
    struct queue_entry large = {.priority = PRIORITY_MEDIUM, .user = 1, .upstreams = 3, .arrived_us = START, .candidates = c, .candidate_count = 2};
    int64_t now = START, begun = 0;
    uint32_t item, mine;

    pick_init(p, 2);
    p->upstreams = 2;
    for (int i = 0; i < 2; i++) {
        struct limits_config lc = {.limit = {0, 0, 6000}, .burst_tokens = 6000};

        limits_init(&p->limits[i], &lc, START);
        p->group_mask[i] = UINT64_C(1) << i;
        p->upstream[i] = (struct pick_upstream){.group = (uint32_t)i, .max_concurrent = 100, .call_us = SEC, .cooldown_us = INT64_MIN / 2};
        (void)limits_take(&p->limits[i], &(struct limits_need){3000 + rng_below(&r, 3000), 1, LIMITS_USUAL, false});
        c[i] = (struct candidate){.upstreams = UINT64_C(1) << i, .input = 3000 + rng_below(&r, 2000), .max_output = 1, .want_output = 1,
                                  .expect_output = 1, .cost = i, .number = i};
    }
    mine = queue_add(&p->queue, &large);
    while (!begun) {
        if (small_ones && p->queue.waiting[PRIORITY_MEDIUM] < 5)
            for (int i = 0; i < 5; i++) {
                struct queue_entry e = {.priority = PRIORITY_MEDIUM, .user = 2, .upstreams = 1 + (uint64_t)rng_below(&r, 3), .arrived_us = now,
                                        .input = 1 + rng_below(&r, 200), .max_output = 1, .want_output = 1, .expect_output = 1};

                (void)queue_add(&p->queue, &e);
            }
        while (!begun && pick_next(p, now, &item)) {
            if (item == mine)
                begun = now;
            else {
                pick_settle(p, item, p->queue.item[item].input, 1);
                queue_remove(&p->queue, item);
            }
        }
        if (!begun)
            now = p->wake_us > now ? p->wake_us : now + 1;
    }
    pick_done(p);
    free(p);
    return begun;
}

START_TEST(a_claim_protects_a_large_ask_of_several_models_from_small_ones)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        ck_assert_int_le(large_starts(seed, true), large_starts(seed, false));
}
END_TEST

/* --- admission --- */

static const struct price low = {.tiers = 1, .tier = {{.in = 100, .out = 400, .cache_read = -1, .cache_write = -1, .cache_write_1h = -1}}};
static const struct price high = {.tiers = 1, .tier = {{.in = 1000, .out = 4000, .cache_read = -1, .cache_write = -1, .cache_write_1h = -1}}};

/* Two upstreams that take one call at a time; `retry_ppm` of the traffic may be retries. */
static struct admit *two_upstreams(int32_t retry_ppm, int32_t max_retries)
{
    static const char *const names[] = {"one", "two"};
    struct admit_upstream u[2];
    struct admit_config c = {.upstreams = u, .upstream_count = 2, .queue_max = 1000, .retry_budget_ppm = retry_ppm};

    for (int i = 0; i < 2; i++)
        u[i] = (struct admit_upstream){.name = names[i], .max_concurrent = 1, .patience = {max_retries, 1000, 1000, 900 * SEC}};
    return admit_new(&c, 1, START);
}

static const struct ask_candidate both[] = {{.upstreams = 2, .model = 2, .price = &high, .prompt_tokens = 120, .max_tokens = 50},
                                            {.upstreams = 1, .model = 1, .price = &low, .prompt_tokens = 100, .max_tokens = 60}};
static const struct ask_candidate fallback[] = {{.upstreams = 1, .model = 1, .price = &high, .stage = 0, .prompt_tokens = 100, .max_tokens = 60},
                                                {.upstreams = 2, .model = 2, .price = &low, .stage = 1, .prompt_tokens = 120, .max_tokens = 50}};

static struct admit_ticket *enqueue(struct admit *a, const struct ask_candidate *c, int64_t deadline, int64_t now)
{
    struct ask ask = {.priority = PRIORITY_MEDIUM, .user = 1, .candidates = c, .candidate_count = 2, .arrived_us = now, .deadline_us = deadline};
    struct admit_ticket *t;
    int64_t wait;

    ck_assert_int_eq(admit_enqueue(a, &ask, now, &t, &wait), WEIR_OK);
    return t;
}

static struct admit_grant granted(struct admit *a, int64_t now, struct admit_ticket *want)
{
    struct admit_grant g;

    ck_assert(admit_next(a, now, &g));
    ck_assert_ptr_eq(g.ticket, want);
    return g;
}

START_TEST(the_cheapest_by_expected_cost_is_taken_and_the_next_when_it_is_full)
{
    struct admit *a = two_upstreams(1000000, 5);
    struct admit_ticket *t = enqueue(a, both, START + 600 * SEC, START), *second, *third;
    struct admit_grant g = granted(a, START, t);

    ck_assert_int_eq(g.candidate, 1);
    ck_assert_int_eq(g.upstream, 0);
    ck_assert_int_eq(g.choice, CHOICE_CHEAPEST);
    ck_assert_int_eq(g.reserved_input, 100);
    second = enqueue(a, both, START + 600 * SEC, START);
    g = granted(a, START, second);
    ck_assert_int_eq(g.candidate, 0);
    ck_assert_int_eq(g.choice, CHOICE_SOONEST);
    ck_assert_int_eq(g.reserved_input, 120);
    third = enqueue(a, both, START + 600 * SEC, START);
    ck_assert(!admit_next(a, START, &g));
    admit_settle(a, second, 120, 5, START + SEC);            /* the dearer one opens first */
    g = granted(a, START + SEC, third);
    ck_assert_int_eq(g.candidate, 0);
    ck_assert_int_eq(g.choice, CHOICE_SOONEST);
    admit_settle(a, third, 120, 5, START + SEC);
    admit_settle(a, t, 100, 5, START + SEC);
    admit_free(a);
}
END_TEST

START_TEST(a_model_without_a_price_is_the_last_choice)
{
    struct ask_candidate c[2] = {both[0], both[1]};
    struct admit *a = two_upstreams(1000000, 5);
    struct admit_ticket *t;

    c[1].price = NULL;
    t = enqueue(a, c, START + 600 * SEC, START);
    ck_assert_int_eq(granted(a, START, t).candidate, 0);
    admit_release(a, t, START);
    c[1].free = true;
    t = enqueue(a, c, START + 600 * SEC, START);
    ck_assert_int_eq(granted(a, START, t).candidate, 1);
    admit_release(a, t, START);
    admit_free(a);
}
END_TEST

START_TEST(the_model_asked_for_is_waited_for_while_healthy_and_replaced_when_it_is_not)
{
    struct admit *a = two_upstreams(1000000, 5);
    struct admit_ticket *first = enqueue(a, fallback, START + 600 * SEC, START), *second, *third;
    struct admit_grant g = granted(a, START, first);
    int64_t delay;

    ck_assert_int_eq(g.candidate, 0);
    ck_assert_int_eq(g.choice, CHOICE_ONLY);
    second = enqueue(a, fallback, START + 600 * SEC, START);
    ck_assert(!admit_next(a, START, &g));                    /* the other model could start, but is not asked for */
    ck_assert(admit_retry(a, first, FAULT_QUOTA, DIM_COUNT, -1, START, &delay));
    g = granted(a, START, second);
    ck_assert_int_eq(g.candidate, 1);
    ck_assert_int_eq(g.choice, CHOICE_FALLBACK_UNHEALTHY);
    admit_settle(a, second, 120, 5, START + SEC);
    g = granted(a, START + SEC, first);
    ck_assert_int_eq(g.choice, CHOICE_FALLBACK_UNHEALTHY);
    admit_settle(a, first, 120, 5, START + 2 * SEC);
    admit_reset(a, -1, START + 2 * SEC);                     /* back again, and preferred */
    third = enqueue(a, fallback, START + 600 * SEC, START + 2 * SEC);
    ck_assert_int_eq(granted(a, START + 2 * SEC, third).choice, CHOICE_ONLY);
    admit_release(a, third, START + 2 * SEC);
    admit_free(a);
}
END_TEST

START_TEST(a_model_that_failed_too_often_gives_way_and_every_attempt_is_a_retry_of_the_budget)
{
    struct admit *a = two_upstreams(0, 1);
    struct admit_counters c;
    int64_t now = START, delay;
    struct admit_grant g;

    for (int i = 0; i < 5; i++) {                            /* ten retries are always allowed */
        struct admit_ticket *t = enqueue(a, fallback, now + 600 * SEC, now);

        admit_reset(a, -1, now);
        ck_assert_int_eq(granted(a, now, t).candidate, 0);
        ck_assert(admit_retry(a, t, FAULT_SERVER, DIM_COUNT, -1, now, &delay));
        g = granted(a, now += delay, t);
        ck_assert_int_eq(g.candidate, 0);
        ck_assert_int_eq(g.choice, CHOICE_RETRY);
        ck_assert(admit_retry(a, t, FAULT_SERVER, DIM_COUNT, -1, now, &delay));
        g = granted(a, now += delay, t);
        ck_assert_int_eq(g.candidate, 1);
        ck_assert_int_eq(g.choice, CHOICE_FALLBACK_FAILED);
        admit_settle(a, t, 120, 5, now);
    }
    admit_counters(a, &c);
    ck_assert_int_eq(c.retries, 10);
    admit_reset(a, -1, now);
    ck_assert_int_eq(granted(a, now, enqueue(a, fallback, now + 600 * SEC, now)).candidate, 0);
    ck_assert_int_eq(c.rejected, 0);
    admit_free(a);
}
END_TEST

START_TEST(the_last_model_may_fail_as_often_as_the_first_and_then_it_ends)
{
    struct admit *a = two_upstreams(1000000, 1);
    struct admit_ticket *t = enqueue(a, fallback, START + 600 * SEC, START);
    int64_t now = START, delay;
    int attempts = 1;

    (void)granted(a, now, t);
    while (admit_retry(a, t, FAULT_SERVER, DIM_COUNT, -1, now, &delay)) {
        (void)granted(a, now += delay, t);
        attempts++;
    }
    ck_assert_int_eq(attempts, 4);
    ck_assert_int_eq(admit_wake_us(a, now), now);
    admit_free(a);
}
END_TEST

START_TEST(a_model_that_would_begin_too_late_gives_way)
{
    struct admit *a = two_upstreams(1000000, 5);
    struct admit_ticket *first = enqueue(a, fallback, START + 600 * SEC, START), *second;
    struct admit_grant g = granted(a, START, first);

    second = enqueue(a, fallback, START + SEC / 100, START);       /* a call takes seconds, as far as is known */
    g = granted(a, START, second);
    ck_assert_int_eq(g.candidate, 1);
    ck_assert_int_eq(g.choice, CHOICE_FALLBACK_LATE);
    admit_settle(a, first, 100, 5, START + SEC);
    admit_settle(a, second, 120, 5, START + SEC);
    admit_free(a);
}
END_TEST

START_TEST(a_retry_goes_elsewhere_first_and_before_those_who_came_later)
{
    struct admit *a = two_upstreams(1000000, 5);
    struct admit_ticket *t = enqueue(a, both, START + 600 * SEC, START), *busy, *later;
    int64_t delay;

    ck_assert_int_eq(granted(a, START, t).upstream, 0);
    busy = enqueue(a, both, START + 600 * SEC, START);
    ck_assert_int_eq(granted(a, START, busy).upstream, 1);
    ck_assert(admit_retry(a, t, FAULT_SERVER, DIM_COUNT, -1, START, &delay));
    admit_settle(a, busy, 120, 5, START + delay);
    later = enqueue(a, both, START + 600 * SEC, START + delay);
    ck_assert_int_eq(granted(a, START + delay, t).upstream, 1);
    ck_assert_int_eq(granted(a, START + delay, later).upstream, 0);
    admit_settle(a, t, 120, 5, START + 2 * SEC);
    admit_settle(a, later, 100, 5, START + 2 * SEC);
    admit_free(a);
}
END_TEST

START_TEST(one_that_only_fails_is_left_alone_for_a_while_and_then_tried_again)
{
    struct admit *a = two_upstreams(1000000, 5);
    int64_t now = START, delay;
    struct admit_ticket *t;

    for (int i = 0; i < 3; i++) {
        t = enqueue(a, both, now + 600 * SEC, now);
        ck_assert_int_eq(granted(a, now, t).upstream, 0);
        ck_assert(admit_retry(a, t, FAULT_SERVER, DIM_COUNT, -1, now, &delay));
        ck_assert_int_eq(granted(a, now += delay, t).upstream, 1);
        admit_settle(a, t, 120, 5, now);
    }
    t = enqueue(a, both, now + 600 * SEC, now);
    ck_assert_int_eq(granted(a, now, t).upstream, 1);
    admit_settle(a, t, 120, 5, now);
    now += SEC;
    t = enqueue(a, both, now + 600 * SEC, now);
    ck_assert_int_eq(granted(a, now, t).upstream, 0);
    admit_settle(a, t, 100, 5, now);
    admit_free(a);
}
END_TEST

START_TEST(who_fits_nowhere_or_finds_all_down_is_told_so)
{
    struct admit_upstream u[2] = {{.name = "one", .limit = {0, 0, 1000}, .max_concurrent = 9, .patience = {1, 1, 1, SEC}},
                                  {.name = "two", .limit = {0, 0, 100}, .max_concurrent = 9, .patience = {1, 1, 1, SEC}}};
    struct admit_config c = {.upstreams = u, .upstream_count = 2, .queue_max = 10, .retry_budget_ppm = 1000000};
    struct ask_candidate of[2] = {both[0], both[1]};
    struct ask ask = {.priority = PRIORITY_MEDIUM, .user = 1, .candidates = of, .candidate_count = 2, .arrived_us = START, .deadline_us = START + SEC};
    struct admit *a = admit_new(&c, 1, START);
    struct admit_ticket *t = enqueue(a, of, START + SEC, START);
    struct admit_prospect prospect;
    int64_t wait;

    ck_assert_int_eq(granted(a, START, t).choice, CHOICE_ONLY);      /* 120 tokens never fit into 100 */
    ck_assert(!admit_retry(a, t, FAULT_AUTH, DIM_COUNT, -1, START, &wait));
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT);
    of[0].upstreams = 0;
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_E_NO_UPSTREAM);
    ck_assert_int_eq(admit_forecast(a, &ask, START, &prospect), WEIR_E_NO_UPSTREAM);
    ck_assert_int_eq(prospect.wait_us, -1);
    admit_free(a);
}
END_TEST

UNIT_MAIN("choice", random_asks_go_to_the_cheapest_healthy_one_that_can_start_or_to_the_first_that_can,
          a_claim_protects_a_large_ask_of_several_models_from_small_ones,
          the_cheapest_by_expected_cost_is_taken_and_the_next_when_it_is_full, a_model_without_a_price_is_the_last_choice,
          the_model_asked_for_is_waited_for_while_healthy_and_replaced_when_it_is_not,
          a_model_that_failed_too_often_gives_way_and_every_attempt_is_a_retry_of_the_budget,
          the_last_model_may_fail_as_often_as_the_first_and_then_it_ends, a_model_that_would_begin_too_late_gives_way,
          a_retry_goes_elsewhere_first_and_before_those_who_came_later,
          one_that_only_fails_is_left_alone_for_a_while_and_then_tried_again, who_fits_nowhere_or_finds_all_down_is_told_so)
