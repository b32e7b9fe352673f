/* anthropic_writer.c - answers in Anthropic's shapes, put together from parts,
 * and refusals. Also the end of a stream of the provider's own that Weir cuts:
 * then only what was open is closed. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "peer/anthropic.h"

enum block { BLOCK_NONE, BLOCK_TEXT, BLOCK_THINKING, BLOCK_TOOL };      /* wire_call's note.block */

static void put_span(struct sb *out, const char *before, struct span s)
{
    sb_puts(out, before);
    sb_put(out, s.p, s.n);
    sb_putc(out, '"');
}

/* --- usage and reasons --- */

static void put_usage(struct sb *out, const struct usage_tokens *u)
{
    sb_putf(out, "{\"input_tokens\":%" PRId64 ",\"cache_creation_input_tokens\":%" PRId64 ",\"cache_read_input_tokens\":%" PRId64
            ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":%" PRId64 ",\"ephemeral_1h_input_tokens\":%" PRId64
            "},\"output_tokens\":%" PRId64 ",\"output_tokens_details\":{\"thinking_tokens\":%" PRId64 "}}",
            u->prompt - u->cached - u->cache_write - u->cache_write_1h, u->cache_write + u->cache_write_1h, u->cached,
            u->cache_write, u->cache_write_1h, u->completion, u->reasoning);
}

static const char *stop_reason(const char *finish)
{
    if (strcmp(finish, "length") == 0 || strcmp(finish, "budget") == 0)
        return "max_tokens";
    return strcmp(finish, "tool_calls") == 0 ? "tool_use" : strcmp(finish, "content_filter") == 0 ? "refusal" : "end_turn";
}

