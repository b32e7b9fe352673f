/* test_traffic.c - the ledger as numbers to replay, and the file of them. */
#include "fixture_call.h"
#include "store/traffic.h"
#include "unit.h"

static struct db *db;

/* Three answered calls of two users a second apart, the last tried twice. */
static void fill(void)
{
    struct call_record r;

    db = fixture_db();
    fixture_user(db, "usr_ann");
    fixture_user(db, "usr_bob");
    ck_assert_int_eq(db_exec(db, "UPDATE users SET weight = 3000 WHERE user_id = 'usr_bob'"), WEIR_OK);
    r = fixture_call("usr_ann", FIXTURE_NOW);
    fixture_run(db, &r);
    r = fixture_next(&r);
    fixture_run(db, &r);
    r = fixture_call("usr_bob", FIXTURE_NOW + 2000);
    r.priority = PRIORITY_HIGH;
    ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    r.attempts[1] = r.attempts[0];
    r.attempts[0].http_status = 429;
    r.attempts[0].error_code = "upstream_rate_limited";
    r.attempt_count = 2;
    r.retry_wait_us = 5000000;
    r.duration_us += 5000000;
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
}

START_TEST(events_become_calls_in_the_order_of_time)
{
    struct traffic t;

    fill();
    ck_assert_int_eq(traffic_load(db, FIXTURE_NOW, FIXTURE_NOW + 10000, 100, &t), WEIR_OK);
    ck_assert_uint_eq(t.n, 3);
    ck_assert_int_eq(t.from_ms, FIXTURE_NOW);
    ck_assert_int_eq(t.call[1].at_us, 1000000);
    ck_assert_int_eq(t.call[2].at_us, 2000000);
    ck_assert_uint_eq(t.users.n, 2);
    ck_assert_str_eq(t.users.v[t.call[0].user], "usr_ann");
    ck_assert_str_eq(t.users.v[t.call[2].user], "usr_bob");
    ck_assert_int_eq(t.weight[t.call[0].user], 1000);
    ck_assert_int_eq(t.weight[t.call[2].user], 3000);
    ck_assert_uint_eq(t.call[0].session, t.call[1].session);
    ck_assert_uint_ne(t.call[0].session, t.call[2].session);
    ck_assert_str_eq(t.models.v[t.call[0].model], "gpt-4o-mini");
    ck_assert_str_eq(t.upstreams.v[t.call[0].upstream], "openai");
    ck_assert_int_eq(t.call[0].prompt, 10);
    ck_assert_int_eq(t.call[0].input, 12);
    ck_assert_int_eq(t.call[0].output, 34);
    ck_assert_int_eq(t.call[0].max_tokens, 100);
    ck_assert_int_eq(t.call[0].wait_us, 1500);
    ck_assert_int_eq(t.call[0].first_us, 310000);
    ck_assert_int_eq(t.call[0].writing_us, 580000);
    ck_assert_int_eq(t.call[0].cost_in, 12 * 150000);
    ck_assert_int_eq(t.call[0].rate_out, 600000);
    ck_assert(t.call[0].priced);
    ck_assert_int_eq(t.call[0].refused, 0);
    ck_assert_int_eq(t.call[2].attempts, 2);
    ck_assert_int_eq(t.call[2].refused, 1);
    ck_assert_int_eq(t.call[2].wait_us, 5001500);
    ck_assert_int_eq(t.call[2].priority, PRIORITY_HIGH);
    traffic_done(&t);
    db_close(db);
}
END_TEST

START_TEST(a_token_with_a_share_of_its_own_is_a_user_of_its_own)
{
    struct traffic t;
    struct call_record r;

    fill();
    ck_assert_int_eq(db_exec(db, "INSERT INTO tokens(token_id, user, name, hash, scopes, max_priority, created_ms, weight) SELECT 'tok_' || n, id,"
                                 " n, CAST(n AS BLOB), '', 2, 0, w FROM users, (SELECT 'own' AS n, 500 AS w UNION SELECT 'plain', NULL)"
                                 " WHERE user_id = 'usr_ann'"), WEIR_OK);
    r = fixture_call("usr_ann", FIXTURE_NOW + 3000);
    r.token_id = "tok_own";
    fixture_run(db, &r);
    r = fixture_call("usr_ann", FIXTURE_NOW + 4000);
    r.token_id = "tok_plain";
    fixture_run(db, &r);
    ck_assert_int_eq(traffic_load(db, FIXTURE_NOW, FIXTURE_NOW + 10000, 100, &t), WEIR_OK);
    ck_assert_uint_eq(t.n, 5);
    ck_assert_uint_eq(t.users.n, 3);
    ck_assert_str_eq(t.users.v[t.call[3].user], "usr_ann/own");
    ck_assert_int_eq(t.weight[t.call[3].user], 500);
    ck_assert_uint_eq(t.call[4].user, t.call[0].user);
    traffic_done(&t);
    db_close(db);
}
END_TEST

