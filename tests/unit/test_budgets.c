/* Budgets in the database, and what their windows have spent, by the records. */
#include "unit.h"

#include <string.h>

#include "base/json.h"
#include "fixture_call.h"
#include "store/budgets.h"
#include "store/ledger.h"

#define USD INT64_C(1000000000000)
#define DAY_MS INT64_C(86400000)
#define COST (12 * INT64_C(150000) + 34 * INT64_C(600000))       /* of fixture_answered() */

static struct budget_row row(const char *id, enum budget_scope scope, const char *key, enum budget_window w)
{
    struct budget_row r = {.rule = {.scope = scope, .window = w, .each = !key, .limit = USD, .warn = {500000, 955000}, .warns = 2},
                           .tz = "UTC", .created_ms = FIXTURE_NOW};

    snprintf(r.rule.id, sizeof r.rule.id, "%s", id);
    snprintf(r.rule.key, sizeof r.rule.key, "%s", key ? key : "");
    return r;
}

static void add(struct db *db, struct budget_row r)
{
    ck_assert_int_eq(budgets_add(db, &r), WEIR_OK);
}

static struct call_record answered(struct db *db, const char *user_id, int64_t at_ms)
{
    struct call_record r = fixture_call(user_id, at_ms);

    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    ck_assert_int_eq(usage_settle(db, &r), WEIR_OK);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    return r;
}

static struct budget_set load(struct db *db, int64_t now_ms)
{
    struct budget_set s;

    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(budgets_load(db, NULL, now_ms, &s), WEIR_OK);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    return s;
}

/* The sums of one budget and key in the window of now. */
static void assert_sum(const struct budget_set *s, const char *id, const char *key, int64_t spent, int64_t lost)
{
    int64_t has_spent = 0, has_lost = 0;

    for (size_t i = 0; i < s->sums; i++) {
        if (strcmp(s->row[s->sum[i].row].rule.id, id) != 0 || strcmp(s->sum[i].key, key) != 0 || s->sum[i].at_ms != s->at_ms)
            continue;
        has_spent += s->sum[i].spent;
        has_lost += s->sum[i].lost;
    }
    ck_assert_msg(has_spent == spent, "%s %s spent %lld, not %lld", id, key, (long long)has_spent, (long long)spent);
    ck_assert_msg(has_lost == lost, "%s %s lost %lld, not %lld", id, key, (long long)has_lost, (long long)lost);
}

