/* A forecast is the rules run ahead: when everything goes as expected, every
 * start comes to the microsecond when it was foretold, in the foretold order. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "rules/forecast.h"

#define SEC INT64_C(1000000)
#define START (1000 * SEC)

enum { ITEMS = 300 };

static const struct arrivals nobody;

static void fill(struct pick *p, struct rng *r)
{
    static int owner;

    pick_init(p, 2);
    p->upstreams = 3;
    for (int i = 0; i < 2; i++) {
        struct limits_config c = {.limit = {30 + rng_below(r, 200), 0, 20000 + rng_below(r, 50000), 0, 0, 9000},
                                  .reserve_ppm = 150000, .pause_us = i ? 50000 : 0};

        limits_init(&p->limits[i], &c, START);
    }
    for (int i = 0; i < 3; i++) {
        p->upstream[i] = (struct pick_upstream){.group = i < 2 ? 0 : 1, .max_concurrent = 1 + rng_below(r, 20),
                                                .cooldown_us = START + rng_below(r, 20 * SEC), .call_us = 2 * SEC,
                                                .call_output = 100, .output_at_start = i == 2};
        p->group_mask[p->upstream[i].group] |= UINT64_C(1) << i;
    }
    for (int i = 0; i < ITEMS; i++) {
        struct queue_entry e = {
            .priority = (enum priority)rng_below(r, PRIORITY_COUNT), .user = 1 + (uint64_t)rng_below(r, 6),
            .session = (uint64_t)rng_below(r, 60), .upstreams = 1 + (uint64_t)rng_below(r, 7), .arrived_us = START,
            .input = 1 + rng_below(r, 800), .max_output = 400, .want_output = 50 + rng_below(r, 200),
            .expect_output = 20 + rng_below(r, 100), .owner = &owner,
        };

        (void)queue_add(&p->queue, &e);
    }
    pick_high_asked(p, 7, START);
}

/* Let what is expected come true; note who started when. */
static void come_true(struct pick *p, int64_t start[ITEMS], int position[ITEMS])
{
    struct heap ends = {0};
    int64_t now = START;
    int at[3] = {0}, left = ITEMS;
    uint32_t item;

    while (left > 0) {
        while (left > 0 && pick_next(p, now, &item)) {
            start[item] = now;
            position[item] = ++at[p->queue.item[item].upstream];
            heap_push(&ends, NULL, p->queue.item[item].ends_us, 0, item);
            left--;
        }
        if (left == 0)
            break;
        now = ends.n && ends.v[0].key < p->wake_us ? ends.v[0].key : p->wake_us;
        ck_assert_int_lt(now, START + 36000 * SEC);
        while (ends.n && ends.v[0].key <= now) {
            item = heap_pop(&ends, NULL).id;
            pick_settle(p, item, p->queue.item[item].input, p->queue.item[item].expect_output);
            queue_remove(&p->queue, item);
        }
    }
    heap_done(&ends);
}

START_TEST(what_goes_as_expected_starts_to_the_microsecond_when_it_was_foretold)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct rng r = rng_make(seed);
        struct pick *p = mem_zalloc(1, sizeof *p);
        struct forecast *f = mem_zalloc(1, sizeof *f);
        int64_t start[ITEMS];
        int position[ITEMS];

        fill(p, &r);
        forecast_init(f, 2);
        forecast_run(f, p, &nobody, 1000, START);
        ck_assert_uint_eq(f->count, ITEMS);
        come_true(p, start, position);
        for (uint32_t i = 0; i < ITEMS; i++) {
            ck_assert_msg(f->place[i].start_us == start[i], "seed %llu, item %u: %lld foretold, %lld came", (unsigned long long)seed,
                          i, (long long)f->place[i].start_us, (long long)start[i]);
            ck_assert_int_eq(f->place[i].position, position[i]);
        }
        forecast_done(f);
        pick_done(p);
        free(f);
        free(p);
    }
}
END_TEST

START_TEST(a_forecast_changes_nothing_in_what_it_foretells)
{
    struct rng r = rng_make(5);
    struct pick *p = mem_zalloc(1, sizeof *p);
    struct forecast *f = mem_zalloc(1, sizeof *f);
    struct item before[ITEMS];
    struct limits limits[2];

    fill(p, &r);
    memcpy(before, p->queue.item, sizeof before);
    memcpy(limits, p->limits, sizeof limits);
    forecast_init(f, 2);
    forecast_run(f, p, &nobody, 1000, START);
    ck_assert_mem_eq(before, p->queue.item, sizeof before);
    ck_assert_mem_eq(limits, p->limits, sizeof limits);
    forecast_done(f);
    pick_done(p);
    free(f);
    free(p);
}
END_TEST

START_TEST(what_can_never_start_is_said_so)
{
    struct rng r = rng_make(6);
    struct pick *p = mem_zalloc(1, sizeof *p);
    struct forecast *f = mem_zalloc(1, sizeof *f);

    fill(p, &r);
    p->upstream[2].down = true;
    forecast_init(f, 2);
    forecast_run(f, p, &nobody, 1000, START);
    ck_assert_uint_eq(f->count, ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        if (p->queue.item[i].upstreams == 4)                  /* only where it is down */
            ck_assert_int_eq(f->place[i].start_us, FORECAST_NEVER);
        else if (!p->queue.item[i].session)
            ck_assert_int_ne(f->place[i].start_us, FORECAST_NEVER);
    }
    forecast_done(f);
    pick_done(p);
    free(f);
    free(p);
}
END_TEST

START_TEST(the_last_minute_is_expected_to_happen_again)
{
    static struct arrivals a;
    struct arrivals_walk w;
    struct queue q;
    struct queue_entry e = {.priority = PRIORITY_HIGH, .user = 3, .upstreams = 1, .input = 70};

    queue_init(&q);
    for (int i = 0; i < 90; i++)
        arrivals_note(&a, &q, queue_add(&q, &e), 3, START + i * SEC);
    w = arrivals_expect(&a, START + 90 * SEC);
    for (int i = 1; i < 200; i++) {
        if (i % 60 == 0)
            continue;                              /* the oldest of them is just a minute old, and out */
        ck_assert_int_eq(arrivals_next_us(&w), START + (90 + i) * SEC);
        ck_assert_int_eq(arrivals_take(&w)->input, 70);
    }
    queue_done(&q);
}
END_TEST

UNIT_MAIN("forecast", what_goes_as_expected_starts_to_the_microsecond_when_it_was_foretold,
          a_forecast_changes_nothing_in_what_it_foretells, what_can_never_start_is_said_so,
          the_last_minute_is_expected_to_happen_again)
