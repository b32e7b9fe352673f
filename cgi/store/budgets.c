/* budgets.c - the table of budgets. */
#include "store/budgets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/budgets_row.h"

enum { WARN_TEXT = 128 };

/* 500000, 800000 -> "0.5,0.8" */
static void warn_text(const struct budget_rule *r, char out[WARN_TEXT])
{
    size_t n = 0;

    out[0] = '\0';
    for (int i = 0; i < r->warns && n < WARN_TEXT; i++)
        n += (size_t)snprintf(out + n, WARN_TEXT - n, "%s%d.%06d", i ? "," : "", r->warn[i] / BUDGET_WARN_ALL,
                              r->warn[i] % BUDGET_WARN_ALL);
}

/* A digit and perhaps a fraction; more than six places are cut. */
static void warn_parse(const char *s, struct budget_rule *r)
{
    for (r->warns = 0; *s && r->warns < BUDGET_WARNS; r->warns++) {
        char *end;
        int64_t ppm = strtol(s, &end, 10) * BUDGET_WARN_ALL;

        if (*end == '.') {
            int64_t place = BUDGET_WARN_ALL / 10;

            for (end++; *end >= '0' && *end <= '9'; end++, place /= 10)
                ppm += (*end - '0') * place;
        }
        r->warn[r->warns] = (int32_t)ppm;
        s = *end == ',' ? end + 1 : "";
    }
}

static void copy_text(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from ? from : "");
}

void budgets_row_read(const struct query *q, struct budget_row *r)
{
    *r = (struct budget_row){.created_ms = query_col_i64(q, 7)};
    copy_text(r->rule.id, sizeof r->rule.id, query_col_text(q, 0));
    r->rule.scope = (enum budget_scope)query_col_i64(q, 1);
    copy_text(r->rule.key, sizeof r->rule.key, query_col_text(q, 2));
    r->rule.each = query_col_i64(q, 3) != 0;
    r->rule.window = (enum budget_window)query_col_i64(q, 4);
    copy_text(r->tz, sizeof r->tz, query_col_text(q, 5));
    r->rule.limit = query_col_i64(q, 6);
    warn_parse(query_col_text(q, 8), &r->rule);
}

enum weir_err budgets_find(struct db *db, const char *budget_id, struct budget_row *out)
{
    struct query q = query(db, "SELECT " BUDGETS_COLUMNS " FROM budgets WHERE budget_id = ?1 AND deleted_ms IS NULL");
    bool found;
    enum weir_err e;

    query_text(&q, budget_id);
    found = query_row(&q);
    if (found)
        budgets_row_read(&q, out);
    e = query_end(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

enum weir_err budgets_add(struct db *db, const struct budget_row *r)
{
    static const char sql[] =
        "INSERT INTO budgets(budget_id, scope, key, each, window, tz, limit_pico, warn, created_ms)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE (SELECT count(*) FROM budgets WHERE deleted_ms IS NULL) < ?10";
    struct query q = query(db, sql);
    int64_t before = db_changes(db);
    char warn[WARN_TEXT];
    enum weir_err e;

    warn_text(&r->rule, warn);
    query_text(&q, r->rule.id);
    query_i64(&q, r->rule.scope);
    query_text(&q, r->rule.key);
    query_i64(&q, r->rule.each);
    query_i64(&q, r->rule.window);
    query_text(&q, r->tz);
    query_i64(&q, r->rule.limit);
    query_text(&q, warn);
    query_i64(&q, r->created_ms);
    query_i64(&q, BUDGETS_MAX);
    e = query_end(&q);
    return e ? e : db_changes(db) == before ? WEIR_E_CONFLICT : WEIR_OK;
}

enum weir_err budgets_change(struct db *db, const struct budget_row *r)
{
    struct query q = query(db, "UPDATE budgets SET limit_pico = ?2, warn = ?3 WHERE budget_id = ?1 AND deleted_ms IS NULL");
    int64_t before = db_changes(db);
    char warn[WARN_TEXT];
    enum weir_err e;

    warn_text(&r->rule, warn);
    query_text(&q, r->rule.id);
    query_i64(&q, r->rule.limit);
    query_text(&q, warn);
    e = query_end(&q);
    return e ? e : db_changes(db) == before ? WEIR_E_NOT_FOUND : WEIR_OK;
}

enum weir_err budgets_remove(struct db *db, const char *budget_id, int64_t now_ms)
{
    struct query q = query(db, "UPDATE budgets SET deleted_ms = ?2 WHERE budget_id = ?1 AND deleted_ms IS NULL");
    int64_t before = db_changes(db);
    enum weir_err e;

    query_text(&q, budget_id);
    query_i64(&q, now_ms);
    e = query_end(&q);
    return e ? e : db_changes(db) == before ? WEIR_E_NOT_FOUND : WEIR_OK;
}

enum weir_err budgets_count_token(struct db *db, const struct settings *s, const char *token_id, bool *count)
{
    struct query q = query(db, "SELECT 1 FROM budgets WHERE scope = ?1 AND deleted_ms IS NULL AND (each OR key = ?2) LIMIT 1");

    query_i64(&q, BUDGET_TOKEN);
    query_text(&q, token_id);
    *count = query_row(&q);
    for (size_t i = 0; i < s->n_budgets; i++) {
        const struct budget_settings *b = &s->budgets[i];

        *count = *count || (b->scope == BUDGET_TOKEN && (b->each || strcmp(b->key, token_id) == 0));
    }
    return query_stop(&q);
}

enum weir_err budgets_key_exists(struct db *db, enum budget_scope scope, const char *key, bool *exists)
{
    static const char *const sql[BUDGET_SCOPES] = {
        [BUDGET_USER] = "SELECT 1 FROM users WHERE user_id = ?1",
        [BUDGET_SESSION] = "SELECT 1 FROM sessions WHERE session_id = ?1 AND deleted_ms IS NULL",
        [BUDGET_TOKEN] = "SELECT 1 FROM tokens WHERE token_id = ?1",
    };
    struct query q;

    *exists = true;
    if (!sql[scope])
        return WEIR_OK;
    q = query(db, sql[scope]);
    query_text(&q, key);
    *exists = query_row(&q);
    return query_end(&q);
}
