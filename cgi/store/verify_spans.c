/* verify_spans.c - the roll-ups of longer spans against the shorter ones they are
 * made of: 4 hours against their quarters, a day against its 4 hours and so on,
 * and each hour of each value of each dimension against its quarters. As the
 * quarters were compared with the events themselves, all of them are then. */
#include <inttypes.h>
#include <stdio.h>

#include "rules/hist.h"
#include "store/ledger.h"
#include "store/spans.h"
#include "store/verify_impl.h"

enum { HOUR_DIMS = SPAN_STATUS + 1, HOUR_MS = 3600 * 1000, KEYS = 0 };

/* --- one row, and its parts --- */

/* Of a histogram: its mark; -1 in *whole where it is none. */
static int64_t column(const struct query *q, int col, enum keysum_sum s, bool *whole)
{
    uint64_t mark;
    const void *p;
    size_t n;

    *whole = true;
    if (s != KEYSUM_HIST)
        return query_col_i64(q, col);
    p = query_col_blob(q, col, &n);
    *whole = hist_packed_mark(p, n, &mark);
    return *whole ? (int64_t)mark : 0;
}

int verify_differs(const struct query *q, const unsigned char *columns, int n, const int64_t sum[KEYSUM_SUMS])
{
    bool whole;
    int i = 0;

    while (i < n && column(q, i + 1, columns[i], &whole) == sum[columns[i]] && whole)
        i++;
    return i;
}

void verify_fail_sum(struct verify *v, enum verify_check c, const char *where, const char *what, const char *parts, enum keysum_sum s,
                     int64_t have, const int64_t sum[KEYSUM_SUMS])
{
    if (s == KEYSUM_HIST)
        verify_fail(v, c, where, "The %s's histograms are not those of its %s.", what, parts);
    else
        verify_fail(v, c, where, "The %s has %s %" PRId64 "; its %s sum to %" PRId64 ".", what, keysum_name(s), have, parts, sum[s]);
}

/* What a row of `rollups` and of `span_rollups` has, in the order of these columns. */
#define COLUMNS                                                                                                       \
    " requests, prompt, cached, cache_write, completion, reasoning, chars, cost_in, cost_out, unpriced, unpriced_tokens," \
    " estimated, retries, queue_us, retry_us, ttft_us, writing_us, hist"
static const unsigned char span_columns[] = {
    KEYSUM_REQUESTS, KEYSUM_PROMPT, KEYSUM_CACHED, KEYSUM_CACHE_WRITE, KEYSUM_COMPLETION, KEYSUM_REASONING, KEYSUM_CHARS,
    KEYSUM_COST_IN, KEYSUM_COST_OUT, KEYSUM_UNPRICED, KEYSUM_UNPRICED_TOKENS, KEYSUM_ESTIMATED, KEYSUM_RETRIES, KEYSUM_QUEUE_US,
    KEYSUM_RETRY_US, KEYSUM_TTFT_US, KEYSUM_WRITING_US, KEYSUM_HIST};
enum { SPAN_COLUMNS = sizeof span_columns };
static const unsigned char hour_columns[] = {
    KEYSUM_REQUESTS, KEYSUM_PROMPT, KEYSUM_COMPLETION, KEYSUM_REASONING, KEYSUM_CHARS, KEYSUM_COST, KEYSUM_UNPRICED,
    KEYSUM_UNPRICED_TOKENS, KEYSUM_RETRIES, KEYSUM_WAIT_US, KEYSUM_TTFT_US, KEYSUM_WRITING_US, KEYSUM_HIST};
enum { HOUR_COLUMNS = sizeof hour_columns };

/* A histogram that is none adds nothing: that row fails on its own. */
static void read_sums(const struct query *q, int64_t sum[KEYSUM_SUMS])
{
    bool whole;

    for (int i = 0; i < SPAN_COLUMNS; i++)
        sum[span_columns[i]] = column(q, i + 1, span_columns[i], &whole);
    sum[KEYSUM_COST] = sum[KEYSUM_COST_IN] + sum[KEYSUM_COST_OUT];
    sum[KEYSUM_WAIT_US] = sum[KEYSUM_QUEUE_US] + sum[KEYSUM_RETRY_US];
}

/* --- spans --- */

static int64_t key_of(int level, int64_t span)
{
    return level * (INT64_C(1) << SPAN_LEVEL_BITS) | span << COMBO_BITS;
}

static struct query spans_in(struct db *ro, int level, int64_t from, int64_t to)
{
    struct query q = query(ro, level == 0 ? "SELECT id," COLUMNS " FROM rollups WHERE id >= ?1 AND id < ?2"
                                          : "SELECT id," COLUMNS " FROM span_rollups WHERE id >= ?1 AND id < ?2");

