/* auth.h - who is asking: bearer token, x-api-key or the browser's cookie.
 *
 * One function decides for all routes. What it looked up is kept for at most a
 * second and dropped at once by auth_forget(), which everything calls that
 * revokes or changes an account. Thread-safe. */
#ifndef WEIR_AUTH_H
#define WEIR_AUTH_H

#include <stdbool.h>

#include "base/err.h"
#include "base/sb.h"
#include "flow/writer.h"
#include "store/account.h"
#include "web/http.h"

struct auth;

/* `w` (borrowed) takes the note that a browser session is still in use. Caller frees with auth_free(). */
struct auth *auth_new(struct writer *w);
void auth_free(struct auth *a);
/* Accounts changed: what was looked up counts no more. */
void auth_forget(struct auth *a);

/* Who sends this request. A token in a header wins over the cookie; Authorization and x-api-key must agree.
 * E_UNAUTHENTICATED: no credential or none that holds; E_STORAGE. */
enum weir_err auth_identify(struct auth *a, struct db *ro, const struct http_request *rq, struct identity *out)
    __attribute__((warn_unused_result));

/* The token of the headers. False: none, another scheme than Bearer, or two that differ. *given tells whether a header
 * was there at all. */
bool auth_bearer(const struct http_request *rq, char token[ACCOUNT_TOKEN_SIZE], bool *given)
    __attribute__((warn_unused_result));

/* The name of Weir's cookie for this request: "__Host-weir" over https, "weir" without. */
const char *auth_cookie_name(const struct http_request *rq);
/* True if a cookie may be given out: over https, or over plain http to this machine itself. */
bool auth_cookie_allowed(const struct http_request *rq);
/* A Set-Cookie value; `cookie` NULL takes it away from the browser. */
void auth_cookie_set(const struct http_request *rq, const char *cookie, struct sb *out);

/* True if the Origin the browser names is the host it spoke to. False also without an Origin. */
bool auth_origin_is_ours(const struct http_request *rq);
/* May this request change something? Always with a token; with a cookie only from our own page: Origin, Sec-Fetch-Site
 * and the session's CSRF token. */
bool auth_may_change(const struct http_request *rq, const struct identity *who);

/* Some changes want a sign-in of the last ten minutes, so that a browser left open is not enough: true with a token, and where a
 * proxy in front decides how long a sign-in counts. Pure. */
bool auth_is_fresh(const struct identity *who, int64_t now_ms);

/* Read the administrator's token from `path` or make the file (mode 0600) with a new one. False with a sentence in `why`:
 * it cannot be read or written, others may read it, or what is in it is no token. */
bool auth_admin_token(const char *path, char token[ACCOUNT_TOKEN_SIZE], struct sb *why)
    __attribute__((warn_unused_result));

#endif
