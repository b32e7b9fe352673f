/* Who starts next, and where: priorities, ageing, backfill, several upstreams. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "rules/pick.h"

#define SEC INT64_C(1000000)
#define START (1000 * SEC)

/* `n` upstreams with limits of their own, of these sizes. */
static struct pick *picks(int n, const struct limits_config *c, int64_t max_concurrent)
{
    struct pick *p = mem_zalloc(1, sizeof *p);

    pick_init(p, (uint32_t)n);
    p->upstreams = (uint32_t)n;
    for (int i = 0; i < n; i++) {
        limits_init(&p->limits[i], &c[i], START);
        p->group_mask[i] = UINT64_C(1) << i;
        p->upstream[i] = (struct pick_upstream){.group = (uint32_t)i, .max_concurrent = max_concurrent, .call_us = SEC,
                                                .cooldown_us = INT64_MIN / 2};
    }
    return p;
}

static void picks_end(struct pick *p)
{
    pick_done(p);
    free(p);
}

static uint32_t add(struct pick *p, enum priority priority, uint64_t user, int64_t input, uint64_t upstreams, int64_t now)
{
    struct queue_entry e = {.priority = priority, .user = user, .upstreams = upstreams, .arrived_us = now, .input = input,
                            .max_output = 1, .want_output = 1, .expect_output = 1};

    return queue_add(&p->queue, &e);
}

static const struct limits_config sixty = {.limit = {60}, .burst_requests = 1};
static const struct limits_config tokens = {.limit = {0, 0, 6000}, .burst_tokens = 1000};
static const struct limits_config unlimited = {.limit = {0}};

START_TEST(high_goes_before_medium_before_low)
{
    struct pick *p = picks(1, &unlimited, 3);
    uint32_t low = add(p, PRIORITY_LOW, 1, 10, 1, START), medium = add(p, PRIORITY_MEDIUM, 1, 10, 1, START);
    uint32_t high = add(p, PRIORITY_HIGH, 1, 10, 1, START), item;

    ck_assert(pick_next(p, START, &item));
    ck_assert_uint_eq(item, high);
    ck_assert(pick_next(p, START, &item));
    ck_assert_uint_eq(item, medium);
    ck_assert(pick_next(p, START, &item));
    ck_assert_uint_eq(item, low);
    picks_end(p);
}
END_TEST

START_TEST(calls_at_a_time_are_bounded_and_a_free_place_is_taken_at_once)
{
    struct pick *p = picks(1, &unlimited, 2);
    uint32_t first, item;

    for (int i = 0; i < 3; i++)
        (void)add(p, PRIORITY_MEDIUM, 1, 10, 1, START);
    ck_assert(pick_next(p, START, &first));
    ck_assert(pick_next(p, START, &item));
    ck_assert(!pick_next(p, START, &item));
    ck_assert_int_eq(p->wake_us, INT64_MAX);              /* no time by itself helps */
    ck_assert_int_eq(p->queue.line[0].why, GATE_CONCURRENCY);
    pick_settle(p, first, 10, 1);
    queue_remove(&p->queue, first);
    ck_assert(pick_next(p, START, &item));
    picks_end(p);
}
END_TEST

START_TEST(the_pause_between_two_calls_is_kept)
{
    struct limits_config c = {.limit = {0}, .pause_us = 1200000};
    struct pick *p = picks(1, &c, 10);
    uint32_t item;

    (void)add(p, PRIORITY_MEDIUM, 1, 10, 1, START);
    (void)add(p, PRIORITY_MEDIUM, 1, 10, 1, START);
    ck_assert(pick_next(p, START, &item));
    ck_assert(!pick_next(p, START, &item));
    ck_assert_int_eq(p->wake_us, START + 1200000);
    ck_assert_int_eq(p->queue.line[0].why, GATE_PACING);
    ck_assert(pick_next(p, START + 1200000, &item));
    picks_end(p);
}
END_TEST

