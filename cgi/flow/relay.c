/* relay.c - what clients are told: the events of /chat/stream, the answer of
 * /chat/complete, refusals.
 *
 * One buffer holds what is being said to one client. It leaves in one system
 * call when another client's turn comes or the engine's turn ends, so events
 * that belong together travel together. A write that fails ends the connection,
 * and epoll reports it like any other client that left. */
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "flow/engine_impl.h"
#include "base/broken.h"
#include "flow/gauge.h"
#include "store/record.h"

enum {
    PLACES_PER_SEC = 4,              /* one job is told so often at most */
    ALL_PLACES_PER_SEC = 8000,       /* and all together, which only matters in a very long line */
    LIMITS_GAP_US = 2 * 1000 * 1000,
    OUT_KEPT = 256 * 1024,           /* a larger buffer is given back after use */
};

static int64_t ms(int64_t us)
{
    return us / USEC_PER_MS;
}

/* Send what was put together. With `last` the request is ended. */
static void say(struct engine *e, struct job *j, bool last)
{
    int rc = -1;

    if (j->client.fd >= 0 && sb_ok(&e->out))
        rc = last ? client_write_last(&j->client, sb_str(&e->out), e->out.len)
                  : client_write(&j->client, sb_str(&e->out), e->out.len);
    if (j->stream && j->stream->readers)
        follow_say(e, j->stream, sb_str(&e->out), e->out.len, last);
    if (j->once)
        sb_put(&j->once->said, sb_str(&e->out), e->out.len);
    e->out_job = NULL;
    sb_reset(&e->out);
    if (e->out.cap > OUT_KEPT)
        sb_done(&e->out);
    j->quiet_us = e->now_us;
    if (rc == 0 && client_pending(&j->client) > 0)
        loop_want_out(e, j->client.fd, &j->watch, true);
    if (rc < 0 && j->client.fd >= 0)
        (void)shutdown(j->client.fd, SHUT_RDWR);
}

/* From here on the buffer is this client's. */
void relay_to(struct engine *e, struct job *j)
{
    if (e->out_job != j)
        relay_flush(e);
    e->out_job = j;
}

static void event_begin(struct engine *e, struct job *j, const char *name)
{
    relay_to(e, j);
    e->event_at = e->out.len;
    sb_puts(&e->out, "id: ");
    sb_i64(&e->out, ++j->event_id);
    sb_puts(&e->out, "\nevent: ");
    sb_puts(&e->out, name);
    sb_puts(&e->out, "\ndata: ");
}

static void event_end(struct engine *e, struct job *j, enum stream_event kind)
{
    sb_puts(&e->out, "\n\n");
    if (j->stream)
        stream_log_event(&j->stream->log, kind, sb_str(&e->out) + e->event_at, e->out.len - e->event_at);
}

/* Whether somebody reads its events now. Else those that last are kept, gauges are not even made. */
static bool is_read(const struct job *j)
{
    return j->headers_sent && (j->client.fd >= 0 || (j->stream && j->stream->readers));
}

void relay_heads(struct sb *out, const struct job *j)
{
    sb_putf(out, "Cache-Control: no-store\r\nX-Request-Id: %s\r\nrequest-id: %s\r\n", j->rec.request_id, j->rec.request_id);
}

void relay_event_head(struct sb *out, const struct job *j)
{
    sb_puts(out, "Status: 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n");
    relay_heads(out, j);
}

static void ids(struct sb *out, const struct job *j)
{
    sb_putf(out, "\"request_id\":\"%s\",\"session_id\":\"%s\",\"message_id\":\"%s\"", j->rec.request_id, j->rec.session_id,
            j->rec.message_id);
}

/* --- before the answer --- */

void relay_accepted(struct engine *e, struct job *j)
{
    if (j->wire != WIRE_OWN || j->kind != JOB_STREAM)
        return;
    j->stream = stream_new(&j->rec);
    j->stream->job = j;
    relay_to(e, j);
    relay_event_head(&e->out, j);
    sb_puts(&e->out, "\r\n: weir\n\n");
    event_begin(e, j, "accepted");
    sb_putc(&e->out, '{');
    ids(&e->out, j);
    sb_putc(&e->out, '}');
    event_end(e, j, STREAM_EVENT);
    j->headers_sent = true;
}

