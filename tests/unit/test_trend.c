/* Slopes, bands and forecasts against known series, wild values among them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "base/rand.h"
#include "rules/trend.h"

enum { YEAR = 365 * 24 };

/* Nearly normal, standard deviation 1. */
static double noise(struct rng *r)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += rng_unit(r);
    return sum;
}

/* Busy by day, quiet at night and on weekends. */
static double shape(int hour_of_week)
{
    double day = hour_of_week / 24 < 5 ? 1 : 0.3, hour = hour_of_week % 24;

    return day * (100 + 80 * sin((hour - 6) * 3.14159265 / 12));
}

static void week_slots(uint8_t *slot, size_t n, size_t first)
{
    for (size_t i = 0; i < n; i++)
        slot[i] = (uint8_t)((first + i) % TREND_SLOTS);
}

START_TEST(the_median_is_the_middle_value_of_any_order)
{
    struct rng rng = rng_make(3);

    for (int round = 0; round < 2000; round++) {
        double v[40];
        size_t n = 1 + (size_t)rng_below(&rng, 40), below = 0, above = 0;
        double m;

        for (size_t i = 0; i < n; i++)
            v[i] = (double)rng_below(&rng, 10);
        m = trend_median(v, n);
        for (size_t i = 0; i < n; i++) {
            below += v[i] < m;
            above += v[i] > m;
        }
        ck_assert_msg(below <= n / 2 && above <= n / 2, "%zu below, %zu above of %zu", below, above, n);
    }
    ck_assert_double_eq(trend_median((double[]){1, 2, 3, 10}, 4), 2.5);
}
END_TEST

START_TEST(the_slope_is_the_median_of_all_pairs)
{
    /* By hand: the ten slopes are -1, 2, 2.5, 2.67, 2.75, 3, 3, 4, 4.5, 7; the variance of S is 16.67, so the interval goes
     * from the first to the tenth. */
    const double y[] = {1, 4, 6, 13, 12};
    struct trend_line line;

    ck_assert(trend_fit(y, 5, &line));
    ck_assert_double_eq_tol(line.slope, 2.875, 1e-9);
    ck_assert_double_eq(line.low, -1);
    ck_assert_double_eq(line.high, 7);
    ck_assert(!trend_fit(y, 2, &line));
}
END_TEST

START_TEST(a_fifth_of_wild_values_does_not_bend_the_slope)
{
    static const size_t lengths[] = {30, 200, 400, 3000};
    struct rng rng = rng_make(7);

    for (size_t k = 0; k < 4; k++) {
        size_t n = lengths[k];
        double *y = calloc(n, sizeof *y);
        struct trend_line line, again;

        for (size_t i = 0; i < n; i++)
            y[i] = 50 + 2.0 * (double)i + 5 * noise(&rng) + (rng_below(&rng, 5) == 0 ? 1000.0 * (double)rng_below(&rng, 10) : 0);
        ck_assert(trend_fit(y, n, &line));
        ck_assert(trend_fit(y, n, &again));
        ck_assert_mem_eq(&line, &again, sizeof line);
        ck_assert_msg(line.low <= line.slope && line.slope <= line.high, "%g %g %g", line.low, line.slope, line.high);
        ck_assert_msg(line.low < 2.2 && line.high > 1.8 && fabs(line.slope - 2) < 0.5, "n %zu: %g (%g … %g)", n, line.slope,
                      line.low, line.high);
        free(y);
    }
}
END_TEST

START_TEST(the_interval_holds_the_true_slope_nineteen_times_of_twenty)
{
    struct rng rng = rng_make(19);
    int held = 0, trials = 1000;

    for (int t = 0; t < trials; t++) {
        double y[28];
        struct trend_line line;

        for (int i = 0; i < 28; i++)
            y[i] = 3.0 * i + 20 * noise(&rng);
        ck_assert(trend_fit(y, 28, &line));
        held += line.low <= 3 && 3 <= line.high;
    }
    ck_assert_msg(held > 925 && held < 980, "%d of %d", held, trials);
}
END_TEST

START_TEST(equal_values_have_no_slope_and_no_width)
{
    double y[50] = {0};
    struct trend_line line;

    ck_assert(trend_fit(y, 50, &line));
    ck_assert_double_eq(line.slope, 0);
    ck_assert_double_eq(line.low, 0);
    ck_assert_double_eq(line.high, 0);
}
END_TEST

static struct trend_band band[YEAR];
static double series[YEAR];
static uint8_t slots[YEAR];

static size_t outside(void)
{
    size_t n = 0;

    for (size_t i = 0; i < YEAR; i++)
        n += trend_outside(&band[i]);
    return n;
}

