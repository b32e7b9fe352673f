/* db.c - opening and closing a database, its transactions. Statements are in
 * db_query.c, migrations and copies in db_migrate.c.
 *
 * SQLite takes an empty file for a new database and does not notice most bit
 * rot, so a file is only used if it says whose it is, and a new one appears
 * under its name when it is whole. */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/broken.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/db_impl.h"

enum {
    BUSY_MS = 2000, CHECKPOINT_PAGES = 4000, PROGRESS_STEPS = 20000,
    GIVE_BACK = 64,                  /* pages at a time */
    CHECK_MAX_BYTES = 64 << 20, IN_MEMORY_MAX = 256 << 20
};

/* SQLite's allocation statistics take a global mutex on every allocation, which two busy threads would share. */
static void configure_sqlite(void)
{
    int rc = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);

    if (rc != SQLITE_OK)
        log_error("SQLite was used before it was set up (%d); it works, with more memory", rc);
}

int64_t db_pragma(sqlite3 *h, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t n = -1;

    if (sqlite3_prepare_v2(h, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

static enum weir_err refuse(char why[DB_WHY_SIZE], enum weir_err e, const char *path, const char *what)
{
    (void)snprintf(why, DB_WHY_SIZE, "%s: %s", path, what);
    return e;
}

/* One Weir per database: the lock is the kernel's and goes with the process. */
static enum weir_err take_lock(struct db *db, char why[DB_WHY_SIZE])
{
    char *name = sqlite3_mprintf("%s.lock", db->path);
    enum weir_err e = WEIR_OK;

    db->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (db->lock_fd < 0)
        e = refuse(why, WEIR_E_STORAGE, name, strerror(errno));
    else if (flock(db->lock_fd, LOCK_EX | LOCK_NB) != 0)
        e = refuse(why, WEIR_E_STORAGE, db->path, "another Weir has this database open; one at a time may write it.");
    sqlite3_free(name);
    return e;
}

static int past_deadline(void *ctx)
{
    const struct db *db = ctx;

    return db->deadline_us && clock_mono_us() > db->deadline_us;
}

static enum weir_err connect_to(struct db *db, const char *file, int flags, char why[DB_WHY_SIZE])
{
    int rc = sqlite3_open_v2(file, &db->h, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

    if (rc != SQLITE_OK)
        return refuse(why, WEIR_E_STORAGE, file, sqlite3_errstr(rc));
    (void)sqlite3_busy_timeout(db->h, BUSY_MS);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    return WEIR_OK;
}

/* Say no to what is not a Weir database, before a byte of it is changed. */
static enum weir_err identify(struct db *db, char why[DB_WHY_SIZE])
{
    int64_t id = db_pragma(db->h, "PRAGMA application_id");
    int64_t version = db_pragma(db->h, "PRAGMA user_version");

    if (id < 0 || version < 0)
        return refuse(why, WEIR_E_CONFLICT, db->path, "this is no SQLite database, or it is damaged. "
                      "Nothing was changed; restore a backup ('weir backup' makes them), or name another file.");
    if (id != DB_APPLICATION_ID)
        return refuse(why, WEIR_E_CONFLICT, db->path,
                      "this database belongs to another program. Nothing was changed; name another file.");
    if (version > db_schema_newest()) {
        (void)snprintf(why, DB_WHY_SIZE, "%s: this database is newer than this program (schema %lld, known up to %d). "
                       "Nothing was changed; start the newer Weir.", db->path, (long long)version, db_schema_newest());
        return WEIR_E_CONFLICT;
    }
    return WEIR_OK;
}

/* After a kill the write-ahead log is still there: what it is applied to is looked through first. A large database is
 * left to the daily check, so that starting stays quick. */
static enum weir_err check_after_crash(struct db *db, char why[DB_WHY_SIZE])
{
    char *wal = sqlite3_mprintf("%s-wal", db->path);
    struct stat st, log;
    bool unclean = stat(wal, &log) == 0 && log.st_size > 0 && stat(db->path, &st) == 0 && st.st_size <= CHECK_MAX_BYTES;
    sqlite3_stmt *check = NULL;
    const char *word = "ok";
    enum weir_err e = WEIR_OK;

    sqlite3_free(wal);
    if (!unclean)
        return WEIR_OK;
    if (sqlite3_prepare_v2(db->h, "PRAGMA quick_check(1)", -1, &check, NULL) != SQLITE_OK ||
        sqlite3_step(check) != SQLITE_ROW)
        word = sqlite3_errmsg(db->h);
    else
        word = (const char *)sqlite3_column_text(check, 0);
    if (!word || strcmp(word, "ok") != 0) {
        (void)snprintf(why, DB_WHY_SIZE, "%s: the database is damaged (%.200s). Nothing was changed; restore a backup "
                       "('weir backup' makes them).", db->path, word ? word : "unreadable");
        e = WEIR_E_CONFLICT;
    }
    sqlite3_finalize(check);
    return e;
}

static enum weir_err set_up_writer(struct db *db, char why[DB_WHY_SIZE])
{
    static const char pragmas[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                                  "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2048;"
                                  "PRAGMA journal_size_limit = 16777216";

    if (sqlite3_db_readonly(db->h, "main") != 0)
        return refuse(why, WEIR_E_STORAGE, db->path, "the file may not be written by this user.");
    if (sqlite3_exec(db->h, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return refuse(why, WEIR_E_STORAGE, db->path, sqlite3_errmsg(db->h));
    (void)sqlite3_wal_autocheckpoint(db->h, CHECKPOINT_PAGES);
    if (BROKEN("no-fsync"))
        return sqlite3_exec(db->h, "PRAGMA synchronous = OFF", NULL, NULL, NULL) ? WEIR_E_STORAGE : WEIR_OK;
    if (db_pragma(db->h, "PRAGMA synchronous") != 2)
        return refuse(why, WEIR_E_STORAGE, db->path, "synchronous=FULL could not be set.");
    return WEIR_OK;
}

/* A new database is made whole under another name: a file without content is never taken for one. */
static enum weir_err create(struct db *db, char why[DB_WHY_SIZE])
{
    char *fresh = sqlite3_mprintf("%s.new", db->path);
    char *sql = sqlite3_mprintf("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = %d", DB_APPLICATION_ID);
    enum weir_err e = WEIR_E_STORAGE;
    int fd;

    (void)unlink(fresh);
    fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)refuse(why, e, fresh, strerror(errno));
        goto out;
    }
    e = connect_to(db, fresh, SQLITE_OPEN_READWRITE, why);
    if (!e && sqlite3_exec(db->h, sql, NULL, NULL, NULL) != SQLITE_OK)
        e = refuse(why, WEIR_E_STORAGE, fresh, sqlite3_errmsg(db->h));
    if (!e)
        e = db_migrate(db, why);
    db_statements_done(db);
    if (sqlite3_close(db->h) != SQLITE_OK && !e)
        e = refuse(why, WEIR_E_INTERNAL, fresh, "could not be closed");
    db->h = NULL;
    if (!e && (fsync(fd) != 0 || rename(fresh, db->path) != 0 || !file_sync_directory_of(db->path)))
        e = refuse(why, WEIR_E_STORAGE, db->path, strerror(errno));
out:
    if (fd >= 0)
        close(fd);
    if (e)
        (void)unlink(fresh);
    sqlite3_free(sql);
    sqlite3_free(fresh);
    return e;
}

static struct db *make(const char *path)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct db *db = mem_zalloc(1, sizeof *db);

    (void)pthread_once(&once, configure_sqlite);         /* before anything else of SQLite's is called */
    db->path = mem_strdup(path);
    db->lock_fd = -1;
    return db;
}

enum weir_err db_open(const char *path, struct db **out, char why[DB_WHY_SIZE])
{
    struct db *db = make(path);
    struct stat st;
    enum weir_err e;

    *out = NULL;
    why[0] = '\0';
    e = take_lock(db, why);
    if (!e && stat(path, &st) != 0)
        e = errno == ENOENT ? create(db, why) : refuse(why, WEIR_E_STORAGE, path, strerror(errno));
    else if (!e && st.st_size == 0)
        e = refuse(why, WEIR_E_CONFLICT, path, "the database file is there but empty: its content was lost. "
                   "Restore a backup, or remove the file to begin anew.");
    if (!e)
        e = connect_to(db, path, SQLITE_OPEN_READWRITE, why);
    if (!e)
        e = identify(db, why);
    if (!e)
        e = check_after_crash(db, why);
    if (!e)
        e = set_up_writer(db, why);
    if (!e)
        e = db_migrate(db, why);
    if (e)
        db_close(db);
    else
        *out = db;
    return e;
}

/* Of pages a reader keeps. */
#define READER_KIB "-8192"
#define PASSING_KIB "-1024"

void db_pass_over(struct db *ro, bool on)
{
    (void)sqlite3_exec(ro->h, on ? "PRAGMA cache_size = " PASSING_KIB : "PRAGMA cache_size = " READER_KIB, NULL, NULL, NULL);
}

enum weir_err db_open_reader(const char *path, struct db **out, char why[DB_WHY_SIZE])
{
    struct db *db = make(path);
    enum weir_err e;

    *out = NULL;
    why[0] = '\0';
    e = connect_to(db, path, SQLITE_OPEN_READONLY, why);
    if (!e)
        e = identify(db, why);
    if (!e && sqlite3_exec(db->h, "PRAGMA temp_store = MEMORY; PRAGMA cache_size = " READER_KIB, NULL, NULL, NULL) != SQLITE_OK)
        e = refuse(why, WEIR_E_STORAGE, path, sqlite3_errmsg(db->h));
    if (e) {
        db_close(db);
        return e;
    }
    sqlite3_progress_handler(db->h, PROGRESS_STEPS, past_deadline, db);
    *out = db;
    return WEIR_OK;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    if (db->gather.free)
        db->gather.free(db->gather.ctx);
    db_statements_done(db);
    if (sqlite3_close(db->h) != SQLITE_OK)
        log_error("%s: closed with statements in use", db->path);
    if (db->lock_fd >= 0)
        close(db->lock_fd);
    free(db->path);
    free(db);
}

const char *db_path(const struct db *db)
{
    return db->path;
}

void db_set_gather(struct db *db, const struct db_gather *g)
{
    db->gather = *g;
}

void *db_gather_ctx(const struct db *db)
{
    return db->gather.ctx;
}

/* Are database and log still the files that are open? In a transaction, as the log is made by the first. */
static bool still_there(struct db *db, const char **which)
{
    static const char *const ends[] = {"", "-wal"};

    for (int i = 0; i < 2; i++) {
        struct db_file *f = &db->file[i];
        char name[PATH_MAX];
        struct stat st;

        (void)snprintf(name, sizeof name, "%s%s", db->path, ends[i]);
        *which = ends[i];
        if (stat(name, &st) != 0)
            return f->ino == 0;
        if (f->ino == 0)
            *f = (struct db_file){st.st_dev, st.st_ino};
        if (f->dev != st.st_dev || f->ino != st.st_ino)
            return false;
    }
    return true;
}

enum weir_err db_begin(struct db *db)
{
    const char *which;
    enum weir_err e;

    if (db_in_transaction(db))               /* one that could not even be rolled back, for want of memory */
        db_rollback(db);
    e = db->lost ? WEIR_E_STORAGE : db_exec(db, "BEGIN IMMEDIATE");
    if (e || still_there(db, &which))
        return e;
    db_rollback(db);
    db->lost = true;
    log_error("%s%s was removed or replaced while it is in use; nothing is written any more. End Weir, restore the file if it was "
              "replaced, and start it again; what is settled meanwhile waits in the spill file.", db->path, which);
    if (sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) != SQLITE_OK)
        log_error("%s: what was committed last could not be brought into it", db->path);
    return WEIR_E_STORAGE;
}

enum weir_err db_commit(struct db *db)
{
    enum weir_err e = WEIR_OK;

    if (db->gather.flush)
        e = db->gather.flush(db, db->gather.ctx);
    if (!e)
        e = db_exec(db, "COMMIT");
    if (e)
        db_rollback(db);
    return e;
}

void db_rollback(struct db *db)
{
    if (db->gather.back_to)
        db->gather.back_to(db->gather.ctx, 0);
    if (db_in_transaction(db) && db_exec(db, "ROLLBACK") != WEIR_OK)
        log_error("%s: a transaction could not be rolled back", db->path);
}

enum weir_err db_mark(struct db *db)
{
    if (db->gather.mark)
        db->gather_mark = db->gather.mark(db->gather.ctx);
    return db_exec(db, "SAVEPOINT op");
}

enum weir_err db_mark_keep(struct db *db)
{
    return db_exec(db, "RELEASE op");
}

enum weir_err db_mark_undo(struct db *db)
{
    enum weir_err e = db_exec(db, "ROLLBACK TO op");

    if (db->gather.back_to)
        db->gather.back_to(db->gather.ctx, db->gather_mark);
    return e ? e : db_exec(db, "RELEASE op");
}

bool db_truncate_log(struct db *db)
{
    int rc;

    (void)sqlite3_busy_timeout(db->h, 0);
    rc = sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)sqlite3_busy_timeout(db->h, BUSY_MS);
    return rc == SQLITE_OK;
}

enum weir_err db_rebuild(struct db *db, int64_t max_bytes)
{
    int64_t bytes = db_pragma(db->h, "PRAGMA page_count") * db_pragma(db->h, "PRAGMA page_size");
    enum weir_err e;

    if (bytes > max_bytes)
        return WEIR_E_OUT_OF_RANGE;
    if (bytes > IN_MEMORY_MAX && (e = db_exec(db, "PRAGMA temp_store = FILE")))
        return e;
    e = db_exec(db, "VACUUM");
    if (bytes > IN_MEMORY_MAX && db_exec(db, "PRAGMA temp_store = MEMORY"))
        log_warn("%s: temporary tables stay in files", db->path);
    return e;
}

enum weir_err db_give_back(struct db *db, int64_t pages, int64_t *left)
{
    enum weir_err e = WEIR_OK;

    *left = db_pragma(db->h, "PRAGMA auto_vacuum") == 2 ? db_pragma(db->h, "PRAGMA freelist_count") : 0;
    for (; !e && *left > 0 && pages > 0; pages -= GIVE_BACK, *left -= GIVE_BACK)
        e = db_exec(db, "PRAGMA incremental_vacuum(64)");
    return e;
}

enum weir_err db_probe(struct db *db)
{
    return db_exec(db, "INSERT INTO settings VALUES ('db.probe', '', 0)"
                       " ON CONFLICT(key) DO UPDATE SET changed_ms = changed_ms + 1");
}

bool db_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->h);
}

int64_t db_changes(const struct db *db)
{
    return sqlite3_total_changes64(db->h);
}

enum weir_err db_read_begin(struct db *db, int64_t max_ms)
{
    db->deadline_us = clock_mono_us() + max_ms * USEC_PER_MS;
    return db_exec(db, "BEGIN DEFERRED");
}

void db_read_end(struct db *db)
{
    db->deadline_us = 0;
    if (db_in_transaction(db) && db_exec(db, "COMMIT") != WEIR_OK)
        db_rollback(db);
}
