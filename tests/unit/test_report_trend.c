/* Trend, anomalies and forecast of a ledger whose shape is known. */
#include "unit.h"

#include <math.h>

#include "fixture_report.h"

#define NOW (FIXTURE_NOW - FIXTURE_NOW % DAY + 13 * HOUR + 20 * MIN)      /* a Sunday */
#define MIDNIGHT (NOW - NOW % DAY)

static void begin(void)
{
    db = fixture_db();
    out = sb_make(4 << 20);
    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    ck_assert_int_eq(db_begin(db), WEIR_OK);
}

static void end(void)
{
    ck_assert_int_eq(db_commit(db), WEIR_OK);
}

/* `n` calls within the hour that begins at at_ms, each of `prompt` tokens and none out. */
static void calls(const char *user, int64_t at_ms, int64_t n, int64_t prompt)
{
    for (int64_t i = 0; i < n; i++) {
        struct call_record r = fixture_call(user, at_ms + i * (HOUR / (n + 1)));

        r.user_text = NULL;
        r.new_session = false;
        r.session_id[0] = r.user_message_id[0] = r.message_id[0] = '\0';
        ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
        fixture_answered(&r);
        r.answer = NULL;
        r.usage.prompt = prompt;
        r.usage.completion = 0;
        r.cost.input = prompt * r.cost.rate_in;
        r.cost.output = 0;
        r.cost.total = r.cost.input;
        ck_assert_int_eq(usage_settle(db, &r), WEIR_OK);
    }
}

static double number(const json_t *j, const char *name)
{
    const json_t *v = json_object_get(j, name);

    ck_assert_msg(json_is_number(v), "%s is no number", name);
    return json_number_value(v);
}

/* 3, 5, 7, … requests a day for so many days up to yesterday. */
static void growing(int days)
{
    begin();
    for (int d = 0; d < days; d++)
        calls("usr_a", MIDNIGHT - (days - d) * DAY + 9 * HOUR, 3 + 2 * d, 100);
    end();
}

START_TEST(the_trend_is_the_slope_a_day_with_its_interval_and_the_change)
{
    struct report_filter f = report_filter_make(NOW);
    json_t *j;
    const json_t *r;

    growing(40);
    f.from_ms = MIDNIGHT - 10 * DAY;
    f.to_ms = MIDNIGHT;
    j = parsed(report_trend(db, &f, &out));
    ck_assert_int_eq(json_int(j, "days", -1), 10);
    r = json_object_get(j, "requests");
    ck_assert_double_eq(number(r, "slope_per_day"), 2);
    ck_assert_double_eq(number(r, "low"), 2);
    ck_assert_double_eq(number(r, "high"), 2);
    ck_assert_double_eq(number(json_object_get(j, "tokens"), "slope_per_day"), 200);
    ck_assert_double_eq_tol(number(json_object_get(j, "cost_usd"), "slope_per_day"), 200 * 150000 / 1e12, 1e-15);
    ck_assert_int_eq(json_int(r, "total", -1), 63 + 65 + 67 + 69 + 71 + 73 + 75 + 77 + 79 + 81);
    ck_assert_int_eq(json_int(r, "previous", -1), 43 + 45 + 47 + 49 + 51 + 53 + 55 + 57 + 59 + 61);
    ck_assert_double_eq_tol(number(r, "change"), 720.0 / 520 - 1, 1e-8);
    json_decref(j);
    finish();
}
END_TEST

START_TEST(parts_of_days_bend_no_slope_and_without_days_there_is_none)
{
    struct report_filter f = report_filter_make(NOW);
    json_t *j;

    growing(12);
    f.from_ms = MIDNIGHT - 8 * DAY + 12 * HOUR;              /* half a day at each end */
    j = parsed(report_trend(db, &f, &out));
    ck_assert_int_eq(json_int(j, "days", -1), 7);
    ck_assert_double_eq(number(json_object_get(j, "requests"), "slope_per_day"), 2);
    json_decref(j);
    f.from_ms = MIDNIGHT - 2 * DAY;
    j = parsed(report_trend(db, &f, &out));
    ck_assert(json_is_null(json_object_get(json_object_get(j, "requests"), "slope_per_day")));
    ck_assert(json_is_null(json_object_get(json_object_get(j, "requests"), "low")));
    json_decref(j);
    f.from_ms = MIDNIGHT - 300 * DAY;                        /* before the first request is no history */
    j = parsed(report_trend(db, &f, &out));
    ck_assert_int_eq(json_int(j, "days", -1), 12);
    ck_assert(json_is_null(json_object_get(json_object_get(j, "requests"), "change")));
    json_decref(j);
    f.owner_id = "usr_b";
    j = parsed(report_trend(db, &f, &out));
    ck_assert_int_eq(json_int(json_object_get(j, "requests"), "total", -1), 0);
    json_decref(j);
    finish();
}
END_TEST

/* --- a year --- */

