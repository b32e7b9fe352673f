/* account_write.c - users, tokens, browser sessions and sign-in codes as they
 * come and go. Writer thread, in the caller's transaction. */
#include <stdio.h>
#include <string.h>

#include "store/account.h"

static enum weir_err user_number(struct db *db, const char *user_id, int64_t *id)
{
    struct query q = query(db, "SELECT id FROM users WHERE user_id = ?1 AND disabled_ms IS NULL");
    enum weir_err e;

    query_text(&q, user_id);
    *id = query_row(&q) ? query_col_i64(&q, 0) : 0;
    e = query_stop(&q);
    return e ? e : *id ? WEIR_OK : WEIR_E_NOT_FOUND;
}

/* The rules of a user or a token, in this order, as every INSERT and UPDATE below has them. */
static void bind_rules(struct query *q, int max_priority, const struct account_limits *l, const char *filters, int32_t weight)
{
    query_opt_i64(q, max_priority);
    query_opt_i64(q, l->requests_per_minute);
    query_opt_i64(q, l->tokens_per_minute);
    query_text(q, filters);
    query_opt_i64(q, weight);
}

/* --- users --- */

enum weir_err account_user_add(struct db *db, const struct account_user *u, int64_t now_ms)
{
    struct query q = query(db, "INSERT INTO users(max_priority, requests_per_minute, tokens_per_minute, filters, weight, user_id, name,"
                               " role, password_hash, created_ms)"
                               " VALUES (?1, ?2, ?3, nullif(?4, ''), coalesce(nullif(?5, 0), 1000), ?6, ?7, ?8, ?9, ?10)");

    bind_rules(&q, (int)u->max_priority, &u->limits, u->filters, u->weight);
    query_text(&q, u->user_id);
    query_text(&q, u->name);
    query_i64(&q, u->role);
    query_text(&q, u->password_hash);
    query_i64(&q, now_ms);
    return query_end(&q);
}

static enum weir_err active_admins(struct db *db, int64_t *n)
{
    struct query q = query(db, "SELECT count(*) FROM users WHERE role = 2 AND disabled_ms IS NULL");

    *n = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_stop(&q);
}

static enum weir_err of_user(struct db *db, const char *sql, const char *user_id, int64_t now_ms)
{
    struct query q = query(db, sql);

    query_text(&q, user_id);
    query_i64(&q, now_ms);
    return query_end(&q);
}

/* `sql` changes one user, and an active admin stays. */
static enum weir_err change_user(struct db *db, struct query *q, int64_t had)
{
    int64_t before = db_changes(db), left = 0;
    enum weir_err e = query_end(q);

    if (!e && db_changes(db) == before)
        e = WEIR_E_NOT_FOUND;
    if (!e)
        e = active_admins(db, &left);
    return e ? e : had > 0 && left == 0 ? WEIR_E_CONFLICT : WEIR_OK;
}

enum weir_err account_user_patch(struct db *db, const char *user_id, const struct account_user_patch *p, int64_t now_ms)
{
    static const char sql[] =
        "UPDATE users SET max_priority = coalesce(?1, max_priority), requests_per_minute = coalesce(?2, requests_per_minute),"
        " tokens_per_minute = coalesce(?3, tokens_per_minute), filters = nullif(coalesce(?4, filters), ''),"
        " weight = coalesce(nullif(?5, 0), weight), name = coalesce(?7, name), password_hash = coalesce(?8, password_hash), role = coalesce(?9, role),"
        " disabled_ms = CASE ?10 WHEN 1 THEN coalesce(disabled_ms, ?11) WHEN 0 THEN NULL ELSE disabled_ms END"
        " WHERE user_id = ?6 AND removed_ms IS NULL";
    int64_t had = 0;
    enum weir_err e = active_admins(db, &had);
    struct query q;

    if (e)
        return e;
    q = query(db, sql);
    bind_rules(&q, p->max_priority, &p->limits, p->filters, p->weight);
    query_text(&q, user_id);
    query_text(&q, p->name);
    query_text(&q, p->password_hash);
    query_opt_i64(&q, p->role);
    query_opt_i64(&q, p->disabled);
    query_i64(&q, now_ms);
    e = change_user(db, &q, had);
    if (!e && (p->role >= 0 || p->disabled == 1 || p->password_hash))
        e = account_session_remove(db, user_id, NULL, NULL);
    return e;
}

enum weir_err account_user_remove(struct db *db, const char *user_id, int64_t now_ms)
{
    int64_t had = 0;
    enum weir_err e = active_admins(db, &had);
    struct query q;

