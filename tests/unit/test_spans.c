/* Spans are the sums of their quarters, whenever these were written. */
#include "unit.h"

#include "fixture_call.h"
#include "rules/hist.h"
#include "store/ledger.h"
#include "store/spans.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define BEGIN (FIXTURE_NOW - FIXTURE_NOW % (64 * DAY))        /* the longest span begins here */

static struct db *db;

static void call_at(int64_t at_ms, struct rng *rng)
{
    struct call_record r = fixture_call(rng_below(rng, 2) ? "usr_a" : "usr_b", at_ms);

    r.model = rng_below(rng, 2) ? "gpt-4o" : "o4-mini";
    r.priority = (enum priority)rng_below(rng, 3);
    ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    r.usage.prompt = rng_below(rng, 1000);
    r.cost.input = r.usage.prompt * r.cost.rate_in;
    r.ttft_us = rng_below(rng, 5000000);
    ck_assert_int_eq(usage_settle(db, &r), WEIR_OK);
}

static void calls(struct rng *rng, int n, int64_t from_ms, int64_t to_ms)
{
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    for (int i = 0; i < n; i++)
        call_at(from_ms + rng_below(rng, to_ms - from_ms), rng);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
}

static int fold(int64_t now_ms)
{
    bool more = true;
    int steps = 0;

    for (; more; steps++) {
        ck_assert_int_eq(db_begin(db), WEIR_OK);
        ck_assert_int_eq(spans_fold(db, now_ms, &more), WEIR_OK);
        ck_assert_int_eq(db_commit(db), WEIR_OK);
    }
    return steps;
}

static void begin(void)
{
    db = fixture_db();
    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
}

