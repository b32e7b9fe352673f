/* outlook.h - how much will be asked for in the next quarter of an hour?
 *
 * One of these for each group of upstreams that share limits, told of every ask
 * when it comes. Expected is what is usual at this quarter-hour of the week,
 * corrected by how far the last minutes were from it: simple exponential
 * smoothing with fixed additive seasonal indices, which is Holt-Winters'
 * method without a trend (P. R. Winters, Management Science 6, 1960; E. S.
 * Gardner, Journal of Forecasting 4, 1985). What is usual is the mean of the
 * weeks before; a single one counts half, so that not everything is made of one
 * odd week, and with none the level alone is left.
 *
 * Times are minutes and quarters since 1970, UTC. No money in here, so amounts
 * may be fractions: an ask that several groups could serve is counted in equal
 * parts in each. */
#ifndef WEIR_OUTLOOK_H
#define WEIR_OUTLOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/gate.h"

enum {
    OUTLOOK_QUARTER = 15,            /* minutes */
    OUTLOOK_WEEK = 672,              /* quarters */
    OUTLOOK_MINUTES = 120,           /* remembered; what lies further back has no weight any more */
    OUTLOOK_JUDGED = 96,             /* quarters whose prediction is held against what came: a day */
    OUTLOOK_AHEAD = 5,               /* quarters in a plan, the one that runs included */
    OUTLOOK_LEAST = 15               /* minutes that must be known before anything is predicted */
};
/* The weight of the newest minute; each older one has a tenth less. */
#define OUTLOOK_ALPHA 0.1

/* High and Medium are what room is to be found for. */
enum outlook_class { OUTLOOK_LOW, OUTLOOK_FIRST, OUTLOOK_CLASSES };

struct outlook_amount {
    double requests, input, output;
};

/* What came at each quarter-hour of the week, in sum over the quarters [first, end). */
struct outlook_usual {
    int64_t first, end;              /* equal: nothing is known */
    struct outlook_amount sum[OUTLOOK_WEEK][OUTLOOK_CLASSES];
};

/* What came in one minute, from the records. */
struct outlook_minute {
    int64_t minute;
    uint32_t upstream;               /* of the past it belongs to */
    enum outlook_class class;
    struct outlook_amount came;
};

/* What the records know of the upstreams; outlook_past_done() frees what it owns. */
struct outlook_past {
    struct outlook_past_upstream {
        char *name;
        struct outlook_usual usual;
    } *upstream;
    size_t upstreams;
    int64_t since;                   /* the first minute that `minute` tells of */
    struct outlook_minute *minute;   /* in order of time; NULL: only what is usual was read */
    size_t minutes;
};

/* What is expected of each class, per minute. */
struct outlook_plan {
    int64_t from_us;                 /* the quarter that runs began then, by the clock of whoever asked for it */
    bool known;
    double margin;                   /* share by which more than expected is to be reckoned with: the past error */
    struct outlook_amount quarter[OUTLOOK_AHEAD][OUTLOOK_CLASSES];
};

/* Of a quarter: all requests, all tokens, the tokens of OUTLOOK_FIRST. */
struct outlook_judged {
    double expected[3], came[3];
};

struct outlook {
    int64_t minute;                  /* the one that runs */
    int64_t since;                   /* the first that is known */
    struct outlook_amount ring[OUTLOOK_MINUTES][OUTLOOK_CLASSES];
    struct outlook_amount usual[OUTLOOK_WEEK][OUTLOOK_CLASSES];      /* per minute, in its weight */
    struct outlook_amount level[OUTLOOK_CLASSES];                    /* above the usual, lately */
    bool stale;                      /* level is not of now */
    bool open;                       /* the quarter that runs was predicted: */
    struct outlook_judged now;       /* so, and what came of it so far */
    struct outlook_judged judged[OUTLOOK_JUDGED];                    /* a ring */
    uint32_t n, next;
};

void outlook_init(struct outlook *o, int64_t minute);
/* What is usual from now on. */
void outlook_learn(struct outlook *o, const struct outlook_usual *u);
/* The same of two upstreams together. */
void outlook_usual_add(struct outlook_usual *to, const struct outlook_usual *u);
/* Begin anew with what the records say of the minutes from `since` on, in order of time: predictions of that time are
 * made again and judged. Minutes that were seen by this outlook itself stay as they are, what `m` says of them is left out. */
void outlook_recall(struct outlook *o, int64_t since, const struct outlook_minute *m, size_t n);
/* Let time pass. A clock that steps back by more than is remembered begins anew; by less, it changes nothing. */
void outlook_tick(struct outlook *o, int64_t minute);
/* This was asked for in the minute that runs. */
void outlook_note(struct outlook *o, enum outlook_class class, const struct outlook_amount *a);

/* Is enough known to predict at all? */
bool outlook_known(const struct outlook *o);
/* Expected in a minute to come, >= 0. */
struct outlook_amount outlook_expect(struct outlook *o, enum outlook_class class, int64_t minute);
/* Expected in the `minutes` that follow the one that runs. */
struct outlook_amount outlook_sum(struct outlook *o, enum outlook_class class, int minutes);
/* The quarters to come, for whoever plans with them; from_us is when the one that runs began. */
void outlook_plan(struct outlook *o, int64_t from_us, struct outlook_plan *out);
/* How far the predictions of the last day were off: the sum of their errors by the sum of what came (the weighted mean
 * absolute percentage error), millionths; -1: nothing to judge by. */
void outlook_error(const struct outlook *o, int64_t *requests_ppm, int64_t *tokens_ppm);

void outlook_past_done(struct outlook_past *p);

static inline enum outlook_class outlook_class_of(enum priority p)
{
    return p == PRIORITY_LOW ? OUTLOOK_LOW : OUTLOOK_FIRST;
}

#endif
