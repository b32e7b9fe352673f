/* Opening, refusing, transactions, statements, copies - on real files. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture_db.h"
#include "store/db_impl.h"
#include "store/event_key.h"

static void put(struct db *db, const char *key, const char *value)
{
    struct query q = query(db, "INSERT INTO settings VALUES (?1, ?2, 0)");

    query_text(&q, key);
    query_text(&q, value);
    ck_assert_int_eq(query_end(&q), WEIR_OK);
}

static int64_t settings_count(struct db *db)
{
    return fixture_i64(db, "SELECT count(*) FROM settings");
}

START_TEST(a_new_database_has_the_newest_schema_and_only_its_owner_may_read_it)
{
    struct db *db = fixture_db();
    struct stat st;

    ck_assert_int_eq(db_schema_version(db), db_schema_newest());
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM migrations"), db_schema_newest());
    ck_assert_int_eq(fixture_i64(db, "PRAGMA application_id"), DB_APPLICATION_ID);
    ck_assert_int_eq(fixture_i64(db, "PRAGMA synchronous"), 2);
    ck_assert_int_eq(stat(fixture_path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    db_close(db);
}
END_TEST

START_TEST(what_was_committed_is_there_after_opening_again)
{
    char why[DB_WHY_SIZE];
    struct db *db = fixture_db();

    ck_assert_int_eq(db_begin(db), WEIR_OK);
    put(db, "a", "1");
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    put(db, "b", "2");
    db_rollback(db);
    db_close(db);
    ck_assert_int_eq(db_open(fixture_path, &db, why), WEIR_OK);
    ck_assert_int_eq(settings_count(db), 1);
    db_close(db);
}
END_TEST

static void write_file(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
    close(fd);
}

START_TEST(an_empty_file_is_refused_and_left_alone)
{
    char why[DB_WHY_SIZE];
    struct stat st;
    struct db *db;

    write_file(fixture_new_path(), "", 0);
    ck_assert_int_eq(db_open(fixture_path, &db, why), WEIR_E_CONFLICT);
    ck_assert_ptr_null(db);
    ck_assert_ptr_nonnull(strstr(why, "empty"));
    ck_assert_int_eq(stat(fixture_path, &st), 0);
    ck_assert_int_eq(st.st_size, 0);
}
END_TEST

START_TEST(a_file_that_is_no_database_is_refused)
{
    char why[DB_WHY_SIZE];
    struct db *db;

    write_file(fixture_new_path(), "This is a letter, not a database, and it is long enough to tell.\n", 66);
    ck_assert_int_eq(db_open(fixture_path, &db, why), WEIR_E_CONFLICT);
    ck_assert_ptr_nonnull(strstr(why, fixture_path));
}
END_TEST

static void raw_exec(const char *path, const char *sql)
{
    sqlite3 *h;

    ck_assert_int_eq(sqlite3_open(path, &h), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(h);
}

START_TEST(another_programs_database_is_refused)
{
    char why[DB_WHY_SIZE];
    struct db *db;

    raw_exec(fixture_new_path(), "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    ck_assert_int_eq(db_open(fixture_path, &db, why), WEIR_E_CONFLICT);
    ck_assert_ptr_nonnull(strstr(why, "another program"));
}
END_TEST

START_TEST(a_newer_database_is_refused)
{
    char why[DB_WHY_SIZE];
    struct db *db = fixture_db();

    db_close(db);
    raw_exec(fixture_path, "PRAGMA user_version = 9999");
    ck_assert_int_eq(db_open(fixture_path, &db, why), WEIR_E_CONFLICT);
    ck_assert_ptr_nonnull(strstr(why, "newer"));
    ck_assert_int_eq(db_open_reader(fixture_path, &db, why), WEIR_E_CONFLICT);
}
END_TEST

/* What a kill leaves behind: copies of the database and its log, taken while they are in use. */
static const char *copy_of_a_crash(bool damaged)
{
    static char path[160];
    struct db *db = fixture_db();
    char command[1024];

    ck_assert_int_eq(db_exec(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500)"
                                 " INSERT INTO settings SELECT 'key ' || i, hex(randomblob(200)), 0 FROM n"), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    put(db, "in the log", "only");
    snprintf(path, sizeof path, "%s/crash.db", fixture_dir);
    snprintf(command, sizeof command, "cp %s %s && cp %s-wal %s-wal", fixture_path, path, fixture_path, path);
    ck_assert_int_eq(system(command), 0);
    db_close(db);
    if (damaged) {
        char zeros[4096] = {0};
        int fd = open(path, O_WRONLY);

        ck_assert_int_eq(pwrite(fd, zeros, sizeof zeros, 60 * 4096), sizeof zeros);
        close(fd);
    }
    return path;
}

