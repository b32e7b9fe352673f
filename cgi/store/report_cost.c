/* report_cost.c - where the money went. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/event_row.h"
#include "store/report_list.h"
#include "store/report_scan.h"
#include "store/report_sessions.h"

#define DAY_MS INT64_C(86400000)

enum { HOURS_MAX_DAYS = 93 };              /* of longer ranges nobody reads the hours */

static enum weir_err list(struct db *ro, const struct report_scan *s, const char *name, enum report_by by, struct sb *out)
{
    struct report_list l = {0};
    enum weir_err e;

    report_list_fold(&l, s, by);
    sb_putf(out, ",\"%s\":", name);
    e = report_list_json(&l, ro, by, s->f->limit, out);
    report_list_done(&l);
    return e;
}

/* The local date a bucket begins on, a month without its day. */
static void date_json(const struct zone *z, int64_t at_ms, bool month, struct sb *out)
{
    struct sb text = sb_make(64);

    sb_time(&text, at_ms + zone_offset_s(z, at_ms) * INT64_C(1000));
    sb_json_n(out, sb_str(&text), month ? 7 : 10);
    sb_done(&text);
}

/* The buckets that had traffic, in order. */
static void times_json(const struct report_scan *s, const char *name, const struct report_series *r, enum granularity g,
                       struct sb *out)
{
    const char *comma = "";

    sb_putf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < r->count; i++) {
        if (!r->sums[i].requests)
            continue;
        sb_puts(out, comma);
        if (g == GRANULARITY_HOUR) {
            sb_putc(out, '{');
            json_time(out, "key", r->start_ms[i]);
        } else {
            sb_puts(out, "{\"key\":");
            date_json(&s->f->zone, r->start_ms[i], g == GRANULARITY_MONTH, out);
        }
        sb_putc(out, ',');
        report_sums_json(out, &r->sums[i]);
        sb_putc(out, '}');
        comma = ",";
    }
    sb_putc(out, ']');
}

/* Days put together: weeks and months consist of them. */
static void periods_json(const struct report_scan *s, const char *name, enum granularity g, struct sb *out)
{
    const struct report_series *days = &s->series[0];
    struct report_series r = {mem_zalloc(days->count + 1, sizeof *r.start_ms), mem_zalloc(days->count + 1, sizeof *r.sums), NULL, 0};
    int64_t next_ms = INT64_MIN;

    for (size_t i = 0; i < days->count; i++) {
        if (days->start_ms[i] >= next_ms) {
            r.start_ms[r.count++] = report_bucket_start(&s->f->zone, g, days->start_ms[i]);
            next_ms = report_bucket_next(&s->f->zone, g, days->start_ms[i]);
        }
        report_sums_add(&r.sums[r.count - 1], &days->sums[i]);
    }
    times_json(s, name, &r, g, out);
    free(r.start_ms);
    free(r.sums);
}

/* --- cost of one --- */

/* Picodollars of one of `n`, rounded half up; null if there is none. */
static void each_json(struct sb *out, const char *name, int64_t cost, int64_t n)
{
    sb_puts(out, name);
    if (n > 0)
        sb_usd(out, cost / n + (cost % n * 2 >= n));
    else
        sb_puts(out, "null");
}

/* Of what had a price: the rest would make it look cheap. */
static void cost_per_json(struct sb *out, const struct report_sums *total, const struct report_sessions *sessions)
{
    int64_t priced_tokens = total->prompt + total->completion - total->unpriced_tokens;

    each_json(out, ",\"cost_per\":{\"request_usd\":", total->cost, total->requests - total->unpriced);
    each_json(out, ",\"session_usd\":", sessions->cost, sessions->priced);
    each_json(out, ",\"thousand_tokens_usd\":", total->cost * 1000, priced_tokens);
    sb_putc(out, '}');
}

static enum weir_err unpriced_json(struct db *ro, const struct report_scan *s, struct sb *out)
{
    struct report_list l = {0};
    const char *comma = "";
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; i < s->combo_count; i++) {
        if (s->combo[i].sums.unpriced)
            report_list_add(&l, s->combo[i].dims.model, &s->combo[i].sums);
    }
    sb_puts(out, ",\"unpriced\":{\"requests\":");
    sb_i64(out, s->total.unpriced);
    sb_puts(out, ",\"tokens\":");
    sb_i64(out, s->total.unpriced_tokens);
    sb_puts(out, ",\"models\":[");
    for (size_t i = 0; !e && i < l.count; i++) {
        sb_puts(out, comma);
        e = report_name_json(ro, BY_MODEL, l.entry[i].key, out);
        comma = ",";
    }
    sb_puts(out, "]}");
    report_list_done(&l);
    return e;
}

static enum weir_err breakdown(struct db *ro, const struct report_filter *f, bool hours, struct sb *out)
{
    static const struct { const char *name; enum report_by by; } lists[] = {
        {"by_model", BY_MODEL}, {"by_upstream", BY_UPSTREAM}, {"by_user", BY_USER}, {"by_endpoint", BY_ENDPOINT},
        {"by_priority", BY_PRIORITY},
    };
    struct report_sessions sessions = {.priced = 0};
    struct report_scan s;
    enum weir_err e = report_scan_init(&s, ro, f);

    if (!e) {
        report_scan_buckets(&s, 0, GRANULARITY_DAY, false);
        if (hours)
            report_scan_buckets(&s, 1, GRANULARITY_HOUR, false);
        e = report_scan_run(&s, ro);
    }
    if (!e)
        e = report_sessions_read(&sessions, ro, &s);
    if (e)
        goto out;
    sb_puts(out, "{\"currency\":\"USD\",\"total\":{");
    report_sums_json(out, &s.total);
    sb_putc(out, '}');
    cost_per_json(out, &s.total, &sessions);
    for (size_t i = 0; !e && i < sizeof lists / sizeof *lists; i++)
        e = list(ro, &s, lists[i].name, lists[i].by, out);
    sb_puts(out, ",\"by_session\":");
    if (!e)
        e = report_list_json(&sessions.list, ro, BY_SESSION, f->limit, out);
    times_json(&s, "by_day", &s.series[0], GRANULARITY_DAY, out);
    periods_json(&s, "by_week", GRANULARITY_WEEK, out);
    periods_json(&s, "by_month", GRANULARITY_MONTH, out);
    if (hours)
        times_json(&s, "by_hour", &s.series[1], GRANULARITY_HOUR, out);
    else
        sb_puts(out, ",\"by_hour\":null");
    if (!e)
        e = unpriced_json(ro, &s, out);
    sb_putc(out, '}');
out:
    report_list_done(&sessions.list);
    report_scan_done(&s, ro);
    return e;
}

enum weir_err report_cost_breakdown(struct db *ro, const struct report_filter *f, struct sb *out)
{
    return breakdown(ro, f, f->to_ms - f->from_ms <= HOURS_MAX_DAYS * DAY_MS, out);
}

enum weir_err report_cost_days(struct db *ro, const struct report_filter *f, struct sb *out)
{
    return breakdown(ro, f, false, out);
}
