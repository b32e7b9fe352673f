/* One definition per figure: whatever is asked, by whichever report, in any
 * zone and cut, it is the plain sum over the events. */
#include "unit.h"

#include <time.h>

#include "fixture_report.h"
#include "store/spans.h"

/* Two weeks around the night of 25 October 2026, when clocks in Europe are set back, up to 4 November, when those in
 * America have been. */
#define BEGIN INT64_C(1792281600000)             /* 2026-10-18T00:00:00Z */
#define END (BEGIN + 17 * DAY + 5 * HOUR + 11 * MIN + 77)

enum { CALLS = 4000, USERS = 9, CHUNK = 50 };

static const char *const models[] = {"gpt-4o-mini", "gpt-4o", "unpriced", "o4-mini", "qwen-3-32b"};
static const char *const endpoints[] = {"/chat/complete", "/chat/stream", "/v1/chat/completions"};
static const char *const upstreams[] = {"openai", "groq"};
static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
                                    "Pacific/Kiritimati"};

static void random_call(struct rng *rng, struct call_record *last)
{
    int u = (int)rng_below(rng, USERS);
    char user[8];
    bool more = last[u].request_id[0] && rng_below(rng, 3);
    struct call_record r;

    snprintf(user, sizeof user, "usr_%d", u);
    r = more ? fixture_next(&last[u]) : fixture_call(user, 0);
    r.user_id = user;
    r.accepted_at_ms = BEGIN + rng_below(rng, END - BEGIN);
    r.model = models[rng_below(rng, 5)];
    r.api_endpoint = endpoints[rng_below(rng, 3)];
    r.priority = (enum priority)rng_below(rng, 3);
    if (rng_below(rng, 20) == 0)                             /* the caller keeps the history: no session */
        r.session_id[0] = r.user_message_id[0] = r.message_id[0] = '\0', r.new_session = false, r.user_text = NULL;
    ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    r.upstream = r.attempts[0].upstream = upstreams[rng_below(rng, 2)];
    r.status = rng_below(rng, 3) ? CALL_SUCCESS : (enum call_status)rng_below(rng, 5);
    r.error_code = r.status == CALL_SUCCESS ? NULL : "upstream_timeout";
    r.attempts[0].model = r.model;
    if (r.status == CALL_TIMEOUT) {
        r.attempts[r.attempt_count++] = r.attempts[0];
        r.attempts[0].http_status = 429;
    }
    r.usage.prompt = rng_below(rng, 3000);
    r.usage.completion = rng_below(rng, 3000);
    r.cost.priced = strcmp(r.model, "unpriced") != 0;
    r.cost.input = r.cost.priced ? r.usage.prompt * r.cost.rate_in : 0;
    r.cost.output = r.cost.priced ? r.usage.completion * r.cost.rate_out : 0;
    if (r.status == CALL_ERROR) {                            /* one attempt: in the event's own row */
        r.attempts[0].http_status = 429;
        r.attempts[0].error_code = r.error_code;
        r.attempts[0].usage = r.usage;
        r.attempts[0].priced = r.cost.priced;
        r.attempts[0].cost_in = r.cost.input;
        r.attempts[0].cost_out = r.cost.output;
    }
    r.queue_us = rng_below(rng, 3000000);
    r.ttft_us = rng_below(rng, 2000000);
    ck_assert_int_eq(usage_settle(db, &r), WEIR_OK);
    if (r.session_id[0])
        last[u] = r, last[u].user_id = NULL;
}

/* Take a random part of the past into the spans. */
static void fold(struct rng *rng)
{
    int64_t until_ms = BEGIN + rng_below(rng, END - BEGIN);
    bool more = true;

    ck_assert_int_eq(db_begin(db), WEIR_OK);
    while (more)
        ck_assert_int_eq(spans_fold(db, until_ms, &more), WEIR_OK);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
}

