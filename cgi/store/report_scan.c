/* report_scan.c - what a report reads: roll-ups of the longest spans that fit,
 * events for what the range cuts off at its ends. */
#include "store/report_scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/period.h"
#include "store/usage.h"

#define HOUR_MS INT64_C(3600000)

/* Longer than this no report holds back the write-ahead log. */
enum { READ_MAX_MS = 5000 };

/* --- names to numbers --- */

/* 0 stays 0 for a NULL name; an unknown name becomes -1. */
static enum weir_err number(struct db *ro, const char *sql, const char *name, int64_t *out)
{
    struct query q;

    *out = 0;
    if (!name)
        return WEIR_OK;
    q = query(ro, sql);
    query_text(&q, name);
    *out = query_row(&q) ? query_col_i64(&q, 0) : -1;
    return query_stop(&q);
}

static enum weir_err find_keys(struct db *ro, const struct report_filter *f, struct report_keys *k)
{
    static const char user_sql[] = "SELECT id FROM users WHERE user_id = ?1";
    static const char word_sql[] = "SELECT id FROM words WHERE text = ?1";
    int64_t owner = 0;
    enum weir_err e = number(ro, user_sql, f->user_id, &k->user);

    if (!e)
        e = number(ro, user_sql, f->owner_id, &owner);
    if (!e)
        e = number(ro, "SELECT id FROM sessions WHERE session_id = ?1", f->session_id, &k->session);
    if (!e)
        e = number(ro, word_sql, f->model, &k->model);
    if (!e)
        e = number(ro, word_sql, f->upstream, &k->upstream);
    if (!e)
        e = number(ro, word_sql, f->api_endpoint, &k->endpoint);
    if (owner)                                     /* narrowed to one's own: others' numbers are nobody's */
        k->user = k->user && k->user != owner ? -1 : owner;
    return e;
}

static enum weir_err load_combos(struct report_scan *s, struct db *ro)
{
    static const char sql[] =
        "SELECT id, user, model, upstream, endpoint, priority, status FROM combos WHERE (?1 = 0 OR user = ?1)"
        " AND (?2 = 0 OR model = ?2) AND (?3 = 0 OR upstream = ?3) AND (?4 = 0 OR endpoint = ?4)"
        " AND (?5 < 0 OR priority = ?5) AND (?6 < 0 OR status = ?6) ORDER BY id";
    struct query q = query(ro, sql);
    size_t cap = 0;

    query_i64(&q, s->keys.user);
    query_i64(&q, s->keys.model);
    query_i64(&q, s->keys.upstream);
    query_i64(&q, s->keys.endpoint);
    query_i64(&q, s->f->priority);
    query_i64(&q, s->f->status);
    while (query_row(&q)) {
        struct report_combo *c;

        if (s->combo_count == cap) {
            cap = cap ? cap * 2 : 64;
            s->combo = mem_grow(s->combo, cap, sizeof *s->combo);
        }
        c = &s->combo[s->combo_count++];
        memset(c, 0, sizeof *c);
        c->id = query_col_i64(&q, 0);
        c->dims = (struct ledger_dims){query_col_i64(&q, 1), query_col_i64(&q, 2), query_col_i64(&q, 3),
                                       query_col_i64(&q, 4), query_col_i64(&q, 5), query_col_i64(&q, 6)};
    }
    return query_end(&q);
}

enum weir_err report_view_begin(struct db *ro, bool *began)
{
    *began = !db_in_transaction(ro);
    return *began ? db_read_begin(ro, READ_MAX_MS) : WEIR_OK;
}

void report_view_end(struct db *ro, bool began)
{
    if (began)
        db_read_end(ro);
}

enum weir_err report_scan_init(struct report_scan *s, struct db *ro, const struct report_filter *f)
{
    enum weir_err e;

    memset(s, 0, sizeof *s);
    s->f = f;
    e = report_view_begin(ro, &s->began);
    if (!e)
        e = find_keys(ro, f, &s->keys);
    if (!e)
        e = number(ro, "SELECT id FROM words WHERE text = ?1", USAGE_IMPORTED, &s->imported);
    return e ? e : load_combos(s, ro);
}

void report_scan_own(struct report_scan *s)
{
    size_t left = 0;

    for (size_t i = 0; i < s->combo_count; i++)
        if (s->combo[i].dims.upstream != s->imported)
            s->combo[left++] = s->combo[i];
    s->own_only = left < s->combo_count;
    s->combo_count = left;
}

