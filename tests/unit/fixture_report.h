/* fixture_report.h - reports read back, and what the events themselves say. */
#ifndef WEIR_TESTS_FIXTURE_REPORT_H
#define WEIR_TESTS_FIXTURE_REPORT_H

#include "base/json.h"
#include "fixture_call.h"
#include "store/report.h"

#define MIN INT64_C(60000)
#define HOUR INT64_C(3600000)
#define DAY INT64_C(86400000)

static struct sb out;
static struct db *db;

static inline json_t *parsed(enum weir_err e)
{
    json_t *j;
    char why[160];

    ck_assert_int_eq(e, WEIR_OK);
    ck_assert(sb_ok(&out));
    ck_assert_msg(json_parse_object(out.p, out.len, &json_limits_compat, &j, why) == WEIR_OK, "%s in %s", why, out.p);
    sb_reset(&out);
    return j;
}

static inline void finish(void)
{
    sb_done(&out);
    db_close(db);
}

struct truth {
    int64_t requests, prompt, completion, cost;
};

/* What the events say. `where` is SQL of the test's own. */
static inline struct truth truth_of(const struct report_filter *f, const char *where)
{
    char sql[512];
    struct truth t;
    sqlite3 *h;
    sqlite3_stmt *st;

    snprintf(sql, sizeof sql, "SELECT count(*), total(prompt), total(completion), total(cost_in + cost_out) FROM events"
             " WHERE at_ms >= %lld AND at_ms < %lld AND %s", (long long)f->from_ms, (long long)f->to_ms, where);
    ck_assert_int_eq(sqlite3_open_v2(fixture_path, &h, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(h, sql, -1, &st, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
    t = (struct truth){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2),
                       sqlite3_column_int64(st, 3)};
    sqlite3_finalize(st);
    sqlite3_close(h);
    return t;
}

/* Dollars of a report in whole nanodollars: what a double holds exactly enough here. */
static inline int64_t nano(const json_t *entry)
{
    return (int64_t)(json_number_value(json_object_get(entry, "cost_usd")) * 1e9 + 0.5);
}

static inline void assert_sums(const json_t *entry, const struct truth *t, const char *what)
{
    ck_assert_msg(json_int(entry, "requests", -1) == t->requests, "%s: requests %lld, events say %lld", what,
                  (long long)json_int(entry, "requests", -1), (long long)t->requests);
    ck_assert_msg(json_int(entry, "prompt_tokens", -1) == t->prompt, "%s: prompt", what);
    ck_assert_msg(json_int(entry, "completion_tokens", -1) == t->completion, "%s: completion", what);
    ck_assert_msg(json_int(entry, "total_tokens", -1) == t->prompt + t->completion, "%s: total", what);
    ck_assert_msg(nano(entry) == (t->cost + 500) / 1000, "%s: cost", what);
}

static inline void assert_list(const json_t *list, const struct truth *t, const char *what)
{
    struct truth sum = {0, 0, 0, 0};
    const json_t *e;
    size_t i;

    json_array_foreach(list, i, e) {
        sum.requests += json_int(e, "requests", 0);
        sum.prompt += json_int(e, "prompt_tokens", 0);
        sum.completion += json_int(e, "completion_tokens", 0);
        sum.cost += nano(e);
    }
    ck_assert_msg(sum.requests == t->requests, "%s: requests %lld, events say %lld", what, (long long)sum.requests,
                  (long long)t->requests);
    ck_assert_msg(sum.prompt == t->prompt && sum.completion == t->completion, "%s: tokens", what);
    ck_assert_msg(llabs(sum.cost - t->cost / 1000) <= (long long)json_array_size(list), "%s: cost", what);
}

#endif
