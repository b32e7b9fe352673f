/* batches.c - see batches.h. */
#include "store/batches.h"

#include <stdio.h>
#include <string.h>

#include "store/batch_items.h"
#include "store/files.h"
#include "store/ledger.h"

enum { PURGED_ITEMS = 1000 };
enum { PAUSED = 1, USED_UP = 2 };        /* in the database */

const char *batch_status_name(enum batch_status s)
{
    static const char *const names[BATCH_STATUSES] = {"validating", "failed", "in_progress", "finalizing", "completed", "expired",
                                                      "cancelling", "cancelled"};

    return names[s];
}

/* --- reading --- */

#define COLUMNS                                                                                                               \
    "b.id, b.user, coalesce(b.token, 0), b.batch_id, u.user_id, b.input, b.endpoint, b.held, b.priority, b.state,"            \
    " coalesce(b.ends_as, -1), b.paused, b.created_ms, b.expires_ms, coalesce(b.begun_ms, 0), coalesce(b.cancelled_ms, 0),"   \
    " coalesce(b.finalizing_ms, 0), coalesce(b.ended_ms, 0), b.worked_ms, b.total, b.completed, b.failed, b.repeated,"        \
    " b.tokens_in, b.tokens_out, b.cost, coalesce(b.saved_ms, 0), coalesce(b.budget, -1), b.input_file,"                     \
    " (SELECT f.file_id FROM files f WHERE f.batch = b.id AND f.kind = 1 AND f.state = 1 AND +f.user = b.user),"              \
    " (SELECT f.file_id FROM files f WHERE f.batch = b.id AND f.kind = 2 AND f.state = 1 AND +f.user = b.user)"
#define FROM " FROM batches b JOIN users u ON u.id = b.user"

static void copy_col(char *to, size_t size, const struct query *q, int col)
{
    const char *s = query_col_text(q, col);

    (void)snprintf(to, size, "%s", s ? s : "");
}

static void read_row(const struct query *q, struct batch_row *b)
{
    int64_t *const numbers[] = {&b->created_ms, &b->expires_ms, &b->begun_ms, &b->cancelled_ms, &b->finalizing_ms, &b->ended_ms, &b->worked_ms,
                                &b->total, &b->completed, &b->failed, &b->repeated, &b->tokens_in, &b->tokens_out, &b->cost,
                                &b->saved_ms, &b->budget};

    *b = (struct batch_row){.id = query_col_i64(q, 0), .user = query_col_i64(q, 1), .token = query_col_i64(q, 2), .input = query_col_i64(q, 5),
                            .priority = (enum priority)query_col_i64(q, 8), .status = (enum batch_status)query_col_i64(q, 9),
                            .ends_as = (int)query_col_i64(q, 10), .paused = query_col_i64(q, 11) != 0,
                            .used_up = query_col_i64(q, 11) == USED_UP};
    copy_col(b->batch_id, sizeof b->batch_id, q, 3);
    copy_col(b->user_id, sizeof b->user_id, q, 4);
    copy_col(b->endpoint, sizeof b->endpoint, q, 6);
    copy_col(b->held, sizeof b->held, q, 7);
    for (int i = 0; i < (int)(sizeof numbers / sizeof *numbers); i++)
        *numbers[i] = query_col_i64(q, 12 + i);
    copy_col(b->input_id, sizeof b->input_id, q, 28);
    copy_col(b->output_id, sizeof b->output_id, q, 29);
    copy_col(b->errors_id, sizeof b->errors_id, q, 30);
}

enum weir_err batches_find(struct db *ro, const char *user_id, const char *batch_id, struct batch_row *out)
{
    struct query q = query(ro, "SELECT " COLUMNS FROM " WHERE b.batch_id = ?1 AND u.user_id = ?2");
    bool found;
    enum weir_err e;

    query_text(&q, batch_id);
    query_text(&q, user_id);
    found = query_row(&q);
    if (found)
        read_row(&q, out);
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

static enum weir_err rows(struct query *q, struct batch_row *out, size_t *n)
{
    *n = 0;
    while (query_row(q))
        read_row(q, &out[(*n)++]);
    return query_end(q);
}

enum weir_err batches_list(struct db *ro, const char *user_id, const char *after, int64_t limit, struct batch_row *out, size_t *n)
{
    /* ?1 is said in both, so that all three can be bound */
    struct query q = query(ro, user_id ? "SELECT " COLUMNS FROM " WHERE u.user_id = ?1 AND b.id < coalesce((SELECT a.id FROM batches a"
                               " WHERE a.batch_id = ?2 AND a.user = u.id), 9223372036854775807) ORDER BY b.id DESC LIMIT ?3"
                               : "SELECT " COLUMNS FROM " WHERE ?1 IS NULL AND b.id < coalesce((SELECT a.id FROM batches a"
                               " WHERE a.batch_id = ?2), 9223372036854775807) ORDER BY b.id DESC LIMIT ?3");

