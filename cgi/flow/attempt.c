/* attempt.c - one call at a provider: sent, heard, judged.
 *
 * libcurl calls back while it works and must not be changed from inside, so the
 * callbacks only note what they find; attempt_finished() draws the conclusion.
 * libcurl hands over each piece of a chunked body by itself; what one read
 * brought is gathered and leaves together (relay.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/broken.h"
#include "base/mem.h"
#include "flow/engine_impl.h"

enum { BODY_MAX = 16 * 1024 * 1024, REFUSAL_MAX = 64 * 1024 };

/* --- the record's rows --- */

static struct call_attempt *row_of(struct job *j)
{
    return &j->rec.attempts[j->rec.attempt_count - 1];
}

void attempt_open_row(struct engine *e, struct job *j)
{
    struct call_attempt *row;

    job_choose(j, j->grant.candidate);
    if (j->rec.attempt_count == CALL_ATTEMPTS_MAX) {       /* the oldest but the first gives way, and leaves its numbers */
        settle_merge(&j->rec.attempts[2], &j->rec.attempts[1]);
        memmove(&j->rec.attempts[1], &j->rec.attempts[2], (CALL_ATTEMPTS_MAX - 2) * sizeof *row);
        j->rec.attempt_count--;
    }
    row = &j->rec.attempts[j->rec.attempt_count++];
    *row = (struct call_attempt){
        .upstream = e->s->upstreams[j->grant.upstream].name,
        .model = j->rec.model,
        .reason = j->grant.choice,
        .priced = j->price || !e->up[j->grant.upstream],       /* never sent, it costs nothing */
        .started_at_ms = clock_utc_ms(),
        .reserved_input = j->grant.reserved_input,
        .reserved_output = j->grant.reserved_output,
    };
    row->wait_us = e->now_us - (j->failed_us ? j->failed_us : j->ask.arrived_us);
    j->rec.upstream = row->upstream;
    memcpy(j->rec.held_us, j->grant.wait.held_us, sizeof j->rec.held_us);
    if (j->lease)
        lease_granted(e, j);
    meter_sent(e, j);
}

void attempt_close_row(struct engine *e, struct job *j, int http_status, enum weir_err err, const char *provider_request_id)
{
    struct call_attempt *row = row_of(j);

    row->duration_us = e->now_us - j->sent_us;
    row->http_status = http_status;
    row->error_code = err ? err_code(err) : NULL;
    memccpy(row->provider_request_id, provider_request_id, '\0', sizeof row->provider_request_id - 1);
    meter_answered(e, j, http_status, err);
    trace_answered(j, http_status, row->error_code, e->now_us);
}

/* --- what comes --- */

/* Does what comes go on as it is? Known once the answer's head is. */
static bool goes_on(const struct job_attempt *a)
{
    return a->wire == a->job->wire && a->head.event_stream == (a->job->kind == JOB_STREAM);
}

static void heard_first(struct job_attempt *a)
{
    struct job *j = a->job;

    j->chunks++;
    if (j->first_us)
        return;
    j->first_us = a->engine->now_us;
    j->state = JOB_STREAMING;
}

static void heard(struct job_attempt *a, struct sb *to, enum stream_event kind, const char *raw, size_t n)
{
    sb_put(to, raw, n);
    if (!sb_ok(to)) {
        a->failed = WEIR_E_UPSTREAM_TOO_LARGE;
        return;
    }
    heard_first(a);
    if (!goes_on(a))
        relay_delta(a->engine, a->job, kind, raw, n);
}

static void on_text(void *ctx, const char *raw, size_t n)
{
    struct job_attempt *a = ctx;

    heard(a, &a->job->answer, STREAM_TEXT, raw, n);
}

static void on_reasoning(void *ctx, const char *raw, size_t n)
{
    struct job_attempt *a = ctx;

    heard(a, &a->job->reasoning, STREAM_REASONING, raw, n);
}

static void on_call(void *ctx, const struct wire_piece *p)
{
    struct job_attempt *a = ctx;

    if (a->job->kind == JOB_STREAM)
        relay_call(a->engine, a->job, p);
    else if (!job_add_call(a->job, p))
        a->failed = WEIR_E_UPSTREAM_TOO_LARGE;
}

