/* Usage goes to pseudonyms: the ledger holds after every step, no sum changes, nothing leads back. */
#include "unit.h"

#include "fixture_report.h"
#include "store/anonymous.h"
#include "store/budgets.h"
#include "store/convo.h"
#include "store/pseudonym.h"
#include "store/spans.h"
#include "store/verify.h"

#define AGE(days) (FIXTURE_NOW - (int64_t)(days) * DAY)
#define PERSON "usr_somebodyinparticular"

static uint64_t state = 11;

static int64_t any(int64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int64_t)(state % (uint64_t)n);
}

static void expect_holds(void)
{
    struct verify_setup s = {.ro = fixture_reader(), .now_ms = FIXTURE_NOW, .running_since_ms = 0};
    struct verify *v = verify_new(&s);
    struct sb text = sb_make(100000);

    while (verify_step(v)) {
    }
    verify_print(v, &text);
    ck_assert_msg(verify_result(v)->failures == 0, "%s", sb_str(&text));
    sb_done(&text);
    verify_free(v);
    db_close(s.ro);
}

static void fold(void)
{
    for (bool more = true; more;) {
        ck_assert_int_eq(db_begin(db), WEIR_OK);
        ck_assert_int_eq(spans_fold(db, FIXTURE_NOW, &more), WEIR_OK);
        ck_assert_int_eq(db_commit(db), WEIR_OK);
    }
}

/* A call of that age; of that session if there is one, whose row's id is given. */
static struct call_record call(const char *user, int64_t at_ms, const struct call_record *session)
{
    struct call_record r = fixture_call(user, at_ms);

    if (session) {
        memcpy(r.session_id, session->session_id, sizeof r.session_id);
        memcpy(r.parent_id, session->message_id, sizeof r.parent_id);
        r.new_session = false;
    }
    r.model = any(2) ? "gpt-4o" : "gpt-4o-mini";
    r.metadata_json = "{\"who\":\"metadatathattells\"}";
    ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    r.queue_us = any(5000000);
    r.duration_us = r.queue_us + r.ttft_us + r.writing_us;
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
    return r;
}

static void use_keys(void)
{
    char path[160];

    snprintf(path, sizeof path, "%s/keys", fixture_dir);
    pseudonym_use(path);
}

/* 120 days of two people; each has a session that goes on and some that end. */
static void fill(char old_session[CALL_ID_SIZE])
{
    struct call_record on[2], last;
    static const char *const people[] = {PERSON, "usr_other"};

    use_keys();
    for (int p = 0; p < 2; p++) {
        fixture_user(db, people[p]);
        on[p] = call(people[p], AGE(120), NULL);
    }
    for (int day = 119; day >= 0; day--)
        for (int p = 0; p < 2; p++) {
            last = call(people[p], AGE(day) - any(DAY / 2), any(3) ? NULL : &on[p]);
            if (day == 100 && p == 0)
                memcpy(old_session, last.session_id, CALL_ID_SIZE);
        }
    fold();
}

static int64_t anonymize(int64_t before_ms, const struct anonymous_held *held, bool verify_each)
{
    int64_t user = 0, requests, sum = 0;

    for (int step = 0; user >= 0; step++) {
        ck_assert_int_lt(step, 2000);
        ck_assert_int_eq(db_begin(db), WEIR_OK);
        ck_assert_int_eq(fixture_commit(db, anonymous_some(db, before_ms, FIXTURE_NOW, held, &user, &requests)), WEIR_OK);
        sum += requests;
        if (verify_each && step % 16 == 0)
            expect_holds();
    }
    return sum;
}

/* All that is told of a range, but for names of people and sessions. */
static json_t *told(int64_t from_ms, int64_t to_ms)
{
    struct report_filter f = report_filter_make(FIXTURE_NOW);
    json_t *all = json_object(), *cost;

    f.from_ms = from_ms;
    f.to_ms = to_ms;
    f.limit = 1000;
    f.granularity = GRANULARITY_DAY;
    json_object_set_new(all, "usage", parsed(report_token_usage(db, &f, &out)));
    json_object_set_new(all, "performance", parsed(report_performance(db, &f, &out)));
    cost = parsed(report_cost_breakdown(db, &f, &out));
    json_object_del(cost, "by_user");
    json_object_del(cost, "by_session");
    json_object_del(cost, "cost_per");
    json_object_set_new(all, "cost", cost);
    return all;
}

