/* test_replay.c - small traces whose waits one can count on one's fingers. */
#include <string.h>

#include "base/rand.h"
#include "base/settings_options.h"
#include "flow/replay.h"
#include "flow/replay_meter.h"
#include "flow/replay_sum.h"
#include "web/replay_print.h"
#include "unit.h"

#define SEC INT64_C(1000000)

enum { CALLS = 400 };

static char ann[] = "ann", bob[] = "bob", cid[] = "cid", m[] = "m", up[] = "up";
static char *user_names[] = {ann, bob, cid}, *model_names[] = {m}, *upstream_names[] = {up};
static struct traffic_call calls[CALLS];
static struct traffic traffic;
static struct replay_result result;

static void begin(void)
{
    traffic = (struct traffic){.call = calls, .users = {user_names, 3}, .models = {model_names, 1}, .upstreams = {upstream_names, 1}};
}

/* An answered call of two seconds: 10 tokens in, 10 out. */
static struct traffic_call *add(int64_t at_us, uint32_t user)
{
    struct traffic_call *c = &calls[traffic.n++];

    *c = (struct traffic_call){.at_us = at_us, .user = user, .priority = PRIORITY_MEDIUM, .prompt = 10, .max_tokens = 100, .input = 10,
                               .output = 10, .first_us = SEC, .writing_us = SEC, .attempts = 1, .priced = true, .cost_in = 7,
                               .cost_out = 5, .rate_in = 1, .rate_out = 1};
    return c;
}

/* Settings of one upstream; `tune` are its members, `top` those of the file. */
static struct settings *settings_with(const char *tune, const char *top)
{
    struct sb text = sb_make(4096), why = sb_make(4096);
    struct settings *s;
    json_t *root;

    sb_putf(&text, "{\"upstreams\":[{\"name\":\"up\",\"base_url\":\"http://up.test\",\"models\":[\"m\"],\"burst\":1,\"reserve\":0,"
            "\"limits\":{\"requests_per_minute\":0,\"requests_per_hour\":0,\"tokens_per_minute\":0,\"tokens_per_hour\":0}%s%s}]%s%s}",
            *tune ? "," : "", tune, *top ? "," : "", top);
    root = json_loads(sb_str(&text), 0, NULL);
    ck_assert_msg(root != NULL, "%s", sb_str(&text));
    s = settings_make("test.json", root, &why);
    ck_assert_msg(s != NULL, "%s", sb_str(&why));
    json_decref(root);
    sb_done(&text);
    sb_done(&why);
    return s;
}

static void run_setup(struct replay_setup setup)
{
    setup.seed = setup.seed ? setup.seed : 1;
    replay_run(&traffic, &setup, &result);
    ck_assert_int_eq(result.requests, result.started + result.refused + result.timed_out + result.failed + result.left);
}

static void run_with(const char *tune, const char *top)
{
    struct settings *s = settings_with(tune, top);

    run_setup((struct replay_setup){.settings = s});
    settings_free(s);
}

START_TEST(one_call_at_a_time_makes_the_second_wait_for_the_first)
{
    begin();
    add(0, 0);
    add(SEC, 0);
    run_with("\"max_concurrent\":1", "");
    ck_assert_int_eq(result.started, 2);
    ck_assert_int_eq(result.wait.n, 2);
    ck_assert_int_eq(result.wait.mean_us, SEC / 2);
    ck_assert_int_eq(result.wait.p50_us, 0);
    ck_assert_int_eq(result.wait.p95_us, SEC);
    ck_assert_int_eq(result.wait.max_us, SEC);
    ck_assert_int_eq(result.span_us, 4 * SEC);
    replay_done(&result);
    run_with("\"max_concurrent\":2", "");
    ck_assert_int_eq(result.wait.max_us, 0);
    ck_assert_int_eq(result.span_us, 3 * SEC);
    replay_done(&result);
}
END_TEST

