/* seal.c - a row as bytes, bytes as a hash, hashes as a sum. */
#include "store/seal.h"

#include <sodium.h>
#include <string.h>

#include "store/ledger.h"

enum { TEXT_SHORT = 64, ROW_ROOM = 1 + SEAL_EVENT_N * (2 + TEXT_SHORT) };

/* Place, then length, then the number's bytes without leading zeros (of a negative one all eight). */
static size_t put_number(unsigned char *to, int place, int64_t v)
{
    uint64_t u = (uint64_t)v;
    size_t n = 0;

    to[0] = (unsigned char)place;
    for (; u; u >>= 8)
        to[2 + n++] = (unsigned char)u;
    to[1] = (unsigned char)n;
    return n + 2;
}

/* A short row goes through in one piece; a long text is hashed on its own, and its hash stands for it. */
static size_t put_text(unsigned char *to, int place, const void *text, size_t n)
{
    unsigned char hash[SEAL_BYTES];

    to[0] = (unsigned char)place;
    to[1] = n <= TEXT_SHORT ? (unsigned char)(0x40 + n) : 0xff;
    if (n > TEXT_SHORT) {
        (void)crypto_generichash(hash, sizeof hash, text, n, NULL, 0);
        memcpy(to + 2, hash, sizeof hash);
        return 2 + sizeof hash;
    }
    if (n)
        memcpy(to + 2, text, n);
    return 2 + n;
}

void seal_row(struct seal *s, const struct query *q, int n, char kind, int64_t *value)
{
    unsigned char row[ROW_ROOM], hash[SEAL_BYTES];
    uint64_t lane[2];
    size_t used = 1;

    row[0] = (unsigned char)kind;
    for (int i = 0; i < n; i++) {
        sqlite3_value *v = sqlite3_column_value(q->st, i);
        int type = sqlite3_value_type(v);
        int64_t n64 = type == SQLITE_INTEGER ? sqlite3_value_int64(v) : 0;

        if (type == SQLITE_INTEGER) {
            used += put_number(row + used, i, n64);
        } else if (type != SQLITE_NULL) {
            const void *p = sqlite3_value_blob(v);

            used += put_text(row + used, i, p, (size_t)sqlite3_value_bytes(v));
        }
        if (value)
            value[i] = n64;
    }
    (void)crypto_generichash(hash, sizeof hash, row, used, NULL, 0);
    memcpy(lane, hash, sizeof lane);
    s->lane[0] += lane[0];
    s->lane[1] += lane[1];
    s->events += kind != SEAL_OF_ATTEMPT;
    s->attempts += kind == SEAL_OF_ATTEMPT;
}

void seal_plus(struct seal *to, const struct seal *s)
{
    to->events += s->events;
    to->attempts += s->attempts;
    to->lane[0] += s->lane[0];
    to->lane[1] += s->lane[1];
}

static struct seal negative(const struct seal *s)
{
    return (struct seal){-s->events, -s->attempts, {0 - s->lane[0], 0 - s->lane[1]}};
}

enum weir_err seal_read(struct db *db, int64_t id, struct seal_stored *out)
{
    struct query q = query(db, "SELECT events, attempts, hash, pruned_ms FROM seals WHERE id = ?1");

    memset(out, 0, sizeof *out);
    query_i64(&q, id);
    if (query_row(&q)) {
        size_t n;
        const void *p = query_col_blob(&q, 2, &n);

        out->there = true;
        out->seal.events = query_col_i64(&q, 0);
        out->seal.attempts = query_col_i64(&q, 1);
        out->hashed = !query_col_null(&q, 2);
        out->pruned = !query_col_null(&q, 3);
        if (p && n == SEAL_BYTES)
            memcpy(out->seal.lane, p, SEAL_BYTES);
    }
    return query_stop(&q);
}

enum weir_err seal_add(struct db *db, int64_t id, const struct seal *s)
{
    struct seal_stored have;
    enum weir_err e = seal_read(db, id, &have);
    struct query q;

    if (e)
        return e;
    seal_plus(&have.seal, s);
    q = query(db, "INSERT INTO seals(id, events, attempts, hash) VALUES (?1, ?2, ?3, ?4)"
                  " ON CONFLICT(id) DO UPDATE SET events = ?2, attempts = ?3, hash = ?4");
    query_i64(&q, id);
    query_i64(&q, have.seal.events);
    query_i64(&q, have.seal.attempts);
    if (have.there && !have.hashed)
        query_null(&q);
    else
        query_blob(&q, have.seal.lane, SEAL_BYTES);
    return query_end(&q);
}

enum weir_err seal_of_event(struct db *db, int64_t event, struct seal *out)
{
    struct query q = query(db, "SELECT " SEAL_EVENT_COLUMNS " FROM events WHERE id = ?1 AND state = 2");
    enum weir_err e;

    memset(out, 0, sizeof *out);
    query_i64(&q, event);
    if (query_row(&q))
        seal_row(out, &q, SEAL_EVENT_N, SEAL_OF_EVENT, NULL);
    e = query_stop(&q);
    if (e || !out->events)
        return e ? e : WEIR_E_NOT_FOUND;
    q = query(db, "SELECT " SEAL_ATTEMPT_COLUMNS " FROM attempt_rows WHERE event = ?1 ORDER BY n");
    query_i64(&q, event);
    while (query_row(&q))
        seal_row(out, &q, SEAL_ATTEMPT_N, SEAL_OF_ATTEMPT, NULL);
    return query_end(&q);
}

enum weir_err seal_event(struct db *db, int64_t event)
{
    struct seal s;
    enum weir_err e = seal_of_event(db, event, &s);

    return e ? e : seal_add(db, (event >> EVENT_BITS) / QUARTER_MS, &s);
}

enum weir_err seal_lift(struct db *db, int64_t event)
{
    struct seal s;
    enum weir_err e = seal_of_event(db, event, &s);

    s = negative(&s);
    return e ? e : seal_add(db, (event >> EVENT_BITS) / QUARTER_MS, &s);
}

enum weir_err seal_name(struct db *db, int64_t seal, int64_t row)
{
    struct seal s = {0};
    struct query q;
    enum weir_err e;

    if (seal == SEAL_WORDS)
        q = query(db, "SELECT id, text FROM words WHERE id = ?1");
    else if (seal == SEAL_RATES)
        q = query(db, "SELECT id, version, rate_in, rate_out FROM rates WHERE id = ?1");
    else
        q = query(db, "SELECT id, user, model, upstream, endpoint, priority, status FROM combos WHERE id = ?1");
    query_i64(&q, row);
    if (query_row(&q))
        seal_row(&s, &q, sqlite3_column_count(q.st), seal == SEAL_WORDS ? SEAL_OF_WORD : seal == SEAL_RATES ? SEAL_OF_RATE : SEAL_OF_COMBO,
                 NULL);
    e = query_stop(&q);
    return e ? e : seal_add(db, seal, &s);
}

enum weir_err seal_prune(struct db *db, int64_t to_quarter, int64_t now_ms)
{
    struct query q = query(db, "UPDATE seals SET pruned_ms = ?2 WHERE id >= 0 AND id < ?1 AND pruned_ms IS NULL");

    query_i64(&q, to_quarter);
    query_i64(&q, now_ms);
    return query_end(&q);
}
