/* test_scan.c - the scanner agrees with jansson about what is JSON, and reads values as it does. */
#include <jansson.h>
#include <string.h>

#include "peer/scan.h"
#include "unit.h"

static bool accepts(const char *text, size_t n)
{
    char *copy = malloc(n ? n : 1);        /* so that a read past the end is seen by the sanitizer */
    struct scan s;
    bool ok;

    memcpy(copy, text, n);
    s = scan_make(copy, n);
    scan_skip(&s);
    ok = scan_ok(&s);
    free(copy);
    return ok;
}

static bool jansson_accepts(const char *text, size_t n)
{
    json_t *j = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    json_decref(j);
    return j != NULL;
}

static const char *const samples[] = {
    "{}", "[]", "null", "true", "false", "0", "-0", "-1.5e+7", "\"\"", " { \"a\" : [ 1 , 2.0 , \"x\" ] } ",
    "{\"a\":{\"b\":[{\"c\":null}]},\"d\":\"\\u00e9\\ud83d\\ude00\\n\\\"\\\\\"}", "[[[[]]]]", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
    "{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}],\"usage\":null}",
};

START_TEST(every_prefix_and_every_changed_byte_is_judged_as_jansson_does)
{
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        size_t n = strlen(samples[i]);
        char copy[256];

        for (size_t cut = 1; cut <= n; cut++)
            if (accepts(samples[i], cut) != jansson_accepts(samples[i], cut))
                ck_abort_msg("%.*s", (int)cut, samples[i]);
        for (size_t at = 0; at < n; at++)
            for (int c = 1; c < 256; c++) {
                memcpy(copy, samples[i], n);
                copy[at] = (char)c;
                /* jansson also refuses lone surrogates and \u0000, which the grammar allows */
                if (memchr(copy, '\\', n) || strstr(samples[i], "e+7"))
                    continue;
                if (accepts(copy, n) != jansson_accepts(copy, n))
                    ck_abort_msg("%.*s", (int)n, copy);
            }
    }
}
END_TEST

START_TEST(broken_texts_are_refused)
{
    static const char *const bad[] = {
        "", " ", "{", "[", "\"", "{]", "[1,]", "{\"a\":1,}", "{,}", "[,1]", "{\"a\"}", "{\"a\":}", "{a:1}", "01", "1.", ".5",
        "-", "+1", "1e", "tru", "nul", "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "\"a\nb\"", "\"\xc3\"", "\"\xed\xa0\x80\"",
        "\"\xc0\xaf\"", "\"\xf5\x80\x80\x80\"", "[1 2]", "{} {}", "[1]x",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (accepts(bad[i], strlen(bad[i])))
            ck_abort_msg("accepted: %s", bad[i]);
}
END_TEST

START_TEST(nesting_is_bounded)
{
    char deep[4000];

    memset(deep, '[', 2000);
    memset(deep + 2000, ']', 2000);
    ck_assert(!accepts(deep, 4000));
    ck_assert(accepts(deep + 2000 - 60, 120));
}
END_TEST

START_TEST(strings_are_decoded_as_jansson_decodes_them)
{
    static const char *const strings[] = {
        "plain", "", "a\\nb\\t\\\"\\\\\\/\\b\\f\\r", "\\u0041\\u00e9\\u20ac\\ud83d\\ude00!", "\xf0\x9f\x98\x80 raw",
    };

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        char quoted[128], out[128];
        json_t *j;
        size_t n;

        (void)snprintf(quoted, sizeof quoted, "\"%s\"", strings[i]);
        j = json_loads(quoted, JSON_DECODE_ANY, NULL);
        ck_assert_ptr_nonnull(j);
        strcpy(out, strings[i]);
        n = span_decode((struct span){out, strlen(out)}, out);       /* in place */
        ck_assert_uint_eq(n, json_string_length(j));
        ck_assert_mem_eq(out, json_string_value(j), n);
        json_decref(j);
    }
}
END_TEST

