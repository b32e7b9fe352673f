/* test_decimal.c - decimal numbers to whole units, exact. */
#include "base/decimal.h"

#include <string.h>

#include "unit.h"

static bool pico(const char *text, int64_t *out)
{
    return decimal_scaled(text, strlen(text), 12, INT64_C(9000000000000000000), out);
}

START_TEST(what_a_double_rounds_is_exact)
{
    static const struct { const char *text; int64_t pico; } good[] = {
        {"0", 0}, {"0.06", INT64_C(60000000000)}, {"1234567.123456789012", INT64_C(1234567123456789012)},
        {"8999999.999999999999", INT64_C(8999999999999999999)}, {"9000000", INT64_C(9000000000000000000)},
        {"5e-13", 1}, {"4.9e-13", 0}, {"0.0000000000005", 1}, {"1.5E-7", 150000}, {"1e+3", INT64_C(1000000000000000)}, {"1e-999", 0},
        {"0.000000000001000000000000000000000000000000000000000000009", 1}, {"0e99999", 0}, {"00012", INT64_C(12000000000000)},
        {".5", INT64_C(500000000000)}, {"5.", INT64_C(5000000000000)},
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t v = -1;

        ck_assert_msg(pico(good[i].text, &v), "%s", good[i].text);
        ck_assert_msg(v == good[i].pico, "%s gave %lld", good[i].text, (long long)v);
    }
}
END_TEST

START_TEST(what_is_no_number_or_too_large_is_refused)
{
    static const char *const bad[] = {
        "", "-1", "+1", ".", "1.2.3", "1e", "1e+", "1 ", " 1", "1x", "nan", "inf", "0x10", "1,5", "9000000.0000000000005", "9000001",
        "1e30", "1e99999", "123456789012345678901234567890123456789012345678901234567890",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t v = -1;

        ck_assert_msg(!pico(bad[i], &v), "%s", bad[i]);
        ck_assert_msg(v == -1, "%s", bad[i]);
    }
}
END_TEST

UNIT_MAIN("decimal", what_a_double_rounds_is_exact, what_is_no_number_or_too_large_is_refused)
