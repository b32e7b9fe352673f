/* spans.c - sums by SQL; histograms are merged by an aggregate function. */
#include "store/spans.h"

#include <string.h>

#include "rules/hist.h"
#include "store/db_impl.h"
#include "store/ledger.h"

enum { LATE_MS = 30 * 60 * 1000 };          /* so long after their end four hours are still written to now and then */

const int64_t span_quarters[SPAN_LEVELS] = {1, 16, 96, 768, 6144};

/* --- hist_sum(blob) --- */

static void hist_step(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    struct hist *h = sqlite3_aggregate_context(ctx, sizeof *h);
    const void *packed = sqlite3_value_blob(v[0]);

    (void)n;
    if (!h)
        sqlite3_result_error_nomem(ctx);
    else if (!hist_unpack(h, packed, (size_t)sqlite3_value_bytes(v[0])))
        sqlite3_result_error_code(ctx, SQLITE_CORRUPT);
}

static void hist_final(sqlite3_context *ctx)
{
    struct hist *h = sqlite3_aggregate_context(ctx, 0);
    unsigned char packed[HIST_PACKED_MAX];

    sqlite3_result_blob64(ctx, packed, h ? hist_pack(h, packed) : 0, SQLITE_TRANSIENT);
}

/* Once for each connection; again does no harm. */
static enum weir_err can_sum_hists(struct db *db)
{
    return db_error(sqlite3_create_function_v2(db->h, "hist_sum", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, NULL, hist_step,
                                               hist_final, NULL));
}

/* --- one span --- */

#define SPAN_SUMS                                                                                                       \
    " sum(requests), sum(prompt), sum(cached), sum(cache_write), sum(completion), sum(reasoning), sum(chars),"         \
    " sum(cost_in), sum(cost_out), sum(unpriced), sum(unpriced_tokens), sum(estimated), sum(retries), sum(queue_us),"  \
    " sum(retry_us), sum(ttft_us), sum(writing_us), hist_sum(hist)"

static int64_t key_of(int level, int64_t span)
{
    return (int64_t)level << SPAN_LEVEL_BITS | span << COMBO_BITS;
}

/* Span number `span` of a level from those of the level below. */
static enum weir_err make_span(struct db *db, int level, int64_t span)
{
    int64_t parts = span_quarters[level] / span_quarters[level - 1];
    struct query q = query(db, level == 1 ? "INSERT OR REPLACE INTO span_rollups SELECT ?1 | (id & 16777215)," SPAN_SUMS
                                            " FROM rollups WHERE id >= ?2 AND id < ?3 GROUP BY id & 16777215"
                                          : "INSERT OR REPLACE INTO span_rollups SELECT ?1 | (id & 16777215)," SPAN_SUMS
                                            " FROM span_rollups WHERE id >= ?2 AND id < ?3 GROUP BY id & 16777215");

    query_i64(&q, key_of(level, span));
    query_i64(&q, key_of(level - 1, span * parts));
    query_i64(&q, key_of(level - 1, (span + 1) * parts));
    return query_end(&q);
}

/* The hours of quarters [from, to), for every value of every dimension. */
static enum weir_err make_hours(struct db *db, int64_t from, int64_t to)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO hour_rollups"
        " SELECT (d.column1 << 60) + (CASE d.column1 WHEN 0 THEN 0 WHEN 1 THEN c.user WHEN 2 THEN c.model WHEN 3 THEN c.upstream"
        " WHEN 4 THEN c.endpoint WHEN 5 THEN c.priority ELSE c.status END << 24) + (r.id >> 26),"
        " sum(requests), sum(prompt), sum(completion), sum(reasoning), sum(chars), sum(cost_in + cost_out), sum(unpriced),"
        " sum(unpriced_tokens), sum(retries), sum(queue_us + retry_us), sum(ttft_us), sum(writing_us), hist_sum(hist)"
        " FROM rollups r CROSS JOIN combos c ON c.id = r.id & 16777215"
        " CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6)) d WHERE r.id >= ?1 AND r.id < ?2 GROUP BY 1";
    struct query q = query(db, sql);

    query_i64(&q, key_of(0, from));
    query_i64(&q, key_of(0, to));
    return query_end(&q);
}

/* --- the mark --- */

enum weir_err spans_mark(struct db *db, int64_t *quarter)
{
    struct query q = query(db, "SELECT folded FROM ledger");

    *quarter = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_stop(&q);
}

/* The first quarter from `quarter` on that has anything, or `none`. */
static enum weir_err next_used(struct db *db, int64_t quarter, int64_t none, int64_t *out)
{
    struct query q = query(db, "SELECT id >> 24 FROM rollups WHERE id >= ?1 ORDER BY id LIMIT 1");

    query_i64(&q, quarter << COMBO_BITS);
    *out = query_row(&q) ? query_col_i64(&q, 0) : none;
    return query_stop(&q);
}

static enum weir_err set_mark(struct db *db, int64_t quarter)
{
    struct query q = query(db, "UPDATE ledger SET folded = ?1");

    query_i64(&q, quarter);
    return query_end(&q);
}

/* Make the spans that end after quarter `from`, up to `to`: both multiples of four hours. */
static enum weir_err make_spans(struct db *db, int64_t from, int64_t to)
{
    enum weir_err e = can_sum_hists(db);

