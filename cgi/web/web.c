/* web.c - one request from its parameters to its last byte, with the checks in
 * this order: 404, 405, 401, 403, 415, 413, 400, then the handler. */
#include "web/web.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "peer/wire.h"
#include "web/fcgi.h"
#include "web/filter.h"
#include "web/h_pages.h"
#include "web/route.h"
#include "web/session.h"

enum { HEAD_MAX = 16 * 1024 };

enum weir_err web_refuse(struct exchange *x, enum weir_err e, const char *param, const char *fmt, ...)
{
    (void)snprintf(x->param, sizeof x->param, "%s", param ? param : "");
    x->message[0] = '\0';
    if (fmt) {
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(x->message, sizeof x->message, fmt, ap);
        va_end(ap);
    }
    return e;
}

enum weir_err web_long_begin(struct exchange *x)
{
    int64_t most = x->web->settings->http.acceptors / 2;

    if (atomic_fetch_add(&x->web->long_running, 1) < (most > 1 ? most : 1))
        return WEIR_OK;
    web_long_end(x);
    x->retry_after_ms = 5000;
    return web_refuse(x, WEIR_E_OVERLOADED, NULL, "As many exports and files as may be under way at a time are; try again in a few seconds.");
}

void web_long_end(struct exchange *x)
{
    atomic_fetch_sub(&x->web->long_running, 1);
}

/* --- the checks --- */

static enum weir_err check_route(struct exchange *x)
{
    const char *name;
    unsigned allow;
    enum weir_err e = http_read(&x->in, fcgi_params(x->conn), &name);

    if (!x->web->settings->sign_in.proxy_user)
        x->in.proxy_user = NULL;
    if (e == WEIR_E_NOT_FOUND)
        return web_refuse(x, e, NULL, NULL);
    x->route = route_find(x->in.method, x->in.path, x->arg, &allow);
    if (!x->route && !allow)
        return web_refuse(x, WEIR_E_NOT_FOUND, NULL, NULL);
    if (!x->route) {
        struct sb list = sb_make(128);

        for (int m = HTTP_GET; m < HTTP_OTHER; m++) {
            if (allow & 1U << m)
                sb_putf(&list, "%s%s%s", list.len ? ", " : "", http_method_name((enum http_method)m), m == HTTP_GET ? ", HEAD" : "");
        }
        e = web_refuse(x, WEIR_E_METHOD, NULL, "This path does not take this method; it takes %s.", sb_str(&list));
        http_header(&x->out, "Allow", sb_str(&list));
        sb_done(&list);
        return e;
    }
    if (e)
        return web_refuse(x, e, name, "The header %s came twice or is malformed.", name);
    return WEIR_OK;
}

static enum weir_err check_access(struct exchange *x)
{
    enum weir_err e;

    if (x->route->perm == PERM_OPEN)
        return WEIR_OK;
    e = auth_identify(x->web->auth, x->db, &x->in, &x->who);
    if (e)
        return web_refuse(x, e, NULL, NULL);
    if (!route_permits(x->route, x->who.role))
        return web_refuse(x, WEIR_E_FORBIDDEN, NULL, NULL);
    if (!route_in_scope(x->route, x->who.scopes))
        return web_refuse(x, WEIR_E_FORBIDDEN, NULL, "This token is narrowed to a purpose that does not include this path.");
    if (x->in.method != HTTP_GET && !auth_may_change(&x->in, &x->who))
        return web_refuse(x, WEIR_E_CSRF, NULL, NULL);
    if (x->route->perm & PERM_FRESH && !auth_is_fresh(&x->who, x->arrived_ms))
        return web_refuse(x, WEIR_E_REAUTHENTICATE, NULL, NULL);
    return WEIR_OK;
}

static bool is_v1(const struct exchange *x)
{
    return strncmp(x->in.path, "/v1/", 4) == 0;
}

static int64_t body_limit(const struct exchange *x)
{
    const struct settings *s = x->web->settings;

    return is_v1(x) ? s->http.max_body_v1_bytes : s->http.max_body_bytes;
}

