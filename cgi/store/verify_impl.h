/* verify_impl.h - what the parts of verify share. Internal to store/. */
#ifndef WEIR_VERIFY_IMPL_H
#define WEIR_VERIFY_IMPL_H

#include "store/keysum.h"
#include "store/verify.h"

enum { VERIFY_ROLLED = 3 };                  /* tables of roll-ups that a quarter is compared with */
enum verify_phase { PHASE_NAMES, PHASE_QUARTERS, PHASE_SPANS, PHASE_HOURS, PHASE_SESSIONS, PHASE_REST, PHASE_END };

/* All combinations of dimensions, as a table from the six numbers to the one. */
struct combo_map {
    struct combo {
        int64_t dim[6], id;                  /* id 0: free */
    } *slot;
    size_t slots, n;
};

struct verify {
    struct verify_setup s;
    struct verify_result r;
    enum verify_phase phase;
    enum verify_phase end;                   /* where it ends */
    int64_t quarter;                         /* the next to look at */
    int64_t session;                         /* the last looked at */
    int64_t pruned_to_ms;                    /* events before may be gone on purpose */
    int64_t anonymous_to_ms;                 /* and may be in another session than their messages */
    int rest;                                /* the next of the last steps */
    int level;                               /* of the spans looked at; 0: none yet */
    int64_t span;                            /* the next of them */
    int64_t hour, hour_rows;                 /* the next hour, and rows of hours met so far */
    bool hours_again;                        /* their number did not fit, as it may not while somebody writes */
    struct combo_map combos;
    struct keysum keysum[VERIFY_ROLLED];
};

/* Note that a check failed. `where` says which row. */
void verify_fail(struct verify *v, enum verify_check c, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Which of a row's columns from the second on is the first that is not what `sum` has; `n` if all are. */
int verify_differs(const struct query *q, const unsigned char *columns, int n, const int64_t sum[KEYSUM_SUMS]);
/* Note that this sum of a roll-up is not that of its `parts` ("events", "roll-ups"). */
void verify_fail_sum(struct verify *v, enum verify_check c, const char *where, const char *what, const char *parts, enum keysum_sum s,
                     int64_t have, const int64_t sum[KEYSUM_SUMS]);
/* The keys of a table are out of order, so that it cannot be gone through to its end. */
void verify_fail_order(struct verify *v, const char *table);
/* "2026-11-22T06:15Z" of a quarter, in `out`. */
enum { VERIFY_TIME_SIZE = 40 };
const char *verify_time(char out[VERIFY_TIME_SIZE], int64_t utc_ms);

/* The steps, each in the caller's read transaction; false in `more` once there is nothing left of the phase. */
enum weir_err verify_names(struct verify *v);
enum weir_err verify_quarter(struct verify *v, bool *more);
enum weir_err verify_spans(struct verify *v, bool *more);
enum weir_err verify_hours(struct verify *v, bool *more);
enum weir_err verify_sessions(struct verify *v, bool *more);
enum weir_err verify_rest(struct verify *v, bool *more);

#endif
