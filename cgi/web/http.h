/* http.h - HTTP as Weir needs it: a request read from CGI-style parameters, a
 * response as text. Knows no route, no user and no FastCGI; pure but for memory.
 *
 * One owner, one thread. */
#ifndef WEIR_HTTP_H
#define WEIR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/sb.h"

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OTHER };
const char *http_method_name(enum http_method m);   /* "GET" …; "" for OTHER */

enum {
    HTTP_PATH_MAX = 255,
    HTTP_QUERY_MAX = 4096,       /* bytes of a query */
    HTTP_QUERY_PAIRS = 32,
};

struct http_pair {
    const char *name, *value;
};

/* Header values are NULL when absent and borrowed from the parameters. */
struct http_request {
    enum http_method method;             /* HEAD counts as GET: nginx sends no body for it */
    char path[HTTP_PATH_MAX + 1];        /* raw, before the '?' */
    const char *raw_query;               /* after it; "" if none */
    int64_t content_length;              /* -1: not said */
    const char *content_type, *content_encoding;
    const char *authorization, *api_key, *cookie;
    const char *host, *origin, *sec_fetch_site, *csrf_token;
    const char *if_none_match, *last_event_id, *idempotency_key, *traceparent;
    const char *weir_session, *weir_priority, *weir_metadata, *weir_cache;       /* X-Weir-…, of /v1 */
    const char *anthropic_version, *anthropic_beta;
    const char *scheme, *remote_addr;
    const char *proxy_user;              /* who nginx says a proxy in front has signed in */

    char query_text[HTTP_QUERY_MAX + 1];
    struct http_pair query[HTTP_QUERY_PAIRS];
    int query_count;
};

/* Read a request from "NAME=value" strings. OK, or
 * E_NOT_FOUND: the path is too long or has a byte outside printable ASCII or, but for HTTP_ENCODED, a '%';
 * E_DUPLICATE_HEADER: a header that decides about access came twice; *name is which;
 * E_INVALID_FIELD: Content-Length is no number. Everything that could be read is set in each case. */
enum weir_err http_read(struct http_request *rq, const char *const *params, const char **name)
    __attribute__((warn_unused_result));

/* Names of models are the only part of a path that may be encoded. */
#define HTTP_ENCODED "/v1/models/"
/* In place: %XX and '+'. False for malformed escapes, control bytes, and what is no UTF-8. */
bool http_url_decode(char *s) __attribute__((warn_unused_result));

/* Split and decode the query into rq->query. `known`: names allowed, separated by spaces, or NULL for any.
 * OK, E_INVALID_FIELD (malformed %, control bytes, no UTF-8, a name twice, too many or too long) or E_UNKNOWN_FIELD; *name is
 * which, "" if it has none. */
enum weir_err http_read_query(struct http_request *rq, const char *known, const char **name)
    __attribute__((warn_unused_result));
/* The decoded value of a query name, or the fallback. Borrowed from rq. */
const char *http_query(const struct http_request *rq, const char *name, const char *fallback);

/* Copy a cookie's value. False if it is absent, there twice, empty or too long. */
bool http_cookie(const struct http_request *rq, const char *name, char *value, size_t size)
    __attribute__((warn_unused_result));

/* True if the Content-Type is application/json, with parameters or without. */
bool http_is_json(const struct http_request *rq);

struct http_response {
    int status;
    const char *type;          /* Content-Type; NULL: none and no body */
    bool streamed;             /* the body follows in pieces: its length is not said */
    bool cacheable;            /* false: Cache-Control: no-store; true: no-cache (ask again with the ETag) */
    struct sb head;            /* further header lines */
    struct sb body;
};

/* 200, application/json, empty. */
void http_response_init(struct http_response *rs);
void http_response_done(struct http_response *rs);
/* Add a header line. A value with a control byte in it is refused and logged, never sent. */
void http_header(struct http_response *rs, const char *name, const char *value);
/* Status line and headers in CGI style, empty line included; the body follows as it is. */
void http_head(const struct http_response *rs, const char *request_id, struct sb *out);

/* Answer 303 to a path of ours. */
void http_see_other(struct http_response *rs, const char *path);
/* Make the response this refusal in JSON: status, body, and Retry-After or WWW-Authenticate where they belong.
 * Whatever was in it is dropped. */
void http_refuse(struct http_response *rs, enum weir_err e, const struct err_detail *d);
/* Set the ETag "<tag>". True if the client has it already: the response is then an empty 304. */
bool http_etag(const struct http_request *rq, struct http_response *rs, const char *tag);

#endif