START_TEST(the_upstream_with_most_headroom_is_taken)
{
    struct limits_config two[2] = {tokens, tokens};
    struct pick *p = picks(2, two, 10);
    uint32_t item;

    (void)limits_take(&p->limits[0], &(struct limits_need){600, 1, LIMITS_USUAL, false});
    (void)add(p, PRIORITY_MEDIUM, 1, 100, 3, START);
    ck_assert(pick_next(p, START, &item));
    ck_assert_int_eq(p->queue.item[item].upstream, 1);
    /* The other is down: no choice. */
    p->upstream[1].down = true;
    (void)add(p, PRIORITY_MEDIUM, 1, 100, 3, START);
    ck_assert(pick_next(p, START, &item));
    ck_assert_int_eq(p->queue.item[item].upstream, 0);
    picks_end(p);
}
END_TEST

START_TEST(who_waits_for_one_upstream_does_not_hold_up_another)
{
    struct limits_config two[2] = {sixty, sixty};
    struct pick *p = picks(2, two, 10);
    uint32_t item, other;

    (void)limits_take(&p->limits[0], &(struct limits_need){1, 1, LIMITS_USUAL, false});
    (void)add(p, PRIORITY_HIGH, 1, 10, 1, START);
    other = add(p, PRIORITY_LOW, 2, 10, 2, START);
    ck_assert(pick_next(p, START, &item));
    ck_assert_uint_eq(item, other);
    ck_assert(!pick_next(p, START, &item));
    ck_assert_int_eq(p->wake_us, START + SEC);
    picks_end(p);
}
END_TEST

/* A large ask waits some seconds for a lump of the window to leave; is a small one let by? */
static bool passes(int64_t small, int64_t *large_start)
{
    struct limits_config c = {.limit = {0, 0, 6000}, .burst_tokens = 6000};
    struct pick *p = picks(1, &c, 10);
    struct limits_hold h = limits_take(&p->limits[0], &(struct limits_need){3000, 0, LIMITS_USUAL, false});
    uint32_t large, item;
    int64_t now = START + 58 * SEC;
    bool passed;

    limits_settle(&p->limits[0], &h, 3000, 0);
    limits_tick(&p->limits[0], now);                     /* the bucket is full again, the window still holds 3,000 */
    large = add(p, PRIORITY_MEDIUM, 1, 4999, 1, now);
    (void)add(p, PRIORITY_MEDIUM, 1, small - 1, 1, now);
    passed = pick_next(p, now, &item);
    if (passed)
        ck_assert_uint_ne(item, large);
    *large_start = p->wake_us;
    while (!pick_next(p, now, &item) || item != large)
        now = p->wake_us;
    *large_start = now;
    picks_end(p);
    return passed;
}

START_TEST(a_small_ask_passes_a_large_one_only_if_that_does_not_delay_it)
{
    int64_t alone, with;

    ck_assert(!passes(3001, &alone));                    /* it does not fit now at all */
    ck_assert(passes(900, &with));
    ck_assert_int_eq(with, alone);
    ck_assert(passes(1000, &with));                      /* what the large one leaves when it starts */
    ck_assert_int_eq(with, alone);
    ck_assert(!passes(1001, &with));
    ck_assert_int_eq(with, alone);
}
END_TEST

/* As above, with room for a small ask; two of one user, the first of which was told a start in so long. Who passes? */
static uint32_t passer(uint64_t upstreams, int64_t told_us, uint32_t small[2])
{
    struct limits_config two[2] = {{.limit = {0, 0, 6000}, .burst_tokens = 6000}, {.limit = {0, 0, 1000}, .burst_tokens = 1000}};
    struct pick *p = picks(2, two, 10);
    struct limits_hold h = limits_take(&p->limits[0], &(struct limits_need){3000, 0, LIMITS_USUAL, false});
    int64_t now = START + 58 * SEC;
    uint32_t item;

    limits_settle(&p->limits[0], &h, 3000, 0);
    limits_tick(&p->limits[0], now);
    limits_tick(&p->limits[1], now);
    (void)add(p, PRIORITY_MEDIUM, 1, 4999, upstreams, now);
    small[0] = add(p, PRIORITY_MEDIUM, 2, 399, upstreams, now);
    small[1] = add(p, PRIORITY_MEDIUM, 2, 399, upstreams, now);
    queue_promise(&p->queue, small[0], now + told_us);
    if (!pick_next(p, now, &item))
        item = QUEUE_NONE;
    picks_end(p);
    return item;
}

START_TEST(nobody_passes_long_before_it_was_told_nor_from_behind_it_but_goes_where_nobody_waits)
{
    uint32_t small[2];

    ck_assert_uint_eq(passer(1, 2 * SEC, small), small[0]);
    ck_assert_uint_eq(passer(1, 3 * SEC, small), QUEUE_NONE);
    ck_assert_uint_eq(passer(3, 3 * SEC, small), small[0]);
}
END_TEST

