/* Histograms: how exact, how merged, how packed. */
#include "unit.h"

#include <string.h>

#include "base/rand.h"
#include "rules/hist.h"

START_TEST(a_quantile_is_within_six_percent_of_the_exact_one)
{
    static const int32_t ppm[] = {10000, 500000, 900000, 950000, 990000};

    for (int64_t scale = 100; scale < INT64_C(10000000000); scale *= 10) {
        struct hist h;

        memset(&h, 0, sizeof h);
        for (int64_t i = 1; i <= 1000; i++)
            hist_add(&h, HIST_DURATION, scale * i / 10);
        for (size_t i = 0; i < sizeof ppm / sizeof *ppm; i++) {
            int64_t exact = scale * (ppm[i] / 1000) / 10, got = hist_quantile(&h, HIST_DURATION, ppm[i]);

            if (exact >= 64)
                ck_assert_msg(llabs(got - exact) * 100 <= exact * 7, "%d ppm of %lld: %lld, exact %lld", ppm[i],
                              (long long)scale, (long long)got, (long long)exact);
        }
    }
}
END_TEST

START_TEST(nothing_counted_has_no_quantile_and_extremes_have_a_slot)
{
    struct hist h;

    memset(&h, 0, sizeof h);
    ck_assert_int_eq(hist_quantile(&h, HIST_TTFT, 500000), -1);
    hist_add(&h, HIST_TTFT, 0);
    hist_add(&h, HIST_TTFT, -5);
    ck_assert_int_eq(hist_quantile(&h, HIST_TTFT, 500000), 0);
    hist_add(&h, HIST_TTFT, INT64_MAX);
    ck_assert_int_eq(hist_count(&h, HIST_TTFT), 3);
    ck_assert_int_gt(hist_quantile(&h, HIST_TTFT, 1000000), INT64_C(1) << 40);
}
END_TEST

START_TEST(packed_parts_add_up_to_the_whole)
{
    unsigned char packed[HIST_PACKED_MAX];
    struct rng rng = rng_make(3);
    struct hist whole, sum;

    memset(&whole, 0, sizeof whole);
    memset(&sum, 0, sizeof sum);
    for (int part = 0; part < 20; part++) {
        struct hist h;

        memset(&h, 0, sizeof h);
        for (int i = 0; i < 50; i++) {
            enum hist_metric m = (enum hist_metric)rng_below(&rng, HIST_METRICS);
            int64_t us = rng_below(&rng, INT64_C(1) << rng_below(&rng, 44));

            hist_add(&h, m, us);
            hist_add(&whole, m, us);
        }
        ck_assert(hist_unpack(&sum, packed, hist_pack(&h, packed)));
    }
    ck_assert_mem_eq(&sum, &whole, sizeof sum);
}
END_TEST

START_TEST(a_full_histogram_fits_and_damage_is_noticed)
{
    unsigned char packed[HIST_PACKED_MAX];
    struct hist h, back;
    size_t n;

    for (int m = 0; m < HIST_METRICS; m++) {
        for (int i = 0; i < HIST_SLOTS; i++)
            h.n[m][i] = INT64_MAX / 4;
    }
    n = hist_pack(&h, packed);
    ck_assert_uint_le(n, sizeof packed);
    memset(&back, 0, sizeof back);
    ck_assert(hist_unpack(&back, packed, n));
    ck_assert_mem_eq(&back, &h, sizeof h);
    ck_assert(!hist_unpack(&back, packed, n - 1));
    memset(packed, 0xff, sizeof packed);
    ck_assert(!hist_unpack(&back, packed, 40));
}
END_TEST

UNIT_MAIN("hist", a_quantile_is_within_six_percent_of_the_exact_one,
          nothing_counted_has_no_quantile_and_extremes_have_a_slot, packed_parts_add_up_to_the_whole,
          a_full_histogram_fits_and_damage_is_noticed)