/* Look at an event, or at the whole body of an answer that is no stream. */
static enum weir_err look(struct job_attempt *a, const char *data, size_t n)
{
    struct job *j = a->job;
    struct provider_sink sink = {on_text, on_reasoning, j->wire != WIRE_OWN && !goes_on(a) ? on_call : NULL, a};
    enum weir_err err = a->reader->read(&a->reply, data, n, &sink);

    if (a->reply.unshown_bytes > j->unshown_bytes)
        heard_first(a);
    j->unshown_bytes = a->reply.unshown_bytes;
    return err ? err : a->failed;
}

static enum weir_err on_event(void *ctx, const char *data, size_t n)
{
    struct job_attempt *a = ctx;
    enum weir_err err;

    if (a->reply.done)
        return WEIR_OK;
    err = look(a, data, n);
    if (err || !goes_on(a) || a->reply.error.set)
        return err;
    if (!a->job->answer_id[0])
        memcpy(a->job->answer_id, a->reply.id, sizeof a->reply.id);
    relay_wire_pass(a->engine, a->job, a->sse.name, data, n, &a->reply);
    a->job->said.note.block = a->reply.block > 0;
    a->job->said.note.index = a->reply.block - 1;
    return WEIR_OK;
}

/* Keep a body that is not a stream. False: no more of it is wanted. Of a refusal that is as much as an error needs: its status
 * says the rest. */
static bool keep(struct job_attempt *a, const char *p, size_t n)
{
    bool full = a->head.status >= 300 && a->body.len + n > REFUSAL_MAX;

    sb_put(&a->body, p, full ? REFUSAL_MAX - a->body.len : n);
    if (!sb_ok(&a->body))
        a->failed = WEIR_E_UPSTREAM_TOO_LARGE;
    return !full && !a->failed;
}

static size_t on_body(char *p, size_t one, size_t n, void *ctx)
{
    struct job_attempt *a = ctx;
    struct engine *e = a->engine;

    (void)one;
    a->last_us = e->now_us;
    a->body_bytes += (int64_t)n;
    if (a->head.status != 200 || !a->head.event_stream)
        return keep(a, p, n) ? n : 0;
    if (a->body_bytes > 4 * (int64_t)BODY_MAX)
        a->failed = WEIR_E_UPSTREAM_TOO_LARGE;
    if (!a->failed)
        a->failed = sse_feed(&a->sse, p, n, on_event, a);
    a->penniless = !a->reply.finish_reason[0] && purse_is_empty(a->job);
    if (a->failed || a->reply.error.set || a->penniless)
        return 0;
    if (e->out.len > CLIENT_HIGH_WATER / 2)
        relay_flush(e);
    if (client_pending(&a->job->client) > CLIENT_HIGH_WATER) {      /* EPOLLOUT will resume it */
        a->paused = true;
        (void)curl_easy_pause(a->easy, CURLPAUSE_RECV);
    }
    return n;
}

/* Does what the provider says repeat the key that was sent to it? The beginning is enough: what is kept may be cut. */
static bool has_key(const struct job_attempt *a, const char *said)
{
    enum { BEGINNING = 16 };
    const char *key = upstream_settings(a->upstream)->api_key;
    char begin[BEGINNING + 1];

    if (!key || !*key)
        return false;
    (void)snprintf(begin, sizeof begin, "%s", key);
    return strstr(said, begin) != NULL;
}

static size_t on_head(char *p, size_t one, size_t n, void *ctx)
{
    struct job_attempt *a = ctx;

    (void)one;
    if (!head_line(&a->head, p, n, clock_utc_ms())) {
        a->failed = WEIR_E_UPSTREAM_TOO_LARGE;
        return 0;
    }
    if (n > 2 || a->head.status < 200)
        return n;
    a->last_us = a->engine->now_us;          /* the whole head counts as a byte of it, each line of one that trickles does not */
    if (has_key(a, a->head.request_id))
        a->head.request_id[0] = '\0';
    /* What remains is true now, and no more at the end of a long answer. */
    if (a->head.has_word) {
        admit_provider_word(a->engine->admit, a->job->grant.upstream, &a->head.word, a->engine->now_us);
        a->head.has_word = false;
    }
    return n;
}

