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

/* The session with the oldest text before a moment, and from when on its texts are younger than another session's. */
static enum weir_err oldest_session(struct db *db, int64_t before_ms, int64_t *session, int64_t *until_ms)
{
    struct query q = query(db, "SELECT id, texts_ms FROM sessions WHERE texts_ms IS NOT NULL AND texts_ms < ?1 ORDER BY texts_ms LIMIT 2");

    *session = 0;
    *until_ms = before_ms;
    query_i64(&q, before_ms);
    if (query_row(&q))
        *session = query_col_i64(&q, 0);
    if (query_row(&q) && query_col_i64(&q, 1) < before_ms)
        *until_ms = query_col_i64(&q, 1) + 1;
    return query_stop(&q);
}

/* Its texts from before `until_ms`; what is left says how old the oldest is. */
static enum weir_err forget_texts(struct db *db, int64_t session, int64_t until_ms, int64_t bytes, int64_t most, int64_t *gone,
                                  int64_t *gone_bytes)
{
    struct query q = query(db, "SELECT m.id, coalesce(length(c.sealed), length(CAST(c.text AS BLOB)) + coalesce(length(CAST(c.reasoning AS BLOB)), 0))"
                               " FROM contents c JOIN messages m ON m.id = c.id WHERE c.id >= ?1 << 20 AND c.id < (?1 + 1) << 20"
                               " AND m.at_ms < ?2 ORDER BY m.at_ms, m.id LIMIT ?3");
    int64_t id[STEP_MAX], n = 0;
    enum weir_err e;

    query_i64(&q, session);
    query_i64(&q, until_ms);
    query_i64(&q, most);
    while (*gone_bytes < bytes && query_row(&q)) {
        id[n++] = query_col_i64(&q, 0);
        *gone_bytes += query_col_i64(&q, 1);
    }
    e = query_stop(&q);
    for (int64_t i = 0; !e && i < n; i++)
        e = content_forget(db, id[i], id[i]);
    *gone += n;
    return e ? e : content_oldest(db, session);
}

enum weir_err retain_texts(struct db *db, int64_t before_ms, int64_t bytes, int64_t most, int64_t *gone, int64_t *gone_bytes)
{
    enum weir_err e = WEIR_OK;
    int64_t session = 1, until_ms;

    *gone = *gone_bytes = 0;
    most = least(most, STEP_MAX);
    for (int64_t looked = 0; !e && session && *gone < most && *gone_bytes < bytes && looked < most; looked++) {
        e = oldest_session(db, before_ms, &session, &until_ms);
        if (!e && session)
            e = forget_texts(db, session, until_ms, bytes, most - *gone, gone, gone_bytes);
    }
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
    static const char *const sql[] = {"DELETE FROM attempt_rows WHERE event IN (SELECT id FROM events WHERE id <= ?1 AND state = 2)",
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
