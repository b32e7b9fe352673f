/* report_scan.h - the one pass over the roll-ups that every sum comes from.
 * Internal to store/. */
#ifndef WEIR_REPORT_SCAN_H
#define WEIR_REPORT_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"
#include "rules/hist.h"
#include "store/ledger.h"
#include "store/report.h"
#include "store/spans.h"

struct report_sums {
    int64_t requests, prompt, completion, reasoning, chars, cost, unpriced, unpriced_tokens, retries;
    int64_t wait_us, ttft_us, writing_us;      /* zero when summed from minutes */
};
void report_sums_add(struct report_sums *to, const struct report_sums *s);

/* Buckets of time, without a gap; the first begins at or before the range. */
struct report_series {
    int64_t *start_ms;
    struct report_sums *sums;
    struct hist *hist;                         /* NULL unless asked for */
    size_t count;
};

/* A filter's names as numbers: 0 = any, -1 = a name never seen, so nothing matches. */
struct report_keys {
    int64_t user, session, model, upstream, endpoint;
};

struct report_combo {
    int64_t id;
    struct ledger_dims dims;
    struct report_sums sums;
    struct hist *hist;                         /* its durations are added to this one; NULL: to none. Borrowed. */
};

struct report_scan {
    const struct report_filter *f;
    bool began;                                /* the view of the database is ours to end */
    struct report_keys keys;
    struct report_combo *combo;                /* those the filter lets through, by id */
    size_t combo_count;
    struct report_sums total;
    struct report_series series[2];            /* filled if they have buckets */
    bool series_only;                          /* set: totals are not wanted, and may stay short of the truth */
    int64_t imported;                          /* the word of the upstream of usage made elsewhere; -1: there is none */
    bool own_only;                             /* that was left out */
};

/* Everything until the end sees one state of the database, also what has a scan of its own. */
enum weir_err report_view_begin(struct db *ro, bool *began) __attribute__((warn_unused_result));
void report_view_end(struct db *ro, bool began);

/* Begin one view of the database, unless the caller has, and look the filter's names up. `f` is borrowed until
 * report_scan_done(), which is called whatever this returns. */
enum weir_err report_scan_init(struct report_scan *s, struct db *ro, const struct report_filter *f);
/* Leave out usage made elsewhere: nobody knows how long it took, or what its text was. Before report_scan_run(); or after it, for
 * the combinations alone. */
void report_scan_own(struct report_scan *s);
/* Buckets of a minute, or of an hour, day, week or month of the filter's zone, over its range. */
void report_scan_buckets(struct report_scan *s, int which, enum granularity g, bool with_hist);
/* Where the bucket of a moment begins, and the one after it. */
int64_t report_bucket_start(const struct zone *z, enum granularity g, int64_t at_ms);
int64_t report_bucket_next(const struct zone *z, enum granularity g, int64_t at_ms);
/* What AUTO means for this range. */
enum granularity report_granularity(const struct report_filter *f);
/* Add up. Minutes come from the minute roll-ups if series 0 is by minute. */
enum weir_err report_scan_run(struct report_scan *s, struct db *ro);
void report_scan_done(struct report_scan *s, struct db *ro);

/* --- rows, for report_scan_run() --- */

enum report_into { INTO_TOTALS = 1, INTO_SERIES = 2, INTO_BOTH = 3 };
/* Spans [from, to) of a level. */
enum weir_err report_add_spans(struct report_scan *s, struct db *ro, int level, int64_t from, int64_t to, enum report_into into);
/* Hours [from, to) of one value, to the series. */
enum weir_err report_add_hours(struct report_scan *s, struct db *ro, enum span_dim dim, int64_t value, int64_t from, int64_t to);
enum weir_err report_add_minutes(struct report_scan *s, struct db *ro, int64_t from, int64_t to);
/* Events one by one, of [from_ms, to_ms); of one session if the filter names one. */
enum weir_err report_add_events(struct report_scan *s, struct db *ro, int64_t from_ms, int64_t to_ms);

/* The whole units inside [from, to), and where they lie: [first, last) units; what remains at both ends is events'. */
struct report_units {
    int64_t unit_ms, first, last;
};
struct report_units report_units(const struct report_filter *f, int64_t unit_ms);
/* Where events end: nowhere, if the range reaches to now. */
int64_t report_until(const struct report_filter *f);

#endif
