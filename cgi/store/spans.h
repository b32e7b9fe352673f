/* spans.h - roll-ups of longer spans, made from the quarters of an hour once they
 * have passed: a report reads few large spans and the quarters of its ends.
 *
 * All quarters before the mark are in them. Whoever adds to such a quarter makes
 * its spans again in the same transaction, so that both always agree. */
#ifndef WEIR_SPANS_H
#define WEIR_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/db.h"

/* Level 0 are the quarters themselves; then 4 hours, a day, 8 and 64 days, counted from 1970 in UTC. */
enum { SPAN_LEVELS = 5, SPAN_LEVEL_BITS = 56, HOUR_VALUE_BITS = 24, HOUR_DIM_BITS = 60, QUARTERS_AN_HOUR = 4 };
extern const int64_t span_quarters[SPAN_LEVELS];      /* each a multiple of the one before */

/* Which values have hours of their own; the order is part of the database. */
enum span_dim { SPAN_ALL, SPAN_USER, SPAN_MODEL, SPAN_UPSTREAM, SPAN_ENDPOINT, SPAN_PRIORITY, SPAN_STATUS };

/* The first quarter that is not in the spans yet. Any connection. */
enum weir_err spans_mark(struct db *db, int64_t *quarter) __attribute__((warn_unused_result));
/* Take the next 4 hours in, if they ended half an hour before now_ms or longer. *more: there is more to take in. Writer
 * only. */
enum weir_err spans_fold(struct db *db, int64_t now_ms, bool *more) __attribute__((warn_unused_result));
/* Something was added to this quarter: make the spans it is in again, if it is in any. Writer only. */
enum weir_err spans_refold(struct db *db, int64_t quarter) __attribute__((warn_unused_result));

/* --- a combination's or a person's sums become another's (store/anonymous.h). Writer only. --- */

/* The sums of a quarter's combination are added to another's, and gone. */
enum weir_err spans_move_quarter(struct db *db, int64_t quarter, int64_t from, int64_t to) __attribute__((warn_unused_result));
/* The same of an hour's value of a dimension. */
enum weir_err spans_move_hour(struct db *db, enum span_dim dim, int64_t hour, int64_t from, int64_t to) __attribute__((warn_unused_result));
/* Quarters of the 4 hours from `quarter` on were changed for this combination: its spans that they are in, if there are any,
 * are made anew, or go. */
enum weir_err spans_remake(struct db *db, int64_t quarter, int64_t combo) __attribute__((warn_unused_result));

#endif
