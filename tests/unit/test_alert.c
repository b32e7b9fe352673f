/* When alerts open and resolve, on a simulated clock. */
#include "unit.h"

#include <stdio.h>

#include "rules/alert.h"

#define SEC INT64_C(1000000)

static struct alert_signal a_signal(const char *key, bool firing, int64_t for_us)
{
    struct alert_signal s = {.id = {.rule = 1}, .value = 9, .threshold = 8, .firing = firing, .for_us = for_us};

    snprintf(s.id.key, sizeof s.id.key, "%s", key);
    return s;
}

/* One round with one signal or none; the change is confirmed. 'o' opened, 'r' resolved, '.' nothing. */
static char look(struct alert_book *b, const struct alert_signal *s, int64_t now_us)
{
    struct alert_change c[4];
    size_t n = alert_round(b, s, s ? 1 : 0, now_us, c, 4);

    ck_assert_uint_le(n, 1);
    if (n)
        alert_confirm(b, &c[0]);
    return n == 0 ? '.' : c[0].opens ? 'o' : 'r';
}

START_TEST(it_opens_once_and_resolves_after_a_minute_of_calm)
{
    struct alert_book *b = alert_book_new();
    const struct alert_signal s = a_signal("a", true, 0);

    ck_assert_int_eq(look(b, &s, 0), 'o');
    ck_assert_int_eq(look(b, &s, 5 * SEC), '.');
    ck_assert_int_eq(look(b, NULL, 10 * SEC), '.');
    ck_assert_int_eq(look(b, NULL, 5 * SEC + ALERT_CALM_US - 1), '.');
    ck_assert_int_eq(look(b, NULL, 5 * SEC + ALERT_CALM_US), 'r');
    ck_assert_uint_eq(alert_book_count(b), 0);
    ck_assert_int_eq(look(b, &s, 100 * SEC), 'o');
    alert_book_free(b);
}
END_TEST

START_TEST(it_has_to_fire_for_its_time_without_a_break)
{
    struct alert_book *b = alert_book_new();
    const struct alert_signal s = a_signal("a", true, 30 * SEC);

    ck_assert_int_eq(look(b, &s, 0), '.');
    ck_assert_int_eq(look(b, &s, 29 * SEC), '.');
    ck_assert_int_eq(look(b, NULL, 30 * SEC), '.');
    ck_assert_int_eq(look(b, &s, 35 * SEC), '.');
    ck_assert_int_eq(look(b, &s, 64 * SEC), '.');
    ck_assert_int_eq(look(b, &s, 65 * SEC), 'o');
    alert_book_free(b);
}
END_TEST

START_TEST(a_little_below_opens_nothing_but_keeps_an_open_one_open)
{
    struct alert_book *b = alert_book_new();
    const struct alert_signal fires = a_signal("a", true, 0), holds = a_signal("a", false, 0);

    ck_assert_int_eq(look(b, &holds, 0), '.');
    ck_assert_int_eq(look(b, &fires, 5 * SEC), 'o');
    for (int64_t t = 10; t < 600; t += 5)
        ck_assert_int_eq(look(b, &holds, t * SEC), '.');
    ck_assert_int_eq(look(b, NULL, 595 * SEC + ALERT_CALM_US), 'r');
    alert_book_free(b);
}
END_TEST

START_TEST(what_could_not_be_written_comes_again)
{
    struct alert_book *b = alert_book_new();
    const struct alert_signal s = a_signal("a", true, 0);
    struct alert_change c[4];

    for (int64_t t = 0; t < 50; t += 5) {
        ck_assert_uint_eq(alert_round(b, &s, 1, t * SEC, c, 4), 1);
        ck_assert(c[0].opens);
        ck_assert_int_eq(c[0].value, 9);
        ck_assert_int_eq(c[0].threshold, 8);
    }
    alert_confirm(b, &c[0]);
    ck_assert_uint_eq(alert_round(b, &s, 1, 50 * SEC, c, 4), 0);
    ck_assert_uint_eq(alert_book_count(b), 1);
    alert_book_free(b);
}
END_TEST

START_TEST(one_that_was_open_before_opens_no_second_time)
{
    struct alert_book *b = alert_book_new();
    const struct alert_signal s = a_signal("a", true, 0);

    alert_book_open(b, &s.id, 0);
    ck_assert_int_eq(look(b, &s, 5 * SEC), '.');
    ck_assert_int_eq(look(b, NULL, 5 * SEC + ALERT_CALM_US), 'r');
    alert_book_free(b);
}
END_TEST

START_TEST(rule_key_window_and_level_tell_one_from_another)
{
    struct alert_book *b = alert_book_new();
    struct alert_signal s[4] = {a_signal("a", true, 0), a_signal("b", true, 0), a_signal("a", true, 0), a_signal("a", true, 0)};
    struct alert_change c[8];

    s[2].id.window_ms = 1;
    s[3].id.level = 500000;
    ck_assert_uint_eq(alert_round(b, s, 4, 0, c, 8), 4);
    for (int i = 0; i < 4; i++)
        alert_confirm(b, &c[i]);
    ck_assert_uint_eq(alert_book_count(b), 4);
    ck_assert_uint_eq(alert_round(b, s, 3, ALERT_CALM_US, c, 8), 1);
    ck_assert_int_eq(c[0].id.level, 500000);
    alert_book_free(b);
}
END_TEST

START_TEST(more_than_there_is_room_for_come_in_later_rounds)
{
    struct alert_book *b = alert_book_new();
    struct alert_signal s[8];
    struct alert_change c[3];
    size_t opened = 0;

    for (int i = 0; i < 8; i++) {
        char key[16];

        snprintf(key, sizeof key, "%d", i);
        s[i] = a_signal(key, true, 0);
    }
    for (int64_t t = 0; t < 3; t++) {
        size_t n = alert_round(b, s, 8, t * SEC, c, 3);

        for (size_t i = 0; i < n; i++)
            alert_confirm(b, &c[i]);
        opened += n;
    }
    ck_assert_uint_eq(opened, 8);
    alert_book_free(b);
}
END_TEST

UNIT_MAIN("alert", it_opens_once_and_resolves_after_a_minute_of_calm, it_has_to_fire_for_its_time_without_a_break,
          a_little_below_opens_nothing_but_keeps_an_open_one_open, what_could_not_be_written_comes_again,
          one_that_was_open_before_opens_no_second_time, rule_key_window_and_level_tell_one_from_another,
          more_than_there_is_room_for_come_in_later_rounds)
