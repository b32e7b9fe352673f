/* Bucket and window at their edges: exact refill, debts, clocks that stand
 * still, step back or jump, and the last instant at which something counts. */
#include "unit.h"

#include "rules/bucket.h"
#include "rules/window.h"

#define SEC INT64_C(1000000)
#define MINUTE (60 * SEC)
#define HOUR (3600 * SEC)

START_TEST(a_billion_seconds_of_refill_lose_no_part_of_a_token)
{
    struct bucket b = bucket_make(7, MINUTE, 10, 0);
    int64_t now = 0, taken = 10;

    bucket_take(&b, 10);
    /* In steps of a prime number of microseconds, each token as soon as it is there. */
    for (int i = 0; i < 1000000; i++) {
        now += 999983;
        bucket_refill(&b, now);
        while (bucket_wait_us(&b, 1, 0) == 0) {
            bucket_take(&b, 1);
            taken++;
        }
    }
    ck_assert_int_eq(taken, 10 + now * 7 / MINUTE);
    now += INT64_C(1000000000) * SEC;
    bucket_refill(&b, now);
    ck_assert_int_eq(bucket_tokens(&b), 10);
}
END_TEST

START_TEST(a_debt_is_paid_before_anything_is_granted)
{
    struct bucket b = bucket_make(60, MINUTE, 60, 0);

    bucket_take(&b, 70);
    ck_assert_int_eq(bucket_tokens(&b), -10);
    bucket_refill(&b, 10 * SEC);
    ck_assert_int_eq(bucket_wait_us(&b, 1, 0), SEC);
    ck_assert_int_eq(bucket_tokens(&b), 0);
}
END_TEST

START_TEST(a_clock_that_stands_still_or_steps_back_adds_nothing)
{
    struct bucket b = bucket_make(60, MINUTE, 60, 100 * SEC);

    bucket_take(&b, 60);
    bucket_refill(&b, 100 * SEC);
    bucket_refill(&b, 5 * SEC);
    ck_assert_int_eq(b.level, 0);
    bucket_refill(&b, 101 * SEC);
    ck_assert_int_eq(bucket_tokens(&b), 1);
}
END_TEST

START_TEST(the_widest_bucket_and_the_deepest_debt_do_not_overflow)
{
    struct bucket b = bucket_make(INT64_MAX, HOUR, INT64_MAX, 0);

    for (int i = 0; i < 10; i++)
        bucket_take(&b, INT64_MAX);
    ck_assert_int_lt(bucket_tokens(&b), -BUCKET_MAX);
    ck_assert_int_gt(bucket_wait_us(&b, BUCKET_MAX, 0), 0);
    bucket_refill(&b, INT64_MAX);
    ck_assert_int_eq(bucket_tokens(&b), BUCKET_MAX);
    bucket_give(&b, INT64_MAX);
    ck_assert_int_eq(bucket_tokens(&b), BUCKET_MAX);
}
END_TEST

START_TEST(a_smaller_burst_takes_effect_at_once_and_a_slower_rate_from_now_on)
{
    struct bucket b = bucket_make(60, MINUTE, 60, 0);

    bucket_take(&b, 40);
    bucket_set(&b, 30, 60, 10 * SEC);          /* ten more came at the old rate */
    ck_assert_int_eq(bucket_tokens(&b), 30);
    bucket_refill(&b, 20 * SEC);
    ck_assert_int_eq(bucket_tokens(&b), 35);
    bucket_set(&b, 30, 10, 20 * SEC);
    ck_assert_int_eq(bucket_tokens(&b), 10);
}
END_TEST

START_TEST(what_may_pass_is_what_is_left_when_the_one_ahead_has_started)
{
    struct bucket b = bucket_make(60, MINUTE, 60, 0);

    bucket_take(&b, 50);
    ck_assert_int_eq(bucket_wait_us(&b, 30, 0), 20 * SEC);
    ck_assert_int_eq(bucket_slack(&b, 30, 0, 20 * SEC), 0);
    ck_assert_int_eq(bucket_slack(&b, 30, 0, 25 * SEC), 5);
}
END_TEST

