/* test_utf8.c - every first and second byte, and what stands for broken text. */
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

#include "unit.h"

/* Encode without looking whether it may be encoded. */
static size_t put(char *s, uint32_t c)
{
    if (c < 0x80) {
        s[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        s[0] = (char)(0xc0 | c >> 6);
        s[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        s[0] = (char)(0xe0 | c >> 12);
        s[1] = (char)(0x80 | (c >> 6 & 63));
        s[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    s[0] = (char)(0xf0 | c >> 18);
    s[1] = (char)(0x80 | (c >> 12 & 63));
    s[2] = (char)(0x80 | (c >> 6 & 63));
    s[3] = (char)(0x80 | (c & 63));
    return 4;
}

START_TEST(every_code_point_is_valid_and_no_surrogate_is)
{
    char s[4];

    for (uint32_t c = 0; c < 0x120000; c++) {
        size_t n = put(s, c), want = (c >= 0xd800 && c < 0xe000) || c > 0x10ffff ? 0 : n;

        if (utf8_len(s, n) != want)
            ck_abort_msg("U+%04X: %zu instead of %zu", c, utf8_len(s, n), want);
        if (want && utf8_decode(s, n) != c)
            ck_abort_msg("U+%04X is read as U+%04X", c, utf8_decode(s, n));
        if (want && n > 1 && utf8_len(s, n - 1) != 0)
            ck_abort_msg("U+%04X cut short counts as whole", c);
    }
}
END_TEST

START_TEST(overlong_forms_and_stray_bytes_are_refused)
{
    static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
                                      "\xf5\x80\x80\x80", "\xff", "\xe2\x28\xa1", "\xf0\x90\x28\xbc"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_uint_eq(utf8_len(bad[i], strlen(bad[i])), 0);
}
END_TEST

START_TEST(broken_text_is_replaced_as_browsers_do)
{
    /* Unicode 15, table 3-8: 61 F1 80 80 E1 80 C2 62 80 63 80 BF 64 is a ??? b ? c ?? d. */
    static const char s[] = "\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64";

    ck_assert_uint_eq(utf8_bad_len(s + 1, 12), 3);
    ck_assert_uint_eq(utf8_bad_len(s + 4, 9), 2);
    ck_assert_uint_eq(utf8_bad_len(s + 6, 7), 1);
    ck_assert_int_eq(utf8_count(s, sizeof s - 1), 10);
    ck_assert_uint_eq(utf8_valid(s, sizeof s - 1), 1);
}
END_TEST

START_TEST(long_text_is_walked_whole)
{
    static const char s[] = "abcdefghij\u00e9klmnopqrstuvwxyz\u4f60\u597d 0123456789 \U0001f600!";

    ck_assert_uint_eq(utf8_valid(s, sizeof s - 1), sizeof s - 1);
    ck_assert_int_eq(utf8_count(s, sizeof s - 1), 43);
    ck_assert_int_eq(utf8_count(s, 0), 0);
}
END_TEST

UNIT_MAIN("utf8", every_code_point_is_valid_and_no_surrogate_is, overlong_forms_and_stray_bytes_are_refused,
          broken_text_is_replaced_as_browsers_do, long_text_is_walked_whole)
