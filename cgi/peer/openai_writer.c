/* openai_writer.c - answers in OpenAI's shapes, put together from parts, and
 * refusals: Weir's error object is OpenAI's with more members. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "peer/openai.h"

/* --- chunks --- */

static void put_head(struct sb *out, const struct wire_call *c, const char *object)
{
    sb_puts(out, "{\"id\":\"");
    if (c->id[0])
        sb_puts(out, c->id);
    else
        sb_putf(out, "chatcmpl-%s", c->request_id);
    sb_putf(out, "\",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":", object, c->created_s);
    sb_json(out, c->model);
}

/* Up to what is in the delta. The first one says whose words they are. */
static void chunk_begin(struct sb *out, struct wire_call *c)
{
    sb_puts(out, "data: ");
    put_head(out, c, "chat.completion.chunk");
    sb_puts(out, ",\"choices\":[{\"index\":0,\"delta\":{");
    if (!c->note.begun && !c->note.passed)
        sb_puts(out, "\"role\":\"assistant\",");
    c->note.begun = true;
}

static void chunk_end(struct sb *out)
{
    sb_puts(out, "},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
}

static void put_member(struct sb *out, struct wire_call *c, const char *name, const char *raw, size_t n)
{
    chunk_begin(out, c);
    sb_putf(out, "\"%s\":\"", name);
    sb_put(out, raw, n);
    sb_putc(out, '"');
    chunk_end(out);
}

static void put_text(struct sb *out, struct wire_call *c, const char *raw, size_t n)
{
    put_member(out, c, "content", raw, n);
}

static void put_reasoning(struct sb *out, struct wire_call *c, const char *raw, size_t n)
{
    put_member(out, c, "reasoning_content", raw, n);
}

static void put_span(struct sb *out, const char *before, struct span s)
{
    sb_puts(out, before);
    sb_put(out, s.p, s.n);
    sb_putc(out, '"');
}

static void put_call(struct sb *out, struct wire_call *c, const struct wire_piece *p)
{
    chunk_begin(out, c);
    sb_putf(out, "\"tool_calls\":[{\"index\":%" PRId64, p->index);
    if (p->id.p) {
        put_span(out, ",\"id\":\"", p->id);
        sb_puts(out, ",\"type\":\"function\"");
    }
    sb_puts(out, ",\"function\":{");
    if (p->name.p) {
        put_span(out, "\"name\":\"", p->name);
        sb_putc(out, ',');
    }
    put_span(out, "\"arguments\":\"", p->arguments);
    sb_puts(out, "}}]");
    chunk_end(out);
}

static void put_usage(struct sb *out, const struct usage_tokens *u)
{
    sb_putf(out, "{\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64
            ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRId64 ",\"cache_write_tokens\":%" PRId64
            "},\"completion_tokens_details\":{\"reasoning_tokens\":%" PRId64 "}}",
            u->prompt, u->completion, u->prompt + u->completion, u->cached, u->cache_write + u->cache_write_1h, u->reasoning);
}

static void put_finish(struct sb *out, struct wire_call *c, const char *finish, const struct usage_tokens *u)
{
    if (!c->note.begun && !c->note.passed)
        put_text(out, c, "", 0);
    sb_puts(out, "data: ");
    put_head(out, c, "chat.completion.chunk");
    sb_putf(out, ",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"%s\"}]}\n\n", wire_finish(finish));
    if (!c->usage_wanted)
        return;
    sb_puts(out, "data: ");
    put_head(out, c, "chat.completion.chunk");
    sb_puts(out, ",\"choices\":[],\"usage\":");
    put_usage(out, u);
    sb_puts(out, "}\n\n");
}

/* --- whole answers --- */

static void put_calls(struct sb *out, const struct wire_answer *a)
{
    for (size_t i = 0; i < a->call_count; i++) {
        put_span(out, i ? ",{\"id\":\"" : ",\"tool_calls\":[{\"id\":\"", a->calls[i].id);
        put_span(out, ",\"type\":\"function\",\"function\":{\"name\":\"", a->calls[i].name);
        put_span(out, ",\"arguments\":\"", a->calls[i].arguments);
        sb_puts(out, "}}");
    }
    if (a->call_count)
        sb_putc(out, ']');
}

static void put_whole(struct sb *out, const struct wire_call *c, const struct wire_answer *a)
{
    put_head(out, c, "chat.completion");
    sb_puts(out, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"");
    if (a->text.n == 0 && a->call_count)
        sb_puts(out, ",\"content\":null");
    else
        put_span(out, ",\"content\":\"", a->text);
    if (a->reasoning.n)
        put_span(out, ",\"reasoning_content\":\"", a->reasoning);
    sb_puts(out, ",\"refusal\":null");
    put_calls(out, a);
    sb_putf(out, "},\"logprobs\":null,\"finish_reason\":\"%s\"}],\"usage\":", wire_finish(a->finish));
    put_usage(out, a->usage);
    sb_putc(out, '}');
}

/* --- refusals and limits --- */

static void put_error(struct sb *out, enum weir_err e, const struct err_detail *d)
{
    err_json(out, e, d);
}

static void put_error_event(struct sb *out, enum weir_err e, const struct err_detail *d)
{
    sb_puts(out, "data: ");
    err_json(out, e, d);
    sb_puts(out, "\n\ndata: [DONE]\n\n");
}

/* As Go writes a duration: 120ms, 1s, 6m0s. */
static void put_duration(struct sb *out, int64_t us)
{
    int64_t ms = (us + USEC_PER_MS - 1) / USEC_PER_MS, s = ms / 1000;

    if (ms < 1000) {
        sb_putf(out, "%" PRId64 "ms", ms);
        return;
    }
    if (s >= 3600)
        sb_putf(out, "%" PRId64 "h", s / 3600);
    if (s >= 60)
        sb_putf(out, "%" PRId64 "m", s / 60 % 60);
    sb_putf(out, "%" PRId64, s % 60);
    if (ms % 1000)
        sb_putf(out, ".%03d", (int)(ms % 1000));
    sb_putc(out, 's');
}

static void put_limit(struct sb *out, const struct wire_limit *l, int64_t utc_ms)
{
    (void)utc_ms;
    if (strcmp(l->name, "requests") != 0 && strcmp(l->name, "tokens") != 0)
        return;
    sb_putf(out, "x-ratelimit-limit-%s: %" PRId64 "\r\nx-ratelimit-remaining-%s: %" PRId64 "\r\nx-ratelimit-reset-%s: ",
            l->name, l->limit, l->name, l->remaining, l->name);
    put_duration(out, l->reset_us);
    sb_puts(out, "\r\n");
}

/* --- the tables --- */

const struct wire_writer openai_writer = {
    .text = put_text, .reasoning = put_reasoning, .call = put_call, .finish = put_finish, .end = "data: [DONE]\n\n",
    .whole = put_whole, .error = put_error, .error_event = put_error_event, .limit = put_limit,
};

/* One that was cancelled has no vectors: what there is is the provider's own in every other case. */
static void put_embeddings(struct sb *out, const struct wire_call *c, const struct wire_answer *a)
{
    sb_puts(out, "{\"object\":\"list\",\"data\":[],\"model\":");
    sb_json(out, c->model);
    sb_putf(out, ",\"usage\":{\"prompt_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 "}}", a->usage->prompt, a->usage->prompt);
}

const struct wire_writer openai_writer_embeddings = {
    .whole = put_embeddings, .error = put_error, .error_event = put_error_event, .limit = put_limit,
};

/* A response that Weir ended: nobody else does. */
static void put_response(struct sb *out, const struct wire_call *c, struct span text, const struct usage_tokens *u)
{
    sb_puts(out, "{\"id\":");
    sb_json(out, *c->id ? c->id : c->request_id);
    sb_putf(out, ",\"object\":\"response\",\"created_at\":%" PRId64 ",\"status\":\"incomplete\",\"error\":null,"
            "\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"model\":", c->created_s);
    sb_json(out, c->model);
    sb_puts(out, ",\"output\":[");
    if (text.n) {
        sb_puts(out, "{\"type\":\"message\",\"id\":");
        sb_json(out, c->request_id);
        put_span(out, ",\"status\":\"incomplete\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"", text);
        sb_puts(out, ",\"annotations\":[]}]}");
    }
    sb_putf(out, "],\"usage\":{\"input_tokens\":%" PRId64 ",\"input_tokens_details\":{\"cached_tokens\":%" PRId64
            ",\"cache_write_tokens\":%" PRId64 "},\"output_tokens\":%" PRId64 ",\"output_tokens_details\":{\"reasoning_tokens\":%" PRId64 "},\"total_tokens\":%" PRId64 "}}",
            u->prompt, u->cached, u->cache_write + u->cache_write_1h, u->completion, u->reasoning, u->prompt + u->completion);
}

static void put_response_whole(struct sb *out, const struct wire_call *c, const struct wire_answer *a)
{
    put_response(out, c, a->text, a->usage);
}

static void put_response_finish(struct sb *out, struct wire_call *c, const char *finish, const struct usage_tokens *u)
{
    (void)finish;
    sb_puts(out, "event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"response\":");
    put_response(out, c, (struct span){NULL, 0}, u);
    sb_puts(out, "}\n\n");
}

static void put_responses_error_event(struct sb *out, enum weir_err e, const struct err_detail *d)
{
    sb_puts(out, "event: error\ndata: {\"type\":\"error\",\"code\":");
    sb_json(out, err_code(e));
    sb_puts(out, ",\"message\":");
    sb_json(out, d->message ? d->message : err_text(e));
    sb_puts(out, ",\"param\":null,\"request_id\":");
    sb_json(out, d->request_id);
    sb_puts(out, "}\n\n");
}

const struct wire_writer openai_writer_responses = {
    .finish = put_response_finish, .end = "", .whole = put_response_whole, .error = put_error, .error_event = put_responses_error_event,
    .limit = put_limit,
};
