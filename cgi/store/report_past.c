/* report_past.c - buckets of a scan as numbers; what is not whole is left out. */
#include "store/report_past.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PICO 1e12
#define HOUR_MS INT64_C(3600000)
#define DAY_MS INT64_C(86400000)

double report_metric_value(const struct report_sums *s, enum report_metric m)
{
    switch (m) {
    case REPORT_REQUESTS:
        return (double)s->requests;
    case REPORT_TOKENS:
        return (double)(s->prompt + s->completion);
    case REPORT_COST:
        return (double)s->cost / PICO;
    case REPORT_METRICS:
        break;
    }
    return 0;
}

void report_number_json(struct sb *out, double v)
{
    if (isfinite(v))
        sb_putf(out, "%.9g", fabs(v) < 1e-12 ? 0.0 : v);
    else
        sb_puts(out, "null");
}

int64_t report_past_days(const struct report_past *p)
{
    return p->count ? (p->at_ms[p->count] - p->at_ms[0] + HOUR_MS) / DAY_MS : 0;      /* a day may have 23 hours */
}

uint8_t report_past_slot(const struct report_past *p, const struct zone *z, int64_t at_ms)
{
    int64_t hour = (at_ms + zone_offset_s(z, at_ms) * INT64_C(1000)) / HOUR_MS;
    int64_t of_week = (hour - 4 * 24 + 168) % 168, slot;      /* 1970-01-05 was a Monday */

    if (p->unit == GRANULARITY_DAY)
        slot = p->weekly ? of_week / 24 : 0;
    else
        slot = p->weekly ? of_week : hour % 24;
    return (uint8_t)slot;
}

/* Buckets [first, last) that are whole and not before the first request. */
static void whole(const struct report_filter *f, const struct report_series *r, const int64_t *end_ms, size_t *first, size_t *last)
{
    int64_t until_ms = f->to_ms < f->now_ms ? f->to_ms : f->now_ms;

    *first = 0;
    *last = r->count;
    while (*last > 0 && end_ms[*last - 1] > until_ms)
        --*last;
    while (*first < *last && (r->start_ms[*first] < f->from_ms || !r->sums[*first].requests))
        ++*first;
}

static void take(struct report_past *p, const struct report_filter *f, const struct report_series *r)
{
    int64_t *end_ms = mem_zalloc(r->count + 1, sizeof *end_ms);
    size_t first, last;

    for (size_t i = 0; i < r->count; i++)
        end_ms[i] = report_bucket_next(&f->zone, p->unit, r->start_ms[i]);
    whole(f, r, end_ms, &first, &last);
    p->count = last - first;
    p->at_ms = mem_zalloc(p->count + 1, sizeof *p->at_ms);
    p->slot = mem_zalloc(p->count + 1, sizeof *p->slot);
    for (int m = 0; m < REPORT_METRICS; m++)
        p->value[m] = mem_zalloc(p->count + 1, sizeof *p->value[m]);
    for (size_t i = 0; i < p->count; i++) {
        p->at_ms[i] = r->start_ms[first + i];
        p->at_ms[i + 1] = end_ms[first + i];
        for (int m = 0; m < REPORT_METRICS; m++)
            p->value[m][i] = report_metric_value(&r->sums[first + i], (enum report_metric)m);
    }
    p->weekly = report_past_days(p) >= PAST_DAYS_WEEKLY;
    for (size_t i = 0; i < p->count; i++)
        p->slot[i] = report_past_slot(p, &f->zone, p->at_ms[i]);
    free(end_ms);
}

enum weir_err report_past_read(struct db *ro, const struct report_filter *f, struct report_past *hours, struct report_past *days)
{
    struct report_scan s;
    enum weir_err e = report_scan_init(&s, ro, f);

    *days = (struct report_past){.unit = GRANULARITY_DAY};
    if (hours)
        *hours = (struct report_past){.unit = GRANULARITY_HOUR};
    s.series_only = true;
    if (!e) {
        report_scan_buckets(&s, 0, GRANULARITY_DAY, false);
        if (hours)
            report_scan_buckets(&s, 1, GRANULARITY_HOUR, false);
        e = report_scan_run(&s, ro);
    }
    if (!e)
        take(days, f, &s.series[0]);
    if (!e && hours)
        take(hours, f, &s.series[1]);
    report_scan_done(&s, ro);
    return e;
}

void report_past_done(struct report_past *p)
{
    free(p->at_ms);
    free(p->slot);
    for (int m = 0; m < REPORT_METRICS; m++)
        free(p->value[m]);
    memset(p, 0, sizeof *p);
}