START_TEST(a_limit_of_one_a_second_starts_one_a_second)
{
    begin();
    for (int i = 0; i < 4; i++)
        add(0, 0);
    run_with("\"limits\":{\"requests_per_minute\":60,\"requests_per_hour\":0,\"tokens_per_minute\":0,\"tokens_per_hour\":0}", "");
    ck_assert_int_eq(result.started, 4);
    ck_assert_int_eq(result.wait.max_us, 3 * SEC);
    ck_assert_int_eq(result.wait.mean_us, 3 * SEC / 2);
    ck_assert_uint_eq(result.limits, 1);
    ck_assert_int_eq(result.limit[0].limit, 60);
    ck_assert_int_eq(result.limit[0].peak_ppm, 4 * 1000000 / 60);
    replay_done(&result);
}
END_TEST

START_TEST(a_doubled_limit_halves_the_waits)
{
    int64_t before;

    begin();
    for (int i = 0; i < 90; i++)
        add(0, (uint32_t)i % 3);
    run_with("\"limits\":{\"requests_per_minute\":60,\"requests_per_hour\":0,\"tokens_per_minute\":0,\"tokens_per_hour\":0},\"max_concurrent\":100", "\"queue\":{\"max_wait\":600}");
    before = result.wait.mean_us;
    ck_assert_int_eq(result.started, 90);
    replay_done(&result);
    run_with("\"limits\":{\"requests_per_minute\":120,\"requests_per_hour\":0,\"tokens_per_minute\":0,\"tokens_per_hour\":0},\"max_concurrent\":100", "\"queue\":{\"max_wait\":600}");
    ck_assert_int_eq(result.started, 90);
    ck_assert_int_ge(result.wait.mean_us * 2, before * 95 / 100);
    ck_assert_int_le(result.wait.mean_us * 2, before * 105 / 100);
    replay_done(&result);
}
END_TEST

START_TEST(a_provider_with_less_answers_429_and_the_call_is_tried_again)
{
    const int64_t provider[2][DIM_COUNT] = {{[DIM_REQUESTS_PER_MINUTE] = 1}};
    struct settings *s = settings_with("", "\"retry\":{\"budget\":1}");

    begin();
    add(0, 0);
    add(0, 1);
    run_setup((struct replay_setup){.settings = s, .provider = provider});
    ck_assert_int_eq(result.started, 2);
    ck_assert_int_ge(result.answers_429, 1);
    ck_assert_int_eq(result.retries, result.answers_429);
    ck_assert_int_ge(result.wait.max_us, 60 * SEC);
    replay_done(&result);
    settings_free(s);
}
END_TEST

START_TEST(a_provider_that_never_says_yes_fails_calls_after_their_retries)
{
    const int64_t provider[2][DIM_COUNT] = {{[DIM_INPUT_TOKENS_PER_MINUTE] = 5}};
    struct settings *s = settings_with("\"retry\":{\"max_retries\":0}", "");

    begin();
    add(0, 0);
    run_setup((struct replay_setup){.settings = s, .provider = provider});
    ck_assert_int_eq(result.failed, 1);
    ck_assert_int_eq(result.answers_429, 1);
    ck_assert_int_eq(result.cost, 0);
    replay_done(&result);
    settings_free(s);
}
END_TEST

START_TEST(a_full_queue_refuses_at_once)
{
    begin();
    for (int i = 0; i < 3; i++)
        add(0, 0);
    run_with("\"max_concurrent\":1", "\"queue\":{\"max_size\":0}");
    ck_assert_int_eq(result.started, 1);
    ck_assert_int_eq(result.refused, 2);
    ck_assert_int_eq(result.unserved, 0);
    replay_done(&result);
}
END_TEST

START_TEST(a_wait_beyond_the_deadline_is_not_started)
{
    begin();
    add(0, 0)->writing_us = 100 * SEC;
    add(0, 0);
    run_with("\"max_concurrent\":1", "\"queue\":{\"max_wait\":5}");
    ck_assert_int_eq(result.started, 1);
    ck_assert_int_eq(result.refused + result.timed_out, 1);
    replay_done(&result);
}
END_TEST

