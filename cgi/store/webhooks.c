/* webhooks.c - two tables: receivers, and deliveries to them. */
#include "store/webhooks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/list.h"

#define COLUMNS "webhook_id, url, turn, enabled, created_ms"
#define DAY_MS (INT64_C(86400) * 1000)
enum { BODY_MAX = 256 * 1024 };

static void row_read(const struct query *q, int col, struct webhook *w)
{
    *w = (struct webhook){.turn = query_col_i64(q, col + 2), .enabled = query_col_i64(q, col + 3) != 0,
                          .created_ms = query_col_i64(q, col + 4)};
    (void)snprintf(w->id, sizeof w->id, "%s", query_col_text(q, col));
    (void)snprintf(w->url, sizeof w->url, "%s", query_col_text(q, col + 1));
}

enum weir_err webhooks_find(struct db *ro, const char *webhook_id, struct webhook *out)
{
    struct query q = query(ro, "SELECT " COLUMNS " FROM webhooks WHERE webhook_id = ?1 AND deleted_ms IS NULL");
    bool found;
    enum weir_err e;

    query_text(&q, webhook_id);
    found = query_row(&q);
    if (found)
        row_read(&q, 0, out);
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

void webhook_json(const struct webhook *w, struct sb *out)
{
    sb_puts(out, "\"webhook_id\":");
    sb_json(out, w->id);
    sb_puts(out, ",\"url\":");
    sb_json(out, w->url);
    sb_putf(out, ",\"enabled\":%s,\"created_at\":\"", w->enabled ? "true" : "false");
    sb_time(out, w->created_ms);
    sb_putc(out, '"');
}

enum weir_err webhooks_json(struct db *ro, struct sb *out)
{
    struct query q = query(ro, "SELECT " COLUMNS ", (SELECT count(*) FROM deliveries d WHERE d.webhook = webhooks.id AND d.next_ms IS NOT NULL),"
                               " (SELECT count(*) FROM deliveries d WHERE d.webhook = webhooks.id AND d.next_ms IS NULL AND d.error IS NOT NULL)"
                               " FROM webhooks WHERE deleted_ms IS NULL ORDER BY id");
    const char *comma = "";

    sb_puts(out, "{\"items\":[");
    while (query_row(&q)) {
        struct webhook w;

        row_read(&q, 0, &w);
        sb_putf(out, "%s{", comma);
        webhook_json(&w, out);
        sb_putf(out, ",\"waiting\":%" PRId64 ",\"failed\":%" PRId64 "}", query_col_i64(&q, 5), query_col_i64(&q, 6));
        comma = ",";
    }
    sb_puts(out, "],\"next_cursor\":null}");
    return query_end(&q);
}

enum weir_err webhooks_add(struct db *db, const struct webhook *w)
{
    struct query q = query(db, "INSERT INTO webhooks(webhook_id, url, turn, enabled, created_ms) SELECT ?1, ?2, ?3, ?4, ?5 WHERE"
                               " (SELECT count(*) FROM webhooks WHERE deleted_ms IS NULL) < ?6");
    int64_t before = db_changes(db);
    enum weir_err e;

    query_text(&q, w->id);
    query_text(&q, w->url);
    query_i64(&q, w->turn);
    query_i64(&q, w->enabled);
    query_i64(&q, w->created_ms);
    query_i64(&q, WEBHOOKS_MAX);
    e = query_end(&q);
    return e ? e : db_changes(db) == before ? WEIR_E_CONFLICT : WEIR_OK;
}

enum weir_err webhooks_change(struct db *db, const struct webhook *w)
{
    struct query q = query(db, "UPDATE webhooks SET url = ?2, turn = ?3, enabled = ?4 WHERE webhook_id = ?1 AND deleted_ms IS NULL");
    int64_t before = db_changes(db);
    enum weir_err e;

    query_text(&q, w->id);
    query_text(&q, w->url);
    query_i64(&q, w->turn);
    query_i64(&q, w->enabled);
    e = query_end(&q);
    return e ? e : db_changes(db) == before ? WEIR_E_NOT_FOUND : WEIR_OK;
}

enum weir_err webhooks_remove(struct db *db, const char *webhook_id, int64_t now_ms)
{
    struct query q = query(db, "UPDATE webhooks SET deleted_ms = ?2, enabled = 0 WHERE webhook_id = ?1 AND deleted_ms IS NULL");
    int64_t before = db_changes(db);
    enum weir_err e;

