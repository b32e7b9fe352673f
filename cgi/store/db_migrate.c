/* db_migrate.c - bringing a database to this program's schema, and copies of it.
 *
 * Each migration is one transaction that includes user_version: after a kill at
 * any step the file has the schema before or after, never one between. */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "store/db_impl.h"

int db_schema_newest(void)
{
    int n = 0;

    while (db_migrations[n].version)
        n++;
    return n;
}

int db_schema_version(struct db *db)
{
    return (int)db_pragma(db->h, "PRAGMA user_version");
}

static enum weir_err apply(struct db *db, const struct db_migration *m)
{
    char *tail = sqlite3_mprintf("INSERT INTO migrations VALUES (%d, %Q, %lld); PRAGMA user_version = %d; COMMIT",
                                 m->version, m->name, (long long)clock_utc_ms(), m->version);
    int rc = sqlite3_exec(db->h, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db->h, m->sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db->h, tail, NULL, NULL, NULL);
    sqlite3_free(tail);
    return rc == SQLITE_OK ? WEIR_OK : db_error(rc) ? db_error(rc) : WEIR_E_INTERNAL;
}

enum weir_err db_migrate(struct db *db, char why[DB_WHY_SIZE])
{
    int have = db_schema_version(db), newest = db_schema_newest();
    enum weir_err e = WEIR_OK;

    if (have > 0 && have < newest) {
        char *copy = sqlite3_mprintf("%s.before-%d", db->path, newest);

        if (access(copy, F_OK) != 0)
            e = db_backup(db, copy, why);
        sqlite3_free(copy);
    }
    for (int v = have; !e && v < newest; v++) {
        e = apply(db, &db_migrations[v]);
        if (e) {
            (void)snprintf(why, DB_WHY_SIZE, "%s: migration %s failed: %s. The database is as it was before it.",
                           db->path, db_migrations[v].name, sqlite3_errmsg(db->h));
            db_rollback(db);
        } else if (have > 0) {
            log_info("%s: migrated to %s", db->path, db_migrations[v].name);
        }
    }
    return e;
}

/* True if the copy opens and is whole. */
static bool copy_is_whole(const char *file, char why[DB_WHY_SIZE])
{
    sqlite3 *h = NULL;
    sqlite3_stmt *st = NULL;
    bool ok = false;

    if (sqlite3_open_v2(file, &h, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(h, "PRAGMA integrity_check(1)", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW) {
        const char *word = (const char *)sqlite3_column_text(st, 0);

        ok = word && strcmp(word, "ok") == 0 && db_pragma(h, "PRAGMA application_id") == DB_APPLICATION_ID;
        if (!ok)
            (void)snprintf(why, DB_WHY_SIZE, "%s: the copy is not whole: %s", file, word ? word : "unreadable");
    } else {
        (void)snprintf(why, DB_WHY_SIZE, "%s: the copy cannot be read: %s", file, h ? sqlite3_errmsg(h) : "no memory");
    }
    sqlite3_finalize(st);
    sqlite3_close(h);
    return ok;
}

enum weir_err db_backup(struct db *db, const char *to, char why[DB_WHY_SIZE])
{
    char *part = sqlite3_mprintf("%s.part", to);
    char *sql = sqlite3_mprintf("VACUUM INTO %Q", part);
    enum weir_err e = WEIR_E_STORAGE;
    struct stat st;
    int fd = -1;

    if (stat(to, &st) == 0) {
        (void)snprintf(why, DB_WHY_SIZE, "%s: there is a file already; a backup never overwrites one.", to);
        e = WEIR_E_CONFLICT;
        goto out;
    }
    (void)unlink(part);
    fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)snprintf(why, DB_WHY_SIZE, "%s: %s", part, strerror(errno));
        goto out;
    }
    if (sqlite3_exec(db->h, sql, NULL, NULL, NULL) != SQLITE_OK) {
        (void)snprintf(why, DB_WHY_SIZE, "%s: %s", part, sqlite3_errmsg(db->h));
        goto out;
    }
    if (!copy_is_whole(part, why))
        goto out;
    if (fsync(fd) != 0 || rename(part, to) != 0 || !file_sync_directory_of(to)) {
        (void)snprintf(why, DB_WHY_SIZE, "%s: %s", to, strerror(errno));
        goto out;
    }
    e = WEIR_OK;
out:
    if (fd >= 0)
        close(fd);
    if (e && e != WEIR_E_CONFLICT)
        (void)unlink(part);
    sqlite3_free(sql);
    sqlite3_free(part);
    return e;
}
