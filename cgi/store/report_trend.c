/* report_trend.c - which way requests, tokens and cost go, and which hours and
 * days were out of the ordinary. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/trend.h"
#include "store/event_row.h"
#include "store/report_past.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS INT64_C(86400000)

enum { SEASON_DAYS = 56 };               /* an anomaly is told from so many days before the range */

static const char *const metric_names[REPORT_METRICS] = {"requests", "tokens", "cost_usd"};

const char *report_metric_name(enum report_metric m)
{
    return metric_names[m];
}

bool report_metric_parse(const char *s, enum report_metric *out)
{
    for (int m = 0; m < REPORT_METRICS; m++) {
        if (strcmp(s, metric_names[m]) == 0) {
            *out = (enum report_metric)m;
            return true;
        }
    }
    return false;
}

/* --- trend --- */

static void member(struct sb *out, const char *name, double v)
{
    sb_putf(out, "%s\"%s\":", name[0] == 's' ? "" : ",", name);
    report_number_json(out, v);
}

/* The exact figure of a selection; money to the picodollar. */
static void figure_json(struct sb *out, const char *name, const struct report_sums *s, enum report_metric m)
{
    sb_putf(out, ",\"%s\":", name);
    if (m == REPORT_COST)
        sb_usd(out, s->cost);
    else
        sb_i64(out, m == REPORT_TOKENS ? s->prompt + s->completion : s->requests);
}

static void metric_json(struct sb *out, const struct report_past *p, const struct report_sums *total,
                        const struct report_sums *before, enum report_metric m)
{
    double now = report_metric_value(total, m), then = report_metric_value(before, m);
    struct trend_line line;

    if (!trend_fit(p->value[m], p->count, &line))
        line = (struct trend_line){NAN, NAN, NAN};
    sb_putf(out, ",\"%s\":{", metric_names[m]);
    member(out, "slope_per_day", line.slope);
    member(out, "low", line.low);
    member(out, "high", line.high);
    figure_json(out, "total", total, m);
    figure_json(out, "previous", before, m);
    member(out, "change", then > 0 ? now / then - 1 : NAN);
    sb_putc(out, '}');
}

static enum weir_err sums_of(struct db *ro, const struct report_filter *f, struct report_sums *out)
{
    struct report_scan s;
    enum weir_err e = report_scan_init(&s, ro, f);

    if (!e)
        e = report_scan_run(&s, ro);
    *out = s.total;
    report_scan_done(&s, ro);
    return e;
}

enum weir_err report_trend(struct db *ro, const struct report_filter *f, struct sb *out)
{
    struct report_filter before = *f;
    struct report_sums total = {0}, sums = {0};
    struct report_past p = {.count = 0};
    bool began;
    enum weir_err e = report_view_begin(ro, &began);

    before.from_ms = f->from_ms * 2 > f->to_ms ? f->from_ms * 2 - f->to_ms : 0;
    before.to_ms = f->from_ms;
    if (!e)
        e = report_past_read(ro, f, NULL, &p);
    if (!e)
        e = sums_of(ro, f, &total);
    if (!e)
        e = sums_of(ro, &before, &sums);
    report_view_end(ro, began);
    if (!e) {
        sb_putc(out, '{');
        json_time(out, "from", f->from_ms);
        sb_putc(out, ',');
        json_time(out, "to", f->to_ms);
        sb_putf(out, ",\"days\":%zu,\"confidence\":0.95", p.count);
        for (int m = 0; m < REPORT_METRICS; m++)
            metric_json(out, &p, &total, &sums, (enum report_metric)m);
        sb_putc(out, '}');
    }
    report_past_done(&p);
    return e;
}

/* --- anomalies --- */

struct findings {
    struct report_anomaly *item;
    size_t count;
};

/* The newest first, of one moment the farthest off. */
static int by_moment(const void *a, const void *b)
{
    const struct report_anomaly *x = a, *y = b;
    double left = fabs(x->score), right = fabs(y->score);

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? 1 : -1;
    return (left < right) - (left > right);
}