static void ledger_make(struct rng *rng)
{
    static struct call_record last[USERS];
    char name[16];

    memset(last, 0, sizeof last);
    db = fixture_db();
    out = sb_make(16 << 20);
    for (int u = 0; u < USERS; u++) {
        snprintf(name, sizeof name, "usr_%d", u);
        fixture_user(db, name);
    }
    for (int i = 0; i < CALLS; i++) {
        if (i % CHUNK == 0)
            ck_assert_int_eq(db_begin(db), WEIR_OK);
        random_call(rng, last);
        if (i % CHUNK == CHUNK - 1)
            ck_assert_int_eq(db_commit(db), WEIR_OK);
        if (i % (CALLS / 4) == CALLS / 4 - 1)                /* what comes later falls into spans that are there */
            fold(rng);
    }
}

/* --- each report against the truth --- */

static void assert_usage(const struct report_filter *f, const struct truth *t)
{
    json_t *j = parsed(report_token_usage(db, f, &out));

    assert_sums(json_object_get(j, "totals"), t, "token-usage totals");
    assert_list(json_object_get(j, "series"), t, "token-usage series");
    assert_list(json_object_get(j, "by_model"), t, "token-usage by_model");
    json_decref(j);
}

static void assert_cost(const struct report_filter *f, const struct truth *t, const struct truth *unpriced)
{
    static const char *const parts[] = {"by_model", "by_upstream", "by_user", "by_session", "by_endpoint", "by_priority",
                                        "by_day", "by_week", "by_month", "by_hour"};
    json_t *j = parsed(report_cost_breakdown(db, f, &out));
    const json_t *per = json_object_get(j, "cost_per"), *u = json_object_get(j, "unpriced");
    int64_t priced = t->requests - unpriced->requests, tokens = t->prompt + t->completion - unpriced->prompt - unpriced->completion;

    assert_sums(json_object_get(j, "total"), t, "cost-breakdown total");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_list(json_object_get(j, parts[i]), t, parts[i]);
    ck_assert_int_eq(json_int(u, "requests", -1), unpriced->requests);
    ck_assert_int_eq(json_int(u, "tokens", -1), unpriced->prompt + unpriced->completion);
    if (priced)
        ck_assert_double_eq_tol(json_number_value(json_object_get(per, "request_usd")), (double)t->cost / (double)priced / 1e12, 2e-12);
    else
        ck_assert(json_is_null(json_object_get(per, "request_usd")));
    if (tokens)
        ck_assert_double_eq_tol(json_number_value(json_object_get(per, "thousand_tokens_usd")),
                                (double)t->cost / (double)tokens / 1e9, 2e-12);
    json_decref(j);
}

static void assert_history(const struct report_filter *asked, const struct truth *t)
{
    struct report_filter f = *asked;
    struct truth sum = {0, 0, 0, 0};
    char cursor[32] = "", why[160];

    f.limit = 311;
    do {
        json_t *j, *item;
        size_t n;

        ck_assert_int_eq(report_filter_set(&f, "cursor", cursor, why), WEIR_OK);
        j = parsed(report_history(db, &f, &out));
        json_array_foreach(json_object_get(j, "items"), n, item) {
            sum.requests++;
            sum.prompt += json_int(json_object_get(item, "usage"), "prompt_tokens", 0);
            sum.completion += json_int(json_object_get(item, "usage"), "completion_tokens", 0);
        }
        snprintf(cursor, sizeof cursor, "%s", json_str(j, "next_cursor", ""));
        json_decref(j);
    } while (cursor[0]);
    ck_assert_int_eq(sum.requests, t->requests);
    ck_assert_int_eq(sum.prompt, t->prompt);
    ck_assert_int_eq(sum.completion, t->completion);
}

