/* account.h - who may do what: users, API tokens, browser sessions, one-time
 * sign-in codes.
 *
 * Secrets are never stored: a token, cookie or code is kept as its SHA-256, which
 * suffices for 256 random bits. Looked up on a read-only connection per request,
 * so that a change of role or a revocation holds at once; written on the writer. */
#ifndef WEIR_ACCOUNT_H
#define WEIR_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/password.h"
#include "base/rand.h"
#include "base/sb.h"
#include "rules/gate.h"
#include "store/db.h"

enum role { ROLE_USER, ROLE_MONITOR, ROLE_ADMIN, ROLE_COUNT };
const char *role_name(enum role r);                     /* "user" "monitor" "admin" */

enum {
    ACCOUNT_NAME_MAX = 100,                             /* bytes of a user's name, or a token's */
    ACCOUNT_SCOPES_SIZE = 128,
};

/* --- secrets --- */

/* "weir_" + 10 characters that name it + "_" + 43 of 256 random bits (base64url) + 6 of CRC-32 over all before. */
enum { ACCOUNT_TOKEN_LEN = 65, ACCOUNT_TOKEN_SIZE = 72, ACCOUNT_SECRET_SIZE = 48 };
void account_token_make(char out[ACCOUNT_TOKEN_SIZE]);
/* True if s has that form and its checksum is right: a typing mistake needs no look-up. */
bool account_token_plausible(const char *s);
/* 43 characters of 256 random bits, for cookies, sign-in codes and CSRF secrets. */
void account_secret_make(char out[ACCOUNT_SECRET_SIZE]);
/* The hash under which any of these is stored: SHA-256. */
enum { ACCOUNT_HASH_BYTES = 32 };
void account_hash(const char *secret, unsigned char hash[ACCOUNT_HASH_BYTES]);

/* --- who is it? (read-only connection) --- */

struct account_limits {
    int64_t requests_per_minute, tokens_per_minute;       /* 0: none of one's own */
};

struct identity {
    char user_id[RAND_ID_SIZE];
    char name[ACCOUNT_NAME_MAX + 1];
    enum role role;
    char token_id[RAND_ID_SIZE];          /* "" for a browser session */
    char scopes[ACCOUNT_SCOPES_SIZE];     /* of the token, comma-separated; "" = all its user may do */
    enum priority max_priority;           /* the lower of the token's and the user's */
    struct account_limits limits, token_limits;
    int32_t weight;                       /* of the share that it has a part in, thousandths */
    bool own_share;                       /* that is the token's own; else the user's */
    bool narrowed;                        /* the token may do less than its user in any way */
    bool filtered;                        /* user or token have filters: account_filters() */
    char csrf[ACCOUNT_SECRET_SIZE];       /* of the browser session; "" for a token */
    int64_t signed_in_ms;                 /* when the browser session began; 0 for a token */
    bool by_proxy;                        /* a proxy in front vouched for it */
    int64_t until_ms;                     /* when the token expires, also that of the browser; 0: none does */
    char by_token[RAND_ID_SIZE];          /* the token that the browser was signed in with, or "" */
    bool touch_due;                       /* seen first since 10 minutes, or a token today: account_…_touch() */
};
/* E_UNAUTHENTICATED: unknown, expired, revoked, or its user disabled. */
enum weir_err account_by_token(struct db *ro, const char *token, int64_t now_ms, struct identity *out)
    __attribute__((warn_unused_result));
enum weir_err account_by_cookie(struct db *ro, const char *cookie, int64_t now_ms, struct identity *out)
    __attribute__((warn_unused_result));

/* The same by numbers, for work that goes on without them: with the token's rights, or with `token` 0 the user's own. */
enum weir_err account_by_number(struct db *ro, int64_t user, int64_t token, int64_t now_ms, struct identity *out)
    __attribute__((warn_unused_result));

/* The token whose budgets count what they do and whose end ends it, or NULL. */
const char *account_token_of(const struct identity *who);

/* What a token or, for a browser session, its user may ask for: the JSON of the user's filters and of the token's appended to
 * each builder, nothing where there are none. */
