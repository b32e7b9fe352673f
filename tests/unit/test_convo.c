/* Sessions and the tree of their messages, each seen by its owner only. */
#include "unit.h"

#include "base/json.h"
#include "fixture_call.h"
#include "store/content.h"
#include "store/convo.h"

static struct sb out;

static json_t *parsed(void)
{
    json_t *j;
    char why[160];

    ck_assert(sb_ok(&out));
    ck_assert_msg(json_parse_object(out.p, out.len, &json_limits_compat, &j, why) == WEIR_OK, "%s in %s", why, out.p);
    sb_reset(&out);
    return j;
}

static struct db *two_users(void)
{
    struct db *db = fixture_db();

    out = sb_make(1 << 20);
    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    return db;
}

static json_t *list(struct db *db, const char *user, const char *query, const char *before, int64_t limit)
{
    struct convo_list l = {.query = query, .before = before, .archived = 0, .limit = limit};

    ck_assert_int_eq(convo_list(db, user, &l, &out), WEIR_OK);
    return parsed();
}

static const char *item(const json_t *page, size_t i, const char *key)
{
    return json_str(json_array_get(json_object_get(page, "items"), i), key, "?");
}

static size_t items(const json_t *page)
{
    return json_array_size(json_object_get(page, "items"));
}

static json_t *messages(struct db *db, const struct call_record *r, const char *leaf, int64_t limit)
{
    ck_assert_int_eq(convo_messages(db, "usr_a", r->session_id, leaf, limit, &out), WEIR_OK);
    return parsed();
}