    query_text(&q, webhook_id);
    query_i64(&q, now_ms);
    e = query_end(&q);
    if (e || db_changes(db) == before)
        return e ? e : WEIR_E_NOT_FOUND;
    q = query(db, "UPDATE deliveries SET next_ms = NULL, done_ms = ?2, error = 'The webhook was removed.'"
                  " WHERE webhook = (SELECT id FROM webhooks WHERE webhook_id = ?1) AND next_ms IS NOT NULL");
    query_text(&q, webhook_id);
    query_i64(&q, now_ms);
    return query_end(&q);
}

/* --- deliveries --- */

static enum weir_err deliver_to(struct db *db, int64_t webhook, const char *type, const char *body, int64_t now_ms)
{
    struct query q = query(db, "INSERT INTO deliveries(delivery_id, webhook, type, body, created_ms, next_ms, until_ms)"
                               " VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)");
    char id[RAND_ID_SIZE];

    rand_id(id, "dlv");
    query_text(&q, id);
    query_i64(&q, webhook);
    query_text(&q, type);
    query_text(&q, body);
    query_i64(&q, now_ms);
    query_i64(&q, now_ms + WEBHOOK_GIVE_UP_MS);
    return query_end(&q);
}

enum weir_err webhooks_tell(struct db *db, const char *webhook_id, const char *type, const char *data, int64_t now_ms)
{
    struct query q = query(db, "SELECT id FROM webhooks WHERE deleted_ms IS NULL AND CASE WHEN ?1 IS NULL THEN enabled ELSE webhook_id = ?1 END");
    struct sb body = sb_make(BODY_MAX);
    int64_t to[WEBHOOKS_MAX];
    size_t n = 0;
    enum weir_err e;

    query_text(&q, webhook_id);
    while (query_row(&q) && n < WEBHOOKS_MAX)
        to[n++] = query_col_i64(&q, 0);
    e = query_stop(&q);
    sb_puts(&body, "{\"type\":");
    sb_json(&body, type);
    sb_puts(&body, ",\"timestamp\":\"");
    sb_time(&body, now_ms);
    sb_putf(&body, "\",\"data\":%s}", data);
    if (!e && !sb_ok(&body))
        e = WEIR_E_INTERNAL;
    for (size_t i = 0; !e && i < n; i++)
        e = deliver_to(db, to[i], type, sb_str(&body), now_ms);
    sb_done(&body);
    return e;
}

enum weir_err webhooks_due(struct db *ro, int64_t now_ms, struct delivery *out, bool *found, int64_t *next_ms)
{
    struct query q = query(ro, "SELECT d.id, d.delivery_id, d.attempts, d.until_ms, d.body, d.next_ms, w.webhook_id, w.url, w.turn, w.enabled,"
                               " w.created_ms FROM deliveries d JOIN webhooks w ON w.id = d.webhook WHERE d.next_ms IS NOT NULL"
                               " AND (w.enabled OR d.type = 'webhook.test') ORDER BY d.next_ms LIMIT 1");

    *found = false;
    *next_ms = INT64_MAX;
    if (query_row(&q)) {
        *next_ms = query_col_i64(&q, 5);
        *found = *next_ms <= now_ms;
    }
    if (*found) {
        *out = (struct delivery){.row = query_col_i64(&q, 0), .attempts = query_col_i64(&q, 2), .until_ms = query_col_i64(&q, 3),
                                 .body = mem_strdup(query_col_text(&q, 4))};
        (void)snprintf(out->id, sizeof out->id, "%s", query_col_text(&q, 1));
        row_read(&q, 6, &out->webhook);
    }
    return query_stop(&q);
}

enum weir_err webhooks_tried(struct db *db, const struct delivery_result *r, int64_t now_ms)
{
    struct query q = query(db, "UPDATE deliveries SET attempts = attempts + 1, status = ?2, error = ?3, next_ms = ?4,"
                               " done_ms = CASE WHEN ?4 IS NULL THEN ?5 END WHERE id = ?1");
    enum weir_err e;

