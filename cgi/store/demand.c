/* demand.c - two sums over the roll-ups. A request counts when it was accepted, at
 * the upstream that served it; one that no upstream saw counts nowhere. */
#include "store/demand.h"

#include <string.h>

#include "base/mem.h"
#include "store/ledger.h"

enum { WEEKS = 8, QUARTERS_A_DAY = 96, MINUTES_A_DAY = 1440, READ_MAX_MS = 30000 };

/* The number of an upstream in `out`, added if new. */
static uint32_t upstream_of(struct outlook_past *out, const char *name)
{
    for (size_t i = 0; i < out->upstreams; i++) {
        if (strcmp(out->upstream[i].name, name) == 0)
            return (uint32_t)i;
    }
    out->upstream = mem_grow(out->upstream, out->upstreams + 1, sizeof *out->upstream);
    memset(&out->upstream[out->upstreams], 0, sizeof *out->upstream);
    out->upstream[out->upstreams].name = mem_strdup(name);
    return (uint32_t)out->upstreams++;
}

/* Columns: upstream, is it Low, requests, prompt, completion. */
static enum outlook_class read_row(const struct query *q, struct outlook_past *out, uint32_t *upstream, struct outlook_amount *a)
{
    *upstream = upstream_of(out, query_col_text(q, 0));
    *a = (struct outlook_amount){(double)query_col_i64(q, 2), (double)query_col_i64(q, 3), (double)query_col_i64(q, 4)};
    return query_col_i64(q, 1) ? OUTLOOK_LOW : OUTLOOK_FIRST;
}

static enum weir_err load_usual(struct db *db, int64_t end, struct outlook_past *out)
{
    struct query q = query(db, "SELECT w.text, c.priority = 0 AS low, sum(r.requests), sum(r.prompt), sum(r.completion),"
                               " (r.id >> 24) % 672 AS slot, min(r.id >> 24)"
                               " FROM rollups r JOIN combos c ON c.id = r.combo JOIN words w ON w.id = c.upstream"
                               " WHERE r.id >= ?1 AND r.id < ?2 GROUP BY w.text, low, slot");

    query_i64(&q, (end - WEEKS * OUTLOOK_WEEK) << COMBO_BITS);
    query_i64(&q, end << COMBO_BITS);
    while (query_row(&q)) {
        struct outlook_amount a;
        uint32_t upstream;
        enum outlook_class c = read_row(&q, out, &upstream, &a);
        struct outlook_usual *u = &out->upstream[upstream].usual;
        int64_t slot = query_col_i64(&q, 5), first = query_col_i64(&q, 6);

        u->sum[slot][c] = a;
        u->end = end;
        if (!u->first || first < u->first)
            u->first = first;
    }
    return query_end(&q);
}

static enum weir_err load_minutes(struct db *db, int64_t end, struct outlook_past *out)
{
    struct query q = query(db, "SELECT w.text, c.priority = 0 AS low, sum(r.requests), sum(r.prompt), sum(r.completion), r.id >> 24 AS minute"
                               " FROM minute_rollups r JOIN combos c ON c.id = r.combo JOIN words w ON w.id = c.upstream"
                               " WHERE r.id >= ?1 AND r.id < ?2 GROUP BY minute, w.text, low ORDER BY minute");
    size_t cap = 0;

    query_i64(&q, (end - MINUTES_A_DAY) << COMBO_BITS);
    query_i64(&q, end << COMBO_BITS);
    out->since = end;
    out->minute = mem_zalloc(1, sizeof *out->minute);
    while (query_row(&q)) {
        struct outlook_minute m;

        m.class = read_row(&q, out, &m.upstream, &m.came);
        m.minute = query_col_i64(&q, 5);
        if (out->minutes == cap) {
            cap = cap * 2 + 256;
            out->minute = mem_grow(out->minute, cap, sizeof *out->minute);
        }
        out->minute[out->minutes++] = m;
    }
    return query_end(&q);
}

/* Since when there are records at all, at most a day back. */
static void set_since(struct outlook_past *out, int64_t end)
{
    for (size_t i = 0; i < out->upstreams; i++) {
        if (out->upstream[i].usual.first)
            out->since = end - MINUTES_A_DAY;
    }
    if (out->minutes && out->minute[0].minute < out->since)
        out->since = out->minute[0].minute;
}

enum weir_err demand_load(struct db *db, int64_t now_ms, bool minutes, struct outlook_past *out)
{
    enum weir_err e = db_read_begin(db, READ_MAX_MS);

    memset(out, 0, sizeof *out);
    if (e)
        return e;
    e = load_usual(db, now_ms / QUARTER_MS - QUARTERS_A_DAY, out);
    if (!e && minutes)
        e = load_minutes(db, now_ms / MINUTE_MS + 1, out);
    db_read_end(db);
    if (e)
        outlook_past_done(out);
    else if (minutes)
        set_since(out, now_ms / MINUTE_MS + 1);
    return e;
}