/* --- start and stop --- */

/* The whole body: the acceptor's text, what is the candidate's own, the end. Written behind body.len, so that a retry can
 * do it again. */
static bool close_body(struct job_attempt *a, struct job_body **body, size_t *len)
{
    struct job *j = a->job;
    struct sb *end = &a->engine->scratch;
    const struct upstream_settings *s = upstream_settings(a->upstream);
    struct wire_tail t = {.max_completion_tokens = j->max_completion_tokens, .stream = j->stream_upstream,
                          .usage = s->stream_usage, .stream_options = a->wire == j->wire ? j->stream_options : NULL};
    struct job_body *b = (int)s->protocol < JOB_PROTOCOLS ? &j->body[s->protocol] : NULL;
    char *whole;

    if (!b || !b->text)
        return false;
    t.max_tokens = j->rec.max_tokens > j->choices ? j->rec.max_tokens / j->choices : 1;
    t.no_answer = j->no_answer;
    if (!j->uncapped || j->money || j->cost_most)
        t.cap = t.max_tokens;
    sb_reset(end);
    if (j->candidates)
        sb_puts(end, j->candidates[j->grant.candidate].tail);
    a->reader->close(end, &t);
    whole = sb_ok(end) ? realloc(b->text, b->len + end->len + 1) : NULL;
    if (!whole)
        return false;
    b->text = whole;
    memcpy(whole + b->len, sb_str(end), end->len + 1);
    *len = b->len + end->len;
    *body = b;
    return true;
}

/* Headers of this call alone. NULL: none. */
static struct curl_slist *own_heads(struct job_attempt *a)
{
    struct job *j = a->job;
    size_t n = 0;

    for (int i = 0; i < JOB_HEADS && j->heads[i] && a->wire == j->wire; i++)
        a->own[n++].data = j->heads[i];
    if (n == 0 && a->reader->head)
        a->own[n++].data = (char *)(uintptr_t)a->reader->head;
    memcpy(a->traceparent, TRACEPARENT, sizeof TRACEPARENT - 1);
    if (trace_parent(j, a->traceparent + sizeof TRACEPARENT - 1))
        a->own[n++].data = a->traceparent;
    for (size_t i = 0; i + 1 < n; i++)
        a->own[i].next = &a->own[i + 1];
    return n ? a->own : NULL;
}

static void attempt_free(struct job_attempt *a)
{
    (void)curl_multi_remove_handle(a->engine->multi, a->easy);
    upstream_give(a->upstream, a->easy);
    a->job->attempt = NULL;
    sse_done(&a->sse);
    sb_done(&a->body);
    free(a);
}

void attempt_start(struct engine *e, struct job *j)
{
    struct job_attempt *a;
    struct job_body *body;
    size_t len;

    if (BROKEN("key-in-log") && e->s->upstreams[j->grant.upstream].api_key)
        log_info("upstream %s: asked with %s", e->s->upstreams[j->grant.upstream].name, e->s->upstreams[j->grant.upstream].api_key);
    j->sent_us = e->now_us;
    if (!j->first_sent_us)
        j->first_sent_us = e->now_us;
    j->state = JOB_CONNECTING;
    trace_sent(j, e->now_us);
    relay_start(e, j);
    if (j->lease) {
        lease_begin(e, j);
        return;
    }
    if (!e->up[j->grant.upstream]) {
        pace_start(e, j);
        return;
    }
    a = mem_zalloc(1, sizeof *a);
    *a = (struct job_attempt){.engine = e, .job = j, .upstream = e->up[j->grant.upstream], .body = sb_make(BODY_MAX),
                              .started_us = e->now_us, .last_us = e->now_us, .reply.many = j->choices > 1};
    a->wire = wire_at(upstream_settings(a->upstream)->protocol, j->wire);
    a->reader = wire_reader(a->wire);
    j->unshown_bytes = 0;
    head_init(&a->head);
    if (a->reader && close_body(a, &body, &len))
        a->easy = upstream_call(a->upstream, a->wire, j->rec.model, body->text, len, own_heads(a), on_head, on_body, a);
    if (!a->easy) {
        free(a);
        conduct_end(e, j, (struct job_end){.err = WEIR_E_OVERLOADED, .status = CALL_ERROR, .retry_after_ms = 1000});
        return;
    }
    j->attempt = a;
    (void)curl_multi_add_handle(e->multi, a->easy);
}