    query_i64(&q, r->row);
    query_i64(&q, r->status);
    query_text(&q, r->error);
    query_opt_i64(&q, r->next_ms);
    query_i64(&q, now_ms);
    e = query_end(&q);
    if (e || !r->gone)
        return e;
    q = query(db, "UPDATE webhooks SET enabled = 0 WHERE id = (SELECT webhook FROM deliveries WHERE id = ?1)");
    query_i64(&q, r->row);
    return query_end(&q);
}

static void delivery_item(struct sb *out, const struct query *q)
{
    bool waits = !query_col_null(q, 5), failed = !query_col_null(q, 7);

    sb_puts(out, "{\"delivery_id\":");
    sb_json(out, query_col_text(q, 1));
    sb_puts(out, ",\"type\":");
    sb_json(out, query_col_text(q, 2));
    sb_putf(out, ",\"state\":\"%s\"", waits ? "waiting" : failed ? "failed" : "delivered");
    list_time(out, "created_at", q, 3);
    sb_putf(out, ",\"attempts\":%" PRId64, query_col_i64(q, 4));
    list_time(out, "next_at", q, 5);
    sb_puts(out, ",\"status\":");
    if (query_col_i64(q, 6))
        sb_i64(out, query_col_i64(q, 6));
    else
        sb_puts(out, "null");
    sb_puts(out, ",\"error\":");
    sb_json(out, query_col_text(q, 7));
    list_time(out, "done_at", q, 8);
    sb_putc(out, '}');
}

enum weir_err webhooks_deliveries_json(struct db *ro, const char *webhook_id, const char *state, const char *cursor, int64_t limit,
                                       struct sb *out)
{
    struct webhook w;
    struct query q;
    enum weir_err e = webhooks_find(ro, webhook_id, &w);

    if (e)
        return e;
    q = query(ro, "SELECT id, delivery_id, type, created_ms, attempts, next_ms, status, error, done_ms FROM deliveries"
                  " WHERE webhook = (SELECT id FROM webhooks WHERE webhook_id = ?1) AND (?2 = 0 OR id < ?2) AND CASE ?3"
                  " WHEN 'waiting' THEN next_ms IS NOT NULL WHEN 'delivered' THEN next_ms IS NULL AND error IS NULL"
                  " WHEN 'failed' THEN next_ms IS NULL AND error IS NOT NULL ELSE 1 END ORDER BY id DESC LIMIT ?4");
    query_text(&q, webhook_id);
    query_i64(&q, list_after(cursor));
    query_text(&q, state);
    query_i64(&q, limit + 1);
    return list_rows(&q, limit, delivery_item, out);
}

enum weir_err webhooks_again(struct db *db, const char *webhook_id, const char *delivery_id, int64_t now_ms)
{
    struct query q = query(db, "SELECT d.id, d.next_ms IS NULL AND d.error IS NOT NULL FROM deliveries d JOIN webhooks w ON w.id = d.webhook"
                               " WHERE d.delivery_id = ?2 AND w.webhook_id = ?1 AND w.deleted_ms IS NULL");
    int64_t row = 0;
    bool failed = false;
    enum weir_err e;

    query_text(&q, webhook_id);
    query_text(&q, delivery_id);
    if (query_row(&q)) {
        row = query_col_i64(&q, 0);
        failed = query_col_i64(&q, 1) != 0;
    }
    e = query_stop(&q);
    if (e || !failed)
        return e ? e : row ? WEIR_E_CONFLICT : WEIR_E_NOT_FOUND;
    q = query(db, "UPDATE deliveries SET next_ms = ?2, until_ms = ?3, done_ms = NULL WHERE id = ?1");
    query_i64(&q, row);
    query_i64(&q, now_ms);
    query_i64(&q, now_ms + WEBHOOK_GIVE_UP_MS);
    return query_end(&q);
}

enum weir_err webhooks_sweep(struct db *db, int64_t now_ms)
{
    struct query q = query(db, "DELETE FROM deliveries WHERE done_ms < CASE WHEN error IS NULL THEN ?1 ELSE ?2 END");
    enum weir_err e;

    query_i64(&q, now_ms - 7 * DAY_MS);
    query_i64(&q, now_ms - 30 * DAY_MS);
    e = query_end(&q);
    if (e)
        return e;
    q = query(db, "DELETE FROM alerts WHERE resolved_ms < ?1");
    query_i64(&q, now_ms - 400 * DAY_MS);
    return query_end(&q);
}
