/* Acceptance, intent, settlement, recovery - and that sums agree. */
#include "unit.h"

#include "fixture_call.h"
#include "rules/hist.h"
#include "store/event_key.h"

START_TEST(an_accepted_call_has_a_session_a_question_and_an_open_event)
{
    struct db *db = fixture_db();
    struct call_record r;

    fixture_user(db, "usr_a");
    r = fixture_call("usr_a", FIXTURE_NOW);
    r.system_text = "Be brief.";
    ck_assert_int_eq(fixture_accept(db, &r, false), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT state FROM events"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT at_ms FROM events"), FIXTURE_NOW);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM messages"), 2);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM rollups"), 0);
    r.attempt_count = 1;
    r.attempts[0].upstream = "openai";
    ck_assert_int_eq(usage_sent(db, &r), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT state FROM events"), 1);
    db_close(db);
}
END_TEST

START_TEST(a_settled_call_has_its_answer_its_attempts_and_its_totals)
{
    struct db *db = fixture_db();
    struct call_record r, s;

    fixture_user(db, "usr_a");
    r = fixture_call("usr_a", FIXTURE_NOW);
    fixture_run(db, &r);
    s = fixture_next(&r);
    fixture_run(db, &s);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM messages"), 4);
    ck_assert_int_eq(fixture_i64(db, "SELECT parent FROM messages WHERE seq = 3"), 2);
    ck_assert_int_eq(fixture_i64(db, "SELECT parent FROM messages WHERE seq = 4"), 3);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM attempts WHERE http_status = 200"), 2);
    ck_assert_int_eq(fixture_i64(db, "SELECT requests FROM sessions"), 2);
    ck_assert_int_eq(fixture_i64(db, "SELECT cost FROM sessions"), 2 * (12 * 150000 + 34 * 600000));
    ck_assert_int_eq(fixture_i64(db, "SELECT settled FROM ledger"), 2);
    db_close(db);
}
END_TEST

START_TEST(settling_twice_counts_once)
{
    struct db *db = fixture_db();
    struct call_record r;

    fixture_user(db, "usr_a");
    r = fixture_call("usr_a", FIXTURE_NOW);
    fixture_run(db, &r);
    r.usage.completion = 9999;
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT completion FROM events"), 34);
    ck_assert_int_eq(fixture_i64(db, "SELECT completion FROM sessions"), 34);
    db_close(db);
}
END_TEST

START_TEST(a_request_id_is_accepted_once)
{
    struct db *db = fixture_db();
    struct call_record r, s;

    fixture_user(db, "usr_a");
    r = fixture_call("usr_a", FIXTURE_NOW);
    ck_assert_int_eq(fixture_accept(db, &r, false), WEIR_OK);
    s = fixture_call("usr_a", FIXTURE_NOW);
    memcpy(s.request_id, r.request_id, sizeof s.request_id);
    ck_assert_int_eq(fixture_accept(db, &s, false), WEIR_E_CONFLICT);
    s.accepted_at_ms++;
    ck_assert_int_eq(fixture_accept(db, &s, false), WEIR_E_CONFLICT);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM sessions"), 1);
    db_close(db);
}
END_TEST

/* However its id came to be: by Weir at that time, by Weir at another, by somebody else. */
START_TEST(a_request_is_found_by_its_id)
{
    static const char *const ids[] = {NULL, "req_0Vc5uzEBJSxFyTHOLrkRUz", "req_1", "chatcmpl-ABC", "0", "req_zzzzzzzzzzzzzzzzzzzzzz"};
    enum { N = sizeof ids / sizeof *ids };
    struct db *db = fixture_db();
    struct call_record r[N];
    int64_t event;

    fixture_user(db, "usr_a");
    for (int i = 0; i < N; i++) {
        r[i] = fixture_call("usr_a", FIXTURE_NOW + i % 3);
        if (ids[i])
            snprintf(r[i].request_id, sizeof r[i].request_id, "%s", ids[i]);
        fixture_run(db, &r[i]);
    }
    for (int i = 0; i < N; i++) {
        struct query q = query(db, "SELECT e.id, (SELECT count(*) FROM messages WHERE message_id = ?2 AND seq = 2) FROM events e"
                                   " WHERE request_id = ?1 AND at_ms = ?3");

        ck_assert_int_eq(event_key_find(db, r[i].request_id, &event), WEIR_OK);
        ck_assert_int_ne(event, 0);
        query_text(&q, r[i].request_id);
        query_text(&q, r[i].message_id);
        query_i64(&q, r[i].accepted_at_ms);
        ck_assert(query_row(&q));
        ck_assert_int_eq(query_col_i64(&q, 0), event);
        ck_assert_int_eq(query_col_i64(&q, 1), 1);
        ck_assert_int_eq(query_end(&q), WEIR_OK);
        r[i].accepted_at_ms += 5;
        ck_assert_int_eq(fixture_accept(db, &r[i], false), WEIR_E_CONFLICT);
    }
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events WHERE typeof(request) = 'blob' AND length(request) = 14"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM messages WHERE typeof(message) = 'integer'"), 2 * N);
    ck_assert_int_eq(event_key_find(db, "req_0000000000000000000000", &event), WEIR_OK);
    ck_assert_int_eq(event, 0);
    db_close(db);
}
END_TEST