START_TEST(a_model_that_nobody_has_is_counted_apart)
{
    struct settings *s = settings_with("\"models\":[\"other\"]", "");

    begin();
    add(0, 0);
    run_setup((struct replay_setup){.settings = s});
    ck_assert_int_eq(result.unserved, 1);
    ck_assert_int_eq(result.refused, 1);
    replay_done(&result);
    settings_free(s);
}
END_TEST

START_TEST(another_priority_goes_first)
{
    enum priority high_for_cid[] = {PRIORITY_COUNT, PRIORITY_COUNT, PRIORITY_HIGH};
    struct settings *s = settings_with("\"max_concurrent\":1", "");

    begin();
    for (uint32_t u = 0; u < 3; u++)
        add(0, u);
    run_setup((struct replay_setup){.settings = s});
    ck_assert_int_eq(result.user[0].wait.max_us, 0);
    ck_assert_int_eq(result.user[2].wait.max_us, 4 * SEC);
    replay_done(&result);
    run_setup((struct replay_setup){.settings = s, .priority = high_for_cid});
    ck_assert_int_eq(result.user[2].wait.max_us, 0);
    ck_assert_int_eq(result.by_priority[PRIORITY_HIGH].n, 1);
    ck_assert_int_eq(result.by_priority[PRIORITY_MEDIUM].max_us, 4 * SEC);
    replay_done(&result);
    settings_free(s);
}
END_TEST

START_TEST(fairness_is_jains_index_of_those_who_wait)
{
    const int64_t three_to_one[] = {30, 10}, alike[] = {5, 5, 5};

    ck_assert_int_eq(replay_sum_jain(three_to_one, 2), 800000);
    ck_assert_int_eq(replay_sum_jain(alike, 3), 1000000);
    ck_assert_int_eq(replay_sum_jain(alike, 1), -1);
    begin();
    for (int i = 0; i < 100; i++)
        add(0, i % 10 ? 0 : 1);              /* ann sends nine times as much as bob */
    run_with("\"max_concurrent\":1", "\"queue\":{\"max_wait\":3600}");
    ck_assert_int_eq(result.contenders, 2);
    ck_assert_int_ge(result.jain_ppm, 990000);
    replay_done(&result);
    begin();
    add(0, 0);
    add(0, 0);
    run_with("\"max_concurrent\":1", "");
    ck_assert_int_eq(result.jain_ppm, -1);
    replay_done(&result);
}
END_TEST

START_TEST(who_has_three_times_the_weight_gets_three_of_four)
{
    static int32_t weight[] = {3000, 1000, 1000};
    int64_t had[2];

    for (int weighed = 0; weighed < 2; weighed++) {
        begin();
        traffic.weight = weighed ? weight : NULL;
        for (int i = 0; i < 2 * 60; i++)
            add(0, (uint32_t)i % 2);
        run_with("\"limits\":{\"requests_per_minute\":60,\"requests_per_hour\":0,\"tokens_per_minute\":0,\"tokens_per_hour\":0}",
                 "\"queue\":{\"max_wait\":40}");
        had[0] = result.user[0].started;
        had[1] = result.user[1].started;
        if (weighed)
            ck_assert_msg(had[0] >= 3 * had[1] - 3 && had[0] <= 3 * had[1] + 3, "%lld and %lld", (long long)had[0], (long long)had[1]);
        else
            ck_assert_msg(had[0] - had[1] <= 1 && had[1] - had[0] <= 1, "%lld and %lld", (long long)had[0], (long long)had[1]);
        ck_assert_int_ge(had[0] + had[1], 40);
        ck_assert_int_ge(result.jain_ppm, 990000);
        replay_done(&result);
    }
}
END_TEST

