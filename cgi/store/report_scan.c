/* report_scan.c - roll-ups for whole units of time, events for what the range
 * cuts off at its ends, added up by combination of dimensions and by bucket. */
#include "store/report_scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/period.h"

#define HOUR_MS INT64_C(3600000)

/* Longer than this no report holds back the write-ahead log. */
enum { READ_MAX_MS = 5000 };

void report_sums_add(struct report_sums *to, const struct report_sums *s)
{
    to->requests += s->requests;
    to->prompt += s->prompt;
    to->completion += s->completion;
    to->reasoning += s->reasoning;
    to->chars += s->chars;
    to->cost += s->cost;
    to->unpriced += s->unpriced;
    to->unpriced_tokens += s->unpriced_tokens;
    to->retries += s->retries;
    to->wait_us += s->wait_us;
    to->ttft_us += s->ttft_us;
    to->writing_us += s->writing_us;
}

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

enum weir_err report_scan_init(struct report_scan *s, struct db *ro, const struct report_filter *f)
{
    enum weir_err e = WEIR_OK;

    memset(s, 0, sizeof *s);
    s->f = f;
    s->began = !db_in_transaction(ro);
    if (s->began)
        e = db_read_begin(ro, READ_MAX_MS);
    if (!e)
        e = find_keys(ro, f, &s->keys);
    return e ? e : load_combos(s, ro);
}

