/* fuzz_translate.c - a request of one protocol in the other's words: either there
 * is a body that can be sent, or a member is named and the refusal is sound. */
#include <string.h>

#include "base/json.h"
#include "fuzz.h"
#include "peer/translate.h"

const size_t fuzz_neighbours = 1000;

typedef enum weir_err translate_fn(const json_t *from, json_t **out, struct translate_fault *fault);

static void check_refusal(enum weir_err e, const struct translate_fault *fault)
{
    struct err_detail d = {.message = fault->why, .param = fault->param, .retry_after_ms = -1};
    struct sb out = sb_make(1 << 16);
    char why[160];
    json_t *told;

    must(e == WEIR_E_INVALID_FIELD && *fault->why);
    err_json(&out, e, &d);
    must(json_parse_object(sb_str(&out), out.len, &json_limits_own, &told, why) == WEIR_OK);
    json_decref(told);
    sb_done(&out);
}

/* What is said in the other's words can be written, has messages, and is the same when it is said again. */
static void check_said(translate_fn *fn, const json_t *from, json_t *said)
{
    struct translate_fault fault = {.why = ""};
    char *text = json_dumps(said, JSON_COMPACT), why[160];
    json_t *again;

    must(text && json_parse_object(text, strlen(text), &json_limits_compat, &again, why) == WEIR_OK);
    must(json_is_array(json_object_get(again, "messages")) && !json_object_get(again, "model") && !json_object_get(again, "max_tokens"));
    json_decref(again);
    must(fn(from, &again, &fault) == WEIR_OK && json_equal(again, said));
    json_decref(again);
    free(text);
}

static void check(translate_fn *fn, const json_t *body)
{
    struct translate_fault fault = {.why = ""};
    json_t *said;
    enum weir_err e = fn(body, &said, &fault);

    must((e == WEIR_OK) == (said != NULL));
    if (e)
        check_refusal(e, &fault);
    else
        check_said(fn, body, said);
    json_decref(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char why[160], *text = malloc(n ? n : 1);
    json_t *body;

    memcpy(text, data, n);
    if (json_parse_object(text, n, &json_limits_own, &body, why) == WEIR_OK) {
        check(translate_to_messages, body);
        check(translate_to_chat, body);
        json_decref(body);
    }
    free(text);
    return 0;
}
