/* account_list.c - users, tokens and browser sessions as JSON. No secret is in
 * any of them. */
#include "store/account.h"

#include <stdio.h>
#include <string.h>

#include "store/list.h"

static void limit_json(struct sb *out, const char *name, int64_t n)
{
    sb_putf(out, "\"%s\":", name);
    if (n > 0)
        sb_i64(out, n);
    else
        sb_puts(out, "null");
}

/* Thousandths as a number with as many decimals as it has. */
static void weight_json(struct sb *out, int64_t weight)
{
    sb_i64(out, weight / 1000);
    if (weight % 1000) {
        sb_putf(out, ".%03d", (int)(weight % 1000));
        while (sb_str(out)[out->len - 1] == '0')
            sb_drop(out, 1);
    }
}

/* "max_priority", "limits", "weight" and "filters" of a user or a token, from column `col` on. */
static void rules_json(struct sb *out, const struct query *q, int col)
{
    const char *filters = query_col_text(q, col + 3);

    sb_puts(out, ",\"max_priority\":");
    sb_json(out, priority_name((enum priority)query_col_i64(q, col)));
    sb_puts(out, ",\"limits\":{");
    limit_json(out, "requests_per_minute", query_col_i64(q, col + 1));
    sb_putc(out, ',');
    limit_json(out, "tokens_per_minute", query_col_i64(q, col + 2));
    sb_puts(out, "},\"weight\":");
    if (query_col_i64(q, col + 4))
        weight_json(out, query_col_i64(q, col + 4));
    else
        sb_puts(out, "null");
    sb_putf(out, ",\"filters\":%s", filters ? filters : "null");
}

static void text_json(struct sb *out, const char *name, const struct query *q, int col)
{
    sb_putf(out, ",\"%s\":", name);
    sb_json(out, query_col_text(q, col));
}

/* --- users --- */

#define USER "SELECT id, user_id, name, role, password_hash IS NOT NULL, created_ms, disabled_ms, max_priority," \
             " requests_per_minute, tokens_per_minute, filters, weight FROM users WHERE removed_ms IS NULL"

static void user_item(struct sb *out, const struct query *q)
{
    sb_puts(out, "{\"user_id\":");
    sb_json(out, query_col_text(q, 1));
    text_json(out, "name", q, 2);
    sb_putf(out, ",\"role\":\"%s\"", role_name((enum role)query_col_i64(q, 3)));
    rules_json(out, q, 7);
    sb_puts(out, query_col_i64(q, 4) ? ",\"has_password\":true" : ",\"has_password\":false");
    list_time(out, "created_at", q, 5);
    list_time(out, "disabled_at", q, 6);
    sb_putc(out, '}');
}

enum weir_err account_users_json(struct db *ro, const char *cursor, int64_t limit, struct sb *out)
{
    struct query q = query(ro, USER " AND id > ?1 ORDER BY id LIMIT ?2");

    query_i64(&q, list_after(cursor));
    query_i64(&q, limit + 1);
    return list_rows(&q, limit, user_item, out);
}

enum weir_err account_user_json(struct db *ro, const char *user_id, struct sb *out)
{
    struct query q = query(ro, USER " AND user_id = ?1");

    query_text(&q, user_id);
    return list_one(&q, user_item, out);
}

/* --- tokens --- */

#define TOKEN "SELECT t.id, t.token_id, u.user_id, u.name, t.name, t.scopes, t.created_ms, t.expires_ms, t.used_ms, t.revoked_ms," \
              " t.max_priority, t.requests_per_minute, t.tokens_per_minute, t.filters, t.weight FROM tokens t JOIN users u" \
              " ON u.id = t.user" \
              " WHERE (?1 IS NULL OR u.user_id = ?1)"

