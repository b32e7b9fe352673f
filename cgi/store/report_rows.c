/* report_rows.c - rows of roll-ups and events, added up by combination of
 * dimensions and by bucket. */
#include <string.h>

#include "store/report_scan.h"

#define HOUR_MS INT64_C(3600000)

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
                const struct durations *d, enum report_into into)
{
    bool whole = true;

    if (into & INTO_TOTALS) {
        whole = add_durations(c->hist, d);
        report_sums_add(&c->sums, sums);
        report_sums_add(&s->total, sums);
    }
    for (int i = 0; i < 2 && into & INTO_SERIES; i++) {
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

#define SPAN_COLUMNS                                                                                            \
    "SELECT id, requests, prompt, completion, reasoning, chars, cost_in + cost_out, unpriced, unpriced_tokens," \
    " retries, queue_us + retry_us, ttft_us, writing_us, hist FROM "

/* The columns after the first: sums and packed durations. */
static struct report_sums all_sums(const struct query *q, struct durations *d)
{
    struct report_sums sums = first_sums(q, 1);

    sums.unpriced_tokens = query_col_i64(q, 8);
    sums.retries = query_col_i64(q, 9);
    sums.wait_us = query_col_i64(q, 10);
    sums.ttft_us = query_col_i64(q, 11);
    sums.writing_us = query_col_i64(q, 12);
    d->packed = query_col_blob(q, 13, &d->n);
    return sums;
}

enum weir_err report_add_spans(struct report_scan *s, struct db *ro, int level, int64_t from, int64_t to, enum report_into into)
{
    int64_t key = (int64_t)level << SPAN_LEVEL_BITS, unit_ms = span_quarters[level] * QUARTER_MS;
    struct query q = query(ro, level ? SPAN_COLUMNS "span_rollups WHERE id >= ?1 AND id < ?2"
                                     : SPAN_COLUMNS "rollups WHERE id >= ?1 AND id < ?2");
    bool whole = true;
    enum weir_err e;

    query_i64(&q, key | from << COMBO_BITS);
    query_i64(&q, key | to << COMBO_BITS);
    while (query_row(&q)) {
        int64_t id = query_col_i64(&q, 0) - key;
        struct report_combo *c = combo_of(s, id & ((1 << COMBO_BITS) - 1));
        struct durations d = {NULL, 0, NULL};
        struct report_sums sums;

        if (!c)
            continue;
        sums = all_sums(&q, &d);
        whole = add(s, c, (id >> COMBO_BITS) * unit_ms, &sums, &d, into) && whole;
    }
    e = query_end(&q);
    return e ? e : whole ? WEIR_OK : WEIR_E_STORAGE;
}

enum weir_err report_add_hours(struct report_scan *s, struct db *ro, enum span_dim dim, int64_t value, int64_t from, int64_t to)
{
    int64_t key = (int64_t)dim << HOUR_DIM_BITS | value << HOUR_VALUE_BITS;
    struct query q = query(ro, "SELECT id, requests, prompt, completion, reasoning, chars, cost, unpriced, unpriced_tokens, retries,"
                               " wait_us, ttft_us, writing_us, hist FROM hour_rollups WHERE id >= ?1 AND id < ?2");
    bool whole = true;
    enum weir_err e;

    query_i64(&q, key | from);
    query_i64(&q, key | to);
    while (query_row(&q)) {
        struct durations d = {NULL, 0, NULL};
        struct report_sums sums = all_sums(&q, &d);

        whole = add(s, NULL, (query_col_i64(&q, 0) - key) * HOUR_MS, &sums, &d, INTO_SERIES) && whole;
    }
    e = query_end(&q);
    return e ? e : whole ? WEIR_OK : WEIR_E_STORAGE;
}

enum weir_err report_add_minutes(struct report_scan *s, struct db *ro, int64_t from, int64_t to)
{
    struct query q = query(ro, "SELECT at_ms, combo, requests, prompt, completion, reasoning, chars, cost, unpriced"
                               " FROM minute_rollups WHERE id >= ?1 AND id < ?2");

    query_i64(&q, from << COMBO_BITS);
    query_i64(&q, to << COMBO_BITS);
    while (query_row(&q)) {
        struct report_combo *c = combo_of(s, query_col_i64(&q, 1));
        struct report_sums sums = first_sums(&q, 2);

        if (c)
            (void)add(s, c, query_col_i64(&q, 0), &sums, NULL, INTO_BOTH);
    }
    return query_end(&q);
}

#define EVENT_SUMS                                                                                               \
    "SELECT e.at_ms, c.id, 1, e.prompt, e.completion, e.reasoning, e.chars, e.cost_in + e.cost_out, e.rate = 0," \
    " max(e.attempts - 1, 0), e.queue_us + e.retry_us, e.ttft_us, e.writing_us"                                  \
    " FROM events e CROSS JOIN combos c ON c.user = e.user AND c.model = e.model AND c.upstream = e.upstream"    \
    " AND c.endpoint = e.endpoint AND c.priority = e.priority AND c.status = e.status"                           \
    " WHERE e.state = 2 AND e.id >= ?1 AND e.id < ?2"

enum weir_err report_add_events(struct report_scan *s, struct db *ro, int64_t from_ms, int64_t to_ms)
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
        (void)add(s, c, query_col_i64(&q, 0), &sums, &d, INTO_BOTH);
    }
    return query_end(&q);
}
