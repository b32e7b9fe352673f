/* The table of refusals: every row complete, its JSON what clients rely on. */
#include "unit.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"

START_TEST(every_refusal_has_a_status_a_type_a_unique_code_and_a_sentence)
{
    for (int i = 1; i < WEIR_ERR_COUNT; i++) {
        enum weir_err e = (enum weir_err)i;

        ck_assert_int_ge(err_status(e), 400);
        ck_assert_int_le(err_status(e), 504);
        ck_assert_str_ne(err_type(e), "");
        ck_assert_msg(strchr(err_text(e), '.') != NULL, "%s has no sentence", err_code(e));
        for (int k = 1; k < i; k++)
            ck_assert_str_ne(err_code(e), err_code((enum weir_err)k));
    }
}
END_TEST

START_TEST(the_error_object_has_every_field_also_when_unknown)
{
    struct sb b = sb_make(1000);
    char why[160];
    json_t *root = NULL, *err;

    err_json(&b, WEIR_E_QUEUE_FULL, NULL);
    ck_assert(sb_ok(&b));
    ck_assert_int_eq(json_parse_object(b.p, b.len, &json_limits_own, &root, why), WEIR_OK);
    err = json_object_get(root, "error");
    ck_assert_str_eq(json_str(err, "type", ""), "rate_limited");
    ck_assert_str_eq(json_str(err, "code", ""), "queue_full");
    ck_assert(json_is_null(json_object_get(err, "param")));
    ck_assert(json_is_null(json_object_get(err, "request_id")));
    ck_assert(json_is_null(json_object_get(err, "retry_after_ms")));
    json_decref(root);
    sb_done(&b);
}
END_TEST

START_TEST(details_replace_the_defaults_and_are_escaped)
{
    struct sb b = sb_make(1000);
    struct err_detail d = {.message = "say \"no\"", .param = "messages[2].content", .request_id = "req_1",
                           .retry_after_ms = 1200, .extra = ",\"budget\":{}"};

    err_json_inner(&b, WEIR_E_BUDGET, &d);
    ck_assert_str_eq(sb_str(&b),
                     "{\"type\":\"budget_exceeded\",\"code\":\"budget_exceeded\",\"message\":\"say \\\"no\\\"\","
                     "\"param\":\"messages[2].content\",\"request_id\":\"req_1\",\"retry_after_ms\":1200,\"budget\":{}}");
    sb_done(&b);
}
END_TEST

UNIT_MAIN("err", every_refusal_has_a_status_a_type_a_unique_code_and_a_sentence,
          the_error_object_has_every_field_also_when_unknown, details_replace_the_defaults_and_are_escaped)