void report_scan_done(struct report_scan *s, struct db *ro)
{
    if (s->began)
        db_read_end(ro);
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

/* The bucket at_ms lies in: the last that begins at or before it. */
static size_t bucket_of(const struct report_series *r, int64_t at_ms)
{
    size_t from = 0, to = r->count;

    while (to - from > 1) {
        size_t mid = from + (to - from) / 2;

        if (r->start_ms[mid] <= at_ms)
            from = mid;
        else
            to = mid;
    }
    return from;
}

/* --- adding up --- */

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

static struct report_combo *combo_of(struct report_scan *s, int64_t id)
{
    size_t from = 0, to = s->combo_count;

    while (from < to) {
        size_t mid = from + (to - from) / 2;

        if (s->combo[mid].id < id)
            from = mid + 1;
        else
            to = mid;
    }
    return from < s->combo_count && s->combo[from].id == id ? &s->combo[from] : NULL;
}

/* Durations to be counted: a roll-up's packed counts, or one event's sums. */
struct durations {
    const void *packed;
    size_t n;
    const struct report_sums *one;
};

static bool add_durations(struct hist *to, const struct durations *d)
{
    if (!to || !d)
        return true;
    if (d->packed)
        return hist_unpack(to, d->packed, d->n);
    hist_add(to, HIST_DURATION, d->one->wait_us + d->one->ttft_us + d->one->writing_us);
    hist_add(to, HIST_WAIT, d->one->wait_us);
    if (d->one->completion > 0)
        hist_add(to, HIST_TTFT, d->one->ttft_us);
    return true;
}

/* False if the packed counts are damaged. */
static bool add(struct report_scan *s, struct report_combo *c, int64_t at_ms, const struct report_sums *sums,
                const struct durations *d)
{
    bool whole = add_durations(s->hist, d);

    report_sums_add(&c->sums, sums);
    report_sums_add(&s->total, sums);
    for (int i = 0; i < 2; i++) {
        struct report_series *r = &s->series[i];
        size_t b;

        if (!r->count)
            continue;
        b = bucket_of(r, at_ms);
        report_sums_add(&r->sums[b], sums);
        whole = add_durations(r->hist ? &r->hist[b] : NULL, d) && whole;
    }
    return whole;
}

/* requests, prompt, completion, reasoning, chars, cost, unpriced from column `col` on. */
static struct report_sums first_sums(const struct query *q, int col)
{
    const struct report_sums s = {
        .requests = query_col_i64(q, col), .prompt = query_col_i64(q, col + 1), .completion = query_col_i64(q, col + 2),
        .reasoning = query_col_i64(q, col + 3), .chars = query_col_i64(q, col + 4), .cost = query_col_i64(q, col + 5),
        .unpriced = query_col_i64(q, col + 6),
    };

    return s;
}

static enum weir_err add_quarters(struct report_scan *s, struct db *ro, const struct report_units *u)
{
    static const char sql[] =
        "SELECT at_ms, combo, requests, prompt, completion, reasoning, chars, cost_in + cost_out, unpriced,"
        " unpriced_tokens, retries, queue_us + retry_us, ttft_us, writing_us, hist FROM rollups"
        " WHERE id >= ?1 AND id < ?2";
    struct query q = query(ro, sql);
    bool whole = true;
    enum weir_err e;

    query_i64(&q, u->first << COMBO_BITS);
    query_i64(&q, u->last << COMBO_BITS);
    while (query_row(&q)) {
        struct report_combo *c = combo_of(s, query_col_i64(&q, 1));
        struct durations d = {NULL, 0, NULL};
        struct report_sums sums;

        if (!c)
            continue;
        sums = first_sums(&q, 2);
        sums.unpriced_tokens = query_col_i64(&q, 9);
        sums.retries = query_col_i64(&q, 10);
        sums.wait_us = query_col_i64(&q, 11);
        sums.ttft_us = query_col_i64(&q, 12);
        sums.writing_us = query_col_i64(&q, 13);
        d.packed = query_col_blob(&q, 14, &d.n);
        whole = add(s, c, query_col_i64(&q, 0), &sums, &d) && whole;
    }
    e = query_end(&q);
    return e ? e : whole ? WEIR_OK : WEIR_E_STORAGE;
}

static enum weir_err add_minutes(struct report_scan *s, struct db *ro, const struct report_units *u)
{
    struct query q = query(ro, "SELECT at_ms, combo, requests, prompt, completion, reasoning, chars, cost, unpriced"
                               " FROM minute_rollups WHERE id >= ?1 AND id < ?2");

    query_i64(&q, u->first << COMBO_BITS);
    query_i64(&q, u->last << COMBO_BITS);
    while (query_row(&q)) {
        struct report_combo *c = combo_of(s, query_col_i64(&q, 1));
        struct report_sums sums = first_sums(&q, 2);

        if (c)
            (void)add(s, c, query_col_i64(&q, 0), &sums, NULL);
    }
    return query_end(&q);
}

#define EVENT_SUMS                                                                                               \
    "SELECT e.at_ms, c.id, 1, e.prompt, e.completion, e.reasoning, e.chars, e.cost_in + e.cost_out, e.rate = 0," \
    " max(e.attempts - 1, 0), e.queue_us + e.retry_us, e.ttft_us, e.writing_us"                                  \
    " FROM events e CROSS JOIN combos c ON c.user = e.user AND c.model = e.model AND c.upstream = e.upstream"    \
    " AND c.endpoint = e.endpoint AND c.priority = e.priority AND c.status = e.status"                           \
    " WHERE e.state = 2 AND e.id >= ?1 AND e.id < ?2"

/* Events one by one, of [from_ms, to_ms); of one session if the filter names one. */
static enum weir_err add_events(struct report_scan *s, struct db *ro, int64_t from_ms, int64_t to_ms)
{
    struct query q = query(ro, s->keys.session ? EVENT_SUMS " AND e.session = ?3 AND e.session > 0" : EVENT_SUMS);
    query_i64(&q, from_ms << EVENT_BITS);
    query_i64(&q, to_ms << EVENT_BITS);
    if (s->keys.session)
        query_i64(&q, s->keys.session);
    while (query_row(&q)) {
        struct report_combo *c = combo_of(s, query_col_i64(&q, 1));
        struct report_sums sums;
        const struct durations d = {NULL, 0, &sums};

        if (!c)
            continue;
        sums = first_sums(&q, 2);
        sums.unpriced_tokens = sums.unpriced ? sums.prompt + sums.completion : 0;
        sums.retries = query_col_i64(&q, 9);
        sums.wait_us = query_col_i64(&q, 10);
        sums.ttft_us = query_col_i64(&q, 11);
        sums.writing_us = query_col_i64(&q, 12);
        (void)add(s, c, query_col_i64(&q, 0), &sums, &d);
    }
    return query_end(&q);
}

static bool by_minute(const struct report_series *r)
{
    return r->count > 1 && r->start_ms[1] - r->start_ms[0] == MINUTE_MS;
}

enum weir_err report_scan_run(struct report_scan *s, struct db *ro)
{
    bool minutes = by_minute(&s->series[0]);
    struct report_units u = report_units(s->f, minutes ? MINUTE_MS : QUARTER_MS);
    enum weir_err e;

    if (!s->combo_count)
        return WEIR_OK;
    if (s->keys.session || u.first == u.last)
        return add_events(s, ro, s->f->from_ms, report_until(s->f));
    e = minutes ? add_minutes(s, ro, &u) : add_quarters(s, ro, &u);
    if (!e && s->f->from_ms < u.first * u.unit_ms)
        e = add_events(s, ro, s->f->from_ms, u.first * u.unit_ms);
    if (!e && u.last * u.unit_ms < s->f->to_ms)
        e = add_events(s, ro, u.last * u.unit_ms, s->f->to_ms);
    return e;
}