START_TEST(after_a_crash_what_was_committed_is_there)
{
    char why[DB_WHY_SIZE];
    struct db *db;

    ck_assert_msg(db_open(copy_of_a_crash(false), &db, why) == WEIR_OK, "%s", why);
    ck_assert_int_eq(settings_count(db), 501);
    db_close(db);
}
END_TEST

START_TEST(a_damaged_database_is_refused_after_a_crash)
{
    char why[DB_WHY_SIZE];
    struct db *db;

    ck_assert_int_eq(db_open(copy_of_a_crash(true), &db, why), WEIR_E_CONFLICT);
    ck_assert_msg(strstr(why, "damaged") && strstr(why, "restore"), "%s", why);
}
END_TEST

/* --- a kill while a database is brought to this program's schema --- */

static int64_t steps_left;

static int count_down(void *ctx)
{
    (void)ctx;
    if (--steps_left == 0)
        (void)raise(SIGKILL);
    return 0;
}

static int die_after(sqlite3 *h, char **why, const struct sqlite3_api_routines *api)
{
    (void)why, (void)api;
    sqlite3_progress_handler(h, 1, count_down, NULL);
    return SQLITE_OK;
}

/* A database as the first Weir made it, with a person and a session in it. */
static void make_old(const char *path)
{
    raw_exec(path, "PRAGMA auto_vacuum = INCREMENTAL");
    raw_exec(path, db_migrations[0].sql);
    raw_exec(path, "INSERT INTO migrations VALUES (1, '001_first', 1); PRAGMA user_version = 1; PRAGMA application_id = 1466263922;"
                   "INSERT INTO users VALUES (1, 'usr_a', 'a', 2, 2, NULL, 1, NULL);"
                   "INSERT INTO sessions(session_id, user, title, created_ms, updated_ms) VALUES ('ses_a', 1, 't', 1, 1);"
                   "INSERT INTO messages(id, message_id, parent, role, at_ms) VALUES (1 << 20 | 1, 'msg_a', 0, 1, 7), (1 << 20 | 2, 'msg_b', 1, 2, 9);"
                   "INSERT INTO contents(id, text) VALUES (1 << 20 | 1, 'a question'), (1 << 20 | 2, 'an answer');"
                   "INSERT INTO events VALUES (5, 'req_a', 1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,"
                   " 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 'metadata');"
                   "INSERT INTO attempts VALUES (5, 1, 2, 3, 4, 5, 503, 6, 7, 8, 'p'), (5, 2, 2, 3, 4, 5, 200, 6, 7, 8, NULL)");
}

/* False: the child got through. */
static bool killed_while_opening(const char *path, int64_t steps)
{
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char why[DB_WHY_SIZE];
        struct db *db;

        steps_left = steps;
        (void)sqlite3_auto_extension((void (*)(void))die_after);
        _exit(db_open(path, &db, why) == WEIR_OK ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "the start after a kill failed");
    return WIFSIGNALED(status);
}

