/* test_session_use.c - what a session has taken is the same from its records as counted along. */
#include "store/session_use.h"

#include "base/rand.h"
#include "fixture_call.h"
#include "unit.h"

/* 46 tokens a call; three reach it. */
static const struct session_limit limit = {.max = 130, .cooldown_ms = 60000};

static void same(struct db *db, const char *session_id, int64_t now_ms, const struct session_tokens *expected)
{
    struct session_tokens t, e = *expected;

    session_tokens_tick(&e, &limit, now_ms);
    ck_assert_int_eq(session_use_read(db, session_id, &limit, now_ms, &t), WEIR_OK);
    ck_assert_int_eq(t.used, e.used);
    ck_assert_int_eq(t.until_ms, e.until_ms);
}

START_TEST(the_records_of_a_session_say_what_it_has_taken_and_until_when_it_cools)
{
    struct db *db = fixture_db();
    struct call_record first, r;
    struct session_tokens t = {0, 0};
    struct rng rng = rng_make(4);
    int cooled = 0;

    fixture_user(db, "usr_a");
    r = first = fixture_call("usr_a", FIXTURE_NOW);
    for (int i = 0; i < 60; i++) {
        fixture_run(db, &r);
        session_tokens_add(&t, &limit, 46, r.accepted_at_ms + r.duration_us / 1000);
        cooled += t.until_ms != 0;
        same(db, first.session_id, r.accepted_at_ms + 1000, &t);
        same(db, first.session_id, r.accepted_at_ms + 61000, &t);
        r = fixture_next(&r);
        r.accepted_at_ms += rng_below(&rng, 40000);
    }
    ck_assert_int_gt(cooled, 5);
    db_close(db);
}
END_TEST

START_TEST(without_a_limit_it_is_the_sum_and_a_session_that_never_was_has_taken_nothing)
{
    static const struct session_limit none = {0, 0};
    struct db *db = fixture_db();
    struct call_record r;
    struct session_tokens t;

    fixture_user(db, "usr_a");
    r = fixture_call("usr_a", FIXTURE_NOW);
    for (int i = 0; i < 4; i++) {
        fixture_run(db, &r);
        if (i < 3)
            r = fixture_next(&r);
    }
    ck_assert_int_eq(session_use_read(db, r.session_id, &none, FIXTURE_NOW, &t), WEIR_OK);
    ck_assert_int_eq(t.used, 4 * 46);
    ck_assert_int_eq(t.until_ms, 0);
    ck_assert_int_eq(session_use_read(db, "ses_never", &limit, FIXTURE_NOW, &t), WEIR_OK);
    ck_assert_int_eq(t.used, 0);
    db_close(db);
}
END_TEST

UNIT_MAIN("session_use", the_records_of_a_session_say_what_it_has_taken_and_until_when_it_cools,
          without_a_limit_it_is_the_sum_and_a_session_that_never_was_has_taken_nothing)
