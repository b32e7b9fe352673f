/* After things went wrong: the cut and the climb, retries and their budget; and
 * what is learned from what went right: lengths of answers, kept promises. */
#include "unit.h"

#include <math.h>
#include <stdio.h>

#include "rules/learned.h"
#include "rules/promise.h"
#include "rules/retry.h"
#include "rules/stabilize.h"

#define SEC INT64_C(1000000)
#define PERIOD (900 * SEC)

START_TEST(each_429_halves_and_the_share_climbs_back_evenly)
{
    struct stabilize s = {0};
    int32_t last = 0;

    ck_assert_int_eq(stabilize_rate_ppm(&s, 100 * SEC), 1000000);
    ck_assert_int_eq(stabilize_next_us(&s, 100 * SEC), INT64_MAX);
    ck_assert(stabilize_hit(&s, false, 99 * SEC, PERIOD, 100 * SEC));
    ck_assert_int_eq(stabilize_rate_ppm(&s, 100 * SEC), 500000);
    ck_assert(stabilize_hit(&s, false, 101 * SEC, PERIOD, 101 * SEC));
    ck_assert_int_eq(stabilize_rate_ppm(&s, 101 * SEC), 250000);
    for (int64_t t = 101 * SEC; t < 101 * SEC + PERIOD; t = stabilize_next_us(&s, t)) {
        int32_t now = stabilize_rate_ppm(&s, t);

        ck_assert_int_gt(now, last);
        ck_assert_int_eq(stabilize_rate_ppm(&s, stabilize_next_us(&s, t) - 1), now);
        last = now;
    }
    ck_assert_int_eq(stabilize_rate_ppm(&s, 101 * SEC + PERIOD / 2), 625000);
    ck_assert_int_eq(stabilize_rate_ppm(&s, 101 * SEC + PERIOD), 1000000);
}
END_TEST

START_TEST(one_burst_of_429s_is_one_cut_and_it_never_stops_altogether)
{
    struct stabilize s = {0};

    ck_assert(stabilize_hit(&s, false, 90 * SEC, PERIOD, 100 * SEC));
    for (int i = 0; i < 20; i++)
        ck_assert(!stabilize_hit(&s, false, 95 * SEC, PERIOD, 100 * SEC + i));
    ck_assert_int_eq(stabilize_rate_ppm(&s, 100 * SEC), 500000);
    for (int i = 0; i < 50; i++)
        ck_assert(stabilize_hit(&s, false, (101 + i) * SEC, PERIOD, (101 + i) * SEC));
    ck_assert_int_eq(stabilize_rate_ppm(&s, 150 * SEC), STABILIZE_LEAST_PPM);
    ck_assert_int_eq(stabilize_burst_ppm(&s, 150 * SEC + PERIOD), STABILIZE_BURST_PACED_PPM);
    ck_assert_int_eq(stabilize_burst_ppm(&s, 150 * SEC + STABILIZE_DAY_US), STABILIZE_FULL_PPM);
}
END_TEST

START_TEST(a_429_while_much_is_left_means_pacing_for_a_day)
{
    struct stabilize s = {0};

    ck_assert(stabilize_hit(&s, true, 100 * SEC, PERIOD, 100 * SEC));
    ck_assert_int_eq(stabilize_burst_ppm(&s, 100 * SEC), STABILIZE_BURST_PACED_PPM);
    ck_assert_int_eq(stabilize_rate_ppm(&s, 100 * SEC), 500000);
    ck_assert_int_eq(stabilize_rate_ppm(&s, 100 * SEC + PERIOD), STABILIZE_PACED_PPM);
    ck_assert_int_eq(stabilize_next_us(&s, 100 * SEC + PERIOD), 100 * SEC + STABILIZE_DAY_US);
    ck_assert_int_eq(stabilize_rate_ppm(&s, 100 * SEC + STABILIZE_DAY_US), STABILIZE_FULL_PPM);
}
END_TEST

START_TEST(a_clock_that_steps_back_does_not_climb)
{
    struct stabilize s = {0};

    ck_assert(stabilize_hit(&s, false, 100 * SEC, PERIOD, 100 * SEC));
    ck_assert_int_eq(stabilize_rate_ppm(&s, 50 * SEC), 500000);
    ck_assert_int_gt(stabilize_next_us(&s, 50 * SEC), 100 * SEC);
}
END_TEST