START_TEST(range_and_number_are_kept_to)
{
    struct traffic t;

    fill();
    ck_assert_int_eq(traffic_load(db, FIXTURE_NOW + 1, FIXTURE_NOW + 2000, 100, &t), WEIR_OK);
    ck_assert_uint_eq(t.n, 1);
    traffic_done(&t);
    ck_assert_int_eq(traffic_load(db, FIXTURE_NOW, FIXTURE_NOW + 10000, 2, &t), WEIR_OK);
    ck_assert_uint_eq(t.n, 2);                /* the newest */
    ck_assert_int_eq(t.from_ms, FIXTURE_NOW + 1000);
    traffic_done(&t);
    ck_assert_int_eq(traffic_load(db, 0, FIXTURE_NOW, 100, &t), WEIR_OK);
    ck_assert_uint_eq(t.n, 0);
    traffic_done(&t);
    db_close(db);
}
END_TEST

START_TEST(more_than_one_step_of_reading_loses_nothing)
{
    struct traffic t;

    db = fixture_db();
    fixture_user(db, "usr_ann");
    for (int i = 0; i < 1203; i++) {
        struct call_record r = fixture_call("usr_ann", FIXTURE_NOW + i);

        fixture_run(db, &r);
    }
    ck_assert_int_eq(traffic_load(db, FIXTURE_NOW, FIXTURE_NOW + 10000, 5000, &t), WEIR_OK);
    ck_assert_uint_eq(t.n, 1203);
    for (size_t i = 0; i < t.n; i++)
        ck_assert_int_eq(t.call[i].at_us, (int64_t)i * 1000);
    traffic_done(&t);
    db_close(db);
}
END_TEST

START_TEST(a_file_has_the_same_numbers_and_no_names_of_users)
{
    struct sb text = sb_make(1 << 20), again = sb_make(1 << 20), why = sb_make(1000);
    struct traffic t, back;

    fill();
    ck_assert_int_eq(traffic_load(db, FIXTURE_NOW, FIXTURE_NOW + 10000, 100, &t), WEIR_OK);
    traffic_write(&t, &text);
    ck_assert_ptr_null(strstr(sb_str(&text), "ann"));
    ck_assert_ptr_null(strstr(sb_str(&text), "question"));
    ck_assert_msg(traffic_read(sb_str(&text), text.len, &back, &why), "%s", sb_str(&why));
    ck_assert_uint_eq(back.n, t.n);
    for (size_t i = 0; i < t.n; i++)
        ck_assert_mem_eq(&back.call[i], &t.call[i], sizeof t.call[i]);
    ck_assert_str_eq(back.users.v[1], "2");
    ck_assert_mem_eq(back.weight, t.weight, 2 * sizeof *t.weight);
    traffic_write(&back, &again);
    ck_assert_str_eq(sb_str(&text), sb_str(&again));
    sb_done(&text);
    sb_done(&again);
    sb_done(&why);
    traffic_done(&t);
    traffic_done(&back);
    db_close(db);
}
END_TEST

#define HEAD(n) "{\"weir_traffic\":1,\"requests\":" #n ",\"users\":1,\"models\":[\"m\"],\"upstreams\":[]}\n"
#define CALL(at, user)                                                                                                     \
    "{\"at_us\":" #at ",\"user\":" #user ",\"session\":0,\"model\":1,\"upstream\":0,\"priority\":1,\"status\":0,\"prompt\":1," \
    "\"max_tokens\":1,\"input\":1,\"output\":1,\"wait_us\":0,\"first_us\":0,\"writing_us\":0,\"attempts\":0,\"refused\":0,"     \
    "\"priced\":1,\"cost_in\":0,\"cost_out\":0,\"rate_in\":0,\"rate_out\":0}\n"

START_TEST(a_damaged_file_is_refused_with_its_line)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "line 1"},
        {"[]", "line 1"},
        {"{\"weir_traffic\":2,\"requests\":0,\"users\":0,\"models\":[],\"upstreams\":[]}", "line 1"},
        {"{\"weir_traffic\":1,\"requests\":99999999999,\"users\":0,\"models\":[],\"upstreams\":[]}", "line 1"},
        {"{\"weir_traffic\":1,\"requests\":0,\"users\":1,\"models\":[],\"upstreams\":[],\"weights\":[9]}", "line 1"},
        {"{\"weir_traffic\":1,\"requests\":0,\"users\":2,\"models\":[],\"upstreams\":[],\"weights\":[1000]}", "line 1"},
        {HEAD(1), "line 2"},
        {HEAD(1) CALL(0, 2), "look at user"},
        {HEAD(2) CALL(5, 1) CALL(4, 1), "line 3 is not a recorded request: look at at_us"},
        {HEAD(1) CALL(-1, 1), "look at at_us"},
        {HEAD(1) CALL(0, 1) CALL(1, 1), "line 3 is one too many"},
        {HEAD(1) "{\"at_us\":0}", "look at user"},
    };
    struct traffic t;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sb why = sb_make(1000);

        ck_assert_msg(!traffic_read(bad[i].text, strlen(bad[i].text), &t, &why), "%zu", i);
        ck_assert_msg(strstr(sb_str(&why), bad[i].says) != NULL, "%zu: %s", i, sb_str(&why));
        ck_assert_ptr_null(t.call);
        sb_done(&why);
    }
}
END_TEST

UNIT_MAIN("traffic", events_become_calls_in_the_order_of_time, a_token_with_a_share_of_its_own_is_a_user_of_its_own, range_and_number_are_kept_to, more_than_one_step_of_reading_loses_nothing,
          a_file_has_the_same_numbers_and_no_names_of_users, a_damaged_file_is_refused_with_its_line)
