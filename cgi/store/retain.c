/* retain.c - deletions by age, in steps. */
#include "store/retain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/sb.h"
#include "store/content.h"
#include "store/convo_tree.h"
#include "store/ledger.h"
#include "store/seal.h"
#include "store/upkeep.h"

enum { STEP_MAX = 1000 };
#define USAGE_FROM "retention.usage_from"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- texts --- */

enum weir_err retain_texts(struct db *db, int64_t before_ms, int64_t bytes, int64_t most, int64_t *gone, int64_t *gone_bytes)
{
    struct query q = query(db, "SELECT m.id, coalesce(length(c.sealed), length(CAST(c.text AS BLOB)) + coalesce(length(CAST(c.reasoning AS BLOB)), 0))"
                               " FROM messages m JOIN contents c ON c.id = m.id WHERE m.at_ms < ?1 ORDER BY m.at_ms, m.id LIMIT ?2");
    int64_t id[STEP_MAX], n = 0;
    enum weir_err e;

    *gone = *gone_bytes = 0;
    query_i64(&q, before_ms);
    query_i64(&q, least(most, STEP_MAX));
    while (*gone_bytes < bytes && query_row(&q)) {
        id[n++] = query_col_i64(&q, 0);
        *gone_bytes += query_col_i64(&q, 1);
    }
    e = query_stop(&q);
    while (!e && *gone < n)
        e = content_forget(db, id[(*gone)++]);
    return e;
}

enum weir_err retain_text_bytes(struct db *ro, int64_t *bytes)
{
    struct query q = query(ro, "SELECT coalesce(sum(coalesce(length(sealed), length(CAST(text AS BLOB))"
                               " + coalesce(length(CAST(reasoning AS BLOB)), 0))), 0) FROM contents");

    *bytes = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_end(&q);
}

/* --- sessions --- */

enum weir_err retain_sessions(struct db *db, int64_t before_ms, int64_t most, int64_t *gone)
{
    struct query q = query(db, "SELECT id FROM sessions WHERE deleted_ms IS NULL AND updated_ms < ?1 ORDER BY updated_ms LIMIT ?2");
    int64_t id[STEP_MAX], n = 0;
    enum weir_err e;

    *gone = 0;
    query_i64(&q, before_ms);
    query_i64(&q, least(most, STEP_MAX));
    while (query_row(&q))
        id[n++] = query_col_i64(&q, 0);
    e = query_stop(&q);
    while (!e && *gone < n)
        e = convo_erase(db, id[(*gone)++]);
    return e;
}

/* --- requests --- */

enum weir_err retain_usage_from(struct db *db, int64_t *from_ms)
{
    return upkeep_moment(db, USAGE_FROM, from_ms);
}

/* The last of at most `most` settled events before `before`; 0: there is none. */
static enum weir_err last_of_step(struct db *db, int64_t before, int64_t most, int64_t *last)
{
    struct query q = query(db, "SELECT max(id) FROM (SELECT id FROM events WHERE id < ?1 AND state = 2 ORDER BY id LIMIT ?2)");

    query_i64(&q, before);
    query_i64(&q, most);
    *last = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_end(&q);
}

static enum weir_err delete_requests(struct db *db, int64_t last)
{
    static const char *const sql[] = {"DELETE FROM attempts WHERE event IN (SELECT id FROM events WHERE id <= ?1 AND state = 2)",
                                      "DELETE FROM events WHERE id <= ?1 AND state = 2"};
    enum weir_err e = WEIR_OK;

    for (int i = 0; !e && i < 2; i++) {
        struct query q = query(db, sql[i]);

        query_i64(&q, last);
        e = query_end(&q);
    }
    return e;
}

enum weir_err retain_requests(struct db *db, int64_t before_ms, int64_t now_ms, int64_t most, int64_t *gone)
{
    int64_t edge_ms = before_ms - before_ms % QUARTER_MS, last, before;
    enum weir_err e = last_of_step(db, edge_ms << EVENT_BITS, most, &last);
    struct query q;

    *gone = 0;
    if (e || !last)
        return e;
    q = query(db, "SELECT count(*) FROM events WHERE id <= ?1 AND state = 2");
    query_i64(&q, last);
    before = query_row(&q) ? query_col_i64(&q, 0) : 0;
    e = query_end(&q);
    if (!e)
        e = upkeep_forward(db, USAGE_FROM, edge_ms, now_ms);
    if (!e)
        e = seal_prune(db, edge_ms / QUARTER_MS, now_ms);
    if (!e)
        e = delete_requests(db, last);
    *gone = e ? 0 : before;
    return e;
}
