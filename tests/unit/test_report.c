/* Reports equal the sum of their events, whatever is cut out; one's own only. */
#include "unit.h"

#include <math.h>

#include "fixture_report.h"

#define NOW (FIXTURE_NOW + 30 * HOUR + 7 * MIN + 1234)

/* 600 calls of two users over thirty hours: statuses, models, priorities, sessions mixed. */
static void many_calls(void)
{
    struct rng rng = rng_make(11);
    struct call_record last[2];

    db = fixture_db();
    out = sb_make(4 << 20);
    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    for (int i = 0; i < 600; i++) {
        bool a = rng_below(&rng, 3) > 0, more = i > 20 && rng_below(&rng, 2);
        struct call_record r = more ? fixture_next(&last[a]) : fixture_call(a ? "usr_a" : "usr_b", 0);

        r.accepted_at_ms = FIXTURE_NOW + rng_below(&rng, NOW - FIXTURE_NOW);
        r.model = (const char *[]){"gpt-4o-mini", "gpt-4o", "unpriced"}[rng_below(&rng, 3)];
        r.priority = (enum priority)rng_below(&rng, 3);
        ck_assert_int_eq(db_begin(db), WEIR_OK);
        ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
        fixture_answered(&r);
        r.status = rng_below(&rng, 4) ? CALL_SUCCESS : (enum call_status)rng_below(&rng, 5);
        r.error_code = r.status == CALL_SUCCESS ? NULL : "upstream_timeout";
        r.attempt_count = 1 + (int32_t)rng_below(&rng, 3);
        r.attempts[1] = r.attempts[2] = r.attempts[0];
        r.usage.prompt = rng_below(&rng, 3000);
        r.usage.completion = rng_below(&rng, 3000);
        r.cost.priced = strcmp(r.model, "unpriced") != 0;
        r.cost.input = r.cost.priced ? r.usage.prompt * r.cost.rate_in : 0;
        r.cost.output = r.cost.priced ? r.usage.completion * r.cost.rate_out : 0;
        r.ttft_us = rng_below(&rng, 2000000);
        ck_assert_int_eq(usage_settle(db, &r), WEIR_OK);
        ck_assert_int_eq(db_commit(db), WEIR_OK);
        last[a] = r;
    }
}

static void assert_report(const struct report_filter *f, const char *where)
{
    static const char *const parts[] = {"by_model", "by_upstream", "by_user", "by_session", "by_endpoint", "by_priority",
                                        "by_day", "by_week", "by_month", "by_hour"};
    struct truth t = truth_of(f, where);
    json_t *j = parsed(report_token_usage(db, f, &out)), *brief;

    assert_sums(json_object_get(j, "totals"), &t, "totals");
    assert_list(json_object_get(j, "series"), &t, "series");
    assert_list(json_object_get(j, "by_model"), &t, "by_model");
    json_decref(j);
    j = parsed(report_cost_breakdown(db, f, &out));
    assert_sums(json_object_get(j, "total"), &t, "total");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_list(json_object_get(j, parts[i]), &t, parts[i]);
    json_decref(j);
    j = parsed(report_performance(db, f, &out));
    ck_assert_int_eq(json_int(j, "requests", -1), t.requests);
    brief = parsed(report_brief(db, f, &out));
    assert_sums(json_object_get(brief, "totals"), &t, "brief");
    ck_assert(json_equal(json_object_get(brief, "ttft_ms"), json_object_get(j, "ttft_ms")));
    ck_assert(json_equal(json_object_get(brief, "queue_wait_ms"), json_object_get(j, "queue_wait_ms")));
    json_decref(brief);
    json_decref(j);
}

START_TEST(any_range_equals_the_sum_of_its_events)
{
    struct rng rng = rng_make(5);

    many_calls();
    for (int i = 0; i < 40; i++) {
        struct report_filter f = report_filter_make(NOW);

        f.from_ms = FIXTURE_NOW - HOUR + rng_below(&rng, 31 * HOUR);
        f.to_ms = f.from_ms + 1 + rng_below(&rng, i % 4 == 0 ? 20 * MIN : 31 * HOUR);
        if (f.to_ms > NOW)
            f.to_ms = NOW;
        f.granularity = (enum granularity)(i % 4);
        assert_report(&f, "1");
    }
    finish();
}
END_TEST

