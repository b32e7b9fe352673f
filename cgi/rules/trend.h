/* trend.h - what a series of equal steps does: which way it goes, what is out of
 * the ordinary, what comes next. Statistics that a few wild values do not bend.
 *
 * Pure; doubles, for counts and money alike: the caller says the unit (money
 * comes as dollars). The work is bounded whatever the series, and the same for
 * the same series. `slot` says what a step is comparable with (the hour of the
 * week, say): steps of one slot are alike. */
#ifndef WEIR_TREND_H
#define WEIR_TREND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TREND_SLOTS = 168, TREND_PEERS = 8, TREND_PEERS_MIN = 3, TREND_PAIRS_MAX = 32768 };

/* A bucket lies out of the ordinary so many robust standard deviations from what was expected. Of noise that is normal one
 * in 1.7 million does. */
#define TREND_OUTSIDE 5.0

/* The middle value (the mean of the middle two); reorders v. n > 0. */
double trend_median(double *v, size_t n);

struct trend_line {
    double slope;              /* a step: the median of the slopes between all pairs (Theil 1950, Sen 1968) */
    double low, high;          /* its 95 % interval, by Sen's ranks from the variance of Kendall's S with ties */
};
/* False: fewer than three values. More than TREND_PAIRS_MAX pairs are represented by as many drawn evenly. */
bool trend_fit(const double *y, size_t n, struct trend_line *out) __attribute__((warn_unused_result));

struct trend_band {
    double expected, low, high, score;   /* score: how many robust standard deviations off, signed; 0 where nothing can be said */
};
/* For each of n values what its peers let expect: the median of up to TREND_PEERS values of its slot, those before it or,
 * at the beginning, those after. The spread is the MAD of all deviations relative to the square root of the level, as
 * sums of independent requests have it (where more than half are none at all: 1.2533 times their mean, as
 * Iglewicz and Hoaglin 1993 say). Where most values are 0, only the others are compared, without slots. False:
 * fewer than TREND_PEERS_MIN peers. */
bool trend_bands(const double *y, const uint8_t *slot, size_t n, struct trend_band *out) __attribute__((warn_unused_result));
/* Is it outside its band? */
bool trend_outside(const struct trend_band *b);

/* The next `ahead` values: the median of the slot's last TREND_PEERS values, moved along the slope of `line` (per step; 0
 * where its interval has 0 inside) from their time to then, never below 0. low and high hold the middle 80 % of the
 * errors that this way of forecasting made one step ahead in the past, and the slope's interval beyond the last
 * value. score is 0. False: a slot without a past value. */
bool trend_forecast(const double *y, const uint8_t *slot, size_t n, const struct trend_line *line, const uint8_t *next_slot,
                    size_t ahead, struct trend_band *out) __attribute__((warn_unused_result));

#endif
