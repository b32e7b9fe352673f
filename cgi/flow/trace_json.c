/* trace_json.c - traces in OTLP's JSON: ids in hexadecimal, times and integers as strings. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "flow/trace.h"

enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3, STATUS_ERROR = 2 };

/* A list of attributes under way. */
struct attributes {
    struct sb *out;
    const char *comma;
};

static void key(struct attributes *a, const char *name)
{
    sb_putf(a->out, "%s{\"key\":\"%s\",\"value\":{", a->comma, name);
    a->comma = ",";
}

static void put_text(struct attributes *a, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    key(a, name);
    sb_puts(a->out, "\"stringValue\":");
    sb_json(a->out, value);
    sb_puts(a->out, "}}");
}

static void put_int(struct attributes *a, const char *name, int64_t value)
{
    key(a, name);
    sb_putf(a->out, "\"intValue\":\"%" PRId64 "\"}}", value);
}

static void put_bool(struct attributes *a, const char *name, bool value)
{
    key(a, name);
    sb_putf(a->out, "\"boolValue\":%s}}", value ? "true" : "false");
}

static int64_t utc_ns(const struct trace *t, int64_t us)
{
    return (t->arrived_ms * USEC_PER_MS + us - t->arrived_us) * 1000;
}

/* Everything of a span up to its attributes, whose list is open then. */
static struct attributes begin_span(struct sb *out, const struct trace *t, const char *span_id, const char *parent_id, int kind,
                                    int64_t begun_us, int64_t ended_us)
{
    sb_putf(out, "{\"traceId\":\"%s\",\"spanId\":\"%s\",", t->trace_id, span_id);
    if (*parent_id)
        sb_putf(out, "\"parentSpanId\":\"%s\",", parent_id);
    sb_putf(out, "\"flags\":1,\"kind\":%d,\"startTimeUnixNano\":\"%" PRId64 "\",\"endTimeUnixNano\":\"%" PRId64 "\",\"attributes\":[",
            kind, utc_ns(t, begun_us), utc_ns(t, ended_us));
    return (struct attributes){out, ""};
}

static void end_span(struct attributes *a, const char *error, const char *name)
{
    put_text(a, "error.type", error);
    sb_puts(a->out, "],\"status\":{");
    if (error)
        sb_putf(a->out, "\"code\":%d", STATUS_ERROR);
    sb_puts(a->out, "},\"name\":");
    sb_json(a->out, name);
    sb_putc(a->out, '}');
}

static void put_usage(struct attributes *a, const struct usage_tokens *u)
{
    put_int(a, "gen_ai.usage.input_tokens", u->prompt);
    put_int(a, "gen_ai.usage.output_tokens", u->completion);
    put_int(a, "gen_ai.usage.cache_read.input_tokens", u->cached);
    put_int(a, "gen_ai.usage.cache_creation.input_tokens", u->cache_write + u->cache_write_1h);
    put_int(a, "gen_ai.usage.reasoning.output_tokens", u->reasoning);
}

static void put_root(struct sb *out, const struct trace *t)
{
    struct attributes a = begin_span(out, t, t->span_id, t->parent_id, KIND_SERVER, t->arrived_us, t->ended_us);
    char name[TRACE_NAME_SIZE + 8];

    put_text(&a, "gen_ai.operation.name", "chat");
    put_text(&a, "gen_ai.provider.name", t->upstream);
    put_text(&a, "gen_ai.request.model", t->asked);
    put_text(&a, "gen_ai.response.model", t->upstream ? t->model : NULL);
    put_int(&a, "gen_ai.request.max_tokens", t->max_tokens);
    put_bool(&a, "gen_ai.request.stream", t->stream);
    put_text(&a, "gen_ai.conversation.id", t->session_id);
    if (t->upstream) {
        put_text(&a, "gen_ai.response.id", t->message_id);
        put_usage(&a, &t->usage);
    }
    if (t->finish) {
        key(&a, "gen_ai.response.finish_reasons");
        sb_putf(out, "\"arrayValue\":{\"values\":[{\"stringValue\":\"%s\"}]}}}", t->finish);
    }
    if (t->stream && t->first_us) {
        key(&a, "gen_ai.response.time_to_first_chunk");
        sb_puts(out, "\"doubleValue\":");
        sb_usd(out, (t->first_us - t->attempts[t->attempt_count - 1].begun_us) * USEC_PER_SEC);      /* seconds, exact */
        sb_puts(out, "}}");
    }
    if (t->priced) {
        key(&a, "weir.cost_usd");
        sb_puts(out, "\"doubleValue\":");
        sb_usd(out, t->cost);
        sb_puts(out, "}}");
    }
    put_text(&a, "http.route", t->route);
    put_text(&a, "weir.request_id", t->request_id);
    put_text(&a, "weir.priority", priority_name(t->priority));
    put_text(&a, "weir.status", t->status);
    put_int(&a, "weir.attempts", t->attempts_made);
    (void)snprintf(name, sizeof name, "chat %s", t->asked);
    end_span(&a, t->error, name);
}

static void put_wait(struct sb *out, const struct trace *t, const struct trace_wait *w)
{
    struct attributes a = begin_span(out, t, w->span_id, t->span_id, KIND_INTERNAL, w->begun_us, w->ended_us);

    put_text(&a, "weir.gate", gate_key(gate_longest(w->held_us)));
    for (int g = 0; g < GATE_COUNT; g++) {
        char name[64];

        if (w->held_us[g] <= 0)
            continue;
        (void)snprintf(name, sizeof name, "weir.held_us.%s", gate_key((enum gate)g));
        put_int(&a, name, w->held_us[g]);
    }
    end_span(&a, NULL, "weir.queue");
}

static void put_attempt(struct sb *out, const struct trace *t, const struct trace_attempt *at)
{
    struct attributes a = begin_span(out, t, at->span_id, t->span_id, KIND_CLIENT, at->begun_us, at->ended_us);

    put_text(&a, "gen_ai.provider.name", at->upstream);
    put_text(&a, "gen_ai.request.model", at->model);
    put_int(&a, "weir.attempt", at->number);
    put_text(&a, "weir.choice", choice_name(at->choice));
    put_text(&a, "weir.retry.reason", at->retry_of);
    if (at->http_status)
        put_int(&a, "http.response.status_code", at->http_status);
    end_span(&a, at->error, "weir.attempt");
}

void trace_json(struct sb *out, const struct trace *list, const char *version)
{
    struct attributes a = {out, ""};
    const char *comma = "";

    sb_puts(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    put_text(&a, "service.name", "weir");
    put_text(&a, "service.version", version);
    sb_puts(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"weir\",\"version\":");
    sb_json(out, version);
    sb_puts(out, "},\"spans\":[");
    for (const struct trace *t = list; t; t = t->next) {
        sb_puts(out, comma);
        comma = ",";
        put_root(out, t);
        for (size_t i = 0; i < t->wait_count; i++) {
            sb_putc(out, ',');
            put_wait(out, t, &t->waits[i]);
        }
        for (size_t i = 0; i < t->attempt_count; i++) {
            sb_putc(out, ',');
            put_attempt(out, t, &t->attempts[i]);
        }
    }
    sb_puts(out, "]}]}]}");
}
