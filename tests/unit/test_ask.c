/* test_ask.c - the body of a chat request. */
#include "web/ask.h"

#include <string.h>

#include "unit.h"

static enum weir_err read_text(const char *json, struct chat_ask *a, struct field_fault *f)
{
    static json_t *kept;          /* what was read points into it */
    json_t *obj = json_loads(json, 0, NULL);

    ck_assert_msg(obj != NULL, "not JSON: %s", json);
    json_decref(kept);
    kept = obj;
    memset(f, 0, sizeof *f);
    return ask_read(obj, a, f);
}

START_TEST(a_message_alone_is_enough)
{
    struct chat_ask a;
    struct field_fault f;

    ck_assert_int_eq(read_text("{\"message\":\"hello\"}", &a, &f), WEIR_OK);
    ck_assert_str_eq(a.message, "hello");
    ck_assert_int_eq(a.priority, PRIORITY_MEDIUM);
    ck_assert_int_eq(a.max_tokens, 0);
    ck_assert(!a.keep);
    ck_assert_ptr_null(a.session_id);
}
END_TEST

START_TEST(everything_that_may_be_said_is_read)
{
    struct chat_ask a;
    struct field_fault f;

    ck_assert_int_eq(read_text("{\"messages\":[{\"role\":\"system\",\"content\":\"\"},{\"role\":\"user\",\"content\":\"x\"}],"
                               "\"session_id\":\"ses_1\",\"model\":\"m\",\"priority\":\"High\",\"system\":\"s\",\"max_tokens\":7,"
                               "\"temperature\":0.5,\"top_p\":1,\"stop\":[\"a\",\"b\"],\"idempotency_key\":\"k\","
                               "\"metadata\":{\"a\":\"b\",\"n\":1,\"yes\":true},\"on_disconnect\":\"keep\"}", &a, &f), WEIR_OK);
    ck_assert_uint_eq(json_array_size(a.messages), 2);
    ck_assert_int_eq(a.priority, PRIORITY_HIGH);
    ck_assert_int_eq(a.max_tokens, 7);
    ck_assert_uint_eq(json_object_size(a.metadata), 3);
    ck_assert(a.keep);
}
END_TEST

START_TEST(each_fault_has_its_code_and_names_the_field)
{
    static const struct {
        const char *json;
        enum weir_err e;
        const char *param;
    } cases[] = {
        {"{}", WEIR_E_MISSING_FIELD, "message"},
        {"{\"message\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", WEIR_E_INVALID_FIELD, "messages"},
        {"{\"message\":\" \\n\\t\"}", WEIR_E_INVALID_FIELD, "message"},
        {"{\"messages\":[]}", WEIR_E_INVALID_FIELD, "messages"},
        {"{\"messages\":[1]}", WEIR_E_INVALID_FIELD, "messages[0]"},
        {"{\"messages\":[{\"content\":\"x\"}]}", WEIR_E_MISSING_FIELD, "messages[0].role"},
        {"{\"messages\":[{\"role\":\"wizard\",\"content\":\"x\"}]}", WEIR_E_INVALID_FIELD, "messages[0].role"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"user\",\"content\":5}]}", WEIR_E_INVALID_FIELD,
         "messages[1].content"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"y\"}]}", WEIR_E_INVALID_FIELD,
         "messages[1].role"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"name\":\"n\"}]}", WEIR_E_UNKNOWN_FIELD, "messages[0].name"},
        {"{\"message\":\"x\",\"api_base\":\"http://evil\"}", WEIR_E_UNKNOWN_FIELD, "api_base"},
        {"{\"message\":\"x\",\"priority\":\"high\"}", WEIR_E_INVALID_FIELD, "priority"},
        {"{\"message\":\"x\",\"on_disconnect\":\"maybe\"}", WEIR_E_INVALID_FIELD, "on_disconnect"},
        {"{\"message\":\"x\",\"stop\":[\"a\",1]}", WEIR_E_INVALID_FIELD, "stop"},
        {"{\"message\":\"x\",\"stop\":[\"a\",\"a\",\"a\",\"a\",\"a\"]}", WEIR_E_INVALID_FIELD, "stop"},
        {"{\"message\":\"x\",\"max_tokens\":0}", WEIR_E_OUT_OF_RANGE, "max_tokens"},
        {"{\"message\":\"x\",\"max_tokens\":1000000000}", WEIR_E_OUT_OF_RANGE, "max_tokens"},
        {"{\"message\":\"x\",\"metadata\":{\"a\":{}}}", WEIR_E_INVALID_FIELD, "metadata.a"},
        {"{\"message\":\"x\",\"metadata\":{\"__proto__\":\"1\"}}", WEIR_E_INVALID_FIELD, "metadata.__proto__"},
        {"{\"message\":\"x\",\"session_id\":\"\"}", WEIR_E_OUT_OF_RANGE, "session_id"},
    };
    struct chat_ask a;
    struct field_fault f;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum weir_err e = read_text(cases[i].json, &a, &f);

        ck_assert_msg(e == cases[i].e, "%s: %s instead of %s", cases[i].json, err_code(e), err_code(cases[i].e));
        ck_assert_str_eq(f.param, cases[i].param);
        ck_assert_str_ne(f.why, "");
    }
}
END_TEST

UNIT_MAIN("ask", a_message_alone_is_enough, everything_that_may_be_said_is_read,
          each_fault_has_its_code_and_names_the_field)
