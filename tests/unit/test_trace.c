/* test_trace.c - the spans of one request, and how OTLP has them. */
#include "flow/trace.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "unit.h"

#define CLIENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static struct tracer *const some = (struct tracer *)(uintptr_t)1;      /* only its being there counts */

static struct job *job_of(const char *traceparent)
{
    struct job *j = job_new();

    j->trace = trace_new(some, traceparent, 5000, 1000);
    j->ask.arrived_us = 5000;
    return j;
}

static struct trace *begun(const char *traceparent)
{
    return trace_new(some, traceparent, 0, 0);
}

START_TEST(without_a_tracer_there_is_no_trace_and_nothing_to_do)
{
    struct job *j = job_new();
    char text[TRACE_PARENT_SIZE];

    j->trace = trace_new(NULL, CLIENT, 0, 0);
    ck_assert_ptr_null(j->trace);
    trace_granted(j, 1);
    j->rec.attempt_count = 1;
    trace_sent(j, 2);
    trace_answered(j, 200, NULL, 3);
    trace_ended(j);
    ck_assert(!trace_parent(j, text));
    job_free(j);
}
END_TEST

START_TEST(the_clients_trace_goes_on)
{
    struct trace *t = begun(CLIENT);

    ck_assert_str_eq(t->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    ck_assert_str_eq(t->parent_id, "00f067aa0ba902b7");
    ck_assert_str_ne(t->span_id, t->parent_id);
    ck_assert(t->sampled);
    trace_free(t);
    t = begun("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    ck_assert_str_eq(t->parent_id, "00f067aa0ba902b7");
    ck_assert(!t->sampled);
    trace_free(t);
    t = begun("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what the future will bring");
    ck_assert_str_eq(t->parent_id, "00f067aa0ba902b7");
    ck_assert(t->sampled);
    trace_free(t);
}
END_TEST

START_TEST(what_is_no_traceparent_begins_a_new_trace)
{
    static const char *const wrong[] = {
        NULL, "", "00", "00-", CLIENT "-more", CLIENT "0", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1", "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e47361-0f067aa0ba902b7-01", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct trace *t = begun(wrong[i]), *other = begun(wrong[i]);

        ck_assert_msg(!*t->parent_id && t->sampled, "%s", wrong[i]);
        ck_assert_uint_eq(strspn(t->trace_id, "0123456789abcdef"), 32);
        ck_assert_uint_eq(strspn(t->span_id, "0123456789abcdef"), 16);
        ck_assert_str_ne(t->trace_id, other->trace_id);
        ck_assert_str_ne(t->span_id, other->span_id);
        trace_free(t);
        trace_free(other);
    }
}
END_TEST

START_TEST(the_provider_is_told_the_span_of_its_attempt)
{
    struct job *j = job_of(CLIENT);
    char text[TRACE_PARENT_SIZE], want[TRACE_PARENT_SIZE];

    j->rec.attempt_count = 1;
    j->rec.attempts[0].model = "m";
    trace_sent(j, 6000);
    ck_assert(trace_parent(j, text));
    snprintf(want, sizeof want, "00-%s-%s-01", j->trace->trace_id, j->trace->attempts[0].span_id);
    ck_assert_str_eq(text, want);
    job_free(j);
}
END_TEST

START_TEST(many_attempts_leave_the_last_ones)
{
    struct job *j = job_of(NULL);

    j->rec.attempt_count = 1;
    j->rec.attempts[0].model = "m";
    for (int i = 1; i <= 100; i++) {
        trace_granted(j, 5000 + 10 * i);
        trace_sent(j, 5001 + 10 * i);
        trace_answered(j, 500 + i % 2, "upstream_error", 5002 + 10 * i);
        j->failed_us = 5002 + 10 * i;
    }
    ck_assert_uint_eq(j->trace->attempt_count, TRACE_PARTS_MAX);
    ck_assert_uint_eq(j->trace->wait_count, TRACE_PARTS_MAX);
    ck_assert_int_eq(j->trace->attempts[TRACE_PARTS_MAX - 1].number, 100);
    ck_assert_int_eq(j->trace->attempts_made, 100);
    job_free(j);
}
END_TEST

/* --- as JSON --- */

static json_t *attribute(json_t *span, const char *name)
{
    json_t *list = json_object_get(span, "attributes"), *found = NULL;

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *a = json_array_get(list, i);

        if (strcmp(json_str(a, "key", ""), name) != 0)
            continue;
        ck_assert_msg(!found, "%s twice", name);
        found = json_object_get(a, "value");
        ck_assert_uint_eq(json_object_size(found), 1);
    }
    return found;
}

#define ck_text(span, name, want) ck_assert_str_eq(json_str(attribute(span, name), "stringValue", "(none)"), want)
#define ck_int(span, name, want) ck_assert_str_eq(json_str(attribute(span, name), "intValue", "(none)"), want)

/* A job that waited, failed, waited again and was answered. */
static struct trace *whole(struct job *j)
{
    struct trace *t = j->trace;

    j->rec.attempt_count = 1;
    j->rec.attempts[0] = (struct call_attempt){.upstream = "openai", .model = "gpt-4o", .reason = CHOICE_ONLY};
    j->grant.wait.held_us[GATE_CONCURRENCY] = 1500;
    j->grant.wait.held_us[GATE_PACING] = 400;
    trace_granted(j, 7000);
    trace_sent(j, 7500);
    trace_answered(j, 503, "upstream_error", 8000);
    j->failed_us = 8000;
    j->rec.attempts[0].reason = CHOICE_RETRY;
    j->grant.wait.held_us[GATE_BACKOFF] = 1000;
    trace_granted(j, 9000);
    trace_sent(j, 9000);
    trace_answered(j, 200, NULL, 12000);
    t->ended_us = 12000;
    t->first_us = 10500;
    t->stream = t->priced = true;
    t->upstream = "openai";
    strcpy(t->asked, "auto \"quoted\"");
    strcpy(t->model, "gpt-4o");
    strcpy(t->session_id, "ses_1");
    t->finish = "stop";
    t->status = "success";
    t->usage = (struct usage_tokens){.prompt = 10, .cached = 4, .cache_write = 1, .cache_write_1h = 2, .completion = 20, .reasoning = 5};
    t->cost = 22200000;
    return t;
}

START_TEST(a_trace_is_valid_otlp_with_ids_parents_and_times_that_nest)
{
    struct job *j = job_of(CLIENT);
    struct trace *t = whole(j);
    struct sb out = sb_make(1 << 20);
    json_t *root, *scope, *spans, *first, *ids = json_object();

    trace_json(&out, t, "1.2");
    root = json_loadb(sb_str(&out), out.len, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(root != NULL, "not JSON: %s", sb_str(&out));
    scope = json_array_get(json_object_get(root, "resourceSpans"), 0);
    ck_text(json_object_get(scope, "resource"), "service.name", "weir");
    spans = json_object_get(json_array_get(json_object_get(scope, "scopeSpans"), 0), "spans");
    ck_assert_uint_eq(json_array_size(spans), 5);
    first = json_array_get(spans, 0);
    for (size_t i = 0; i < 5; i++) {
        json_t *s = json_array_get(spans, i);
        const char *begin = json_str(s, "startTimeUnixNano", ""), *end = json_str(s, "endTimeUnixNano", "");

        ck_assert_str_eq(json_str(s, "traceId", ""), "4bf92f3577b34da6a3ce929d0e0e4736");
        ck_assert_str_eq(json_str(s, "parentSpanId", ""), i ? json_str(first, "spanId", "?") : "00f067aa0ba902b7");
        ck_assert(!json_object_get(ids, json_str(s, "spanId", "")));
        json_object_set_new(ids, json_str(s, "spanId", ""), json_true());
        ck_assert_int_le(atoll(begin), atoll(end));
        ck_assert_int_ge(atoll(begin), atoll(json_str(first, "startTimeUnixNano", "")));
        ck_assert_int_le(atoll(end), atoll(json_str(first, "endTimeUnixNano", "")));
    }
    ck_assert_str_eq(json_str(first, "startTimeUnixNano", ""), "1000000000");
    ck_assert_str_eq(json_str(first, "endTimeUnixNano", ""), "1007000000");
    json_decref(ids);
    json_decref(root);
    sb_done(&out);
    job_free(j);
}
END_TEST

START_TEST(spans_say_what_the_request_used_and_each_attempt_came_to)
{
    struct job *j = job_of(NULL);
    struct trace *t = whole(j);
    struct sb out = sb_make(1 << 20);
    json_t *root, *spans, *s;

    trace_json(&out, t, "1.2");
    root = json_loadb(sb_str(&out), out.len, 0, NULL);
    spans = json_object_get(json_array_get(json_object_get(json_array_get(json_object_get(root, "resourceSpans"), 0), "scopeSpans"), 0), "spans");
    s = json_array_get(spans, 0);
    ck_assert_ptr_null(json_object_get(s, "parentSpanId"));
    ck_assert_str_eq(json_str(s, "name", ""), "chat auto \"quoted\"");
    ck_text(s, "gen_ai.operation.name", "chat");
    ck_text(s, "gen_ai.provider.name", "openai");
    ck_text(s, "gen_ai.response.model", "gpt-4o");
    ck_text(s, "gen_ai.conversation.id", "ses_1");
    ck_int(s, "gen_ai.usage.input_tokens", "10");
    ck_int(s, "gen_ai.usage.output_tokens", "20");
    ck_int(s, "gen_ai.usage.cache_read.input_tokens", "4");
    ck_int(s, "gen_ai.usage.cache_creation.input_tokens", "3");
    ck_int(s, "gen_ai.usage.reasoning.output_tokens", "5");
    ck_int(s, "weir.attempts", "2");
    ck_assert(json_real_value(json_object_get(attribute(s, "gen_ai.response.time_to_first_chunk"), "doubleValue")) == 0.0015);
    ck_assert(json_real_value(json_object_get(attribute(s, "weir.cost_usd"), "doubleValue")) == 0.0000222);
    ck_assert_ptr_null(attribute(s, "error.type"));
    ck_assert_uint_eq(json_object_size(json_object_get(s, "status")), 0);
    s = json_array_get(spans, 1);
    ck_assert_str_eq(json_str(s, "name", ""), "weir.queue");
    ck_text(s, "weir.gate", "concurrency");
    ck_int(s, "weir.held_us.concurrency", "1500");
    ck_int(s, "weir.held_us.pacing", "400");
    s = json_array_get(spans, 2);
    ck_text(s, "weir.gate", "backoff");
    ck_int(s, "weir.held_us.backoff", "1000");
    ck_assert_ptr_null(attribute(s, "weir.held_us.concurrency"));
    s = json_array_get(spans, 3);
    ck_assert_str_eq(json_str(s, "name", ""), "weir.attempt");
    ck_int(s, "http.response.status_code", "503");
    ck_text(s, "error.type", "upstream_error");
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(s, "status"), "code")), 2);
    ck_assert_ptr_null(attribute(s, "weir.retry.reason"));
    s = json_array_get(spans, 4);
    ck_int(s, "weir.attempt", "2");
    ck_text(s, "weir.choice", "retry");
    ck_text(s, "weir.retry.reason", "upstream_error");
    json_decref(root);
    sb_done(&out);
    job_free(j);
}
END_TEST

START_TEST(several_traces_are_one_body)
{
    struct job *a = job_of(NULL), *b = job_of(CLIENT);
    struct sb out = sb_make(1 << 20);
    json_t *root;

    a->trace->next = b->trace;
    trace_json(&out, a->trace, "1");
    root = json_loadb(sb_str(&out), out.len, 0, NULL);
    ck_assert_msg(root != NULL, "not JSON: %s", sb_str(&out));
    ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(json_object_get(json_array_get(json_object_get(root, "resourceSpans"), 0),
                                                                                     "scopeSpans"), 0), "spans")), 2);
    json_decref(root);
    sb_done(&out);
    job_free(a);
    job_free(b);
}
END_TEST

UNIT_MAIN("trace", without_a_tracer_there_is_no_trace_and_nothing_to_do, the_clients_trace_goes_on,
          what_is_no_traceparent_begins_a_new_trace, the_provider_is_told_the_span_of_its_attempt, many_attempts_leave_the_last_ones,
          a_trace_is_valid_otlp_with_ids_parents_and_times_that_nest, spans_say_what_the_request_used_and_each_attempt_came_to,
          several_traces_are_one_body)
