/* openai.c - reading answers and refusals in one pass each. A chunk of a stream
 * and a whole answer differ by one name, `delta` and `message`. */
#include "peer/openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

/* `content` is a string, or an array of parts, of which those with a text count. */
static void read_content(struct scan *s, void (*put)(void *, const char *, size_t), void *ctx)
{
    struct span name, text;

    if (scan_peek(s) != '[') {
        if (scan_string(s, &text) && text.n > 0)
            put(ctx, text.p, text.n);
        return;
    }
    if (!scan_array(s))
        return;
    while (scan_element(s)) {
        if (!scan_object(s))
            continue;
        while (scan_member(s, &name)) {
            if (!span_is(name, "text"))
                scan_skip(s);
            else if (scan_string(s, &text) && text.n > 0)
                put(ctx, text.p, text.n);
        }
    }
}

/* Two strings of a function: what it is called and what with. */
static void read_function(struct scan *s, struct wire_piece *p)
{
    struct span name;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "name"))
            (void)scan_string(s, &p->name);
        else if (span_is(name, "arguments") || span_is(name, "input"))
            (void)scan_string(s, &p->arguments);
        else
            scan_skip(s);
    }
}

static void tell_call(struct provider_reply *r, const struct wire_piece *p, const struct provider_sink *sink)
{
    r->unshown_bytes += (int64_t)(p->name.n + p->arguments.n);
    if (sink->call)
        sink->call(sink->ctx, p);
}

/* tool_calls of a delta say which call each piece is of; those of a whole message stand in their order. */
static void read_calls(struct provider_reply *r, struct scan *s, const struct provider_sink *sink)
{
    struct span name;
    int64_t at = 0;

    if (!scan_array(s))
        return;
    while (scan_element(s)) {
        struct wire_piece p = {.index = at++};

        if (!scan_object(s))
            continue;
        while (scan_member(s, &name)) {
            if (span_is(name, "index"))
                (void)scan_int(s, &p.index);
            else if (span_is(name, "id"))
                (void)scan_string(s, &p.id);
            else if (span_is(name, "function") || span_is(name, "custom"))
                read_function(s, &p);
            else
                scan_skip(s);
        }
        tell_call(r, &p, sink);
    }
}

static void read_message(struct provider_reply *r, struct scan *s, const struct provider_sink *sink)
{
    struct span name;
    bool thought = false;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "content") || span_is(name, "refusal")) {
            read_content(s, sink->text, sink->ctx);
        } else if (!thought && (span_is(name, "reasoning") || span_is(name, "reasoning_content"))) {
            thought = scan_peek(s) == '"';       /* some send it under both names */
            read_content(s, sink->reasoning, sink->ctx);
        } else if (span_is(name, "tool_calls")) {
            read_calls(r, s, sink);
        } else if (span_is(name, "function_call")) {
            struct wire_piece p = {.index = 0};

            read_function(s, &p);
            tell_call(r, &p, sink);
        } else {
            scan_skip(s);
        }
    }
}

static void count_unshown(void *ctx, const char *raw, size_t n)
{
    struct provider_reply *r = ctx;

    (void)raw;
    r->unshown_bytes += (int64_t)n;
}

/* Is this element a choice after the first? They may come in any order, each in a chunk of its own. */
static bool is_further(const struct scan *s)
{
    struct scan ahead = *s;
    struct span name;
    int64_t index = 0;

    (void)scan_object(&ahead);
    while (scan_member(&ahead, &name)) {
        if (span_is(name, "index")) {
            (void)scan_int(&ahead, &index);
            break;
        }
        scan_skip(&ahead);
    }
    return index > 0;
}

/* The first choice is the answer; further ones, where they were asked for, are only counted. True: there was one. */
static bool read_choices(struct provider_reply *r, struct scan *s, const struct provider_sink *sink)
{
    const struct provider_sink further = {count_unshown, count_unshown, NULL, r};
    struct span name, text;
    bool first = true, any = false;

    if (!scan_array(s))
        return false;
    while (scan_element(s)) {
        const struct provider_sink *to = sink;

        any = true;
        if ((!first && !r->many) || scan_peek(s) != '{') {
            scan_skip(s);
            continue;
        }
        if (r->many && is_further(s))
            to = &further;
        first = false;
        r->choice = true;
        (void)scan_object(s);
        while (scan_member(s, &name)) {
            if (span_is(name, "delta") || span_is(name, "message"))
                read_message(r, s, to);
            else if (!span_is(name, "finish_reason"))
                scan_skip(s);
            else if (scan_string(s, &text) && to == sink)
                span_copy(text, r->finish_reason, sizeof r->finish_reason);
        }
    }
    return any;
}

/* A count: what is negative, fractional or no number was not said. Several times said, the largest counts. */
bool openai_read_count(struct scan *s, int64_t *have)
{
    int64_t n;

    if (!scan_int(s, &n) || n < 0)
        return false;
    if (n > *have)
        *have = n;
    return true;
}

void openai_read_details(struct provider_reply *r, struct scan *s)
{
    struct span name;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "cached_tokens"))
            (void)openai_read_count(s, &r->usage.cached);
        else if (span_is(name, "cache_write_tokens"))
            (void)openai_read_count(s, &r->usage.cache_write);
        else if (span_is(name, "reasoning_tokens"))
            (void)openai_read_count(s, &r->usage.reasoning);
        else
            scan_skip(s);
    }
}

