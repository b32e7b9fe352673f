/* The audit log: append-only, and damage is found. */
#include "unit.h"

#include "fixture_db.h"
#include "store/audit.h"

static struct db *ten_rows(void)
{
    struct db *db = fixture_db();

    for (int i = 0; i < 10; i++) {
        const struct audit_entry a = {.at_ms = 1000 + i, .actor = "usr_a", .action = "limits.reset", .object = "openai",
                                      .detail = "{}", .request_id = i % 2 ? "req_1" : NULL};

        ck_assert_int_eq(audit_add(db, &a), WEIR_OK);
    }
    return db;
}

static int64_t first_bad(struct db *db)
{
    int64_t rows, bad;

    ck_assert_int_eq(audit_verify(db, &rows, &bad), WEIR_OK);
    return bad;
}

START_TEST(an_untouched_log_verifies)
{
    struct db *db = ten_rows();
    int64_t rows, bad;

    ck_assert_int_eq(audit_verify(db, &rows, &bad), WEIR_OK);
    ck_assert_int_eq(rows, 10);
    ck_assert_int_eq(bad, 0);
    db_close(db);
}
END_TEST

START_TEST(a_change_a_swap_and_a_gap_are_found)
{
    static const struct { const char *sql; int64_t bad; } rows[] = {
        {"UPDATE audit SET actor = 'usr_b' WHERE seq = 4", 4}, {"UPDATE audit SET at_ms = 9 WHERE seq = 1", 1},
        {"UPDATE audit SET request_id = '' WHERE seq = 3", 3}, {"UPDATE audit SET hash = x'00' WHERE seq = 10", 10},
        {"DELETE FROM audit WHERE seq = 6", 7}, {"DELETE FROM audit WHERE seq = 1", 2},
        {"UPDATE audit SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3);"
         "UPDATE audit SET seq = -seq WHERE seq < 0", 2},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct db *db = ten_rows();
        sqlite3 *thief;

        ck_assert_int_eq(sqlite3_open(fixture_path, &thief), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(thief, "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete", NULL, NULL, NULL),
                         SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(thief, rows[i].sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(thief);
        ck_assert_msg(first_bad(db) == rows[i].bad, "%s: first bad row %lld", rows[i].sql, (long long)first_bad(db));
        db_close(db);
    }
}
END_TEST

UNIT_MAIN("audit", an_untouched_log_verifies, a_change_a_swap_and_a_gap_are_found)