static uint32_t picked(struct pick *p)
{
    uint32_t item;

    return pick_next(p, START, &item) ? item : QUEUE_NONE;
}

START_TEST(a_promise_that_is_past_goes_before_its_priority_three_times_of_four)
{
    struct pick *p = picks(1, &unlimited, 100);
    uint32_t medium = add(p, PRIORITY_MEDIUM, 1, 10, 1, START), low = add(p, PRIORITY_LOW, 2, 10, 1, START), told[5];
    uint32_t high = add(p, PRIORITY_HIGH, 3, 10, 1, START), later = add(p, PRIORITY_MEDIUM, 4, 10, 1, START);

    for (uint64_t i = 0; i < 5; i++) {
        told[i] = add(p, PRIORITY_MEDIUM, 10 + i, 10, 1, START);
        queue_promise(&p->queue, told[i], START - (int64_t)(5 - i) * SEC);      /* the first is the longest past */
    }
    queue_promise(&p->queue, later, START + SEC);
    queue_promise(&p->queue, low, START - 60 * SEC);
    ck_assert_uint_eq(picked(p), high);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(picked(p), told[i]);
    ck_assert_uint_eq(picked(p), medium);                /* the one whose turn it is */
    ck_assert_uint_eq(picked(p), told[3]);
    ck_assert_uint_eq(picked(p), told[4]);
    ck_assert_uint_eq(picked(p), later);
    ck_assert_uint_eq(picked(p), low);
    picks_end(p);
}
END_TEST

START_TEST(a_promise_that_is_past_waits_while_its_user_had_sixteen_such_requests_more)
{
    for (int64_t had = 15; had <= 17; had += 2) {
        struct pick *p = picks(1, &unlimited, 100);
        uint32_t before = add(p, PRIORITY_MEDIUM, 1, 10, 1, START), other, told;

        other = add(p, PRIORITY_MEDIUM, 2, 10, 1, START);
        ck_assert_uint_eq(picked(p), before);
        pick_settle(p, before, had * 11 - 1, 1);         /* each counts its input and the token that is expected */
        queue_remove(&p->queue, before);
        told = add(p, PRIORITY_MEDIUM, 1, 10, 1, START);
        queue_promise(&p->queue, told, START - SEC);
        ck_assert_uint_eq(picked(p), had == 15 ? told : other);
        picks_end(p);
    }
}
END_TEST

START_TEST(random_small_asks_never_delay_the_one_ahead)
{
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct rng r = rng_make(seed);
        struct limits_config c = {.limit = {0, 0, 6000, 0, 4000, 0}, .burst_tokens = 500 + rng_below(&r, 5000)};
        struct pick *p = picks(1, &c, 100), *alone;
        int64_t now = START;
        uint32_t large, item;
        int64_t start[2] = {0, 0};

        for (int i = 0; i < 20; i++) {
            struct limits_need need = {rng_below(&r, 600), 1, LIMITS_USUAL, false};
            enum gate why;

            limits_tick(&p->limits[0], now);
            if (limits_wait_us(&p->limits[0], &need, &why) == 0) {
                struct limits_hold h = limits_take(&p->limits[0], &need);

                limits_settle(&p->limits[0], &h, need.input, 1);
            }
            now += rng_below(&r, 3 * SEC);
        }
        large = add(p, PRIORITY_MEDIUM, 1, 1000 + rng_below(&r, 2500), 1, now);
        alone = picks(1, &c, 100);
        memcpy(alone->limits, p->limits, sizeof *p->limits);
        ck_assert_uint_eq(add(alone, PRIORITY_MEDIUM, 1, p->queue.item[large].input, 1, now), large);
        for (int i = 0; i < 10; i++)
            (void)add(p, PRIORITY_MEDIUM, 1, rng_below(&r, 300), 1, now);
        for (int which = 0; which < 2; which++) {
            struct pick *q = which ? alone : p;
            int64_t t = now;

            for (;;) {
                if (!pick_next(q, t, &item))
                    t = q->wake_us;
                else if (item == large)
                    break;
            }
            start[which] = t;
        }
        ck_assert_msg(start[0] == start[1], "seed %llu: %lld instead of %lld", (unsigned long long)seed,
                      (long long)start[0], (long long)start[1]);
        picks_end(p);
        picks_end(alone);
    }
}
END_TEST

