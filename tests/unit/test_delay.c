/* How long one waits after wrong passwords. */
#include "rules/delay.h"

#include "unit.h"

#define SEC INT64_C(1000000)

START_TEST(five_are_free_then_the_wait_doubles_to_a_quarter_of_an_hour)
{
    static const int64_t wait[] = {0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900};
    struct delay d = {0, 0};
    int64_t now = 1000 * SEC;

    for (int i = 0; i < 11; i++) {
        ck_assert_int_eq(delay_wait_us(&d, now), 0);
        ck_assert_int_eq(delay_try(&d, now), i + 1);
        ck_assert_int_eq(delay_wait_us(&d, now), wait[i] * SEC);
        now += wait[i] * SEC;
    }
}
END_TEST

START_TEST(the_right_one_ends_it_and_so_does_a_quiet_quarter_of_an_hour)
{
    struct delay d = {0, 0};
    int64_t now = 1000 * SEC;

    for (int i = 0; i < 3; i++)
        (void)delay_try(&d, now);
    ck_assert_int_eq(delay_passed(&d), 2);
    ck_assert_int_eq(delay_try(&d, now), 1);
    for (int i = 0; i < 5; i++)
        (void)delay_try(&d, now);
    ck_assert_int_eq(delay_wait_us(&d, now), 60 * SEC);
    now += 60 * SEC + DELAY_MAX_US;
    ck_assert_int_eq(delay_try(&d, now), 7);
    now += 120 * SEC + DELAY_MAX_US + 1;
    ck_assert_int_eq(delay_try(&d, now), 1);
}
END_TEST

UNIT_MAIN("delay", five_are_free_then_the_wait_doubles_to_a_quarter_of_an_hour, the_right_one_ends_it_and_so_does_a_quiet_quarter_of_an_hour)
