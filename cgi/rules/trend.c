/* trend.c - medians by selection, slopes of pairs, peers of a slot.
 *
 * H. Theil (1950), A rank-invariant method of linear and polynomial regression
 * analysis. P. K. Sen (1968), Estimates of the regression coefficient based on
 * Kendall's tau. B. Iglewicz, D. Hoaglin (1993), How to detect and handle
 * outliers. Selection: C. A. R. Hoare's FIND (1961) in N. Wirth's form. */
#include "rules/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"

#define NORMAL_975 1.959964      /* of the normal distribution */
#define MAD_SIGMA 1.4826         /* to a standard deviation from a MAD, from a mean deviation */
#define MEAN_SIGMA 1.2533
#define NINETY_SIGMA 0.607957    /* from the 0.9 quantile of absolute deviations: 1 / 1.644854 */

/* --- order --- */

/* The k-th smallest, from 0; reorders v. */
static double nth(double *v, size_t n, size_t k)
{
    ptrdiff_t from = 0, to = (ptrdiff_t)n - 1, want = (ptrdiff_t)k;

    while (from < to) {
        double pivot = v[want];
        ptrdiff_t i = from, j = to;

        do {
            while (v[i] < pivot)             /* NOLINT(clang-analyzer-*): what was swapped before, or the pivot, stops it */
                i++;
            while (pivot < v[j])             /* NOLINT(clang-analyzer-*): the same */
                j--;
            if (i <= j) {
                double t = v[i];

                v[i++] = v[j];
                v[j--] = t;
            }
        } while (i <= j);
        if (j < want)
            from = i;
        if (want < i)
            to = j;
    }
    return v[want];
}

double trend_median(double *v, size_t n)
{
    double upper = nth(v, n, n / 2), lower;

    if (n % 2)
        return upper;
    lower = v[0];                            /* all before n / 2 are not above it */
    for (size_t i = 1; i < n / 2; i++)
        lower = v[i] > lower ? v[i] : lower;
    return (lower + upper) / 2;
}

/* The value below which this share (0 … 1) of v lies. */
static double quantile(double *v, size_t n, double share)
{
    double at = share * (double)n;

    return nth(v, n, at < 0 ? 0 : at >= (double)n ? n - 1 : (size_t)at);
}

/* --- the line --- */

/* Slopes of all pairs, or of TREND_PAIRS_MAX of them; gives how many. */
static size_t pair_slopes(const double *y, size_t n, double *slope)
{
    struct rng rng = rng_make(n);            /* the same pairs for the same series */
    size_t used = 0;

    if (n * (n - 1) / 2 <= TREND_PAIRS_MAX) {
        for (size_t i = 0; i + 1 < n; i++)
            for (size_t j = i + 1; j < n; j++)
                slope[used++] = (y[j] - y[i]) / (double)(j - i);
        return used;
    }
    while (used < TREND_PAIRS_MAX) {
        int64_t i = rng_below(&rng, (int64_t)n), j = rng_below(&rng, (int64_t)n);

        if (i != j)
            slope[used++] = (y[j] - y[i]) / (double)(j - i);
    }
    return used;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double pairs_of(size_t n)
{
    return (double)n * (double)(n - 1) / 2;
}

/* The standard deviation of Kendall's S, less where values are equal. */
static double kendall_deviation(const double *y, size_t n)
{
    double *sorted = mem_zalloc(n, sizeof *sorted), v = pairs_of(n) * 2 * (double)(2 * n + 5);

    memcpy(sorted, y, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && sorted[to] <= sorted[from]; to++)
            ;
        if (to - from > 1)
            v -= pairs_of(to - from) * 2 * (double)(2 * (to - from) + 5);
    }
    free(sorted);
    return sqrt(v > 0 ? v / 18 : 0);
}

bool trend_fit(const double *y, size_t n, struct trend_line *out)
{
    double *slope, aside;
    size_t pairs;

    if (n < 3)
        return false;
    slope = mem_zalloc(TREND_PAIRS_MAX, sizeof *slope);
    pairs = pair_slopes(y, n, slope);
    aside = NORMAL_975 * kendall_deviation(y, n) / (2 * pairs_of(n));      /* as a share of all pairs */
    out->slope = trend_median(slope, pairs);
    out->low = quantile(slope, pairs, 0.5 - aside - 1 / (double)pairs);    /* Sen's M1-th, and the M2+1-th, from 1 */
    out->high = quantile(slope, pairs, 0.5 + aside);
    free(slope);
    return true;
}

/* --- peers --- */

/* The steps that are compared, those of one slot together and in order. */
struct peers {
    size_t *step;                            /* numbers of steps, by slot */
    size_t from[TREND_SLOTS + 1];            /* where a slot begins in it */
};

static struct peers peers_make(const uint8_t *slot, const bool *left_out, size_t n)
{
    struct peers p = {.step = mem_zalloc(n ? n : 1, sizeof *p.step)};
    size_t next[TREND_SLOTS];

    for (size_t i = 0; i < n; i++)
        if (!left_out || !left_out[i])
            p.from[(slot ? slot[i] : 0) + 1]++;
    for (size_t s = 0; s < TREND_SLOTS; s++)
        p.from[s + 1] += p.from[s];
    memcpy(next, p.from, sizeof next);
    for (size_t i = 0; i < n; i++)
        if (!left_out || !left_out[i])
            p.step[next[slot ? slot[i] : 0]++] = i;
    return p;
}

/* The median of up to TREND_PEERS steps of a slot before position `at`; without so many, of those after it too. Gives the
 * number of peers; *when is the mean of their steps. */