START_TEST(filters_narrow_totals_as_they_narrow_events)
{
    static const struct { const char *key, *value, *where; } rows[] = {
        {"model", "gpt-4o", "model = (SELECT id FROM words WHERE text = 'gpt-4o')"},
        {"priority", "High", "priority = 2"},
        {"status", "error", "status = 1"},
        {"user_id", "usr_b", "user = 2"},
        {"upstream", "openai", "1"},
        {"upstream", "nobody", "0"},
        {"model", "never seen", "0"},
        {"api_endpoint", "/chat/complete", "1"},
        {"from", "-3h", "1"},
    };
    char why[160];

    many_calls();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct report_filter f = report_filter_make(NOW);

        ck_assert_msg(report_filter_set(&f, rows[i].key, rows[i].value, why) == WEIR_OK, "%s", why);
        assert_report(&f, rows[i].where);
    }
    finish();
}
END_TEST

START_TEST(one_session_is_cut_out_exactly)
{
    struct report_filter f = report_filter_make(NOW);
    struct query q;
    char where[64];
    json_t *j;

    many_calls();
    q = query(db, "SELECT s.session_id, s.id, s.requests FROM sessions s ORDER BY s.requests DESC LIMIT 1");
    ck_assert(query_row(&q));
    f.session_id = query_col_text(&q, 0);
    f.from_ms = FIXTURE_NOW;
    snprintf(where, sizeof where, "session = %lld", (long long)query_col_i64(&q, 1));
    assert_report(&f, where);
    j = parsed(report_session_usage(db, &f, f.session_id, &out));
    ck_assert_int_eq(json_int(json_object_get(j, "totals"), "requests", -1), query_col_i64(&q, 2));
    ck_assert_int_eq((int64_t)json_array_size(json_object_get(j, "messages")), query_col_i64(&q, 2));
    json_decref(j);
    ck_assert_int_eq(query_stop(&q), WEIR_OK);
    finish();
}
END_TEST

START_TEST(a_user_sees_their_own_numbers_only)
{
    struct report_filter f = report_filter_make(NOW);
    struct query q;
    json_t *j;

    many_calls();
    f.owner_id = "usr_b";
    f.from_ms = FIXTURE_NOW;
    assert_report(&f, "user = 2");
    f.user_id = "usr_a";
    assert_report(&f, "0");
    j = parsed(report_history(db, &f, &out));
    ck_assert_uint_eq(json_array_size(json_object_get(j, "items")), 0);
    json_decref(j);
    q = query(db, "SELECT e.request_id, s.session_id FROM events e JOIN sessions s ON s.id = e.session WHERE e.user = 1 LIMIT 1");
    ck_assert(query_row(&q));
    ck_assert_int_eq(report_request(db, "usr_b", true, query_col_text(&q, 0), NULL, &out), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(report_session_usage(db, &f, query_col_text(&q, 1), &out), WEIR_E_NOT_FOUND);
    j = parsed(report_request(db, "usr_a", true, query_col_text(&q, 0), NULL, &out));
    ck_assert_str_eq(json_str(j, "user_id", ""), "usr_a");
    ck_assert_str_eq(json_str(j, "state", ""), "settled");
    ck_assert(json_array_size(json_object_get(j, "attempts")) >= 1);
    json_decref(j);
    ck_assert_int_eq(query_stop(&q), WEIR_OK);
    finish();
}
END_TEST

START_TEST(history_pages_newest_first_without_gaps)
{
    static const struct { const char *key, *value, *where; } rows[] = {
        {"limit", "70", "1"}, {"status", "timeout", "status = 3"}, {"status", "success", "status = 0"}, {"model", "gpt-4o",
        "model = (SELECT id FROM words WHERE text = 'gpt-4o')"},
    };
    char why[160];

    many_calls();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct report_filter f = report_filter_make(NOW);
        char cursor[32] = "", before[32] = "9";
        int64_t seen = 0;

        f.limit = 70;
        f.from_ms = FIXTURE_NOW;
        ck_assert_int_eq(report_filter_set(&f, rows[i].key, rows[i].value, why), WEIR_OK);
        do {
            json_t *j, *item;
            size_t n;

            ck_assert_int_eq(report_filter_set(&f, "cursor", cursor, why), WEIR_OK);
            j = parsed(report_history(db, &f, &out));
            json_array_foreach(json_object_get(j, "items"), n, item) {
                const char *at = json_str(item, "at", "");

                ck_assert_msg(strcmp(at, before) <= 0, "%s after %s", at, before);
                snprintf(before, sizeof before, "%s", at);
                seen++;
            }
            snprintf(cursor, sizeof cursor, "%s", json_str(j, "next_cursor", ""));
            json_decref(j);
        } while (cursor[0]);
        ck_assert_int_eq(seen, truth_of(&f, rows[i].where).requests);
    }
    finish();
}
END_TEST

