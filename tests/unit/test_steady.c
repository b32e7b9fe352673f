/* Hours at three times the allowed load against providers that keep their
 * limits to the letter: none refuses anything, and the limit is used. */
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

static void report(const struct sim *s, const char *what, enum dim d)
{
    double span = (double)(s->duration_us - s->settle_in_us) / (double)dim_window_us(d);
    double share = (double)s->counted[d] / span / (double)s->upstream[0].limit[d];

    printf("%s, %s, seed %llu: %lld started, %lld refused, %.1f %% of %s used\n", what, strict_names[s->kind],
           (unsigned long long)s->seed, (long long)s->started, (long long)s->refused, share * 100, dim_name(d));
    ck_assert_int_eq(s->refused, 0);
    ck_assert_msg(share >= 0.97, "only %.4f of %s used", share, dim_name(d));
    ck_assert_msg(share <= 1.005, "%.4f of %s used", share, dim_name(d));
}

START_TEST(requests_a_minute_are_used_up_and_never_passed)
{
    for (enum strict_kind kind = STRICT_BUCKET; kind <= STRICT_FIXED; kind++) {
        struct sim s = a_sim(kind, 11);

        s.upstream[0].limit[DIM_REQUESTS_PER_MINUTE] = 60;
        s.upstream[0].limit[DIM_TOKENS_PER_MINUTE] = 150000;
        s.per_second = 3;
        sim_run(&s);
        report(&s, "requests", DIM_REQUESTS_PER_MINUTE);
        sim_done(&s);
    }
}
END_TEST

START_TEST(tokens_a_minute_are_used_up_and_never_passed)
{
    for (enum strict_kind kind = STRICT_BUCKET; kind <= STRICT_FIXED; kind++) {
        struct sim s = a_sim(kind, 12);

        s.upstream[0].limit[DIM_REQUESTS_PER_MINUTE] = 1000;
        s.upstream[0].limit[DIM_TOKENS_PER_MINUTE] = 150000;
        s.per_second = 7;
        sim_run(&s);
        report(&s, "tokens", DIM_TOKENS_PER_MINUTE);
        sim_done(&s);
    }
}
END_TEST

START_TEST(a_restart_every_few_minutes_changes_nothing_of_that)
{
    for (enum strict_kind kind = STRICT_BUCKET; kind <= STRICT_FIXED; kind++) {
        struct sim s = a_sim(kind, 13);

        s.duration_us = 3600 * SEC;
        s.upstream[0].limit[DIM_TOKENS_PER_MINUTE] = 150000;
        s.per_second = 7;
        s.restart_every_us = 290 * SEC;
        sim_run(&s);
        report(&s, "restarts", DIM_TOKENS_PER_MINUTE);
        sim_done(&s);
    }
}
END_TEST

START_TEST(the_limits_of_an_hour_hold_too)
{
    for (enum strict_kind kind = STRICT_BUCKET; kind <= STRICT_FIXED; kind++) {
        struct sim s = a_sim(kind, 17);

        s.upstream[0].limit[DIM_REQUESTS_PER_MINUTE] = 60;
        s.upstream[0].limit[DIM_REQUESTS_PER_HOUR] = 3000;
        s.upstream[0].limit[DIM_TOKENS_PER_MINUTE] = 150000;
        s.upstream[0].limit[DIM_TOKENS_PER_HOUR] = 1000000;
        s.per_second = 2;
        s.duration_us = 4 * 3600 * SEC;
        s.settle_in_us = 3600 * SEC;
        sim_run(&s);
        report(&s, "hours", DIM_TOKENS_PER_HOUR);
        sim_done(&s);
    }
}
END_TEST

UNIT_MAIN("steady", requests_a_minute_are_used_up_and_never_passed,
          tokens_a_minute_are_used_up_and_never_passed,
          a_restart_every_few_minutes_changes_nothing_of_that,
          the_limits_of_an_hour_hold_too)
