/* files.c - see files.h. */
#include "store/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/blob.h"
#include "store/ledger.h"

enum { STATE_UPLOADING, STATE_THERE, STATE_DROPPED };
enum { PURGED_PARTS = 16, PURGED_LINES = 500, WHAT_SIZE = 64, PART_BITS = 20 };

#define COLUMNS "f.id, f.user, f.file_id, f.kind, coalesce(f.batch, 0), f.name, f.bytes, f.created_ms, f.expires_ms"
#define USED "EXISTS (SELECT 1 FROM batches b WHERE b.input = files.id AND b.ended_ms IS NULL)"

static void read_row(const struct query *q, struct file_row *f)
{
    const char *id = query_col_text(q, 2), *name = query_col_text(q, 5);

    *f = (struct file_row){.id = query_col_i64(q, 0), .user = query_col_i64(q, 1), .kind = (enum file_kind)query_col_i64(q, 3),
                           .batch = query_col_i64(q, 4), .bytes = query_col_i64(q, 6), .created_ms = query_col_i64(q, 7),
                           .expires_ms = query_col_i64(q, 8)};
    (void)snprintf(f->file_id, sizeof f->file_id, "%s", id ? id : "");
    (void)snprintf(f->name, sizeof f->name, "%s", name ? name : "");
}

static enum weir_err one(struct query *q, struct file_row *out)
{
    bool found = query_row(q);
    enum weir_err e;