    query_text(&q, user_id);
    query_text(&q, after);
    query_i64(&q, limit + 1);
    return rows(&q, out, n);
}

enum weir_err batches_open(struct db *ro, const char *user_id, int64_t limit, struct batch_row *out, size_t *n)
{
    struct query q = query(ro, "SELECT " COLUMNS FROM " WHERE b.ended_ms IS NULL AND (?1 IS NULL OR u.user_id = ?1)"
                               " ORDER BY row_number() OVER (PARTITION BY +b.user ORDER BY b.paused, b.id), b.id LIMIT ?2");

    query_text(&q, user_id);
    query_i64(&q, limit + 1);
    return rows(&q, out, n);
}

int64_t batches_version(struct db *ro)
{
    struct query q = query(ro, "SELECT coalesce(sum(((completed + failed) << 8 | state << 2 | paused) + id), 0) FROM batches WHERE ended_ms IS NULL");
    int64_t version = query_row(&q) ? query_col_i64(&q, 0) : 0;

    return query_end(&q) ? -1 : version;
}

enum weir_err batches_texts(struct db *ro, int64_t id, struct sb *metadata, struct sb *errors)
{
    struct query q = query(ro, "SELECT metadata, errors FROM batches WHERE id = ?1");

    query_i64(&q, id);
    if (query_row(&q)) {
        sb_puts(metadata, query_col_text(&q, 0));
        sb_puts(errors, query_col_text(&q, 1));
    }
    return query_stop(&q);
}

enum weir_err batches_owner(struct db *ro, const struct batch_row *b, int64_t now_ms, struct identity *out)
{
    return account_by_number(ro, b->user, b->token, now_ms, out);
}

/* --- writing --- */

static enum weir_err has_room(struct db *db, int64_t user)
{
    struct query q = query(db, "SELECT count(*) < ?2 FROM batches WHERE user = ?1 AND ended_ms IS NULL");
    bool room;
    enum weir_err e;

    query_i64(&q, user);
    query_i64(&q, BATCHES_OPEN_MAX);
    room = query_row(&q) && query_col_i64(&q, 0) != 0;
    e = query_stop(&q);
    return e ? e : room ? WEIR_OK : WEIR_E_RATE_LIMITED;
}

enum weir_err batches_add(struct db *db, const struct batch_new *b)
{
    int64_t user, token = 0, before;
    enum weir_err e = ledger_user(db, b->user_id, &user);
    struct query q;

    if (!e)
        e = ledger_token(db, b->token_id, &token);
    if (!e)
        e = has_room(db, user);
    if (e)
        return e;
    q = query(db, "INSERT INTO batches(batch_id, user, token, input, endpoint, priority, metadata, state, created_ms, expires_ms,"
                  " budget, input_file) SELECT ?1,?2,?3,?4,?5,?6,?7,0,?8,?9,?10,file_id FROM files WHERE id = ?4 AND state = 1");
    query_text(&q, b->batch_id);
    query_i64(&q, user);
    query_opt_i64(&q, token ? token : -1);
    query_i64(&q, b->input);
    query_text(&q, b->endpoint);
    query_i64(&q, b->priority);
    query_text(&q, b->metadata);
    query_i64(&q, b->created_ms);
    query_i64(&q, b->created_ms + BATCH_WINDOW_MS);
    query_opt_i64(&q, b->budget);
    before = db_changes(db);
    e = query_end(&q);
    return e ? e : db_changes(db) > before ? WEIR_OK : WEIR_E_NOT_FOUND;
}

enum weir_err batches_begin(struct db *db, int64_t id, int64_t total, int64_t now_ms)
{
    struct query q = query(db, "UPDATE batches SET state = 2, total = ?2, begun_ms = ?3 WHERE id = ?1 AND state = 0");

    query_i64(&q, id);
    query_i64(&q, total);
    query_i64(&q, now_ms);
    return query_end(&q);
}

enum weir_err batches_fail(struct db *db, int64_t id, const char *errors, int64_t now_ms)
{
    struct query q = query(db, "UPDATE batches SET state = 1, errors = ?2, ended_ms = ?3 WHERE id = ?1 AND ended_ms IS NULL");

    query_i64(&q, id);
    query_text(&q, errors);
    query_i64(&q, now_ms);
    return query_end(&q);
}

/* It was found in a state in which this can be; E_CONFLICT: it was not. */
static enum weir_err changed(struct db *db, struct query *q)
{
    int64_t before = db_changes(db);
    enum weir_err e = query_end(q);

    return e ? e : db_changes(db) > before ? WEIR_OK : WEIR_E_CONFLICT;
}

enum weir_err batches_cancel(struct db *db, int64_t id, int64_t now_ms)
{
    struct query q = query(db, "UPDATE batches SET state = 6, cancelled_ms = ?2, paused = 0, held = NULL WHERE id = ?1 AND state IN (0, 2)");