/* {"id":…,"model":…, up to its content. */
static void put_message(struct sb *out, const struct wire_call *c)
{
    sb_puts(out, "{\"id\":");
    if (c->id[0])
        sb_json(out, c->id);
    else
        sb_putf(out, "\"msg_%s\"", c->request_id);
    sb_puts(out, ",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    sb_json(out, c->model);
    sb_puts(out, ",\"content\":[");
}

/* --- a stream --- */

static void begin(struct sb *out, struct wire_call *c)
{
    const struct usage_tokens u = {.prompt = c->prompt_tokens};

    if (c->note.begun || c->note.passed)
        return;
    c->note.begun = true;
    sb_puts(out, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
    put_message(out, c);
    sb_puts(out, "],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":");
    put_usage(out, &u);
    sb_puts(out, "}}\n\n");
}

/* The block that is open, or those of the tool calls that are. */
static void close_blocks(struct sb *out, struct wire_call *c)
{
    int64_t next = c->note.index + (c->note.block == BLOCK_NONE ? 0 : c->note.block == BLOCK_TOOL ? c->note.calls : 1);

    for (; c->note.index < next; c->note.index++)
        sb_putf(out, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":%" PRId64 "}\n\n", c->note.index);
    c->note.block = BLOCK_NONE;
    c->note.calls = 0;
}

/* Up to what is in content_block, which the caller ends with }}\n\n. */
static void begin_block(struct sb *out, int64_t index)
{
    sb_putf(out, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":%" PRId64 ",\"content_block\":{", index);
}

static void open_block(struct sb *out, struct wire_call *c, enum block kind)
{
    begin(out, c);
    close_blocks(out, c);
    c->note.block = kind;
}

static void put_delta(struct sb *out, int64_t index, const char *type, const char *member, const char *raw, size_t n)
{
    sb_putf(out, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":%" PRId64
            ",\"delta\":{\"type\":\"%s\",\"%s\":\"", index, type, member);
    sb_put(out, raw, n);
    sb_puts(out, "\"}}\n\n");
}

static void put_text(struct sb *out, struct wire_call *c, const char *raw, size_t n)
{
    if (c->note.block != BLOCK_TEXT) {
        open_block(out, c, BLOCK_TEXT);
        begin_block(out, c->note.index);
        sb_puts(out, "\"type\":\"text\",\"text\":\"\"}}\n\n");
    }
    put_delta(out, c->note.index, "text_delta", "text", raw, n);
}

static void put_reasoning(struct sb *out, struct wire_call *c, const char *raw, size_t n)
{
    if (c->note.block != BLOCK_THINKING) {
        open_block(out, c, BLOCK_THINKING);
        begin_block(out, c->note.index);
        sb_puts(out, "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n");
    }
    put_delta(out, c->note.index, "thinking_delta", "thinking", raw, n);
}

/* Pieces of several calls may come in turns: a call's block stays open until something else than a call begins. */
static void put_call(struct sb *out, struct wire_call *c, const struct wire_piece *p)
{
    int at = 0;

    if (c->note.block != BLOCK_TOOL)
        open_block(out, c, BLOCK_TOOL);
    while (at < c->note.calls && c->note.call[at] != p->index)
        at++;
    if (at == WIRE_OPEN_CALLS) {
        open_block(out, c, BLOCK_TOOL);
        at = 0;
    }
    if (at == c->note.calls) {
        c->note.call[c->note.calls++] = p->index;
        begin_block(out, c->note.index + at);
        put_span(out, "\"type\":\"tool_use\",\"id\":\"", p->id);
        put_span(out, ",\"name\":\"", p->name);
        sb_puts(out, ",\"input\":{}}}\n\n");
    }
    if (p->arguments.n)
        put_delta(out, c->note.index + at, "input_json_delta", "partial_json", p->arguments.p, p->arguments.n);
}

static void put_finish(struct sb *out, struct wire_call *c, const char *finish, const struct usage_tokens *u)
{
    begin(out, c);
    close_blocks(out, c);
    sb_putf(out, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\",\"stop_sequence\":null},\"usage\":",
            stop_reason(finish));
    put_usage(out, u);
    sb_puts(out, "}\n\n");
}

/* --- whole answers --- */

/* A call's input is an object. What is none, as a model may write it, is kept as the text it is. */
static void put_input(struct sb *out, struct span arguments)
{
    struct sb text = sb_make(arguments.n + 1);
    struct scan s;

    sb_put(&text, arguments.p, arguments.n);
    if (text.len)
        text.len = span_decode((struct span){text.p, text.len}, text.p);
    s = scan_make(sb_str(&text), text.len);
    if (scan_peek(&s) == '{' && (scan_skip(&s), scan_ok(&s)))
        sb_put(out, text.p, text.len);
    else if (text.len == 0)
        sb_puts(out, "{}");
    else
        put_span(out, "{\"text\":\"", arguments), sb_putc(out, '}');
    sb_done(&text);
}

static void put_whole(struct sb *out, const struct wire_call *c, const struct wire_answer *a)
{
    const char *comma = "";

    put_message(out, c);
    if (a->reasoning.n) {
        put_span(out, "{\"type\":\"thinking\",\"thinking\":\"", a->reasoning);
        sb_puts(out, ",\"signature\":\"\"}");
        comma = ",";
    }
    if (a->text.n) {
        sb_puts(out, comma);
        put_span(out, "{\"type\":\"text\",\"text\":\"", a->text);
        sb_putc(out, '}');
        comma = ",";
    }
    for (size_t i = 0; i < a->call_count; i++) {
        sb_puts(out, comma);
        put_span(out, "{\"type\":\"tool_use\",\"id\":\"", a->calls[i].id);
        put_span(out, ",\"name\":\"", a->calls[i].name);
        sb_puts(out, ",\"input\":");
        put_input(out, a->calls[i].arguments);
        sb_putc(out, '}');
        comma = ",";
    }
    sb_putf(out, "],\"stop_reason\":\"%s\",\"stop_sequence\":null,\"usage\":", stop_reason(a->finish));
    put_usage(out, a->usage);
    sb_putc(out, '}');
}

/* --- refusals and limits --- */

static const char *type_of(enum weir_err e)
{
    switch (err_status(e)) {
    case 401: return "authentication_error";
    case 402: return "billing_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 409: return "conflict_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 504: return "timeout_error";
    default: return err_status(e) >= 500 ? "api_error" : "invalid_request_error";
    }
}

static void put_error(struct sb *out, enum weir_err e, const struct err_detail *d)
{
    sb_puts(out, "{\"type\":\"error\",\"error\":{\"type\":");
    sb_json(out, type_of(e));
    sb_puts(out, ",\"message\":");
    sb_json(out, d->message ? d->message : err_text(e));
    sb_puts(out, ",\"details\":{\"error_code\":");
    sb_json(out, d->code ? d->code : err_code(e));
    sb_puts(out, "},\"param\":");
    sb_json(out, d->param);
    sb_puts(out, ",\"retry_after_ms\":");
    if (d->retry_after_ms >= 0)
        sb_i64(out, d->retry_after_ms);
    else
        sb_puts(out, "null");
    sb_puts(out, d->extra);
    sb_puts(out, "},\"request_id\":");
    sb_json(out, d->request_id);
    sb_putc(out, '}');
}

static void put_error_event(struct sb *out, enum weir_err e, const struct err_detail *d)
{
    sb_puts(out, "event: error\ndata: ");
    put_error(out, e, d);
    sb_puts(out, "\n\n");
}

static void put_limit(struct sb *out, const struct wire_limit *l, int64_t utc_ms)
{
    sb_putf(out, "anthropic-ratelimit-%s-limit: %" PRId64 "\r\nanthropic-ratelimit-%s-remaining: %" PRId64
            "\r\nanthropic-ratelimit-%s-reset: ", l->name, l->limit, l->name, l->remaining, l->name);
    sb_time(out, utc_ms + (l->reset_us + USEC_PER_MS - 1) / USEC_PER_MS);
    sb_puts(out, "\r\n");
}

/* --- the tables --- */

const struct wire_writer anthropic_writer = {
    .text = put_text, .reasoning = put_reasoning, .call = put_call, .finish = put_finish,
    .end = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    .whole = put_whole, .error = put_error, .error_event = put_error_event, .limit = put_limit,
};

/* Its answer is the provider's own, unless that came in an odd form. */
static void put_count(struct sb *out, const struct wire_call *c, const struct wire_answer *a)
{
    (void)a;
    sb_putf(out, "{\"input_tokens\":%" PRId64 "}", c->prompt_tokens);
}

const struct wire_writer anthropic_writer_count = {
    .whole = put_count, .error = put_error, .error_event = put_error_event, .limit = put_limit,
};