static void assert_speed_and_trend(const struct report_filter *f, const struct truth *t)
{
    json_t *j = parsed(report_performance(db, f, &out));
    const json_t *tokens, *e;
    int64_t sum = 0;
    size_t i;

    ck_assert_int_eq(json_int(j, "requests", -1), t->requests);
    json_array_foreach(json_object_get(j, "series"), i, e)
        sum += json_int(e, "requests", 0);
    ck_assert_int_eq(sum, t->requests);
    json_decref(j);
    j = parsed(report_trend(db, f, &out));
    tokens = json_object_get(j, "tokens");
    ck_assert_int_eq(json_int(json_object_get(j, "requests"), "total", -1), t->requests);
    ck_assert_int_eq(json_int(tokens, "total", -1), t->prompt + t->completion);
    ck_assert_int_eq((int64_t)(json_number_value(json_object_get(json_object_get(j, "cost_usd"), "total")) * 1e9 + 0.5),
                     (t->cost + 500) / 1000);
    json_decref(j);
}

static void assert_all(const struct report_filter *f, const char *where)
{
    char no_price[400];
    struct truth t = truth_of(f, where), unpriced;

    snprintf(no_price, sizeof no_price, "rate = 0 AND %s", where);
    unpriced = truth_of(f, no_price);
    assert_usage(f, &t);
    assert_cost(f, &t, &unpriced);
    assert_history(f, &t);
    assert_speed_and_trend(f, &t);
}

/* A random cut: what the filter has and what SQL says it is. */
static void random_cut(struct rng *rng, struct report_filter *f, char where[300])
{
    static char user[8];
    int64_t a = BEGIN - DAY + rng_below(rng, END - BEGIN + DAY), b = BEGIN + rng_below(rng, END - BEGIN);
    size_t n = 0;

    f->from_ms = a < b ? a : b;
    f->to_ms = (a < b ? b : a) + 1;
    if (rng_below(rng, 3) == 0)
        f->to_ms = END;
    n += (size_t)snprintf(where, 300, "1");
    if (rng_below(rng, 3) == 0) {
        int u = (int)rng_below(rng, USERS);

        snprintf(user, sizeof user, "usr_%d", u);
        *(rng_below(rng, 2) ? &f->user_id : &f->owner_id) = user;
        n += (size_t)snprintf(where + n, 300 - n, " AND user = %d", u + 1);
    }
    if (rng_below(rng, 4) == 0) {
        f->model = models[rng_below(rng, 5)];
        n += (size_t)snprintf(where + n, 300 - n, " AND model = (SELECT id FROM words WHERE text = '%s')", f->model);
    }
    if (rng_below(rng, 5) == 0) {
        f->upstream = upstreams[rng_below(rng, 2)];
        n += (size_t)snprintf(where + n, 300 - n, " AND upstream = (SELECT id FROM words WHERE text = '%s')", f->upstream);
    }
    if (rng_below(rng, 5) == 0) {
        f->api_endpoint = endpoints[rng_below(rng, 3)];
        n += (size_t)snprintf(where + n, 300 - n, " AND endpoint = (SELECT id FROM words WHERE text = '%s')", f->api_endpoint);
    }
    if (rng_below(rng, 5) == 0) {
        f->priority = (int)rng_below(rng, 3);
        n += (size_t)snprintf(where + n, 300 - n, " AND priority = %d", f->priority);
    }
    if (rng_below(rng, 5) == 0) {
        f->status = (int)rng_below(rng, 5);
        (void)snprintf(where + n, 300 - n, " AND status = %d", f->status);
    }
}

START_TEST(every_report_says_the_sum_of_the_events_whatever_is_cut_out)
{
    static const enum granularity units[] = {GRANULARITY_AUTO, GRANULARITY_HOUR, GRANULARITY_DAY, GRANULARITY_WEEK, GRANULARITY_MONTH};
    struct rng rng = rng_make(41);

    ledger_make(&rng);
    for (int i = 0; i < 60; i++) {
        struct report_filter f = report_filter_make(END);
        char where[300];

        random_cut(&rng, &f, where);
        ck_assert(zone_load(zones[rng_below(&rng, 6)], &f.zone));
        f.granularity = units[rng_below(&rng, 5)];
        f.limit = 1 + rng_below(&rng, 1000);
        assert_all(&f, where);
    }
    finish();
}
END_TEST