static size_t expect(const struct peers *p, const double *y, size_t slot, size_t at, bool ahead, double *value, double *when)
{
    size_t begin = p->from[slot], end = p->from[slot + 1], from = at - begin > TREND_PEERS ? at - TREND_PEERS : begin, n = 0;
    double v[TREND_PEERS], sum = 0;

    for (size_t i = from; i < end && n < TREND_PEERS && (i < at || ahead); i++) {
        if (i == at)
            continue;
        v[n++] = y[p->step[i]];
        sum += (double)p->step[i];
    }
    if (n) {
        *value = trend_median(v, n);
        *when = sum / (double)n;
    }
    return n;
}

/* --- bands --- */

static double mean(const double *v, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return n ? sum / (double)n : 0;
}

/* What one standard deviation is at this level, in units of the spread; `usual` keeps quiet slots from being exact. */
static double scale(double level, double usual)
{
    double at = level + usual / 10;

    return sqrt(at > 0 ? at : 1);
}

/* The larger of what the middle and the upper tenth say: of small counts half may not deviate at all. */
static double spread_of(const double *deviation, size_t n)
{
    double *v = mem_zalloc(n, sizeof *v), middle, upper, all;

    for (size_t i = 0; i < n; i++)
        v[i] = fabs(deviation[i]);
    all = mean(v, n) * MEAN_SIGMA;
    middle = trend_median(v, n) * MAD_SIGMA;
    upper = quantile(v, n, 0.9) * NINETY_SIGMA;
    free(v);
    middle = fmax(middle, upper);
    return middle > 0 ? middle : all;
}

static bool *mark_idle(const double *y, size_t n)
{
    bool *idle = mem_zalloc(n, sizeof *idle);
    size_t none = 0;

    for (size_t i = 0; i < n; i++)
        none += idle[i] = y[i] <= 0;
    if (none * 2 > n)
        return idle;
    free(idle);
    return NULL;
}

bool trend_bands(const double *y, const uint8_t *slot, size_t n, struct trend_band *out)
{
    bool *idle = n ? mark_idle(y, n) : NULL;
    const uint8_t *alike = idle ? NULL : slot;
    struct peers p = peers_make(alike, idle, n);
    double *deviation = mem_zalloc(n ? n : 1, sizeof *deviation), usual = mean(y, n), spread, when;
    size_t said = 0;

    for (size_t i = 0; i < n; i++)
        out[i] = (struct trend_band){y[i], y[i], y[i], 0};
    for (size_t s = 0; s < TREND_SLOTS; s++) {
        for (size_t at = p.from[s]; at < p.from[s + 1]; at++) {
            struct trend_band *b = &out[p.step[at]];

            if (expect(&p, y, s, at, true, &b->expected, &when) < TREND_PEERS_MIN)
                b->expected = y[p.step[at]];
            else
                deviation[said++] = (y[p.step[at]] - b->expected) / scale(b->expected, usual);
        }
    }
    spread = said ? spread_of(deviation, said) : 0;
    for (size_t i = 0; i < n; i++) {
        double one = spread * scale(out[i].expected, usual);

        if (idle && idle[i])
            continue;
        out[i].low = fmax(0, out[i].expected - TREND_OUTSIDE * one);
        out[i].high = out[i].expected + TREND_OUTSIDE * one;
        out[i].score = one > 0 ? (y[i] - out[i].expected) / one : 0;
    }
    free(deviation);
    free(p.step);
    free(idle);
    return said > 0;
}

bool trend_outside(const struct trend_band *b)
{
    return fabs(b->score) > TREND_OUTSIDE;
}

/* --- what comes next --- */

/* Errors this way of forecasting made one step ahead, relative to the level's scale. Gives how many. */
static size_t past_errors(const struct peers *p, const double *y, double slope, double usual, double *error)
{
    size_t n = 0;

    for (size_t s = 0; s < TREND_SLOTS; s++) {
        for (size_t at = p->from[s]; at < p->from[s + 1]; at++) {
            double value, when, expected;

            if (!expect(p, y, s, at, false, &value, &when))
                continue;
            expected = fmax(0, value + slope * ((double)p->step[at] - when));
            error[n++] = (y[p->step[at]] - expected) / scale(expected, usual);
        }
    }
    return n;
}

bool trend_forecast(const double *y, const uint8_t *slot, size_t n, const struct trend_line *line, const uint8_t *next_slot,
                    size_t ahead, struct trend_band *out)
{
    bool moves = line->low > 0 || line->high < 0, known = true;
    double slope = moves ? line->slope : 0, usual = mean(y, n), below = 0, above = 0;
    double *error = mem_zalloc(n ? n : 1, sizeof *error);
    struct peers p = peers_make(slot, NULL, n);
    size_t errors = past_errors(&p, y, slope, usual, error);

    if (errors) {
        below = fmin(0, quantile(error, errors, 0.1));
        above = fmax(0, quantile(error, errors, 0.9));
    }
    for (size_t i = 0; known && i < ahead; i++) {
        double value, when, steps = (double)i + 1, one;
        size_t s = next_slot ? next_slot[i] : 0;

        known = expect(&p, y, s, p.from[s + 1], false, &value, &when) > 0;
        if (!known)
            break;
        out[i].expected = fmax(0, value + slope * ((double)(n + i) - when));
        one = scale(out[i].expected, usual);
        out[i].low = fmax(0, out[i].expected + below * one - (moves ? (line->slope - line->low) * steps : 0));
        out[i].high = out[i].expected + above * one + (moves ? (line->high - line->slope) * steps : 0);
        out[i].score = 0;
    }
    free(error);
    free(p.step);
    return known;
}
