/* test_title.c - titles are one calm line. */
#include "web/title.h"

#include <string.h>

#include "unit.h"

static const char *title(const char *text, size_t max_chars)
{
    static struct sb out;

    sb_done(&out);
    out = sb_make(4096);
    title_put(&out, text, max_chars);
    ck_assert(sb_ok(&out));
    return sb_str(&out);
}

START_TEST(white_space_becomes_single_spaces_and_ends_are_trimmed)
{
    ck_assert_str_eq(title("  a \n\t b\xc2\xa0" "c ", 60), "a b c");
    ck_assert_str_eq(title(" \n ", 60), "");
}
END_TEST

START_TEST(a_long_text_is_cut_at_a_word)
{
    ck_assert_str_eq(title("one two three", 13), "one two three");
    ck_assert_str_eq(title("one two three", 12), "one two\xe2\x80\xa6");
    ck_assert_str_eq(title("one two three", 9), "one two\xe2\x80\xa6");
    ck_assert_str_eq(title("abcdefghijklm", 5), "abcde\xe2\x80\xa6");
    ck_assert_str_eq(title("a bcdefghijklm", 6), "a bcde\xe2\x80\xa6");
}
END_TEST

START_TEST(characters_count_not_bytes)
{
    ck_assert_str_eq(title("\xc3\xa4\xc3\xb6\xc3\xbc", 3), "\xc3\xa4\xc3\xb6\xc3\xbc");
    ck_assert_str_eq(title("\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 1), "\xf0\x9f\x98\x80\xe2\x80\xa6");
}
END_TEST

START_TEST(control_bidi_and_invisible_characters_are_left_out)
{
    ck_assert_str_eq(title("a\x01" "b\x7f", 60), "ab");
    ck_assert_str_eq(title("x\xe2\x80\xae" "evil\xe2\x80\xac", 60), "xevil");        /* U+202E, U+202C */
    ck_assert_str_eq(title("a\xe2\x80\x8b" "b\xef\xbb\xbf", 60), "ab");              /* U+200B, U+FEFF */
}
END_TEST

START_TEST(bytes_that_are_no_utf8_are_left_out)
{
    ck_assert_str_eq(title("a\xff" "b\xc3", 60), "ab");
}
END_TEST

START_TEST(the_longest_title_of_the_longest_characters_fits)
{
    char text[4 * TITLE_CHARS * 2 + 1] = "";

    for (int i = 0; i < TITLE_CHARS * 2; i++)
        memcpy(text + 4 * i, "\xf0\x9f\x98\x80", 5);
    ck_assert_uint_eq(strlen(title(text, 10000)), 4 * TITLE_CHARS + 3);
}
END_TEST

UNIT_MAIN("title", white_space_becomes_single_spaces_and_ends_are_trimmed, a_long_text_is_cut_at_a_word,
          characters_count_not_bytes, control_bidi_and_invisible_characters_are_left_out,
          bytes_that_are_no_utf8_are_left_out, the_longest_title_of_the_longest_characters_fits)