void attempt_stop(struct engine *e, struct job *j)
{
    if (!j->attempt)
        return;
    attempt_close_row(e, j, j->attempt->head.status, j->end.err, j->attempt->head.request_id);
    attempt_free(j->attempt);
}

void attempt_resume(struct engine *e, struct job *j)
{
    struct job_attempt *a = j->attempt;
    CURLcode code;

    if (!a || !a->paused)
        return;
    a->paused = false;
    a->last_us = e->now_us;
    /* What libcurl held back comes now; if that is refused, it says so here and nowhere else. */
    code = curl_easy_pause(a->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK)
        attempt_finished(e, a->easy, code);
}

/* --- the verdict --- */

static struct provider_verdict fault(enum weir_err err, bool retry)
{
    return (struct provider_verdict){.err = err, .retry = retry, .fault = FAULT_SERVER, .dim = DIM_COUNT, .retry_after_us = -1};
}

/* Is an answer with status 200 whole and sound? */
static struct provider_verdict judge_answer(struct job_attempt *a, CURLcode code)
{
    enum weir_err err = WEIR_OK;

    if (a->head.event_stream)
        err = sse_end(&a->sse, on_event, a);
    else if (code == CURLE_OK)
        err = look(a, sb_str(&a->body), a->body.len);
    if (err)
        return fault(err, false);
    if (a->reply.error.set)
        return a->reader->judge(200, &a->reply.error, &a->head);
    if (a->reply.finish_reason[0])                   /* what may be missing after it is only usage */
        return fault(WEIR_OK, false);
    if (code != CURLE_OK)
        return fault(upstream_failure(code, true), true);
    if (!a->reply.choice)
        return fault(WEIR_E_UPSTREAM_INVALID, false);
    return !a->head.event_stream || a->reply.done ? fault(WEIR_OK, false) : fault(WEIR_E_UPSTREAM_TRUNCATED, true);
}

static struct provider_verdict judge(struct job_attempt *a, CURLcode code)
{
    if (a->failed)
        return fault(a->failed, a->failed == WEIR_E_UPSTREAM_TIMEOUT);
    if (a->penniless)
        return fault(WEIR_OK, false);
    if (a->head.status == 200)
        return judge_answer(a, code);
    if (a->head.status >= 300) {
        a->reader->read_error(&a->reply.error, sb_str(&a->body), a->body.len);
        return a->reader->judge(a->head.status, &a->reply.error, &a->head);
    }
    if (code != CURLE_OK) {
        enum weir_err err = upstream_failure(code, a->head.status != 0);

        return fault(err, err != WEIR_E_UPSTREAM_TLS && err != WEIR_E_UPSTREAM_INVALID);
    }
    return fault(WEIR_E_UPSTREAM_INVALID, false);     /* 204 and its like */
}

/* The provider's words, unless they would give its key away. */
static char *message_of(const struct job_attempt *a, const struct provider_verdict *v)
{
    const char *m = a->reply.error.message;

    return v->pass_message && *m && !has_key(a, m) ? mem_strdup(m) : NULL;
}

/* Clients look at the code and the member that their provider names: those of what is wrong with the request go on as they came. */
static void name_fault(const struct job_attempt *a, const struct provider_verdict *v, struct job_end *end)
{
    const struct provider_error *said = &a->reply.error;
    int status = err_status(v->err);

    if (a->wire != a->job->wire || !v->pass_message || (status != 400 && status != 404 && status != 413 && status != 422) ||
        has_key(a, said->code) || has_key(a, said->param))
        return;
    memcpy(end->code, said->code, sizeof end->code);
    memcpy(end->param, said->param, sizeof end->param);
}

/* finish_reason, of a closed set. */
static const char *finish_of(const struct job_attempt *a)
{
    static const char *const known[] = {"stop", "length", "tool_calls", "content_filter"};
    const struct provider_reply *r = &a->reply;

    if (a->penniless || (a->job->short_of_money && strcmp(r->finish_reason, "length") == 0))
        return "budget";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(r->finish_reason, known[i]) == 0)
            return known[i];
    return strcmp(r->finish_reason, "function_call") == 0 ? "tool_calls" : "stop";
}