START_TEST(cost_is_exact_and_what_has_no_price_is_counted)
{
    struct traffic_call *c;

    begin();
    add(0, 0);
    add(0, 1)->cost_out = INT64_C(1000000000000);
    c = add(0, 1);
    c->priced = false;
    c->cost_in = c->cost_out = 0;
    run_with("", "");
    ck_assert_int_eq(result.cost, INT64_C(1000000000000) + 7 + 7 + 5);
    ck_assert_int_eq(result.unpriced, 1);
    ck_assert_int_eq(result.model[0].cost, result.cost);
    ck_assert_int_eq(result.user[1].tokens, 40);
    replay_done(&result);
}
END_TEST

START_TEST(what_was_never_sent_is_like_the_mean_of_its_model)
{
    struct traffic_call *c;

    begin();
    add(0, 0)->output = 30;
    c = add(10 * SEC, 1);
    c->attempts = 0;
    c->status = CALL_TIMEOUT;
    c->input = c->output = c->cost_in = c->cost_out = c->first_us = c->writing_us = 0;
    c->wait_us = 120 * SEC;
    c->rate_out = 2;
    run_with("", "");
    ck_assert_int_eq(result.started, 2);
    ck_assert_int_eq(result.span_us, 12 * SEC);
    ck_assert_int_eq(result.user[1].tokens, 40);
    ck_assert_int_eq(result.cost, 12 + 10 + 60);
    replay_done(&result);
    replay_recorded(&traffic, &result);
    ck_assert_int_eq(result.started, 1);
    ck_assert_int_eq(result.timed_out, 1);
    ck_assert_int_eq(result.cost, 12);
    replay_done(&result);
}
END_TEST

START_TEST(messages_of_one_session_follow_each_other)
{
    begin();
    add(0, 0)->session = 4;
    add(0, 0)->session = 4;
    add(0, 0)->session = 5;
    run_with("", "");
    ck_assert_int_eq(result.wait.max_us, 2 * SEC);
    ck_assert_int_eq(result.wait.mean_us, 2 * SEC / 3);
    replay_done(&result);
}
END_TEST

START_TEST(a_second_key_takes_half_of_the_work)
{
    begin();
    for (int i = 0; i < 4; i++)
        add(0, 0);
    run_with("\"max_concurrent\":1", "");
    ck_assert_int_eq(result.wait.max_us, 6 * SEC);
    replay_done(&result);
    run_with("\"max_concurrent\":1},{\"name\":\"more\",\"base_url\":\"http://up.test\",\"max_concurrent\":1", "");
    ck_assert_int_eq(result.wait.max_us, 2 * SEC);
    replay_done(&result);
}
END_TEST

/* 300 requests of three users, sizes and lengths from a seed. */
static void random_traffic(uint64_t seed)
{
    struct rng r = rng_make(seed);
    int64_t at = 0;

    begin();
    for (int i = 0; i < 300; i++) {
        struct traffic_call *c = add(at, (uint32_t)rng_below(&r, 3));

        c->prompt = c->input = 50 + rng_below(&r, 2000);
        c->output = 1 + rng_below(&r, 800);
        c->max_tokens = 1000;
        c->writing_us = c->output * 20000;
        c->priority = (enum priority)rng_below(&r, PRIORITY_COUNT);
        at += rng_below(&r, SEC);
    }
}

static char *as_json(uint64_t seed, struct settings *s, const int64_t (*provider)[DIM_COUNT])
{
    struct replay_setup setup = {.settings = s, .provider = provider, .seed = seed, .promises = true};
    struct replay_column c = {"today", &result, s};
    struct sb out = sb_make(1 << 20);

    run_setup(setup);
    replay_print_json(&traffic, &c, 1, &out);
    replay_done(&result);
    return sb_take(&out);
}

