/* Batches in the database: how many one person may have. */
#include "unit.h"

#include <stdio.h>

#include "fixture_call.h"
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

UNIT_MAIN("batches", one_person_has_a_thousand_that_have_not_ended_and_takes_nobody_elses_place)
