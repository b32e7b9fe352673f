/* Batches in the database: how many one person may have. */
#include "unit.h"

#include <stdio.h>

#include "fixture_call.h"
#include "store/batch_items.h"
#include "store/batches.h"
#include "store/files.h"

static enum weir_err add(struct db *db, const char *user_id, int64_t input, int n)
{
    char batch_id[RAND_ID_SIZE];
    const struct batch_new b = {.batch_id = batch_id, .user_id = user_id, .endpoint = "/v1/embeddings", .input = input, .created_ms = FIXTURE_NOW};

    (void)snprintf(batch_id, sizeof batch_id, "bat_%s_%d", user_id, n);
    return batches_add(db, &b);
}

START_TEST(one_person_has_a_thousand_that_have_not_ended_and_takes_nobody_elses_place)
{
    struct db *db = fixture_db();
    struct batch_row b;
    int64_t input;

    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    ck_assert_int_eq(files_begin(db, "usr_a", "file_a", "in.jsonl", FIXTURE_NOW, &input), WEIR_OK);
    ck_assert_int_eq(files_finish(db, input, FIXTURE_NOW + 1000), WEIR_OK);
    for (int i = 0; i < BATCHES_OPEN_MAX; i++)
        ck_assert_int_eq(add(db, "usr_a", input, i), WEIR_OK);
    ck_assert_int_eq(add(db, "usr_a", input, BATCHES_OPEN_MAX), WEIR_E_RATE_LIMITED);
    ck_assert_int_eq(add(db, "usr_b", input, 0), WEIR_OK);
    ck_assert_int_eq(batches_find(db, "usr_a", "bat_usr_a_7", &b), WEIR_OK);
    ck_assert_int_eq(batches_fail(db, b.id, "{}", FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(add(db, "usr_a", input, BATCHES_OPEN_MAX), WEIR_OK);
    db_close(db);
}
END_TEST

static sqlite3 *newest;

static int note_handle(sqlite3 *h, const char **error, const struct sqlite3_api_routines *api)
{
    (void)error, (void)api;
    newest = h;
    return SQLITE_OK;
}

/* What SQLite's machine has done in all statements. */
static int64_t steps(void)
{
    int64_t n = 0;

    for (sqlite3_stmt *st = sqlite3_next_stmt(newest, NULL); st; st = sqlite3_next_stmt(newest, st))
        n += sqlite3_stmt_status(st, SQLITE_STMTSTATUS_VM_STEP, 0);
    return n;
}

/* What the writer and every round do must not grow with all that there is: 4,000 batches that have ended, each with a file. */
START_TEST(those_that_have_ended_cost_nothing)
{
    struct batch_row row[3];
    struct db *db;
    bool left;
    size_t n;
    int64_t before;

    ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))note_handle), SQLITE_OK);
    db = fixture_db();
    fixture_user(db, "usr_a");
    ck_assert_int_eq(db_exec(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
                                 " INSERT INTO batches(id, batch_id, user, input, endpoint, priority, state, created_ms, expires_ms, ended_ms)"
                                 " SELECT i, 'bat_' || i, (SELECT id FROM users WHERE user_id = 'usr_a'), 1, 'e', 0, 4, 1, 2, 1000 FROM n"), WEIR_OK);
    ck_assert_int_eq(db_exec(db, "INSERT INTO files(file_id, user, kind, state, batch, name, bytes, created_ms, expires_ms)"
                                 " SELECT 'file_' || id, user, 1, 1, id, 'x', 1, 1, 2000 FROM batches"), WEIR_OK);
    before = steps();
    ck_assert_int_eq(batches_purge_some(db, 0, 999, &left), WEIR_OK);
    ck_assert(!left);
    ck_assert_int_eq(batches_open(db, NULL, 2, row, &n), WEIR_OK);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(batches_list(db, "usr_a", NULL, 2, row, &n), WEIR_OK);
    ck_assert_uint_eq(n, 3);
    ck_assert_str_eq(row[0].output_id, "file_4000");
    ck_assert_int_eq(batches_list(db, NULL, "bat_2", 2, row, &n), WEIR_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_lt(steps() - before, 10 * 4000);
    ck_assert_int_eq(db_exec(db, "DELETE FROM files WHERE batch = 17"), WEIR_OK);
    ck_assert_int_eq(batches_purge_some(db, 0, 1001, &left), WEIR_OK);
    ck_assert(left);
    ck_assert_int_eq(batches_find(db, "usr_a", "bat_17", row), WEIR_E_NOT_FOUND);
    db_close(db);
}
END_TEST

START_TEST(a_batch_that_ends_while_its_input_is_read_gets_no_items)
{
    const struct batch_item_place place = {.n = 0, .start = 0, .bytes = 10}, next = {.n = 1, .start = 11, .bytes = 10};
    struct db *db = fixture_db();
    struct batch_row b;
    int64_t input;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(files_begin(db, "usr_a", "file_a", "in.jsonl", FIXTURE_NOW, &input), WEIR_OK);
    ck_assert_int_eq(files_finish(db, input, FIXTURE_NOW + 1000), WEIR_OK);
    ck_assert_int_eq(add(db, "usr_a", input, 0), WEIR_OK);
    ck_assert_int_eq(batches_find(db, "usr_a", "bat_usr_a_0", &b), WEIR_OK);
    ck_assert_int_eq(batch_items_add(db, b.id, &place, 1), WEIR_OK);
    ck_assert_int_eq(batches_fail(db, b.id, "{}", FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(batch_items_add(db, b.id, &next, 1), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM batch_items"), 1);
    db_close(db);
}
END_TEST

UNIT_MAIN("batches", a_batch_that_ends_while_its_input_is_read_gets_no_items, those_that_have_ended_cost_nothing,
          one_person_has_a_thousand_that_have_not_ended_and_takes_nobody_elses_place)
