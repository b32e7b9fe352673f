/* test_field.c - members of a JSON object read by a table. */
#include "web/field.h"

#include <string.h>

#include "unit.h"

struct ask_like {
    const char *text;
    int64_t n;
    const json_t *temperature;
    int pinned;
    const json_t *list;
};

static const struct field fields[] = {
    {"text", FIELD_TEXT, offsetof(struct ask_like, text), 1, 5, true},
    {"n", FIELD_INT, offsetof(struct ask_like, n), 1, 10, false},
    {"temperature", FIELD_NUMBER, offsetof(struct ask_like, temperature), 0, 2000, false},
    {"pinned", FIELD_BOOL, offsetof(struct ask_like, pinned), 0, 1, false},
    {"list", FIELD_LIST, offsetof(struct ask_like, list), 1, 2, false},
};

static enum weir_err read_text(const char *json, struct ask_like *into, struct field_fault *fault)
{
    static json_t *kept;          /* what was read points into it */
    json_t *obj = json_loads(json, 0, NULL);

    ck_assert_ptr_nonnull(obj);
    json_decref(kept);
    kept = obj;
    *into = (struct ask_like){.n = 7, .pinned = -1};
    memset(fault, 0, sizeof *fault);
    return field_read(obj, fields, sizeof fields / sizeof *fields, "a[1].", into, fault);
}

START_TEST(members_go_where_the_table_says)
{
    struct ask_like a;
    struct field_fault f;

    ck_assert_int_eq(read_text("{\"text\":\"hi\",\"n\":3,\"temperature\":0.5,\"pinned\":true,\"list\":[1]}", &a, &f), WEIR_OK);
    ck_assert_str_eq(a.text, "hi");
    ck_assert_int_eq(a.n, 3);
    ck_assert(json_number_value(a.temperature) > 0.49);
    ck_assert_int_eq(a.pinned, 1);
    ck_assert_uint_eq(json_array_size(a.list), 1);
}
END_TEST

START_TEST(absent_and_null_members_keep_their_value)
{
    struct ask_like a;
    struct field_fault f;

    ck_assert_int_eq(read_text("{\"text\":\"hi\",\"n\":null}", &a, &f), WEIR_OK);
    ck_assert_int_eq(a.n, 7);
    ck_assert_int_eq(a.pinned, -1);
}
END_TEST

START_TEST(each_fault_has_its_code_and_names_the_field)
{
    static const struct {
        const char *json;
        enum weir_err e;
        const char *param;
    } cases[] = {
        {"{\"text\":\"hi\",\"base_url\":\"x\"}", WEIR_E_UNKNOWN_FIELD, "a[1].base_url"},
        {"{\"n\":1}", WEIR_E_MISSING_FIELD, "a[1].text"},
        {"{\"text\":null}", WEIR_E_MISSING_FIELD, "a[1].text"},
        {"{\"text\":1}", WEIR_E_INVALID_FIELD, "a[1].text"},
        {"{\"text\":\"hi\",\"n\":1.5}", WEIR_E_INVALID_FIELD, "a[1].n"},
        {"{\"text\":\"hi\",\"n\":0}", WEIR_E_OUT_OF_RANGE, "a[1].n"},
        {"{\"text\":\"hi\",\"n\":11}", WEIR_E_OUT_OF_RANGE, "a[1].n"},
        {"{\"text\":\"\"}", WEIR_E_OUT_OF_RANGE, "a[1].text"},
        {"{\"text\":\"123456\"}", WEIR_E_OUT_OF_RANGE, "a[1].text"},
        {"{\"text\":\"hi\",\"temperature\":2.001}", WEIR_E_OUT_OF_RANGE, "a[1].temperature"},
        {"{\"text\":\"hi\",\"temperature\":-1}", WEIR_E_OUT_OF_RANGE, "a[1].temperature"},
        {"{\"text\":\"hi\",\"pinned\":1}", WEIR_E_INVALID_FIELD, "a[1].pinned"},
        {"{\"text\":\"hi\",\"list\":[]}", WEIR_E_OUT_OF_RANGE, "a[1].list"},
        {"{\"text\":\"hi\",\"list\":{}}", WEIR_E_INVALID_FIELD, "a[1].list"},
    };
    struct ask_like a;
    struct field_fault f;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum weir_err e = read_text(cases[i].json, &a, &f);

        ck_assert_msg(e == cases[i].e, "%s: %s instead of %s", cases[i].json, err_code(e), err_code(cases[i].e));
        ck_assert_str_eq(f.param, cases[i].param);
        ck_assert_str_ne(f.why, "");
    }
}
END_TEST

UNIT_MAIN("field", members_go_where_the_table_says, absent_and_null_members_keep_their_value,
          each_fault_has_its_code_and_names_the_field)
