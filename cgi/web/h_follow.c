/* h_follow.c - GET /chat/stream/{request_id}: a stream read again, or further.
 *
 * Whether it is still there only the engine knows, and by the time it has said so
 * it may be gone: so both answers are made here and the engine sends one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/usage.h"
#include "web/fcgi.h"
#include "web/route.h"

enum { HEAD_MAX = 8 * 1024, REPLAY_MAX = 128 * 1024 * 1024, EVENT_DIGITS = 18 };

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

static void refusal_put(struct exchange *x, struct sb *out)
{
    bool was = usage_was_streamed(x->db, x->who.user_id, x->arg[0]);
    struct err_detail d = {.message = was ? "The events of this stream are no longer kept; its messages are in its session."
                                          : "There is no stream of this id of yours.",
                           .request_id = x->request_id, .retry_after_ms = -1};
    struct http_response rs;

    http_response_init(&rs);
    http_refuse(&rs, was ? WEIR_E_GONE : WEIR_E_NOT_FOUND, &d);
    http_head(&rs, x->request_id, out);
    sb_put(out, sb_str(&rs.body), rs.body.len);
    http_response_done(&rs);
}

enum weir_err h_chat_follow(struct exchange *x)
{
    struct follow *f;
    int64_t after;
    enum weir_err e = read_after(x, &after);

    if (e)
        return e;
    f = mem_zalloc(1, sizeof *f);
    f->client.fd = -1;
    f->after = after;
    f->head = sb_make(REPLAY_MAX);
    f->refusal = sb_make(HEAD_MAX);
    (void)snprintf(f->request_id, sizeof f->request_id, "%s", x->arg[0]);
    (void)snprintf(f->user_id, sizeof f->user_id, "%s", x->who.user_id);
    head_put(x, &f->head);
    refusal_put(x, &f->refusal);
    x->moved = true;                 /* also if the client has just left: nobody is there to be answered */
    if (fcgi_move(x->conn, &f->client)) {
        engine_follow(x->web->engine, f);
        return WEIR_OK;
    }
    sb_done(&f->head);
    sb_done(&f->refusal);
    free(f);
    return WEIR_OK;
}