enum weir_err account_filters(struct db *ro, const struct identity *who, struct sb *user, struct sb *token)
    __attribute__((warn_unused_result));

/* Who signs in under that name. E_NOT_FOUND: nobody may. */
struct account_login {
    char user_id[RAND_ID_SIZE];
    char password_hash[PASSWORD_HASH_SIZE];       /* "": none was set */
};
enum weir_err account_by_name(struct db *ro, const char *name, struct account_login *out) __attribute__((warn_unused_result));

/* --- lists: {"items":[…],"next_cursor":…}, by id; `cursor` NULL: the first page --- */

/* Users that were not removed. */
enum weir_err account_users_json(struct db *ro, const char *cursor, int64_t limit, struct sb *out)
    __attribute__((warn_unused_result));
/* One of them. E_NOT_FOUND. */
enum weir_err account_user_json(struct db *ro, const char *user_id, struct sb *out) __attribute__((warn_unused_result));
struct account_state {
    char name[ACCOUNT_NAME_MAX + 1];
    enum role role;
    bool disabled;
};
enum weir_err account_user_state(struct db *ro, const char *user_id, struct account_state *out) __attribute__((warn_unused_result));
/* Tokens; of `user_id` alone unless NULL, and revoked or expired ones only with `all`. */
enum weir_err account_tokens_json(struct db *ro, const char *user_id, bool all, int64_t now_ms, const char *cursor, int64_t limit,
                                  struct sb *out) __attribute__((warn_unused_result));
/* Whose token this is. E_NOT_FOUND: there is none, or it was revoked or is over. */
enum weir_err account_token_user(struct db *ro, const char *token_id, int64_t now_ms, char user_id[RAND_ID_SIZE])
    __attribute__((warn_unused_result));
enum weir_err account_token_json(struct db *ro, const char *user_id, const char *token_id, struct sb *out)
    __attribute__((warn_unused_result));
/* The user's browser sessions, newest first; `csrf` marks the one that asks. */
enum weir_err account_sessions_json(struct db *ro, const char *user_id, const char *csrf, int64_t now_ms, struct sb *out)
    __attribute__((warn_unused_result));

/* --- writing (in a write_op's run) --- */

/* There is an active admin (made, named "admin", if there is none) and `admin_token` is a token of that user. Called
 * at each start; changes nothing when all is in place. Gives the admin's user id. */
enum weir_err account_first_start(struct db *db, const char *admin_token, int64_t now_ms, char user_id[RAND_ID_SIZE])
    __attribute__((warn_unused_result));

struct account_user {
    const char *user_id, *name;
    enum role role;
    const char *password_hash;            /* or NULL */
    enum priority max_priority;
    struct account_limits limits;
    const char *filters;                  /* JSON, or NULL */
    int32_t weight;                       /* thousandths; 0: the usual one */
};
/* E_CONFLICT: the name is taken. */
enum weir_err account_user_add(struct db *db, const struct account_user *u, int64_t now_ms)
    __attribute__((warn_unused_result));
/* What is NULL or -1 stays, a weight of 0 too; filters "" are taken away. Another role, a new password or disabled = 1 ends the user's browser
 * sessions. E_CONFLICT: the name is taken, or the last active admin would be gone; E_NOT_FOUND: also one who was removed. */
struct account_user_patch {
    const char *name, *password_hash, *filters;
    int role, disabled, max_priority;
    struct account_limits limits;
    int32_t weight;
};
enum weir_err account_user_patch(struct db *db, const char *user_id, const struct account_user_patch *p, int64_t now_ms)
    __attribute__((warn_unused_result));
/* Nobody signs in as this user again, its tokens are revoked, its name is free. The ledger keeps its numbers and its
 * conversations stay until they are erased or too old. E_CONFLICT: the last active admin. */
enum weir_err account_user_remove(struct db *db, const char *user_id, int64_t now_ms) __attribute__((warn_unused_result));
/* The same password, hashed with more effort. */
enum weir_err account_rehash(struct db *db, const char *user_id, const char *password_hash) __attribute__((warn_unused_result));