static json_t *people(int64_t from_ms, int64_t to_ms)
{
    struct report_filter f = report_filter_make(FIXTURE_NOW);
    json_t *cost, *list;

    f.from_ms = from_ms;
    f.to_ms = to_ms;
    cost = parsed(report_cost_breakdown(db, &f, &out));
    list = json_incref(json_object_get(cost, "by_user"));
    json_decref(cost);
    return list;
}

START_TEST(every_sum_stays_and_the_ledger_holds_at_every_step)
{
    const struct anonymous_held nobody = {.n = 0};
    char session[CALL_ID_SIZE];
    struct truth all;
    struct report_filter f = report_filter_make(FIXTURE_NOW);
    json_t *before, *after, *august, *then;
    size_t i;
    json_t *one;
    int64_t to_ms;

    out = sb_make(8 << 20);
    db = fixture_db();
    fill(session);
    expect_holds();
    before = told(AGE(130), FIXTURE_NOW);
    august = people(INT64_C(1785542400000), INT64_C(1788220800000));           /* of 2026 */
    ck_assert_uint_eq(json_array_size(august), 2);
    ck_assert_int_eq(anonymize(AGE(40), &nobody, true), fixture_i64(db, "SELECT count(*) FROM events e JOIN users u ON u.id = e.user"
                                                                         " WHERE substr(u.user_id, 1, 4) = 'ano_'"));
    expect_holds();
    after = told(AGE(130), FIXTURE_NOW);
    ck_assert_msg(json_equal(before, after), "%s\n%s", json_dumps(before, JSON_INDENT(1)), json_dumps(after, JSON_INDENT(1)));
    json_decref(before);
    json_decref(after);
    then = people(INT64_C(1785542400000), INT64_C(1788220800000));
    ck_assert_uint_eq(json_array_size(then), 2);                               /* one pseudonym a month */
    json_array_foreach(then, i, one) {
        ck_assert_int_eq(strncmp(json_str(one, "key", ""), "ano_", 4), 0);
        ck_assert_uint_eq(strlen(json_str(one, "key", "")), 20);
        json_object_del(one, "key");
        json_object_del(json_array_get(august, i), "key");
        ck_assert(json_equal(one, json_array_get(august, i)));
    }
    f.from_ms = AGE(130);
    all = truth_of(&f, "1");
    after = parsed(report_cost_breakdown(db, &f, &out));
    assert_list(json_object_get(after, "by_user"), &all, "by_user");
    json_decref(after);
    json_decref(then);
    json_decref(august);
    ck_assert_int_eq(anonymous_to(db, &to_ms), WEIR_OK);
    ck_assert_int_eq(to_ms, AGE(40) - AGE(40) % DAY);
    /* a second time changes nothing */
    ck_assert_int_eq(anonymize(AGE(40), &nobody, false), 0);
    finish();
}
END_TEST

START_TEST(nothing_leads_back)
{
    const struct anonymous_held nobody = {.n = 0};
    char session[CALL_ID_SIZE];
    struct call_record late;

    out = sb_make(8 << 20);
    db = fixture_db();
    fill(session);
    /* as retention does with what nobody uses */
    ck_assert_int_eq(convo_delete(db, PERSON, session), WEIR_OK);
    ck_assert_int_gt(anonymize(AGE(40), &nobody, false), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events e JOIN users u ON u.id = e.user JOIN sessions s ON s.id = e.session"
                                     " WHERE e.at_ms < 1795328400000 - 41 * 86400000"
                                     " AND (u.user_id LIKE 'usr_%' OR s.session_id LIKE 'ses_%' OR e.metadata IS NOT NULL OR e.token != 0)"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM rollups r JOIN combos c ON c.id = r.combo JOIN users u ON u.id = c.user"
                                     " WHERE r.at_ms < 1795328400000 - 41 * 86400000 AND u.user_id LIKE 'usr_%'"), 0);
    ck_assert(db_truncate_log(db));
    ck_assert_int_eq(fixture_file_has("", session), 0);
    ck_assert_int_eq(fixture_file_has("-wal", session), 0);
    ck_assert_int_gt(fixture_file_has("", "metadatathattells"), 0);            /* of younger ones */
    /* what is told late of those days goes as well, to the same pseudonym, until the key of the month is gone */
    late = call(PERSON, AGE(100), NULL);
    (void)late;
    ck_assert_int_eq(anonymize(AGE(40), &nobody, false), 1);
    expect_holds();
    finish();
}
END_TEST