    if (!e)
        e = account_session_remove(db, user_id, NULL, NULL);
    if (!e)
        e = of_user(db, "DELETE FROM signin_codes WHERE user = (SELECT id FROM users WHERE user_id = ?1) AND ?2 > 0", user_id, now_ms);
    if (!e)
        e = of_user(db, "UPDATE tokens SET revoked_ms = coalesce(revoked_ms, ?2) WHERE user = (SELECT id FROM users WHERE user_id = ?1)",
                    user_id, now_ms);
    if (e)
        return e;
    q = query(db, "UPDATE users SET disabled_ms = coalesce(disabled_ms, ?2), removed_ms = ?2, password_hash = NULL, filters = NULL,"
                  " name = name || ' ' || user_id WHERE user_id = ?1 AND removed_ms IS NULL");
    query_text(&q, user_id);
    query_i64(&q, now_ms);
    return change_user(db, &q, had);
}

enum weir_err account_rehash(struct db *db, const char *user_id, const char *password_hash)
{
    struct query q = query(db, "UPDATE users SET password_hash = ?2 WHERE user_id = ?1 AND password_hash IS NOT NULL");

    query_text(&q, user_id);
    query_text(&q, password_hash);
    return query_end(&q);
}

enum weir_err account_show_monitoring(struct db *db, const char *user_id, bool show)
{
    struct query q = query(db, "UPDATE users SET show_monitoring = ?2 WHERE user_id = ?1");

    query_text(&q, user_id);
    query_i64(&q, show);
    return query_end(&q);
}

/* --- tokens --- */

static enum weir_err still_holds(struct db *db, const char *token_id)
{
    struct query q = query(db, "SELECT 1 FROM tokens WHERE token_id = ?1 AND revoked_ms IS NULL");
    enum weir_err e;
    bool holds;

    query_text(&q, token_id);
    holds = query_row(&q);
    e = query_stop(&q);
    return e ? e : holds ? WEIR_OK : WEIR_E_UNAUTHENTICATED;
}

enum weir_err account_token_add(struct db *db, const struct account_token *t, int64_t now_ms)
{
    unsigned char hash[ACCOUNT_HASH_BYTES];
    int64_t user;
    enum weir_err e = user_number(db, t->user_id, &user);
    struct query q;

    if (!e && t->made_by)
        e = still_holds(db, t->made_by);
    if (e)
        return e;
    account_hash(t->secret, hash);
    q = query(db, "INSERT INTO tokens(max_priority, requests_per_minute, tokens_per_minute, filters, weight, token_id, user, name, hash,"
                  " scopes, created_ms, expires_ms, made_by) VALUES (?1, ?2, ?3, nullif(?4, ''), nullif(?5, 0), ?6, ?7, ?8, ?9, ?10, ?11,"
                  " nullif(?12, 0), (SELECT id FROM tokens WHERE token_id = ?13 AND user = ?7))");
    bind_rules(&q, (int)t->max_priority, &t->limits, t->filters, t->weight);
    query_text(&q, t->token_id);
    query_i64(&q, user);
    query_text(&q, t->name);
    query_blob(&q, hash, sizeof hash);
    query_text(&q, t->scopes ? t->scopes : "");
    query_i64(&q, now_ms);
    query_i64(&q, t->expires_at_ms);
    query_text(&q, t->made_by);
    return query_end(&q);
}

/* Browsers that it signed in, which may do what it could when they began. */
static enum weir_err end_browsers(struct db *db, const char *token_id)
{
    struct query q = query(db, "DELETE FROM web_sessions WHERE token = ?1");

    query_text(&q, token_id);
    return query_end(&q);
}

/* A token, if it meets the condition, and what was made with it. */
#define FAMILY(condition) \
    "WITH RECURSIVE family(id, token_id) AS (SELECT id, token_id FROM tokens WHERE token_id = ?1" condition \
    " UNION SELECT t.id, t.token_id FROM tokens t JOIN family f ON t.made_by = f.id) "

/* What was made with it does not outlive it. */
static enum weir_err end_family_by(struct db *db, const char *token_id, int64_t expires_ms)
{
    struct query q = query(db, FAMILY("") "UPDATE tokens SET expires_ms = ?2 WHERE id IN (SELECT id FROM family) AND revoked_ms IS NULL"
                               " AND coalesce(expires_ms > ?2, 1)");

    query_text(&q, token_id);
    query_i64(&q, expires_ms);
    return query_end(&q);
}

