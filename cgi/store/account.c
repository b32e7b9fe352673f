/* account.c - looking people up by the hash of what they present. */
#include "store/account.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char *const roles[ROLE_COUNT] = {"user", "monitor", "admin"};

const char *role_name(enum role r)
{
    return roles[r];
}

void account_hash(const char *secret, unsigned char hash[ACCOUNT_HASH_BYTES])
{
    _Static_assert(ACCOUNT_HASH_BYTES == crypto_hash_sha256_BYTES, "a hash is a SHA-256");
    crypto_hash_sha256(hash, (const unsigned char *)secret, strlen(secret));
}

static void copy_col(char *to, size_t size, const struct query *q, int col)
{
    const char *s = query_col_text(q, col);

    (void)snprintf(to, size, "%s", s ? s : "");
}

/* --- who is it? --- */

enum { DAY_MS = 24 * 3600 * 1000 };

/* Columns of every identity … */
#define IDENTITY "u.user_id, u.name, u.role, u.max_priority, u.requests_per_minute, u.tokens_per_minute, u.filters IS NOT NULL, u.weight"

static void read_identity(const struct query *q, struct identity *out)
{
    memset(out, 0, sizeof *out);
    copy_col(out->user_id, sizeof out->user_id, q, 0);
    copy_col(out->name, sizeof out->name, q, 1);
    out->role = (enum role)query_col_i64(q, 2);
    out->max_priority = (enum priority)query_col_i64(q, 3);
    out->limits = (struct account_limits){query_col_i64(q, 4), query_col_i64(q, 5)};
    out->filtered = query_col_i64(q, 6) != 0;
    out->weight = (int32_t)query_col_i64(q, 7);
}

/* … and those of a token, which can only take away. */
static void read_token(const struct query *q, int64_t now_ms, struct identity *out)
{
    enum priority own = (enum priority)query_col_i64(q, 10);

    copy_col(out->token_id, sizeof out->token_id, q, 8);
    copy_col(out->scopes, sizeof out->scopes, q, 9);
    out->token_limits = (struct account_limits){query_col_i64(q, 11), query_col_i64(q, 12)};
    out->narrowed = *out->scopes || own < out->max_priority || query_col_i64(q, 11) || query_col_i64(q, 12) || query_col_i64(q, 13) ||
                    (query_col_i64(q, 16) && query_col_i64(q, 16) < out->weight);
    if (own < out->max_priority)
        out->max_priority = own;
    out->own_share = query_col_i64(q, 16) != 0;
    if (out->own_share)
        out->weight = (int32_t)query_col_i64(q, 16);
    out->filtered = out->filtered || query_col_i64(q, 13);
    out->touch_due = query_col_i64(q, 14) / DAY_MS != now_ms / DAY_MS;
    out->until_ms = query_col_i64(q, 15);
}

#define TOKEN                                                                                                        \
    ", t.token_id, t.scopes, t.max_priority, t.requests_per_minute, t.tokens_per_minute, t.filters IS NOT NULL,"     \
    " coalesce(t.used_ms, 0), coalesce(t.expires_ms, 0), t.weight FROM tokens t JOIN users u ON u.id = t.user WHERE "
#define TOKEN_HOLDS " AND t.revoked_ms IS NULL AND (t.expires_ms IS NULL OR t.expires_ms > ?2) AND u.disabled_ms IS NULL"

static enum weir_err one(struct query *q, bool by_token, int64_t now_ms, struct identity *out)
{
    bool found = query_row(q);
    enum weir_err e;

    if (found)
        read_identity(q, out);
    if (found && by_token)
        read_token(q, now_ms, out);
    e = query_stop(q);
    return e ? e : found ? WEIR_OK : WEIR_E_UNAUTHENTICATED;
}

enum weir_err account_by_token(struct db *ro, const char *token, int64_t now_ms, struct identity *out)
{
    unsigned char hash[ACCOUNT_HASH_BYTES];
    struct query q = query(ro, "SELECT " IDENTITY TOKEN "t.hash = ?1" TOKEN_HOLDS);

    account_hash(token, hash);
    query_blob(&q, hash, sizeof hash);
    query_i64(&q, now_ms);
    return one(&q, true, now_ms, out);
}

enum weir_err account_by_number(struct db *ro, int64_t user, int64_t token, int64_t now_ms, struct identity *out)
{
    struct query q;