START_TEST(requests_of_one_millisecond_do_not_collide)
{
    struct db *db = fixture_db();

    fixture_user(db, "usr_a");
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    for (int i = 0; i < 3000; i++) {          /* four collisions of twenty bits are to be expected */
        struct call_record r = fixture_call("usr_a", FIXTURE_NOW);

        ck_assert_int_eq(usage_accept(db, &r, false), WEIR_OK);
    }
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events"), 3000);
    db_close(db);
}
END_TEST

START_TEST(somebody_elses_session_is_not_found)
{
    struct db *db = fixture_db();
    struct call_record r, s;

    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    r = fixture_call("usr_a", FIXTURE_NOW);
    fixture_run(db, &r);
    s = fixture_next(&r);
    s.user_id = "usr_b";
    ck_assert_int_eq(fixture_accept(db, &s, false), WEIR_E_NOT_FOUND);
    s.user_id = "usr_nobody";
    ck_assert_int_eq(fixture_accept(db, &s, false), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events"), 1);
    db_close(db);
}
END_TEST

START_TEST(another_answer_to_the_same_question_is_a_sibling)
{
    struct db *db = fixture_db();
    struct call_record r, s;

    fixture_user(db, "usr_a");
    r = fixture_call("usr_a", FIXTURE_NOW);
    fixture_run(db, &r);
    s = fixture_next(&r);
    s.user_text = NULL;
    memcpy(s.parent_id, r.user_message_id, sizeof s.parent_id);
    fixture_run(db, &s);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM messages WHERE parent = 1 AND role = 2"), 2);
    db_close(db);
}
END_TEST

START_TEST(a_call_without_a_session_leaves_numbers_only)
{
    struct db *db = fixture_db();
    struct call_record r;

    fixture_user(db, "usr_a");
    r = fixture_call("usr_a", FIXTURE_NOW);
    r.new_session = false;
    r.session_id[0] = '\0';
    r.user_text = NULL;
    fixture_run(db, &r);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM contents"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM session_rollups"), 0);
    db_close(db);
}
END_TEST

START_TEST(an_undone_operation_adds_nothing_to_the_roll_ups)
{
    struct db *db = fixture_db();
    struct call_record kept, undone;

    fixture_user(db, "usr_a");
    kept = fixture_call("usr_a", FIXTURE_NOW);
    undone = fixture_call("usr_a", FIXTURE_NOW);
    undone.model = "a model named for the first time";
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(usage_accept(db, &kept, true), WEIR_OK);
    fixture_answered(&kept);
    ck_assert_int_eq(usage_settle(db, &kept), WEIR_OK);
    ck_assert_int_eq(db_mark(db), WEIR_OK);
    ck_assert_int_eq(usage_accept(db, &undone, true), WEIR_OK);
    fixture_answered(&undone);
    ck_assert_int_eq(usage_settle(db, &undone), WEIR_OK);
    ck_assert_int_eq(db_mark_undo(db), WEIR_OK);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), 1);
    fixture_run(db, &undone);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events e JOIN words w ON w.id = e.model"), 2);
    db_close(db);
}
END_TEST

/* 400 calls over two hours: every kind of status, some without a price, some estimated. */
static void many_calls(struct db *db)
{
    struct rng rng = rng_make(7);

    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    for (int i = 0; i < 400; i++) {
        struct call_record r = fixture_call(i % 3 ? "usr_a" : "usr_b", FIXTURE_NOW + rng_below(&rng, 7200000));

        r.model = i % 4 ? "gpt-4o-mini" : "another";
        ck_assert_int_eq(fixture_accept(db, &r, i % 2), WEIR_OK);
        fixture_answered(&r);
        r.status = (enum call_status)rng_below(&rng, 5);
        r.usage.prompt = rng_below(&rng, 5000);
        r.usage.completion = rng_below(&rng, 5000);
        r.cost.priced = i % 4 != 0;
        r.cost.input = r.cost.priced ? r.usage.prompt * r.cost.rate_in : 0;
        r.cost.output = r.cost.priced ? r.usage.completion * r.cost.rate_out : 0;
        r.estimated = i % 5 == 0;
        r.ttft_us = rng_below(&rng, 3000000);
        ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
    }
}

