/* test_upkeep.c - what survives a restart, and what is swept away. */
#include "store/upkeep.h"

#include "fixture_db.h"
#include "unit.h"

static const char *value(struct db *db, const char *key)
{
    static struct sb out;

    sb_done(&out);
    out = sb_make(1024);
    ck_assert_int_eq(upkeep_get(db, key, &out), WEIR_OK);
    return sb_str(&out);
}

START_TEST(a_value_is_the_one_put_last_and_absent_before)
{
    struct db *db = fixture_db();

    ck_assert_str_eq(value(db, "a"), "");
    ck_assert_int_eq(upkeep_put(db, "a", "1", 10), WEIR_OK);
    ck_assert_int_eq(upkeep_put(db, "b", "2", 10), WEIR_OK);
    ck_assert_int_eq(upkeep_put(db, "a", "3", 20), WEIR_OK);
    ck_assert_str_eq(value(db, "a"), "3");
    ck_assert_str_eq(value(db, "b"), "2");
    db_close(db);
}
END_TEST

START_TEST(minutes_older_than_48_hours_go_and_younger_ones_stay)
{
    const int64_t now_ms = INT64_C(1800000000000) - INT64_C(1800000000000) % 60000;
    const int64_t minute = now_ms / 60000;
    struct db *db = fixture_db();
    int64_t gone;
    struct query q;

    for (int64_t age = 2878; age <= 2882; age++) {
        q = query(db, "INSERT INTO minute_rollups VALUES(?1, 1, 1, 1, 0, 1, 0, 0)");
        query_i64(&q, (minute - age) << 24 | 5);
        ck_assert_int_eq(query_end(&q), WEIR_OK);
    }
    ck_assert_int_eq(upkeep_minutes(db, now_ms, &gone), WEIR_OK);
    ck_assert_int_eq(gone, 2);
    q = query(db, "SELECT count(*), min(at_ms) FROM minute_rollups");
    ck_assert(query_row(&q));
    ck_assert_int_eq(query_col_i64(&q, 0), 3);
    ck_assert_int_eq(query_col_i64(&q, 1), now_ms - INT64_C(48) * 3600 * 1000);
    ck_assert_int_eq(query_stop(&q), WEIR_OK);
    db_close(db);
}
END_TEST

UNIT_MAIN("upkeep", a_value_is_the_one_put_last_and_absent_before, minutes_older_than_48_hours_go_and_younger_ones_stay)