    if (found)
        read_row(q, out);
    e = query_stop(q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

enum weir_err files_find(struct db *ro, const char *user_id, const char *file_id, struct file_row *out)
{
    struct query q = query(ro, "SELECT " COLUMNS " FROM files f JOIN users u ON u.id = f.user"
                               " WHERE f.file_id = ?1 AND u.user_id = ?2 AND f.state = 1");

    query_text(&q, file_id);
    query_text(&q, user_id);
    return one(&q, out);
}

enum weir_err files_get(struct db *ro, int64_t id, struct file_row *out)
{
    struct query q = query(ro, "SELECT " COLUMNS " FROM files f WHERE f.id = ?1 AND f.state = 1");

    query_i64(&q, id);
    return one(&q, out);
}

enum weir_err files_list(struct db *ro, const char *user_id, const char *after, bool oldest, int uploaded, int64_t limit, struct file_row *out,
                         size_t *n)
{
    static const char *const sql[] = {
        "SELECT " COLUMNS " FROM files f JOIN users u ON u.id = f.user WHERE u.user_id = ?1 AND f.state = 1 AND (?2 < 0 OR (f.kind = 0) = ?2)"
        " AND f.id < coalesce((SELECT a.id FROM files a WHERE a.file_id = ?3 AND a.user = u.id), 9223372036854775807) ORDER BY f.id DESC LIMIT ?4",
        "SELECT " COLUMNS " FROM files f JOIN users u ON u.id = f.user WHERE u.user_id = ?1 AND f.state = 1 AND (?2 < 0 OR (f.kind = 0) = ?2)"
        " AND f.id > coalesce((SELECT a.id FROM files a WHERE a.file_id = ?3 AND a.user = u.id), 0) ORDER BY f.id LIMIT ?4",
    };
    struct query q = query(ro, sql[oldest]);

    *n = 0;
    query_text(&q, user_id);
    query_i64(&q, uploaded);
    query_text(&q, after);
    query_i64(&q, limit + 1);
    while (query_row(&q))
        read_row(&q, &out[(*n)++]);
    return query_end(&q);
}

static void part_of(const char *file_id, int64_t n, char what[WHAT_SIZE])
{
    (void)snprintf(what, WHAT_SIZE, "%s %" PRId64, file_id, n);
}

enum weir_err files_read(struct db *ro, const struct file_row *f, int64_t start, int64_t n, struct sb *out)
{
    int64_t first = start / FILE_PART_BYTES, last = (start + n - 1) / FILE_PART_BYTES, at = first;
    struct sb part = sb_make(FILE_PART_BYTES);
    struct query q = query(ro, "SELECT sealed, data FROM file_parts WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
    enum weir_err e = WEIR_OK, done;

    query_i64(&q, f->id << PART_BITS | first);
    query_i64(&q, f->id << PART_BITS | last);
    while (!e && n > 0 && query_row(&q)) {
        int64_t from = start - at * FILE_PART_BYTES, room;
        char what[WHAT_SIZE];

        sb_reset(&part);
        part_of(f->file_id, at++, what);
        e = blob_read(&q, 0, f->user, what, &part);
        room = (int64_t)part.len - from;
        room = room < n ? room : n;
        if (e || room <= 0)
            break;
        sb_put(out, part.p + from, (size_t)room);
        start += room;
        n -= room;
    }
    done = query_stop(&q);
    sb_done(&part);
    return e ? e : done ? done : sb_ok(out) ? WEIR_OK : WEIR_E_OVERLOADED;
}

/* --- writer --- */

enum weir_err files_begin(struct db *db, const char *user_id, const char *file_id, const char *name, int64_t now_ms, int64_t *id)
{
    int64_t user;
    enum weir_err e = ledger_user(db, user_id, &user);
    struct query q;

    if (e)
        return e;
    q = query(db, "INSERT INTO files(file_id, user, kind, state, name, bytes, created_ms, expires_ms) VALUES (?1,?2,0,0,?3,0,?4,?4)"
                  " RETURNING id");
    query_text(&q, file_id);
    query_i64(&q, user);
    query_text(&q, name);
    query_i64(&q, now_ms);
    *id = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_end(&q);
}

/* What the person's files count for, this one included with as many bytes more, and whose it is. */
static enum weir_err measure(struct db *db, int64_t id, size_t more, int64_t *user, char file_id[RAND_ID_SIZE], int64_t *bytes)
{
    struct query q = query(db, "SELECT f.user, f.file_id, (SELECT sum(max(o.bytes + iif(o.id = ?1, ?2, 0), 4096)) FROM files o"
                               " WHERE o.user = f.user AND o.state < 2) FROM files f WHERE f.id = ?1");
    bool found;
    enum weir_err e;

    query_i64(&q, id);
    query_i64(&q, (int64_t)more);
    found = query_row(&q);
    *user = found ? query_col_i64(&q, 0) : 0;
    *bytes = found ? query_col_i64(&q, 2) : 0;
    (void)snprintf(file_id, RAND_ID_SIZE, "%s", found ? query_col_text(&q, 1) : "");
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

enum weir_err files_add_part(struct db *db, int64_t id, int64_t n, const void *p, size_t bytes, int64_t user_max)
{
    int64_t user, all;
    char file_id[RAND_ID_SIZE], what[WHAT_SIZE];
    struct sb kept = sb_make(1);
    struct query q;
    enum weir_err e = measure(db, id, bytes, &user, file_id, &all), done;

    if (!e && all > user_max)
        e = WEIR_E_OUT_OF_RANGE;
    if (e)
        return e;
    part_of(file_id, n, what);
    q = query(db, "INSERT INTO file_parts(id, sealed, data) VALUES (?1, ?2, ?3)");
    query_i64(&q, id << PART_BITS | n);
    e = blob_bind(&q, user, what, p, bytes, &kept);
    done = query_end(&q);
    sb_done(&kept);
    if (e || done)
        return e ? e : done;
    q = query(db, "UPDATE files SET bytes = bytes + ?2 WHERE id = ?1");
    query_i64(&q, id);
    query_i64(&q, (int64_t)bytes);
    return query_end(&q);
}

enum weir_err files_finish(struct db *db, int64_t id, int64_t expires_ms)
{
    struct query q = query(db, "UPDATE files SET state = 1, expires_ms = ?2 WHERE id = ?1 AND state = 0");

    query_i64(&q, id);
    query_i64(&q, expires_ms);
    return query_end(&q);
}

enum weir_err files_of_batch(struct db *db, int64_t batch, int64_t user, enum file_kind kind, const char *name, int64_t bytes, int64_t now_ms,
                             int64_t expires_ms)
{
    struct query q = query(db, "INSERT INTO files(file_id, user, kind, state, batch, name, bytes, created_ms, expires_ms)"
                               " VALUES (?1,?2,?3,1,?4,?5,?6,?7,?8)");
    char file_id[RAND_ID_SIZE];

    rand_id(file_id, "file");
    query_text(&q, file_id);
    query_i64(&q, user);
    query_i64(&q, kind);
    query_i64(&q, batch);
    query_text(&q, name);
    query_i64(&q, bytes);
    query_i64(&q, now_ms);
    query_i64(&q, expires_ms);
    return query_end(&q);
}

enum weir_err files_drop(struct db *db, int64_t id)
{
    struct query q = query(db, "UPDATE files SET state = 2 WHERE id = ?1 AND state < 2 AND NOT " USED);
    int64_t before = db_changes(db);
    enum weir_err e;

    query_i64(&q, id);
    e = query_end(&q);
    return e ? e : db_changes(db) > before ? WEIR_OK : WEIR_E_CONFLICT;
}

enum weir_err files_drop_all(struct db *db, int64_t user)
{
    struct query q = query(db, "UPDATE files SET state = 2, name = '' WHERE user = ?1");

    query_i64(&q, user);
    return query_end(&q);
}

enum weir_err files_drop_unfinished(struct db *db)
{
    return db_exec(db, "UPDATE files SET state = 2 WHERE state = 0");
}

enum weir_err files_expire(struct db *db, int64_t now_ms)
{
    struct query q = query(db, "UPDATE files SET state = 2 WHERE state = 1 AND expires_ms <= ?1 AND NOT " USED);

    query_i64(&q, now_ms);
    return query_end(&q);
}

/* --- what dropped files leave behind --- */

static enum weir_err purge_parts(struct db *db, int64_t file)
{
    struct query q = query(db, "DELETE FROM file_parts WHERE id IN (SELECT id FROM file_parts WHERE id BETWEEN ?1 AND ?2 LIMIT ?3)");

    query_i64(&q, file << PART_BITS);
    query_i64(&q, file << PART_BITS | ((1 << PART_BITS) - 1));
    query_i64(&q, PURGED_PARTS);
    return query_end(&q);
}

/* Of answers, or of all that is none: both what failed and what was never sent. */
static enum weir_err purge_lines(struct db *db, int64_t batch, enum file_kind kind)
{
    struct query q = query(db, "UPDATE batch_items SET line = NULL WHERE id IN (SELECT id FROM batch_items WHERE id BETWEEN ?1 AND ?2"
                               " AND line IS NOT NULL AND (state = 1) = ?3 LIMIT ?4)");

    query_i64(&q, batch << PART_BITS);
    query_i64(&q, batch << PART_BITS | ((1 << PART_BITS) - 1));
    query_i64(&q, kind == FILE_OUTPUT);
    query_i64(&q, PURGED_LINES);
    return query_end(&q);
}

enum weir_err files_purge_some(struct db *db, int64_t user, bool *left)
{
    struct query q = query(db, "SELECT id, kind, coalesce(batch, 0) FROM files WHERE state = 2 AND (?1 = 0 OR user = ?1) LIMIT 1");
    int64_t id, batch, before;
    enum file_kind kind;
    enum weir_err e;

    query_i64(&q, user);
    *left = query_row(&q);
    id = *left ? query_col_i64(&q, 0) : 0;
    kind = *left ? (enum file_kind)query_col_i64(&q, 1) : FILE_INPUT;
    batch = *left ? query_col_i64(&q, 2) : 0;
    e = query_stop(&q);
    if (e || !*left)
        return e;
    before = db_changes(db);
    e = kind == FILE_INPUT ? purge_parts(db, id) : purge_lines(db, batch, kind);
    if (e || db_changes(db) > before)
        return e;
    q = query(db, "DELETE FROM files WHERE id = ?1");
    query_i64(&q, id);
    return query_end(&q);
}
