/* batch_items.c - see batch_items.h. */
#include "store/batch_items.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/blob.h"
#include "store/event_key.h"

enum { ITEM_BITS = 20, WHAT_SIZE = 64, LINES_AT_ONCE = 100, BYTES_AT_ONCE = 1 << 20 };

static int64_t first_of(int64_t batch)
{
    return batch << ITEM_BITS;
}

static int64_t last_of(int64_t batch)
{
    return batch << ITEM_BITS | ((1 << ITEM_BITS) - 1);
}

static void line_of(int64_t id, char what[WHAT_SIZE])
{
    (void)snprintf(what, WHAT_SIZE, "batch item %" PRId64, id);
}

/* --- reading --- */

enum weir_err batch_items_open(struct db *ro, int64_t batch, int64_t from, int64_t limit, struct batch_item_place *out, size_t *n)
{
    struct query q = query(ro, "SELECT id, start, bytes FROM batch_items WHERE id BETWEEN ?1 AND ?2 AND state = 0 ORDER BY id LIMIT ?3");

    *n = 0;
    query_i64(&q, first_of(batch) + from);
    query_i64(&q, last_of(batch));
    query_i64(&q, limit);
    while (query_row(&q))
        out[(*n)++] = (struct batch_item_place){query_col_i64(&q, 0) - first_of(batch), query_col_i64(&q, 1), query_col_i64(&q, 2)};
    return query_end(&q);
}

enum weir_err batch_items_lines(struct db *ro, int64_t batch, bool answers, int64_t *at, struct sb *out)
{
    struct query q = query(ro, "SELECT i.id, i.sealed, i.line, b.user FROM batch_items i JOIN batches b ON b.id = ?4"
                               " WHERE i.id BETWEEN ?1 AND ?2 AND i.line IS NOT NULL AND (i.state = 1) = ?3 ORDER BY i.id LIMIT ?5");
    int64_t rows = 0, next = -1;
    enum weir_err e = WEIR_OK, done;

    query_i64(&q, first_of(batch) + *at);
    query_i64(&q, last_of(batch));
    query_i64(&q, answers);
    query_i64(&q, batch);
    query_i64(&q, LINES_AT_ONCE);
    while (!e && query_row(&q)) {
        char what[WHAT_SIZE];

        line_of(query_col_i64(&q, 0), what);
        e = blob_read(&q, 1, query_col_i64(&q, 3), what, out);
        rows++;
        if (rows == LINES_AT_ONCE || out->len >= BYTES_AT_ONCE) {
            next = query_col_i64(&q, 0) - first_of(batch) + 1;
            break;
        }
    }
    done = query_stop(&q);
    *at = next;
    return e ? e : done;
}

enum weir_err batch_items_bytes(struct db *ro, int64_t batch, bool answers, int64_t *bytes)
{
    struct query q = query(ro, "SELECT coalesce(sum(length), 0) FROM batch_items WHERE id BETWEEN ?1 AND ?2 AND line IS NOT NULL AND (state = 1) = ?3");

    query_i64(&q, first_of(batch));
    query_i64(&q, last_of(batch));
    query_i64(&q, answers);
    *bytes = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_end(&q);
}

enum weir_err batch_items_charge(struct db *ro, const char *request_id, int64_t *cost)
{
    int64_t event;
    enum weir_err e = event_key_find(ro, request_id, &event);
    struct query q;

    *cost = -1;
    if (e)
        return e;
    q = query(ro, "SELECT cost_in + cost_out FROM events WHERE id = ?1 AND rate > 0");
    query_i64(&q, event);
    if (query_row(&q))
        *cost = query_col_i64(&q, 0);
    return query_stop(&q);
}

/* Another call of the item that was read last, or the first of another. */
static void add_charge(struct batch_item_charge *out, size_t *n, int64_t item, int64_t cost)
{
    if (*n == 0 || out[*n - 1].n != item)
        out[(*n)++] = (struct batch_item_charge){item, 0};
    out[*n - 1].cost += cost;
}