static void read_cost(struct provider_reply *r, struct scan *s)
{
    int64_t pico;

    if (!scan_dollars(s, &pico))
        return;
    r->has_cost = true;
    r->cost = pico > r->cost ? pico : r->cost;
}

static void read_usage(struct provider_reply *r, struct scan *s)
{
    struct span name;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "prompt_tokens"))
            r->has_prompt |= openai_read_count(s, &r->usage.prompt);
        else if (span_is(name, "completion_tokens"))
            r->has_completion |= openai_read_count(s, &r->usage.completion);
        else if (span_is(name, "prompt_cache_hit_tokens"))
            (void)openai_read_count(s, &r->usage.cached);
        else if (span_is(name, "cost"))
            read_cost(r, s);
        else if (span_is(name, "prompt_tokens_details") || span_is(name, "completion_tokens_details"))
            openai_read_details(r, s);
        else
            scan_skip(s);
    }
}

/* Groq says the usage of a stream here. */
static void read_groq(struct provider_reply *r, struct scan *s)
{
    struct span name;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "usage"))
            read_usage(r, s);
        else
            scan_skip(s);
    }
}

void openai_read_service(struct provider_reply *r, struct scan *s)
{
    struct span text;

    if (scan_peek(s) != '"')
        scan_skip(s);
    else if (scan_string(s, &text))
        r->has_service = true, r->service = price_service_of(text.p, text.n);
}

/* A string; what is none is not said. */
static void read_word(struct scan *s, char *to, size_t size)
{
    struct span text;

    if (scan_peek(s) != '"')
        scan_skip(s);
    else if (scan_string(s, &text))
        span_copy(text, to, size);
}

void openai_read_error_value(struct provider_error *e, struct scan *s)
{
    struct span name, text;
    char c = scan_peek(s);

    if (c == 'n') {
        scan_skip(s);
        return;
    }
    e->set = true;
    if (c == '"') {
        if (scan_string(s, &text))
            span_copy(text, e->message, sizeof e->message);
        return;
    }
    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "code") && scan_peek(s) != '"')
            (void)scan_int(s, &e->status);
        else if (span_is(name, "code"))
            read_word(s, e->code, sizeof e->code);
        else if (span_is(name, "type"))
            read_word(s, e->type, sizeof e->type);
        else if (span_is(name, "param"))
            read_word(s, e->param, sizeof e->param);
        else if (span_is(name, "message"))
            read_word(s, e->message, sizeof e->message);
        else
            scan_skip(s);
    }
    if (e->code[0] >= '1' && e->code[0] <= '9')
        e->status = strtol(e->code, NULL, 10);
}

enum weir_err openai_read(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink)
{
    struct scan s = scan_make(data, n);
    struct span name, id;
    bool usage = false, choice = false;

    r->event = REPLY_PLAIN;
    r->figures = (struct span){NULL, 0};
    if (n >= 6 && memcmp(data, "[DONE]", 6) == 0) {
        r->done = true;
        r->event = REPLY_END;
        return WEIR_OK;
    }
    if (scan_peek(&s) != '{' || !scan_object(&s))
        return WEIR_E_UPSTREAM_INVALID;
    while (scan_member(&s, &name)) {
        if (span_is(name, "choices")) {
            choice = read_choices(r, &s, sink);
        } else if (span_is(name, "usage")) {
            usage = scan_peek(&s) == '{';
            read_usage(r, &s);
            if (usage)
                r->figures = (struct span){name.p - 1, (size_t)(s.p - name.p) + 1};
        } else if (span_is(name, "error")) {
            openai_read_error_value(&r->error, &s);
        } else if (span_is(name, "service_tier")) {
            openai_read_service(r, &s);
        } else if (span_is(name, "x_groq")) {
            read_groq(r, &s);
        } else if (!r->id[0] && span_is(name, "id")) {
            if (scan_string(&s, &id) && id.n < sizeof r->id)
                span_copy(id, r->id, sizeof r->id);
        } else {
            scan_skip(&s);
        }
    }
    if (usage && !choice)
        r->event = REPLY_USAGE;
    return scan_ok(&s) ? WEIR_OK : WEIR_E_UPSTREAM_INVALID;
}

enum weir_err openai_read_embeddings(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink)
{
    struct scan s = scan_make(data, n);
    struct span name;

    (void)sink;
    if (scan_peek(&s) != '{' || !scan_object(&s))
        return WEIR_E_UPSTREAM_INVALID;
    while (scan_member(&s, &name)) {
        if (span_is(name, "usage")) {
            read_usage(r, &s);
        } else if (span_is(name, "error")) {
            openai_read_error_value(&r->error, &s);
        } else {
            r->choice = r->choice || (span_is(name, "data") && scan_peek(&s) == '[');
            scan_skip(&s);
        }
    }
    r->has_completion = r->choice;                   /* none, for certain */
    return scan_ok(&s) ? WEIR_OK : WEIR_E_UPSTREAM_INVALID;
}

void openai_read_error(struct provider_error *e, const char *body, size_t n)
{
    struct scan s = scan_make(body, n);
    struct span name;

    if (scan_peek(&s) != '{' || !scan_object(&s))
        return;
    while (scan_member(&s, &name)) {
        if (span_is(name, "error"))
            openai_read_error_value(e, &s);
        else
            scan_skip(&s);
    }
}
