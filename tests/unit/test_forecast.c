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

/* One ask a second for ten minutes: from wherever it begins, one a second is expected. */
START_TEST(the_last_minutes_are_expected_to_happen_again_from_anywhere_on)
{
    static struct arrivals a;
    struct queue q;
    struct queue_entry e = {.priority = PRIORITY_HIGH, .user = 3, .upstreams = 1};
    const int64_t now = START + 600 * SEC, minutes = ARRIVALS_SPAN_US / SEC;

    queue_init(&q);
    for (int i = 1; i <= 600; i++) {
        e.input = i;
        arrivals_note(&a, &q, queue_add(&q, &e), 3, START + i * SEC);
    }
    for (int32_t from = 0; from < 1000000; from += 125000) {
        struct arrivals_walk w = arrivals_expect(&a, from, now);
        int64_t last = now - SEC, first = 0;

        for (int64_t i = 0; i < 3 * minutes; i++) {
            int64_t at = arrivals_next_us(&w), input = arrivals_take(&w)->input;

            first = i ? first : input;
            ck_assert_int_ge(at, now);
            ck_assert_int_ge(at, last);
            ck_assert_int_le(at - last, 2 * SEC);
            ck_assert_int_gt(input, 600 - minutes);
            last = at;
        }
        ck_assert_int_le(last, now + 3 * minutes * SEC);
        ck_assert_int_le(llabs(first - (600 - minutes + minutes * from / 1000000)), 2);
    }
    queue_done(&q);
}
END_TEST

/* With arrivals to come there are several futures; each who waits still has one place, in the order of the starts. */
START_TEST(several_futures_give_one_place_to_each_who_waits)
{
    static struct arrivals a;
    struct rng r = rng_make(8);
    struct pick *p = mem_zalloc(1, sizeof *p);
    struct forecast *f = mem_zalloc(1, sizeof *f);
    int64_t last = START;
    bool seen[ITEMS] = {false};

    pick_init(p, 1);
    p->upstreams = 1;
    limits_init(&p->limits[0], &(struct limits_config){.limit = {60}}, START);
    p->upstream[0] = (struct pick_upstream){.max_concurrent = 20, .cooldown_us = START, .call_us = SEC, .call_output = 100};
    p->group_mask[0] = 1;
    for (int i = 0; i < 40; i++) {
        struct queue_entry e = {.priority = (enum priority)rng_below(&r, PRIORITY_COUNT), .user = 1 + (uint64_t)rng_below(&r, 4),
                                .upstreams = 1, .arrived_us = START, .input = 10, .max_output = 100, .want_output = 50,
                                .expect_output = 40, .owner = p};

        arrivals_note(&a, &p->queue, queue_add(&p->queue, &e), e.user, START - (40 - i) * SEC);
    }
    forecast_init(f, 1);
    forecast_run(f, p, &a, 1000, START);
    ck_assert_uint_eq(f->count, 40);
    for (uint32_t i = 0; i < f->count; i++) {
        const struct forecast_place *place = &f->place[f->order[i]];

        ck_assert(!seen[f->order[i]]);
        seen[f->order[i]] = true;
        ck_assert(forecast_knows(f, p, f->order[i]));
        ck_assert(!place->guessed);
        ck_assert_int_eq(place->position, i + 1);
        ck_assert_int_ge(place->start_us, last);
        last = place->start_us;
    }
    forecast_done(f);
    pick_done(p);
    free(f);
    free(p);
}
END_TEST

UNIT_MAIN("forecast", what_goes_as_expected_starts_to_the_microsecond_when_it_was_foretold,
          a_forecast_changes_nothing_in_what_it_foretells, what_can_never_start_is_said_so,
          the_last_minutes_are_expected_to_happen_again_from_anywhere_on, several_futures_give_one_place_to_each_who_waits)