static void collect(struct findings *l, const struct report_filter *f, const struct report_past *p)
{
    struct trend_band *band = mem_zalloc(p->count ? p->count : 1, sizeof *band);

    for (int m = 0; m < REPORT_METRICS; m++) {
        if (!trend_bands(p->value[m], p->slot, p->count, band))
            continue;
        for (size_t i = 1; i < p->count; i++) {              /* within the first one the history began */
            if (p->at_ms[i] < f->from_ms || !trend_outside(&band[i]))
                continue;
            l->item = mem_grow(l->item, l->count + 1, sizeof *l->item);
            l->item[l->count++] = (struct report_anomaly){p->at_ms[i], p->unit == GRANULARITY_DAY, (enum report_metric)m, p->value[m][i],
                                                          band[i].expected, band[i].low, band[i].high, band[i].score};
        }
    }
    free(band);
}

/* Look at days, and at hours unless there are more than PAST_HOURS_MAX. *days is how long a past they were told from. */
static enum weir_err look(struct db *ro, const struct report_filter *f, struct findings *l, int64_t *days)
{
    struct report_filter wide = *f;
    struct report_past hours, whole_days;
    bool by_hour = f->granularity != GRANULARITY_DAY && f->to_ms - f->from_ms < PAST_HOURS_MAX * HOUR_MS;
    enum weir_err e;

    wide.from_ms = f->from_ms > SEASON_DAYS * DAY_MS ? f->from_ms - SEASON_DAYS * DAY_MS : 0;
    if (by_hour && f->to_ms - wide.from_ms > PAST_HOURS_MAX * HOUR_MS)
        wide.from_ms = f->to_ms - PAST_HOURS_MAX * HOUR_MS;
    wide.from_ms = zone_day_start(&f->zone, wide.from_ms);
    e = report_past_read(ro, &wide, by_hour ? &hours : NULL, &whole_days);
    *days = report_past_days(&whole_days);
    if (!e && *days >= PAST_DAYS_MIN) {
        if (f->granularity != GRANULARITY_HOUR)
            collect(l, f, &whole_days);
        if (by_hour)
            collect(l, f, &hours);
    }
    report_past_done(&whole_days);
    if (by_hour)
        report_past_done(&hours);
    return e;
}

static void found_json(struct sb *out, const struct report_anomaly *a)
{
    sb_putc(out, '{');
    json_time(out, "at", a->at_ms);
    sb_putf(out, ",\"bucket\":\"%s\",\"metric\":\"%s\",\"value\":", a->day ? "day" : "hour", metric_names[a->metric]);
    report_number_json(out, a->value);
    member(out, "expected", a->expected);
    member(out, "low", a->low);
    member(out, "high", a->high);
    sb_putf(out, ",\"score\":%.1f}", a->score);
}

enum weir_err report_anomalies(struct db *ro, const struct report_filter *f, struct sb *out)
{
    struct findings l = {NULL, 0};
    int64_t days = 0;
    enum weir_err e = look(ro, f, &l, &days);

    if (!e) {
        if (l.count)
            qsort(l.item, l.count, sizeof *l.item, by_moment);
        sb_puts(out, "{\"history_days\":");
        sb_i64(out, days);
        sb_putf(out, ",\"enough_history\":%s,\"found\":%zu,\"items\":[", days >= PAST_DAYS_MIN ? "true" : "false", l.count);
        for (size_t i = 0; i < l.count && i < (size_t)f->limit; i++) {
            sb_puts(out, i ? "," : "");
            found_json(out, &l.item[i]);
        }
        sb_puts(out, "]}");
    }
    free(l.item);
    return e;
}

enum weir_err report_anomalies_now(struct db *ro, int64_t now_ms, struct report_anomaly out[REPORT_ANOMALIES_NOW], size_t *n)
{
    struct report_filter f = report_filter_make(now_ms);
    int64_t day_ms = now_ms - now_ms % DAY_MS - DAY_MS, hour_ms = now_ms - now_ms % HOUR_MS - HOUR_MS, days;
    struct findings l = {NULL, 0};
    enum weir_err e;

    f.from_ms = day_ms;
    e = look(ro, &f, &l, &days);
    *n = 0;
    for (size_t i = 0; !e && i < l.count && *n < REPORT_ANOMALIES_NOW; i++)
        if (l.item[i].at_ms == (l.item[i].day ? day_ms : hour_ms))
            out[(*n)++] = l.item[i];
    free(l.item);
    return e;
}