START_TEST(a_session_that_goes_on_keeps_what_is_young)
{
    const struct anonymous_held nobody = {.n = 0};
    char session[CALL_ID_SIZE];
    int64_t all;

    out = sb_make(8 << 20);
    db = fixture_db();
    fill(session);
    all = fixture_i64(db, "SELECT sum(requests) FROM sessions");
    ck_assert_int_gt(anonymize(AGE(40), &nobody, false), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM sessions"), all);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM sessions"), fixture_i64(db, "SELECT sum(requests) FROM session_rollups"));
    ck_assert_int_gt(fixture_i64(db, "SELECT count(*) FROM sessions s WHERE session_id LIKE 'ses_%' AND requests > 0 AND created_ms < 1795328400000 - 100 * 86400000"), 0);
    finish();
}
END_TEST

START_TEST(a_session_that_changed_hands_goes_with_each_of_its_users)
{
    const struct anonymous_held nobody = {.n = 0};
    struct call_record first, theirs;
    char session[CALL_ID_SIZE], from[RAND_ID_SIZE];
    int64_t all;

    out = sb_make(8 << 20);
    db = fixture_db();
    fill(session);
    first = call(PERSON, AGE(100), NULL);
    (void)call(PERSON, AGE(100) + 1000, &first);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(fixture_commit(db, convo_handoff(db, PERSON, first.session_id, "usr_other", AGE(100) + 2000, from)), WEIR_OK);
    ck_assert_str_eq(from, PERSON);
    theirs = call("usr_other", AGE(100) + 3000, &first);         /* in the same quarter of an hour */
    (void)call("usr_other", AGE(20), &theirs);
    fold();
    expect_holds();
    all = fixture_i64(db, "SELECT sum(cost) FROM sessions");
    ck_assert_int_gt(anonymize(AGE(40), &nobody, true), 0);
    expect_holds();
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(cost) FROM sessions"), all);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events e JOIN users u ON u.id = e.user JOIN sessions s ON s.id = e.session"
                                     " WHERE e.at_ms < 1795328400000 - 41 * 86400000 AND (u.user_id LIKE 'usr_%' OR s.session_id LIKE 'ses_%')"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT requests FROM sessions WHERE handed_ms IS NOT NULL"), 1);     /* the young one */
    finish();
}
END_TEST

START_TEST(a_budget_that_never_ends_holds_a_name)
{
    struct anonymous_held held;
    struct budget_row b = {.rule = {.scope = BUDGET_USER, .key = PERSON, .window = BUDGET_TOTAL, .limit = 1, .id = "bud_1"}, .tz = "UTC"};
    char session[CALL_ID_SIZE];

    out = sb_make(8 << 20);
    db = fixture_db();
    fill(session);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(fixture_commit(db, budgets_add(db, &b)), WEIR_OK);
    ck_assert_int_eq(anonymous_held(db, NULL, &held), WEIR_OK);
    ck_assert_uint_eq(held.n, 1);
    ck_assert(!held.everybody);
    ck_assert_int_gt(anonymize(AGE(40), &held, false), 0);
    ck_assert_int_gt(fixture_i64(db, "SELECT count(*) FROM events e JOIN users u ON u.id = e.user WHERE u.user_id = '" PERSON "' AND e.at_ms < 1795328400000 - 41 * 86400000"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events e JOIN users u ON u.id = e.user WHERE u.user_id = 'usr_other' AND e.at_ms < 1795328400000 - 41 * 86400000"), 0);
    anonymous_held_done(&held);
    finish();
}
END_TEST

START_TEST(a_pseudonym_is_of_its_month_and_its_key)
{
    char path[160], a[RAND_ID_SIZE], b[RAND_ID_SIZE];

    (void)fixture_new_path();
    use_keys();
    ck_assert_int_eq(pseudonym_make("usr_a", AGE(0), a), WEIR_OK);
    ck_assert_int_eq(pseudonym_make("usr_a", AGE(10), b), WEIR_OK);
    ck_assert_str_eq(a, b);
    ck_assert_int_eq(pseudonym_make("usr_a", AGE(30), b), WEIR_OK);
    ck_assert_str_ne(a, b);
    ck_assert_int_eq(pseudonym_make("usr_b", AGE(0), b), WEIR_OK);
    ck_assert_str_ne(a, b);
    snprintf(path, sizeof path, "%s/keys/2026-11", fixture_dir);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(pseudonym_make("usr_a", AGE(0), b), WEIR_OK);
    ck_assert_str_ne(a, b);
}
END_TEST

UNIT_MAIN("anonymous", every_sum_stays_and_the_ledger_holds_at_every_step, nothing_leads_back, a_session_that_goes_on_keeps_what_is_young,
          a_budget_that_never_ends_holds_a_name, a_pseudonym_is_of_its_month_and_its_key,
          a_session_that_changed_hands_goes_with_each_of_its_users)