/* By hour of the week: 0 to 5 calls, more by day, fewer on weekends. */
static int64_t usual(int64_t at_ms)
{
    int64_t hour = at_ms / HOUR % 24, day = (at_ms / DAY + 3) % 7;

    return hour < 7 ? 0 : day > 4 ? 1 : hour < 18 ? 4 : 2;
}

static void a_year(int64_t spike_at_ms, int64_t spike)
{
    struct rng rng = rng_make(61);

    begin();
    for (int64_t at = MIDNIGHT - 365 * DAY; at < NOW - NOW % HOUR; at += HOUR) {
        calls("usr_a", at, usual(at) + (usual(at) ? rng_below(&rng, 2) : 0), 90 + rng_below(&rng, 20));
        if (at == spike_at_ms)
            calls("usr_b", at, spike, 100);
    }
    end();
}

START_TEST(a_spike_in_a_year_is_found_and_nothing_else)
{
    struct report_filter f = report_filter_make(NOW);
    int64_t at_ms = MIDNIGHT - 123 * DAY + 15 * HOUR;
    bool hour = false, day = false;
    json_t *j, *e;
    size_t i;

    a_year(at_ms, 60);
    f.from_ms = MIDNIGHT - 365 * DAY;
    j = parsed(report_anomalies(db, &f, &out));
    ck_assert(json_is_true(json_object_get(j, "enough_history")));
    ck_assert_int_ge(json_int(j, "history_days", -1), 364);
    ck_assert_uint_ge(json_array_size(json_object_get(j, "items")), 3);
    json_array_foreach(json_object_get(j, "items"), i, e) {
        int64_t at = 0;

        ck_assert(report_time_parse(json_str(e, "at", ""), 0, &at));
        hour = hour || (at == at_ms && strcmp(json_str(e, "bucket", ""), "hour") == 0);
        day = day || (at == at_ms - 15 * HOUR && strcmp(json_str(e, "bucket", ""), "day") == 0);
        ck_assert_msg(at == at_ms || at == at_ms - 15 * HOUR, "%s %s", json_str(e, "at", ""), json_str(e, "metric", ""));
        ck_assert_double_gt(number(e, "value"), number(e, "high"));
        ck_assert_double_gt(number(e, "score"), 5);
        ck_assert_double_le(number(e, "low"), number(e, "expected"));
    }
    ck_assert(hour && day);
    json_decref(j);
    f.granularity = GRANULARITY_DAY;
    f.limit = 1;
    j = parsed(report_anomalies(db, &f, &out));
    ck_assert_uint_eq(json_array_size(json_object_get(j, "items")), 1);
    ck_assert_int_eq(json_int(j, "found", -1), 3);
    json_decref(j);
    f.owner_id = "usr_b";                                    /* whose traffic is the spike alone */
    j = parsed(report_anomalies(db, &f, &out));
    ck_assert_int_eq(json_int(j, "found", -1), 0);
    json_decref(j);
    finish();
}
END_TEST

START_TEST(a_quiet_year_has_no_anomaly)
{
    struct report_filter f = report_filter_make(NOW);
    json_t *j;

    a_year(0, 0);
    f.from_ms = MIDNIGHT - 365 * DAY;
    j = parsed(report_anomalies(db, &f, &out));
    ck_assert_int_eq(json_int(j, "found", -1), 0);
    json_decref(j);
    finish();
}
END_TEST

/* --- forecast --- */

static json_t *forecast(const struct report_filter *f, struct report_goal *goal, size_t n)
{
    return parsed(report_forecast(db, f, goal, n, &out));
}

START_TEST(below_a_week_there_is_no_forecast_and_it_says_so)
{
    struct report_filter f = report_filter_make(NOW);
    struct report_goal goal = {.metric = REPORT_COST, .amount = 1, .until_ms = NOW + DAY};
    json_t *j;

    growing(6);
    f.from_ms = NOW - 56 * DAY;
    j = forecast(&f, &goal, 1);
    ck_assert(json_is_false(json_object_get(j, "enough_history")));
    ck_assert_int_eq(json_int(j, "history_days", -1), 6);
    ck_assert_ptr_nonnull(strstr(json_str(j, "message", ""), "Not enough history"));
    ck_assert_uint_eq(json_array_size(json_object_get(j, "series")), 0);
    ck_assert_int_eq(goal.reached_ms, -1);
    ck_assert_double_eq(goal.expected, -1);
    json_decref(j);
    j = parsed(report_anomalies(db, &f, &out));
    ck_assert(json_is_false(json_object_get(j, "enough_history")));
    json_decref(j);
    finish();
}
END_TEST

/* Four calls of 100 tokens at 9, 10, 11 … 16 each day: 15 µUSD a call. */
static void steady(int days)
{
    begin();
    for (int d = 1; d <= days; d++)
        for (int h = 9; h < 17; h++)
            calls(h % 2 ? "usr_a" : "usr_b", MIDNIGHT - d * DAY + h * HOUR, 4, 100);
    end();
}

