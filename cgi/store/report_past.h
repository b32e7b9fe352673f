/* report_past.h - a selection's past as series of whole hours or days, the form
 * that rules/trend.h reads. Internal to store/. */
#ifndef WEIR_REPORT_PAST_H
#define WEIR_REPORT_PAST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "store/report.h"
#include "store/report_scan.h"

/* Hours are compared by hour of the week once there are three weeks, before that by hour of the day; days by day of the
 * week, before that all with all. Below a week nothing is said. */
enum { PAST_DAYS_MIN = 7, PAST_DAYS_WEEKLY = 21, PAST_HOURS_MAX = 10000 };

struct report_past {
    enum granularity unit;           /* hour or day */
    size_t count;
    int64_t *at_ms;                  /* where each begins; count + 1 of them, the last is where the past ends */
    double *value[REPORT_METRICS];   /* requests, tokens, dollars */
    uint8_t *slot;
    bool weekly;                     /* by hour or day of the week */
};

/* Read the whole hours and days of the filter's zone in its range, from the first that has a request; `hours` NULL: only
 * days. */
enum weir_err report_past_read(struct db *ro, const struct report_filter *f, struct report_past *hours, struct report_past *days)
    __attribute__((warn_unused_result));
void report_past_done(struct report_past *p);
/* How many whole days lie in it. */
int64_t report_past_days(const struct report_past *p);
/* The slot of a moment, as the past has them. */
uint8_t report_past_slot(const struct report_past *p, const struct zone *z, int64_t at_ms);

/* The figure of one bucket or total as the series have it. */
double report_metric_value(const struct report_sums *s, enum report_metric m);
/* A number as JSON: at most 9 significant digits, null if it is none. */
void report_number_json(struct sb *out, double v);

#endif
