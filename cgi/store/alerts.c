/* alerts.c - alerts: opened, acknowledged, resolved, shown. */
#include "store/alerts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/ledger.h"
#include "store/list.h"

#define COLUMNS "a.id, a.alert_id, r.rule_id, r.kind, a.key, a.level, a.value, a.threshold, a.text, a.window_ms, a.opened_ms," \
                " a.acknowledged_ms, a.acknowledged_by, a.resolved_ms FROM alerts a JOIN alert_rules r ON r.id = a.rule"
#define NEXT_VERSION "(SELECT coalesce(max(version), 0) + 1 FROM alerts)"

enum weir_err alerts_unresolved(struct db *ro, void (*visit)(void *ctx, const struct alert_id *id), void *ctx)
{
    struct query q = query(ro, "SELECT rule, key, window_ms, level FROM alerts WHERE resolved_ms IS NULL ORDER BY id");

    while (query_row(&q)) {
        struct alert_id id = {.rule = query_col_i64(&q, 0), .window_ms = query_col_i64(&q, 2), .level = (int32_t)query_col_i64(&q, 3)};

        (void)snprintf(id.key, sizeof id.key, "%s", query_col_text(&q, 1));
        visit(ctx, &id);
    }
    return query_end(&q);
}

enum weir_err alerts_open(struct db *db, const struct alert_rule *r, const struct alert_change *c, const char *text, int64_t now_ms,
                          char alert_id[RAND_ID_SIZE])
{
    struct query q = query(db, "INSERT INTO alerts(alert_id, rule, key, window_ms, level, value, threshold, text, opened_ms, version)"
                               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, " NEXT_VERSION ")");

    rand_id(alert_id, "alt");
    query_text(&q, alert_id);
    query_i64(&q, r->row);
    query_text(&q, c->id.key);
    query_i64(&q, c->id.window_ms);
    query_i64(&q, c->id.level);
    query_i64(&q, c->value);
    query_i64(&q, c->threshold);
    query_text(&q, text);
    query_i64(&q, now_ms);
    return query_end(&q);
}

enum weir_err alerts_resolve(struct db *db, const struct alert_id *id, int64_t now_ms, char alert_id[RAND_ID_SIZE])
{
    struct query q = query(db, "UPDATE alerts SET resolved_ms = ?5, version = " NEXT_VERSION " WHERE rule = ?1 AND key = ?2"
                               " AND window_ms = ?3 AND level = ?4 AND resolved_ms IS NULL RETURNING alert_id");

    query_i64(&q, id->rule);
    query_text(&q, id->key);
    query_i64(&q, id->window_ms);
    query_i64(&q, id->level);
    query_i64(&q, now_ms);
    alert_id[0] = '\0';
    if (query_row(&q))
        (void)snprintf(alert_id, RAND_ID_SIZE, "%s", query_col_text(&q, 0));
    return query_end(&q);
}

enum weir_err alerts_acknowledge(struct db *db, const char *alert_id, const char *user_id, int64_t now_ms)
{
    struct query q = query(db, "UPDATE alerts SET acknowledged_ms = ?3, acknowledged_by = ?2, version = " NEXT_VERSION
                               " WHERE alert_id = ?1 AND acknowledged_ms IS NULL AND resolved_ms IS NULL");
    bool exists;
    enum weir_err e;

    query_text(&q, alert_id);
    query_text(&q, user_id);
    query_i64(&q, now_ms);
    e = query_end(&q);
    if (e)
        return e;
    q = query(db, "SELECT 1 FROM alerts WHERE alert_id = ?1");
    query_text(&q, alert_id);
    exists = query_row(&q);
    e = query_stop(&q);
    return e ? e : exists ? WEIR_OK : WEIR_E_NOT_FOUND;
}

/* ,"name_usd":… or as the kind's unit has it; nothing where it has none. */
static void amount(struct sb *out, const char *name, enum alert_kind k, int64_t n)
{
    switch (k) {
    case ALERT_COST:
    case ALERT_BUDGET:
        sb_putf(out, ",\"%s_usd\":", name);
        sb_usd(out, n);
        break;
    case ALERT_LIMIT_USE:
    case ALERT_ERROR_RATE:
        sb_putf(out, ",\"%s\":%" PRId64 ".%06" PRId64, name, n / 1000000, n % 1000000);
        break;
    case ALERT_QUEUE_WAIT:
        sb_putf(out, ",\"%s_ms\":%" PRId64, name, n);
        break;
    case ALERT_ANOMALY:
        sb_putf(out, ",\"%s\":%" PRId64 ".%03" PRId64, name, n / 1000, n % 1000);
        break;
    case ALERT_STORAGE:
    case ALERT_UPSTREAM_DOWN:
    case ALERT_LEDGER_CHECK:
    case ALERT_USAGE_SUSPECT:
    case ALERT_KINDS:
        break;
    }
}

static void alert_item(struct sb *out, const struct query *q)
{
    enum alert_kind kind = (enum alert_kind)query_col_i64(q, 3);
    const char *state = !query_col_null(q, 13) ? "resolved" : !query_col_null(q, 11) ? "acknowledged" : "open";

    sb_puts(out, "{\"alert_id\":");
    sb_json(out, query_col_text(q, 1));
    sb_puts(out, ",\"rule_id\":");
    sb_json(out, query_col_text(q, 2));
    sb_putf(out, ",\"kind\":\"%s\",\"state\":\"%s\",\"key\":", alert_kind_name(kind), state);
    sb_json(out, query_col_text(q, 4));
    amount(out, "value", kind, query_col_i64(q, 6));
    amount(out, "threshold", kind, query_col_i64(q, 7));
    sb_puts(out, ",\"text\":");
    sb_json(out, query_col_text(q, 8));
    sb_puts(out, ",\"window_start\":");
    if (query_col_i64(q, 9)) {
        sb_putc(out, '"');
        sb_time(out, query_col_i64(q, 9));
        sb_putc(out, '"');
    } else
        sb_puts(out, "null");
    list_time(out, "opened_at", q, 10);
    list_time(out, "acknowledged_at", q, 11);
    sb_puts(out, ",\"acknowledged_by\":");
    sb_json(out, query_col_text(q, 12));
    list_time(out, "resolved_at", q, 13);
    sb_putc(out, '}');
}

