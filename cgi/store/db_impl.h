/* db_impl.h - what the files of db.h share; nobody else includes it. */
#ifndef WEIR_DB_IMPL_H
#define WEIR_DB_IMPL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/db.h"

struct db_migration {
    int version;               /* 1, 2, … without a gap; 0 ends the table */
    const char *name, *sql;
};
extern const struct db_migration db_migrations[];    /* made from schema/ by the build */

enum { DB_STATEMENTS = 256 };  /* slots of the statement cache, a power of two */

struct db {
    sqlite3 *h;
    char *path;
    int lock_fd;               /* of "<path>.lock"; -1 for readers */
    int64_t deadline_us;       /* of the read transaction; 0: none */
    struct db_gather gather;
    struct db_file {           /* what the writer has open … */
        dev_t dev;
        ino_t ino;             /* 0: not known yet */
    } file[2];                 /* … under the names of the database and of its log */
    bool lost;                 /* there is something else under one of them */
    size_t gather_mark;        /* where db_mark() was */
    int statement_count;
    struct {
        const char *sql;       /* the literal's address is the key */
        sqlite3_stmt *st;
    } statement[DB_STATEMENTS];
};

/* Bring the schema from what the file has to `db_schema_newest()`. */
enum weir_err db_migrate(struct db *db, char why[DB_WHY_SIZE]);
/* SQLite's result as one of ours. */
enum weir_err db_error(int rc);
/* A PRAGMA that answers one integer; -1 on failure. */
int64_t db_pragma(sqlite3 *h, const char *sql);
void db_statements_done(struct db *db);

#endif