START_TEST(a_budget_is_read_back_as_it_was_set)
{
    struct db *db = fixture_db();
    struct budget_row r = row("bud_1", BUDGET_MODEL, "gpt-4o-mini", BUDGET_WEEK), back;

    snprintf(r.tz, sizeof r.tz, "Europe/Berlin");
    add(db, r);
    ck_assert_int_eq(budgets_find(db, "bud_1", &back), WEIR_OK);
    ck_assert_int_eq(back.rule.scope, BUDGET_MODEL);
    ck_assert_str_eq(back.rule.key, "gpt-4o-mini");
    ck_assert_int_eq(back.rule.window, BUDGET_WEEK);
    ck_assert(!back.rule.each);
    ck_assert_str_eq(back.tz, "Europe/Berlin");
    ck_assert_int_eq(back.rule.limit, USD);
    ck_assert_int_eq(back.rule.warns, 2);
    ck_assert_int_eq(back.rule.warn[0], 500000);
    ck_assert_int_eq(back.rule.warn[1], 955000);
    back.rule.limit = 0;
    back.rule.warns = 0;
    ck_assert_int_eq(budgets_change(db, &back), WEIR_OK);
    ck_assert_int_eq(budgets_find(db, "bud_1", &back), WEIR_OK);
    ck_assert_int_eq(back.rule.limit, 0);
    ck_assert_int_eq(back.rule.warns, 0);
    ck_assert_int_eq(budgets_remove(db, "bud_1", FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(budgets_remove(db, "bud_1", FIXTURE_NOW), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(budgets_find(db, "bud_1", &back), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(budgets_change(db, &r), WEIR_E_NOT_FOUND);
    db_close(db);
}
END_TEST

START_TEST(each_scope_finds_what_its_window_has_spent)
{
    struct db *db = fixture_db();
    struct call_record a;
    struct budget_set s;

    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    add(db, row("all", BUDGET_ALL, "", BUDGET_DAY));
    add(db, row("ever", BUDGET_ALL, "", BUDGET_TOTAL));
    add(db, row("a", BUDGET_USER, "usr_a", BUDGET_DAY));
    add(db, row("each", BUDGET_USER, NULL, BUDGET_MONTH));
    add(db, row("model", BUDGET_MODEL, "gpt-4o-mini", BUDGET_DAY));
    add(db, row("dear", BUDGET_MODEL, "gpt-4", BUDGET_DAY));
    add(db, row("session", BUDGET_SESSION, NULL, BUDGET_DAY));
    a = answered(db, "usr_a", FIXTURE_NOW);
    (void)answered(db, "usr_b", FIXTURE_NOW);
    (void)answered(db, "usr_b", FIXTURE_NOW - DAY_MS);           /* yesterday */
    (void)answered(db, "usr_b", FIXTURE_NOW - 40 * DAY_MS);
    s = load(db, FIXTURE_NOW);
    assert_sum(&s, "all", "", 2 * COST, 0);
    assert_sum(&s, "ever", "", 4 * COST, 0);
    assert_sum(&s, "a", "", COST, 0);
    assert_sum(&s, "each", "usr_a", COST, 0);
    assert_sum(&s, "each", "usr_b", 2 * COST, 0);
    assert_sum(&s, "model", "", 2 * COST, 0);
    assert_sum(&s, "dear", "", 0, 0);
    assert_sum(&s, "session", a.session_id, COST, 0);
    budget_set_done(&s);
    db_close(db);
}
END_TEST

START_TEST(a_token_is_charged_for_its_own_calls)
{
    struct db *db = fixture_db();
    struct call_record r;
    struct budget_set s;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(db_exec(db, "INSERT INTO tokens(token_id, user, name, hash, scopes, max_priority, created_ms)"
                                 " VALUES('tok_1', 1, 'n', x'00', '', 2, 0)"), WEIR_OK);
    add(db, row("token", BUDGET_TOKEN, "tok_1", BUDGET_MONTH));
    (void)answered(db, "usr_a", FIXTURE_NOW);
    r = fixture_call("usr_a", FIXTURE_NOW);
    r.token_id = "tok_1";
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    ck_assert_int_eq(usage_settle(db, &r), WEIR_OK);
    ck_assert_int_eq(budgets_load(db, NULL, FIXTURE_NOW, &s), WEIR_OK);      /* in the same transaction */
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    assert_sum(&s, "token", "", COST, 0);
    budget_set_done(&s);
    db_close(db);
}
END_TEST

START_TEST(roll_ups_of_the_open_transaction_are_seen_and_written_once)
{
    struct db *db = fixture_db();
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW);
    struct budget_set s;

    fixture_user(db, "usr_a");
    add(db, row("all", BUDGET_ALL, "", BUDGET_DAY));
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    ck_assert_int_eq(usage_settle(db, &r), WEIR_OK);
    ck_assert_int_eq(budgets_load(db, NULL, FIXTURE_NOW, &s), WEIR_OK);
    assert_sum(&s, "all", "", COST, 0);
    budget_set_done(&s);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM session_rollups"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT settled FROM ledger"), 1);
    db_close(db);
}
END_TEST

START_TEST(what_an_interrupted_call_may_have_cost_beyond_its_record_is_held_for_an_hour)
{
    struct db *db = fixture_db();
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW), waiting = fixture_call("usr_a", FIXTURE_NOW);
    struct call_record talkative = fixture_call("usr_a", FIXTURE_NOW);
    struct usage_mark mark = {.completion = 30, .cost_out = 30 * 600000}, beyond = {.completion = 130, .cost_out = 130 * 600000};
    int64_t never_sent, interrupted;
    struct budget_set s;

    fixture_user(db, "usr_a");
    memcpy(mark.request_id, r.request_id, sizeof mark.request_id);
    add(db, row("all", BUDGET_ALL, "", BUDGET_TOTAL));
    add(db, row("each", BUDGET_USER, NULL, BUDGET_DAY));
    ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
    ck_assert_int_eq(usage_accept(db, &waiting, false), WEIR_OK);
    ck_assert_int_eq(usage_mark(db, &mark), WEIR_OK);
    ck_assert_int_eq(usage_recover(db, FIXTURE_NOW + 1000, &never_sent, &interrupted), WEIR_OK);
    ck_assert_int_eq(interrupted, 1);
    s = load(db, FIXTURE_NOW);
    assert_sum(&s, "all", "", 10 * 150000 + 30 * 600000, 70 * 600000);     /* charged as far as it was seen; there may have been more */
    assert_sum(&s, "each", "usr_a", 10 * 150000 + 30 * 600000, 70 * 600000);
    for (size_t i = 0; i < s.sums; i++)
        ck_assert(!s.sum[i].lost || s.sum[i].lost_until_ms == FIXTURE_NOW + 3600000);
    budget_set_done(&s);
    s = load(db, FIXTURE_NOW + 3600001);
    assert_sum(&s, "all", "", 10 * 150000 + 30 * 600000, 0);
    budget_set_done(&s);
    memcpy(beyond.request_id, talkative.request_id, sizeof beyond.request_id);
    ck_assert_int_eq(usage_accept(db, &talkative, true), WEIR_OK);
    ck_assert_int_eq(usage_mark(db, &beyond), WEIR_OK);
    ck_assert_int_eq(usage_recover(db, FIXTURE_NOW + 1000, &never_sent, &interrupted), WEIR_OK);
    s = load(db, FIXTURE_NOW);
    assert_sum(&s, "all", "", 20 * 150000 + 160 * 600000, 70 * 600000);    /* what came beyond max_tokens is no room for others */
    budget_set_done(&s);
    db_close(db);
}
END_TEST

START_TEST(a_key_is_looked_up_before_it_is_trusted)
{
    struct db *db = fixture_db();
    bool exists;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(budgets_key_exists(db, BUDGET_USER, "usr_a", &exists), WEIR_OK);
    ck_assert(exists);
    ck_assert_int_eq(budgets_key_exists(db, BUDGET_USER, "usr_x", &exists), WEIR_OK);
    ck_assert(!exists);
    ck_assert_int_eq(budgets_key_exists(db, BUDGET_SESSION, "ses_x", &exists), WEIR_OK);
    ck_assert(!exists);
    ck_assert_int_eq(budgets_key_exists(db, BUDGET_MODEL, "any", &exists), WEIR_OK);
    ck_assert(exists);
    db_close(db);
}
END_TEST

UNIT_MAIN("budgets", a_budget_is_read_back_as_it_was_set, each_scope_finds_what_its_window_has_spent,
          a_token_is_charged_for_its_own_calls, roll_ups_of_the_open_transaction_are_seen_and_written_once,
          what_an_interrupted_call_may_have_cost_beyond_its_record_is_held_for_an_hour, a_key_is_looked_up_before_it_is_trusted)
