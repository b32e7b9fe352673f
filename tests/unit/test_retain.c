/* What has outlived its time goes, and nothing else; what is gone is not in the files either. */
#include "unit.h"

#include "fixture_call.h"
#include "store/content.h"
#include "store/convo.h"
#include "store/ledger.h"
#include "store/report.h"
#include "store/retain.h"
#include "store/verify.h"

enum { DAY_MS = 24 * 3600 * 1000 };
#define AGE(days) (FIXTURE_NOW - (int64_t)(days) * DAY_MS)

static struct db *with_user(void)
{
    struct db *db = fixture_db();

    content_keep(true);
    fixture_user(db, "usr_a");
    return db;
}

static struct call_record say(struct db *db, int64_t at_ms, const char *text)
{
    struct call_record r = fixture_call("usr_a", at_ms);

    r.user_text = text;
    fixture_run(db, &r);
    return r;
}

static int64_t texts(struct db *db, int64_t before_ms, int64_t bytes, int64_t most)
{
    int64_t gone, gone_bytes;

    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(fixture_commit(db, retain_texts(db, before_ms, bytes, most, &gone, &gone_bytes)), WEIR_OK);
    return gone;
}

static int64_t requests(struct db *db, int64_t before_ms, int64_t most)
{
    int64_t gone;

    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(fixture_commit(db, retain_requests(db, before_ms, FIXTURE_NOW, most, &gone)), WEIR_OK);
    return gone;
}

static void expect_holds(struct db *db)
{
    struct verify_setup s = {.ro = db, .now_ms = FIXTURE_NOW, .running_since_ms = INT64_MAX};
    struct verify *v = verify_new(&s);
    struct sb out = sb_make(100000);

    while (verify_step(v)) {
    }
    verify_print(v, &out);
    ck_assert_msg(verify_result(v)->failures == 0, "%s", sb_str(&out));
    sb_done(&out);
    verify_free(v);
}

START_TEST(texts_go_by_age_in_steps_and_leave_the_messages)
{
    struct db *db = with_user();
    struct call_record old = say(db, AGE(91), "an old question"), next = fixture_next(&old);
    struct sb out = sb_make(100000);
    struct convo_history h;

    next.accepted_at_ms = AGE(1);
    next.user_text = "a young question";
    fixture_run(db, &next);
    ck_assert_int_eq(texts(db, AGE(90), INT64_MAX, 1), 1);
    ck_assert_int_eq(texts(db, AGE(90), INT64_MAX, 100), 1);
    ck_assert_int_eq(texts(db, AGE(90), INT64_MAX, 100), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM messages"), 4);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM contents"), 2);
    ck_assert_int_eq(convo_messages(db, "usr_a", old.session_id, NULL, 10, &out), WEIR_OK);
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"role\":\"user\",\"content\":null,\"reasoning\":null"));
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"content\":\"a young question\""));
    /* what is gone is no empty turn of the next prompt */
    ck_assert_int_eq(convo_history(db, "usr_a", old.session_id, NULL, 10000, &h), WEIR_OK);
    ck_assert_uint_eq(h.count, 2);
    ck_assert_str_eq(h.turns[0].content, "a young question");
    convo_history_done(&h);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(over_its_bound_the_oldest_text_goes_first)
{
    struct db *db = with_user();
    int64_t bytes;

    (void)say(db, AGE(2), "0123456789");              /* with the answer 19 bytes each */
    (void)say(db, AGE(1), "0123456789");
    (void)say(db, AGE(3), "the oldest");
    ck_assert_int_eq(retain_text_bytes(db, &bytes), WEIR_OK);
    ck_assert_int_eq(bytes, 57);
    ck_assert_int_eq(texts(db, INT64_MAX, 57 - 30, 100), 3);      /* 10 + 9 + 10 >= 27 */
    ck_assert_int_eq(retain_text_bytes(db, &bytes), WEIR_OK);
    ck_assert_int_eq(bytes, 28);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM contents WHERE text = 'the oldest'"), 0);
    db_close(db);
}
END_TEST

START_TEST(a_session_that_is_not_used_goes_with_its_title)
{
    struct db *db = with_user();
    struct call_record old = say(db, AGE(91), "x"), young = say(db, AGE(89), "y");
    int64_t gone;

    ck_assert_int_eq(retain_sessions(db, AGE(90), 10, &gone), WEIR_OK);
    ck_assert_int_eq(gone, 1);
    ck_assert(!convo_owned(db, "usr_a", old.session_id));
    ck_assert(convo_owned(db, "usr_a", young.session_id));
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM sessions WHERE title != ''"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM sessions"), 2);       /* its numbers stay */
    ck_assert_int_eq(retain_sessions(db, AGE(90), 10, &gone), WEIR_OK);
    ck_assert_int_eq(gone, 0);
    db_close(db);
}
END_TEST

