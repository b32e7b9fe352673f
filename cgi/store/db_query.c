/* db_query.c - cached statements: one is found by the address of its literal,
 * bound in order, stepped, reset. The first failure sticks until query_end(). */
#include "store/db.h"

#include <string.h>

#include "base/log.h"
#include "store/db_impl.h"

enum weir_err db_error(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return WEIR_OK;
    case SQLITE_CONSTRAINT:
        return WEIR_E_CONFLICT;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
        return WEIR_E_STORAGE;
    default:
        return WEIR_E_INTERNAL;
    }
}

/* The slot of `sql`, or the free one where it belongs. The table is never more than three quarters full. */
static size_t slot_of(const struct db *db, const char *sql)
{
    uint64_t h = (uint64_t)(uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(h >> 56);

    while (db->statement[i].sql && db->statement[i].sql != sql)
        i = (i + 1) % DB_STATEMENTS;
    return i;
}

struct query query(struct db *db, const char *sql)
{
    struct query q = {.db = db, .sql = sql, .at = 1, .rc = SQLITE_OK};
    size_t i = slot_of(db, sql);

    if (db->statement[i].sql) {
        q.st = db->statement[i].st;
        return q;
    }
    if (db->statement_count == DB_STATEMENTS / 4 * 3) {
        log_error("database: more different statements than DB_STATEMENTS has room for");
        q.rc = SQLITE_ERROR;
        return q;
    }
    q.rc = sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &q.st, NULL);
    if (q.rc == SQLITE_OK) {
        db->statement[i].sql = sql;
        db->statement[i].st = q.st;
        db->statement_count++;
    }
    return q;
}

void db_statements_done(struct db *db)
{
    for (size_t i = 0; i < DB_STATEMENTS; i++)
        (void)sqlite3_finalize(db->statement[i].st);
    memset(db->statement, 0, sizeof db->statement);
    db->statement_count = 0;
}

void query_i64(struct query *q, int64_t v)
{
    if (q->rc == SQLITE_OK)
        q->rc = sqlite3_bind_int64(q->st, q->at++, v);
}

void query_opt_i64(struct query *q, int64_t v)
{
    if (v < 0)
        query_null(q);
    else
        query_i64(q, v);
}

void query_text_n(struct query *q, const char *s, int64_t n)
{
    if (q->rc == SQLITE_OK)
        q->rc = sqlite3_bind_text64(q->st, q->at++, s, (sqlite3_uint64)n, SQLITE_STATIC, SQLITE_UTF8);
}

void query_text(struct query *q, const char *s)
{
    if (s)
        query_text_n(q, s, (int64_t)strlen(s));
    else
        query_null(q);
}

void query_blob(struct query *q, const void *p, size_t n)
{
    if (q->rc == SQLITE_OK)
        q->rc = n ? sqlite3_bind_blob64(q->st, q->at++, p, n, SQLITE_STATIC) : sqlite3_bind_zeroblob(q->st, q->at++, 0);
}

void query_null(struct query *q)
{
    if (q->rc == SQLITE_OK)
        q->rc = sqlite3_bind_null(q->st, q->at++);
}

bool query_row(struct query *q)
{
    if (q->rc != SQLITE_OK && q->rc != SQLITE_ROW)
        return false;
    q->rc = sqlite3_step(q->st);
    return q->rc == SQLITE_ROW;
}

int64_t query_col_i64(const struct query *q, int col)
{
    return sqlite3_column_int64(q->st, col);
}

bool query_col_null(const struct query *q, int col)
{
    return sqlite3_column_type(q->st, col) == SQLITE_NULL;
}

const char *query_col_text(const struct query *q, int col)
{
    return (const char *)sqlite3_column_text(q->st, col);
}

const void *query_col_blob(const struct query *q, int col, size_t *n)
{
    const void *p = sqlite3_column_blob(q->st, col);

    *n = (size_t)sqlite3_column_bytes(q->st, col);
    return p;
}

enum weir_err query_stop(struct query *q)
{
    enum weir_err e = db_error(q->rc);

    if (e && e != WEIR_E_CONFLICT)
        log_error("database: %s (%d) in: %.200s", sqlite3_errmsg(q->db->h), q->rc, q->sql);
    if (q->st)
        (void)sqlite3_reset(q->st);
    return e;
}

enum weir_err query_end(struct query *q)
{
    while (query_row(q))
        ;
    return query_stop(q);
}

enum weir_err db_exec(struct db *db, const char *sql)
{
    struct query q = query(db, sql);

    return query_end(&q);
}
