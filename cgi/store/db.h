/* db.h - one SQLite connection: opening it safely, transactions, statements.
 *
 * A struct db belongs to one thread at a time: the writing one to the writer, a
 * read-only one to each acceptor. There is one writing connection in the process
 * and one Weir per database. Statements are prepared once per connection and
 * reused; SQL is a literal and values are bound. */
#ifndef WEIR_DB_H
#define WEIR_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct db;

enum { DB_WHY_SIZE = 512 };
#define DB_APPLICATION_ID 0x57656972    /* "Weir" */

/* Open for writing: created with mode 0600 if there is no file, migrated to this program's schema (each migration in
 * one transaction with user_version; a copy "<path>.before-<version>" is kept when there was data), WAL,
 * synchronous=FULL, foreign keys checked. Gives *out, closed with db_close().
 * E_CONFLICT: the file is there but empty, foreign, damaged, or newer than this program; nothing was changed.
 * E_STORAGE: it cannot be opened, created, locked or written. In both *out is NULL and `why` a sentence for people
 * that names the file; serve ends with exit 78. */
enum weir_err db_open(const char *path, struct db **out, char why[DB_WHY_SIZE]) __attribute__((warn_unused_result));
/* Open read-only; the file must have been opened for writing before. Results as above. */
enum weir_err db_open_reader(const char *path, struct db **out, char why[DB_WHY_SIZE])
    __attribute__((warn_unused_result));
/* A reader that passes over the whole database, or seldom reads: keep little of it in memory, until `on` is false again. */
void db_pass_over(struct db *ro, bool on);
/* Close; NULL is fine. An open transaction is rolled back. */
void db_close(struct db *db);
const char *db_path(const struct db *db);
/* The schema this program writes, and the one found in the file. */
int db_schema_newest(void);
int db_schema_version(struct db *db);

/* --- transactions of the writing connection --- */

/* BEGIN IMMEDIATE. E_STORAGE also, and for good, once the file or its write-ahead log was removed or replaced under its name:
 * what would be written now would be gone with the process. What was committed before is brought into the file. */
enum weir_err db_begin(struct db *db) __attribute__((warn_unused_result));
/* Write what was gathered, then COMMIT. Unless OK, the transaction is gone. */
enum weir_err db_commit(struct db *db) __attribute__((warn_unused_result));
void db_rollback(struct db *db);
/* A point inside the transaction to go back to; one at a time. */
enum weir_err db_mark(struct db *db) __attribute__((warn_unused_result));
enum weir_err db_mark_keep(struct db *db) __attribute__((warn_unused_result));
enum weir_err db_mark_undo(struct db *db) __attribute__((warn_unused_result));
/* False once SQLite itself rolled back (disk full, I/O error): the transaction is gone. */
bool db_in_transaction(const struct db *db);
/* Rows written since the connection was opened; unchanged means there is nothing to undo. */
int64_t db_changes(const struct db *db);

/* A row is changed, to learn whether the disk takes it: call in a transaction. */
enum weir_err db_probe(struct db *db) __attribute__((warn_unused_result));

/* What was deleted is in the write-ahead log still: write all of it into the file and empty it. Writing connection, outside a
 * transaction; waits for nobody. False: somebody was just reading, or it failed; try again later. */
bool db_truncate_log(struct db *db);
/* Write the whole file anew: pages that rows moved away from may have copies of them in their unused parts, which
 * secure_delete does not reach. Writing connection, outside a transaction; reads and writes everything, so nothing larger than
 * `max_bytes` is: E_OUT_OF_RANGE. Empty the log afterwards. */
enum weir_err db_rebuild(struct db *db, int64_t max_bytes) __attribute__((warn_unused_result));
/* Return about `pages` free pages to the file system, in a transaction; *left is how many remain. A database made before
 * Weir could do so keeps its size: *left is 0. */
enum weir_err db_give_back(struct db *db, int64_t pages, int64_t *left) __attribute__((warn_unused_result));

/* What a module gathers in memory during a transaction and writes once before COMMIT (roll-ups, caches of keys).
 * db calls back on the thread that owns the connection. */
struct db_gather {
    enum weir_err (*flush)(struct db *db, void *ctx);
    size_t (*mark)(void *ctx);                  /* where we are now */
    void (*back_to)(void *ctx, size_t mark);    /* forget what came after; 0 with a rollback of everything */
    void (*free)(void *ctx);
    void *ctx;
};
/* Takes ctx: freed by db_close(). One gatherer per connection. */
void db_set_gather(struct db *db, const struct db_gather *g);
/* Its ctx, or NULL if none was set. */
void *db_gather_ctx(const struct db *db);

/* --- one snapshot for several reads --- */

/* Everything until db_read_end() sees one state of the database; ends itself with E_STORAGE after `max_ms`, so that
 * no reader holds back the checkpoint. */
enum weir_err db_read_begin(struct db *db, int64_t max_ms) __attribute__((warn_unused_result));
void db_read_end(struct db *db);

/* --- statements --- */

/* One use of a cached statement: bind in order, read rows, end.
 *
 *     struct query q = query(db, "SELECT id FROM users WHERE name = ?1");
 *     query_text(&q, name);
 *     if (query_row(&q))
 *         id = query_col_i64(&q, 0);
 *     e = query_end(&q);
 *
 * Failures are remembered and come out of query_end(), logged once; rows then simply end. `sql` must be a literal
 * (the cache is by its address). Bound text is borrowed until query_end(). A statement is used once at a time. */
struct query {
    struct db *db;
    sqlite3_stmt *st;
    const char *sql;
    int at;          /* next parameter */
    int rc;          /* first failure, SQLITE_ROW or SQLITE_DONE */
};
struct query query(struct db *db, const char *sql);
void query_i64(struct query *q, int64_t v);
void query_opt_i64(struct query *q, int64_t v);                        /* a negative one binds NULL */
void query_text(struct query *q, const char *s);                       /* NULL binds NULL */
void query_text_n(struct query *q, const char *s, int64_t n);
void query_blob(struct query *q, const void *p, size_t n);
void query_null(struct query *q);
/* The next row; false at the end or after a failure. */
bool query_row(struct query *q) __attribute__((warn_unused_result));
int64_t query_col_i64(const struct query *q, int col);
bool query_col_null(const struct query *q, int col);
const char *query_col_text(const struct query *q, int col);            /* NULL for NULL; until the next row */
const void *query_col_blob(const struct query *q, int col, size_t *n); /* the same */
/* Run to the end if rows are left, make the statement ready for its next use.
 * E_CONFLICT: a constraint; E_STORAGE: disk, lock, damage; E_INTERNAL: our own mistake. */
enum weir_err query_end(struct query *q) __attribute__((warn_unused_result));
/* query_end() without steps for the rows that are left: what was read is enough. */
enum weir_err query_stop(struct query *q) __attribute__((warn_unused_result));
/* A statement without parameters or rows. */
enum weir_err db_exec(struct db *db, const char *sql) __attribute__((warn_unused_result));

/* --- copies --- */

/* A checked copy of the whole database beside a running Weir: VACUUM INTO "<to>.part", integrity check, fsync, rename.
 * `to` must not exist. E_CONFLICT: it does; E_STORAGE: cannot be written, or the check failed; `why` says what. */
enum weir_err db_backup(struct db *db, const char *to, char why[DB_WHY_SIZE]) __attribute__((warn_unused_result));

#endif
