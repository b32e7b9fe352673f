/* anthropic.c - reading answers in one pass each. The events of a stream and a
 * whole answer have no member in common that means two things, so one walk
 * reads them all; only what a block or a stream begins with is known by its place. */
#include "peer/anthropic.h"

#include <stdio.h>
#include <string.h>

#define TOKENS_MAX INT64_C(1000000000000000)      /* more than this is no count, and sums stay far from the edge */

/* A count; false: it was none. */
static bool read_count(struct scan *s, int64_t *out)
{
    int64_t n;

    if (!scan_int(s, &n) || n < 0 || n > TOKENS_MAX)
        return false;
    *out = n;
    return true;
}

/* --- usage --- */

struct input {
    int64_t fresh, cached, written, written_5m, written_1h;      /* -1: not said */
};

static void read_written(struct scan *s, struct input *in)
{
    struct span name;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "ephemeral_5m_input_tokens"))
            (void)read_count(s, &in->written_5m);
        else if (span_is(name, "ephemeral_1h_input_tokens"))
            (void)read_count(s, &in->written_1h);
        else
            scan_skip(s);
    }
}

static void read_thought(struct provider_reply *r, struct scan *s)
{
    struct span name;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "thinking_tokens"))
            (void)read_count(s, &r->usage.reasoning);
        else
            scan_skip(s);
    }
}

/* What was said of input takes the place of what was said before; what was not said stays. */
static void take_input(struct usage_tokens *u, const struct input *in)
{
    int64_t fresh = u->prompt - u->cached - u->cache_write - u->cache_write_1h;

    if (in->fresh >= 0)
        fresh = in->fresh;
    if (in->cached >= 0)
        u->cached = in->cached;
    if (in->written >= 0 || in->written_5m >= 0 || in->written_1h >= 0) {
        u->cache_write_1h = in->written_1h > 0 ? in->written_1h : 0;
        u->cache_write = in->written_5m > 0 ? in->written_5m : 0;
        if (in->written > u->cache_write + u->cache_write_1h)
            u->cache_write = in->written - u->cache_write_1h;
    }
    u->prompt = fresh + u->cached + u->cache_write + u->cache_write_1h;
}

/* `begins`: of a message that is only begun. */
static void read_usage(struct provider_reply *r, struct scan *s, bool begins)
{
    struct input in = {-1, -1, -1, -1, -1};
    struct span name, speed = {NULL, 0};

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "input_tokens"))
            r->has_prompt |= read_count(s, &in.fresh);
        else if (span_is(name, "cache_read_input_tokens"))
            (void)read_count(s, &in.cached);
        else if (span_is(name, "cache_creation_input_tokens"))
            (void)read_count(s, &in.written);
        else if (span_is(name, "cache_creation"))
            read_written(s, &in);
        else if (span_is(name, "output_tokens") && !begins)
            r->has_completion |= read_count(s, &r->usage.completion);
        else if (span_is(name, "output_tokens_details"))
            read_thought(r, s);
        else if (span_is(name, "service_tier"))
            openai_read_service(r, s);
        else if (span_is(name, "speed"))
            (void)scan_string(s, &speed);
        else
            scan_skip(s);
    }
    take_input(&r->usage, &in);
    if (speed.p && span_is(speed, "fast"))
        r->has_service = true, r->service = PRICE_PRIORITY;
}

/* --- contents --- */

static void say(void (*put)(void *, const char *, size_t), void *ctx, struct span text)
{
    if (text.n > 0)
        put(ctx, text.p, text.n);
}

static void tell_call(struct provider_reply *r, const struct wire_piece *p, const struct provider_sink *sink)
{
    r->unshown_bytes += (int64_t)(p->name.n + p->arguments.n);
    if (sink->call)
        sink->call(sink->ctx, p);
}