/* Has what was told become wrong by more than the clock has moved? */
static bool place_moved(const struct engine *e, const struct job *j, const struct admit_place *p)
{
    int64_t start_us = p->eta_us < 0 ? -1 : e->now_us + p->eta_us, off_us, slack_us;

    if (j->told.position != p->position || j->told.reason != p->reason || (p->eta_us < 0) != (j->told.eta_us < 0))
        return true;
    off_us = start_us > j->told_start_us ? start_us - j->told_start_us : j->told_start_us - start_us;
    slack_us = p->eta_us / 10 > USEC_PER_SEC ? p->eta_us / 10 : USEC_PER_SEC;
    return p->eta_us >= 0 && off_us > slack_us;
}

/* A second's worth may come at once, so that a line that moves twice in a moment is told twice. */
static bool may_tell_place(const struct engine *e, struct job *j)
{
    int64_t gap_us = USEC_PER_SEC / PLACES_PER_SEC, shared_us = (int64_t)e->job_count * USEC_PER_SEC / ALL_PLACES_PER_SEC;

    if (shared_us > gap_us)
        gap_us = shared_us;
    if (j->tell_us > e->now_us + gap_us * (PLACES_PER_SEC - 1))
        return false;
    j->tell_us = (j->tell_us > e->now_us ? j->tell_us : e->now_us) + gap_us;
    return true;
}

void relay_place(struct engine *e, struct job *j, const struct admit_place *p)
{
    if (!is_read(j) || !place_moved(e, j, p) || !may_tell_place(e, j))
        return;
    j->told = *p;
    j->told_start_us = p->eta_us < 0 ? -1 : e->now_us + p->eta_us;
    if (j->wire != WIRE_OWN) {
        relay_wire_place(e, j, p);
        return;
    }
    event_begin(e, j, "queue");
    sb_puts(&e->out, "{\"position\":");
    sb_i64(&e->out, p->position);
    sb_puts(&e->out, ",\"ahead\":");
    sb_i64(&e->out, p->ahead);
    sb_puts(&e->out, ",\"eta_ms\":");
    if (p->eta_us < 0)
        sb_puts(&e->out, "null");
    else
        sb_i64(&e->out, ms(p->eta_us));
    sb_puts(&e->out, ",\"eta_error_ms\":");
    sb_i64(&e->out, ms(p->eta_error_us));
    sb_puts(&e->out, ",\"reason\":");
    sb_json(&e->out, gate_name(p->reason));
    gauge_spread_json(&e->out, &p->spread);
    sb_puts(&e->out, ",\"upstream\":");
    sb_json(&e->out, p->upstream >= 0 ? e->s->upstreams[p->upstream].name : NULL);
    sb_putc(&e->out, '}');
    event_end(e, j, STREAM_GAUGE);
}

/* Gauges of the job's upstream: put into words at most once a tick, however many streams show them. */
static void add_limits(struct engine *e, struct job *j)
{
    int i = j->grant.upstream;
    struct sb *words = &e->gauge[i];
    struct admit_upstream_view v;

    j->limits_us = e->now_us;
    if (words->len == 0 || e->now_us - e->gauge_us[i] >= ENGINE_TICK_US) {
        e->gauge_us[i] = e->now_us;
        sb_reset(words);
        admit_view(e->admit, i, e->now_us, &v);
        gauge_rebase(&v, e->now_us);
        gauge_json(words, &v, clock_utc_ms());
    }
    event_begin(e, j, "limits");
    sb_puts(&e->out, "{\"upstreams\":[");
    sb_put(&e->out, sb_str(words), words->len);
    sb_puts(&e->out, "]}");
    event_end(e, j, STREAM_GAUGE);
}