START_TEST(the_lowest_priority_is_served_within_the_stated_bound_while_higher_ones_flood)
{
    struct pick *p = picks(1, &sixty, 10);
    int64_t now = START, grants = 0;
    uint32_t low = add(p, PRIORITY_LOW, 1, 10, 1, now), item = QUEUE_NONE;

    while (item != low && grants < 1000) {
        while (p->queue.waiting[PRIORITY_HIGH] < 50)
            (void)add(p, PRIORITY_HIGH, 2 + (uint64_t)(grants % 7), 10, 1, now);
        while (p->queue.waiting[PRIORITY_MEDIUM] < 50)
            (void)add(p, PRIORITY_MEDIUM, 2 + (uint64_t)(grants % 7), 10, 1, now);
        if (!pick_next(p, now, &item)) {
            now = p->wake_us;
            continue;
        }
        if (now - START >= PICK_OVERDUE_US)
            grants++;
        if (item != low) {
            pick_settle(p, item, 10, 1);
            queue_remove(&p->queue, item);
        }
    }
    ck_assert_int_le(grants, PICK_TURN * PRIORITY_COUNT);
    picks_end(p);
}
END_TEST

START_TEST(a_user_with_one_ask_is_not_starved_by_ever_new_users)
{
    struct pick *p = picks(1, &sixty, 10);
    int64_t now = START, grants = 0;
    uint64_t user = 10;
    uint32_t mine, item = QUEUE_NONE;

    for (int i = 0; i < 5; i++) {                        /* one who has had a lot lately */
        mine = add(p, PRIORITY_MEDIUM, 1, 5000, 1, now);
        queue_start(&p->queue, mine, 5000);
        if (i)
            queue_remove(&p->queue, mine);
    }
    mine = add(p, PRIORITY_MEDIUM, 1, 10, 1, now);
    while (item != mine && grants < 1000) {
        while (p->queue.waiting[PRIORITY_MEDIUM] < 30)
            (void)add(p, PRIORITY_MEDIUM, user++, 10, 1, now);
        if (!pick_next(p, now, &item)) {
            now = p->wake_us;
            continue;
        }
        grants += now - START >= PICK_OVERDUE_US;
        if (item != mine) {
            pick_settle(p, item, 10, 1);
            queue_remove(&p->queue, item);
        }
    }
    ck_assert_int_le(grants, PICK_TURN * PRIORITY_COUNT);
    picks_end(p);
}
END_TEST

/* --- weights --- */

enum { CLIENTS = 2, ASK_MAX = 1000 };

struct client {
    uint64_t user;
    int32_t weight;
    bool busy;                           /* has always something waiting */
    int64_t had;                         /* tokens of calls that began */
};

static uint64_t user_of(const struct pick *p, uint32_t item)
{
    return (uint64_t)(uintptr_t)p->queue.item[item].owner;
}

/* Serve the clients for so long under a simulated clock: whoever is busy has four asks waiting, of random sizes. `apart`: the most
 * that their tokens, each divided by its weight, ever differed since the beginning of this call. */