/* --- days, weeks and months of a zone, by the C library's own calendar --- */

static int64_t local_ms(int year, int month, int day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_isdst = -1};

    return (int64_t)mktime(&tm) * 1000;
}

/* The local day that a key of by_day or by_week begins, and so many days later. */
static void span_of(const char *key, int days, int months, struct report_filter *f)
{
    int y = atoi(key), m = atoi(key + 5), d = key[7] ? atoi(key + 8) : 1;

    f->from_ms = local_ms(y, m, d);
    f->to_ms = local_ms(y, m + months, d + days);
}

START_TEST(days_weeks_and_months_begin_at_local_midnight_also_where_clocks_change)
{
    static const struct { const char *list; int days, months; } lists[] = {{"by_day", 1, 0}, {"by_week", 7, 0}, {"by_month", 0, 1}};
    struct rng rng = rng_make(43);

    ledger_make(&rng);
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
        struct report_filter f = report_filter_make(END);
        json_t *j;

        ck_assert_int_eq(setenv("TZ", zones[z], 1), 0);
        tzset();
        ck_assert(zone_load(zones[z], &f.zone));
        f.from_ms = BEGIN - 2 * DAY;
        j = parsed(report_cost_breakdown(db, &f, &out));
        for (size_t i = 0; i < 3; i++) {
            json_t *e;
            size_t n;

            ck_assert_uint_ge(json_array_size(json_object_get(j, lists[i].list)), 2);
            json_array_foreach(json_object_get(j, lists[i].list), n, e) {
                struct report_filter day = f;
                struct truth t;

                span_of(json_str(e, "key", ""), lists[i].days, lists[i].months, &day);
                t = truth_of(&day, "1");
                assert_sums(e, &t, zones[z]);
            }
        }
        json_decref(j);
    }
    finish();
}
END_TEST

START_TEST(sessions_add_up_to_what_their_own_reports_say)
{
    struct rng rng = rng_make(47);
    struct report_filter f = report_filter_make(END);
    json_t *j, *e;
    int64_t sum = 0, of_sessions = 0, seen = 0;
    size_t i;

    ledger_make(&rng);
    f.from_ms = BEGIN;
    f.limit = 1000;
    j = parsed(report_cost_breakdown(db, &f, &out));
    json_array_foreach(json_object_get(j, "by_session"), i, e) {
        const char *id = json_str(e, "key", "");
        json_t *own;

        if (!*id)
            continue;
        own = parsed(report_session_usage(db, &f, id, &out));
        ck_assert(json_equal(json_object_get(json_object_get(own, "totals"), "total_tokens"), json_object_get(e, "total_tokens")));
        ck_assert(json_equal(json_object_get(json_object_get(own, "totals"), "cost_usd"), json_object_get(e, "cost_usd")));
        sum += json_int(e, "requests", 0);
        json_decref(own);
        if (++seen == 100)
            break;
    }
    json_decref(j);
    of_sessions = fixture_i64(db, "SELECT count(*) FROM events WHERE session > 0");
    ck_assert_int_gt(sum, 0);
    ck_assert_int_le(sum, of_sessions);
    finish();
}
END_TEST

START_TEST(cost_per_session_is_the_mean_over_sessions_that_had_a_price)
{
    struct rng rng = rng_make(53);
    struct report_filter f = report_filter_make(END);
    double want;
    json_t *j;

    ledger_make(&rng);
    f.from_ms = BEGIN;
    j = parsed(report_cost_breakdown(db, &f, &out));
    want = (double)fixture_i64(db, "SELECT sum(cost_in + cost_out) FROM events WHERE session > 0")
           / (double)fixture_i64(db, "SELECT count(DISTINCT session) FROM events WHERE session > 0 AND rate > 0") / 1e12;
    ck_assert_double_eq_tol(json_number_value(json_object_get(json_object_get(j, "cost_per"), "session_usd")), want, 2e-12);
    json_decref(j);
    finish();
}
END_TEST

