/* upkeep.c - two tables and the age of a third. */
#include "store/upkeep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MINUTES_KEPT = 48 * 60, MINUTE_MS = 60 * 1000, COMBO_BITS = 24 };

enum weir_err upkeep_get(struct db *db, const char *key, struct sb *out)
{
    struct query q = query(db, "SELECT value FROM settings WHERE key = ?1");

    query_text(&q, key);
    if (query_row(&q))
        sb_puts(out, query_col_text(&q, 0));
    return query_end(&q);
}

enum weir_err upkeep_put(struct db *db, const char *key, const char *value, int64_t now_ms)
{
    struct query q = query(db, "INSERT INTO settings(key, value, changed_ms) VALUES(?1, ?2, ?3)"
                               " ON CONFLICT(key) DO UPDATE SET value = excluded.value, changed_ms = excluded.changed_ms");

    query_text(&q, key);
    query_text(&q, value);
    query_i64(&q, now_ms);
    return query_end(&q);
}

enum weir_err upkeep_moment(struct db *db, const char *key, int64_t *at_ms)
{
    struct sb text = sb_make(64);
    enum weir_err e = upkeep_get(db, key, &text);

    *at_ms = strtoll(sb_str(&text), NULL, 10);
    sb_done(&text);
    return e;
}

enum weir_err upkeep_forward(struct db *db, const char *key, int64_t to_ms, int64_t now_ms)
{
    char text[24];
    int64_t at_ms;
    enum weir_err e = upkeep_moment(db, key, &at_ms);

    if (e || at_ms >= to_ms)
        return e;
    (void)snprintf(text, sizeof text, "%" PRId64, to_ms);
    return upkeep_put(db, key, text, now_ms);
}

enum weir_err upkeep_minutes(struct db *db, int64_t now_ms, int64_t *gone)
{
    struct query q = query(db, "DELETE FROM minute_rollups WHERE id < ?1");
    int64_t before = db_changes(db);
    enum weir_err e;

    query_i64(&q, (now_ms / MINUTE_MS - MINUTES_KEPT) * (1 << COMBO_BITS));
    e = query_end(&q);
    *gone = db_changes(db) - before;
    return e;
}
