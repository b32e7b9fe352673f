/* Text from outside: what is refused, with which code, and what it says. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

static enum weir_err parse(const char *text, char why[160])
{
    json_t *root = NULL;
    enum weir_err e = json_parse_object(text, strlen(text), &json_limits_own, &root, why);

    ck_assert_int_eq(e == WEIR_OK, root != NULL);
    json_decref(root);
    return e;
}

START_TEST(each_kind_of_bad_text_has_its_code_and_a_sentence)
{
    static const struct {
        const char *text;
        enum weir_err want;
    } rows[] = {
        {"{}", WEIR_OK},
        {"{\"a\":[1,2.5,\"x\",null,true]}", WEIR_OK},
        {"", WEIR_E_INVALID_JSON},
        {"   ", WEIR_E_INVALID_JSON},
        {"[1]", WEIR_E_INVALID_JSON},
        {"\"text\"", WEIR_E_INVALID_JSON},
        {"{\"a\":1,}", WEIR_E_INVALID_JSON},
        {"{\"a\":01}", WEIR_E_INVALID_JSON},
        {"{\"a\":NaN}", WEIR_E_INVALID_JSON},
        {"{} x", WEIR_E_INVALID_JSON},
        {"\xef\xbb\xbf{}", WEIR_E_INVALID_JSON},
        {"{\"a\":\"\\u0000\"}", WEIR_E_INVALID_JSON},
        {"{\"a\":1e999}", WEIR_E_INVALID_JSON},
        {"{\"a\":99999999999999999999}", WEIR_E_INVALID_JSON},
        {"{\"a\":1,\"a\":2}", WEIR_E_DUPLICATE_KEY},
        {"{\"a\":\"\xff\"}", WEIR_E_INVALID_UTF8},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char why[160] = "";
        enum weir_err got = parse(rows[i].text, why);

        ck_assert_msg(got == rows[i].want, "row %zu (%s): got %s, want %s", i, rows[i].text, err_code(got),
                      err_code(rows[i].want));
        ck_assert_msg(got == WEIR_OK || strlen(why) > 10, "row %zu: no sentence", i);
    }
}
END_TEST

START_TEST(depth_and_size_are_bounded_before_anything_is_built)
{
    char why[160];
    struct sb b = sb_make(1 << 20);

    sb_puts(&b, "{\"a\":");
    for (int i = 0; i < 31; i++)
        sb_putc(&b, '[');
    for (int i = 0; i < 31; i++)
        sb_putc(&b, ']');
    sb_putc(&b, '}');
    ck_assert_int_eq(parse(sb_str(&b), why), WEIR_OK);

    sb_reset(&b);
    sb_puts(&b, "{\"a\":");
    for (int i = 0; i < 500000; i++)
        sb_putc(&b, '[');
    ck_assert_int_eq(parse(sb_str(&b), why), WEIR_E_JSON_TOO_DEEP);

    sb_reset(&b);
    sb_puts(&b, "{\"a\":[0");
    for (int i = 0; i < 40000; i++)
        sb_puts(&b, ",0");
    sb_puts(&b, "]}");
    ck_assert_int_eq(parse(sb_str(&b), why), WEIR_E_TOO_MANY_ITEMS);
    sb_done(&b);
}
END_TEST

START_TEST(brackets_and_commas_inside_strings_do_not_count)
{
    char why[160];
    struct sb b = sb_make(1 << 20);

    sb_puts(&b, "{\"a\":\"\\\"");
    for (int i = 0; i < 20000; i++)
        sb_puts(&b, "[,{:");
    sb_puts(&b, "\"}");
    ck_assert_int_eq(parse(sb_str(&b), why), WEIR_OK);
    sb_done(&b);
}
END_TEST

START_TEST(members_of_another_type_fall_back)
{
    char why[160];
    json_t *o = NULL;
    static const char text[] = "{\"s\":\"x\",\"n\":7,\"z\":null}";

    ck_assert_int_eq(json_parse_object(text, sizeof text - 1, &json_limits_own, &o, why), WEIR_OK);
    ck_assert_str_eq(json_str(o, "s", "-"), "x");
    ck_assert_str_eq(json_str(o, "n", "-"), "-");
    ck_assert_str_eq(json_str(o, "z", "-"), "-");
    ck_assert_int_eq(json_int(o, "n", -1), 7);
    ck_assert_int_eq(json_int(o, "s", -1), -1);
    json_decref(o);
}
END_TEST

UNIT_MAIN("json", each_kind_of_bad_text_has_its_code_and_a_sentence,
          depth_and_size_are_bounded_before_anything_is_built, brackets_and_commas_inside_strings_do_not_count,
          members_of_another_type_fall_back)