enum weir_err account_token_patch(struct db *db, const char *token_id, const struct account_token_patch *p)
{
    int64_t before = db_changes(db);
    struct query q = query(db, "UPDATE tokens SET max_priority = coalesce(?1, max_priority),"
                               " requests_per_minute = coalesce(?2, requests_per_minute), tokens_per_minute = coalesce(?3, tokens_per_minute),"
                               " filters = nullif(coalesce(?4, filters), ''), weight = nullif(coalesce(?5, weight), 0),"
                               " name = coalesce(?7, name), scopes = coalesce(?8, scopes),"
                               " expires_ms = coalesce(?9, expires_ms) WHERE token_id = ?6 AND revoked_ms IS NULL");
    enum weir_err e;

    bind_rules(&q, p->max_priority, &p->limits, p->filters, p->weight);
    query_text(&q, token_id);
    query_text(&q, p->name);
    query_text(&q, p->scopes);
    query_opt_i64(&q, p->expires_at_ms);
    e = query_end(&q);
    if (!e && db_changes(db) == before)
        e = WEIR_E_NOT_FOUND;
    if (!e && p->expires_at_ms >= 0)
        e = end_family_by(db, token_id, p->expires_at_ms);
    return e ? e : end_browsers(db, token_id);
}

enum weir_err account_token_revoke(struct db *db, const char *user_id, const char *token_id, int64_t now_ms)
{
    int64_t before = db_changes(db);
    struct query q = query(db, FAMILY(" AND revoked_ms IS NULL AND (?2 IS NULL OR user = (SELECT id FROM users WHERE user_id = ?2))")
                               "UPDATE tokens SET revoked_ms = ?3 WHERE revoked_ms IS NULL AND id IN (SELECT id FROM family)");
    enum weir_err e;

    query_text(&q, token_id);
    query_text(&q, user_id);
    query_i64(&q, now_ms);
    e = query_end(&q);
    if (e || db_changes(db) == before)
        return e ? e : WEIR_E_NOT_FOUND;
    q = query(db, FAMILY("") "DELETE FROM web_sessions WHERE token IN (SELECT token_id FROM family)");
    query_text(&q, token_id);
    return query_end(&q);
}

enum weir_err account_token_family(struct db *db, const char *token_id, void (*each)(void *ctx, const char *token_id), void *ctx)
{
    struct query q = query(db, FAMILY("") "SELECT token_id FROM family");

    query_text(&q, token_id);
    while (query_row(&q))
        each(ctx, query_col_text(&q, 0));
    return query_stop(&q);
}

enum weir_err account_token_touch(struct db *db, const char *token, int64_t now_ms)
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    unsigned char hash[ACCOUNT_HASH_BYTES];
    struct query q = query(db, "UPDATE tokens SET used_ms = ?2 WHERE hash = ?1");

    account_hash(token, hash);
    query_blob(&q, hash, sizeof hash);
    query_i64(&q, now_ms - now_ms % DAY_MS);
    return query_end(&q);
}

/* --- first start --- */

static enum weir_err add_first_admin(struct db *db, int64_t now_ms, char user_id[RAND_ID_SIZE])
{
    char name[ACCOUNT_NAME_MAX + 1] = "admin", unlike[RAND_ID_SIZE];
    const struct account_user u = {.user_id = user_id, .name = name, .role = ROLE_ADMIN, .max_priority = PRIORITY_HIGH};
    enum weir_err e;

    rand_id(user_id, "usr");
    e = account_user_add(db, &u, now_ms);
    if (e == WEIR_E_CONFLICT) {          /* a plain user has taken the name */
        rand_id(unlike, "adm");
        (void)snprintf(name, sizeof name, "admin %.6s", unlike + 4 + 8);
        e = account_user_add(db, &u, now_ms);
    }
    return e;
}

enum weir_err account_first_start(struct db *db, const char *admin_token, int64_t now_ms, char user_id[RAND_ID_SIZE])
{
    unsigned char hash[ACCOUNT_HASH_BYTES];
    char token_id[RAND_ID_SIZE];
    bool known;
    struct query q = query(db, "SELECT user_id FROM users WHERE role = 2 AND disabled_ms IS NULL ORDER BY id LIMIT 1");
    bool found = query_row(&q);
    enum weir_err e;

    if (found)
        (void)snprintf(user_id, RAND_ID_SIZE, "%s", query_col_text(&q, 0));
    e = query_stop(&q);
    if (!e && !found)
        e = add_first_admin(db, now_ms, user_id);
    if (e)
        return e;
    account_hash(admin_token, hash);
    q = query(db, "SELECT 1 FROM tokens WHERE hash = ?1");
    query_blob(&q, hash, sizeof hash);
    known = query_row(&q);
    e = query_stop(&q);
    if (!e && !known) {
        const struct account_token t = {.token_id = token_id, .user_id = user_id, .name = "admin-token file",
                                        .scopes = "", .secret = admin_token, .max_priority = PRIORITY_HIGH};

        rand_id(token_id, "tok");
        e = account_token_add(db, &t, now_ms);
    }
    return e;
}