    query_i64(&q, key_of(level, from));
    query_i64(&q, key_of(level, to));
    return q;
}

/* The first span of a level from `span` on that has a row, if that is before *next. */
static enum weir_err next_at(struct db *ro, int level, int64_t span, int64_t per, int64_t *next)
{
    struct query q = query(ro, level == 0 ? "SELECT min(id) FROM rollups WHERE id >= ?1 AND id < ?2"
                                          : "SELECT min(id) FROM span_rollups WHERE id >= ?1 AND id < ?2");

    query_i64(&q, key_of(level, span * per));
    query_i64(&q, key_of(level + 1, 0));
    if (query_row(&q) && !query_col_null(&q, 0)) {
        int64_t found = ((query_col_i64(&q, 0) - key_of(level, 0)) >> COMBO_BITS) / per;

        *next = found < *next ? found : *next;
    }
    return query_stop(&q);
}

static void say_span(char *where, size_t size, int level, int64_t id)
{
    char time[VERIFY_TIME_SIZE];
    int64_t quarters = span_quarters[level];

    (void)snprintf(where, size, "%s, %" PRId64 " hours, combination %" PRId64,
                   verify_time(time, ((id - key_of(level, 0)) >> COMBO_BITS) * quarters * QUARTER_MS), quarters / QUARTERS_AN_HOUR,
                   id & ((1 << COMBO_BITS) - 1));
}

/* One span whole; `folded`: it has to be there, else it must not. */
static enum weir_err look(struct verify *v, int level, int64_t span, bool folded)
{
    static const int64_t nothing[KEYSUM_SUMS];
    int64_t parts = span_quarters[level] / span_quarters[level - 1], sum[KEYSUM_SUMS];
    struct keysum *t = &v->keysum[KEYS];
    enum weir_err e = WEIR_OK;
    struct query q;
    char where[120];

    if (folded) {
        q = spans_in(v->s.ro, level - 1, span * parts, (span + 1) * parts);
        while (query_row(&q)) {
            read_sums(&q, sum);
            keysum_add(t, key_of(level, span) | (query_col_i64(&q, 0) & ((1 << COMBO_BITS) - 1)), sum);
        }
        e = query_end(&q);
    }
    q = spans_in(v->s.ro, level, span, span + 1);
    while (query_row(&q)) {
        struct keysum_row *r = keysum_find(t, query_col_i64(&q, 0));
        const int64_t *want = r ? r->sum : nothing;
        int i = verify_differs(&q, span_columns, SPAN_COLUMNS, want);

        v->r.compared[VERIFY_SPANS]++;
        if (r)
            r->met = true;
        if (r && i == SPAN_COLUMNS)
            continue;
        say_span(where, sizeof where, level, query_col_i64(&q, 0));
        if (r)
            verify_fail_sum(v, VERIFY_SPANS, where, "span's roll-up", "shorter roll-ups", span_columns[i], query_col_i64(&q, i + 1), want);
        else
            verify_fail(v, VERIFY_SPANS, where, "A span's roll-up of what there are no shorter ones of.");
    }
    if (query_end(&q) || e)
        return WEIR_E_STORAGE;
    for (size_t k = 0; k < t->n; k++) {
        if (t->row[k].met)
            continue;
        say_span(where, sizeof where, level, t->row[k].key);
        verify_fail(v, VERIFY_SPANS, where, "%" PRId64 " requests have no span's roll-up.", t->row[k].sum[KEYSUM_REQUESTS]);
    }
    return WEIR_OK;
}

enum weir_err verify_spans(struct verify *v, bool *more)
{
    int64_t mark, next = INT64_MAX, unit;
    int level = v->level = v->level ? v->level : 1;
    enum weir_err e = spans_mark(v->s.ro, &mark);

    unit = span_quarters[level];
    if (!e)
        e = next_at(v->s.ro, level, v->span, 1, &next);
    if (!e)
        e = next_at(v->s.ro, level - 1, v->span, unit / span_quarters[level - 1], &next);
    *more = false;
    if (e)
        return e;
    *more = true;
    if (next == INT64_MAX) {
        v->span = 0;
        *more = ++v->level < SPAN_LEVELS;
        return WEIR_OK;
    }
    if (next < v->span) {
        *more = false;
        verify_fail_order(v, "span_rollups");
        return WEIR_OK;
    }
    e = look(v, level, next, (next + 1) * unit <= mark);
    keysum_clear(&v->keysum[KEYS]);
    v->span = next + 1;
    return e;
}