static enum weir_err too_large(struct exchange *x)
{
    return web_refuse(x, WEIR_E_BODY_TOO_LARGE, NULL, "The body is larger than the %" PRId64 " bytes allowed here.", body_limit(x));
}

static const struct json_limits *json_limits_of(const struct exchange *x)
{
    return is_v1(x) ? &json_limits_compat : x->route->body == BODY_ROWS ? &json_limits_rows : &json_limits_own;
}

static enum weir_err check_body(struct exchange *x)
{
    enum weir_err e;
    int64_t limit = body_limit(x), total;
    char why[160];

    if (x->route->body == BODY_NONE || x->route->body == BODY_PAGE || x->route->body == BODY_FORM)
        return WEIR_OK;
    if (x->in.content_encoding && strcasecmp(x->in.content_encoding, "identity") != 0)
        return web_refuse(x, WEIR_E_MEDIA_TYPE, "Content-Encoding", "Send the body as it is, without compression.");
    if ((x->in.content_length > 0 || x->in.content_type) && !http_is_json(&x->in))
        return web_refuse(x, WEIR_E_MEDIA_TYPE, "Content-Type", NULL);
    if (x->in.content_length > limit)
        return too_large(x);
    x->body = sb_make((size_t)limit + 1);
    if (!fcgi_read_body(x->conn, (size_t)limit, &x->body, &total))
        return web_refuse(x, WEIR_E_BODY_INCOMPLETE, NULL, NULL);
    if (x->body.starved)
        return web_refuse(x, WEIR_E_OVERLOADED, NULL, NULL);
    if (total > limit)
        return too_large(x);
    if (x->in.content_length >= 0 && total != x->in.content_length)
        return web_refuse(x, WEIR_E_BODY_INCOMPLETE, NULL, NULL);
    if (total == 0 && x->route->body == BODY_MAYBE) {
        x->json = json_object();
        return x->json ? WEIR_OK : WEIR_E_INTERNAL;
    }
    e = json_parse_object(sb_str(&x->body), x->body.len, json_limits_of(x), &x->json, why);
    return e ? web_refuse(x, e, NULL, "%s", why) : WEIR_OK;
}

static enum weir_err check_query(struct exchange *x)
{
    const char *name;
    enum weir_err e = http_read_query(&x->in, x->route->query, &name);

    switch (e) {
    case WEIR_OK: return WEIR_OK;
    case WEIR_E_UNKNOWN_FIELD: return web_refuse(x, e, name, "The query name '%.60s' is not known here.", name);
    default: return web_refuse(x, e, name, "The query is malformed at '%.60s'.", name);
    }
}

static enum weir_err serve(struct exchange *x)
{
    enum weir_err e;

    if ((e = check_route(x)) || (e = check_access(x)) || (e = check_body(x)) || (e = check_query(x)) || (e = session_of_path(x)))
        return e;
    return x->route->handler(x);
}

/* --- the answer --- */

/* Clients of /v1 know their own protocol's refusals, and are told whether to try again. */
static void refuse_v1(struct exchange *x, enum weir_err e, const struct err_detail *d)
{
    bool anthropic = x->in.anthropic_version || strncmp(x->in.path, "/v1/messages", 12) == 0;
    const struct wire_writer *w = wire_writer(anthropic ? WIRE_MESSAGES : WIRE_CHAT);

    sb_reset(&x->out.body);
    w->error(&x->out.body, e, d);
    sb_putc(&x->out.body, '\n');
    wire_retry_heads(&x->out.head, e, d->retry_after_ms);
}

/* A page was asked for: a route of one, or an address under /app/ that somebody typed or kept and that is none. A program, which
 * shows a token, wants JSON. */
static bool wants_page(const struct exchange *x, enum weir_err e)
{
    if (x->route)
        return x->route->body == BODY_PAGE;
    return e == WEIR_E_NOT_FOUND && x->in.method == HTTP_GET && strncmp(x->in.path, "/app/", 5) == 0 && !x->in.authorization &&
           !x->in.api_key;
}

