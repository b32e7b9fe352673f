/* h_v1_messages.c - Anthropic's paths: POST /v1/messages and /v1/messages/count_tokens.
 * To a provider that speaks alike the body goes as it came, with the client's
 * version and beta headers. */
#include "base/json.h"
#include "base/mem.h"
#include "peer/anthropic.h"
#include "web/route.h"
#include "web/v1.h"
#include "web/v1_count.h"

/* `max_tokens`: required, and 0 where only the provider's cache is to be filled. */
static enum weir_err read_cap(struct exchange *x, struct v1 *v)
{
    const json_t *cap = json_object_get(x->json, "max_tokens");

    if (!cap || json_is_null(cap))
        return web_refuse(x, WEIR_E_MISSING_FIELD, "max_tokens", "'max_tokens' is missing: the most tokens that the answer may have.");
    v->no_answer = json_is_integer(cap) && json_integer_value(cap) == 0;
    v->max_tokens = 1;
    return v->no_answer ? WEIR_OK : v1_count(x, "max_tokens", V1_CAP_MAX, &v->max_tokens);
}

static char *head_line_of(const char *name, const char *value)
{
    struct sb line = sb_make(16 * 1024);

    sb_putf(&line, "%s: %s", name, value);
    return sb_take(&line);
}

/* What the client says of the protocol goes to a provider that speaks it. */
static void take_heads(const struct exchange *x, struct job *j)
{
    size_t n = 0;

    j->heads[n++] = x->in.anthropic_version ? head_line_of("anthropic-version", x->in.anthropic_version) : mem_strdup(ANTHROPIC_VERSION);
    if (x->in.anthropic_beta)
        j->heads[n++] = head_line_of("anthropic-beta", x->in.anthropic_beta);
}

static enum weir_err messages(struct exchange *x, struct v1 *v)
{
    static const char *const own[] = {"max_tokens", NULL};
    enum weir_err e = v1_begin(x, WIRE_MESSAGES, "messages", v);
    struct job *j;

    if (e || (e = v1_check_messages(x)) || (e = read_cap(x, v)))
        return e;
    v1_gather_turns(x, v);
    e = v1_fit(x, v, v1_count_messages, "messages");
    if (e)
        return e;
    j = v1_job(x, v);
    take_heads(x, j);
    j->usage_wanted = true;
    return v1_go(x, v, j, own);
}

enum weir_err h_v1_messages(struct exchange *x)
{
    return v1_serve(x, messages);
}

/* --- count_tokens --- */

/* It is free, and counts against no limit on tokens. */
static int64_t count_nothing(const struct tokens_model *m, const char *model, const void *body)
{
    (void)m;
    (void)model;
    (void)body;
    return 0;
}

/* A provider that can say it is asked; for the others the tokenizer speaks. */
static enum weir_err count(struct exchange *x, struct v1 *v)
{
    static const char *const own[] = {"stream", NULL};
    enum weir_err e = v1_begin(x, WIRE_COUNT_TOKENS, "messages", v);
    struct job *j;

    if (e || (e = v1_check_messages(x)))
        return e;
    v->launch.kind = JOB_COMPLETE;
    v->candidates.n = 1;
    if (!candidates_speak(x, &v->candidates, PROTOCOL_ANTHROPIC)) {
        candidates_count_by(&v->candidates, v1_count_messages, x->json);
        sb_puts(&x->out.body, "{\"input_tokens\":");
        sb_i64(&x->out.body, v->candidates.of[0].prompt_tokens);
        sb_puts(&x->out.body, "}\n");
        return WEIR_OK;
    }
    v->max_tokens = 1;                               /* there is no output; admission wants a number */
    e = v1_fit(x, v, count_nothing, "messages");
    if (e)
        return e;
    j = v1_job(x, v);
    j->ask.model ^= 1;                               /* what its answers take says nothing of the model's others */
    take_heads(x, j);
    return v1_go(x, v, j, own);
}

enum weir_err h_v1_count_tokens(struct exchange *x)
{
    return v1_serve(x, count);
}
