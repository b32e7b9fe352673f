/* test_idempotency.c - a key is taken once, answers are kept for a day and go with what they are about. */
#include "store/idempotency.h"

#include "fixture_call.h"
#include "store/content.h"
#include "store/convo.h"
#include "store/person.h"
#include "unit.h"

static struct db *begin_db(void)
{
    struct db *db = fixture_db();

    content_keep(true);
    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    return db;
}

static struct idempotency_key key(const char *user, const char *endpoint, const char *text, const char *body)
{
    struct idempotency_key k = {.user_id = user, .endpoint = endpoint};

    snprintf(k.key, sizeof k.key, "%s", text);
    idempotency_digest(body, strlen(body), k.body);
    return k;
}

#define WRITE(db, call)                                            \
    ({                                                             \
        ck_assert_int_eq(db_begin(db), WEIR_OK);                   \
        fixture_commit(db, call);                                  \
    })

static struct idempotency_found find(struct db *db, const struct idempotency_key *k, int64_t now_ms)
{
    struct idempotency_found f;

    ck_assert_int_eq(idempotency_find(db, k, now_ms, &f), WEIR_OK);
    return f;
}

START_TEST(a_key_is_what_the_interface_says)
{
    char longest[IDEMPOTENCY_KEY_MAX + 2];

    ck_assert(idempotency_key_ok("a"));
    ck_assert(idempotency_key_ok("stainless-node-retry-0b:1.2_3"));
    ck_assert(!idempotency_key_ok(""));
    ck_assert(!idempotency_key_ok("a b"));
    ck_assert(!idempotency_key_ok("\xc3\xa4"));
    memset(longest, 'k', sizeof longest);
    longest[IDEMPOTENCY_KEY_MAX] = '\0';
    ck_assert(idempotency_key_ok(longest));
    longest[IDEMPOTENCY_KEY_MAX] = 'k';
    longest[IDEMPOTENCY_KEY_MAX + 1] = '\0';
    ck_assert(!idempotency_key_ok(longest));
}
END_TEST

START_TEST(one_takes_it_and_who_comes_later_is_told_how_it_stands)
{
    struct db *db = begin_db();
    struct idempotency_key k = key("usr_a", "/chat/complete", "k1", "{}"), other = key("usr_a", "/chat/complete", "k1", "{ }"),
                           path = key("usr_a", "/chat/stream", "k1", "{}"), user = key("usr_b", "/chat/complete", "k1", "{}");
    struct idempotency_found f = find(db, &k, FIXTURE_NOW);

    ck_assert_int_eq(f.state, IDEMPOTENCY_FREE);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &k, "req_1", FIXTURE_NOW)), WEIR_OK);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &k, "req_2", FIXTURE_NOW + 1)), WEIR_E_IDEMPOTENCY_RUNNING);
    f = find(db, &k, FIXTURE_NOW + 1);
    ck_assert_int_eq(f.state, IDEMPOTENCY_RUNNING);
    ck_assert_str_eq(f.request_id, "req_1");
    ck_assert(!f.other_body);
    ck_assert(find(db, &other, FIXTURE_NOW).other_body);
    ck_assert_int_eq(find(db, &path, FIXTURE_NOW).state, IDEMPOTENCY_FREE);
    ck_assert_int_eq(find(db, &user, FIXTURE_NOW).state, IDEMPOTENCY_FREE);
    ck_assert_int_eq(WRITE(db, idempotency_answer(db, "req_1", "Status: 200 OK\r\n\r\nan\0swer", 25)), WEIR_OK);
    f = find(db, &k, FIXTURE_NOW + 1);
    ck_assert_int_eq(f.state, IDEMPOTENCY_ANSWERED);
    ck_assert_uint_eq(f.answer_bytes, 25);
    ck_assert_mem_eq(f.answer, "Status: 200 OK\r\n\r\nan\0swer", 25);
    free(f.answer);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &k, "req_3", FIXTURE_NOW + IDEMPOTENCY_KEPT_MS - 1)), WEIR_E_IDEMPOTENCY_RUNNING);
    ck_assert_int_eq(find(db, &k, FIXTURE_NOW + IDEMPOTENCY_KEPT_MS).state, IDEMPOTENCY_FREE);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &k, "req_3", FIXTURE_NOW + IDEMPOTENCY_KEPT_MS)), WEIR_OK);
    ck_assert_int_eq(find(db, &k, FIXTURE_NOW + IDEMPOTENCY_KEPT_MS).state, IDEMPOTENCY_RUNNING);
    ck_assert_int_eq(WRITE(db, idempotency_free(db, "req_3")), WEIR_OK);
    ck_assert_int_eq(find(db, &k, FIXTURE_NOW).state, IDEMPOTENCY_FREE);
    db_close(db);
}
END_TEST