START_TEST(events_quarters_minutes_and_sessions_have_the_same_sums)
{
    static const char *const same[][3] = {
        {"SELECT count(*) FROM events", "SELECT sum(requests) FROM rollups", "SELECT sum(requests) FROM minute_rollups"},
        {"SELECT sum(prompt) FROM events", "SELECT sum(prompt) FROM rollups", "SELECT sum(prompt) FROM sessions"},
        {"SELECT sum(completion) FROM events", "SELECT sum(completion) FROM rollups",
         "SELECT sum(completion) FROM session_rollups"},
        {"SELECT sum(cost_in + cost_out) FROM events", "SELECT sum(cost_in + cost_out) FROM rollups",
         "SELECT sum(cost) FROM minute_rollups"},
        {"SELECT sum(cost_in + cost_out) FROM events", "SELECT sum(cost) FROM session_rollups",
         "SELECT sum(cost) FROM sessions"},
        {"SELECT count(*) FROM events WHERE rate = 0", "SELECT sum(unpriced) FROM rollups",
         "SELECT sum(unpriced) FROM sessions"},
        {"SELECT sum(ttft_us) FROM events", "SELECT sum(ttft_us) FROM rollups", "SELECT sum(ttft_us) FROM rollups"},
    };
    struct db *db = fixture_db();
    struct hist h;
    struct query q;

    many_calls(db);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        int64_t want = fixture_i64(db, same[i][0]);

        ck_assert_int_gt(want, 0);
        ck_assert_msg(fixture_i64(db, same[i][1]) == want, "%s", same[i][1]);
        ck_assert_msg(fixture_i64(db, same[i][2]) == want, "%s", same[i][2]);
    }
    memset(&h, 0, sizeof h);
    q = query(db, "SELECT hist FROM rollups");
    while (query_row(&q)) {
        size_t n;
        const void *p = query_col_blob(&q, 0, &n);

        ck_assert(hist_unpack(&h, p, n));
    }
    ck_assert_int_eq(query_end(&q), WEIR_OK);
    ck_assert_int_eq(hist_count(&h, HIST_DURATION), 400);
    db_close(db);
}
END_TEST

START_TEST(after_a_crash_every_open_call_is_closed_and_what_was_sent_is_charged)
{
    char why[DB_WHY_SIZE];
    struct db *db = fixture_db();
    struct call_record waiting, sent, done;
    int64_t never_sent, interrupted;

    fixture_user(db, "usr_a");
    waiting = fixture_call("usr_a", FIXTURE_NOW);
    sent = fixture_call("usr_a", FIXTURE_NOW + 1);
    done = fixture_call("usr_a", FIXTURE_NOW + 2);
    ck_assert_int_eq(fixture_accept(db, &waiting, false), WEIR_OK);
    sent.attempt_count = 1;
    sent.attempts[0].upstream = "openai";
    ck_assert_int_eq(fixture_accept(db, &sent, true), WEIR_OK);
    fixture_run(db, &done);
    db_close(db);
    ck_assert_int_eq(db_open(fixture_path, &db, why), WEIR_OK);
    ck_assert_int_eq(usage_recover(db, FIXTURE_NOW + 60000, &never_sent, &interrupted), WEIR_OK);
    ck_assert_int_eq(never_sent, 1);
    ck_assert_int_eq(interrupted, 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events WHERE state < 2"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT cost_in + cost_out FROM events WHERE status = 1"), 10 * 150000);
    ck_assert_int_eq(fixture_i64(db, "SELECT estimated FROM events WHERE status = 1"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT cost_in + cost_out FROM events WHERE status = 2"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM attempts"), 2);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), 3);
    ck_assert_int_eq(usage_recover(db, FIXTURE_NOW + 60000, &never_sent, &interrupted), WEIR_OK);
    ck_assert_int_eq(never_sent + interrupted, 0);
    db_close(db);
}
END_TEST