static void refuse(struct exchange *x, enum weir_err e)
{
    struct err_detail d = {
        .message = *x->message ? x->message : NULL,
        .param = *x->param ? x->param : NULL,
        .request_id = x->request_id,
        .retry_after_ms = x->retry_after_ms,
        .extra = x->error_extra,
    };

    if (wants_page(x, e) && page_refuse(x, e, &d))
        return;
    if (e == WEIR_E_METHOD) {
        struct sb allow = x->out.head;   /* kept across http_refuse(), which clears it */

        x->out.head = sb_make(HEAD_MAX);
        http_refuse(&x->out, e, &d);
        sb_put(&x->out.head, sb_str(&allow), allow.len);
        sb_done(&allow);
    } else
        http_refuse(&x->out, e, &d);
    if (is_v1(x))
        refuse_v1(x, e, &d);
}

bool web_reply(struct exchange *x, const void *p, size_t n)
{
    if (x->conn)
        return fcgi_reply(x->conn, p, n);
    sb_put(x->own, p, n);
    return sb_ok(x->own);
}

bool web_move(struct exchange *x, struct peer_client *out)
{
    if (x->conn)
        return fcgi_move(x->conn, out);
    *out = (struct peer_client){.fd = x->own_fd, .fcgi_id = 1};
    x->own_fd = -1;
    return true;
}

bool web_send(struct exchange *x, const void *p, size_t n)
{
    struct sb head = sb_make(HEAD_MAX);
    bool there = true;

    if (!x->out.streamed) {
        x->out.streamed = true;
        http_head(&x->out, x->request_id, &head);
        there = web_reply(x, head.p, head.len);
    }
    sb_done(&head);
    return there && web_reply(x, p, n);
}

/* Somebody tried one. A cookie is left out: that of a tab left open expires by itself and is shown again and again. */
static bool showed_credential(const struct exchange *x)
{
    return x->in.authorization || x->in.api_key || (x->route && x->route->perm == PERM_OPEN);
}

static void begin(struct exchange *x, struct web *w, struct db *ro)
{
    memset(x, 0, sizeof *x);
    x->web = w;
    x->db = ro;
    x->arrived_us = clock_mono_us();
    x->arrived_ms = clock_utc_ms();
    x->retry_after_ms = -1;
    rand_id_at(x->request_id, "req", x->arrived_ms);         /* the ledger finds the call by that time */
    http_response_init(&x->out);
}

static void end(struct exchange *x)
{
    http_response_done(&x->out);
    sb_done(&x->body);
    json_decref(x->json);
    filters_free(x->filters);
    free(x->error_extra);
}

/* What the handler, or a check before it, has come to. */
static void answer(struct exchange *x, enum weir_err e)
{
    struct sb head = sb_make(HEAD_MAX);
    bool ours = !x->moved && !x->out.streamed;       /* to answer here, in one piece */

    if (!e && ours && !sb_ok(&x->out.body))
        e = web_refuse(x, WEIR_E_INTERNAL, NULL, NULL);
    if (e && ours)
        refuse(x, e);
    if (ours) {
        http_head(&x->out, x->request_id, &head);
        if (web_reply(x, head.p, head.len) && x->out.type)
            (void)web_reply(x, sb_str(&x->out.body), x->out.body.len);
    }
    sb_done(&head);
}

void web_serve(struct fcgi_request *rq, void *ctx, void *thread)
{
    static _Thread_local struct exchange x;      /* 7 KB; one request at a time in a thread */
    enum weir_err e;

    begin(&x, ctx, thread);
    x.conn = rq;
    e = serve(&x);
    if (e == WEIR_E_UNAUTHENTICATED && showed_credential(&x))
        keeper_refused(x.web->keeper);
    answer(&x, e);
    end(&x);
}

/* --- Weir's own requests --- */

enum { OWN_PARAMS = 5, OWN_PARAM_MAX = 8192 };