START_TEST(a_spike_in_a_year_is_found_and_quiet_noise_has_none)
{
    struct rng rng = rng_make(23);

    week_slots(slots, YEAR, 5);
    for (int i = 0; i < YEAR; i++) {                         /* it grows to twice as much over the year */
        double level = shape(slots[i]) * (1 + (double)i / YEAR);

        series[i] = level + sqrt(level) * noise(&rng);
    }
    ck_assert(trend_bands(series, slots, YEAR, band));
    ck_assert_uint_eq(outside(), 0);
    for (int i = 300; i < YEAR; i += 1000) {
        double was = series[i];

        series[i] = 3 * shape(slots[i]) * (1 + (double)i / YEAR) + 60;
        ck_assert(trend_bands(series, slots, YEAR, band));
        ck_assert_uint_eq(outside(), 1);
        ck_assert(trend_outside(&band[i]));
        ck_assert_double_gt(series[i], band[i].high);
        ck_assert_double_gt(band[i].score, TREND_OUTSIDE);
        ck_assert_double_le(band[i].low, band[i].expected);
        series[i] = was;
    }
    for (int i = 4000; i < 4168; i++)                        /* the busy hour that fell silent */
        if (slots[i] == 2 * 24 + 12)
            series[i] = 0;
    ck_assert(trend_bands(series, slots, YEAR, band));
    ck_assert_uint_eq(outside(), 1);
}
END_TEST

START_TEST(a_night_s_usual_load_is_not_usual_for_noon)
{
    week_slots(slots, YEAR, 0);
    for (int i = 0; i < YEAR; i++)
        series[i] = shape(slots[i]) + i % 3;
    series[3000 - 3000 % 168 + 24 + 12] = shape(24);         /* at noon of a Tuesday what midnight has */
    ck_assert(trend_bands(series, slots, YEAR, band));
    ck_assert_uint_eq(outside(), 1);
    ck_assert_double_lt(band[3000 - 3000 % 168 + 24 + 12].score, 0);
}
END_TEST

START_TEST(where_most_steps_are_idle_use_itself_is_no_anomaly)
{
    struct rng rng = rng_make(29);

    week_slots(slots, YEAR, 0);
    memset(series, 0, sizeof series);
    for (int i = 0; i < YEAR / 10; i++)
        series[rng_below(&rng, YEAR)] = 10 + (double)rng_below(&rng, 5);
    ck_assert(trend_bands(series, slots, YEAR, band));
    ck_assert_uint_eq(outside(), 0);
    series[5000] = 500;
    ck_assert(trend_bands(series, slots, YEAR, band));
    ck_assert_uint_eq(outside(), 1);
    ck_assert(trend_outside(&band[5000]));
}
END_TEST

START_TEST(a_few_values_say_nothing)
{
    ck_assert(!trend_bands(series, slots, 0, band));
    week_slots(slots, 100, 0);
    ck_assert(!trend_bands(series, slots, 100, band));       /* no slot has a peer */
}
END_TEST

START_TEST(a_forecast_continues_season_and_slope_and_its_band_holds_four_of_five)
{
    enum { PAST = 8 * 168, AHEAD = 168 };
    struct rng rng = rng_make(31);
    int held = 0, all = 0;

    for (int trial = 0; trial < 20; trial++) {
        const struct trend_line line = {0.05, 0.045, 0.055};
        double off = 0, sum = 0;

        week_slots(slots, PAST + AHEAD, 17);
        for (int i = 0; i < PAST + AHEAD; i++) {
            double level = shape(slots[i]) + 0.05 * i;

            series[i] = level + sqrt(level) * noise(&rng);
        }
        ck_assert(trend_forecast(series, slots, PAST, &line, slots + PAST, AHEAD, band));
        for (int i = 0; i < AHEAD; i++) {
            ck_assert(band[i].low <= band[i].expected && band[i].expected <= band[i].high);
            held += band[i].low <= series[PAST + i] && series[PAST + i] <= band[i].high;
            all++;
            off += band[i].expected - shape(slots[PAST + i]) - 0.05 * (PAST + i);
            sum += series[PAST + i];
        }
        ck_assert_msg(fabs(off) / sum < 0.03, "off by %g of %g", off, sum);
    }
    ck_assert_msg(held > all * 72 / 100 && held < all * 92 / 100, "%d of %d", held, all);
}
END_TEST

START_TEST(a_falling_forecast_ends_at_nothing_and_an_unsure_slope_is_none)
{
    const struct trend_line falls = {-2, -2.1, -1.9}, unsure = {2, -1, 5};

    for (int i = 0; i < 60; i++)
        series[i] = 120 - 2 * i;
    ck_assert(trend_forecast(series, NULL, 60, &falls, NULL, 30, band));
    ck_assert_double_eq_tol(band[0].expected, 0, 2.5);
    ck_assert_double_eq(band[29].expected, 0);
    ck_assert_double_ge(band[29].low, 0);
    ck_assert(trend_forecast(series, NULL, 60, &unsure, NULL, 30, band));
    ck_assert_double_eq(band[0].expected, band[29].expected);
    ck_assert(!trend_forecast(series, NULL, 0, &falls, NULL, 1, band));
}
END_TEST

UNIT_MAIN("trend", the_median_is_the_middle_value_of_any_order, the_slope_is_the_median_of_all_pairs,
          a_fifth_of_wild_values_does_not_bend_the_slope, the_interval_holds_the_true_slope_nineteen_times_of_twenty,
          equal_values_have_no_slope_and_no_width, a_spike_in_a_year_is_found_and_quiet_noise_has_none,
          a_night_s_usual_load_is_not_usual_for_noon, where_most_steps_are_idle_use_itself_is_no_anomaly,
          a_few_values_say_nothing, a_forecast_continues_season_and_slope_and_its_band_holds_four_of_five,
          a_falling_forecast_ends_at_nothing_and_an_unsure_slope_is_none)