/* A figure as the page shows it, "—" as NAN. */
static double figure_of(const json_t *item, enum report_sort sort)
{
    const json_t *usage = json_object_get(item, "usage"), *cost = json_object_get(item, "cost"), *m = json_object_get(item, "metrics");
    bool elsewhere = strcmp(json_str(item, "upstream", ""), USAGE_IMPORTED) == 0, used = json_int(usage, "total_tokens", 0) > 0;

    if (elsewhere && sort != SORT_AT && sort != SORT_TOKENS && sort != SORT_COST)
        return (double)NAN;
    switch (sort) {
    case SORT_TOKENS: return (double)json_int(usage, "total_tokens", 0);
    case SORT_COST: return used && json_is_true(json_object_get(cost, "priced")) ? json_number_value(json_object_get(cost, "total_usd")) : (double)NAN;
    case SORT_FIRST_TOKEN: return json_int(usage, "completion_tokens", 0) ? (double)json_int(m, "ttft_ms", 0) : (double)NAN;
    case SORT_TOTAL: return (double)json_int(m, "duration_ms", 0);
    case SORT_QUEUED: return (double)json_int(m, "queue_ms", 0);
    case SORT_RETRIES: return (double)json_int(m, "retries", 0);
    case SORT_AT:
    case REPORT_SORTS: break;
    }
    return 0;
}