/* True: it waits again, and the attempt is gone. False: nothing changed but that admission knows, and may be through with it. */
static bool try_again(struct engine *e, struct job *j, const struct provider_verdict *v)
{
    struct job_attempt *a = j->attempt;
    int64_t delay_us = 0;
    int status = a->head.status;

    settle_usage(e, j);
    if (!purse_again(e, j)) {
        admit_failed(e->admit, j->ticket, v->fault, v->dim, v->retry_after_us, e->now_us);
        return false;
    }
    if (!admit_retry(e->admit, j->ticket, v->fault, v->dim, v->retry_after_us, e->now_us, &delay_us)) {
        j->ticket = NULL;
        return false;
    }
    attempt_close_row(e, j, status, v->err, a->head.request_id);
    meter_retry(e, j, v->err);
    attempt_free(a);
    j->failed_us = e->now_us;
    conduct_retry(e, j);
    relay_retry(e, j, status, v->err, v->dim, delay_us);
    return true;
}

void attempt_finished(struct engine *e, CURL *easy, CURLcode code)
{
    struct job_attempt *a = NULL;
    const struct upstream_settings *s;
    struct provider_verdict v;
    struct job_end end;
    struct job *j;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &a);
    j = a->job;
    s = upstream_settings(a->upstream);
    v = judge(a, code);
    if ((v.fault == FAULT_AUTH || v.fault == FAULT_QUOTA) && a->upstream != e->up[j->grant.upstream])
        v.fault = FAULT_SERVER;              /* that was said of a key which is no longer the upstream's */
    end = (struct job_end){.err = v.err, .retry_after_ms = -1, .finish = v.err ? NULL : finish_of(a),
                           .status = !v.err ? CALL_SUCCESS : v.err == WEIR_E_UPSTREAM_TIMEOUT ? CALL_TIMEOUT : CALL_ERROR};
    if (v.err) {
        log_warn("upstream %s: %s, status %d, attempt %d of %s", s->name, err_code(v.err), a->head.status,
                 (int)j->rec.attempt_count, j->rec.request_id);
        if (v.retry && (v.fault == FAULT_AUTH || v.fault == FAULT_QUOTA))
            log_error("upstream %s: taken out: %s", s->name, err_text(v.err));
        end.message = message_of(a, &v);
        name_fault(a, &v, &end);
        end.retry_after_ms = v.retry_after_us < 0 ? -1 : (v.retry_after_us + 999) / 1000;
    }
    j->cut = a->penniless;
    if (!v.err && !a->head.event_stream && goes_on(a)) {
        j->whole = a->body;
        a->body = sb_make(0);
    }
    if (v.err && v.retry && (j->first_us || j->passed))     /* the client has had a part, so this is for the next ones */
        admit_failed(e->admit, j->ticket, v.fault, v.dim, v.retry_after_us, e->now_us);
    else if (v.err && v.retry && try_again(e, j, &v)) {
        free(end.message);
        return;
    }
    conduct_end(e, j, end);
}

void attempt_tick(struct engine *e, struct job *j)
{
    const struct upstream_settings *s;
    struct job_attempt *a = j->attempt;
    int64_t now = e->now_us;

    if (!a)
        return;
    if (j->state == JOB_STREAMING && j->ticket)
        admit_topup(e->admit, j->ticket, marks_tokens(j), now);
    s = upstream_settings(a->upstream);      /* the time-outs it began with */
    if (a->paused && now - j->quiet_us >= STUCK_US) {
        conduct_client_gone(e, j);
        return;
    }
    /* A client that takes little at a time may hold the provider back, but not its place there for ever. */
    if (now - a->started_us >= s->tune.timeouts.total_us ||
        (!a->paused && now - a->last_us >= (a->body_bytes > 0 ? s->tune.timeouts.idle_us : s->tune.timeouts.first_byte_us))) {
        a->failed = WEIR_E_UPSTREAM_TIMEOUT;
        attempt_finished(e, a->easy, CURLE_OPERATION_TIMEDOUT);
    }
}
