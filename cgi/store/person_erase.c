/* person_erase.c - a person is taken out, their numbers are not. Rows stay where
 * others name them by number, and a number is never given to somebody else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/batches.h"
#include "store/convo_tree.h"
#include "store/files.h"
#include "store/ledger.h"
#include "store/person.h"
#include "store/seal.h"

enum { STEP_MAX = 1000 };

static enum weir_err is_last_admin(struct db *db, const struct person *p, bool *last)
{
    struct query q = query(db, "SELECT role = 2 AND disabled_ms IS NULL AND NOT EXISTS (SELECT 1 FROM users o WHERE o.role = 2"
                               " AND o.disabled_ms IS NULL AND o.id != u.id) FROM users u WHERE id = ?1");

    query_i64(&q, p->user);
    *last = query_row(&q) && query_col_i64(&q, 0);
    return query_stop(&q);
}

static enum weir_err run(struct db *db, const char *sql, const struct person *p, const char *pseudonym, int64_t now_ms)
{
    struct query q = query(db, sql);

    query_i64(&q, p->user);
    query_text(&q, p->user_id);
    query_text(&q, pseudonym);
    query_i64(&q, now_ms);
    return query_end(&q);
}

enum weir_err person_close(struct db *db, const struct person *p, int64_t now_ms, struct person_gone *gone)
{
    /* ?1 the number, ?2 the id, ?3 the pseudonym, ?4 now; each statement names ?4, so that all four can be bound */
    static const char *const sql[] = {
        "DELETE FROM web_sessions WHERE user = ?1 AND ?4 > 0",
        "DELETE FROM signin_codes WHERE user = ?1 AND ?4 > 0",
        "DELETE FROM idempotency WHERE user = ?1 AND ?4 > 0",
        "UPDATE batches SET state = 7, ended_ms = coalesce(ended_ms, ?4), metadata = NULL, errors = NULL WHERE user = ?1",
        "UPDATE budgets SET key = ?3, deleted_ms = coalesce(deleted_ms, ?4) WHERE scope = 1 AND key = ?2",
        "UPDATE budgets SET deleted_ms = coalesce(deleted_ms, ?4) WHERE scope = 3 AND key IN (SELECT token_id FROM tokens WHERE user = ?1)",
        "UPDATE alert_rules SET key = ?3, deleted_ms = coalesce(deleted_ms, ?4) WHERE scope = 1 AND key = ?2",
        "DELETE FROM deliveries WHERE instr(body, ?2) > 0 AND ?4 > 0",
        "UPDATE alerts SET key = replace(key, ?2, ?3), text = replace(text, ?2, ?3), resolved_ms = coalesce(resolved_ms, ?4),"
        " acknowledged_by = CASE acknowledged_by WHEN ?2 THEN ?3 ELSE acknowledged_by END"
        " WHERE instr(key, ?2) > 0 OR instr(text, ?2) > 0",
        "UPDATE tokens SET token_id = 'tok_' || lower(hex(randomblob(11))), name = '', scopes = '', hash = randomblob(32), filters = NULL,"
        " used_ms = NULL, revoked_ms = coalesce(revoked_ms, ?4) WHERE user = ?1",
        "UPDATE users SET user_id = ?3, name = 'erased ' || substr(?3, 5), role = 0, password_hash = NULL, filters = NULL, show_monitoring = 0,"
        " disabled_ms = coalesce(disabled_ms, ?4), removed_ms = coalesce(removed_ms, ?4) WHERE id = ?1",
    };
    bool last;
    enum weir_err e = is_last_admin(db, p, &last);

    if (e || last)
        return e ? e : WEIR_E_CONFLICT;
    rand_id(gone->pseudonym, "usr");
    for (size_t i = 0; !e && i < sizeof sql / sizeof *sql; i++) {
        int64_t before = db_changes(db);

        e = run(db, sql[i], p, gone->pseudonym, now_ms);
        if (i == sizeof sql / sizeof *sql - 2)
            gone->tokens += db_changes(db) - before;
    }
    if (!e)
        e = files_drop_all(db, p->user);
    ledger_forget_people(db);
    return e;
}

/* --- what they left --- */

static enum weir_err erase_sessions(struct db *db, const struct person *p, int64_t most, struct person_gone *gone, bool *any)
{
    struct query q = query(db, "SELECT s.id, (SELECT count(*) FROM contents c WHERE c.id >= s.id << 20 AND c.id < (s.id + 1) << 20)"
                               " FROM sessions s WHERE s.user = ?1 AND (s.deleted_ms IS NULL OR s.title != '') LIMIT ?2");
    int64_t id[STEP_MAX], n = 0;
    enum weir_err e;

    query_i64(&q, p->user);
    query_i64(&q, most < STEP_MAX ? most : STEP_MAX);
    while (query_row(&q)) {
        id[n++] = query_col_i64(&q, 0);
        gone->texts += query_col_i64(&q, 1);
    }
    e = query_stop(&q);
    for (int64_t i = 0; !e && i < n; i++)
        e = convo_erase(db, id[i]);
    gone->sessions += n;
    *any = n > 0;
    return e;
}

/* A settled event is in its quarter's seal as it is: it is taken out, changed, and put in again. */
static enum weir_err erase_metadata_of(struct db *db, int64_t event, bool settled)
{
    enum weir_err e = settled ? seal_lift(db, event) : WEIR_OK;
    struct query q;

    if (e)
        return e;
    q = query(db, "UPDATE events SET metadata = NULL WHERE id = ?1");
    query_i64(&q, event);
    e = query_end(&q);
    return e || !settled ? e : seal_event(db, event);
}

/* Metadata is whatever the caller gave. Events are in no index by user: a step reads ten thousand at most. */
static enum weir_err erase_metadata(struct db *db, const struct person *p, int64_t *from, struct person_gone *gone)
{
    struct query q = query(db, "SELECT max(id) FROM (SELECT id FROM events WHERE id > ?1 ORDER BY id LIMIT 10000)");
    struct metadata {
        int64_t event;
        bool settled;
    } *found = NULL;
    size_t n = 0;
    int64_t to;
    enum weir_err e;

    query_i64(&q, *from);
    to = query_row(&q) ? query_col_i64(&q, 0) : 0;
    e = query_end(&q);
    if (e || !to) {
        *from = -1;
        return e;
    }
    q = query(db, "SELECT id, state FROM events WHERE id > ?1 AND id <= ?2 AND user = ?3 AND metadata IS NOT NULL");
    query_i64(&q, *from);
    query_i64(&q, to);
    query_i64(&q, p->user);
    while (query_row(&q)) {
        found = mem_grow(found, n + 1, sizeof *found);
        found[n++] = (struct metadata){.event = query_col_i64(&q, 0), .settled = query_col_i64(&q, 1) == 2};
    }
    e = query_end(&q);
    for (size_t k = 0; !e && k < n; k++)
        e = erase_metadata_of(db, found[k].event, found[k].settled);
    gone->requests += (int64_t)n;
    *from = to;
    free(found);
    return e;
}

enum weir_err person_erase_some(struct db *db, const struct person *p, int64_t most, int64_t *from, struct person_gone *gone)
{
    bool any = false;
    enum weir_err e = *from == 0 ? erase_sessions(db, p, most, gone, &any) : WEIR_OK;

    if (!e && !any && *from == 0)
        e = files_purge_some(db, p->user, &any);
    if (!e && !any && *from == 0)
        e = batches_purge_some(db, p->user, 0, &any);
    return e || any ? e : erase_metadata(db, p, from, gone);
}