START_TEST(history_pages_in_the_order_of_any_figure_without_gaps_or_doubles_and_what_is_not_known_last)
{
    static const struct { const char *key, *value, *where; } rows[] = {
        {"limit", "70", "1"}, {"status", "timeout", "status = 3"}, {"priority", "High", "priority = 2"},
    };
    char why[160];

    many_calls();
    ck_assert_int_eq(db_exec(db, "INSERT INTO words(text) VALUES('" USAGE_IMPORTED "')"), WEIR_OK);
    ck_assert_int_eq(db_exec(db, "UPDATE events SET upstream = (SELECT id FROM words WHERE text = '" USAGE_IMPORTED "'), counted = 0 WHERE id % 5 = 0"), WEIR_OK);
    ck_assert_int_eq(db_exec(db, "UPDATE events SET prompt = 0, completion = 0, cost_in = 0, cost_out = 0 WHERE id % 7 = 0"), WEIR_OK);
    for (int k = 0; k < 2 * REPORT_SORTS * 3; k++) {
        struct report_filter f = report_filter_make(NOW);
        json_t *seen = json_object();
        char cursor[64] = "", sort[32];
        const char *param, *at = NULL;
        double before = 0;

        snprintf(sort, sizeof sort, "%s%s", k % 2 ? "-" : "", report_sort_name((enum report_sort)(k / 2 % REPORT_SORTS)));
        f.limit = 70;
        f.from_ms = FIXTURE_NOW;
        ck_assert_int_eq(report_filter_set(&f, "sort", sort, why), WEIR_OK);
        ck_assert_int_eq(report_filter_set(&f, rows[k / 2 / REPORT_SORTS].key, rows[k / 2 / REPORT_SORTS].value, why), WEIR_OK);
        ck_assert_int_eq(report_sort_check(db, &f, why), WEIR_OK);
        do {
            json_t *j, *item;
            size_t n;

            ck_assert_int_eq(report_filter_set(&f, "cursor", cursor, why), WEIR_OK);
            ck_assert_int_eq(report_filter_check(&f, &param, why), WEIR_OK);
            j = parsed(report_history(db, &f, &out));
            json_array_foreach(json_object_get(j, "items"), n, item) {
                double now = figure_of(item, f.sort);

                if (json_object_size(seen) && !isnan(now))
                    ck_assert_msg(f.ascending ? now >= before : now <= before, "%s: %g after %g", sort, now, before);
                if (f.sort == SORT_AT && at)
                    ck_assert_msg((strcmp(json_str(item, "at", ""), at) >= 0) == f.ascending || strcmp(json_str(item, "at", ""), at) == 0, "%s", at);
                before = now;
                ck_assert_msg(!json_object_get(seen, json_str(item, "request_id", "")), "twice in %s", sort);
                json_object_set(seen, json_str(item, "request_id", ""), item);
                at = json_str(json_object_get(seen, json_str(item, "request_id", "")), "at", "");
            }
            snprintf(cursor, sizeof cursor, "%s", json_str(j, "next_cursor", ""));
            json_decref(j);
        } while (cursor[0]);
        ck_assert_int_eq((int64_t)json_object_size(seen), truth_of(&f, rows[k / 2 / REPORT_SORTS].where).requests);
        json_decref(seen);
    }
    finish();
}
END_TEST

/* `n` events of a moment, every other a failure. */
static void many_at(int64_t at_ms, int64_t n)
{
    struct query q = query(db,
        "INSERT INTO events(id, request, user, token, session, question, answer, model, upstream, endpoint, priority, state, status, held_by,"
        " finish, error, counted, max_tokens, prompt, cached, cache_write, cache_write_1h, completion, reasoning, chars, estimated, suspect,"
        " rate, cost_in, cost_out, attempts, queue_us, retry_us, ttft_us, writing_us) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
        " SELECT i + 1 FROM n WHERE i < ?1) SELECT (?2 << 20) + i, i, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, i % 2, 0, 0, 0, 0, 0, i, 0, 0, 0, 0, 0,"
        " 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0 FROM n");

    query_i64(&q, n);
    query_i64(&q, at_ms);
    ck_assert_int_eq(query_end(&q), WEIR_OK);
}