/* --- browsers --- */

enum weir_err account_code_add(struct db *db, const char *code, const char *user_id, int64_t now_ms, int64_t expires_at_ms)
{
    unsigned char hash[ACCOUNT_HASH_BYTES];
    int64_t user;
    enum weir_err e = user_number(db, user_id, &user);
    struct query q;

    if (e)
        return e;
    account_hash(code, hash);
    q = query(db, "INSERT INTO signin_codes(hash, user, created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4)");
    query_blob(&q, hash, sizeof hash);
    query_i64(&q, user);
    query_i64(&q, now_ms);
    query_i64(&q, expires_at_ms);
    return query_end(&q);
}

enum weir_err account_code_use(struct db *db, const char *code, int64_t now_ms, char user_id[RAND_ID_SIZE])
{
    static const char sql[] =
        "UPDATE signin_codes SET used_ms = ?2 WHERE hash = ?1 AND used_ms IS NULL AND expires_ms > ?2"
        " AND user IN (SELECT id FROM users WHERE disabled_ms IS NULL)"
        " RETURNING (SELECT user_id FROM users WHERE id = user)";
    unsigned char hash[ACCOUNT_HASH_BYTES];
    struct query q = query(db, sql);
    bool found;
    enum weir_err e;

    account_hash(code, hash);
    query_blob(&q, hash, sizeof hash);
    query_i64(&q, now_ms);
    found = query_row(&q);
    if (found)
        (void)snprintf(user_id, RAND_ID_SIZE, "%s", query_col_text(&q, 0));
    e = query_end(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_UNAUTHENTICATED;
}

enum weir_err account_session_add(struct db *db, const char *cookie, const char *csrf, const char *user_id, bool by_proxy,
                                  const char *by_token, int64_t now_ms)
{
    unsigned char hash[ACCOUNT_HASH_BYTES];
    int64_t user;
    enum weir_err e = user_number(db, user_id, &user);
    struct query q;

    if (e)
        return e;
    account_hash(cookie, hash);
    q = query(db, "INSERT INTO web_sessions(hash, user, csrf, created_ms, seen_ms, by_proxy, token) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)");
    query_blob(&q, hash, sizeof hash);
    query_i64(&q, user);
    query_text(&q, csrf);
    query_i64(&q, now_ms);
    query_i64(&q, by_proxy);
    query_text(&q, by_token);
    return query_end(&q);
}

enum weir_err account_session_touch(struct db *db, const char *cookie, int64_t now_ms)
{
    unsigned char hash[ACCOUNT_HASH_BYTES];
    struct query q = query(db, "UPDATE web_sessions SET seen_ms = max(seen_ms, ?2) WHERE hash = ?1");

    account_hash(cookie, hash);
    query_blob(&q, hash, sizeof hash);
    query_i64(&q, now_ms);
    return query_end(&q);
}

enum weir_err account_session_end(struct db *db, const char *cookie)
{
    unsigned char hash[ACCOUNT_HASH_BYTES];
    struct query q = query(db, "DELETE FROM web_sessions WHERE hash = ?1");

    account_hash(cookie, hash);
    query_blob(&q, hash, sizeof hash);
    return query_end(&q);
}

enum weir_err account_session_remove(struct db *db, const char *user_id, const char *id, const char *csrf)
{
    int64_t before = db_changes(db);
    struct query q = query(db, "DELETE FROM web_sessions WHERE user = (SELECT id FROM users WHERE user_id = ?1)"
                               " AND (?2 IS NULL OR hex(substr(hash, 1, 16)) = upper(?2)) AND (?2 IS NOT NULL OR ?3 IS NULL OR csrf <> ?3)");
    enum weir_err e;

    query_text(&q, user_id);
    query_text(&q, id);
    query_text(&q, csrf);
    e = query_end(&q);
    return e ? e : id && db_changes(db) == before ? WEIR_E_NOT_FOUND : WEIR_OK;
}

enum weir_err account_sweep(struct db *db, int64_t now_ms, int64_t *gone)
{
    int64_t before = db_changes(db);
    struct query q = query(db, "DELETE FROM web_sessions WHERE seen_ms <= ?1 OR created_ms <= ?2");
    enum weir_err e;

    query_i64(&q, now_ms - ACCOUNT_IDLE_MS);
    query_i64(&q, now_ms - ACCOUNT_ABSOLUTE_MS);
    e = query_end(&q);
    if (!e) {
        q = query(db, "DELETE FROM signin_codes WHERE expires_ms <= ?1");
        query_i64(&q, now_ms);
        e = query_end(&q);
    }
    *gone = db_changes(db) - before;
    return e;
}