/* A call's whole input is an object; as a piece of a call it is the content of a string. */
static void tell_whole_call(struct provider_reply *r, struct wire_piece p, struct span input, const struct provider_sink *sink)
{
    struct sb text = sb_make(4 * input.n + 16);

    if (sink->call) {
        sb_json_n(&text, input.p, input.n);
        if (sb_ok(&text) && text.len >= 2)
            p.arguments = (struct span){text.p + 1, text.len - 2};
    } else {
        p.arguments = input;
    }
    tell_call(r, &p, sink);
    sb_done(&text);
}

/* A block, or what one begins with: `begins`. */
static void read_block(struct provider_reply *r, struct scan *s, bool begins, const struct provider_sink *sink)
{
    struct span name, type = {"", 0}, text = {NULL, 0}, thought = {NULL, 0}, input = {NULL, 0};
    struct wire_piece p = {.index = 0};

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "type")) {
            (void)scan_string(s, &type);
        } else if (span_is(name, "text")) {
            (void)scan_string(s, &text);
        } else if (span_is(name, "thinking")) {
            (void)scan_string(s, &thought);
        } else if (span_is(name, "id")) {
            (void)scan_string(s, &p.id);
        } else if (span_is(name, "name")) {
            (void)scan_string(s, &p.name);
        } else if (span_is(name, "input")) {
            (void)scan_peek(s);
            input.p = s->p;
            scan_skip(s);
            input.n = (size_t)(s->p - input.p);
        } else {
            scan_skip(s);
        }
    }
    r->call_open = span_is(type, "tool_use");
    if (r->call_open) {
        p.index = r->calls++;
        r->call_bare = begins;
        if (begins)
            tell_call(r, &p, sink);
        else
            tell_whole_call(r, p, input, sink);
        return;
    }
    if (!begins)
        r->unshown_bytes += (int64_t)input.n;            /* of a tool of the provider's own */
    say(sink->reasoning, sink->ctx, thought);
    say(sink->text, sink->ctx, text);
}

static void read_content(struct provider_reply *r, struct scan *s, const struct provider_sink *sink)
{
    if (scan_peek(s) == '[')
        r->choice = true;
    if (!scan_array(s))
        return;
    while (scan_element(s))
        read_block(r, s, false, sink);
}

static void read_stop(struct provider_reply *r, struct scan *s)
{
    static const struct {
        const char *said, *finish;
    } reasons[] = {
        {"max_tokens", "length"}, {"model_context_window_exceeded", "length"}, {"tool_use", "tool_calls"}, {"refusal", "content_filter"},
    };
    const char *finish = "stop";                         /* end_turn, stop_sequence, pause_turn and what is new */
    struct span said;

    if (!scan_string(s, &said))
        return;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (span_is(said, reasons[i].said))
            finish = reasons[i].finish;
    (void)snprintf(r->finish_reason, sizeof r->finish_reason, "%s", finish);
}

static void read_delta(struct provider_reply *r, struct scan *s, const struct provider_sink *sink)
{
    struct span name, piece;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "text")) {
            if (scan_string(s, &piece))
                say(sink->text, sink->ctx, piece);
        } else if (span_is(name, "thinking")) {
            if (scan_string(s, &piece))
                say(sink->reasoning, sink->ctx, piece);
        } else if (span_is(name, "stop_reason")) {
            read_stop(r, s);
        } else if (!span_is(name, "partial_json")) {
            scan_skip(s);
        } else if (scan_string(s, &piece)) {
            struct wire_piece p = {.index = r->calls - 1, .arguments = piece};

            r->call_bare = r->call_bare && piece.n == 0;
            if (r->call_open)
                tell_call(r, &p, sink);
            else
                r->unshown_bytes += (int64_t)piece.n;
        }
    }
}

/* A call that ends without any input has an empty one, which other protocols have to say. */
static void end_block(struct provider_reply *r, const struct provider_sink *sink)
{
    static const char none[] = "{}";
    const struct wire_piece p = {.index = r->calls - 1, .arguments = {none, sizeof none - 1}};

    if (r->call_open && r->call_bare && sink->call)
        sink->call(sink->ctx, &p);
    r->call_open = false;
    r->block = 0;
}

/* --- whole texts --- */