enum weir_err alerts_one_json(struct db *ro, const char *alert_id, struct sb *out)
{
    struct query q = query(ro, "SELECT " COLUMNS " WHERE a.alert_id = ?1");

    query_text(&q, alert_id);
    return list_one(&q, alert_item, out);
}

enum weir_err alerts_json(struct db *ro, const char *state, const char *cursor, int64_t limit, struct sb *out)
{
    struct query q = query(ro, "SELECT " COLUMNS " WHERE (?1 = 0 OR a.id < ?1) AND CASE ?2 WHEN 'open' THEN a.resolved_ms IS NULL"
                               " AND a.acknowledged_ms IS NULL WHEN 'acknowledged' THEN a.resolved_ms IS NULL AND"
                               " a.acknowledged_ms IS NOT NULL WHEN 'resolved' THEN a.resolved_ms IS NOT NULL ELSE 1 END"
                               " ORDER BY a.id DESC LIMIT ?3");

    query_i64(&q, list_after(cursor));
    query_text(&q, state);
    query_i64(&q, limit + 1);
    return list_rows(&q, limit, alert_item, out);
}

enum weir_err alerts_live_json(struct db *ro, int64_t limit, struct sb *out)
{
    struct query q = query(ro, "SELECT " COLUMNS " WHERE a.resolved_ms IS NULL ORDER BY a.acknowledged_ms IS NOT NULL, a.id DESC LIMIT ?1");
    const char *comma = "";

    query_i64(&q, limit);
    sb_putc(out, '[');
    while (query_row(&q)) {
        sb_puts(out, comma);
        alert_item(out, &q);
        comma = ",";
    }
    sb_putc(out, ']');
    return query_end(&q);
}

int64_t alerts_version(struct db *ro)
{
    struct query q = query(ro, "SELECT max(version) FROM alerts");
    int64_t n = query_row(&q) ? query_col_i64(&q, 0) : 0;

    return query_end(&q) ? 0 : n;
}

/* --- what rules are judged by --- */

enum weir_err alerts_recent(struct db *ro, int64_t now_ms, int64_t *requests, int64_t *failed)
{
    /* 1 is an error, 3 a time-out; cancelled and rejected ones (2, 4) say nothing of the provider. */
    struct query q = query(ro, "SELECT sum(m.requests), sum(CASE WHEN c.status IN (1, 3) THEN m.requests ELSE 0 END) FROM minute_rollups m"
                               " JOIN combos c ON c.id = m.id & 16777215 WHERE m.id >= ?1 AND c.status NOT IN (2, 4)");

    query_i64(&q, (now_ms - QUARTER_MS) / MINUTE_MS * (1 << COMBO_BITS));
    *requests = *failed = 0;
    if (query_row(&q)) {
        *requests = query_col_i64(&q, 0);
        *failed = query_col_i64(&q, 1);
    }
    return query_end(&q);
}

enum weir_err alerts_suspect(struct db *ro, int64_t now_ms, struct alerts_suspect out[ALERTS_SUSPECT_MAX], size_t *n)
{
    struct query q = query(ro, "SELECT w.text, count(*) FROM events e JOIN words w ON w.id = e.upstream WHERE e.suspect = 1 AND e.id >= ?1"
                               " AND e.state = 2 GROUP BY 1 LIMIT ?2");

    query_i64(&q, (now_ms - QUARTER_MS) << EVENT_BITS);
    query_i64(&q, ALERTS_SUSPECT_MAX);
    for (*n = 0; query_row(&q); ++*n) {
        (void)snprintf(out[*n].upstream, sizeof out[*n].upstream, "%s", query_col_text(&q, 0));
        out[*n].requests = query_col_i64(&q, 1);
    }
    return query_end(&q);
}

/* The statement for each scope; ?1 is the first roll-up's number, ?2 the key. */
static const char *const cost_sql[BUDGET_SCOPES] = {
    [BUDGET_ALL] = "SELECT sum(cost_in + cost_out) FROM rollups WHERE id >= ?1",
    [BUDGET_USER] = "SELECT sum(r.cost_in + r.cost_out) FROM rollups r JOIN combos c ON c.id = r.id & 16777215 WHERE r.id >= ?1"
                    " AND c.user = (SELECT id FROM users WHERE user_id = ?2)",
    [BUDGET_MODEL] = "SELECT sum(r.cost_in + r.cost_out) FROM rollups r JOIN combos c ON c.id = r.id & 16777215 WHERE r.id >= ?1"
                     " AND c.model = (SELECT id FROM words WHERE text = ?2)",
};

enum weir_err alerts_cost(struct db *ro, const struct alert_rule *r, int64_t from_ms, int64_t *cost)
{
    struct query q;

    *cost = 0;
    if (!cost_sql[r->scope])
        return WEIR_E_INTERNAL;
    q = query(ro, cost_sql[r->scope]);
    query_i64(&q, from_ms / QUARTER_MS * (1 << COMBO_BITS));
    if (r->scope != BUDGET_ALL)
        query_text(&q, r->key);
    if (query_row(&q))
        *cost = query_col_i64(&q, 0);
    return query_end(&q);
}
