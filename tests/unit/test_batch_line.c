/* test_batch_line.c - what a line of a batch must be, and what an answer says of it. */
#include "flow/batch_line.h"

#include <string.h>

#include "base/json.h"
#include "unit.h"

START_TEST(a_line_has_an_id_a_known_path_and_a_body_with_a_model)
{
    static const char text[] = "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/embeddings\",\"body\":{\"model\":\"m\",\"input\":\"x\"}}";
    struct batch_line_fault f;
    struct batch_line l;

    ck_assert(batch_line_read(text, strlen(text), NULL, &l, &f));
    ck_assert_str_eq(l.custom_id, "a");
    ck_assert_str_eq(l.url, "/v1/embeddings");
    ck_assert_str_eq(json_str(l.body, "model", ""), "m");
    json_decref(l.json);
}
END_TEST

START_TEST(what_is_wrong_is_named_by_its_field)
{
    static const struct { const char *text, *param; } wrong[] = {
        {"nonsense", NULL},
        {"{}", "custom_id"},
        {"{\"custom_id\":\"a\",\"method\":\"GET\"}", "method"},
        {"{\"custom_id\":\"a\",\"url\":\"/v1/models\"}", "url"},
        {"{\"custom_id\":\"a\",\"body\":[]}", "body"},
        {"{\"custom_id\":\"a\",\"body\":{}}", "body.model"},
        {"{\"custom_id\":\"a\",\"body\":{\"model\":\"m\",\"stream\":true}}", "body.stream"},
    };
    struct batch_line_fault f;
    struct batch_line l;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert(!batch_line_read(wrong[i].text, strlen(wrong[i].text), NULL, &l, &f));
        ck_assert_pstr_eq(f.param, wrong[i].param);
        ck_assert(strlen(f.why) > 10);
    }
    ck_assert(batch_line_read(wrong[5].text, strlen(wrong[5].text), "fallback", &l, &f));
    ck_assert_str_eq(json_str(l.body, "model", ""), "fallback");
    json_decref(l.json);
}
END_TEST

START_TEST(an_answer_says_whether_to_try_again)
{
    static const struct { int status; const char *code; enum batch_verdict verdict; } said[] = {
        {200, "", BATCH_VERDICT_DONE},
        {400, "invalid_field", BATCH_VERDICT_GIVE_UP},
        {401, "invalid_token", BATCH_VERDICT_ACCESS},
        {402, "budget_exceeded", BATCH_VERDICT_BUDGET},
        {402, "unpriced_model", BATCH_VERDICT_GIVE_UP},
        {410, "interrupted", BATCH_VERDICT_AGAIN},
        {410, "gone", BATCH_VERDICT_AGAIN},
        {422, "idempotency_mismatch", BATCH_VERDICT_AGAIN},
        {422, "upstream_unprocessable", BATCH_VERDICT_GIVE_UP},
        {429, "queue_full", BATCH_VERDICT_PATIENCE},
        {429, "upstream_rate_limited", BATCH_VERDICT_RETRY},
        {503, "", BATCH_VERDICT_PATIENCE},
        {503, "draining", BATCH_VERDICT_PATIENCE},
        {500, "internal_error", BATCH_VERDICT_RETRY},
    };

    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        ck_assert_msg(batch_judge(said[i].status, said[i].code) == said[i].verdict, "%d %s", said[i].status, said[i].code);
}
END_TEST

START_TEST(tokens_that_cannot_be_are_not_counted)
{
    static const struct { const char *usage; int64_t in, out; } said[] = {
        {"{\"prompt_tokens\":3,\"completion_tokens\":4}", 3, 4},
        {"{\"input_tokens\":3,\"output_tokens\":4}", 3, 4},
        {"{\"prompt_tokens\":9223372036854775807,\"completion_tokens\":-1}", 0, 0},
        {"null", 0, 0},
    };

    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct batch_result r = {.model = NULL};
        json_t *usage = json_loads(said[i].usage, JSON_DECODE_ANY, NULL), *answer = json_pack("{s:o}", "usage", usage);

        batch_result_take(&r, answer);
        ck_assert_int_eq(r.tokens_in, said[i].in);
        ck_assert_int_eq(r.tokens_out, said[i].out);
        json_decref(answer);
    }
}
END_TEST

UNIT_MAIN("batch_line", a_line_has_an_id_a_known_path_and_a_body_with_a_model, what_is_wrong_is_named_by_its_field,
          an_answer_says_whether_to_try_again, tokens_that_cannot_be_are_not_counted)