START_TEST(a_retry_waits_at_random_up_to_a_doubling_bound_and_no_less_than_asked)
{
    struct rng r = rng_make(3);
    int64_t most[8] = {0};

    for (int i = 0; i < 4000; i++) {
        for (int failed = 1; failed < 8; failed++) {
            int64_t d = retry_delay_us(failed, SEC, 20 * SEC, -1, &r);
            int64_t bound = failed < 6 ? SEC << (failed - 1) : 20 * SEC;

            ck_assert_int_ge(d, 0);
            ck_assert_int_le(d, bound);
            most[failed] = d > most[failed] ? d : most[failed];
        }
    }
    ck_assert_int_gt(most[4], 7 * SEC);                /* the whole of it is drawn from */
    ck_assert_int_gt(most[7], 19 * SEC);
    ck_assert_int_ge(retry_delay_us(1, SEC, 20 * SEC, 7 * SEC, &r), 7 * SEC);
    ck_assert_int_eq(retry_delay_us(1, SEC, 20 * SEC, INT64_MAX, &r), RETRY_AFTER_MAX_US);
    ck_assert_int_le(retry_delay_us(1000, SEC, INT64_C(300) * SEC, -1, &r), 300 * SEC);
}
END_TEST

START_TEST(retries_are_a_tenth_of_the_requests_but_a_lone_request_may_retry)
{
    struct retry_budget b;
    int spent = 0;

    retry_budget_init(&b, 100000, 1000 * SEC);
    retry_budget_request(&b, 1000 * SEC);
    for (int i = 0; i < 5; i++)
        ck_assert(retry_budget_spend(&b, 1000 * SEC));
    for (int i = 0; i < 1000; i++)
        retry_budget_request(&b, 1001 * SEC);
    while (retry_budget_spend(&b, 1002 * SEC))
        spent++;
    ck_assert_int_eq(spent + 5, 100);
    ck_assert(!retry_budget_spend(&b, 1030 * SEC));
    ck_assert(retry_budget_spend(&b, 1100 * SEC));
}
END_TEST

static double normal(struct rng *r)
{
    return sqrt(-2 * log(1.0 - rng_unit(r))) * cos(6.283185307179586 * rng_unit(r));
}

/* The middle is set aside: half of the answers outgrow it and are topped up. A short answer divides by little, so the mean of each
 * call's own ratio is above that of all tokens. */
START_TEST(after_fifty_calls_what_is_set_aside_fits_each_caller)
{
    static struct learned l;
    struct rng r = rng_make(7);
    const double mean[2] = {150, 900};

    learned_init(&l);
    ck_assert_int_eq(learned_guess(&l, 1, 10, 4096).reserve, 1600);        /* nothing is known */
    ck_assert_int_eq(learned_guess(&l, 1, 10, 300).reserve, 300);
    for (int caller = 0; caller < 2; caller++) {
        double reserved = 0, used = 0, each = 0;
        int short_of = 0;

        for (int i = 0; i < 1050; i++) {
            int64_t output = (int64_t)(mean[caller] * exp(0.8 * normal(&r) - 0.32)) + 1;
            struct learned_guess g = learned_guess(&l, 1, 10 + (uint64_t)caller, 4096);

            if (i >= 50) {
                reserved += (double)g.reserve;
                used += (double)output;
                each += (double)g.reserve / (double)output / 1000;
                short_of += output > g.reserve;
            }
            learned_tell(&l, 1, 10 + (uint64_t)caller, output);
        }
        printf("mean %.0f: %.3f set aside for each used, %.3f call by call, %d of 1000 outgrew it\n", mean[caller], reserved / used,
               each, short_of);
        ck_assert_msg(reserved / used >= 0.6 && reserved / used <= 1, "%.3f set aside for each used", reserved / used);
        ck_assert_msg(each >= 1.1 && each <= 1.5, "%.3f set aside for each used, call by call", each);
        ck_assert_int_lt(short_of, 600);
    }
    /* Who is new is treated like the others; and never beyond the cap. */
    ck_assert_int_lt(learned_guess(&l, 1, 99, 4096).reserve, 4096);
    ck_assert_int_eq(learned_guess(&l, 1, 11, 5).reserve, 5);
    learned_done(&l);
}
END_TEST

/* What calls of an upstream take is scaled by what answers are expected to be: a guess of its own for a new caller made those behind
 * it wait for minutes, as they were told. */
