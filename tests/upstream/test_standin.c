/* The stand-in is a judge, so it is judged first: its limits and its names. */
#include <string.h>

#include "../unit/unit.h"
#include "limits.h"
#include "plan.h"

enum { SEC = 1000000, MINUTE = 60 * SEC };

static struct limit make(enum limit_kind kind, int64_t max)
{
    struct limit l = {0};

    limit_set(&l, kind, max, MINUTE, 7 * MINUTE);
    return l;
}

START_TEST(a_bucket_gives_back_evenly)
{
    struct limit l = make(LIMIT_BUCKET, 60);
    int64_t now = 7 * MINUTE;

    ck_assert_int_eq(limit_wait_us(&l, 60, now), 0);
    limit_take(&l, 60, now);
    ck_assert_int_eq(limit_wait_us(&l, 1, now), SEC);
    ck_assert_int_eq(limit_wait_us(&l, 1, now + SEC - 1), 1);
    ck_assert_int_eq(limit_wait_us(&l, 1, now + SEC), 0);
    ck_assert_int_eq(limit_remaining(&l, now + 10 * SEC), 10);
    ck_assert_int_eq(limit_reset_us(&l, now + 10 * SEC), 50 * SEC);
}
END_TEST

START_TEST(a_sliding_window_remembers_each_grant_for_its_own_minute)
{
    struct limit l = make(LIMIT_SLIDING, 100);
    int64_t now = 7 * MINUTE;

    limit_take(&l, 70, now);
    limit_take(&l, 30, now + 20 * SEC);
    ck_assert_int_eq(limit_wait_us(&l, 70, now + 30 * SEC), 30 * SEC);
    ck_assert_int_eq(limit_wait_us(&l, 71, now + 30 * SEC), 50 * SEC);
    ck_assert_int_eq(limit_remaining(&l, now + MINUTE), 70);
    for (int i = 0; i < 1000; i++)
        limit_take(&l, 0, now + MINUTE);
    ck_assert_int_eq(limit_remaining(&l, now + 2 * MINUTE), 100);
    limit_set(&l, LIMIT_BUCKET, 0, MINUTE, now);
}
END_TEST

START_TEST(a_fixed_minute_begins_anew_on_the_minute)
{
    struct limit l = make(LIMIT_FIXED, 10);

    limit_take(&l, 10, 7 * MINUTE + 59 * SEC);
    ck_assert_int_eq(limit_wait_us(&l, 1, 7 * MINUTE + 59 * SEC), SEC);
    ck_assert_int_eq(limit_wait_us(&l, 10, 8 * MINUTE), 0);
}
END_TEST

START_TEST(more_than_the_whole_limit_never_passes_and_no_limit_always_does)
{
    struct limit l = make(LIMIT_BUCKET, 60), none = make(LIMIT_BUCKET, 0);

    ck_assert_int_eq(limit_wait_us(&l, 61, 7 * MINUTE), -1);
    ck_assert_int_eq(limit_wait_us(&none, INT64_C(1) << 60, 7 * MINUTE), 0);
}
END_TEST

START_TEST(every_listed_model_has_a_plan_and_an_unlisted_one_has_none)
{
    struct plan p;

    for (size_t i = 0; plan_models[i]; i++)
        ck_assert_msg(plan_parse(plan_models[i], strlen(plan_models[i]), &p), "%s", plan_models[i]);
    ck_assert(!plan_parse("llama", 5, &p));
    ck_assert(!plan_parse("fault-503-thrice", 16, &p));
    ck_assert(!plan_parse("lorem-5x", 8, &p));
    ck_assert(!plan_parse("", 0, &p));
}
END_TEST

START_TEST(numbers_in_a_name_are_understood)
{
    struct plan p;

    ck_assert(plan_parse("slow-500-20-7", 13, &p));
    ck_assert_int_eq(p.first_us, 500000);
    ck_assert_int_eq(p.gap_us, 20000);
    ck_assert_int_eq(p.tokens, 7);
    ck_assert(plan_parse("chunks-10-50", 12, &p));
    ck_assert_int_eq(p.gap_us, 20000);
    ck_assert(plan_parse("fault-503-twice", 15, &p));
    ck_assert_int_eq(p.status, 503);
    ck_assert_int_eq(p.refusals, 2);
    ck_assert(plan_parse("fault-cut-400", 13, &p));
    ck_assert_int_eq(p.break_at, 400);
    ck_assert_int_eq(p.status, 200);
    ck_assert(plan_parse("fault-event-429-3-once", 22, &p));
    ck_assert_int_eq(p.event_status, 429);
    ck_assert_int_eq(p.event_after, 3);
    ck_assert_int_eq(p.refusals, 1);
    ck_assert_int_eq(p.status, 200);
    ck_assert(!plan_parse("fault-event-429-3-never", 23, &p));
}
END_TEST

UNIT_MAIN("stand-in", a_bucket_gives_back_evenly, a_sliding_window_remembers_each_grant_for_its_own_minute,
          a_fixed_minute_begins_anew_on_the_minute, more_than_the_whole_limit_never_passes_and_no_limit_always_does,
          every_listed_model_has_a_plan_and_an_unlisted_one_has_none, numbers_in_a_name_are_understood)