/* Does this user have the panel of monitoring open? Any connection. */
bool account_shows_monitoring(struct db *ro, const char *user_id);
enum weir_err account_show_monitoring(struct db *db, const char *user_id, bool show) __attribute__((warn_unused_result));

struct account_token {
    const char *token_id, *user_id, *name, *scopes;   /* scopes "" = all its user may do */
    const char *secret;                               /* the whole token; only its hash is stored */
    enum priority max_priority;
    int64_t expires_at_ms;                            /* 0: never */
    struct account_limits limits;
    const char *filters;                              /* JSON, or NULL */
    int32_t weight;                                   /* of a share of its own, thousandths; 0: it has a part in its user's */
    const char *made_by;                              /* the token it is made with, or NULL; another user's does not count */
};
/* E_NOT_FOUND: no such user; E_UNAUTHENTICATED: the token it is made with was revoked meanwhile. */
enum weir_err account_token_add(struct db *db, const struct account_token *t, int64_t now_ms)
    __attribute__((warn_unused_result));
/* What is NULL or -1 stays; filters "" and a weight of 0 are taken away. E_NOT_FOUND: also a revoked one. */
struct account_token_patch {
    const char *name, *scopes, *filters;
    int max_priority;
    int64_t expires_at_ms;
    struct account_limits limits;
    int32_t weight;
};
enum weir_err account_token_patch(struct db *db, const char *token_id, const struct account_token_patch *p)
    __attribute__((warn_unused_result));
/* It, the tokens that its user made with it, those made with these, and the browsers that any of them signed in. `user_id` NULL:
 * anybody's (admin). E_NOT_FOUND: no such token that is not revoked. */
enum weir_err account_token_revoke(struct db *db, const char *user_id, const char *token_id, int64_t now_ms)
    __attribute__((warn_unused_result));
/* Call `each` for that token and all that were made with it or with these. Any connection. */
enum weir_err account_token_family(struct db *db, const char *token_id, void (*each)(void *ctx, const char *token_id), void *ctx)
    __attribute__((warn_unused_result));

/* A code that signs `user_id` in once until expires_at_ms. */
enum weir_err account_code_add(struct db *db, const char *code, const char *user_id, int64_t now_ms, int64_t expires_at_ms)
    __attribute__((warn_unused_result));
/* Use a code up: gives its user. E_UNAUTHENTICATED: unknown, used or expired. */
enum weir_err account_code_use(struct db *db, const char *code, int64_t now_ms, char user_id[RAND_ID_SIZE])
    __attribute__((warn_unused_result));

enum { ACCOUNT_IDLE_MS = 12 * 3600 * 1000, ACCOUNT_ABSOLUTE_MS = 7 * 24 * 3600 * 1000, ACCOUNT_TOUCH_MS = 600 * 1000 };
/* A browser session under `cookie` with its CSRF secret; expires 12 h after it was last seen, 7 d after it began, and with the token
 * `by_token` (NULL: none) that it began with; a change or the revocation of that ends it. */
enum weir_err account_session_add(struct db *db, const char *cookie, const char *csrf, const char *user_id, bool by_proxy,
                                  const char *by_token, int64_t now_ms) __attribute__((warn_unused_result));
/* End one of the user's by the id that account_sessions_json() shows; E_NOT_FOUND: they have no such one. With `id` NULL all
 * but the one with this `csrf` (NULL: all). */
enum weir_err account_session_remove(struct db *db, const char *user_id, const char *id, const char *csrf)
    __attribute__((warn_unused_result));
/* The day it was used. */
enum weir_err account_token_touch(struct db *db, const char *token, int64_t now_ms) __attribute__((warn_unused_result));
enum weir_err account_session_touch(struct db *db, const char *cookie, int64_t now_ms) __attribute__((warn_unused_result));
enum weir_err account_session_end(struct db *db, const char *cookie) __attribute__((warn_unused_result));
/* Expired sessions and codes go; gives how many. For the keeper. */
enum weir_err account_sweep(struct db *db, int64_t now_ms, int64_t *gone) __attribute__((warn_unused_result));

#endif
