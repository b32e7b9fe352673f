/* The string builder: its maximum, its memory of failure, its escapes. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/sb.h"

START_TEST(an_append_beyond_the_maximum_fails_and_is_remembered)
{
    struct sb b = sb_make(4);

    sb_puts(&b, "abcd");
    ck_assert(sb_ok(&b));
    sb_putc(&b, 'e');
    ck_assert(!sb_ok(&b));
    sb_reset(&b);
    sb_putc(&b, 'x');
    ck_assert(sb_ok(&b));
    ck_assert_str_eq(sb_str(&b), "x");
    sb_done(&b);
}
END_TEST

START_TEST(json_text_is_quoted_and_can_stand_inside_a_script_element)
{
    struct sb b = sb_make(200);

    sb_json(&b, "a\"\\\n\x01</script>\xe2\x80\xa8\xff\xc3\xa9");
    ck_assert_str_eq(sb_str(&b), "\"a\\\"\\\\\\n\\u0001\\u003c/script\\u003e\\u2028\\ufffd\xc3\xa9\"");
    sb_done(&b);
}
END_TEST

START_TEST(markup_characters_become_references)
{
    struct sb b = sb_make(200);

    sb_attr(&b, "<a href=\"x\">'&");
    ck_assert_str_eq(sb_str(&b), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    sb_done(&b);
}
END_TEST

START_TEST(picodollars_are_written_exactly_and_without_trailing_zeros)
{
    static const struct { int64_t pico; const char *text; } rows[] = {
        {0, "0"}, {1, "0.000000000001"}, {22200000, "0.0000222"}, {INT64_C(1000000000000), "1"},
        {INT64_C(12345600000000), "12.3456"}, {-500000000000, "-0.5"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sb b = sb_make(64);

        sb_usd(&b, rows[i].pico);
        ck_assert_str_eq(sb_str(&b), rows[i].text);
        sb_done(&b);
    }
}
END_TEST

START_TEST(times_are_rfc_3339_in_utc_with_milliseconds)
{
    struct sb b = sb_make(64);

    sb_time(&b, INT64_C(1795328400123));
    ck_assert_str_eq(sb_str(&b), "2026-11-22T06:20:00.123Z");
    sb_done(&b);
}
END_TEST

START_TEST(any_day_of_twenty_four_centuries_is_written_as_the_library_does)
{
    for (int64_t ms = INT64_C(-62135596800000), step = 0; ms < INT64_C(15000000000000); ms += INT64_C(86400000) * 29 + 12345677 + step++ % 3) {
        struct sb b = sb_make(64);
        time_t t = (time_t)(ms / 1000 - (ms % 1000 < 0));
        char want[64];
        struct tm tm;

        gmtime_r(&t, &tm);
        (void)snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                       tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms - t * 1000));
        sb_time(&b, ms);
        ck_assert_str_eq(sb_str(&b), want);
        sb_done(&b);
    }
}
END_TEST

UNIT_MAIN("sb", an_append_beyond_the_maximum_fails_and_is_remembered,
          json_text_is_quoted_and_can_stand_inside_a_script_element, markup_characters_become_references,
          picodollars_are_written_exactly_and_without_trailing_zeros,
          times_are_rfc_3339_in_utc_with_milliseconds, any_day_of_twenty_four_centuries_is_written_as_the_library_does)