START_TEST(a_forecast_has_the_season_for_the_whole_horizon)
{
    struct report_filter f = report_filter_make(NOW);
    json_t *j, *e;
    size_t i;

    steady(30);
    f.from_ms = NOW - 56 * DAY;
    f.metric = REPORT_REQUESTS;
    j = forecast(&f, NULL, 0);
    ck_assert_str_eq(json_str(j, "bucket", ""), "hour");
    ck_assert_uint_eq(json_array_size(json_object_get(j, "series")), 7 * 24 + 1);
    json_array_foreach(json_object_get(j, "series"), i, e) {
        int64_t at = 0;

        ck_assert(report_time_parse(json_str(e, "at", ""), 0, &at));
        ck_assert_int_eq(at, NOW - NOW % HOUR + (int64_t)i * HOUR);
        ck_assert_double_eq(number(e, "expected"), at / HOUR % 24 >= 9 && at / HOUR % 24 < 17 ? 4 : 0);
        ck_assert_double_le(number(e, "low"), number(e, "expected"));
        ck_assert_double_ge(number(e, "high"), number(e, "expected"));
    }
    json_decref(j);
    f.horizon_ms = 30 * DAY;
    j = forecast(&f, NULL, 0);
    ck_assert_str_eq(json_str(j, "bucket", ""), "day");
    ck_assert_uint_eq(json_array_size(json_object_get(j, "series")), 31);
    json_array_foreach(json_object_get(j, "series"), i, e)
        ck_assert_double_eq(number(e, "expected"), 32);
    json_decref(j);
    finish();
}
END_TEST

START_TEST(a_budget_is_reached_when_the_expected_cost_has_used_what_is_left)
{
    const int64_t call = 100 * 150000;                       /* picodollars */
    struct report_goal goals[] = {
        {.metric = REPORT_COST, .amount = 34 * call, .until_ms = NOW + 3 * DAY},                        /* tomorrow */
        {.metric = REPORT_COST, .amount = 34 * call, .until_ms = MIDNIGHT + DAY},                       /* not today */
        {.metric = REPORT_COST, .amount = 0, .until_ms = NOW + DAY},                                    /* it is */
        {.user_id = "usr_a", .metric = REPORT_COST, .amount = 18 * call, .until_ms = INT64_MAX},
        {.model = "gpt-4o", .metric = REPORT_COST, .amount = 1, .until_ms = NOW + DAY},                 /* nobody asks it */
        {.metric = REPORT_REQUESTS, .by_hour = true, .amount = 4},
        {.metric = REPORT_TOKENS, .by_hour = true, .amount = 401},
        {.upstream = "openai", .metric = REPORT_TOKENS, .by_hour = true, .amount = 400},
    };
    struct report_filter f = report_filter_make(NOW);

    steady(30);
    f.from_ms = NOW - 56 * DAY;
    json_decref(forecast(&f, goals, sizeof goals / sizeof *goals));
    /* Today 14.67 calls are left from 13:20 on (2.67, 4, 4, 4), so 19.33 of tomorrow's, the last third within the hour from 13. */
    ck_assert_int_ge(goals[0].reached_ms, MIDNIGHT + DAY + 13 * HOUR);
    ck_assert_int_lt(goals[0].reached_ms, MIDNIGHT + DAY + 14 * HOUR);
    ck_assert_int_eq(goals[1].reached_ms, -1);
    ck_assert_double_eq_tol(goals[1].expected, (2 + 2.0 / 3 + 12) * (double)call / 1e12, 1e-9);
    ck_assert_double_eq_tol(goals[0].expected, 3 * 32 * (double)call / 1e12, 1e-9);
    ck_assert_double_eq(goals[3].expected, -1);              /* without an end */
    ck_assert_int_eq(goals[2].reached_ms, NOW);
    ck_assert_int_ge(goals[3].reached_ms, MIDNIGHT + DAY + 9 * HOUR);
    ck_assert_int_lt(goals[3].reached_ms, MIDNIGHT + 2 * DAY);
    ck_assert_int_eq(goals[4].reached_ms, -1);
    ck_assert_int_eq(goals[5].reached_ms, MIDNIGHT + 13 * HOUR);
    ck_assert_int_eq(goals[6].reached_ms, -1);
    ck_assert_int_eq(goals[7].reached_ms, MIDNIGHT + 13 * HOUR);
    finish();
}
END_TEST

UNIT_MAIN("report_trend", the_trend_is_the_slope_a_day_with_its_interval_and_the_change,
          parts_of_days_bend_no_slope_and_without_days_there_is_none, a_spike_in_a_year_is_found_and_nothing_else,
          a_quiet_year_has_no_anomaly, below_a_week_there_is_no_forecast_and_it_says_so,
          a_forecast_has_the_season_for_the_whole_horizon,
          a_budget_is_reached_when_the_expected_cost_has_used_what_is_left)
