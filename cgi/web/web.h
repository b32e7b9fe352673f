/* web.h - what every handler is given: the parts of a running Weir, and one
 * exchange, a request with its answer.
 *
 * struct web is filled in main before the first acceptor and read-only after,
 * but for what a reload exchanges; an exchange belongs to its acceptor. */
#ifndef WEIR_WEB_H
#define WEIR_WEB_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/settings.h"
#include "flow/courier.h"
#include "flow/engine.h"
#include "flow/keeper.h"
#include "flow/tracer.h"
#include "flow/writer.h"
#include "rules/price.h"
#include "rules/tokens.h"
#include "store/idempotency.h"
#include "web/auth.h"
#include "web/http.h"
#include "web/page.h"

struct batches;
struct db;
struct fcgi_request;
struct filters;
struct live_cache;
struct prices;
struct reload;

struct web {
    /* A reload puts others in their place (reload.h). Whoever takes the pointer once sees one configuration, and may keep
     * it: it lives until Weir stops. An upstream's bit in the engine's masks is its index here; take the mask first, then
     * the settings, which are never older than what the engine goes by. */
    const struct settings *_Atomic settings;
    const struct price_table *_Atomic prices;      /* lives as long; a change of own prices puts another in its place */
    const struct price *_Atomic fallback_price;    /* lives as long; of models that are not in the table; NULL: they are unpriced */
    const struct tokens_set *tokens;
    const struct page_set *pages;
    struct prices *price_tables;
    struct reload *reload;
    struct engine *engine;
    struct writer *writer;
    struct keeper *keeper;
    struct auth *auth;
    struct courier *courier;
    struct batches *batches;          /* NULL: where no Weir runs */
    struct tracer *tracer;            /* NULL: no traces are exported */
    unsigned char webhook_key[WEBHOOK_KEY_BYTES];
    struct live_cache *live;          /* h_live.c's rendered snapshot */
    int64_t started_ms;               /* UTC */
    atomic_bool draining;             /* the engine takes no new work: /readyz says so */
    atomic_int long_running;          /* requests between web_long_begin() and web_long_end() */
};

enum { WEB_ARGS = 2, WEB_ARG_MAX = 64, WEB_PARAM_MAX = 96, WEB_MESSAGE_MAX = 1000 };

struct exchange {
    struct web *web;
    struct fcgi_request *conn;        /* NULL: Weir asks itself, and what is answered goes … */
    int own_fd;                       /* … as a connection's does, here, once the request moves; … */
    struct sb *own;                   /* … until then into this, CGI style */
    struct db *db;                    /* this acceptor's, read-only */
    char request_id[RAND_ID_SIZE];
    int64_t arrived_us;               /* monotonic */
    int64_t arrived_ms;               /* UTC */

    struct http_request in;
    const struct route *route;
    char arg[WEB_ARGS][WEB_ARG_MAX + 1];   /* what stood for {id} or {session} in the path, in order */
    char session_id[CALL_ID_SIZE];    /* session.h: the session that the request names */
    struct identity who;              /* user_id "" on open routes */
    struct filters *filters;          /* owned: filters_of() */
    struct sb body;
    json_t *json;                     /* the body; NULL on routes that take none */

    struct web_cap *cap;              /* borrowed: what a request of Weir's own may cost; NULL: as much as it likes */

    bool has_key;                     /* once.h: it has an idempotency key, which is … */
    struct idempotency_key key;

    struct http_response out;
    bool moved;                       /* the engine answers: nothing of `out` is sent */

    /* What web_refuse() keeps for the error object. */
    char param[WEB_PARAM_MAX], message[WEB_MESSAGE_MAX];
    int64_t retry_after_ms;           /* < 0: none */
    char *error_extra;                /* owned: more members of the error object, ",\"name\":…", or NULL */
};

/* A handler: fills x->out and returns OK, or refuses. */
typedef enum weir_err web_handler(struct exchange *x);

/* Keep what the error object is to say about `e` and return `e`. `param` (NULL: none) names the field; `fmt` NULL: the
 * table's sentence. Parts of the input in the message are cut by the caller's %.100s. */
enum weir_err web_refuse(struct exchange *x, enum weir_err e, const char *param, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A request that keeps its acceptor for long, an export or a file, begins: at most half of the acceptors have one, so that
 * the others are there for everybody. Else it is refused, and its end need not be told. */
enum weir_err web_long_begin(struct exchange *x) __attribute__((warn_unused_result));
void web_long_end(struct exchange *x);

/* Send a piece of the body at once, before it the head if this is the first: from then on the answer can only be cut off.
 * False: the peer is gone. */
bool web_send(struct exchange *x, const void *p, size_t n) __attribute__((warn_unused_result));

/* Send a piece of CGI-style response as it is. False: the peer is gone. */
bool web_reply(struct exchange *x, const void *p, size_t n);
/* Give the connection away, as fcgi_move(). */
bool web_move(struct exchange *x, struct peer_client *out) __attribute__((warn_unused_result));

/* Serve one request from its parameters to its last byte; the function fcgi_config.serve points to. `ctx` is the
 * struct web, `thread` the acceptor's struct db. */
void web_serve(struct fcgi_request *rq, void *ctx, void *thread);

/* What a call may cost, and what it would. */
struct web_cap {
    int64_t room;                        /* picodollars */
    int64_t worst;                       /* out, if a call was to begin: what it costs at most. -1: nobody knows. */
    bool asked, refused;                 /* out: a call was to begin; and did not, as that is more than `room`, or unknown */
};

/* A request that Weir makes itself for somebody who is not there, by the same way as all of /v1. */
struct web_own {
    const struct identity *who;
    const char *path, *key, *priority, *metadata;      /* as the headers say; priority and metadata NULL: none */
    const char *body;
    size_t body_bytes;
    struct web_cap *cap;                               /* NULL: none */
};
/* Begin it. *fd is where its answer will come, as FastCGI records (fcgi_answer_take), non-blocking, the caller's; or -1, and it was
 * answered at once: `out` has it, CGI style, or nothing of use where the cap refused it. Closing *fd is the
 * client's leaving. Any thread, with a read-only connection of its own. */
void web_ask(struct web *w, struct db *ro, const struct web_own *q, char request_id[RAND_ID_SIZE], int *fd, struct sb *out);

/* The same for the command line where no Weir runs: with an administrator's rights, on a struct web that has settings, a writer
 * and auth alone. Only for routes of /admin/users and /admin/tokens, which need no more. `body` is borrowed, and may be changed.
 * Gives the HTTP status; the answer's JSON is appended to `out`. */
int web_local(struct web *w, struct db *ro, const char *method, const char *path, json_t *body, struct sb *out);

#endif