/* Scopes are stored as "chat,monitor" and shown as a list; none: all that its user may do. */
static void scopes_json(struct sb *out, const char *scopes)
{
    sb_puts(out, ",\"scopes\":[");
    for (const char *s = scopes; *s;) {
        size_t n = strcspn(s, ",");

        sb_puts(out, s > scopes ? "," : "");
        sb_json_n(out, s, n);
        s += n + (s[n] == ',');
    }
    sb_putc(out, ']');
}

static void token_item(struct sb *out, const struct query *q)
{
    sb_puts(out, "{\"token_id\":");
    sb_json(out, query_col_text(q, 1));
    text_json(out, "user_id", q, 2);
    text_json(out, "user", q, 3);
    text_json(out, "name", q, 4);
    scopes_json(out, query_col_text(q, 5));
    rules_json(out, q, 10);
    list_time(out, "created_at", q, 6);
    list_time(out, "expires_at", q, 7);
    list_time(out, "last_used_at", q, 8);
    list_time(out, "revoked_at", q, 9);
    sb_putc(out, '}');
}

enum weir_err account_tokens_json(struct db *ro, const char *user_id, bool all, int64_t now_ms, const char *cursor, int64_t limit,
                                  struct sb *out)
{
    struct query q = query(ro, TOKEN " AND t.id > ?2 AND (?3 OR (t.revoked_ms IS NULL AND coalesce(t.expires_ms > ?4, 1)"
                               " AND u.removed_ms IS NULL)) ORDER BY t.id LIMIT ?5");

    query_text(&q, user_id);
    query_i64(&q, list_after(cursor));
    query_i64(&q, all);
    query_i64(&q, now_ms);
    query_i64(&q, limit + 1);
    return list_rows(&q, limit, token_item, out);
}

enum weir_err account_token_user(struct db *ro, const char *token_id, int64_t now_ms, char user_id[RAND_ID_SIZE])
{
    struct query q = query(ro, "SELECT u.user_id FROM tokens t JOIN users u ON u.id = t.user WHERE t.token_id = ?1 AND t.revoked_ms IS NULL"
                               " AND coalesce(t.expires_ms > ?2, 1)");
    enum weir_err e;
    bool found;

    query_text(&q, token_id);
    query_i64(&q, now_ms);
    found = query_row(&q);
    if (found)
        (void)snprintf(user_id, RAND_ID_SIZE, "%s", query_col_text(&q, 0));
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

enum weir_err account_token_json(struct db *ro, const char *user_id, const char *token_id, struct sb *out)
{
    struct query q = query(ro, TOKEN " AND t.token_id = ?2");

    query_text(&q, user_id);
    query_text(&q, token_id);
    return list_one(&q, token_item, out);
}

/* --- browsers --- */

static void session_item(struct sb *out, const struct query *q)
{
    sb_puts(out, "{\"browser_session_id\":");
    sb_json(out, query_col_text(q, 1));
    list_time(out, "signed_in_at", q, 2);
    list_time(out, "seen_at", q, 3);
    sb_putf(out, ",\"current\":%s,\"by_proxy\":%s}", query_col_i64(q, 4) ? "true" : "false", query_col_i64(q, 5) ? "true" : "false");
}

/* The first half of the cookie's hash names it: that leads back to no cookie. */
enum weir_err account_sessions_json(struct db *ro, const char *user_id, const char *csrf, int64_t now_ms, struct sb *out)
{
    enum { SHOWN = 100 };
    struct query q = query(ro, "SELECT 0, lower(hex(substr(hash, 1, 16))), w.created_ms, seen_ms, csrf = ?2, by_proxy"
                               " FROM web_sessions w JOIN users u ON u.id = w.user WHERE u.user_id = ?1 AND seen_ms > ?3"
                               " AND w.created_ms > ?4 ORDER BY w.created_ms DESC LIMIT ?5");

    query_text(&q, user_id);
    query_text(&q, csrf);
    query_i64(&q, now_ms - ACCOUNT_IDLE_MS);
    query_i64(&q, now_ms - ACCOUNT_ABSOLUTE_MS);
    query_i64(&q, SHOWN);
    return list_rows(&q, SHOWN, session_item, out);
}