    query_i64(&q, id);
    query_i64(&q, now_ms);
    return changed(db, &q);
}

enum weir_err batches_pause(struct db *db, int64_t id)
{
    struct query q = query(db, "UPDATE batches SET paused = max(paused, ?2) WHERE id = ?1 AND state IN (0, 2)");

    query_i64(&q, id);
    query_i64(&q, PAUSED);
    return changed(db, &q);
}

/* Its budget is used up, and `budget` is no higher. */
static enum weir_err stays_used_up(struct db *db, int64_t id, int64_t budget, bool *stays)
{
    struct query q = query(db, "SELECT paused = ?2 AND ?3 <= budget FROM batches WHERE id = ?1");

    query_i64(&q, id);
    query_i64(&q, USED_UP);
    query_i64(&q, budget);
    *stays = query_row(&q) && query_col_i64(&q, 0) != 0;
    return query_stop(&q);
}

enum weir_err batches_resume(struct db *db, int64_t id, int64_t budget)
{
    bool stays;
    struct query q;
    enum weir_err e = stays_used_up(db, id, budget, &stays);

    if (e || stays)
        return e ? e : WEIR_E_BUDGET;
    q = query(db, "UPDATE batches SET paused = 0, held = NULL, budget = coalesce(?2, budget) WHERE id = ?1 AND state IN (0, 2)");
    query_i64(&q, id);
    query_opt_i64(&q, budget);
    return changed(db, &q);
}

enum weir_err batches_use_up(struct db *db, int64_t id, int64_t budget)
{
    struct query q = query(db, "UPDATE batches SET paused = ?3, held = NULL WHERE id = ?1 AND budget = ?2 AND state = 2");

    query_i64(&q, id);
    query_i64(&q, budget);
    query_i64(&q, USED_UP);
    return query_end(&q);
}

enum weir_err batches_hold(struct db *db, int64_t id, const char *code)
{
    struct query q = query(db, "UPDATE batches SET held = ?2 WHERE id = ?1 AND ended_ms IS NULL");

    query_i64(&q, id);
    query_text(&q, code);
    return query_end(&q);
}

enum weir_err batches_finalize(struct db *db, int64_t id, enum batch_status ends_as, int64_t now_ms)
{
    struct query q = query(db, "UPDATE batches SET state = CASE ?2 WHEN 7 THEN 6 ELSE 3 END, ends_as = ?2, finalizing_ms = ?3, held = NULL"
                               " WHERE id = ?1 AND ended_ms IS NULL");

    query_i64(&q, id);
    query_i64(&q, ends_as);
    query_i64(&q, now_ms);
    return query_end(&q);
}

static enum weir_err make_file(struct db *db, const struct batch_row *b, enum file_kind kind, int64_t now_ms, int64_t expires_ms)
{
    char name[FILE_NAME_MAX + 1];
    int64_t bytes;
    enum weir_err e = batch_items_bytes(db, b->id, kind == FILE_OUTPUT, &bytes);

    (void)snprintf(name, sizeof name, "%s_%s.jsonl", b->batch_id, kind == FILE_OUTPUT ? "output" : "error");
    return e || bytes == 0 ? e : files_of_batch(db, b->id, b->user, kind, name, bytes, now_ms, expires_ms);
}

enum weir_err batches_end(struct db *db, const struct batch_row *b, int64_t now_ms, int64_t expires_ms)
{
    struct query q = query(db, "UPDATE batches SET state = ?2, ended_ms = ?3, paused = 0 WHERE id = ?1 AND ended_ms IS NULL");
    enum weir_err e;

    query_i64(&q, b->id);
    query_i64(&q, b->ends_as);
    query_i64(&q, now_ms);
    e = changed(db, &q);
    if (!e)
        e = make_file(db, b, FILE_OUTPUT, now_ms, expires_ms);
    return e ? e : make_file(db, b, FILE_ERRORS, now_ms, expires_ms);
}

enum weir_err batches_purge_some(struct db *db, int64_t user, int64_t before_ms, bool *left)
{
    struct query q = query(db, user ? "SELECT id FROM batches WHERE user = ?1 AND ?2 >= 0 LIMIT 1"
                               : "SELECT id FROM batches b WHERE ended_ms < ?2 AND ?1 = 0"
                               " AND NOT EXISTS (SELECT 1 FROM files f WHERE f.batch = b.id) LIMIT 1");
    int64_t id, before;
    enum weir_err e;

    query_i64(&q, user);
    query_i64(&q, before_ms);
    *left = query_row(&q);
    id = *left ? query_col_i64(&q, 0) : 0;
    e = query_stop(&q);
    if (e || !*left)
        return e;
    before = db_changes(db);
    e = batch_items_forget(db, id, PURGED_ITEMS);
    if (e || db_changes(db) > before)
        return e;
    q = query(db, "DELETE FROM batches WHERE id = ?1");
    query_i64(&q, id);
    return query_end(&q);
}