START_TEST(a_lone_surrogate_becomes_the_replacement_character)
{
    static const char *const lone[] = {"\\ud83d", "\\ude00", "\\ud83dx", "\\ud83d\\n", "\\ud83d\\u0041"};

    for (size_t i = 0; i < sizeof lone / sizeof *lone; i++) {
        char out[32];
        size_t n = span_decode((struct span){lone[i], strlen(lone[i])}, out);

        ck_assert_uint_ge(n, 3);
        ck_assert_mem_eq(out, "\xef\xbf\xbd", 3);
    }
}
END_TEST

START_TEST(a_nul_becomes_the_replacement_character)
{
    struct span s = {"a\\u0000b", 8};
    char out[16];

    ck_assert_uint_eq(span_decode(s, out), 5);
    ck_assert_mem_eq(out, "a\xef\xbf\xbd" "b", 5);
    span_copy(s, out, sizeof out);
    ck_assert_str_eq(out, "a\xef\xbf\xbd" "b");
}
END_TEST

START_TEST(a_copy_is_cut_at_a_character)
{
    struct span s = {"ab\\u20acc\xc3\xa9", 11};
    char out[16];

    span_copy(s, out, 16);
    ck_assert_str_eq(out, "ab\xe2\x82\xac" "c\xc3\xa9");
    span_copy(s, out, 5);
    ck_assert_str_eq(out, "ab");
    span_copy(s, out, 6);
    ck_assert_str_eq(out, "ab\xe2\x82\xac");
    span_copy(s, out, 8);
    ck_assert_str_eq(out, "ab\xe2\x82\xac" "c");
}
END_TEST

START_TEST(integers_are_taken_only_when_they_are_integers_and_fit)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } table[] = {
        {"0", true, 0}, {"-7", true, -7}, {"9223372036854775807", true, INT64_MAX}, {"9223372036854775808", false, 0},
        {"1.0", false, 0}, {"1e3", false, 0}, {"\"5\"", false, 0}, {"null", false, 0}, {"[1]", false, 0}, {"true", false, 0},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct scan s = scan_make(table[i].text, strlen(table[i].text));
        int64_t v = 0;

        ck_assert_int_eq(scan_int(&s, &v), table[i].ok);
        if (table[i].ok)
            ck_assert_int_eq(v, table[i].value);
        ck_assert(scan_ok(&s));
    }
}
END_TEST

START_TEST(dollars_are_taken_to_the_picodollar)
{
    static const struct { const char *text; int64_t pico; } table[] = {      /* -1: it is none */
        {"0", 0}, {"0.0", 0}, {"1", INT64_C(1000000000000)}, {"0.00014", 140000000}, {"1.23456789012e-3", 1234567890}, {"1e-12", 1},
        {"4.9e-13", 0}, {"5e-13", 1}, {"0.0000000000015", 2}, {"1E2", INT64_C(100000000000000)}, {"1000000", INT64_C(1000000000000000000)},
        {"1000001", -1}, {"1e99", -1}, {"1e-99", 0}, {"-1", -1}, {"-0.5", -1}, {"\"1\"", -1}, {"null", -1}, {"{}", -1},
        {"0.333333333333333333333333333333333333333333", INT64_C(333333333333)},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct scan s = scan_make(table[i].text, strlen(table[i].text));
        int64_t pico = -1;
        bool is = scan_dollars(&s, &pico);

        ck_assert_msg(is == (table[i].pico >= 0) && (!is || pico == table[i].pico), "%s: %lld", table[i].text, (long long)pico);
        ck_assert_msg(scan_ok(&s), "%s", table[i].text);
    }
}
END_TEST

UNIT_MAIN("scan", dollars_are_taken_to_the_picodollar, every_prefix_and_every_changed_byte_is_judged_as_jansson_does, broken_texts_are_refused, nesting_is_bounded,
          strings_are_decoded_as_jansson_decodes_them, a_lone_surrogate_becomes_the_replacement_character,
          a_nul_becomes_the_replacement_character,
          a_copy_is_cut_at_a_character, integers_are_taken_only_when_they_are_integers_and_fit)