static void serve(struct pick *p, struct client c[CLIENTS], int64_t *now, int64_t until, struct rng *rng, int64_t *apart)
{
    int64_t from[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        from[i] = c[i].had;
    *apart = 0;
    while (*now < until) {
        uint32_t item;

        for (int i = 0; i < CLIENTS; i++)
            while (c[i].busy && queue_waiting_of(&p->queue, PRIORITY_MEDIUM, c[i].user) < 4) {
                struct queue_entry e = {.priority = PRIORITY_MEDIUM, .user = c[i].user, .weight = c[i].weight, .upstreams = 1, .arrived_us = *now,
                                        .input = 100 + rng_below(rng, ASK_MAX - 100), .max_output = 1, .want_output = 1,
                                        .owner = (void *)(uintptr_t)c[i].user};

                (void)queue_add(&p->queue, &e);
            }
        while (*now < until && pick_next(p, *now, &item)) {
            struct client *of = user_of(p, item) == c[0].user ? &c[0] : &c[1];
            int64_t tokens = p->queue.item[item].input, difference;

            of->had += tokens;
            difference = llabs((c[0].had - from[0]) * 1000 / c[0].weight - (c[1].had - from[1]) * 1000 / c[1].weight);
            *apart = difference > *apart ? difference : *apart;
            pick_settle(p, item, tokens, 0);
            queue_remove(&p->queue, item);
            if (queue_waiting_of(&p->queue, PRIORITY_MEDIUM, of->user) < 2)
                break;                   /* it is refilled first */
        }
        if (p->wake_us > *now && p->wake_us < INT64_MAX)
            *now = p->wake_us;
    }
}

/* What a bound in tokens by weight is: that of the largest ask of each. */
static int64_t bound(const struct client c[CLIENTS])
{
    return INT64_C(1000) * ASK_MAX / c[0].weight + INT64_C(1000) * ASK_MAX / c[1].weight;
}

START_TEST(tokens_are_shared_by_weight_and_an_idle_clients_part_is_lent_until_it_asks_again)
{
    const struct limits_config c = {.limit = {0, 0, 60000}, .burst_tokens = 1000};
    struct pick *p = picks(1, &c, 4);
    struct client clients[CLIENTS] = {{1, 3000, true, 0}, {2, 1000, true, 0}};
    struct rng rng = rng_make(7);
    int64_t now = START, apart, before;
    double ratio;

    serve(p, clients, &now, START + 600 * SEC, &rng, &apart);
    ratio = (double)clients[0].had / (double)clients[1].had;
    ck_assert_msg(ratio > 3 * 0.95 && ratio < 3 * 1.05, "%" PRId64 " to %" PRId64, clients[0].had, clients[1].had);
    ck_assert_int_ge(clients[0].had + clients[1].had, 10 * 60000 * 97 / 100);      /* all of the limit */
    ck_assert_int_le(apart, bound(clients));

    clients[0].busy = false;
    before = clients[1].had;
    serve(p, clients, &now, START + 1200 * SEC, &rng, &apart);
    ck_assert_int_ge(clients[1].had - before, 10 * 60000 * 97 / 100 - 4 * ASK_MAX); /* the other has all but what was left waiting */

    clients[0].busy = true;
    serve(p, clients, &now, START + 1260 * SEC, &rng, &apart);
    ck_assert_int_le(apart, bound(clients));                                        /* its share is back from the first ask on */
    picks_end(p);
}
END_TEST

START_TEST(a_weight_counts_at_what_was_really_used)
{
    struct pick *p = picks(1, &unlimited, 1);
    struct queue_entry e = {.priority = PRIORITY_MEDIUM, .user = 1, .weight = 100 * QUEUE_WEIGHT_ONE, .upstreams = 1, .arrived_us = START,
                            .input = 100, .max_output = 900, .want_output = 900, .expect_output = 900};
    uint32_t heavy = queue_add(&p->queue, &e), item;

    ck_assert(pick_next(p, START, &item));
    ck_assert_int_eq(queue_ahead(&p->queue, heavy), 10);
    pick_settle(p, heavy, 100, 5900);
    ck_assert_int_eq(queue_ahead(&p->queue, heavy), 60);
    ck_assert_int_eq(queue_weighed(&p->queue.item[heavy], 1000), 10);
    queue_remove(&p->queue, heavy);
    picks_end(p);
}
END_TEST

UNIT_MAIN("pick", high_goes_before_medium_before_low, calls_at_a_time_are_bounded_and_a_free_place_is_taken_at_once,
          the_pause_between_two_calls_is_kept, the_upstream_with_most_headroom_is_taken,
          who_waits_for_one_upstream_does_not_hold_up_another,
          a_small_ask_passes_a_large_one_only_if_that_does_not_delay_it,
          nobody_passes_long_before_it_was_told_nor_from_behind_it_but_goes_where_nobody_waits,
          a_promise_that_is_past_goes_before_its_priority_three_times_of_four,
          a_promise_that_is_past_waits_while_its_user_had_sixteen_such_requests_more, random_small_asks_never_delay_the_one_ahead,
          the_lowest_priority_is_served_within_the_stated_bound_while_higher_ones_flood,
          a_user_with_one_ask_is_not_starved_by_ever_new_users,
          tokens_are_shared_by_weight_and_an_idle_clients_part_is_lent_until_it_asks_again,
          a_weight_counts_at_what_was_really_used)
