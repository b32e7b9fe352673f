/* trace.c - the spans of one request as it goes its way. */
#include "flow/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/tracer.h"

/* --- ids --- */

static void make_id(char *out, size_t bytes)
{
    unsigned char raw[16];

    do
        rand_bytes(raw, bytes);
    while (raw[0] == 0);                   /* not all of it may be zero */
    for (size_t i = 0; i < bytes; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

/* n lower-case hexadecimal digits, not all of them zero, and then `end` (or anything, if that is '\0'). */
static bool is_id(const char *s, size_t n, char end)
{
    return strspn(s, "0123456789abcdef") >= n && strspn(s, "0") < n && (!end || s[n] == end);
}

/* 00-<trace id>-<span id>-<flags>; a later version may have more behind it. */
static bool read_parent(struct trace *t, const char *s)
{
    static const char hex[] = "0123456789abcdef";

    if (!s || strspn(s, hex) != 2 || strncmp(s, "ff", 2) == 0 || s[2] != '-' || !is_id(s + 3, 32, '-') || !is_id(s + 36, 16, '-') ||
        strspn(s + 53, hex) != 2 || (s[55] && (strncmp(s, "00", 2) == 0 || s[55] != '-')))
        return false;
    memcpy(t->trace_id, s + 3, 32);
    memcpy(t->parent_id, s + 36, 16);
    t->sampled = (strchr(hex, s[54]) - hex) & 1;
    return true;
}

struct trace *trace_new(struct tracer *tracer, const char *traceparent, int64_t arrived_us, int64_t arrived_ms)
{
    struct trace *t;

    if (!tracer)
        return NULL;
    t = mem_zalloc(1, sizeof *t);
    t->tracer = tracer;
    t->sampled = true;
    t->arrived_us = arrived_us;
    t->arrived_ms = arrived_ms;
    if (!read_parent(t, traceparent))
        make_id(t->trace_id, 16);
    make_id(t->span_id, 8);
    return t;
}

void trace_free(struct trace *t)
{
    free(t);
}

bool trace_parent(const struct job *j, char out[TRACE_PARENT_SIZE])
{
    const struct trace *t = j->trace;

    if (!t)
        return false;
    (void)snprintf(out, TRACE_PARENT_SIZE, "00-%s-%s-%02x", t->trace_id,
                   t->attempt_count ? t->attempts[t->attempt_count - 1].span_id : t->span_id, t->sampled ? 1U : 0U);
    return true;
}

/* --- parts --- */

static void keep(char *to, size_t size, const char *s)
{
    (void)snprintf(to, size, "%s", s ? s : "");
}

static void add_wait(struct job *j, int64_t now_us)
{
    struct trace *t = j->trace;
    int64_t since = j->failed_us ? j->failed_us : j->ask.arrived_us;
    struct trace_wait *w;

    if (t->wait_count == TRACE_PARTS_MAX || now_us <= since)
        return;
    w = &t->waits[t->wait_count++];
    make_id(w->span_id, 8);
    w->begun_us = since;
    w->ended_us = now_us;
    for (int g = 0; g < GATE_COUNT; g++)
        w->held_us[g] = j->grant.wait.held_us[g] - t->held_us[g];
    memcpy(t->held_us, j->grant.wait.held_us, sizeof t->held_us);
}

void trace_granted(struct job *j, int64_t now_us)
{
    if (j->trace)
        add_wait(j, now_us);
}

void trace_sent(struct job *j, int64_t now_us)
{
    struct trace *t = j->trace;
    const struct call_attempt *row = &j->rec.attempts[j->rec.attempt_count - 1];
    struct trace_attempt *a;

    if (!t)
        return;
    t->attempts_made++;
    if (t->attempt_count == TRACE_PARTS_MAX)           /* the last ones are the more telling */
        memmove(t->attempts, t->attempts + 1, --t->attempt_count * sizeof *t->attempts);
    a = &t->attempts[t->attempt_count++];
    *a = (struct trace_attempt){.begun_us = now_us, .upstream = row->upstream, .choice = row->reason, .number = (int)t->attempts_made,
                                .retry_of = t->attempt_count > 1 ? a[-1].error : NULL};
    make_id(a->span_id, 8);
    keep(a->model, sizeof a->model, row->model);
}

static void close_attempt(struct trace *t, int http_status, const char *error, int64_t now_us)
{
    struct trace_attempt *a = t->attempt_count ? &t->attempts[t->attempt_count - 1] : NULL;

    if (!a || a->ended_us)
        return;
    a->http_status = http_status;
    a->error = error;
    a->ended_us = now_us;
}

void trace_answered(struct job *j, int http_status, const char *error, int64_t now_us)
{
    if (j->trace)
        close_attempt(j->trace, http_status, error, now_us);
}

/* --- the end --- */

void trace_ended(struct job *j)
{
    const struct call_record *r = &j->rec;
    struct trace *t = j->trace;

    if (!t)
        return;
    if (j->recorded && !j->granted)
        add_wait(j, j->ended_us);
    j->trace = NULL;
    if (!t->sampled) {
        trace_free(t);
        return;
    }
    close_attempt(t, 0, NULL, j->ended_us);
    t->ended_us = j->ended_us;
    memcpy(t->request_id, r->request_id, sizeof t->request_id);
    memcpy(t->session_id, r->session_id, sizeof t->session_id);
    memcpy(t->message_id, r->message_id, sizeof t->message_id);
    keep(t->route, sizeof t->route, r->api_endpoint);
    keep(t->asked, sizeof t->asked, r->requested_model ? r->requested_model : r->model);
    keep(t->model, sizeof t->model, r->model);
    t->upstream = t->attempts_made ? t->attempts[t->attempt_count - 1].upstream : NULL;
    t->finish = j->end.finish;
    t->error = j->end.err ? err_code(j->end.err) : NULL;
    t->status = call_status_name(j->end.status);
    t->priority = r->priority;
    t->stream = j->kind == JOB_STREAM;
    t->max_tokens = r->max_tokens;
    t->first_us = j->first_us;
    t->usage = r->usage;
    t->cost = r->cost.total;
    t->priced = r->cost.priced;
    tracer_give(t->tracer, t);
}
