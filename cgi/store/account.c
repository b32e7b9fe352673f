/* account.c - looking people up by the hash of what they present, and the
 * writes that create, change and end what they present. */
#include "store/account.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "store/list.h"

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

/* Columns 0…3 of every identity: user_id, name, role, max_priority. */
static void read_identity(const struct query *q, struct identity *out)
{
    memset(out, 0, sizeof *out);
    copy_col(out->user_id, sizeof out->user_id, q, 0);
    copy_col(out->name, sizeof out->name, q, 1);
    out->role = (enum role)query_col_i64(q, 2);
    out->max_priority = (enum priority)query_col_i64(q, 3);
}

enum weir_err account_by_token(struct db *ro, const char *token, int64_t now_ms, struct identity *out)
{
    static const char sql[] =
        "SELECT u.user_id, u.name, u.role, min(u.max_priority, t.max_priority), t.token_id, t.scopes"
        " FROM tokens t JOIN users u ON u.id = t.user WHERE t.hash = ?1 AND t.revoked_ms IS NULL"
        " AND (t.expires_ms IS NULL OR t.expires_ms > ?2) AND u.disabled_ms IS NULL";
    unsigned char hash[ACCOUNT_HASH_BYTES];
    struct query q = query(ro, sql);
    bool found;
    enum weir_err e;

    account_hash(token, hash);
    query_blob(&q, hash, sizeof hash);
    query_i64(&q, now_ms);
    found = query_row(&q);
    if (found) {
        read_identity(&q, out);
        copy_col(out->token_id, sizeof out->token_id, &q, 4);
        copy_col(out->scopes, sizeof out->scopes, &q, 5);
    }
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_UNAUTHENTICATED;
}

enum weir_err account_by_cookie(struct db *ro, const char *cookie, int64_t now_ms, struct identity *out)
{
    static const char sql[] =
        "SELECT u.user_id, u.name, u.role, u.max_priority, w.csrf, w.seen_ms"
        " FROM web_sessions w JOIN users u ON u.id = w.user"
        " WHERE w.hash = ?1 AND w.seen_ms > ?2 AND w.created_ms > ?3 AND u.disabled_ms IS NULL";
    unsigned char hash[ACCOUNT_HASH_BYTES];
    struct query q = query(ro, sql);
    bool found;
    enum weir_err e;

    account_hash(cookie, hash);
    query_blob(&q, hash, sizeof hash);
    query_i64(&q, now_ms - ACCOUNT_IDLE_MS);
    query_i64(&q, now_ms - ACCOUNT_ABSOLUTE_MS);
    found = query_row(&q);
    if (found) {
        read_identity(&q, out);
        copy_col(out->csrf, sizeof out->csrf, &q, 4);
        out->touch_due = query_col_i64(&q, 5) <= now_ms - ACCOUNT_TOUCH_MS;
    }
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_UNAUTHENTICATED;
}

/* --- lists --- */

static void user_item(struct sb *out, const struct query *q)
{
    sb_puts(out, "{\"user_id\":");
    sb_json(out, query_col_text(q, 1));
    sb_puts(out, ",\"name\":");
    sb_json(out, query_col_text(q, 2));
    sb_puts(out, ",\"role\":");
    sb_json(out, role_name((enum role)query_col_i64(q, 3)));
    sb_puts(out, ",\"max_priority\":");
    sb_json(out, priority_name((enum priority)query_col_i64(q, 4)));
    sb_puts(out, query_col_i64(q, 5) ? ",\"has_password\":true" : ",\"has_password\":false");
    list_time(out, "created_at", q, 6);
    list_time(out, "disabled_at", q, 7);
    sb_putc(out, '}');
}

enum weir_err account_users_json(struct db *ro, const char *cursor, int64_t limit, struct sb *out)
{
    struct query q = query(ro, "SELECT id, user_id, name, role, max_priority, password_hash IS NOT NULL, created_ms,"
                               " disabled_ms FROM users WHERE id > ?1 ORDER BY id LIMIT ?2");

    query_i64(&q, list_after(cursor));
    query_i64(&q, limit + 1);
    return list_rows(&q, limit, user_item, out);
}