void report_scan_done(struct report_scan *s, struct db *ro)
{
    report_view_end(ro, s->began);
    for (int i = 0; i < 2; i++) {
        free(s->series[i].start_ms);
        free(s->series[i].sums);
        free(s->series[i].hist);
    }
    free(s->combo);
    memset(s, 0, sizeof *s);
}

/* --- buckets --- */

enum granularity report_granularity(const struct report_filter *f)
{
    int64_t hours = (f->to_ms - f->from_ms) / HOUR_MS;

    if (f->granularity != GRANULARITY_AUTO)
        return f->granularity;
    if (hours <= 2 && f->from_ms >= f->now_ms - 48 * HOUR_MS)
        return GRANULARITY_MINUTE;
    return hours <= 7 * 24 ? GRANULARITY_HOUR : GRANULARITY_DAY;
}

int64_t report_bucket_start(const struct zone *z, enum granularity g, int64_t at_ms)
{
    int64_t offset_ms = zone_offset_s(z, at_ms) * INT64_C(1000), local = at_ms + offset_ms;

    switch (g) {
    case GRANULARITY_MINUTE:
        return at_ms - at_ms % MINUTE_MS;
    case GRANULARITY_AUTO:
    case GRANULARITY_HOUR:
        break;
    case GRANULARITY_DAY:
        return zone_day_start(z, at_ms);
    case GRANULARITY_WEEK:
        return period_at(z, BUDGET_WEEK, at_ms).from_ms;
    case GRANULARITY_MONTH:
        return period_at(z, BUDGET_MONTH, at_ms).from_ms;
    }
    return local - local % HOUR_MS - offset_ms;
}

int64_t report_bucket_next(const struct zone *z, enum granularity g, int64_t at_ms)
{
    switch (g) {
    case GRANULARITY_MINUTE:
        return at_ms - at_ms % MINUTE_MS + MINUTE_MS;
    case GRANULARITY_AUTO:
    case GRANULARITY_HOUR:
        break;
    case GRANULARITY_DAY:
        return zone_day_next(z, at_ms);
    case GRANULARITY_WEEK:
        return period_at(z, BUDGET_WEEK, at_ms).to_ms;
    case GRANULARITY_MONTH:
        return period_at(z, BUDGET_MONTH, at_ms).to_ms;
    }
    return report_bucket_start(z, GRANULARITY_HOUR, at_ms) + HOUR_MS;
}

void report_scan_buckets(struct report_scan *s, int which, enum granularity g, bool with_hist)
{
    struct report_series *r = &s->series[which];
    size_t cap = 0;

    for (int64_t at = report_bucket_start(&s->f->zone, g, s->f->from_ms); at < s->f->to_ms;
         at = report_bucket_next(&s->f->zone, g, at)) {
        if (r->count == cap) {
            cap = cap ? cap * 2 : 64;
            r->start_ms = mem_grow(r->start_ms, cap, sizeof *r->start_ms);
        }
        r->start_ms[r->count++] = at;
    }
    r->sums = mem_zalloc(r->count, sizeof *r->sums);
    if (with_hist)
        r->hist = mem_zalloc(r->count, sizeof *r->hist);
}

/* --- units --- */

struct report_units report_units(const struct report_filter *f, int64_t unit_ms)
{
    struct report_units u = {.unit_ms = unit_ms, .first = (f->from_ms + unit_ms - 1) / unit_ms,
                             .last = f->to_ms / unit_ms};

    if (f->to_ms >= f->now_ms)                     /* nothing is later than now: the unit under way counts whole */
        u.last = (f->to_ms + unit_ms - 1) / unit_ms;
    if (u.last < u.first)
        u.first = u.last = f->to_ms / unit_ms + 1; /* all of it lies within one unit */
    return u;
}

int64_t report_until(const struct report_filter *f)
{
    return f->to_ms >= f->now_ms ? INT64_MAX >> EVENT_BITS : f->to_ms;
}

/* --- the plan --- */

static bool by_minute(const struct report_series *r)
{
    return r->count > 1 && r->start_ms[1] - r->start_ms[0] == MINUTE_MS;
}

/* Do all buckets begin at multiples of unit_ms? Where the first begins does not matter: the range does not go before it. */
static bool aligned(const struct report_scan *s, int64_t unit_ms)
{
    for (int i = 0; i < 2; i++)
        for (size_t b = 1; b < s->series[i].count; b++)
            if (s->series[i].start_ms[b] % unit_ms)
                return false;
    return true;
}