    if (token) {
        q = query(ro, "SELECT " IDENTITY TOKEN "t.id = ?1" TOKEN_HOLDS);
        query_i64(&q, token);
        query_i64(&q, now_ms);
    } else {
        q = query(ro, "SELECT " IDENTITY " FROM users u WHERE u.id = ?1 AND u.disabled_ms IS NULL");
        query_i64(&q, user);
    }
    return one(&q, token != 0, now_ms, out);
}

enum weir_err account_by_cookie(struct db *ro, const char *cookie, int64_t now_ms, struct identity *out)
{
    static const char sql[] =
        "SELECT " IDENTITY ", w.csrf, w.seen_ms, w.created_ms, w.by_proxy, w.token, coalesce(t.expires_ms, 0) FROM web_sessions w JOIN users u ON u.id = w.user"
        " LEFT JOIN tokens t ON t.token_id = w.token"
        " WHERE w.hash = ?1 AND w.seen_ms > ?2 AND w.created_ms > ?3 AND u.disabled_ms IS NULL AND coalesce(t.expires_ms > ?4, 1)";
    unsigned char hash[ACCOUNT_HASH_BYTES];
    struct query q = query(ro, sql);
    bool found;
    enum weir_err e;

    account_hash(cookie, hash);
    query_blob(&q, hash, sizeof hash);
    query_i64(&q, now_ms - ACCOUNT_IDLE_MS);
    query_i64(&q, now_ms - ACCOUNT_ABSOLUTE_MS);
    query_i64(&q, now_ms);
    found = query_row(&q);
    if (found) {
        read_identity(&q, out);
        copy_col(out->csrf, sizeof out->csrf, &q, 8);
        out->touch_due = query_col_i64(&q, 9) <= now_ms - ACCOUNT_TOUCH_MS;
        out->signed_in_ms = query_col_i64(&q, 10);
        out->by_proxy = query_col_i64(&q, 11) != 0;
        copy_col(out->by_token, sizeof out->by_token, &q, 12);
        out->until_ms = query_col_i64(&q, 13);
    }
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_UNAUTHENTICATED;
}

enum weir_err account_user_state(struct db *ro, const char *user_id, struct account_state *out)
{
    struct query q = query(ro, "SELECT name, role, disabled_ms IS NOT NULL FROM users WHERE user_id = ?1 AND removed_ms IS NULL");
    bool found;
    enum weir_err e;

    query_text(&q, user_id);
    found = query_row(&q);
    if (found) {
        copy_col(out->name, sizeof out->name, &q, 0);
        out->role = (enum role)query_col_i64(&q, 1);
        out->disabled = query_col_i64(&q, 2) != 0;
    }
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

const char *account_token_of(const struct identity *who)
{
    return *who->token_id ? who->token_id : *who->by_token ? who->by_token : NULL;
}

enum weir_err account_by_name(struct db *ro, const char *name, struct account_login *out)
{
    struct query q = query(ro, "SELECT user_id, password_hash FROM users WHERE name = ?1 AND disabled_ms IS NULL");
    bool found;
    enum weir_err e;

    query_text(&q, name);
    found = query_row(&q);
    if (found) {
        copy_col(out->user_id, sizeof out->user_id, &q, 0);
        copy_col(out->password_hash, sizeof out->password_hash, &q, 1);
    }
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

bool account_shows_monitoring(struct db *ro, const char *user_id)
{
    struct query q = query(ro, "SELECT show_monitoring FROM users WHERE user_id = ?1");
    bool shows;

    query_text(&q, user_id);
    shows = query_row(&q) && query_col_i64(&q, 0) != 0;
    return query_stop(&q) == WEIR_OK && shows;
}

enum weir_err account_filters(struct db *ro, const struct identity *who, struct sb *user, struct sb *token)
{
    struct query q = query(ro, "SELECT filters FROM users WHERE user_id = ?1");
    enum weir_err e;

    query_text(&q, who->user_id);
    if (query_row(&q))
        sb_puts(user, query_col_text(&q, 0));
    e = query_stop(&q);
    if (e || !*who->token_id)
        return e;
    q = query(ro, "SELECT filters FROM tokens WHERE token_id = ?1");
    query_text(&q, who->token_id);
    if (query_row(&q))
        sb_puts(token, query_col_text(&q, 0));
    return query_stop(&q);
}
