/* When a flow may begin in a window, and how full it then becomes, against a model that looks at every microsecond. */
#include "unit.h"

#include "base/rand.h"
#include "rules/window.h"

enum { SLOT_US = 5, CASES = 6000, BEGINS = 3, MILLION = 1000000 };

struct model {
    const struct window *w;
    const struct window_flow *f;
    int64_t now_us;
};

/* What still counts `after_us` from now: with the guard slot, against what comes at once; without, against what comes in time. */
static int64_t counts(const struct model *m, int64_t after_us, int guard)
{
    int64_t newest = (m->now_us + after_us) / SLOT_US, sum = 0;

    for (int64_t number = m->w->current - WINDOW_SPAN + 1; number <= m->w->current; number++)
        if (number > newest - WINDOW_SPAN + !guard)
            sum += m->w->slot[number & (WINDOW_RING - 1)];
    return sum;
}

/* Of one that began so long ago. */
static int64_t came_millionths(const struct window_flow *f, int64_t after_us)
{
    int64_t sum = 0;

    for (int i = 0; i < 2; i++) {
        int64_t came = f->part[i].a_second * after_us, most = f->part[i].most * MILLION;

        sum += came < most ? came : most;
    }
    return sum;
}

/* The fullest moment from begin_us after now on, until the last slot has left and all has come; in millionths. */
static int64_t fullest(const struct model *m, int64_t begin_us)
{
    int64_t all = (m->f->at_once + m->f->part[0].most + m->f->part[1].most) * MILLION, most = all;

    for (int64_t t = begin_us; t <= begin_us + SLOT_US || counts(m, t, 1) > 0; t++) {
        int64_t begun = (counts(m, t, 1) + m->f->at_once) * MILLION;
        int64_t grown = (counts(m, t, 0) + m->f->at_once) * MILLION + came_millionths(m->f, t - begin_us);

        most = begun > most ? begun : most;
        most = grown > most ? grown : most;
    }
    return most;
}

/* A window with a few full slots, a flow, and a room that is short of both. */
static void any_case(struct rng *rng, struct window *w, struct window_flow *f, int64_t *now_us)
{
    int64_t slots = 1 + (int64_t)rng_below(rng, 6);

    *now_us = 10000 + (int64_t)rng_below(rng, 1000);
    window_init(w, (int64_t)SLOT_US * WINDOW_SLOTS, *now_us);
    for (int64_t i = 0; i < slots; i++) {
        *now_us += (int64_t)rng_below(rng, 300);
        window_advance(w, *now_us);
        window_add(w, 1 + (int64_t)rng_below(rng, 20));
    }
    *f = (struct window_flow){ .at_once = (int64_t)rng_below(rng, 10) };
    for (int i = 0; i < 2; i++) {
        if (rng_below(rng, 4) == 0)
            continue;
        f->part[i].most = 1 + (int64_t)rng_below(rng, 20);
        f->part[i].a_second = 1000 + (int64_t)rng_below(rng, 60000);       /* whole in 300 us to 20 ms; the window has 1.2 */
    }
}

START_TEST(a_flow_begins_as_early_as_it_may_and_never_passes_the_room)
{
    struct rng rng = rng_make(11);
    int waited = 0, never = 0;

    for (int i = 0; i < CASES; i++) {
        struct window w;
        struct window_flow f;
        struct model m = { .w = &w, .f = &f };
        int64_t room = 1 + (int64_t)rng_below(&rng, 90), wait;

        any_case(&rng, &w, &f, &m.now_us);
        if (f.part[0].most + f.part[1].most == 0)
            continue;
        wait = window_wait_flow_us(&w, &f, room, m.now_us);
        if (f.at_once + f.part[0].most + f.part[1].most > room) {
            ck_assert_int_eq(wait, INT64_MAX);
            never++;
            continue;
        }
        ck_assert_msg(fullest(&m, wait) <= room * MILLION, "case %d: after %lld us it is too full", i, (long long)wait);
        if (wait > 0) {
            ck_assert_msg(fullest(&m, wait - 1) > room * MILLION, "case %d: %lld us is a microsecond too long", i, (long long)wait);
            waited++;
        }
    }
    ck_assert_int_gt(waited, CASES / 10);
    ck_assert_int_gt(never, CASES / 20);
}
END_TEST

START_TEST(the_peak_is_what_the_fullest_moment_has)
{
    struct rng rng = rng_make(12);

    for (int i = 0; i < CASES; i++) {
        struct window w;
        struct window_flow f;
        struct model m = { .w = &w, .f = &f };

        any_case(&rng, &w, &f, &m.now_us);
        for (int k = 0; k < BEGINS; k++) {
            int64_t begin = (int64_t)rng_below(&rng, WINDOW_SPAN * SLOT_US + 50);

            ck_assert_msg(window_peak(&w, &f, m.now_us + begin) == (fullest(&m, begin) + MILLION - 1) / MILLION, "case %d, after %lld us", i,
                          (long long)begin);
        }
    }
}
END_TEST

START_TEST(what_comes_all_at_once_waits_for_the_guard_too)
{
    struct window w;
    struct window_flow f = { .at_once = 4 };

    window_init(&w, (int64_t)SLOT_US * WINDOW_SLOTS, 0);
    window_add(&w, 7);
    ck_assert_int_eq(window_wait_flow_us(&w, &f, 11, 0), 0);
    ck_assert_int_eq(window_wait_flow_us(&w, &f, 10, 0), (int64_t)WINDOW_SPAN * SLOT_US);
    ck_assert_int_eq(window_wait_flow_us(&w, &f, 3, 0), INT64_MAX);
    ck_assert_int_eq(window_peak(&w, &f, (int64_t)WINDOW_SPAN * SLOT_US - 1), 11);
    ck_assert_int_eq(window_peak(&w, &f, (int64_t)WINDOW_SPAN * SLOT_US), 4);
}
END_TEST

START_TEST(the_largest_flow_does_not_overflow)
{
    struct window w;
    struct window_flow f = { .at_once = WINDOW_FLOW_MAX, .part = { { WINDOW_FLOW_MAX, WINDOW_FLOW_MAX }, { WINDOW_FLOW_MAX, 1 } } };
    int64_t hour = INT64_C(3600) * MILLION, wait;

    window_init(&w, hour, 0);
    window_add(&w, WINDOW_FLOW_MAX);
    ck_assert_int_eq(window_peak(&w, &f, 0), 3 * WINDOW_FLOW_MAX + hour / MILLION + w.slot_us / MILLION);
    wait = window_wait_flow_us(&w, &f, 3 * WINDOW_FLOW_MAX, 0);
    ck_assert_int_gt(wait, 0);
    ck_assert_int_le(wait, hour + 2 * w.slot_us);
}
END_TEST

UNIT_MAIN("window_flow", a_flow_begins_as_early_as_it_may_and_never_passes_the_room, the_peak_is_what_the_fullest_moment_has,
          what_comes_all_at_once_waits_for_the_guard_too, the_largest_flow_does_not_overflow)
