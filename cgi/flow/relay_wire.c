/* relay_wire.c - what clients of /v1 are told: the provider's events as they
 * came, or what was read of them in the client's own shape (peer/wire.h).
 *
 * A stream's headers go out with its first event, or when its client has
 * waited for a while: until then a refusal still has its HTTP status. Where it
 * stands in the queue is told in comments, which every client skips. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/engine_impl.h"

enum {
    OPEN_QUEUED_US = 2 * 1000 * 1000,      /* a stream that waits for its turn is opened after so long … */
    LIMITS = 4,
};

/* The limits that clients have names for. */
static const struct {
    enum dim dim;
    const char *name;
} limits[LIMITS] = {
    {DIM_REQUESTS_PER_MINUTE, "requests"}, {DIM_TOKENS_PER_MINUTE, "tokens"},
    {DIM_INPUT_TOKENS_PER_MINUTE, "input-tokens"}, {DIM_OUTPUT_TOKENS_PER_MINUTE, "output-tokens"},
};

/* The upstream whose limits the client is told of: the one it runs at, or may. */
static int upstream_of(const struct job *j)
{
    uint64_t may = j->ask_candidates ? j->ask_candidates[0].upstreams : j->ask.upstreams;

    return j->granted ? j->grant.upstream : __builtin_ctzll(may);
}

/* Where the caller has a limit of its own, and less of that is left, it is told of that. */
static void tighten(struct engine *e, const struct job *j, enum dim d, struct wire_limit *l)
{
    struct caller_left own;

    for (int i = 0; i < CALLERS; i++)
        if (callers_left(&e->callers, &j->caller[i], d, e->now_us, &own) && (l->limit == 0 || own.remaining < l->remaining)) {
            l->limit = own.limit;
            l->remaining = own.remaining;
            l->reset_us = own.reset_us;
        }
}

static void add_limits(struct engine *e, const struct job *j)
{
    const struct wire_writer *w = wire_writer(j->wire);
    struct admit_upstream_view v;

    admit_view(e->admit, upstream_of(j), e->now_us, &v);
    for (int i = 0; i < LIMITS; i++) {
        const struct admit_dim_view *d = &v.dim[limits[i].dim];
        struct wire_limit l = {.name = limits[i].name};

        if (d->limit > 0)
            l = (struct wire_limit){limits[i].name, d->allowed, d->remaining > 0 ? d->remaining : 0, d->resets_in_us};
        tighten(e, j, limits[i].dim, &l);
        if (l.limit > 0)
            w->limit(&e->out, &l, clock_utc_ms());
    }
}

static void add_heads(struct engine *e, const struct job *j)
{
    if (j->rec.from_cache)
        sb_puts(&e->out, "X-Weir-Cache: hit\r\n");
    else if (j->first_sent_us)
        sb_putf(&e->out, "X-Weir-Queue-Ms: %" PRId64 "\r\nX-Weir-Retries: %d\r\nX-Weir-Upstream: %s\r\n",
                (j->first_sent_us - j->ask.arrived_us) / USEC_PER_MS, (int)j->rec.attempt_count - 1, j->rec.upstream);
    add_limits(e, j);
}

/* From here on e->out is this client's, and its head is written. */
static void open_stream(struct engine *e, struct job *j)
{
    relay_to(e, j);
    if (j->headers_sent)
        return;
    relay_event_head(&e->out, j);
    add_heads(e, j);
    sb_puts(&e->out, "\r\n");
    j->headers_sent = true;
}

static bool streams(const struct job *j)
{
    return j->kind == JOB_STREAM && j->client.fd >= 0;
}

/* What the writer has to know by now. */
static struct wire_call *call_of(struct job *j)
{
    j->said.request_id = j->rec.request_id;
    j->said.id = j->answer_id;
    j->said.model = j->rec.model;
    j->said.created_s = j->rec.accepted_at_ms / 1000;
    j->said.usage_wanted = j->usage_wanted;
    j->said.prompt_tokens = j->rec.prompt_tokens_counted;
    j->said.note.passed = j->passed;
    return &j->said;
}

/* --- before and during the answer --- */

void relay_wire_place(struct engine *e, struct job *j, const struct admit_place *p)
{
    relay_to(e, j);
    sb_putf(&e->out, ": queued position=%" PRId64, p->position);
    if (p->eta_us >= 0)
        sb_putf(&e->out, " eta_ms=%" PRId64, p->eta_us / USEC_PER_MS);
    sb_puts(&e->out, "\n\n");
}

void relay_wire_tick(struct engine *e, struct job *j)
{
    int64_t waited_us = e->now_us - j->ask.arrived_us;
    bool queued = j->state == JOB_QUEUED;

    if (!streams(j) || j->headers_sent || j->ending || waited_us < (queued ? OPEN_QUEUED_US : PING_US))
        return;
    open_stream(e, j);
    if (queued)
        e->places_due = true;
    else
        sb_puts(&e->out, ": ping\n\n");
}

/* data: of an event, line by line. */
static void add_event(struct sb *out, const char *name, const char *data, size_t n)
{
    if (*name)
        sb_putf(out, "event: %s\n", name);
    for (;;) {
        const char *end = memchr(data, '\n', n);
        size_t line = end ? (size_t)(end - data) : n;

        sb_puts(out, "data: ");
        sb_put(out, data, line);
        sb_putc(out, '\n');
        if (!end)
            break;
        data = end + 1;
        n -= line + 1;
    }
    sb_putc(out, '\n');
}