START_TEST(what_falls_into_a_slot_counts_until_slot_and_guard_have_left)
{
    struct window w;

    window_init(&w, MINUTE, 1000 * SEC);
    window_advance(&w, 1000 * SEC + 249999);      /* the last instant of a quarter-second slot */
    window_add(&w, 5);
    window_advance(&w, 1060 * SEC + 249999);      /* exactly a minute later it still counts */
    ck_assert_int_eq(w.sum, 5);
    ck_assert_int_eq(window_wait_us(&w, 5, 1060 * SEC + 249999), 250001);
    window_advance(&w, 1060 * SEC + 499999);
    ck_assert_int_eq(w.sum, 5);
    window_advance(&w, 1060 * SEC + 500000);
    ck_assert_int_eq(w.sum, 0);
}
END_TEST

START_TEST(a_window_survives_a_clock_that_steps_back_or_jumps)
{
    struct window w;

    window_init(&w, HOUR, 10 * HOUR);
    window_add(&w, 7);
    window_advance(&w, 9 * HOUR);
    ck_assert_int_eq(w.sum, 7);
    window_add(&w, 1);
    window_advance(&w, 10 * HOUR + HOUR / 2);
    ck_assert_int_eq(w.sum, 8);
    window_advance(&w, 30 * 24 * HOUR);
    ck_assert_int_eq(w.sum, 0);
    for (int i = 0; i < WINDOW_RING; i++)
        ck_assert_int_eq(w.slot[i], 0);
}
END_TEST

START_TEST(a_correction_finds_its_slot_or_comes_too_late)
{
    struct window w;

    window_init(&w, MINUTE, 1000 * SEC);
    window_add(&w, 100);
    window_advance(&w, 1010 * SEC);
    window_add(&w, 10);
    window_amend(&w, 1000 * SEC, -60);
    ck_assert_int_eq(w.sum, 50);
    ck_assert_int_eq(window_sum_at(&w, 1061 * SEC), 10);
    window_amend(&w, 1000 * SEC, -60);            /* never below nothing */
    ck_assert_int_eq(w.sum, 10);
    window_advance(&w, 1065 * SEC);
    window_amend(&w, 1000 * SEC, 500);
    ck_assert_int_eq(w.sum, 10);
}
END_TEST

START_TEST(what_comes_back_after_a_restart_leaves_no_earlier_than_it_would_have)
{
    struct window w;

    window_init(&w, MINUTE, 5 * SEC);             /* the new machine's clock is younger than the use */
    window_restore(&w, 5 * SEC - 30 * SEC, 9);
    window_restore(&w, 5 * SEC - 90 * SEC, 9);
    ck_assert_int_eq(w.sum, 9);
    window_advance(&w, 35 * SEC);
    ck_assert_int_eq(w.sum, 9);
    window_advance(&w, 36 * SEC);
    ck_assert_int_eq(w.sum, 0);
}
END_TEST

UNIT_MAIN("bucket", a_billion_seconds_of_refill_lose_no_part_of_a_token, a_debt_is_paid_before_anything_is_granted,
          a_clock_that_stands_still_or_steps_back_adds_nothing, the_widest_bucket_and_the_deepest_debt_do_not_overflow,
          a_smaller_burst_takes_effect_at_once_and_a_slower_rate_from_now_on,
          what_may_pass_is_what_is_left_when_the_one_ahead_has_started,
          what_falls_into_a_slot_counts_until_slot_and_guard_have_left,
          a_window_survives_a_clock_that_steps_back_or_jumps, a_correction_finds_its_slot_or_comes_too_late,
          what_comes_back_after_a_restart_leaves_no_earlier_than_it_would_have)