START_TEST(after_a_crash_what_ran_is_interrupted_and_what_was_never_sent_is_free)
{
    struct db *db = begin_db();
    struct idempotency_key lost = key("usr_a", "/chat/complete", "lost", ""), sent = key("usr_a", "/chat/complete", "sent", ""),
                           waited = key("usr_a", "/chat/complete", "waited", ""), done = key("usr_a", "/chat/complete", "done", "");
    struct call_record a = fixture_call("usr_a", FIXTURE_NOW), b = fixture_call("usr_a", FIXTURE_NOW + 1), c = fixture_call("usr_a", FIXTURE_NOW + 2);
    int64_t never_sent, interrupted;

    ck_assert_int_eq(WRITE(db, usage_accept(db, &a, true)), WEIR_OK);
    ck_assert_int_eq(WRITE(db, usage_accept(db, &b, false)), WEIR_OK);
    fixture_run(db, &c);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &lost, "req_nobody_has", FIXTURE_NOW)), WEIR_OK);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &sent, a.request_id, FIXTURE_NOW)), WEIR_OK);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &waited, b.request_id, FIXTURE_NOW)), WEIR_OK);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &done, c.request_id, FIXTURE_NOW)), WEIR_OK);
    ck_assert_int_eq(usage_recover(db, FIXTURE_NOW + 10, &never_sent, &interrupted), WEIR_OK);
    ck_assert_int_eq(never_sent, 1);
    ck_assert_int_eq(interrupted, 1);
    ck_assert_int_eq(WRITE(db, idempotency_recover(db)), WEIR_OK);
    ck_assert_int_eq(find(db, &lost, FIXTURE_NOW).state, IDEMPOTENCY_FREE);
    ck_assert_int_eq(find(db, &sent, FIXTURE_NOW).state, IDEMPOTENCY_INTERRUPTED);
    ck_assert_int_eq(find(db, &waited, FIXTURE_NOW).state, IDEMPOTENCY_FREE);
    ck_assert_int_eq(find(db, &done, FIXTURE_NOW).state, IDEMPOTENCY_INTERRUPTED);
    db_close(db);
}
END_TEST

START_TEST(answers_go_with_their_session_their_person_and_their_day)
{
    struct db *db = begin_db();
    struct idempotency_key k = key("usr_a", "/chat/complete", "k", ""), old = key("usr_b", "/chat/complete", "old", "");
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW);
    int64_t gone;

    r.user_text = "a question";
    fixture_run(db, &r);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &old, "req_old", FIXTURE_NOW - IDEMPOTENCY_KEPT_MS)), WEIR_OK);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &k, r.request_id, FIXTURE_NOW)), WEIR_OK);
    ck_assert_int_eq(WRITE(db, idempotency_answer(db, r.request_id, "secret answer", 13)), WEIR_OK);
    ck_assert_int_eq(WRITE(db, idempotency_prune(db, FIXTURE_NOW, 100, &gone)), WEIR_OK);
    ck_assert_int_eq(gone, 1);
    ck_assert_int_eq(WRITE(db, convo_delete(db, "usr_a", r.session_id)), WEIR_OK);
    ck_assert_int_eq(find(db, &k, FIXTURE_NOW).state, IDEMPOTENCY_FREE);
    db_close(db);
}
END_TEST

START_TEST(where_no_text_is_kept_no_answer_is)
{
    struct db *db = begin_db();
    struct idempotency_key k = key("usr_a", "/chat/complete", "k", "");

    content_keep(false);
    ck_assert_int_eq(WRITE(db, idempotency_take(db, &k, "req_1", FIXTURE_NOW)), WEIR_OK);
    ck_assert_int_eq(WRITE(db, idempotency_answer(db, "req_1", "secret answer", 13)), WEIR_OK);
    ck_assert_int_eq(find(db, &k, FIXTURE_NOW).state, IDEMPOTENCY_UNKEPT);
    content_keep(true);
    db_close(db);
}
END_TEST

UNIT_MAIN("idempotency", a_key_is_what_the_interface_says, one_takes_it_and_who_comes_later_is_told_how_it_stands,
          after_a_crash_what_ran_is_interrupted_and_what_was_never_sent_is_free,
          answers_go_with_their_session_their_person_and_their_day, where_no_text_is_kept_no_answer_is)
