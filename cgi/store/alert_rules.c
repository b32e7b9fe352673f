/* alert_rules.c - the table of rules. */
#include "store/alerts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define COLUMNS "id, rule_id, kind, scope, key, window, tz, threshold, for_ms, least, enabled, created_ms FROM alert_rules"

static void row_read(const struct query *q, struct alert_rule *r)
{
    *r = (struct alert_rule){
        .row = query_col_i64(q, 0), .kind = (enum alert_kind)query_col_i64(q, 2), .scope = (enum budget_scope)query_col_i64(q, 3),
        .window = (enum budget_window)query_col_i64(q, 5), .threshold = query_col_i64(q, 7), .for_ms = query_col_i64(q, 8),
        .least = query_col_i64(q, 9), .enabled = query_col_i64(q, 10) != 0, .created_ms = query_col_i64(q, 11),
    };
    (void)snprintf(r->id, sizeof r->id, "%s", query_col_text(q, 1));
    (void)snprintf(r->key, sizeof r->key, "%s", query_col_text(q, 4));
    (void)snprintf(r->tz, sizeof r->tz, "%s", query_col_text(q, 6));
}

enum weir_err alert_rules_list(struct db *ro, struct alert_rules *out)
{
    struct query q = query(ro, "SELECT " COLUMNS " WHERE deleted_ms IS NULL ORDER BY id");

    *out = (struct alert_rules){NULL, 0};
    while (query_row(&q)) {
        out->rule = mem_grow(out->rule, out->n + 1, sizeof *out->rule);
        row_read(&q, &out->rule[out->n++]);
    }
    return query_end(&q);
}

void alert_rules_done(struct alert_rules *r)
{
    free(r->rule);
    *r = (struct alert_rules){NULL, 0};
}

enum weir_err alert_rules_find(struct db *ro, const char *rule_id, struct alert_rule *out)
{
    struct query q = query(ro, "SELECT " COLUMNS " WHERE rule_id = ?1 AND deleted_ms IS NULL");
    bool found;
    enum weir_err e;

    query_text(&q, rule_id);
    found = query_row(&q);
    if (found)
        row_read(&q, out);
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

enum weir_err alert_rules_add(struct db *db, const struct alert_rule *r)
{
    struct query q = query(db, "INSERT INTO alert_rules(rule_id, kind, scope, key, window, tz, threshold, for_ms, least, enabled, created_ms)"
                               " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE"
                               " (SELECT count(*) FROM alert_rules WHERE deleted_ms IS NULL) < ?12");
    int64_t before = db_changes(db);
    enum weir_err e;

    query_text(&q, r->id);
    query_i64(&q, r->kind);
    query_i64(&q, r->scope);
    query_text(&q, r->key);
    query_i64(&q, r->window);
    query_text(&q, r->tz);
    query_i64(&q, r->threshold);
    query_i64(&q, r->for_ms);
    query_i64(&q, r->least);
    query_i64(&q, r->enabled);
    query_i64(&q, r->created_ms);
    query_i64(&q, ALERT_RULES_MAX);
    e = query_end(&q);
    return e ? e : db_changes(db) == before ? WEIR_E_CONFLICT : WEIR_OK;
}

enum weir_err alert_rules_change(struct db *db, const struct alert_rule *r)
{
    struct query q = query(db, "UPDATE alert_rules SET threshold = ?2, for_ms = ?3, least = ?4, enabled = ?5"
                               " WHERE rule_id = ?1 AND deleted_ms IS NULL");
    int64_t before = db_changes(db);
    enum weir_err e;

    query_text(&q, r->id);
    query_i64(&q, r->threshold);
    query_i64(&q, r->for_ms);
    query_i64(&q, r->least);
    query_i64(&q, r->enabled);
    e = query_end(&q);
    return e ? e : db_changes(db) == before ? WEIR_E_NOT_FOUND : WEIR_OK;
}

enum weir_err alert_rules_remove(struct db *db, const char *rule_id, int64_t now_ms)
{
    struct query q = query(db, "UPDATE alert_rules SET deleted_ms = ?2 WHERE rule_id = ?1 AND deleted_ms IS NULL");
    int64_t before = db_changes(db);
    enum weir_err e;

    query_text(&q, rule_id);
    query_i64(&q, now_ms);
    e = query_end(&q);
    return e ? e : db_changes(db) == before ? WEIR_E_NOT_FOUND : WEIR_OK;
}

void alert_rule_json(const struct alert_rule *r, struct sb *out)
{
    sb_puts(out, "{\"rule_id\":");
    sb_json(out, r->id);
    sb_putf(out, ",\"kind\":\"%s\"", alert_kind_name(r->kind));
    switch (r->kind) {
    case ALERT_COST:
        sb_putf(out, ",\"scope\":\"%s\",\"key\":", budget_scope_name(r->scope));
        sb_json(out, *r->key ? r->key : NULL);
        sb_putf(out, ",\"window\":\"%s\",\"tz\":", budget_window_name(r->window));
        sb_json(out, r->tz);
        sb_puts(out, ",\"limit_usd\":");
        sb_usd(out, r->threshold);
        break;
    case ALERT_LIMIT_USE:
    case ALERT_ERROR_RATE:
        sb_putf(out, ",\"share\":%" PRId64 ".%06" PRId64, r->threshold / 1000000, r->threshold % 1000000);
        if (r->kind == ALERT_ERROR_RATE)
            sb_putf(out, ",\"least_requests\":%" PRId64, r->least);
        break;
    case ALERT_QUEUE_WAIT:
        sb_putf(out, ",\"wait_ms\":%" PRId64, r->threshold);
        break;
    case ALERT_BUDGET:
    case ALERT_STORAGE:
    case ALERT_UPSTREAM_DOWN:
    case ALERT_LEDGER_CHECK:
    case ALERT_ANOMALY:
    case ALERT_USAGE_SUSPECT:
    case ALERT_KINDS:
        break;
    }
    sb_putf(out, ",\"for_ms\":%" PRId64 ",\"enabled\":%s}", r->for_ms, r->enabled ? "true" : "false");
}
