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
#include "base/rand.h"
#include "base/sb.h"
#include "rules/gate.h"
#include "store/db.h"

enum role { ROLE_USER, ROLE_MONITOR, ROLE_ADMIN, ROLE_COUNT };
const char *role_name(enum role r);                     /* "user" "monitor" "admin" */

enum { ACCOUNT_NAME_MAX = 100 };                        /* bytes of a user's name */

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

struct identity {
    char user_id[RAND_ID_SIZE];
    char name[ACCOUNT_NAME_MAX + 1];
    enum role role;
    char token_id[RAND_ID_SIZE];          /* "" for a browser session */
    char scopes[128];                     /* of the token, comma-separated; "" = all its user may do */
    enum priority max_priority;           /* of the token or, in a browser, the user */
    char csrf[ACCOUNT_SECRET_SIZE];       /* of the browser session; "" for a token */
    bool touch_due;                       /* browser session seen first since 10 minutes: account_session_touch() */
};
/* E_UNAUTHENTICATED: unknown, expired, revoked, or its user disabled. */
enum weir_err account_by_token(struct db *ro, const char *token, int64_t now_ms, struct identity *out)
    __attribute__((warn_unused_result));
enum weir_err account_by_cookie(struct db *ro, const char *cookie, int64_t now_ms, struct identity *out)
    __attribute__((warn_unused_result));

/* {"items":[…],"next_cursor":…}, by id. `cursor` NULL: the first page. */
enum weir_err account_users_json(struct db *ro, const char *cursor, int64_t limit, struct sb *out)
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
};
/* E_CONFLICT: the name is taken. */
enum weir_err account_user_add(struct db *db, const struct account_user *u, int64_t now_ms)
    __attribute__((warn_unused_result));
/* What is NULL or -1 stays. A changed role or disabled = 1 ends the user's browser sessions. E_CONFLICT: the name is
 * taken, or the last active admin would be gone. */
struct account_user_patch {
    const char *name, *password_hash;
    int role, disabled, max_priority;
};
enum weir_err account_user_patch(struct db *db, const char *user_id, const struct account_user_patch *p, int64_t now_ms)
    __attribute__((warn_unused_result));

struct account_token {
    const char *token_id, *user_id, *name, *scopes;   /* scopes "" = all its user may do */
    const char *secret;                               /* the whole token; only its hash is stored */
    enum priority max_priority;
    int64_t expires_at_ms;                            /* 0: never */
};
enum weir_err account_token_add(struct db *db, const struct account_token *t, int64_t now_ms)
    __attribute__((warn_unused_result));
/* `user_id` NULL: anybody's (admin). */
enum weir_err account_token_revoke(struct db *db, const char *user_id, const char *token_id, int64_t now_ms)
    __attribute__((warn_unused_result));

/* A code that signs `user_id` in once until expires_at_ms. */
enum weir_err account_code_add(struct db *db, const char *code, const char *user_id, int64_t now_ms, int64_t expires_at_ms)
    __attribute__((warn_unused_result));
/* Use a code up: gives its user. E_UNAUTHENTICATED: unknown, used or expired. */
enum weir_err account_code_use(struct db *db, const char *code, int64_t now_ms, char user_id[RAND_ID_SIZE])
    __attribute__((warn_unused_result));

enum { ACCOUNT_IDLE_MS = 12 * 3600 * 1000, ACCOUNT_ABSOLUTE_MS = 7 * 24 * 3600 * 1000, ACCOUNT_TOUCH_MS = 600 * 1000 };
/* A browser session under `cookie` with its CSRF secret; expires 12 h after it was last seen, 7 d after it began. */
enum weir_err account_session_add(struct db *db, const char *cookie, const char *csrf, const char *user_id, int64_t now_ms)
    __attribute__((warn_unused_result));
enum weir_err account_session_touch(struct db *db, const char *cookie, int64_t now_ms) __attribute__((warn_unused_result));
enum weir_err account_session_end(struct db *db, const char *cookie) __attribute__((warn_unused_result));
/* Expired sessions and codes go; gives how many. For the keeper. */
enum weir_err account_sweep(struct db *db, int64_t now_ms, int64_t *gone) __attribute__((warn_unused_result));

#endif
