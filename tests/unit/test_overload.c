/* More asked than allowed, by whom it should not hurt: who gets what while one
 * user or one priority floods, and after a provider refused. */
#include "unit.h"

#include <stdio.h>

#include "sim.h"

static struct sim a_sim(enum strict_kind kind, uint64_t seed)
{
    return (struct sim){
        .upstream = {{.name = "strict", .max_concurrent = 500}}, .upstreams = 1, .kind = kind,
        .duration_us = 2 * 3600 * SEC, .prompt_least = 20, .prompt_most = 1500, .output_mean = 150, .output_sigma = 0.8,
        .max_tokens = 2000, .first_us = 200000, .token_us = 2000, .queue_max = 40, .wait_max_us = 600 * SEC, .users = 5, .greed = 1,
        .settle_in_us = 600 * SEC, .seed = seed,
    };
}

START_TEST(after_a_429_three_quarters_are_served_where_waiting_would_serve_none)
{
    struct sim s = a_sim(STRICT_SLIDING, 18);

    s.upstream[0].limit[DIM_REQUESTS_PER_MINUTE] = 60;
    s.per_second = 3;
    s.trouble_us = s.settle_in_us = 1800 * SEC;
    s.duration_us = s.settle_in_us + 900 * SEC;
    sim_run(&s);
    printf("recovery: %lld of 900 served in the 15 minutes after a 429; refusing everything meanwhile: 0\n",
           (long long)s.started_late);
    ck_assert_int_eq(s.refused, 1);
    ck_assert_int_ge(s.started_late, 600);
    sim_done(&s);
}
END_TEST

/* Killed: what is found was saved up to five seconds before, and may not know the last 429. */
static void count_seconds(const char *what, int64_t restart_every_us, int64_t save_every_us)
{
    struct sim s = a_sim(STRICT_SECONDS, 14);
    double share;

    s.upstream[0].limit[DIM_REQUESTS_PER_MINUTE] = 60;
    s.per_second = 3;
    s.duration_us = 2 * 3600 * SEC;
    s.settle_in_us = 1200 * SEC;
    s.restart_every_us = restart_every_us;
    s.save_every_us = save_every_us;
    sim_run(&s);
    share = (double)s.counted[DIM_REQUESTS_PER_MINUTE] / 60 / ((double)(s.duration_us - s.settle_in_us) / 60e6);
    printf("seconds%s: %lld refused, %lld of them after twenty minutes, %.1f %% used\n", what, (long long)s.refused,
           (long long)s.refused_late, share * 100);
    ck_assert_int_gt(s.refused, 0);
    ck_assert_int_lt(s.refused, 40);
    ck_assert_int_eq(s.refused_late, 0);
    ck_assert_msg(share >= 0.85, "only %.3f used%s", share, what);
    sim_done(&s);
}

START_TEST(a_provider_that_counts_seconds_is_found_out_and_paced)
{
    count_seconds("", 0, 0);
}
END_TEST

START_TEST(what_was_found_out_of_it_outlives_restarts_and_kills)
{
    count_seconds(", restarted every ten minutes", 600 * SEC, 0);
    count_seconds(", killed every twenty", INT64_C(1199700000), 5 * SEC);
}
END_TEST

START_TEST(one_user_who_sends_twenty_times_as_much_gets_no_more_than_the_others)
{
    struct sim s = a_sim(STRICT_SLIDING, 15);
    double sum = 0, squares = 0;

    s.upstream[0].limit[DIM_TOKENS_PER_MINUTE] = 150000;
    s.users = 10;
    s.greed = 20;
    s.queue_max = 60;
    s.per_second = 14;
    s.duration_us = 1800 * SEC;
    sim_run(&s);
    for (int i = 0; i < s.users; i++) {
        sum += (double)s.user_tokens[i];
        squares += (double)s.user_tokens[i] * (double)s.user_tokens[i];
    }
    printf("fair: Jain index %.3f\n", sum * sum / (s.users * squares));
    ck_assert_msg(sum * sum / (s.users * squares) >= 0.95, "Jain index %.3f", sum * sum / (s.users * squares));
    sim_done(&s);
}
END_TEST

/* Until the first token: what High alone takes on average, and beside a flood of Low. */
START_TEST(high_is_served_within_twice_its_time_alone_while_low_floods)
{
    struct sim s = a_sim(STRICT_SLIDING, 16);
    double high, low, alone = (double)s.first_us / 1e6;

    s.upstream[0].limit[DIM_TOKENS_PER_MINUTE] = 150000;
    s.upstream[0].reserve_ppm = 150000;
    s.low = 95;
    s.high = 5;
    s.per_second = 7;
    s.duration_us = 1800 * SEC;
    sim_run(&s);
    high = (double)s.wait_us[PRIORITY_HIGH] / (double)s.waits[PRIORITY_HIGH] / 1e6;
    low = (double)s.wait_us[PRIORITY_LOW] / (double)s.waits[PRIORITY_LOW] / 1e6;
    printf("flood: High waits %.3f s, Low %.1f s on average; High alone has its first token after %.1f s\n", high, low, alone);
    ck_assert_int_eq(s.refused, 0);
    ck_assert_int_gt(s.waits[PRIORITY_HIGH], 100);
    ck_assert_msg(high + alone <= 2 * alone, "High waited %.3f s on average", high);
    ck_assert_msg(low > 10, "Low waited %.3f s on average: no flood", low);
    sim_done(&s);
}
END_TEST

UNIT_MAIN("overload", after_a_429_three_quarters_are_served_where_waiting_would_serve_none,
          a_provider_that_counts_seconds_is_found_out_and_paced,
          what_was_found_out_of_it_outlives_restarts_and_kills,
          one_user_who_sends_twenty_times_as_much_gets_no_more_than_the_others,
          high_is_served_within_twice_its_time_alone_while_low_floods)
