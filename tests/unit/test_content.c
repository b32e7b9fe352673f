/* Encrypted text: nothing of it is in the files, each person's opens with their own key alone, and without it nowhere. */
#include "unit.h"

#include "fixture_call.h"
#include "store/content.h"
#include "store/content_key.h"
#include "store/convo.h"
#include "store/convo_tree.h"

static const unsigned char master[CONTENT_KEY_BYTES] = {1, 2, 3};
static char folder[160];

/* A database with two users whose text is sealed. */
static struct db *sealed(void)
{
    struct db *db = fixture_db();
    struct sb why = sb_make(1000);

    content_keep(true);
    snprintf(folder, sizeof folder, "%s.keys", fixture_path);
    ck_assert_msg(content_key_use(folder, master, &why), "%s", sb_str(&why));
    sb_done(&why);
    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    return db;
}

static struct call_record say(struct db *db, const char *user, const char *text)
{
    struct call_record r = fixture_call(user, FIXTURE_NOW);

    r.user_text = text;
    r.session_title = "CANARY of the title";
    r.system_text = "CANARY of the system";
    ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    r.answer = "CANARY of the answer";
    r.answer_bytes = 20;
    r.reasoning = "CANARY of reasons";
    r.reasoning_bytes = 17;
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
    return r;
}

static void has(struct db *db, const char *user, const char *session, const char *part)
{
    struct sb out = sb_make(100000);

    ck_assert_int_eq(convo_get(db, user, session, &out), WEIR_OK);
    ck_assert_int_eq(convo_messages(db, user, session, NULL, 10, &out), WEIR_OK);
    ck_assert_msg(strstr(sb_str(&out), part) != NULL, "%s is not in %s", part, sb_str(&out));
    sb_done(&out);
}

START_TEST(what_is_written_sealed_reads_as_before_and_is_in_no_file)
{
    struct db *db = sealed();
    struct call_record r = say(db, "usr_a", "CANARY of a question");
    struct convo_history h;
    char why[DB_WHY_SIZE], copy[160];

    has(db, "usr_a", r.session_id, "\"title\":\"CANARY of the title\"");
    has(db, "usr_a", r.session_id, "\"content\":\"CANARY of a question\",\"reasoning\":null");
    has(db, "usr_a", r.session_id, "\"content\":\"CANARY of the answer\",\"reasoning\":\"CANARY of reasons\"");
    ck_assert_int_eq(convo_history(db, "usr_a", r.session_id, NULL, 100000, &h), WEIR_OK);
    ck_assert_uint_eq(h.count, 3);
    ck_assert_str_eq(h.turns[0].content, "CANARY of the system");
    convo_history_done(&h);
    ck_assert_int_eq(convo_patch(db, "usr_a", r.session_id, &(struct convo_patch){"CANARY anew", -1, -1}), WEIR_OK);
    has(db, "usr_a", r.session_id, "\"title\":\"CANARY anew\"");
    ck_assert_int_eq(convo_create(db, "usr_a", "ses_own", "CANARY alone", "CANARY too", FIXTURE_NOW), WEIR_OK);
    has(db, "usr_a", "ses_own", "\"title\":\"CANARY alone\"");
    ck_assert_int_eq(fixture_file_has("", "CANARY") + fixture_file_has("-wal", "CANARY"), 0);
    snprintf(copy, sizeof copy, "%s.copy", fixture_path);
    ck_assert_int_eq(db_backup(db, copy, why), WEIR_OK);
    ck_assert_int_eq(fixture_file_has(".copy", "CANARY"), 0);
    db_close(db);
}
END_TEST

START_TEST(with_a_key_destroyed_the_text_is_gone_and_others_have_theirs)
{
    struct db *db = sealed();
    struct call_record a = say(db, "usr_a", "of a"), b = say(db, "usr_b", "of b");

    has(db, "usr_a", a.session_id, "\"content\":\"of a\"");
    ck_assert_int_eq(content_key_destroy(1), WEIR_OK);
    has(db, "usr_a", a.session_id, "\"content\":null,\"reasoning\":null");
    has(db, "usr_a", a.session_id, "\"title\":\"\"");
    has(db, "usr_b", b.session_id, "\"content\":\"of b\"");
    db_close(db);
}
END_TEST

START_TEST(text_put_in_another_messages_place_is_refused)
{
    struct db *db = sealed();
    struct content_found c;

    (void)say(db, "usr_a", "one");
    (void)say(db, "usr_a", "two");
    ck_assert_int_eq(db_exec(db, "UPDATE contents SET sealed = (SELECT sealed FROM contents WHERE id = 2097153) WHERE id = 1048577"), WEIR_OK);
    ck_assert_int_eq(content_read(db, INT64_C(1) << SEQ_BITS | 1, &c), WEIR_E_STORAGE);
    ck_assert(!c.kept);
    content_done(&c);
    ck_assert_int_eq(content_read(db, INT64_C(2) << SEQ_BITS | 1, &c), WEIR_OK);
    ck_assert_str_eq(c.text, "two");
    content_done(&c);
    db_close(db);
}
END_TEST

START_TEST(another_master_key_is_refused_at_the_start)
{
    static const unsigned char other[CONTENT_KEY_BYTES] = {9};
    struct db *db = sealed();
    struct call_record r = say(db, "usr_a", "one");
    struct sb why = sb_make(1000);

    ck_assert(!content_key_use(folder, other, &why));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "content.key_file"));
    ck_assert(content_key_use(folder, master, &why));        /* also forgets what was remembered: read from the file */
    has(db, "usr_a", r.session_id, "\"content\":\"one\"");
    sb_done(&why);
    db_close(db);
}
END_TEST

START_TEST(what_was_written_in_the_clear_stays_readable)
{
    struct db *db = sealed();
    struct content_found c;

    (void)say(db, "usr_a", "one");
    ck_assert_int_eq(db_exec(db, "UPDATE contents SET sealed = NULL, text = 'plain' WHERE id = 1048577"), WEIR_OK);
    ck_assert_int_eq(content_read(db, INT64_C(1) << SEQ_BITS | 1, &c), WEIR_OK);
    ck_assert_str_eq(c.text, "plain");
    content_done(&c);
    db_close(db);
}
END_TEST

UNIT_MAIN("content", what_is_written_sealed_reads_as_before_and_is_in_no_file, with_a_key_destroyed_the_text_is_gone_and_others_have_theirs,
          text_put_in_another_messages_place_is_refused, another_master_key_is_refused_at_the_start,
          what_was_written_in_the_clear_stays_readable)