/* --- hours --- */

static enum weir_err compare_hour(struct verify *v, const struct keysum_row *r)
{
    static const char *const dims[HOUR_DIMS] = {"all", "user", "model", "upstream", "endpoint", "priority", "status"};
    struct query q = query(v->s.ro, "SELECT id, requests, prompt, completion, reasoning, chars, cost, unpriced, unpriced_tokens, retries,"
                                    " wait_us, ttft_us, writing_us, hist FROM hour_rollups WHERE id = ?1");
    char where[120], time[VERIFY_TIME_SIZE];
    bool there;
    int i = 0;

    query_i64(&q, r->key);
    there = query_row(&q);
    if (there)
        i = verify_differs(&q, hour_columns, HOUR_COLUMNS, r->sum);
    v->r.compared[VERIFY_HOURS] += there;
    v->hour_rows += there;
    if (there && i == HOUR_COLUMNS)
        return query_stop(&q);
    (void)snprintf(where, sizeof where, "%s, %s %" PRId64, verify_time(time, (r->key & ((1 << HOUR_VALUE_BITS) - 1)) * HOUR_MS),
                   dims[r->key >> HOUR_DIM_BITS], (r->key >> HOUR_VALUE_BITS) & ((INT64_C(1) << (HOUR_DIM_BITS - HOUR_VALUE_BITS)) - 1));
    if (there)
        verify_fail_sum(v, VERIFY_HOURS, where, "hour's roll-up", "roll-ups", hour_columns[i], query_col_i64(&q, i + 1), r->sum);
    else
        verify_fail(v, VERIFY_HOURS, where, "%" PRId64 " requests have no hour's roll-up.", r->sum[KEYSUM_REQUESTS]);
    return query_stop(&q);
}

static enum weir_err look_at_hour(struct verify *v, int64_t hour)
{
    struct query q = query(v->s.ro, "SELECT r.id," COLUMNS ", c.user, c.model, c.upstream, c.endpoint, c.priority, c.status"
                                    " FROM rollups r CROSS JOIN combos c ON c.id = r.id & 16777215 WHERE r.id >= ?1 AND r.id < ?2");
    struct keysum *t = &v->keysum[KEYS];
    int64_t sum[KEYSUM_SUMS];
    enum weir_err e;

    query_i64(&q, key_of(0, hour * QUARTERS_AN_HOUR));
    query_i64(&q, key_of(0, (hour + 1) * QUARTERS_AN_HOUR));
    while (query_row(&q)) {
        read_sums(&q, sum);
        for (int64_t dim = 0; dim < HOUR_DIMS; dim++) {
            int64_t value = dim ? query_col_i64(&q, SPAN_COLUMNS + (int)dim) : 0;

            keysum_add(t, (dim << HOUR_DIM_BITS) + (value << HOUR_VALUE_BITS) + hour, sum);
        }
    }
    e = query_end(&q);
    for (size_t k = 0; !e && k < t->n; k++)
        e = compare_hour(v, &t->row[k]);
    keysum_clear(t);
    return e;
}

/* All rows of hours were met, or there are some of what never was. What is settled late may make one behind us: then once
 * more from the beginning. */
static enum weir_err count_hours(struct verify *v, bool *more)
{
    struct query q = query(v->s.ro, "SELECT count(*) FROM hour_rollups");
    int64_t there = 0;
    enum weir_err e;
    bool last = v->hours_again || v->r.failed[VERIFY_HOURS] > 0;

    if (query_row(&q))
        there = query_col_i64(&q, 0);
    e = query_end(&q);
    if (!e && there != v->hour_rows && last)
        verify_fail(v, VERIFY_HOURS, "hour_rollups", "There are %" PRId64 " rows; %" PRId64 " belong to roll-ups.", there, v->hour_rows);
    *more = !e && there != v->hour_rows && !last;
    v->hours_again = true;
    v->hour = v->hour_rows = 0;
    return e;
}

enum weir_err verify_hours(struct verify *v, bool *more)
{
    int64_t mark, next = INT64_MAX;
    enum weir_err e = spans_mark(v->s.ro, &mark);

    if (!e)
        e = next_at(v->s.ro, 0, v->hour, QUARTERS_AN_HOUR, &next);
    *more = !e;
    if (e)
        return e;
    if (next >= mark / QUARTERS_AN_HOUR)
        return count_hours(v, more);
    if (next < v->hour) {
        *more = false;
        verify_fail_order(v, "rollups");
        return WEIR_OK;
    }
    e = look_at_hour(v, next);
    v->hour = next + 1;
    return e;
}