START_TEST(what_failed_attempts_cost_is_kept_over_a_crash_and_the_model_is_the_one_sent_to)
{
    char why[DB_WHY_SIZE];
    struct db *db = fixture_db();
    struct call_record r;
    int64_t never_sent, interrupted;

    fixture_user(db, "usr_a");
    r = fixture_call("usr_a", FIXTURE_NOW);
    r.model = r.requested_model = "auto";
    ck_assert_int_eq(fixture_accept(db, &r, false), WEIR_OK);
    r.attempt_count = 2;
    r.attempts[0] = (struct call_attempt){.upstream = "one", .model = "cheap", .priced = true};
    r.attempts[1] = (struct call_attempt){.upstream = "two", .model = "dear", .priced = true};
    r.model = "dear";
    r.prompt_tokens_counted = 20;
    r.max_tokens = 50;
    r.cost.rate_in = 1000;
    r.cost.rate_out = 4000;
    r.usage = (struct usage_tokens){.prompt = 10, .completion = 3};
    r.cost.input = 700;
    r.cost.output = 90;
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(fixture_commit(db, usage_sent(db, &r)), WEIR_OK);
    db_close(db);
    ck_assert_int_eq(db_open(fixture_path, &db, why), WEIR_OK);
    ck_assert_int_eq(usage_recover(db, FIXTURE_NOW + 60000, &never_sent, &interrupted), WEIR_OK);
    ck_assert_int_eq(interrupted, 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT cost_in FROM events"), 700 + 20 * 1000);
    ck_assert_int_eq(fixture_i64(db, "SELECT cost_out FROM events"), 90);
    ck_assert_int_eq(fixture_i64(db, "SELECT prompt FROM events"), 30);
    ck_assert_int_eq(fixture_i64(db, "SELECT completion FROM events"), 3);
    ck_assert_int_eq(fixture_i64(db, "SELECT max_tokens FROM events"), 50);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events e JOIN words m ON m.id = e.model JOIN words a ON a.id = e.asked"
                                     " JOIN combos c ON c.model = e.model WHERE m.text = 'dear' AND a.text = 'auto'"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(cost_in + cost_out) FROM attempts"), 700 + 20 * 1000 + 90);
    db_close(db);
}
END_TEST

/* The newest connection's handle, to ask how hard its statements worked. */
static sqlite3 *newest;

static int note_handle(sqlite3 *h, char **why, const void *api)
{
    (void)why, (void)api;
    newest = h;
    return SQLITE_OK;
}

/* Steps of SQLite's machine for the recovery of three open calls beside so many settled ones. */
static int64_t steps_of_recovery(int settled)
{
    struct db *db = fixture_db();
    struct call_record r;
    int64_t a, b, steps = 0;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    for (int i = 0; i < settled + 3; i++) {
        r = fixture_call("usr_a", FIXTURE_NOW + i);
        ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
        fixture_answered(&r);
        if (i % 100 != 50 || i > 300)
            ck_assert_int_eq(usage_settle(db, &r), WEIR_OK);
    }
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    for (sqlite3_stmt *st = sqlite3_next_stmt(newest, NULL); st; st = sqlite3_next_stmt(newest, st))
        (void)sqlite3_stmt_status(st, SQLITE_STMTSTATUS_VM_STEP, 1);
    ck_assert_int_eq(usage_recover(db, FIXTURE_NOW + 60000, &a, &b), WEIR_OK);
    ck_assert_int_eq(b, 3);
    for (sqlite3_stmt *st = sqlite3_next_stmt(newest, NULL); st; st = sqlite3_next_stmt(newest, st))
        steps += sqlite3_stmt_status(st, SQLITE_STMTSTATUS_VM_STEP, 0);
    ck_assert_int_gt(steps, 0);
    db_close(db);
    return steps;
}

START_TEST(recovery_works_no_harder_where_the_ledger_is_long)
{
    ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))note_handle), SQLITE_OK);
    ck_assert_int_eq(steps_of_recovery(400), steps_of_recovery(4000));
}
END_TEST

UNIT_MAIN("usage", an_accepted_call_has_a_session_a_question_and_an_open_event,
          a_settled_call_has_its_answer_its_attempts_and_its_totals, settling_twice_counts_once,
          a_request_id_is_accepted_once, a_request_is_found_by_its_id, requests_of_one_millisecond_do_not_collide,
          somebody_elses_session_is_not_found, another_answer_to_the_same_question_is_a_sibling,
          a_call_without_a_session_leaves_numbers_only, an_undone_operation_adds_nothing_to_the_roll_ups,
          events_quarters_minutes_and_sessions_have_the_same_sums,
          after_a_crash_every_open_call_is_closed_and_what_was_sent_is_charged,
          what_failed_attempts_cost_is_kept_over_a_crash_and_the_model_is_the_one_sent_to,
          recovery_works_no_harder_where_the_ledger_is_long)