void relay_start(struct engine *e, struct job *j)
{
    if (j->wire != WIRE_OWN || !j->headers_sent)
        return;
    event_begin(e, j, "start");
    sb_puts(&e->out, "{\"model\":");
    sb_json(&e->out, j->rec.model);
    sb_puts(&e->out, ",\"upstream\":");
    sb_json(&e->out, j->rec.upstream);
    sb_putf(&e->out, ",\"attempt\":%d,\"queue_ms\":%" PRId64 "}", (int)j->rec.attempt_count,
            ms(j->first_sent_us - j->ask.arrived_us));
    event_end(e, j, STREAM_EVENT);
    if (is_read(j) && !j->shared)
        add_limits(e, j);
}

void relay_retry(struct engine *e, struct job *j, int http_status, enum weir_err err, enum dim limit, int64_t delay_us)
{
    if (j->wire != WIRE_OWN || !j->headers_sent)
        return;
    event_begin(e, j, "retry");
    sb_puts(&e->out, "{\"model\":");
    sb_json(&e->out, j->rec.model);
    sb_puts(&e->out, ",\"upstream\":");
    sb_json(&e->out, j->rec.upstream);
    sb_putf(&e->out, ",\"attempt\":%d,\"max\":%" PRId64 ",\"delay_ms\":%" PRId64 ",\"status\":", (int)j->rec.attempt_count,
            e->s->upstreams[j->grant.upstream].tune.retry.max_retries, ms(delay_us));
    if (http_status)
        sb_i64(&e->out, http_status);
    else
        sb_puts(&e->out, "null");
    sb_puts(&e->out, ",\"reason\":");
    sb_json(&e->out, err_code(err));
    if (limit != DIM_COUNT) {
        sb_puts(&e->out, ",\"limit\":");
        sb_json(&e->out, dim_name(limit));
    }
    sb_putc(&e->out, '}');
    event_end(e, j, STREAM_EVENT);
}

/* --- the answer --- */

void relay_delta(struct engine *e, struct job *j, enum stream_event kind, const char *raw, size_t n)
{
    if (j->wire != WIRE_OWN) {
        relay_wire_delta(e, j, kind, raw, n);
        return;
    }
    if (!j->headers_sent)
        return;
    stream_log_delta(&j->stream->log, kind, n);
    j->event_id++;
    if (!is_read(j))
        return;
    relay_to(e, j);
    stream_delta_put(&e->out, j->event_id, kind, raw, n);
}

void relay_flush(struct engine *e)
{
    struct job *j = e->out_job;

    if (!j)
        return;
    if (j->wire == WIRE_OWN && j->state == JOB_STREAMING && is_read(j) && e->now_us - j->limits_us >= LIMITS_GAP_US)
        add_limits(e, j);
    say(e, j, false);
}

void relay_forget(struct engine *e, struct job *j)
{
    if (e->out_job != j)
        return;
    if (j->once || (j->stream && j->stream->readers)) {
        say(e, j, false);            /* the others have not heard it yet */
        return;
    }
    e->out_job = NULL;
    sb_reset(&e->out);
}

void relay_read(struct engine *e, struct job *j)
{
    if (e->out_job == j)
        relay_flush(e);              /* what it is about to be told must not come once more */
    j->unread_us = 0;
    j->told.position = 0;
    e->places_due = true;
}

void relay_tick(struct engine *e, struct job *j)
{
    if (j->state == JOB_FLUSHING && e->now_us - j->quiet_us >= STUCK_US) {
        conduct_client_gone(e, j);
        return;
    }
    if (j->wire != WIRE_OWN)
        relay_wire_tick(e, j);
    if (!is_read(j) || j->state >= JOB_FLUSHING || e->now_us - j->quiet_us < PING_US || client_pending(&j->client) > 0)
        return;
    relay_to(e, j);
    sb_puts(&e->out, ": ping\n\n");
}

/* --- the end --- */

static void add_usage_cost_metrics(struct sb *out, const struct job *j)
{
    sb_puts(out, "\"usage\":");
    record_usage_json(out, &j->rec);
    sb_puts(out, ",\"cost\":");
    record_cost_json(out, &j->rec);
    sb_puts(out, ",\"metrics\":");
    record_metrics_json(out, &j->rec);
}

