/* idempotency.c - see idempotency.h. */
#include "store/idempotency.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/content.h"
#include "store/content_key.h"
#include "store/event_key.h"
#include "store/ledger.h"

enum { WHAT_SIZE = 96 };

bool idempotency_key_ok(const char *key)
{
    size_t n = strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:");

    return n > 0 && n <= IDEMPOTENCY_KEY_MAX && key[n] == '\0';
}

void idempotency_digest(const void *body, size_t n, unsigned char digest[IDEMPOTENCY_DIGEST])
{
    crypto_hash_sha256(digest, body, n);
}

/* What an answer is bound to when it is sealed. */
static void bound_to(const char *request_id, char what[WHAT_SIZE])
{
    (void)snprintf(what, WHAT_SIZE, "idempotency %s", request_id);
}

static enum weir_err take_answer(const struct query *q, struct idempotency_found *out)
{
    size_t n;
    const void *stored = query_col_blob(q, 5, &n);
    char what[WHAT_SIZE];

    if (query_col_i64(q, 4)) {
        enum weir_err e;

        bound_to(out->request_id, what);
        e = content_key_open(query_col_i64(q, 6), what, stored, n, &out->answer, &out->answer_bytes);
        if (!e && !out->answer)
            out->state = IDEMPOTENCY_UNKEPT;         /* its key was destroyed */
        return e;
    }
    out->answer = malloc(n + 1);
    if (!out->answer)
        return WEIR_E_OVERLOADED;
    memcpy(out->answer, stored, n);
    out->answer[n] = '\0';
    out->answer_bytes = n;
    return WEIR_OK;
}

enum weir_err idempotency_find(struct db *ro, const struct idempotency_key *k, int64_t now_ms, struct idempotency_found *out)
{
    struct query q = query(ro, "SELECT i.request_id, i.state, i.at_ms, i.body, i.sealed, i.answer, i.user FROM idempotency i"
                               " JOIN users u ON u.id = i.user JOIN words w ON w.id = i.endpoint"
                               " WHERE u.user_id = ?1 AND w.text = ?2 AND i.key = ?3");
    enum weir_err e = WEIR_OK, done;

    *out = (struct idempotency_found){.state = IDEMPOTENCY_FREE};
    query_text(&q, k->user_id);
    query_text(&q, k->endpoint);
    query_text(&q, k->key);
    if (query_row(&q) && query_col_i64(&q, 2) > now_ms - IDEMPOTENCY_KEPT_MS) {
        const char *id = query_col_text(&q, 0);
        size_t n;
        const void *body = query_col_blob(&q, 3, &n);

        (void)snprintf(out->request_id, sizeof out->request_id, "%s", id ? id : "");
        out->state = (enum idempotency_state)query_col_i64(&q, 1);
        out->other_body = n != IDEMPOTENCY_DIGEST || memcmp(body, k->body, n) != 0;
        if (out->state == IDEMPOTENCY_ANSWERED && !out->other_body)
            e = take_answer(&q, out);
    }
    done = query_stop(&q);
    return e ? e : done;
}

/* --- writer --- */

enum weir_err idempotency_take(struct db *db, const struct idempotency_key *k, const char *request_id, int64_t now_ms)
{
    int64_t user, endpoint, before;
    enum weir_err e = ledger_user(db, k->user_id, &user);
    struct query q;

    if (!e)
        e = ledger_word(db, k->endpoint, &endpoint);
    if (e)
        return e;
    q = query(db, "DELETE FROM idempotency WHERE user = ?1 AND endpoint = ?2 AND key = ?3 AND at_ms <= ?4");
    query_i64(&q, user);
    query_i64(&q, endpoint);
    query_text(&q, k->key);
    query_i64(&q, now_ms - IDEMPOTENCY_KEPT_MS);
    e = query_end(&q);
    if (e)
        return e;
    q = query(db, "INSERT INTO idempotency(user, endpoint, key, body, request_id, at_ms, state) VALUES (?1,?2,?3,?4,?5,?6,1)"
                  " ON CONFLICT(user, endpoint, key) DO NOTHING");
    query_i64(&q, user);
    query_i64(&q, endpoint);
    query_text(&q, k->key);
    query_blob(&q, k->body, IDEMPOTENCY_DIGEST);
    query_text(&q, request_id);
    query_i64(&q, now_ms);
    before = db_changes(db);
    e = query_end(&q);
    return e ? e : db_changes(db) > before ? WEIR_OK : WEIR_E_IDEMPOTENCY_RUNNING;
}