START_TEST(the_first_answers_say_what_is_expected_and_not_yet_what_is_safe)
{
    static struct learned l;

    learned_init(&l);
    learned_tell(&l, 1, 10, 15);
    ck_assert_int_eq(learned_guess(&l, 1, 10, 4096).expect, 15);
    ck_assert_int_eq(learned_guess(&l, 1, 10, 4096).reserve, 1600);
    ck_assert_int_eq(learned_guess(&l, 1, 11, 4096).expect, 15);         /* somebody new asks the same model */
    ck_assert_int_eq(learned_guess(&l, 2, 10, 4096).expect, 400);
}
END_TEST

START_TEST(pairs_not_seen_for_long_make_room)
{
    static struct learned l;

    learned_init(&l);
    for (uint64_t user = 1; user <= 3 * LEARNED_ROWS; user++) {
        learned_tell(&l, 1, user, 10);
        learned_tell(&l, 2, 77, 500);
    }
    ck_assert_uint_eq(l.count, LEARNED_ROWS);
    ck_assert_uint_le(l.rows.n, LEARNED_ROWS);
    ck_assert_int_eq(learned_guess(&l, 2, 77, 4096).reserve, 500);
    learned_done(&l);
}
END_TEST

START_TEST(nine_of_ten_answers_have_the_least_that_is_guessed)
{
    static struct learned l;

    learned_init(&l);
    ck_assert_int_eq(learned_guess(&l, 1, 1, 100).least, 1);
    for (int i = 0; i < 20; i++)
        learned_tell(&l, 1, 1, 50 + i);
    ck_assert_int_eq(learned_guess(&l, 1, 1, 100).least, 52);
    ck_assert_int_eq(learned_guess(&l, 1, 1, 10).least, 10);
    learned_done(&l);
}
END_TEST

START_TEST(a_promise_is_kept_within_two_seconds_or_a_fifth)
{
    static struct promise p;

    promise_judge(&p, 0, 5 * SEC, 7 * SEC);
    ck_assert_int_eq(p.kept, 1);
    promise_judge(&p, 0, 5 * SEC, 7 * SEC + 1);
    ck_assert_int_eq(p.kept, 1);
    promise_judge(&p, 0, 100 * SEC, 80 * SEC);
    ck_assert_int_eq(p.kept, 2);
    promise_judge(&p, 0, 100 * SEC, 79 * SEC);
    ck_assert_int_eq(p.kept, 2);
    ck_assert_int_eq(p.made, 4);
    ck_assert_int_eq(p.median_us, 20 * SEC);
    promise_broken(&p, 0, 104 * SEC, 103 * SEC);
    ck_assert_int_eq(p.made, 4);
    promise_broken(&p, 0, 104 * SEC, 105 * SEC);
    ck_assert_int_eq(p.made, 5);
    ck_assert_int_eq(p.kept, 2);
}
END_TEST

START_TEST(what_is_told_with_a_start_held_for_four_of_five_such_waits)
{
    static struct promise p;

    ck_assert_int_eq(promise_within_us(&p, 10 * SEC), 0);
    /* Off by 1, 2, … 10 tenths of the wait told and two seconds. */
    for (int i = 1; i <= 10; i++)
        promise_judge(&p, 0, 8 * SEC, 8 * SEC + i * SEC);
    ck_assert_int_eq(promise_within_us(&p, 8 * SEC), 9 * SEC);
    ck_assert_int_eq(promise_within_us(&p, 0), 1800000);
    /* An error without any proportion. */
    for (int i = 0; i < PROMISE_RECENT; i++)
        promise_judge(&p, 0, 0, INT64_C(3000000) * SEC);
    ck_assert_int_eq(promise_within_us(&p, 98 * SEC), 10000 * SEC);
}
END_TEST

UNIT_MAIN("recovery", each_429_halves_and_the_share_climbs_back_evenly,
          one_burst_of_429s_is_one_cut_and_it_never_stops_altogether,
          a_429_while_much_is_left_means_pacing_for_a_day, a_clock_that_steps_back_does_not_climb,
          a_retry_waits_at_random_up_to_a_doubling_bound_and_no_less_than_asked,
          retries_are_a_tenth_of_the_requests_but_a_lone_request_may_retry,
          after_fifty_calls_what_is_set_aside_fits_each_caller, the_first_answers_say_what_is_expected_and_not_yet_what_is_safe,
          pairs_not_seen_for_long_make_room,
          nine_of_ten_answers_have_the_least_that_is_guessed,
          a_promise_is_kept_within_two_seconds_or_a_fifth,
          what_is_told_with_a_start_held_for_four_of_five_such_waits)