/* What /chat/complete answers; without the text for `done`, which comes after it was streamed. */
static void add_answer(struct sb *out, const struct job *j, bool with_text)
{
    sb_putc(out, '{');
    ids(out, j);
    sb_puts(out, ",\"model\":");
    sb_json(out, j->rec.model);
    sb_puts(out, ",\"upstream\":");
    sb_json(out, j->rec.upstream);
    sb_puts(out, ",\"message\":{\"role\":\"assistant\"");
    if (with_text) {
        sb_puts(out, ",\"content\":\"");
        sb_put(out, sb_str(&j->answer), j->answer.len);
        sb_putc(out, '"');
        if (j->reasoning.len) {
            sb_puts(out, ",\"reasoning\":\"");
            sb_put(out, sb_str(&j->reasoning), j->reasoning.len);
            sb_putc(out, '"');
        }
    }
    sb_puts(out, "},\"finish_reason\":");
    sb_json(out, j->end.finish);
    sb_putc(out, ',');
    add_usage_cost_metrics(out, j);
    sb_putc(out, '}');
}

static struct err_detail detail_of(const struct job *j)
{
    return (struct err_detail){.message = j->end.message, .request_id = j->rec.request_id,
                               .retry_after_ms = j->end.retry_after_ms, .extra = j->end.extra};
}

void relay_response(struct sb *out, const struct job *j, int status, const struct sb *body)
{
    sb_putf(out, "Status: %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n", status, err_reason(status), body->len);
    relay_heads(out, j);
    if (status != 200 && j->end.retry_after_ms >= 0)
        sb_putf(out, "Retry-After: %" PRId64 "\r\n", (j->end.retry_after_ms + 999) / 1000);
    sb_puts(out, "\r\n");
    sb_put(out, sb_str(body), body->len);
}

static void add_refusal(struct engine *e, const struct job *j)
{
    struct err_detail d = detail_of(j);

    sb_reset(&e->scratch);
    err_json(&e->scratch, j->end.err, &d);
    sb_putc(&e->scratch, '\n');
    relay_response(&e->out, j, err_status(j->end.err), &e->scratch);
}

void relay_refusal_json(struct sb *out, const struct job *j)
{
    struct err_detail d = detail_of(j);

    err_json(out, j->end.err, &d);
}

void relay_whole(struct engine *e, struct job *j, const struct sb *body)
{
    relay_to(e, j);
    relay_response(&e->out, j, 200, body);
    say(e, j, true);
}

static void add_error_event(struct engine *e, struct job *j)
{
    struct err_detail d = detail_of(j);

    if (j->first_us) {
        sb_reset(&e->scratch);
        sb_puts(&e->scratch, ",\"partial\":true,");
        add_usage_cost_metrics(&e->scratch, j);
        d.extra = sb_str(&e->scratch);
    }
    event_begin(e, j, "error");
    err_json_inner(&e->out, j->end.err, &d);
    event_end(e, j, STREAM_EVENT);
}

static void add_done_events(struct engine *e, struct job *j)
{
    event_begin(e, j, "usage");
    sb_putc(&e->out, '{');
    add_usage_cost_metrics(&e->out, j);
    sb_putc(&e->out, '}');
    event_end(e, j, STREAM_EVENT);
    if (BROKEN("no-terminal-event"))
        return;
    event_begin(e, j, "done");
    add_answer(&e->out, j, false);
    event_end(e, j, STREAM_EVENT);
}

void relay_end(struct engine *e, struct job *j)
{
    if (j->client.fd < 0 && !j->stream && !j->once) {
        relay_forget(e, j);
        return;
    }
    relay_to(e, j);
    if (j->wire != WIRE_OWN) {
        relay_wire_end(e, j);
    } else if (j->headers_sent && j->end.err) {
        add_error_event(e, j);
    } else if (j->headers_sent) {
        add_done_events(e, j);
    } else if (j->end.err) {
        add_refusal(e, j);
    } else {
        sb_reset(&e->scratch);
        add_answer(&e->scratch, j, true);
        sb_putc(&e->scratch, '\n');
        relay_response(&e->out, j, 200, &e->scratch);
    }
    say(e, j, true);
}
