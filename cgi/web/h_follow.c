/* h_follow.c - GET /chat/stream/{request_id}: a stream read again, or further; and
 * GET /monitoring/stream-test: one of Weir's own that shows whether pieces arrive as they are sent.
 *
 * Whether it is still there (or somebody tests already) only the engine knows, and by the time it has said so
 * it may be gone: so both answers are made here and the engine sends one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/usage.h"
#include "web/fcgi.h"
#include "web/route.h"

enum { HEAD_MAX = 8 * 1024, REPLAY_MAX = 128 * 1024 * 1024, EVENT_DIGITS = 18, PROBE_MS = 2000 };

/* The number of the last event the reader knows. */
static enum weir_err read_after(struct exchange *x, int64_t *after)
{
    const char *text = x->in.last_event_id;
    size_t n = text ? strlen(text) : 0;

    *after = 0;
    if (n > EVENT_DIGITS || (n > 0 && strspn(text, "0123456789") != n))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "Last-Event-ID", "Last-Event-ID must be the id of an event of this stream, a whole number.");
    if (n > 0)
        *after = strtoll(text, NULL, 10);
    return WEIR_OK;
}

static void head_put(struct exchange *x, struct sb *out)
{
    struct http_response rs;

    http_response_init(&rs);
    rs.type = "text/event-stream";
    rs.streamed = true;
    http_header(&rs, "X-Accel-Buffering", "no");
    http_head(&rs, x->request_id, out);
    http_response_done(&rs);
}

static void refusal_put(struct exchange *x, enum weir_err e, const char *message, int64_t retry_after_ms, struct sb *out)
{
    struct err_detail d = {.message = message, .request_id = x->request_id, .retry_after_ms = retry_after_ms};
    struct http_response rs;

    http_response_init(&rs);
    http_refuse(&rs, e, &d);
    http_head(&rs, x->request_id, out);
    sb_put(out, sb_str(&rs.body), rs.body.len);
    http_response_done(&rs);
}

static struct follow *wish_new(struct exchange *x)
{
    struct follow *f = mem_zalloc(1, sizeof *f);

    f->client.fd = -1;
    f->head = sb_make(REPLAY_MAX);
    f->refusal = sb_make(HEAD_MAX);
    (void)snprintf(f->user_id, sizeof f->user_id, "%s", x->who.user_id);
    head_put(x, &f->head);
    return f;
}

/* Takes the wish. */
static void hand_over(struct exchange *x, struct follow *f, void (*take)(struct engine *, struct follow *))
{
    x->moved = true;                 /* also if the client has just left: nobody is there to be answered */
    if (fcgi_move(x->conn, &f->client)) {
        take(x->web->engine, f);
        return;
    }
    sb_done(&f->head);
    sb_done(&f->refusal);
    free(f);
}

enum weir_err h_chat_follow(struct exchange *x)
{
    struct follow *f;
    int64_t after;
    enum weir_err e = read_after(x, &after);
    bool was;

    if (e)
        return e;
    was = usage_was_streamed(x->db, x->who.user_id, x->arg[0]);
    f = wish_new(x);
    f->after = after;
    (void)snprintf(f->request_id, sizeof f->request_id, "%s", x->arg[0]);
    if (was)
        refusal_put(x, WEIR_E_GONE, "The events of this stream are no longer kept; its messages are in its session.", -1, &f->refusal);
    else
        refusal_put(x, WEIR_E_NOT_FOUND, "There is no stream of this id of yours.", -1, &f->refusal);
    hand_over(x, f, engine_follow);
    return WEIR_OK;
}

enum weir_err h_stream_test(struct exchange *x)
{
    struct follow *f = wish_new(x);

    refusal_put(x, WEIR_E_RATE_LIMITED, "You, or several others, test streaming right now. Try again in a moment.", PROBE_MS, &f->refusal);
    hand_over(x, f, engine_probe);
    return WEIR_OK;
}