static void read_error_value(struct provider_error *e, struct scan *s)
{
    struct span name, text;

    if (scan_peek(s) == 'n') {
        scan_skip(s);
        return;
    }
    e->set = true;
    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "details") && scan_peek(s) == '{') {
            (void)scan_object(s);
            while (scan_member(s, &name)) {
                if (!span_is(name, "error_code"))
                    scan_skip(s);
                else if (scan_string(s, &text))
                    span_copy(text, e->code, sizeof e->code);
            }
        } else if (span_is(name, "type")) {
            if (scan_string(s, &text))
                span_copy(text, e->type, sizeof e->type);
        } else if (!span_is(name, "message")) {
            scan_skip(s);
        } else if (scan_string(s, &text)) {
            span_copy(text, e->message, sizeof e->message);
        }
    }
}

/* What a stream begins with. */
static void read_begin(struct provider_reply *r, struct scan *s)
{
    struct span name, id;

    r->choice = true;
    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "usage"))
            read_usage(r, s, true);
        else if (!span_is(name, "id"))
            scan_skip(s);
        else if (scan_string(s, &id) && id.n < sizeof r->id)
            span_copy(id, r->id, sizeof r->id);
    }
}

enum weir_err anthropic_read(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink)
{
    struct scan s = scan_make(data, n);
    struct span name, type = {"", 0}, id;
    int64_t index = 0;

    r->event = REPLY_PLAIN;
    if (scan_peek(&s) != '{' || !scan_object(&s))
        return WEIR_E_UPSTREAM_INVALID;
    while (scan_member(&s, &name)) {
        if (span_is(name, "type")) {
            (void)scan_string(&s, &type);
        } else if (span_is(name, "index")) {
            (void)scan_int(&s, &index);
        } else if (span_is(name, "delta")) {
            read_delta(r, &s, sink);
        } else if (span_is(name, "content_block")) {
            read_block(r, &s, true, sink);
        } else if (span_is(name, "message")) {
            read_begin(r, &s);
        } else if (span_is(name, "content")) {
            read_content(r, &s, sink);
        } else if (span_is(name, "stop_reason")) {
            read_stop(r, &s);
        } else if (span_is(name, "usage")) {
            read_usage(r, &s, false);
        } else if (span_is(name, "error")) {
            read_error_value(&r->error, &s);
        } else if (!span_is(name, "id")) {
            scan_skip(&s);
        } else if (scan_string(&s, &id) && id.n < sizeof r->id) {
            span_copy(id, r->id, sizeof r->id);
        }
    }
    if (span_is(type, "content_block_start"))
        r->block = index + 1;
    else if (span_is(type, "content_block_stop"))
        end_block(r, sink);
    if (span_is(type, "ping"))
        r->event = REPLY_IDLE;
    if (span_is(type, "message_stop")) {
        r->done = true;
        r->event = REPLY_END;
    }
    return scan_ok(&s) ? WEIR_OK : WEIR_E_UPSTREAM_INVALID;
}

enum weir_err anthropic_read_count(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink)
{
    struct scan s = scan_make(data, n);
    struct span name;
    int64_t count;

    (void)sink;
    if (scan_peek(&s) != '{' || !scan_object(&s))
        return WEIR_E_UPSTREAM_INVALID;
    while (scan_member(&s, &name)) {
        if (span_is(name, "input_tokens"))
            r->choice |= read_count(&s, &count);
        else if (span_is(name, "error"))
            read_error_value(&r->error, &s);
        else
            scan_skip(&s);
    }
    r->has_prompt = r->has_completion = r->choice;       /* none, for certain */
    return scan_ok(&s) ? WEIR_OK : WEIR_E_UPSTREAM_INVALID;
}

void anthropic_read_error(struct provider_error *e, const char *body, size_t n)
{
    struct scan s = scan_make(body, n);
    struct span name;

    if (scan_peek(&s) != '{' || !scan_object(&s))
        return;
    while (scan_member(&s, &name)) {
        if (span_is(name, "error"))
            read_error_value(e, &s);
        else
            scan_skip(&s);
    }
}