/* The event without the member that is no business of its client, and without the comma that goes with it. */
static void add_without(struct engine *e, const char *name, const char *data, size_t n, struct span member)
{
    const char *from = member.p, *to = from + member.n, *end = data + n, *comma;

    while (from > data && from[-1] != ',' && from[-1] != '{')
        from--;
    if (from > data && from[-1] == ',')
        from--;
    else if ((comma = memchr(to, ',', (size_t)(end - to))))
        to = comma + 1;
    sb_reset(&e->scratch);
    sb_put(&e->scratch, data, (size_t)(from - data));
    sb_put(&e->scratch, to, (size_t)(end - to));
    add_event(&e->out, name, sb_str(&e->scratch), e->scratch.len);
}

void relay_wire_pass(struct engine *e, struct job *j, const char *name, const char *data, size_t n, const struct provider_reply *r)
{
    if (r->event == REPLY_END) {
        add_event(&j->whole, name, data, n);
        return;
    }
    j->passed = j->passed || r->event != REPLY_IDLE;
    if (!streams(j) || (r->event == REPLY_USAGE && !j->usage_wanted))
        return;
    open_stream(e, j);
    if (r->figures.p && !j->usage_wanted)
        add_without(e, name, data, n, r->figures);
    else
        add_event(&e->out, name, data, n);
}

void relay_wire_delta(struct engine *e, struct job *j, enum stream_event kind, const char *raw, size_t n)
{
    const struct wire_writer *w = wire_writer(j->wire);

    if (!streams(j))
        return;
    open_stream(e, j);
    (kind == STREAM_TEXT ? w->text : w->reasoning)(&e->out, call_of(j), raw, n);
}

void relay_call(struct engine *e, struct job *j, const struct wire_piece *p)
{
    if (!streams(j))
        return;
    open_stream(e, j);
    wire_writer(j->wire)->call(&e->out, call_of(j), p);
}

/* --- the end --- */

static void add_whole(struct engine *e, struct job *j)
{
    struct wire_tool *calls = mem_zalloc(j->call_count + 1, sizeof *calls);
    struct wire_answer a = {
        .text = {sb_str(&j->answer), j->answer.len}, .reasoning = {sb_str(&j->reasoning), j->reasoning.len},
        .calls = calls, .call_count = j->call_count, .finish = j->end.finish, .usage = &j->rec.usage,
    };

    for (size_t i = 0; i < j->call_count; i++) {
        const struct job_call *c = &j->calls[i];

        calls[i] = (struct wire_tool){{sb_str(&c->id), c->id.len}, {sb_str(&c->name), c->name.len},
                                      {sb_str(&c->arguments), c->arguments.len}};
    }
    wire_writer(j->wire)->whole(&e->scratch, call_of(j), &a);
    free(calls);
}

/* Status, headers and body in one piece. */
static void add_response(struct engine *e, struct job *j, int status, const struct sb *body)
{
    sb_putf(&e->out, "Status: %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n", status, err_reason(status), body->len);
    relay_heads(&e->out, j);
    add_heads(e, j);
    if (j->end.err) {
        if (j->end.retry_after_ms >= 0)
            sb_putf(&e->out, "Retry-After: %" PRId64 "\r\n", (j->end.retry_after_ms + 999) / 1000);
        wire_retry_heads(&e->out, j->end.err, j->end.retry_after_ms);
    } else if (j->rec.cost.priced) {
        sb_puts(&e->out, "X-Weir-Cost-Usd: ");
        sb_usd(&e->out, j->rec.cost.total);
        sb_puts(&e->out, "\r\n");
    }
    sb_puts(&e->out, "\r\n");
    sb_put(&e->out, sb_str(body), body->len);
}

static void end_stream(struct engine *e, struct job *j)
{
    const struct wire_writer *w = wire_writer(j->wire);

    open_stream(e, j);
    if (j->whole.len) {
        sb_put(&e->out, sb_str(&j->whole), j->whole.len);
        return;
    }
    if (j->cut || !j->passed || j->end.status == CALL_CANCELLED)
        w->finish(&e->out, call_of(j), j->end.finish, &j->rec.usage);
    sb_puts(&e->out, w->end);
}

void relay_wire_end(struct engine *e, struct job *j)
{
    struct err_detail d = {.message = j->end.message, .request_id = j->rec.request_id, .retry_after_ms = j->end.retry_after_ms,
                           .code = *j->end.code ? j->end.code : NULL, .param = *j->end.param ? j->end.param : NULL,
                           .extra = j->end.extra};
    const struct wire_writer *w = wire_writer(j->wire);

    if (j->headers_sent && j->end.err) {
        w->error_event(&e->out, j->end.err, &d);
    } else if (j->end.err) {
        sb_reset(&e->scratch);
        w->error(&e->scratch, j->end.err, &d);
        add_response(e, j, err_status(j->end.err), &e->scratch);
    } else if (j->kind == JOB_STREAM) {
        end_stream(e, j);
    } else if (j->whole.len) {
        add_response(e, j, 200, &j->whole);
    } else {
        sb_reset(&e->scratch);
        add_whole(e, j);
        add_response(e, j, 200, &e->scratch);
    }
}