/* What each of many reports says is what the one for pages says. */
START_TEST(pages_are_told_what_each_report_says)
{
    struct rng rng = rng_make(61);
    struct report_filter f;
    json_t *many, *one, *m;
    char where[300];
    size_t i;

    ledger_make(&rng);
    for (int cut = 0; cut < 12; cut++) {
        f = report_filter_make(END);
        random_cut(&rng, &f, where);
        f.limit = 1000;
        many = parsed(report_series(db, &f, &out));
        one = parsed(report_token_usage(db, &f, &out));
        ck_assert(json_equal(json_object_get(many, "series"), json_object_get(one, "series")));
        json_decref(many);
        json_decref(one);

        many = parsed(report_cost_days(db, &f, &out));
        one = parsed(report_cost_breakdown(db, &f, &out));
        ck_assert_int_eq(json_object_set(one, "by_hour", json_object_get(many, "by_hour")), 0);
        ck_assert(json_equal(many, one));
        json_decref(many);
        many = parsed(report_upstreams(db, &f, &out));
        ck_assert(json_equal(json_object_get(many, "by_upstream"), json_object_get(one, "by_upstream")));
        ck_assert(json_equal(json_object_get(many, "requests"), json_object_get(json_object_get(one, "total"), "requests")));
        json_decref(many);
        json_decref(one);

        many = parsed(report_models(db, &f, &out));
        json_array_foreach(json_object_get(many, "models"), i, m) {
            struct report_filter of_one = f;
            const char *key;
            json_t *value;

            of_one.model = json_str(m, "key", "");
            one = parsed(report_performance(db, &of_one, &out));
            json_object_foreach(m, key, value)
                ck_assert_msg(strcmp(key, "key") == 0 || json_equal(value, json_object_get(one, key)), "%s of %s", key, of_one.model);
            json_decref(one);
        }
        json_decref(many);
    }
    finish();
}
END_TEST

START_TEST(refused_attempts_are_the_newest_also_of_requests_that_were_tried_again)
{
    struct rng rng = rng_make(67);
    struct report_filter f = report_filter_make(END);
    int64_t refused, before_ms = INT64_MAX;
    json_t *j, *r;
    size_t i;

    ledger_make(&rng);
    f.from_ms = END - 2 * DAY;
    f.limit = 1000;
    refused = fixture_i64(db, "SELECT count(*) FROM attempts a WHERE http_status = 429 AND event >> 20 >= 1793596260077");
    ck_assert_int_gt(refused, 20);
    ck_assert_int_gt(fixture_i64(db, "SELECT count(*) FROM attempt_rows WHERE http_status = 429"), 20);
    ck_assert_int_gt(fixture_i64(db, "SELECT count(*) FROM events WHERE http_status = 429"), 20);
    j = parsed(report_upstreams(db, &f, &out));
    ck_assert_int_eq((int64_t)json_array_size(json_object_get(j, "refused")), refused);
    json_array_foreach(json_object_get(j, "refused"), i, r) {
        int64_t at_ms;

        ck_assert(report_time_parse(json_str(r, "at", ""), 0, &at_ms));
        ck_assert_int_le(at_ms, before_ms);
        before_ms = at_ms;
        ck_assert_str_ne(json_str(r, "upstream", ""), "");
        ck_assert_str_ne(json_str(r, "model", ""), "");
    }
    json_decref(j);
    f.limit = 3;
    j = parsed(report_upstreams(db, &f, &out));
    ck_assert_uint_eq(json_array_size(json_object_get(j, "refused")), 3);
    json_decref(j);
    finish();
}
END_TEST

UNIT_MAIN("report_same", every_report_says_the_sum_of_the_events_whatever_is_cut_out,
          days_weeks_and_months_begin_at_local_midnight_also_where_clocks_change,
          sessions_add_up_to_what_their_own_reports_say, cost_per_session_is_the_mean_over_sessions_that_had_a_price,
          pages_are_told_what_each_report_says, refused_attempts_are_the_newest_also_of_requests_that_were_tried_again)
