/* batch_line.c - see batch_line.h. The format is that of OpenAI's Batch API. */
#include "flow/batch_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define TOKENS_MAX INT64_C(1000000000000)         /* a million million in one answer are none */

bool batch_url_known(const char *url)
{
    static const char *const urls[] = {"/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/messages"};

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        if (strcmp(url, urls[i]) == 0)
            return true;
    return false;
}

/* --- requests --- */

__attribute__((format(printf, 3, 4))) static bool fault_at(struct batch_line_fault *f, const char *param, const char *fmt, ...)
{
    va_list ap;

    f->param = param;
    va_start(ap, fmt);
    (void)vsnprintf(f->why, sizeof f->why, fmt, ap);
    va_end(ap);
    return false;
}

static bool check(const struct batch_line *l, const char *model, struct batch_line_fault *f)
{
    if (!*l->custom_id || strlen(l->custom_id) > BATCH_ID_MAX)
        return fault_at(f, "custom_id", "'custom_id' must be a text of 1 to %d bytes.", BATCH_ID_MAX);
    if (strcmp(json_str(l->json, "method", "POST"), "POST") != 0)
        return fault_at(f, "method", "'method' must be POST.");
    if (!batch_url_known(l->url))
        return fault_at(f, "url", "'url' must be /v1/chat/completions, /v1/embeddings, /v1/responses or /v1/messages.");
    if (!json_is_object(l->body))
        return fault_at(f, "body", "'body' must be an object.");
    if (!*json_str(l->body, "model", model ? model : ""))
        return fault_at(f, "body.model", "'body.model' is missing.");
    if (json_is_true(json_object_get(l->body, "stream")))
        return fault_at(f, "body.stream", "'body.stream' cannot be true in a batch.");
    return true;
}

bool batch_line_read(const char *text, size_t n, const char *model, struct batch_line *out, struct batch_line_fault *fault)
{
    char why[160];

    *out = (struct batch_line){NULL};
    if (json_parse_object(text, n, &json_limits_compat, &out->json, why))
        return fault_at(fault, NULL, "%s", why);
    out->custom_id = json_str(out->json, "custom_id", "");
    out->url = json_str(out->json, "url", "/v1/chat/completions");
    out->body = json_object_get(out->json, "body");
    if (!check(out, model, fault)) {
        json_decref(out->json);
        return false;
    }
    if (!*json_str(out->body, "model", ""))
        (void)json_object_set_new(out->body, "model", json_string(model));
    return true;
}

/* --- answers --- */

/* As the provider says; what is no count must not spoil the sums of a batch. */
static int64_t count_of(const json_t *usage, const char *name, const char *other)
{
    int64_t n = json_int(usage, name, json_int(usage, other, 0));

    return n < 0 || n > TOKENS_MAX ? 0 : n;
}

void batch_result_take(struct batch_result *r, const json_t *answer)
{
    const json_t *usage = json_object_get(answer, "usage");

    r->model = json_str(answer, "model", "");
    r->tokens_in = count_of(usage, "prompt_tokens", "input_tokens");
    r->tokens_out = count_of(usage, "completion_tokens", "output_tokens");
}

int64_t batch_result_paid(const struct batch_result *r)
{
    return (r->cost > 0 ? r->cost : 0) + (r->first_request_id && r->first_cost > 0 ? r->first_cost : 0);
}

static void put_cost(struct sb *out, const char *name, int64_t pico)
{
    sb_putf(out, ",\"%s\":", name);
    if (pico >= 0)
        sb_usd(out, pico);
    else
        sb_puts(out, "null");
}

static void put_weir(struct sb *out, const struct batch_result *r)
{
    sb_puts(out, ",\"weir\":{\"model\":");
    sb_json(out, r->model);
    put_cost(out, "cost_usd", r->cost);
    sb_putf(out, ",\"cost_picodollars\":%" PRId64 ",\"tokens_in\":%" PRId64 ",\"tokens_out\":%" PRId64 ",\"tries\":%d",
            batch_result_paid(r), r->tokens_in, r->tokens_out, r->tries);
    if (r->first_request_id) {
        sb_puts(out, ",\"first_request_id\":");
        sb_json(out, r->first_request_id);
        put_cost(out, "first_cost_usd", r->first_cost);
    }
    sb_putc(out, '}');
}

void batch_line_put(struct sb *out, size_t n, const char *custom_id, const struct batch_result *r)
{
    sb_putf(out, "{\"id\":\"batch_req_%zu\",\"custom_id\":", n + 1);
    sb_json(out, custom_id);
    put_weir(out, r);
    sb_puts(out, ",\"response\":");
    if (r->status) {
        sb_putf(out, "{\"status_code\":%d,\"request_id\":", r->status);
        sb_json(out, r->request_id);
        sb_puts(out, ",\"body\":");
        if (r->body_bytes)
            sb_put(out, r->body, r->body_bytes);
        else
            sb_puts(out, "null");
        sb_puts(out, "}");
    } else
        sb_puts(out, "null");
    sb_puts(out, ",\"error\":");
    if (r->error && (!r->status || !r->body_bytes)) {
        sb_puts(out, "{\"code\":");
        sb_json(out, r->code);
        sb_puts(out, ",\"message\":");
        sb_json(out, r->error);
        sb_putc(out, '}');
    } else
        sb_puts(out, "null");
    sb_puts(out, "}\n");
}

/* --- what an answer says of its item --- */

static bool is_one_of(const char *code, const char *const *codes)
{
    while (*codes && strcmp(code, *codes) != 0)
        codes++;
    return *codes != NULL;
}

static bool is_patience(int status, const char *code)
{
    static const char *const codes[] = {"queue_full", "queue_timeout", "rate_limited", "draining", "overloaded", "storage_unavailable",
                                        "idempotency_in_progress", NULL};

    return is_one_of(code, codes) || (!*code && (status == 429 || status == 502 || status == 503 || status == 504));   /* nginx's own */
}

enum batch_verdict batch_judge(int status, const char *code)
{
    static const char *const kept_no_more[] = {"gone", "interrupted", "idempotency_mismatch", NULL};

    if (status == 200)
        return BATCH_VERDICT_DONE;
    if (status == 401)
        return BATCH_VERDICT_ACCESS;
    if (status == 402 && strcmp(code, "unpriced_model") != 0)
        return BATCH_VERDICT_BUDGET;
    if (is_one_of(code, kept_no_more))
        return BATCH_VERDICT_AGAIN;
    if (is_patience(status, code))
        return BATCH_VERDICT_PATIENCE;
    if (status == 429 || status >= 500 || status == 408 || status == 409)
        return BATCH_VERDICT_RETRY;
    return BATCH_VERDICT_GIVE_UP;
}