START_TEST(the_same_traffic_and_seed_give_the_same_bytes)
{
    const int64_t provider[2][DIM_COUNT] = {{[DIM_TOKENS_PER_MINUTE] = 90000}};
    struct settings *s = settings_with("\"limits\":{\"requests_per_minute\":100,\"requests_per_hour\":0,\"tokens_per_minute\":100000,"
                                       "\"tokens_per_hour\":0},\"max_concurrent\":8", "");
    char *one, *two;

    random_traffic(7);
    one = as_json(3, s, provider);
    two = as_json(3, s, provider);
    ck_assert_str_eq(one, two);
    ck_assert_ptr_nonnull(strstr(one, "\"limits\":[{"));
    free(one);
    free(two);
    settings_free(s);
}
END_TEST

START_TEST(steps_give_what_one_run_gives_and_it_can_be_given_up)
{
    struct settings *s = settings_with("\"max_concurrent\":2", "\"queue\":{\"max_wait\":3600}");
    struct replay_setup setup = {.settings = s, .seed = 1};
    struct replay_result stepped;
    struct replay *r;
    int64_t steps = 1;

    random_traffic(7);
    replay_run(&traffic, &setup, &result);
    r = replay_new(&traffic, &setup);
    while (replay_step(r, 10))
        steps++;
    replay_end(r, &stepped);
    ck_assert_int_gt(steps, 50);
    ck_assert_int_eq(stepped.started, result.started);
    ck_assert_mem_eq(&stepped.wait, &result.wait, sizeof result.wait);
    ck_assert_int_eq(stepped.jain_ppm, result.jain_ppm);
    replay_done(&stepped);
    replay_done(&result);
    r = replay_new(&traffic, &setup);
    ck_assert(replay_step(r, 100));
    replay_end(r, NULL);
    settings_free(s);
}
END_TEST

START_TEST(the_meter_counts_a_window_to_the_microsecond)
{
    struct replay_meter w = {.window_us = 60 * SEC, .limit = 10};

    replay_meter_add(&w, 6, 0);
    replay_meter_add(&w, 4, 10 * SEC);
    ck_assert_int_eq(replay_meter_wait_us(&w, 1, 10 * SEC), 50 * SEC);
    ck_assert_int_eq(replay_meter_wait_us(&w, 7, 10 * SEC), 60 * SEC);
    ck_assert_int_eq(replay_meter_wait_us(&w, 11, 10 * SEC), 60 * SEC);
    ck_assert_int_eq(replay_meter_wait_us(&w, 6, 60 * SEC - 1), 1);
    ck_assert_int_eq(replay_meter_wait_us(&w, 6, 60 * SEC), 0);
    ck_assert_int_eq(w.peak, 10);
    for (int i = 0; i < 1000; i++)
        replay_meter_add(&w, 1, 100 * SEC + i * SEC);
    ck_assert_int_eq(w.sum, 60);
    ck_assert_int_eq(w.total, 1010);
    replay_meter_done(&w);
}
END_TEST

UNIT_MAIN("replay", one_call_at_a_time_makes_the_second_wait_for_the_first, a_limit_of_one_a_second_starts_one_a_second,
          a_doubled_limit_halves_the_waits, a_provider_with_less_answers_429_and_the_call_is_tried_again,
          a_provider_that_never_says_yes_fails_calls_after_their_retries, a_full_queue_refuses_at_once,
          a_wait_beyond_the_deadline_is_not_started, a_model_that_nobody_has_is_counted_apart, another_priority_goes_first,
          fairness_is_jains_index_of_those_who_wait, who_has_three_times_the_weight_gets_three_of_four, cost_is_exact_and_what_has_no_price_is_counted,
          what_was_never_sent_is_like_the_mean_of_its_model, messages_of_one_session_follow_each_other,
          a_second_key_takes_half_of_the_work, the_same_traffic_and_seed_give_the_same_bytes, steps_give_what_one_run_gives_and_it_can_be_given_up,
          the_meter_counts_a_window_to_the_microsecond)