/* The dimension whose hours are the selection's, if it is by one at most. */
static bool hours_fit(const struct report_scan *s, enum span_dim *dim, int64_t *value)
{
    const int64_t keys[] = {[SPAN_USER] = s->keys.user, [SPAN_MODEL] = s->keys.model, [SPAN_UPSTREAM] = s->keys.upstream,
                            [SPAN_ENDPOINT] = s->keys.endpoint, [SPAN_PRIORITY] = s->f->priority + 1,
                            [SPAN_STATUS] = s->f->status + 1};
    int named = 0;

    *dim = SPAN_ALL;
    *value = 0;
    for (int d = SPAN_USER; d <= SPAN_STATUS; d++) {
        if (!keys[d])
            continue;
        named++;
        *dim = (enum span_dim)d;
        *value = d >= SPAN_PRIORITY ? keys[d] - 1 : keys[d];
    }
    return named <= 1 && !s->own_only && aligned(s, HOUR_MS);
}

/* Quarters [from, to) by the largest spans that lie in them, up to a level. */
static enum weir_err climb(struct report_scan *s, struct db *ro, int level, int64_t from, int64_t to, enum report_into into)
{
    int64_t unit = span_quarters[level], first = (from + unit - 1) / unit * unit, last = to / unit * unit;
    enum weir_err e;

    if (from >= to)
        return WEIR_OK;
    if (level && first >= last)
        return climb(s, ro, level - 1, from, to, into);
    e = level ? climb(s, ro, level - 1, from, first, into) : WEIR_OK;
    if (!e)
        e = report_add_spans(s, ro, level, first / unit, last / unit, into);
    return e || !level ? e : climb(s, ro, level - 1, last, to, into);
}

/* Quarters [from, to), all of them in spans: series by hour where there are hours of just this selection. */
static enum weir_err add_folded(struct report_scan *s, struct db *ro, int64_t from, int64_t to)
{
    int64_t first = (from + QUARTERS_AN_HOUR - 1) / QUARTERS_AN_HOUR, last = to / QUARTERS_AN_HOUR, value;
    int level = SPAN_LEVELS - 1;
    enum span_dim dim;
    enum weir_err e;

    if (s->series[0].count && first < last && hours_fit(s, &dim, &value)) {
        e = s->series_only ? WEIR_OK : climb(s, ro, level, from, to, INTO_TOTALS);
        if (!e)
            e = climb(s, ro, 0, from, first * QUARTERS_AN_HOUR, INTO_SERIES);
        if (!e)
            e = report_add_hours(s, ro, dim, value, first, last);
        return e ? e : climb(s, ro, 0, last * QUARTERS_AN_HOUR, to, INTO_SERIES);
    }
    while (level && !aligned(s, span_quarters[level] * QUARTER_MS))
        level--;
    return climb(s, ro, level, from, to, INTO_BOTH);
}

static enum weir_err add_quarters(struct report_scan *s, struct db *ro, const struct report_units *u)
{
    int64_t mark;
    enum weir_err e = spans_mark(ro, &mark);

    if (mark < u->first)
        mark = u->first;
    if (mark > u->last)
        mark = u->last;
    if (!e)
        e = add_folded(s, ro, u->first, mark);
    return e ? e : climb(s, ro, 0, mark, u->last, INTO_BOTH);
}

enum weir_err report_scan_run(struct report_scan *s, struct db *ro)
{
    bool minutes = by_minute(&s->series[0]);
    struct report_units u = report_units(s->f, minutes ? MINUTE_MS : QUARTER_MS);
    enum weir_err e;

    if (!s->combo_count)
        return WEIR_OK;
    if (s->keys.session || u.first == u.last)
        return report_add_events(s, ro, s->f->from_ms, report_until(s->f));
    e = minutes ? report_add_minutes(s, ro, u.first, u.last) : add_quarters(s, ro, &u);
    if (!e && s->f->from_ms < u.first * u.unit_ms)
        e = report_add_events(s, ro, s->f->from_ms, u.first * u.unit_ms);
    if (!e && u.last * u.unit_ms < s->f->to_ms)
        e = report_add_events(s, ro, u.last * u.unit_ms, s->f->to_ms);
    return e;
}