    if (!e)
        e = make_hours(db, from, to);
    for (int level = 1; !e && level < SPAN_LEVELS; level++) {
        int64_t unit = span_quarters[level];

        for (int64_t n = from / unit; !e && (n + 1) * unit <= to; n++)
            e = make_span(db, level, n);
    }
    return e;
}

enum weir_err spans_fold(struct db *db, int64_t now_ms, bool *more)
{
    int64_t unit = span_quarters[1], end = (now_ms - LATE_MS) / QUARTER_MS / unit * unit, mark, used, next;
    enum weir_err e = spans_mark(db, &mark);

    *more = false;
    if (e || mark >= end)
        return e;
    e = next_used(db, mark, end, &used);
    if (e || used >= end)
        return e;
    used = used / unit * unit;                       /* what is empty is passed in one step */
    next = used + unit;
    e = make_spans(db, mark ? mark : used, next);
    *more = next < end;
    return e ? e : set_mark(db, next);
}

enum weir_err spans_refold(struct db *db, int64_t quarter)
{
    int64_t unit = span_quarters[1], mark;
    enum weir_err e = spans_mark(db, &mark);

    if (e || quarter >= mark)
        return e;
    e = can_sum_hists(db);
    if (!e)
        e = make_hours(db, quarter / unit * unit, quarter / unit * unit + unit);
    for (int level = 1; !e && level < SPAN_LEVELS; level++)
        if ((quarter / span_quarters[level] + 1) * span_quarters[level] <= mark)
            e = make_span(db, level, quarter / span_quarters[level]);
    return e;
}

/* --- moving --- */

/* The row `from` of a table is added to the row `to`; `sum` does so, `gone` deletes the first. */
static enum weir_err move_row(struct db *db, const char *sum, const char *gone, int64_t from, int64_t to)
{
    const char *const sql[] = {sum, gone};
    enum weir_err e = can_sum_hists(db);

    for (int i = 0; !e && i < 2; i++) {
        struct query q = query(db, sql[i]);

        query_i64(&q, from);
        query_i64(&q, to);
        e = query_end(&q);
    }
    return e;
}

enum weir_err spans_move_quarter(struct db *db, int64_t quarter, int64_t from, int64_t to)
{
    int64_t key = key_of(0, quarter);

    return move_row(db, "INSERT OR REPLACE INTO rollups SELECT ?2," SPAN_SUMS " FROM rollups WHERE id IN (?1, ?2) HAVING count(*) > 0",
                    "DELETE FROM rollups WHERE id = ?1 AND id != ?2", key | from, key | to);
}

enum weir_err spans_move_hour(struct db *db, enum span_dim dim, int64_t hour, int64_t from, int64_t to)
{
    int64_t key = ((int64_t)dim << HOUR_DIM_BITS) + hour;

    return move_row(db, "INSERT OR REPLACE INTO hour_rollups SELECT ?2, sum(requests), sum(prompt), sum(completion), sum(reasoning), sum(chars),"
                        " sum(cost), sum(unpriced), sum(unpriced_tokens), sum(retries), sum(wait_us), sum(ttft_us), sum(writing_us), hist_sum(hist)"
                        " FROM hour_rollups WHERE id IN (?1, ?2) HAVING count(*) > 0",
                    "DELETE FROM hour_rollups WHERE id = ?1 AND id != ?2", key + (from << HOUR_VALUE_BITS), key + (to << HOUR_VALUE_BITS));
}

/* One combination's span from its parts, which lie a whole number of combinations apart. */
static enum weir_err remake_span(struct db *db, int level, int64_t span, int64_t combo)
{
    int64_t parts = span_quarters[level] / span_quarters[level - 1];
    struct query q = query(db, "DELETE FROM span_rollups WHERE id = ?1");
    enum weir_err e;

    query_i64(&q, key_of(level, span) | combo);
    e = query_end(&q);
    if (e)
        return e;
    q = query(db, level == 1 ? "WITH RECURSIVE part(id) AS (VALUES (?2) UNION ALL SELECT id + 16777216 FROM part WHERE id + 16777216 < ?3)"
                               " INSERT INTO span_rollups SELECT ?1," SPAN_SUMS " FROM part JOIN rollups USING (id) HAVING count(*) > 0"
                             : "WITH RECURSIVE part(id) AS (VALUES (?2) UNION ALL SELECT id + 16777216 FROM part WHERE id + 16777216 < ?3)"
                               " INSERT INTO span_rollups SELECT ?1," SPAN_SUMS " FROM part JOIN span_rollups USING (id) HAVING count(*) > 0");
    query_i64(&q, key_of(level, span) | combo);
    query_i64(&q, key_of(level - 1, span * parts) | combo);
    query_i64(&q, key_of(level - 1, (span + 1) * parts));
    return query_end(&q);
}

enum weir_err spans_remake(struct db *db, int64_t quarter, int64_t combo)
{
    int64_t mark;
    enum weir_err e = spans_mark(db, &mark);

    if (!e)
        e = can_sum_hists(db);
    for (int level = 1; !e && level < SPAN_LEVELS; level++)
        if ((quarter / span_quarters[level] + 1) * span_quarters[level] <= mark)
            e = remake_span(db, level, quarter / span_quarters[level], combo);
    return e;
}