/* The schema has one of the versions, whole, and what was in it is there. */
static void expect_whole(const char *path)
{
    sqlite3 *h;

    ck_assert_int_eq(sqlite3_open(path, &h), SQLITE_OK);
    ck_assert_int_eq(db_pragma(h, "SELECT count(*) FROM migrations"), db_pragma(h, "PRAGMA user_version"));
    ck_assert_int_eq(db_pragma(h, "SELECT max(version) FROM migrations"), db_pragma(h, "PRAGMA user_version"));
    ck_assert_int_eq(db_pragma(h, "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM sessions)"), 2);
    ck_assert_int_eq(db_pragma(h, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    ck_assert_int_eq(sqlite3_close(h), SQLITE_OK);
}

START_TEST(killed_in_any_migration_a_database_has_the_schema_before_or_after)
{
    const char *path = fixture_new_path();
    int64_t kills = 0, steps = 1, event;
    char command[400], why[DB_WHY_SIZE];
    struct db *db;

    do {
        snprintf(command, sizeof command, "rm -f %s %s-* %s.*", path, path, path);
        ck_assert_int_eq(system(command), 0);
        make_old(path);
        if (!killed_while_opening(path, steps))
            break;
        kills++;
        expect_whole(path);
        ck_assert_msg(db_open(path, &db, why) == WEIR_OK, "after %d steps: %s", (int)steps, why);
        ck_assert_int_eq(db_schema_version(db), db_schema_newest());
        ck_assert_int_eq(fixture_i64(db, "SELECT texts_ms FROM sessions"), 7);
        ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM attempts WHERE event = 5 AND n = 1 AND http_status = 503 AND reserved_out = 8"), 1);
        ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events WHERE request_id = 'req_a' AND user = 1 AND state = 2 AND metadata = 'metadata'"
                                         " AND writing_us = 33 AND http_status IS NULL"), 1);
        ck_assert_int_eq(event_key_find(db, "req_a", &event), WEIR_OK);
        ck_assert_int_eq(event, 5);
        ck_assert_int_eq(fixture_i64(db, "SELECT id & 1048575 FROM messages WHERE message_id = 'msg_b' AND parent = 1 AND at_ms = 9"), 2);
        ck_assert_int_eq(fixture_i64(db, "SELECT rowid & 1048575 FROM contents_words WHERE contents_words MATCH 'question'"), 1);
        db_close(db);
        expect_whole(path);
        steps += 1 + steps / 6;
    } while (true);
    ck_assert_int_gt(kills, 25);
}
END_TEST

START_TEST(only_one_may_write_a_database)
{
    char why[DB_WHY_SIZE];
    struct db *db = fixture_db(), *other;

    ck_assert_int_eq(db_open(fixture_path, &other, why), WEIR_E_STORAGE);
    ck_assert_ptr_nonnull(strstr(why, "another Weir"));
    db_close(db);
    ck_assert_int_eq(db_open(fixture_path, &other, why), WEIR_OK);
    db_close(other);
}
END_TEST

START_TEST(a_reader_cannot_write_and_sees_one_state_between_begin_and_end)
{
    struct db *db = fixture_db(), *ro = fixture_reader();

    ck_assert_int_eq(db_exec(ro, "DELETE FROM settings"), WEIR_E_STORAGE);
    ck_assert_int_eq(db_read_begin(ro, 5000), WEIR_OK);
    ck_assert_int_eq(settings_count(ro), 0);
    put(db, "a", "1");
    ck_assert_int_eq(settings_count(ro), 0);
    db_read_end(ro);
    ck_assert_int_eq(settings_count(ro), 1);
    db_close(ro);
    db_close(db);
}
END_TEST

START_TEST(a_reader_that_takes_too_long_is_stopped)
{
    struct db *db = fixture_db(), *ro = fixture_reader();
    struct query q;

    ck_assert_int_eq(db_read_begin(ro, 1), WEIR_OK);
    q = query(ro, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000000) SELECT sum(i) FROM n");
    ck_assert(!query_row(&q));
    ck_assert_int_eq(query_stop(&q), WEIR_E_STORAGE);
    db_read_end(ro);
    ck_assert_int_eq(settings_count(ro), 0);
    db_close(ro);
    db_close(db);
}
END_TEST

struct tally {
    size_t pending, written;
};