enum weir_err batch_items_charged(struct db *ro, int64_t batch, const char *batch_id, int64_t user, size_t max, struct batch_item_charge *out, size_t *n)
{
    /* '/' comes after '.'; a cast reads the digits that a text begins with */
    struct query q = query(ro, "SELECT CAST(substr(i.key, length(?2) + 2) AS INTEGER) - 1 AS item, i.request_id FROM idempotency i"
                               " WHERE i.user = ?1 AND i.endpoint IN (SELECT id FROM words) AND i.key > ?2 || '.' AND i.key < ?2 || '/'"
                               " AND EXISTS (SELECT 1 FROM batch_items b WHERE b.id = ?3 + CAST(substr(i.key, length(?2) + 2) AS INTEGER) - 1 AND b.state = 0)"
                               " ORDER BY item");
    enum weir_err e = WEIR_OK, done;

    *n = 0;
    query_i64(&q, user);
    query_text(&q, batch_id);
    query_i64(&q, first_of(batch));
    while (!e && query_row(&q) && (*n < max || out[*n - 1].n == query_col_i64(&q, 0))) {
        int64_t cost;

        e = batch_items_charge(ro, query_col_text(&q, 1), &cost);
        if (!e && cost > 0)
            add_charge(out, n, query_col_i64(&q, 0), cost);
        e = e == WEIR_E_NOT_FOUND ? WEIR_OK : e;
    }
    done = query_stop(&q);
    return e ? e : done;
}

/* --- writing --- */

enum weir_err batch_items_add(struct db *db, int64_t batch, const struct batch_item_place *p, size_t n)
{
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < n; i++) {
        struct query q = query(db, "INSERT INTO batch_items(id, start, bytes) SELECT ?1, ?2, ?3 FROM batches WHERE id = ?4 AND ended_ms IS NULL");

        query_i64(&q, first_of(batch) + p[i].n);
        query_i64(&q, p[i].start);
        query_i64(&q, p[i].bytes);
        query_i64(&q, batch);
        e = query_end(&q);
    }
    return e;
}

static enum weir_err count(struct db *db, const struct batch_item_end *end)
{
    struct query q = query(db, "UPDATE batches SET completed = completed + ?2, failed = failed + ?3, repeated = repeated + ?4,"
                               " tokens_in = tokens_in + ?5, tokens_out = tokens_out + ?6, cost = cost + ?7, saved_ms = ?8 WHERE id = ?1");

    query_i64(&q, end->batch);
    query_i64(&q, end->state == ITEM_ANSWERED);
    query_i64(&q, end->state == ITEM_FAILED);
    query_i64(&q, end->repeated);
    query_i64(&q, end->tokens_in);
    query_i64(&q, end->tokens_out);
    query_i64(&q, end->cost);
    query_i64(&q, end->at_ms);
    return query_end(&q);
}

enum weir_err batch_items_end(struct db *db, const struct batch_item_end *end)
{
    struct query q = query(db, "UPDATE batch_items SET state = ?2, length = ?3, sealed = ?4, line = ?5 WHERE id = ?1 AND state = 0");
    int64_t id = first_of(end->batch) + end->n, before = db_changes(db);
    char what[WHAT_SIZE];
    struct sb kept;
    enum weir_err e, done;

    line_of(id, what);
    query_i64(&q, id);
    query_i64(&q, end->state);
    query_i64(&q, (int64_t)end->length);
    e = blob_bind(&q, end->user, what, end->line, end->length, &kept);
    done = query_end(&q);
    sb_done(&kept);
    if (e || done)
        return e ? e : done;
    return db_changes(db) > before ? count(db, end) : WEIR_OK;
}

enum weir_err batch_items_worked(struct db *db, int64_t batch, int64_t ms)
{
    struct query q = query(db, "UPDATE batches SET worked_ms = worked_ms + ?2 WHERE id = ?1");

    query_i64(&q, batch);
    query_i64(&q, ms);
    return query_end(&q);
}

enum weir_err batch_items_forget(struct db *db, int64_t batch, int64_t most)
{
    struct query q = query(db, "DELETE FROM batch_items WHERE id IN (SELECT id FROM batch_items WHERE id BETWEEN ?1 AND ?2 LIMIT ?3)");

    query_i64(&q, first_of(batch));
    query_i64(&q, last_of(batch));
    query_i64(&q, most);
    return query_end(&q);
}
