/* openai_responses.c - reading OpenAI's Responses: events with a `type`, whose last
 * has the whole response in it, or that response alone. */
#include <stdio.h>
#include <string.h>

#include "peer/openai.h"

static void read_usage(struct provider_reply *r, struct scan *s)
{
    struct span name;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "input_tokens"))
            r->has_prompt |= openai_read_count(s, &r->usage.prompt);
        else if (span_is(name, "output_tokens"))
            r->has_completion |= openai_read_count(s, &r->usage.completion);
        else if (span_is(name, "input_tokens_details") || span_is(name, "output_tokens_details"))
            openai_read_details(r, s);
        else
            scan_skip(s);
    }
}

/* Texts of an item: of a message what is shown, of a call what it is called with. */
static void read_item(struct provider_reply *r, struct scan *s, const struct provider_sink *sink)
{
    struct span name, text;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (span_is(name, "arguments") || span_is(name, "input")) {
            if (scan_string(s, &text))
                r->unshown_bytes += (int64_t)text.n;
        } else if (span_is(name, "content") && scan_array(s)) {
            while (scan_element(s)) {
                if (!scan_object(s))
                    continue;
                while (scan_member(s, &name)) {
                    if (!span_is(name, "text") && !span_is(name, "refusal"))
                        scan_skip(s);
                    else if (scan_string(s, &text) && text.n > 0)
                        sink->text(sink->ctx, text.p, text.n);
                }
            }
        } else if (!span_is(name, "content")) {
            scan_skip(s);
        }
    }
}

static void read_output(struct provider_reply *r, struct scan *s, const struct provider_sink *sink)
{
    r->choice = true;
    if (!sink) {                                     /* it has been heard piece by piece */
        scan_skip(s);
        return;
    }
    if (scan_array(s))
        while (scan_element(s))
            read_item(r, s, sink);
}

static void set_finish(struct provider_reply *r, const char *reason)
{
    (void)snprintf(r->finish_reason, sizeof r->finish_reason, "%s", reason);
}

/* {"reason": "max_output_tokens"}, or null. */
static void read_incomplete(struct provider_reply *r, struct scan *s)
{
    struct span name, reason;

    if (!scan_object(s))
        return;
    while (scan_member(s, &name)) {
        if (!span_is(name, "reason"))
            scan_skip(s);
        else if (scan_string(s, &reason))
            set_finish(r, span_is(reason, "content_filter") ? "content_filter" : "length");
    }
}

/* The members of a response; the cursor is inside it. */
static void read_response(struct provider_reply *r, struct scan *s, const struct provider_sink *sink)
{
    struct span name, text;

    while (scan_member(s, &name)) {
        if (span_is(name, "output"))
            read_output(r, s, sink);
        else if (span_is(name, "usage"))
            read_usage(r, s);
        else if (span_is(name, "error"))
            openai_read_error_value(&r->error, s);
        else if (span_is(name, "service_tier"))
            openai_read_service(r, s);
        else if (span_is(name, "incomplete_details"))
            read_incomplete(r, s);
        else if (!span_is(name, "status"))
            scan_skip(s);
        else if (scan_string(s, &text) && span_is(text, "completed") && !r->finish_reason[0])
            set_finish(r, "stop");
    }
}

static struct span type_of(const char *data, size_t n)
{
    struct scan s = scan_make(data, n);
    struct span name, type = {NULL, 0};

    if (scan_peek(&s) == '{' && scan_object(&s))
        while (!type.p && scan_member(&s, &name)) {
            if (!span_is(name, "type"))
                scan_skip(&s);
            else if (!scan_string(&s, &type))
                break;
        }
    return type;
}

/* An event's `delta`, or the `response` in it. */
static void read_event(struct provider_reply *r, struct scan *s, struct span type, const struct provider_sink *sink)
{
    bool text = span_is(type, "response.output_text.delta") || span_is(type, "response.refusal.delta");
    bool reasoning = span_is(type, "response.reasoning_text.delta") || span_is(type, "response.reasoning_summary_text.delta");
    struct span name, delta;

    while (scan_member(s, &name)) {
        if (span_is(name, "response")) {
            if (scan_object(s))
                read_response(r, s, NULL);
        } else if (!span_is(name, "delta")) {
            scan_skip(s);
        } else if (scan_string(s, &delta) && delta.n > 0) {
            r->choice = true;
            if (text)
                sink->text(sink->ctx, delta.p, delta.n);
            else if (reasoning)
                sink->reasoning(sink->ctx, delta.p, delta.n);
            else
                r->unshown_bytes += (int64_t)delta.n;
        }
    }
}

enum weir_err openai_read_responses(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink)
{
    struct scan s = scan_make(data, n);
    struct span type;

    r->event = REPLY_PLAIN;
    if (n >= 6 && memcmp(data, "[DONE]", 6) == 0) {          /* some end so beside their last event */
        r->done = true;
        r->event = REPLY_END;
        return WEIR_OK;
    }
    if (scan_peek(&s) != '{')
        return WEIR_E_UPSTREAM_INVALID;
    type = type_of(data, n);
    if (span_is(type, "error")) {
        openai_read_error_value(&r->error, &s);              /* its members are the event's own */
    } else if (type.p) {
        (void)scan_object(&s);
        read_event(r, &s, type, sink);
        if (span_is(type, "response.completed") || span_is(type, "response.incomplete")) {
            r->done = true;
            r->event = REPLY_END;
        }
    } else {
        (void)scan_object(&s);
        read_response(r, &s, sink);
    }
    return scan_ok(&s) ? WEIR_OK : WEIR_E_UPSTREAM_INVALID;
}