static enum weir_err tally_flush(struct db *db, void *ctx)
{
    struct tally *t = ctx;

    (void)db;
    t->written += t->pending;
    t->pending = 0;
    return WEIR_OK;
}

static size_t tally_mark(void *ctx)
{
    return ((struct tally *)ctx)->pending;
}

static void tally_back_to(void *ctx, size_t mark)
{
    ((struct tally *)ctx)->pending = mark;
}

START_TEST(what_is_gathered_follows_the_transaction)
{
    struct tally t = {0, 0};
    struct db_gather g = {tally_flush, tally_mark, tally_back_to, NULL, &t};
    struct db *db = fixture_db();

    db_set_gather(db, &g);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    t.pending = 1;
    put(db, "kept", "1");
    ck_assert_int_eq(db_mark(db), WEIR_OK);
    t.pending = 2;
    put(db, "undone", "1");
    ck_assert_int_eq(db_mark_undo(db), WEIR_OK);
    ck_assert_uint_eq(t.pending, 1);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    ck_assert_uint_eq(t.written, 1);
    ck_assert_int_eq(settings_count(db), 1);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    t.pending = 5;
    db_rollback(db);
    ck_assert_uint_eq(t.pending, 0);
    db_close(db);
}
END_TEST

START_TEST(a_broken_constraint_is_a_conflict_and_the_statement_works_again)
{
    static const char sql[] = "INSERT INTO settings VALUES (?1, '', 0)";
    struct db *db = fixture_db();
    static const enum weir_err want[] = {WEIR_OK, WEIR_E_CONFLICT, WEIR_OK};
    static const char *const keys[] = {"a", "a", "b"};

    for (int i = 0; i < 3; i++) {
        struct query q = query(db, sql);

        query_text(&q, keys[i]);
        ck_assert_int_eq(query_end(&q), want[i]);
    }
    db_close(db);
}
END_TEST

START_TEST(a_backup_is_whole_and_never_overwrites)
{
    char why[DB_WHY_SIZE], to[160];
    struct db *db = fixture_db(), *ro = fixture_reader(), *copy;

    put(db, "a", "1");
    snprintf(to, sizeof to, "%s/copy.db", fixture_dir);
    ck_assert_msg(db_backup(ro, to, why) == WEIR_OK, "%s", why);
    ck_assert_int_eq(db_backup(ro, to, why), WEIR_E_CONFLICT);
    ck_assert_int_eq(db_open_reader(to, &copy, why), WEIR_OK);
    ck_assert_int_eq(settings_count(copy), 1);
    db_close(copy);
    db_close(ro);
    db_close(db);
}
END_TEST

START_TEST(the_audit_table_takes_no_changes)
{
    struct db *db = fixture_db();

    ck_assert_int_eq(db_exec(db, "INSERT INTO audit VALUES (1, 0, 'a', 'b', 'c', '{}', NULL, x'00')"), WEIR_OK);
    ck_assert_int_eq(db_exec(db, "UPDATE audit SET actor = 'x'"), WEIR_E_CONFLICT);
    ck_assert_int_eq(db_exec(db, "DELETE FROM audit"), WEIR_E_CONFLICT);
    db_close(db);
}
END_TEST

UNIT_MAIN("db", a_new_database_has_the_newest_schema_and_only_its_owner_may_read_it,
          what_was_committed_is_there_after_opening_again, an_empty_file_is_refused_and_left_alone,
          a_file_that_is_no_database_is_refused, another_programs_database_is_refused, a_newer_database_is_refused,
          after_a_crash_what_was_committed_is_there, a_damaged_database_is_refused_after_a_crash,
          killed_in_any_migration_a_database_has_the_schema_before_or_after, only_one_may_write_a_database,
          a_reader_cannot_write_and_sees_one_state_between_begin_and_end,
          a_reader_that_takes_too_long_is_stopped, what_is_gathered_follows_the_transaction,
          a_broken_constraint_is_a_conflict_and_the_statement_works_again, a_backup_is_whole_and_never_overwrites,
          the_audit_table_takes_no_changes)