START_TEST(no_more_is_put_in_order_than_can_be_in_a_moment)
{
    char why[160] = "";
    struct report_filter f = report_filter_make(NOW);

    db = fixture_db();
    out = sb_make(4 << 20);
    fixture_user(db, "usr_a");
    many_at(FIXTURE_NOW, 200000);
    f.from_ms = FIXTURE_NOW;
    ck_assert_int_eq(report_filter_set(&f, "sort", "-total_tokens", why), WEIR_OK);
    ck_assert_int_eq(report_sort_check(db, &f, why), WEIR_OK);
    many_at(FIXTURE_NOW + 1, 1);
    ck_assert_int_eq(report_sort_check(db, &f, why), WEIR_E_OUT_OF_RANGE);
    ck_assert_ptr_nonnull(strstr(why, "more than 200,000"));
    ck_assert_int_eq(report_filter_set(&f, "status", "error", why), WEIR_OK);         /* an index has those alone */
    ck_assert_int_eq(report_sort_check(db, &f, why), WEIR_OK);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(a_cursor_of_another_order_is_refused_and_so_is_what_is_no_order)
{
    struct report_filter f = report_filter_make(NOW);
    const char *param = "";
    char why[160];

    ck_assert_int_eq(report_filter_set(&f, "cursor", "12.34", why), WEIR_OK);
    ck_assert_int_eq(report_filter_check(&f, &param, why), WEIR_E_INVALID_FIELD);
    ck_assert_str_eq(param, "cursor");
    ck_assert_int_eq(report_filter_set(&f, "sort", "-cost_usd", why), WEIR_OK);
    ck_assert_int_eq(report_filter_check(&f, &param, why), WEIR_OK);
    ck_assert_int_eq(f.cursor_key, 12);
    ck_assert_int_eq(f.cursor, 34);
    ck_assert_int_eq(report_filter_set(&f, "cursor", "34", why), WEIR_OK);
    ck_assert_int_eq(report_filter_check(&f, &param, why), WEIR_E_INVALID_FIELD);
    for (const char *const *bad = (const char *const[]){"1.", ".", "1.-2", "-2", "1.2.3", " 5", "0", "x", NULL}; *bad; bad++)
        ck_assert_msg(report_filter_set(&f, "cursor", *bad, why) == WEIR_E_INVALID_FIELD, "%s", *bad);
    ck_assert_int_eq(report_filter_set(&f, "sort", "user", why), WEIR_E_INVALID_FIELD);
    ck_assert_int_eq(report_filter_set(&f, "sort", "--at", why), WEIR_E_INVALID_FIELD);
}
END_TEST

START_TEST(lists_are_by_cost_and_what_is_beyond_the_limit_is_one_entry)
{
    struct report_filter f = report_filter_make(NOW);
    struct truth t;
    json_t *j, *sessions;
    int64_t last = INT64_MAX;
    size_t rest = 0;

    many_calls();
    f.from_ms = FIXTURE_NOW;
    f.limit = 5;
    t = truth_of(&f, "1");
    j = parsed(report_cost_breakdown(db, &f, &out));
    sessions = json_object_get(j, "by_session");
    ck_assert_uint_eq(json_array_size(sessions), 5);
    assert_list(sessions, &t, "by_session");
    for (size_t i = 0; i < 5; i++) {
        const json_t *e = json_array_get(sessions, i);

        ck_assert_int_le(nano(e), last);
        last = nano(e);
        rest += json_is_null(json_object_get(e, "key"));
    }
    ck_assert_uint_eq(rest, 1);
    json_decref(j);
    finish();
}
END_TEST

START_TEST(a_model_without_a_price_costs_null_and_is_named)
{
    struct report_filter f = report_filter_make(NOW);
    json_t *j, *models, *e;
    size_t i;

    many_calls();
    f.from_ms = FIXTURE_NOW;
    j = parsed(report_cost_breakdown(db, &f, &out));
    models = json_object_get(json_object_get(j, "unpriced"), "models");
    ck_assert_uint_eq(json_array_size(models), 1);
    ck_assert_str_eq(json_string_value(json_array_get(models, 0)), "unpriced");
    json_array_foreach(json_object_get(j, "by_model"), i, e)
        ck_assert_int_eq(json_is_null(json_object_get(e, "cost_usd")), strcmp(json_str(e, "key", ""), "unpriced") == 0);
    json_decref(j);
    j = parsed(report_performance(db, &f, &out));
    e = json_array_get(json_object_get(j, "suggestions"), 0);
    ck_assert_str_eq(json_str(e, "setting", ""), "prices");
    ck_assert_str_eq(json_str(e, "current", ""), "none");
    ck_assert_str_eq(json_str(e, "proposed", ""), "a price for unpriced");
    ck_assert_int_gt(json_int(json_object_get(e, "evidence"), "unpriced", 0), 0);
    json_decref(j);
    finish();
}
END_TEST

START_TEST(without_history_ratios_are_null_and_there_is_no_advice)
{
    struct report_filter f = report_filter_make(NOW);
    json_t *j;

    db = fixture_db();
    out = sb_make(1 << 20);
    j = parsed(report_performance(db, &f, &out));
    ck_assert(json_is_null(json_object_get(j, "success_rate")));
    ck_assert(json_is_null(json_object_get(j, "score")));
    ck_assert(json_is_null(json_object_get(j, "tokens_per_second")));
    ck_assert(json_is_null(json_object_get(json_object_get(j, "latency_ms"), "p95")));
    ck_assert_uint_eq(json_array_size(json_object_get(j, "suggestions")), 0);
    json_decref(j);
    j = parsed(report_token_usage(db, &f, &out));
    ck_assert(json_is_null(json_object_get(json_object_get(j, "efficiency"), "chars_per_token")));
    ck_assert_int_eq(json_int(json_object_get(j, "totals"), "requests", -1), 0);
    json_decref(j);
    j = parsed(report_today(db, NULL, &f.zone, NOW, &out));
    ck_assert_int_eq(json_int(j, "requests", -1), 0);
    json_decref(j);
    finish();
}
END_TEST

START_TEST(performance_knows_percentiles_success_and_retries)
{
    struct report_filter f = report_filter_make(NOW);
    json_t *j, *latency;
    int64_t p50;

    many_calls();
    f.from_ms = FIXTURE_NOW;
    j = parsed(report_performance(db, &f, &out));
    latency = json_object_get(j, "latency_ms");
    p50 = json_int(latency, "p50", -1);                       /* wait 1.5 + 0…2000 + 580 */
    ck_assert_msg(p50 > 1400 && p50 < 1750, "p50 %lld", (long long)p50);
    ck_assert_int_le(p50, json_int(latency, "p90", -1));
    ck_assert_int_le(json_int(latency, "p95", -1), json_int(latency, "p99", -1));
    ck_assert_int_eq(json_int(json_object_get(j, "retries"), "total", -1),
                     fixture_i64(db, "SELECT sum(attempts - 1) FROM events"));
    ck_assert_str_eq(json_str(json_array_get(json_object_get(j, "error_rates"), 0), "type", ""), "upstream_timeout");
    ck_assert_int_eq(json_int(json_array_get(json_object_get(j, "error_rates"), 0), "count", -1),
                     fixture_i64(db, "SELECT count(*) FROM events WHERE status IN (1, 3, 4)"));
    json_decref(j);
    finish();
}
END_TEST

START_TEST(today_is_the_sum_since_midnight)
{
    struct report_filter f = report_filter_make(NOW);
    struct truth t;
    json_t *j;

    many_calls();
    f.from_ms = NOW - NOW % DAY;
    t = truth_of(&f, "1");
    j = parsed(report_today(db, NULL, &f.zone, NOW, &out));
    assert_sums(j, &t, "today");
    json_decref(j);
    t = truth_of(&f, "user = 1");
    j = parsed(report_today(db, "usr_a", &f.zone, NOW, &out));
    assert_sums(j, &t, "today of one user");
    json_decref(j);
    ck_assert_int_eq(report_version(db), 600);
    finish();
}
END_TEST

START_TEST(times_are_rfc_3339_or_relative)
{
    static const struct { const char *text; int64_t ms; } good[] = {
        {"2026-11-22T06:20:00Z", FIXTURE_NOW}, {"2026-11-22T06:20:00.123Z", FIXTURE_NOW + 123},
        {"2026-11-22T07:20:00+01:00", FIXTURE_NOW}, {"2026-11-22t06:20:00.5z", FIXTURE_NOW + 500},
        {"-24h", NOW - DAY}, {"-7d", NOW - 7 * DAY}, {"-90m", NOW - 90 * MIN}, {"now", NOW},
    };
    static const char *const bad[] = {"", "yesterday", "2026-11-22", "2026-02-30T00:00:00Z", "2026-11-22T06:20:00",
                                      "2026-11-22T25:00:00Z", "-24", "24h", "-h", "-24hh", "-99999999999999d",
                                      "2026-11-22T06:20:00Zx", "2026-11-22T06:20:00.Z", "2026-11-22T06::20Z"};
    int64_t ms;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(report_time_parse(good[i].text, NOW, &ms), "%s", good[i].text);
        ck_assert_msg(ms == good[i].ms, "%s: %lld", good[i].text, (long long)ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!report_time_parse(bad[i], NOW, &ms), "%s", bad[i]);
}
END_TEST

START_TEST(a_range_in_the_far_future_is_empty)
{
    struct report_filter f = report_filter_make(NOW);
    const char *param;
    char why[160];

    ck_assert_int_eq(report_filter_set(&f, "to", "9999-01-02T00:00:00Z", why), WEIR_OK);
    ck_assert_int_eq(report_filter_check(&f, &param, why), WEIR_OK);
    ck_assert_int_eq(report_filter_set(&f, "from", "9999-01-01T00:00:00Z", why), WEIR_OK);
    ck_assert_int_eq(report_filter_check(&f, &param, why), WEIR_E_OUT_OF_RANGE);
    ck_assert_str_eq(param, "from");
}
END_TEST

START_TEST(a_wrong_parameter_is_named)
{
    static const struct { const char *key, *value; enum weir_err e; } rows[] = {
        {"form", "x", WEIR_E_UNKNOWN_FIELD}, {"from", "x", WEIR_E_INVALID_FIELD}, {"limit", "0", WEIR_E_OUT_OF_RANGE},
        {"limit", "1001", WEIR_E_OUT_OF_RANGE}, {"limit", "ten", WEIR_E_INVALID_FIELD}, {"status", "ok", WEIR_E_INVALID_FIELD},
        {"priority", "high", WEIR_E_INVALID_FIELD}, {"granularity", "year", WEIR_E_INVALID_FIELD},
        {"horizon", "7", WEIR_E_INVALID_FIELD}, {"horizon", "-7d", WEIR_E_INVALID_FIELD}, {"horizon", "0d", WEIR_E_OUT_OF_RANGE},
        {"horizon", "367d", WEIR_E_OUT_OF_RANGE}, {"metric", "cost", WEIR_E_INVALID_FIELD},
        {"tz", "Europe/Atlantis", WEIR_E_INVALID_FIELD}, {"tz", "../../etc/passwd", WEIR_E_INVALID_FIELD},
    };
    struct report_filter f = report_filter_make(NOW);
    const char *param;
    char why[160];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_int_eq(report_filter_set(&f, rows[i].key, rows[i].value, why), rows[i].e);
        ck_assert_msg(strncmp(why, rows[i].key, strlen(rows[i].key)) == 0, "%s", why);
    }
    f.to_ms = f.from_ms;
    ck_assert_int_eq(report_filter_check(&f, &param, why), WEIR_E_OUT_OF_RANGE);
    ck_assert_str_eq(param, "from");
    f = report_filter_make(NOW);
    f.granularity = GRANULARITY_MINUTE;
    f.from_ms = NOW - 3 * DAY;
    ck_assert_int_eq(report_filter_check(&f, &param, why), WEIR_E_OUT_OF_RANGE);
    f.granularity = GRANULARITY_HOUR;
    f.from_ms = NOW - 400 * DAY;
    ck_assert_int_eq(report_filter_check(&f, &param, why), WEIR_E_OUT_OF_RANGE);
    ck_assert_str_eq(param, "granularity");
    f.granularity = GRANULARITY_DAY;
    ck_assert_int_eq(report_filter_check(&f, &param, why), WEIR_OK);
}
END_TEST

UNIT_MAIN("report", any_range_equals_the_sum_of_its_events, filters_narrow_totals_as_they_narrow_events,
          one_session_is_cut_out_exactly, a_user_sees_their_own_numbers_only, history_pages_newest_first_without_gaps,
          history_pages_in_the_order_of_any_figure_without_gaps_or_doubles_and_what_is_not_known_last, no_more_is_put_in_order_than_can_be_in_a_moment, a_cursor_of_another_order_is_refused_and_so_is_what_is_no_order,
          lists_are_by_cost_and_what_is_beyond_the_limit_is_one_entry, a_model_without_a_price_costs_null_and_is_named,
          without_history_ratios_are_null_and_there_is_no_advice, performance_knows_percentiles_success_and_retries,
          today_is_the_sum_since_midnight, times_are_rfc_3339_or_relative,
          a_range_in_the_far_future_is_empty, a_wrong_parameter_is_named)
