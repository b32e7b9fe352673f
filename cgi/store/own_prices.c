/* own_prices.c - see own_prices.h. */
#include "store/own_prices.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/list.h"

#define COLUMNS "id, price_id, version, provider, model, rate_in, rate_out, cache_read, cache_write, cache_write_1h"

static int64_t opt(const struct query *q, int col)
{
    return query_col_null(q, col) ? -1 : query_col_i64(q, col);
}

static void read_row(const struct query *q, struct own_price *p)
{
    *p = (struct own_price){.version = query_col_i64(q, 2), .in = query_col_i64(q, 5), .out = query_col_i64(q, 6),
                            .cache_read = opt(q, 7), .cache_write = opt(q, 8), .cache_write_1h = opt(q, 9)};
    (void)snprintf(p->price_id, sizeof p->price_id, "%s", query_col_text(q, 1));
    (void)snprintf(p->provider, sizeof p->provider, "%s", query_col_text(q, 3));
    (void)snprintf(p->model, sizeof p->model, "%s", query_col_text(q, 4));
}

enum weir_err own_prices_find(struct db *db, const char *price_id, struct own_price *out)
{
    struct query q = query(db, "SELECT " COLUMNS " FROM own_prices WHERE price_id = ?1 AND ended_ms IS NULL");
    bool found;
    enum weir_err e;

    query_text(&q, price_id);
    found = query_row(&q);
    if (found)
        read_row(&q, out);
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

/* --- as a table --- */

static void rate(struct sb *out, const char *name, int64_t n)
{
    if (n >= 0)
        sb_putf(out, ",\"%s\":%" PRId64, name, n);
}

enum weir_err own_prices_overlay(struct db *db, struct sb *out)
{
    struct query q = query(db, "SELECT " COLUMNS " FROM own_prices WHERE ended_ms IS NULL ORDER BY provider, model");
    struct own_price p;
    bool any = false;

    while (query_row(&q)) {
        read_row(&q, &p);
        sb_puts(out, any ? ",{\"provider\":" : "{\"currency\":\"USD\",\"models\":[{\"provider\":");
        any = true;
        sb_json(out, p.provider);
        sb_puts(out, ",\"id\":");
        sb_json(out, p.model);
        rate(out, "in", p.in);
        rate(out, "out", p.out);
        rate(out, "cache_read", p.cache_read);
        rate(out, "cache_write", p.cache_write);
        rate(out, "cache_write_1h", p.cache_write_1h);
        sb_putc(out, '}');
    }
    if (any)
        sb_puts(out, "]}");
    return query_end(&q);
}

/* --- as a list --- */

static void usd(struct sb *out, const char *name, int64_t pico)
{
    sb_putf(out, ",\"%s_per_million_usd\":", name);
    if (pico >= 0)
        sb_usd(out, pico * 1000000);
    else
        sb_puts(out, "null");
}

static void item(struct sb *out, const struct query *q)
{
    struct own_price p;

    read_row(q, &p);
    sb_puts(out, "{\"price_id\":");
    sb_json(out, p.price_id);
    sb_putf(out, ",\"version\":%" PRId64 ",\"provider\":", p.version);
    sb_json(out, p.provider);
    sb_puts(out, ",\"model\":");
    sb_json(out, p.model);
    usd(out, "input", p.in);
    usd(out, "output", p.out);
    usd(out, "cached", p.cache_read);
    usd(out, "cache_write", p.cache_write);
    usd(out, "cache_write_1h", p.cache_write_1h);
    list_time(out, "created_at", q, 10);
    sb_puts(out, ",\"created_by\":");
    sb_json(out, query_col_text(q, 11));
    list_time(out, "ended_at", q, 12);
    sb_putc(out, '}');
}

enum weir_err own_prices_json(struct db *ro, bool all, const char *cursor, int64_t limit, struct sb *out)
{
    struct query q = query(ro, "SELECT " COLUMNS ", created_ms, created_by, ended_ms FROM own_prices WHERE id > ?1"
                               " AND (?2 OR ended_ms IS NULL) ORDER BY id LIMIT ?3");

    query_i64(&q, list_after(cursor));
    query_i64(&q, all);
    query_i64(&q, limit + 1);
    return list_rows(&q, limit, item, out);
}

enum weir_err own_price_json(struct db *ro, const char *price_id, struct sb *out)
{
    struct query q = query(ro, "SELECT " COLUMNS ", created_ms, created_by, ended_ms FROM own_prices WHERE price_id = ?1 AND ended_ms IS NULL");

    query_text(&q, price_id);
    return list_one(&q, item, out);
}

/* --- writing --- */

enum weir_err own_prices_end(struct db *db, const char *price_id, int64_t now_ms)
{
    int64_t before = db_changes(db);
    struct query q = query(db, "UPDATE own_prices SET ended_ms = ?2 WHERE price_id = ?1 AND ended_ms IS NULL");
    enum weir_err e;

    query_text(&q, price_id);
    query_i64(&q, now_ms);
    e = query_end(&q);
    return e ? e : db_changes(db) == before ? WEIR_E_NOT_FOUND : WEIR_OK;
}

static enum weir_err count(struct db *db, int64_t *n)
{
    struct query q = query(db, "SELECT count(*) FROM own_prices WHERE ended_ms IS NULL");

    *n = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_stop(&q);
}

enum weir_err own_prices_set(struct db *db, const struct own_price *p, const char *user_id, int64_t now_ms)
{
    int64_t n = 0;
    enum weir_err e = p->version > 1 ? own_prices_end(db, p->price_id, now_ms) : count(db, &n);
    struct query q;

    if (e || n >= OWN_PRICES_MAX)
        return e ? e : WEIR_E_CONFLICT;
    q = query(db, "INSERT INTO own_prices(price_id, version, provider, model, rate_in, rate_out, cache_read, cache_write, cache_write_1h,"
                  " created_ms, created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    query_text(&q, p->price_id);
    query_i64(&q, p->version);
    query_text(&q, p->provider);
    query_text(&q, p->model);
    query_i64(&q, p->in);
    query_i64(&q, p->out);
    query_opt_i64(&q, p->cache_read);
    query_opt_i64(&q, p->cache_write);
    query_opt_i64(&q, p->cache_write_1h);
    query_i64(&q, now_ms);
    query_text(&q, user_id);
    return query_end(&q);
}