START_TEST(requests_go_by_whole_quarters_and_their_sums_stay)
{
    struct db *db = with_user();
    int64_t edge_ms = AGE(400) - AGE(400) % QUARTER_MS, from_ms;
    struct call_record open = fixture_call("usr_a", edge_ms - 5000);

    for (int i = 1; i <= 5; i++)
        (void)say(db, edge_ms - i * 1000, "x");
    (void)say(db, edge_ms + 10, "in the quarter that the bound is in");
    (void)say(db, AGE(1), "y");
    ck_assert_int_eq(fixture_accept(db, &open, true), WEIR_OK);      /* not settled: stays */
    ck_assert_int_eq(retain_usage_from(db, &from_ms), WEIR_OK);
    ck_assert_int_eq(from_ms, 0);
    ck_assert_int_eq(requests(db, edge_ms + QUARTER_MS - 1, 2), 2);
    ck_assert_int_eq(retain_usage_from(db, &from_ms), WEIR_OK);      /* already after the first step */
    ck_assert_int_eq(from_ms, edge_ms);
    ck_assert_int_eq(requests(db, edge_ms + QUARTER_MS - 1, 2), 2);
    ck_assert_int_eq(requests(db, edge_ms + QUARTER_MS - 1, 2), 1);
    ck_assert_int_eq(requests(db, edge_ms + QUARTER_MS - 1, 2), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events"), 3);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM attempts"), 2);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), 7);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM sessions"), 7);
    db_close(db);
}
END_TEST

START_TEST(where_no_text_is_kept_everything_is_counted_and_nothing_can_be_read)
{
    struct db *db = with_user();
    struct call_record r;
    struct convo_history h;
    struct sb out = sb_make(10000);

    content_keep(false);
    r = say(db, AGE(0), "not to be found");
    ck_assert_int_eq(convo_create(db, "usr_a", "ses_own", "My own title", NULL, FIXTURE_NOW), WEIR_OK);
    content_keep(true);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM contents"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(prompt + completion) FROM events"), 46);
    ck_assert_int_eq(convo_get(db, "usr_a", r.session_id, &out), WEIR_OK);
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"title\":\"New chat\""));
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"messages\":2"));
    ck_assert_int_eq(convo_history(db, "usr_a", r.session_id, NULL, 10000, &h), WEIR_OK);
    ck_assert_uint_eq(h.count, 0);
    ck_assert_str_eq(h.leaf_id, r.message_id);         /* the tree is there all the same */
    convo_history_done(&h);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(what_went_is_not_in_the_files_and_their_room_is_given_back)
{
    struct db *db = with_user();
    char text[5000];
    int64_t pages, left;

    memset(text, 'x', sizeof text);
    memcpy(text, "CANARY-7f3a", 11);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 100; i++)
        (void)say(db, AGE(91) + i, text);
    pages = fixture_i64(db, "PRAGMA page_count");
    ck_assert_int_gt(fixture_file_has("", "CANARY-7f3a") + fixture_file_has("-wal", "CANARY-7f3a"), 99);
    while (texts(db, AGE(90), INT64_MAX, 50) > 0)
        ;
    do {
        ck_assert_int_eq(db_begin(db), WEIR_OK);
        ck_assert_int_eq(fixture_commit(db, db_give_back(db, 64, &left)), WEIR_OK);
    } while (left > 0);
    ck_assert(db_truncate_log(db));
    ck_assert_int_eq(fixture_file_has("", "CANARY-7f3a"), 0);
    ck_assert_int_eq(fixture_file_has("-wal", "CANARY-7f3a"), 0);
    ck_assert_int_lt(fixture_i64(db, "PRAGMA page_count"), pages - 100);
    db_close(db);
}
END_TEST

/* The ledger still proves itself while old requests go one by one, and after. */
START_TEST(the_ledger_holds_while_requests_go_and_after)
{
    struct db *db = with_user();
    struct call_record first = say(db, AGE(500), "one");

    for (int i = 0; i < 3; i++) {
        struct call_record r = fixture_next(&first);

        r.accepted_at_ms = AGE(500) + 1000 * (i + 1);
        fixture_run(db, &r);
        first = r;
    }
    (void)say(db, AGE(1), "young");
    expect_holds(db);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(requests(db, AGE(400), 1), 1);
        expect_holds(db);
    }
    ck_assert_int_eq(requests(db, AGE(400), 1), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events"), 1);
    db_close(db);
}
END_TEST

UNIT_MAIN("retain", the_ledger_holds_while_requests_go_and_after, texts_go_by_age_in_steps_and_leave_the_messages, over_its_bound_the_oldest_text_goes_first,
          a_session_that_is_not_used_goes_with_its_title, requests_go_by_whole_quarters_and_their_sums_stay,
          where_no_text_is_kept_everything_is_counted_and_nothing_can_be_read,
          what_went_is_not_in_the_files_and_their_room_is_given_back)