START_TEST(a_session_is_made_read_changed_and_deleted)
{
    struct db *db = two_users();
    struct convo_patch p = {.title = "Of mills", .pinned = 1, .archived = -1};
    json_t *j;

    ck_assert_int_eq(convo_create(db, "usr_a", "ses_1", "Of weirs", "Be brief.", FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(convo_patch(db, "usr_a", "ses_1", &p), WEIR_OK);
    ck_assert_int_eq(convo_get(db, "usr_a", "ses_1", &out), WEIR_OK);
    j = parsed();
    ck_assert_str_eq(json_str(j, "title", ""), "Of mills");
    ck_assert(json_is_true(json_object_get(j, "pinned")));
    ck_assert(json_is_false(json_object_get(j, "archived")));
    ck_assert_str_eq(json_str(j, "created_at", ""), "2026-11-22T06:20:00.000Z");
    ck_assert(json_is_null(json_object_get(j, "leaf_id")));
    json_decref(j);
    ck_assert_int_eq(convo_delete(db, "usr_a", "ses_1"), WEIR_OK);
    ck_assert_int_eq(convo_get(db, "usr_a", "ses_1", &out), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(convo_delete(db, "usr_a", "ses_1"), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM contents"), 0);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(nobody_else_sees_or_touches_a_session)
{
    struct db *db = two_users();
    struct convo_patch p = {.title = "Mine", .pinned = -1, .archived = -1};
    struct convo_history h;
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW);
    int64_t deleted;
    json_t *j;

    fixture_run(db, &r);
    ck_assert_int_eq(convo_get(db, "usr_b", r.session_id, &out), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(convo_messages(db, "usr_b", r.session_id, NULL, 10, &out), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(convo_history(db, "usr_b", r.session_id, NULL, 1000, &h), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(convo_patch(db, "usr_b", r.session_id, &p), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(convo_delete(db, "usr_b", r.session_id), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(convo_delete_message(db, "usr_b", r.session_id, r.message_id, &deleted), WEIR_E_NOT_FOUND);
    ck_assert(!convo_owned(db, "usr_b", r.session_id));
    ck_assert(convo_owned(db, "usr_a", r.session_id));
    j = list(db, "usr_b", NULL, NULL, 10);
    ck_assert_uint_eq(items(j), 0);
    json_decref(j);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(the_list_pages_without_gaps_pinned_first_then_by_last_use)
{
    static const char *const want[] = {"ses_2", "ses_4", "ses_3", "ses_1", "ses_0"};
    struct db *db = two_users();
    struct convo_patch pin = {.pinned = 1, .archived = -1};
    char before[64] = "";
    size_t seen = 0;

    for (int i = 0; i < 5; i++) {
        char id[16];

        snprintf(id, sizeof id, "ses_%d", i);
        ck_assert_int_eq(convo_create(db, "usr_a", id, "page", NULL, FIXTURE_NOW + (i > 2)), WEIR_OK);
    }
    ck_assert_int_eq(convo_patch(db, "usr_a", "ses_2", &pin), WEIR_OK);
    do {
        json_t *j = list(db, "usr_a", NULL, before[0] ? before : NULL, 2);

        for (size_t i = 0; i < items(j); i++, seen++)
            ck_assert_str_eq(item(j, i, "session_id"), want[seen]);
        snprintf(before, sizeof before, "%s", json_str(j, "next_cursor", ""));
        json_decref(j);
    } while (before[0]);
    ck_assert_uint_eq(seen, 5);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(a_search_finds_part_of_a_title_and_takes_wildcards_as_characters)
{
    static const struct { const char *query; size_t found; } rows[] = {{"WEIR", 1}, {"%", 1}, {"_", 0}, {"100%", 1}, {"x", 0}};
    struct db *db = two_users();
    struct convo_list bad = {.before = "1.2.3 OR 1", .limit = 10};

    ck_assert_int_eq(convo_create(db, "usr_a", "ses_1", "Of weirs", NULL, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(convo_create(db, "usr_a", "ses_2", "100% sure", NULL, FIXTURE_NOW), WEIR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *j = list(db, "usr_a", rows[i].query, NULL, 10);

        ck_assert_msg(items(j) == rows[i].found, "%s: %zu", rows[i].query, items(j));
        json_decref(j);
    }
    ck_assert_int_eq(convo_list(db, "usr_a", &bad, &out), WEIR_E_INVALID_FIELD);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(a_search_finds_what_was_said_until_it_is_deleted)
{
    static const struct { const char *query; size_t found; } rows[] = {
        {"heron", 1}, {"HERON shallow", 1}, {"heron absent", 0}, {"\"heron", 1}, {"heron* OR x", 0}, {"on", 0}, {"Títle", 0}};
    const char *words = "The herons stand in shallow water";
    struct db *db = two_users();
    struct query q;
    bool left = true;
    json_t *j;

    ck_assert_int_eq(convo_create(db, "usr_a", "ses_1", "Birds", words, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(convo_create(db, "usr_b", "ses_2", "Others", words, FIXTURE_NOW), WEIR_OK);

    for (int64_t id = 1; id <= 2; id++)
        ck_assert_int_eq(content_add(db, id << 20 | 1, FIXTURE_NOW, &(struct content){.text = words, .text_bytes = (int64_t)strlen(words)}), WEIR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        j = list(db, "usr_a", rows[i].query, NULL, 10);
        ck_assert_msg(items(j) == rows[i].found, "%s: %zu", rows[i].query, items(j));
        json_decref(j);
    }
    j = list(db, "usr_a", "shallow", NULL, 10);
    ck_assert_str_eq(item(j, 0, "found"), words);
    json_decref(j);
    ck_assert_int_eq(convo_delete(db, "usr_a", "ses_1"), WEIR_OK);
    ck_assert_int_eq(convo_delete(db, "usr_b", "ses_2"), WEIR_OK);
    j = list(db, "usr_a", "heron", NULL, 10);
    ck_assert_uint_eq(items(j), 0);
    json_decref(j);
    while (left)
        ck_assert_int_eq(content_merge_words(db, 16, &left), WEIR_OK);
    q = query(db, "SELECT count(*) FROM contents_words_data WHERE instr(CAST(block AS TEXT), 'heron') OR instr(hex(block), '6865726F6E')");
    ck_assert(query_row(&q));
    ck_assert_int_eq(query_col_i64(&q, 0), 0);
    ck_assert_int_eq(query_end(&q), WEIR_OK);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(messages_are_a_path_with_what_each_answer_cost)
{
    struct db *db = two_users();
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW), s;
    json_t *j, *answer;

    r.system_text = "Be brief.";
    fixture_run(db, &r);
    s = fixture_next(&r);
    fixture_run(db, &s);
    j = messages(db, &r, NULL, 100);
    ck_assert_uint_eq(items(j), 4);
    ck_assert_str_eq(item(j, 0, "role"), "user");
    ck_assert_str_eq(item(j, 0, "parent_id"), "?");
    for (size_t i = 1; i < 4; i++)
        ck_assert_str_eq(item(j, i, "parent_id"), item(j, i - 1, "message_id"));
    ck_assert_str_eq(item(j, 3, "content"), "An answer");
    answer = json_array_get(json_object_get(j, "items"), 3);
    ck_assert_str_eq(json_str(answer, "request_id", ""), s.request_id);
    ck_assert_str_eq(json_str(answer, "status", ""), "success");
    ck_assert_int_eq(json_int(json_object_get(answer, "usage"), "total_tokens", -1), 46);
    ck_assert_int_eq(json_int(json_object_get(answer, "metrics"), "duration_ms", -1), 891);
    json_decref(j);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(a_long_path_continues_towards_the_root_by_cursor)
{
    struct db *db = two_users();
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW);
    char first[RAND_ID_SIZE], leaf[RAND_ID_SIZE] = "";
    size_t seen = 0;

    memcpy(first, r.user_message_id, sizeof first);
    for (int i = 0; i < 4; i++) {
        fixture_run(db, &r);
        if (i < 3)
            r = fixture_next(&r);
    }
    for (;;) {
        json_t *j = messages(db, &r, leaf, 3);

        seen += items(j);
        if (json_is_null(json_object_get(j, "next_cursor"))) {
            ck_assert_str_eq(item(j, 0, "message_id"), first);
            json_decref(j);
            break;
        }
        ck_assert_str_eq(item(j, 0, "parent_id"), json_str(j, "next_cursor", ""));
        snprintf(leaf, sizeof leaf, "%s", json_str(j, "next_cursor", ""));
        json_decref(j);
    }
    ck_assert_uint_eq(seen, 8);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(branches_are_siblings_and_each_has_its_own_path)
{
    struct db *db = two_users();
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW), again;
    json_t *j;

    fixture_run(db, &r);
    again = fixture_next(&r);
    again.user_text = NULL;
    memcpy(again.parent_id, r.user_message_id, sizeof again.parent_id);
    fixture_run(db, &again);
    j = messages(db, &r, NULL, 100);
    ck_assert_uint_eq(items(j), 2);
    ck_assert_str_eq(item(j, 1, "message_id"), again.message_id);
    ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(json_object_get(j, "items"), 1), "siblings")), 2);
    json_decref(j);
    j = messages(db, &r, r.message_id, 100);
    ck_assert_str_eq(item(j, 1, "message_id"), r.message_id);
    json_decref(j);
    ck_assert_int_eq(convo_messages(db, "usr_a", r.session_id, "msg_none", 10, &out), WEIR_E_NOT_FOUND);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(a_question_without_an_answer_says_whether_one_is_waited_for)
{
    struct db *db = two_users();
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW);
    json_t *j;

    ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
    j = messages(db, &r, NULL, 100);
    ck_assert_str_eq(item(j, 0, "state"), "pending");
    json_decref(j);
    r.status = CALL_ERROR;
    r.error_code = "upstream_timeout";
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
    j = messages(db, &r, NULL, 100);
    ck_assert_str_eq(item(j, 0, "state"), "failed");
    ck_assert_str_eq(item(j, 0, "error_code"), "upstream_timeout");
    json_decref(j);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(deleting_a_message_takes_what_hangs_on_it_and_leaves_the_rest)
{
    struct db *db = two_users();
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW), s, third;
    int64_t deleted;
    json_t *j;

    fixture_run(db, &r);
    s = fixture_next(&r);
    fixture_run(db, &s);
    third = fixture_next(&r);
    fixture_run(db, &third);
    ck_assert_int_eq(convo_delete_message(db, "usr_a", r.session_id, s.user_message_id, &deleted), WEIR_OK);
    ck_assert_int_eq(deleted, 2);
    j = messages(db, &r, NULL, 100);
    ck_assert_uint_eq(items(j), 4);
    json_decref(j);
    ck_assert_int_eq(convo_delete_message(db, "usr_a", r.session_id, s.user_message_id, &deleted), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(convo_delete_message(db, "usr_a", r.session_id, "", &deleted), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), 3);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM contents"), 4);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(an_answer_to_a_deleted_question_is_not_kept_but_counted)
{
    struct db *db = two_users();
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW);

    ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
    ck_assert_int_eq(convo_delete(db, "usr_a", r.session_id), WEIR_OK);
    fixture_answered(&r);
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM contents"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), 1);
    db_close(db);
}
END_TEST

START_TEST(history_has_the_system_text_and_the_newest_turns_that_fit)
{
    struct db *db = two_users();
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW), s;
    struct convo_history h;

    r.system_text = "Be brief.";
    fixture_run(db, &r);
    s = fixture_next(&r);
    fixture_run(db, &s);
    ck_assert_int_eq(convo_history(db, "usr_a", r.session_id, NULL, 1 << 20, &h), WEIR_OK);
    ck_assert_uint_eq(h.count, 5);
    ck_assert_str_eq(h.turns[0].role, "system");
    ck_assert_str_eq(h.turns[0].content, "Be brief.");
    ck_assert_str_eq(h.turns[4].role, "assistant");
    ck_assert_str_eq(h.leaf_id, s.message_id);
    convo_history_done(&h);
    ck_assert_int_eq(convo_history(db, "usr_a", r.session_id, NULL, 20, &h), WEIR_OK);
    ck_assert_uint_eq(h.count, 3);
    ck_assert_str_eq(h.turns[1].content, "A question");
    convo_history_done(&h);
    ck_assert_int_eq(convo_create(db, "usr_a", "ses_new", "", NULL, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(convo_history(db, "usr_a", "ses_new", NULL, 20, &h), WEIR_OK);
    ck_assert_uint_eq(h.count, 0);
    ck_assert_str_eq(h.leaf_id, "");
    convo_history_done(&h);
    db_close(db);
}
END_TEST

UNIT_MAIN("convo", a_session_is_made_read_changed_and_deleted, nobody_else_sees_or_touches_a_session,
          the_list_pages_without_gaps_pinned_first_then_by_last_use,
          a_search_finds_part_of_a_title_and_takes_wildcards_as_characters,
          a_search_finds_what_was_said_until_it_is_deleted,
          messages_are_a_path_with_what_each_answer_cost, a_long_path_continues_towards_the_root_by_cursor,
          branches_are_siblings_and_each_has_its_own_path, a_question_without_an_answer_says_whether_one_is_waited_for,
          deleting_a_message_takes_what_hangs_on_it_and_leaves_the_rest,
          an_answer_to_a_deleted_question_is_not_kept_but_counted,
          history_has_the_system_text_and_the_newest_turns_that_fit)
