/* Limits of users and of tokens. */
#include "rules/callers.h"

#include "unit.h"

#define SEC INT64_C(1000000)

static int64_t now;

static int64_t wait_of(struct caller_book *b, const struct caller *c, int64_t prompt)
{
    enum gate why;

    return callers_wait_us(b, c, prompt, now, &why);
}

START_TEST(never_more_than_the_limit_in_any_minute)
{
    const struct caller c = {.key = 7, .requests_per_minute = 5};
    struct caller_book b = {0};
    int64_t at[200], n = 0;

    for (now = 1000 * SEC; now < 1400 * SEC; now += SEC / 2) {
        struct limits_hold h;

        if (wait_of(&b, &c, 10) > 0)
            continue;
        h = callers_take(&b, &c, 10, 10, now);
        callers_settle(&b, &c, &h, 10, 10, now);
        at[n++] = now;
    }
    ck_assert_int_ge(n, 30);
    for (int64_t i = 5; i < n; i++)
        ck_assert_int_gt(at[i] - at[i - 5], 60 * SEC);
    caller_book_done(&b);
}
END_TEST

START_TEST(tokens_count_when_they_are_used_and_what_was_expected_comes_back)
{
    const struct caller c = {.key = 7, .tokens_per_minute = 100};
    struct caller_book b = {0};
    struct limits_hold h, g;
    enum gate why;

    now = 1000 * SEC;
    ck_assert_int_eq(callers_wait_us(&b, &c, 101, now, &why), CALLERS_NEVER);
    ck_assert_int_eq((int)why, (int)DIM_TOKENS_PER_MINUTE);
    ck_assert_int_eq(wait_of(&b, &c, 10), 0);
    h = callers_take(&b, &c, 10, 90, now);
    ck_assert_int_gt(wait_of(&b, &c, 10), 0);
    callers_settle(&b, &c, &h, 10, 20, now);
    ck_assert_int_eq(wait_of(&b, &c, 10), 0);
    g = callers_take(&b, &c, 10, 60, now);
    callers_release(&b, &c, &g, now);
    ck_assert_int_eq(wait_of(&b, &c, 70), 0);
    ck_assert_int_gt(wait_of(&b, &c, 71), 0);
    now += wait_of(&b, &c, 100);
    ck_assert_int_eq(wait_of(&b, &c, 100), 0);
    caller_book_done(&b);
}
END_TEST

START_TEST(another_limit_holds_at_once_and_one_without_a_limit_leaves_no_trace)
{
    struct caller c = {.key = 7, .requests_per_minute = 10}, none = {.key = 8};
    struct caller_book b = {0};
    struct limits_hold h[4];

    now = 1000 * SEC;
    for (int i = 0; i < 4; i++)
        h[i] = callers_take(&b, &c, 1, 1, now);
    c.requests_per_minute = 4;
    ck_assert_int_gt(wait_of(&b, &c, 1), 0);
    c.requests_per_minute = 5;
    ck_assert_int_eq(wait_of(&b, &c, 1), 0);
    for (int i = 0; i < 4; i++)
        callers_settle(&b, &c, &h[i], 1, 1, now);
    ck_assert_int_eq(wait_of(&b, &none, 1), 0);
    h[0] = callers_take(&b, &none, 1, 1, now);
    callers_settle(&b, &none, &h[0], 1, 1, now);
    ck_assert_uint_eq(b.count, 1);
    caller_book_done(&b);
}
END_TEST

START_TEST(those_not_seen_for_minutes_are_forgotten)
{
    struct caller c = {.requests_per_minute = 5}, busy = {.key = 1, .requests_per_minute = 5};
    struct caller_book b = {0};
    struct limits_hold h;

    now = 1000 * SEC;
    h = callers_take(&b, &busy, 1, 1, now);
    for (c.key = 2; c.key < 2000; c.key++) {
        ck_assert_int_eq(wait_of(&b, &c, 1), 0);
        now += SEC;
    }
    ck_assert_uint_lt(b.count, 400);
    callers_settle(&b, &busy, &h, 1, 1, now);
    for (int i = 0; i < 4; i++) {
        h = callers_take(&b, &busy, 1, 1, now);
        callers_settle(&b, &busy, &h, 1, 1, now);
    }
    ck_assert_int_eq(wait_of(&b, &busy, 1), 0);      /* the first has left the window */
    h = callers_take(&b, &busy, 1, 1, now);
    ck_assert_int_gt(wait_of(&b, &busy, 1), 0);
    callers_settle(&b, &busy, &h, 1, 1, now);
    caller_book_done(&b);
}
END_TEST

UNIT_MAIN("callers", never_more_than_the_limit_in_any_minute, tokens_count_when_they_are_used_and_what_was_expected_comes_back,
          another_limit_holds_at_once_and_one_without_a_limit_leaves_no_trace, those_not_seen_for_minutes_are_forgotten)
