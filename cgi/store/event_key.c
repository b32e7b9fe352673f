/* event_key.c - an id to what is kept of it, and back. */
#include "store/event_key.h"

#include <string.h>

#include "store/ledger.h"

#define REQUEST "req"

static const char *random_of(const char *request_id)
{
    return request_id + strlen(request_id) - RAND_ID_RANDOM;
}

void event_key_request(struct query *q, const char *request_id, int64_t at_ms)
{
    if (rand_id_ms(request_id, REQUEST) == at_ms)
        query_blob(q, random_of(request_id), RAND_ID_RANDOM);
    else
        query_text(q, request_id);
}

void event_key_message(struct query *q, const char *message_id)
{
    int64_t n = rand_short_id_number(message_id, "msg");

    if (n >= 0)
        query_i64(q, n);
    else
        query_text(q, message_id);
}

static enum weir_err find_first(struct query *q, int64_t *event)
{
    if (query_row(q))
        *event = query_col_i64(q, 0);
    return query_stop(q);
}

enum weir_err event_key_find(struct db *db, const char *request_id, int64_t *event)
{
    int64_t ms = rand_id_ms(request_id, REQUEST);
    enum weir_err e = WEIR_OK;
    struct query q;

    *event = 0;
    if (ms >= 0 && ms < INT64_MAX >> EVENT_BITS) {
        q = query(db, "SELECT id FROM events WHERE id >= ?1 AND id < ?2 AND request = ?3");
        query_i64(&q, ms << EVENT_BITS);
        query_i64(&q, (ms + 1) << EVENT_BITS);
        query_blob(&q, random_of(request_id), RAND_ID_RANDOM);
        e = find_first(&q, event);
    }
    if (e || *event)
        return e;
    q = query(db, "SELECT id FROM events WHERE request = ?1 AND typeof(request) = 'text'");
    query_text(&q, request_id);
    return find_first(&q, event);
}

const char *event_key_text(const struct query *q, int col, int64_t event, char room[RAND_ID_SIZE])
{
    size_t n;
    const void *random;

    if (sqlite3_column_type(q->st, col) != SQLITE_BLOB)
        return query_col_text(q, col);
    random = query_col_blob(q, col, &n);
    if (n != RAND_ID_RANDOM)
        return NULL;
    rand_id_join(room, REQUEST, event >> EVENT_BITS, random);
    return room;
}
