/* lease.c - see lease.h. */
#include "store/lease.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/event_key.h"

static void copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from ? from : "");
}

enum weir_err lease_put(struct db *db, const struct call_record *r)
{
    int64_t event = 0;
    enum weir_err e = event_key_find(db, r->request_id, &event);
    struct query q;

    if (e)
        return e;
    q = query(db, "INSERT INTO leases(event, units, unit_price, granted_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5)"
                  " ON CONFLICT(event) DO UPDATE SET granted_ms = ?4, expires_ms = ?5");
    query_i64(&q, event);
    query_i64(&q, r->lease.units);
    query_i64(&q, r->lease.unit_price);
    query_i64(&q, r->lease.granted_ms);
    query_i64(&q, r->lease.expires_ms);
    return query_end(&q);
}

enum weir_err lease_drop(struct db *db, int64_t event)
{
    struct query q = query(db, "DELETE FROM leases WHERE event = ?1");

    query_i64(&q, event);
    return query_end(&q);
}

static void read_row(const struct query *q, struct lease_row *l)
{
    memset(l, 0, sizeof *l);
    copy(l->request_id, sizeof l->request_id, query_col_text(q, 0));
    copy(l->session_id, sizeof l->session_id, query_col_text(q, 1));
    copy(l->user_id, sizeof l->user_id, query_col_text(q, 2));
    copy(l->token_id, sizeof l->token_id, query_col_text(q, 3));
    copy(l->name, sizeof l->name, query_col_text(q, 4));
    copy(l->upstream, sizeof l->upstream, query_col_text(q, 5));
    copy(l->endpoint, sizeof l->endpoint, query_col_text(q, 6));
    l->priority = (enum priority)query_col_i64(q, 7);
    l->accepted_at_ms = query_col_i64(q, 8);
    l->input = query_col_i64(q, 9);
    l->output = query_col_i64(q, 10);
    l->lease = (struct call_lease){query_col_i64(q, 11), query_col_i64(q, 12), query_col_i64(q, 13), query_col_i64(q, 14)};
    l->cost.priced = true;
    l->cost.rate_in = query_col_i64(q, 15);
    l->cost.rate_out = query_col_i64(q, 16);
    copy(l->cost.price_version, sizeof l->cost.price_version, query_col_text(q, 17));
}

enum weir_err lease_read_all(struct db *db, struct lease_row **out, size_t *n)
{
    struct query q = query(db, "SELECT e.request_id, s.session_id, p.user_id, t.token_id, m.text, u.text, w.text, e.priority, e.at_ms,"
                               " e.counted, e.max_tokens, l.units, l.unit_price, l.granted_ms, l.expires_ms, r.rate_in, r.rate_out, v.text"
                               " FROM leases l JOIN events e ON e.id = l.event JOIN users p ON p.id = e.user"
                               " LEFT JOIN sessions s ON s.id = e.session LEFT JOIN tokens t ON t.id = e.token LEFT JOIN words m ON m.id = e.model"
                               " LEFT JOIN words u ON u.id = e.upstream LEFT JOIN words w ON w.id = e.endpoint LEFT JOIN rates r ON r.id = e.rate"
                               " LEFT JOIN words v ON v.id = r.version WHERE e.state = 1 ORDER BY l.event");

    *out = NULL;
    *n = 0;
    while (query_row(&q)) {
        *out = mem_grow(*out, *n + 1, sizeof **out);
        read_row(&q, &(*out)[(*n)++]);
    }
    return query_end(&q);
}

enum weir_err lease_read_end(struct db *ro, const char *user_id, const char *lease_id, struct lease_end *out)
{
    bool found = false;
    int64_t event = 0;
    enum weir_err e = event_key_find(ro, lease_id, &event);
    struct query q;

    memset(out, 0, sizeof *out);
    if (e || !event)
        return e ? e : WEIR_E_NOT_FOUND;
    q = query(ro, "SELECT e.state = 2, m.text, u.text, e.status, e.estimated, e.prompt, e.completion, e.units, e.cost_in + e.cost_out,"
                  " e.queue_us, e.retry_us + e.ttft_us + e.writing_us FROM events e JOIN users p ON p.id = e.user"
                  " LEFT JOIN words m ON m.id = e.model LEFT JOIN words u ON u.id = e.upstream WHERE e.id = ?1 AND p.user_id = ?2"
                  " AND (e.units IS NOT NULL OR EXISTS (SELECT 1 FROM leases l WHERE l.event = e.id))");
    query_i64(&q, event);
    query_text(&q, user_id);
    found = query_row(&q);
    if (found) {
        out->settled = query_col_i64(&q, 0) != 0;
        copy(out->name, sizeof out->name, query_col_text(&q, 1));
        copy(out->upstream, sizeof out->upstream, query_col_text(&q, 2));
        out->status = (enum call_status)query_col_i64(&q, 3);
        out->estimated = query_col_i64(&q, 4) != 0;
        out->used = (struct usage_tokens){.prompt = query_col_i64(&q, 5), .completion = query_col_i64(&q, 6), .units = query_col_i64(&q, 7)};
        out->cost = query_col_i64(&q, 8);
        out->wait_us = query_col_i64(&q, 9);
        out->duration_us = query_col_i64(&q, 10);
    }
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

void lease_end_of(const struct call_record *r, struct lease_end *out)
{
    *out = (struct lease_end){.settled = true, .status = r->status, .estimated = r->estimated, .used = r->usage, .cost = r->cost.total,
                              .wait_us = r->queue_us, .duration_us = r->retry_wait_us + r->ttft_us + r->writing_us};
    copy(out->name, sizeof out->name, r->model);
    copy(out->upstream, sizeof out->upstream, r->upstream);
}