/* Rows of one level that differ from the sums of the quarters they are of, in either direction. */
static int64_t differences(int level, int64_t mark)
{
    char sql[1200];
    sqlite3 *h;
    sqlite3_stmt *st;
    int64_t n, unit = span_quarters[level];

    snprintf(sql, sizeof sql,
             "WITH want AS (SELECT ((id >> 24) / %lld << 24) + (id & 16777215) AS k, sum(requests) AS n, sum(prompt) AS p, sum(completion) AS c,"
             " sum(cost_in + cost_out) AS cost, sum(ttft_us) AS t FROM rollups WHERE id >> 24 < %lld GROUP BY 1),"
             " have AS (SELECT id - (%d << 56) AS k, requests AS n, prompt AS p, completion AS c, cost_in + cost_out AS cost, ttft_us AS t"
             " FROM span_rollups WHERE id >> 56 = %d)"
             " SELECT (SELECT count(*) FROM (SELECT * FROM want EXCEPT SELECT * FROM have))"
             " + (SELECT count(*) FROM (SELECT * FROM have EXCEPT SELECT * FROM want))",
             (long long)unit, (long long)(mark / unit * unit), level, level);
    ck_assert_int_eq(sqlite3_open_v2(fixture_path, &h, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(h, sql, -1, &st, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(h));
    ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(h);
    return n;
}

static void assert_whole(void)
{
    int64_t mark;

    ck_assert_int_eq(spans_mark(db, &mark), WEIR_OK);
    for (int level = 1; level < SPAN_LEVELS; level++)
        ck_assert_msg(differences(level, mark) == 0, "level %d differs", level);
    /* the hours of each of the seven dimensions are all there is before the mark */
    for (int dim = 0; dim < 7; dim++) {
        struct query q = query(db, "SELECT coalesce(sum(requests), 0), coalesce(sum(prompt), 0), coalesce(sum(cost), 0)"
                                   " FROM hour_rollups WHERE id >> 60 = ?1");
        struct query want = query(db, "SELECT coalesce(sum(requests), 0), coalesce(sum(prompt), 0),"
                                      " coalesce(sum(cost_in + cost_out), 0) FROM rollups WHERE id < ?1");

        query_i64(&q, dim);
        query_i64(&want, mark << COMBO_BITS);
        ck_assert(query_row(&q) && query_row(&want));
        for (int c = 0; c < 3; c++)
            ck_assert_int_eq(query_col_i64(&q, c), query_col_i64(&want, c));
        ck_assert_int_eq(query_stop(&q), WEIR_OK);
        ck_assert_int_eq(query_stop(&want), WEIR_OK);
    }
}

START_TEST(spans_of_every_level_are_the_sums_of_their_quarters)
{
    struct rng rng = rng_make(71);

    begin();
    calls(&rng, 3000, BEGIN - 70 * DAY, BEGIN + 70 * DAY);
    fold(BEGIN + 66 * DAY);
    ck_assert_int_eq(fixture_i64(db, "SELECT folded FROM ledger"), (BEGIN + 66 * DAY - 4 * HOUR) / QUARTER_MS);
    ck_assert_int_gt(fixture_i64(db, "SELECT count(*) FROM span_rollups WHERE id >> 56 = 4"), 0);
    assert_whole();
    db_close(db);
}
END_TEST

START_TEST(what_comes_late_or_from_long_ago_is_in_its_spans_at_once)
{
    struct rng rng = rng_make(73);

    begin();
    calls(&rng, 300, BEGIN, BEGIN + 20 * DAY);
    fold(BEGIN + 20 * DAY);
    for (int i = 0; i < 20; i++) {
        calls(&rng, 20, BEGIN - (i % 3 ? 0 : 100 * DAY), BEGIN + 21 * DAY);
        assert_whole();
    }
    fold(BEGIN + 40 * DAY);
    assert_whole();
    db_close(db);
}
END_TEST

START_TEST(percentiles_of_a_span_are_those_of_its_quarters)
{
    struct rng rng = rng_make(79);
    struct hist quarters = {0}, spans = {0};
    struct query q;

    begin();
    calls(&rng, 500, BEGIN, BEGIN + 64 * DAY);
    fold(BEGIN + 65 * DAY);
    q = query(db, "SELECT hist, 0 FROM rollups UNION ALL SELECT hist, 1 FROM span_rollups WHERE id >> 56 = 4");
    while (query_row(&q)) {
        size_t n;
        const void *p = query_col_blob(&q, 0, &n);

        ck_assert(hist_unpack(query_col_i64(&q, 1) ? &spans : &quarters, p, n));
    }
    ck_assert_int_eq(query_end(&q), WEIR_OK);
    ck_assert_int_eq(hist_count(&spans, HIST_DURATION), 500);
    ck_assert_mem_eq(&spans, &quarters, sizeof spans);
    db_close(db);
}
END_TEST

START_TEST(an_idle_ledger_is_not_written_to_and_a_long_pause_is_passed_in_one_step)
{
    struct rng rng = rng_make(83);

    begin();
    ck_assert_int_eq(fold(BEGIN), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT folded FROM ledger"), 0);
    calls(&rng, 5, BEGIN, BEGIN + HOUR);
    ck_assert_int_eq(fold(BEGIN + 4 * HOUR), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT folded FROM ledger"), 0);      /* they may still be written to */
    ck_assert_int_eq(fold(BEGIN + 5 * HOUR), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT folded FROM ledger"), (BEGIN + 4 * HOUR) / QUARTER_MS);
    ck_assert_int_eq(fold(BEGIN + 300 * DAY), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT folded FROM ledger"), (BEGIN + 4 * HOUR) / QUARTER_MS);
    calls(&rng, 5, BEGIN + 300 * DAY, BEGIN + 300 * DAY + HOUR);
    ck_assert_int_eq(fold(BEGIN + 301 * DAY), 2);
    ck_assert_int_eq(fixture_i64(db, "SELECT folded FROM ledger"), (BEGIN + 300 * DAY + 4 * HOUR) / QUARTER_MS);
    assert_whole();
    db_close(db);
}
END_TEST

UNIT_MAIN("spans", spans_of_every_level_are_the_sums_of_their_quarters, what_comes_late_or_from_long_ago_is_in_its_spans_at_once,
          percentiles_of_a_span_are_those_of_its_quarters,
          an_idle_ledger_is_not_written_to_and_a_long_pause_is_passed_in_one_step)