static enum weir_err serve_own(struct exchange *x, const struct web_own *q)
{
    struct sb text[OWN_PARAMS];
    const char *const from[OWN_PARAMS][2] = {{"REQUEST_METHOD", "POST"}, {"REQUEST_URI", q->path}, {"HTTP_IDEMPOTENCY_KEY", q->key},
                                             {"HTTP_X_WEIR_PRIORITY", q->priority}, {"HTTP_X_WEIR_METADATA", q->metadata}};
    const char *params[OWN_PARAMS + 1], *name;
    char why[160];
    unsigned allow;
    enum weir_err e;

    for (int i = 0; i < OWN_PARAMS; i++) {
        text[i] = sb_make(OWN_PARAM_MAX);
        sb_putf(&text[i], "%s=%s", from[i][0], from[i][1] ? from[i][1] : "");
        params[i] = sb_str(&text[i]);
    }
    params[OWN_PARAMS] = NULL;
    e = http_read(&x->in, params, &name);
    x->route = e ? NULL : route_find(x->in.method, x->in.path, x->arg, &allow);
    if (!x->route)
        e = web_refuse(x, WEIR_E_NOT_FOUND, NULL, NULL);
    else if (!route_permits(x->route, x->who.role) || !route_in_scope(x->route, x->who.scopes))
        e = web_refuse(x, WEIR_E_FORBIDDEN, NULL, NULL);
    else if ((e = json_parse_object(q->body, q->body_bytes, json_limits_of(x), &x->json, why)))
        (void)web_refuse(x, e, NULL, "%s", why);
    else
        e = x->route->handler(x);
    for (int i = 0; i < OWN_PARAMS; i++)
        sb_done(&text[i]);
    return e;
}

void web_ask(struct web *w, struct db *ro, const struct web_own *q, char request_id[RAND_ID_SIZE], int *fd, struct sb *out)
{
    static _Thread_local struct exchange x;
    int pair[2] = {-1, -1};
    enum weir_err e = WEIR_OK;

    begin(&x, w, ro);
    x.own = out;
    x.cap = q->cap;
    x.who = *q->who;
    x.body = sb_make(q->body_bytes + 1);
    sb_put(&x.body, q->body, q->body_bytes);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        e = web_refuse(&x, WEIR_E_OVERLOADED, NULL, NULL);
    x.own_fd = pair[1];
    e = e ? e : serve_own(&x, q);
    answer(&x, e);
    memcpy(request_id, x.request_id, RAND_ID_SIZE);
    *fd = x.moved ? pair[0] : -1;
    if (!x.moved && pair[0] >= 0)
        (void)close(pair[0]);
    if (x.own_fd >= 0)
        (void)close(x.own_fd);
    end(&x);
}

int web_local(struct web *w, struct db *ro, const char *method, const char *path, json_t *body, struct sb *out)
{
    static struct exchange x;
    char m[32], uri[HTTP_PATH_MAX + 64];
    const char *const params[] = {m, uri, NULL}, *name;
    unsigned allow;
    enum weir_err e;
    int status;

    (void)snprintf(m, sizeof m, "REQUEST_METHOD=%s", method);
    (void)snprintf(uri, sizeof uri, "REQUEST_URI=%s", path);
    begin(&x, w, ro);
    x.who = (struct identity){.user_id = "weir", .role = ROLE_ADMIN, .max_priority = PRIORITY_HIGH, .signed_in_ms = clock_utc_ms()};
    x.json = json_incref(body);
    e = http_read(&x.in, params, &name);
    if (!e && !(x.route = route_find(x.in.method, x.in.path, x.arg, &allow)))
        e = WEIR_E_NOT_FOUND;
    if (!e)
        e = check_query(&x);
    if (!e)
        e = x.route->handler(&x);
    if (e)
        refuse(&x, e);
    sb_put(out, sb_str(&x.out.body), x.out.body.len);
    status = x.out.status;
    end(&x);
    return status;
}