/* Whose it is; 0: there is no such row. */
static enum weir_err owner_of(struct db *db, const char *request_id, int64_t *user)
{
    struct query q = query(db, "SELECT user FROM idempotency WHERE request_id = ?1");

    query_text(&q, request_id);
    *user = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_stop(&q);
}

enum weir_err idempotency_answer(struct db *db, const char *request_id, const char *answer, size_t n)
{
    struct sb sealed = sb_make(IDEMPOTENCY_ANSWER_MAX + CONTENT_SEAL_BYTES + 1);
    bool keep = answer && content_kept() && n <= IDEMPOTENCY_ANSWER_MAX, seal = keep && content_key_set();
    char what[WHAT_SIZE];
    int64_t user;
    struct query q;
    enum weir_err e = owner_of(db, request_id, &user);

    if (!e && user && seal) {
        bound_to(request_id, what);
        e = content_key_seal(user, what, answer, n, &sealed);
    }
    if (!e && user) {
        q = query(db, "UPDATE idempotency SET state = ?2, sealed = ?3, answer = ?4 WHERE request_id = ?1");
        query_text(&q, request_id);
        query_i64(&q, keep ? IDEMPOTENCY_ANSWERED : IDEMPOTENCY_UNKEPT);
        query_i64(&q, seal);
        if (keep)
            query_blob(&q, seal ? sb_str(&sealed) : answer, seal ? sealed.len : n);
        else
            query_null(&q);
        e = query_end(&q);
    }
    sb_done(&sealed);
    return e;
}

enum weir_err idempotency_free(struct db *db, const char *request_id)
{
    struct query q = query(db, "DELETE FROM idempotency WHERE request_id = ?1");

    query_text(&q, request_id);
    return query_end(&q);
}

/* The next that was running when Weir died; *id 0: there is none. *unsent if it was never accepted, or cancelled unsent. */
static enum weir_err next_running(struct db *db, int64_t *id, bool *unsent)
{
    struct query q = query(db, "SELECT id, request_id FROM idempotency WHERE state = 1 AND id > ?1 ORDER BY id LIMIT 1");
    enum weir_err e = WEIR_OK, done;
    int64_t event = 0;

    query_i64(&q, *id);
    *id = 0;
    if (query_row(&q)) {
        *id = query_col_i64(&q, 0);
        e = event_key_find(db, query_col_text(&q, 1), &event);
    }
    done = query_stop(&q);
    if (e || done || !*id)
        return e ? e : done;
    q = query(db, "SELECT 1 FROM events WHERE id = ?1 AND (status != 2 OR attempts != 0)");        /* 2: cancelled */
    query_i64(&q, event);
    *unsent = !query_row(&q);
    return query_stop(&q);
}

enum weir_err idempotency_recover(struct db *db)
{
    int64_t id = 0;
    bool unsent = false;
    enum weir_err e;

    while ((e = next_running(db, &id, &unsent)) == WEIR_OK && id) {
        struct query q = query(db, unsent ? "DELETE FROM idempotency WHERE id = ?1" : "UPDATE idempotency SET state = 4 WHERE id = ?1");

        query_i64(&q, id);
        e = query_end(&q);
        if (e)
            break;
    }
    return e;
}

enum weir_err idempotency_prune(struct db *db, int64_t now_ms, int64_t most, int64_t *gone)
{
    /* Their numbers are in the order of time: what is old is at the front. */
    struct query q = query(db, "DELETE FROM idempotency WHERE id IN (SELECT id FROM (SELECT id, at_ms FROM idempotency"
                               " ORDER BY id LIMIT ?2) WHERE at_ms <= ?1)");
    int64_t before = db_changes(db);
    enum weir_err e;

    query_i64(&q, now_ms - IDEMPOTENCY_KEPT_MS);
    query_i64(&q, most);
    e = query_end(&q);
    *gone = db_changes(db) - before;
    return e;
}

enum weir_err idempotency_erase(struct db *db, int64_t session)
{
    struct query q = query(db, "DELETE FROM idempotency WHERE request_id IN (SELECT request_id FROM events WHERE session = ?1)");

    query_i64(&q, session);
    return query_end(&q);
}
