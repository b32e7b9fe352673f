/* Users, tokens, browser sessions, sign-in codes. */
#include "unit.h"

#include "fixture_call.h"

enum { HOUR = 3600 * 1000 };

static const struct account_token token_of_a = {.token_id = "tok_a", .user_id = "usr_a", .name = "laptop", .scopes = "chat",
                                                .secret = "weir_secret", .max_priority = PRIORITY_MEDIUM,
                                                .expires_at_ms = FIXTURE_NOW + HOUR};

START_TEST(a_token_says_whose_it_is_until_it_expires_or_is_revoked)
{
    struct db *db = fixture_db();
    struct identity id;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(account_token_add(db, &token_of_a, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "weir_secret", FIXTURE_NOW, &id), WEIR_OK);
    ck_assert_str_eq(id.user_id, "usr_a");
    ck_assert_str_eq(id.token_id, "tok_a");
    ck_assert_str_eq(id.scopes, "chat");
    ck_assert_int_eq(id.max_priority, PRIORITY_MEDIUM);
    ck_assert_int_eq(account_by_token(db, "weir_secreT", FIXTURE_NOW, &id), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(account_by_token(db, "weir_secret", FIXTURE_NOW + HOUR, &id), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(account_token_revoke(db, "usr_b", "tok_a", FIXTURE_NOW), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(account_token_revoke(db, "usr_a", "tok_a", FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "weir_secret", FIXTURE_NOW, &id), WEIR_E_UNAUTHENTICATED);
    db_close(db);
}
END_TEST

START_TEST(a_token_ends_with_the_one_of_its_user_that_it_was_made_with)
{
    struct db *db = fixture_db();
    struct account_token t = {.user_id = "usr_a", .name = "script", .scopes = "", .max_priority = PRIORITY_MEDIUM};
    const struct {
        const char *id, *user, *made_by;
    } made[] = {{"tok_child", "usr_a", "tok_a"}, {"tok_grandchild", "usr_a", "tok_child"}, {"tok_other", "usr_a", NULL}, {"tok_b", "usr_b", "tok_a"}};
    struct identity id;

    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    ck_assert_int_eq(account_token_add(db, &token_of_a, FIXTURE_NOW), WEIR_OK);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        t.token_id = t.secret = made[i].id;
        t.user_id = made[i].user;
        t.made_by = made[i].made_by;
        ck_assert_int_eq(account_token_add(db, &t, FIXTURE_NOW), WEIR_OK);
    }
    ck_assert_int_eq(account_session_add(db, "cookie", "csrf", "usr_a", false, "tok_grandchild", FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_token_revoke(db, "usr_a", "tok_a", FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_token_revoke(db, "usr_a", "tok_a", FIXTURE_NOW), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(account_by_token(db, "tok_child", FIXTURE_NOW, &id), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(account_by_token(db, "tok_grandchild", FIXTURE_NOW, &id), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM web_sessions"), 0);
    ck_assert_int_eq(account_by_token(db, "tok_other", FIXTURE_NOW, &id), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "tok_b", FIXTURE_NOW, &id), WEIR_OK);
    t.token_id = t.secret = "tok_late";
    ck_assert_int_eq(account_token_add(db, &t, FIXTURE_NOW), WEIR_E_UNAUTHENTICATED);
    db_close(db);
}
END_TEST

START_TEST(a_token_made_with_another_does_not_outlive_it_when_that_is_to_expire_sooner)
{
    struct db *db = fixture_db();
    const struct account_token child = {.token_id = "tok_child", .user_id = "usr_a", .name = "script", .scopes = "", .secret = "child",
                                        .max_priority = PRIORITY_MEDIUM, .made_by = "tok_a"};
    struct account_token_patch p = {.max_priority = -1, .limits = {-1, -1}, .weight = -1, .expires_at_ms = FIXTURE_NOW + 10};
    struct identity id;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(account_token_add(db, &token_of_a, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_token_add(db, &child, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_token_patch(db, "tok_a", &p), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "child", FIXTURE_NOW + 9, &id), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "child", FIXTURE_NOW + 10, &id), WEIR_E_UNAUTHENTICATED);
    p.expires_at_ms = FIXTURE_NOW + HOUR;                /* later again: the child's day stays */
    ck_assert_int_eq(account_token_patch(db, "tok_a", &p), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "weir_secret", FIXTURE_NOW + 10, &id), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "child", FIXTURE_NOW + 10, &id), WEIR_E_UNAUTHENTICATED);
    db_close(db);
}
END_TEST

START_TEST(a_token_with_less_of_a_share_than_its_user_is_narrowed)
{
    struct db *db = fixture_db();
    struct account_token t = {.token_id = "tok_little", .user_id = "usr_a", .name = "little", .scopes = "", .secret = "little",
                              .max_priority = PRIORITY_HIGH, .weight = 100};
    struct identity id;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(account_token_add(db, &t, FIXTURE_NOW), WEIR_OK);
    t.token_id = t.secret = "tok_much";
    t.weight = 3000;
    ck_assert_int_eq(account_token_add(db, &t, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "little", FIXTURE_NOW, &id), WEIR_OK);
    ck_assert(id.narrowed);
    ck_assert_int_eq(account_by_token(db, "tok_much", FIXTURE_NOW, &id), WEIR_OK);
    ck_assert(!id.narrowed);
    db_close(db);
}
END_TEST

START_TEST(no_secret_is_in_the_file)
{
    struct db *db = fixture_db();

    fixture_user(db, "usr_a");
    ck_assert_int_eq(account_token_add(db, &token_of_a, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_session_add(db, "cookie-secret", "csrf", "usr_a", false, NULL, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM tokens WHERE length(hash) = 32 AND hash <> 'weir_secret'"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM web_sessions WHERE length(hash) = 32"), 1);
    db_close(db);
}
END_TEST

START_TEST(a_browser_session_ends_when_idle_and_at_its_age)
{
    struct db *db = fixture_db();
    struct identity id;
    int64_t now = FIXTURE_NOW, gone;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(account_session_add(db, "cookie", "csrf", "usr_a", false, NULL, now), WEIR_OK);
    ck_assert_int_eq(account_by_cookie(db, "cookie", now + 1, &id), WEIR_OK);
    ck_assert_str_eq(id.csrf, "csrf");
    ck_assert_str_eq(id.token_id, "");
    ck_assert(!id.touch_due);
    ck_assert_int_eq(account_by_cookie(db, "cookie", now + ACCOUNT_TOUCH_MS, &id), WEIR_OK);
    ck_assert(id.touch_due);
    ck_assert_int_eq(account_by_cookie(db, "cookie", now + ACCOUNT_IDLE_MS, &id), WEIR_E_UNAUTHENTICATED);
    for (; now < FIXTURE_NOW + ACCOUNT_ABSOLUTE_MS; now += 6 * HOUR) {
        ck_assert_int_eq(account_by_cookie(db, "cookie", now, &id), WEIR_OK);
        ck_assert_int_eq(account_session_touch(db, "cookie", now), WEIR_OK);
    }
    ck_assert_int_eq(account_by_cookie(db, "cookie", now, &id), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(account_sweep(db, now, &gone), WEIR_OK);
    ck_assert_int_eq(gone, 1);
    db_close(db);
}
END_TEST

START_TEST(signing_out_ends_the_session)
{
    struct db *db = fixture_db();
    struct identity id;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(account_session_add(db, "cookie", "csrf", "usr_a", false, NULL, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_session_end(db, "cookie"), WEIR_OK);
    ck_assert_int_eq(account_by_cookie(db, "cookie", FIXTURE_NOW, &id), WEIR_E_UNAUTHENTICATED);
    db_close(db);
}
END_TEST

START_TEST(a_sign_in_code_works_once_and_in_time)
{
    struct db *db = fixture_db();
    char user_id[RAND_ID_SIZE];

    fixture_user(db, "usr_a");
    ck_assert_int_eq(account_code_add(db, "one", "usr_a", FIXTURE_NOW, FIXTURE_NOW + HOUR), WEIR_OK);
    ck_assert_int_eq(account_code_add(db, "two", "usr_a", FIXTURE_NOW, FIXTURE_NOW + HOUR), WEIR_OK);
    ck_assert_int_eq(account_code_use(db, "one", FIXTURE_NOW + 1, user_id), WEIR_OK);
    ck_assert_str_eq(user_id, "usr_a");
    ck_assert_int_eq(account_code_use(db, "one", FIXTURE_NOW + 2, user_id), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(account_code_use(db, "two", FIXTURE_NOW + HOUR, user_id), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(account_code_use(db, "three", FIXTURE_NOW, user_id), WEIR_E_UNAUTHENTICATED);
    db_close(db);
}
END_TEST

START_TEST(the_first_start_makes_an_admin_and_later_ones_change_nothing)
{
    struct db *db = fixture_db();
    char first[RAND_ID_SIZE], again[RAND_ID_SIZE];
    struct identity id;

    ck_assert_int_eq(account_first_start(db, "weir_admin", FIXTURE_NOW, first), WEIR_OK);
    ck_assert_int_eq(account_first_start(db, "weir_admin", FIXTURE_NOW, again), WEIR_OK);
    ck_assert_str_eq(first, again);
    ck_assert_int_eq(account_by_token(db, "weir_admin", FIXTURE_NOW, &id), WEIR_OK);
    ck_assert_int_eq(id.role, ROLE_ADMIN);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM users"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM tokens"), 1);
    ck_assert_int_eq(account_first_start(db, "weir_other", FIXTURE_NOW, again), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "weir_other", FIXTURE_NOW, &id), WEIR_OK);
    db_close(db);
}
END_TEST

START_TEST(the_last_admin_stays_and_a_changed_role_ends_sessions)
{
    struct account_user_patch demote = {.role = ROLE_USER, .disabled = -1, .max_priority = -1, .limits = {-1, -1}};
    struct db *db = fixture_db();
    char admin[RAND_ID_SIZE];
    struct identity id;

    ck_assert_int_eq(account_first_start(db, "weir_admin", FIXTURE_NOW, admin), WEIR_OK);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(account_user_patch(db, admin, &demote, FIXTURE_NOW), WEIR_E_CONFLICT);
    db_rollback(db);
    fixture_user(db, "usr_a");
    ck_assert_int_eq(account_session_add(db, "cookie", "csrf", "usr_a", false, NULL, FIXTURE_NOW), WEIR_OK);
    demote.role = ROLE_MONITOR;
    ck_assert_int_eq(account_user_patch(db, "usr_a", &demote, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_by_cookie(db, "cookie", FIXTURE_NOW, &id), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(account_user_patch(db, "usr_nobody", &demote, FIXTURE_NOW), WEIR_E_NOT_FOUND);
    db_close(db);
}
END_TEST

START_TEST(a_name_is_taken_once_whatever_its_case)
{
    struct db *db = fixture_db();
    struct account_user u = {.user_id = "usr_b", .name = "USR_A"};

    fixture_user(db, "usr_a");
    ck_assert_int_eq(account_user_add(db, &u, FIXTURE_NOW), WEIR_E_CONFLICT);
    db_close(db);
}
END_TEST

START_TEST(a_token_takes_away_and_never_adds)
{
    struct account_token t = token_of_a;
    struct db *db = fixture_db();
    struct account_user_patch low = {.role = -1, .disabled = -1, .max_priority = PRIORITY_LOW, .limits = {7, -1}, .filters = "{}"};
    struct identity id;

    fixture_user(db, "usr_a");
    t.scopes = "";
    t.max_priority = PRIORITY_HIGH;
    t.expires_at_ms = 0;
    ck_assert_int_eq(account_token_add(db, &t, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "weir_secret", FIXTURE_NOW, &id), WEIR_OK);
    ck_assert(!id.narrowed && !id.filtered && id.max_priority == PRIORITY_HIGH && id.touch_due);
    ck_assert_int_eq(account_token_touch(db, "weir_secret", FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_user_patch(db, "usr_a", &low, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "weir_secret", FIXTURE_NOW, &id), WEIR_OK);
    ck_assert(!id.narrowed && id.filtered && id.max_priority == PRIORITY_LOW && !id.touch_due);
    ck_assert_int_eq(id.limits.requests_per_minute, 7);
    ck_assert_int_eq(account_token_patch(db, "tok_a", &(struct account_token_patch){.max_priority = -1, .expires_at_ms = -1, .limits = {-1, 9}}), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "weir_secret", FIXTURE_NOW, &id), WEIR_OK);
    ck_assert(id.narrowed);
    ck_assert_int_eq(id.token_limits.tokens_per_minute, 9);
    db_close(db);
}
END_TEST

START_TEST(a_removed_user_is_gone_but_for_the_row_and_the_name_is_free)
{
    struct account_user_patch enable = {.role = -1, .disabled = 0, .max_priority = -1, .limits = {-1, -1}};
    struct account_user again = {.user_id = "usr_b", .name = "usr_a"};
    struct db *db = fixture_db();
    struct sb out = sb_make(4096);
    struct account_login login;
    struct identity id;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(account_token_add(db, &token_of_a, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_session_add(db, "cookie", "csrf", "usr_a", false, NULL, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_user_remove(db, "usr_a", FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_by_token(db, "weir_secret", FIXTURE_NOW, &id), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(account_by_cookie(db, "cookie", FIXTURE_NOW, &id), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(account_by_name(db, "usr_a", &login), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(account_user_patch(db, "usr_a", &enable, FIXTURE_NOW), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(account_user_json(db, "usr_a", &out), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(account_user_add(db, &again, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM users"), 2);
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(lists_page_by_cursor)
{
    struct db *db = fixture_db();
    struct sb out = sb_make(4096);

    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    ck_assert_int_eq(account_users_json(db, NULL, 1, &out), WEIR_OK);
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"user_id\":\"usr_a\""));
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"next_cursor\":\"1\"}"));
    sb_reset(&out);
    ck_assert_int_eq(account_users_json(db, "1", 1, &out), WEIR_OK);
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"user_id\":\"usr_b\""));
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"next_cursor\":null}"));
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(a_made_token_is_plausible_and_one_changed_character_is_noticed)
{
    char token[ACCOUNT_TOKEN_SIZE];

    account_token_make(token);
    ck_assert(account_token_plausible(token));
    for (int i = 0; i < ACCOUNT_TOKEN_LEN; i++) {
        char was = token[i];

        token[i] = was == 'x' ? 'y' : 'x';
        ck_assert_msg(!account_token_plausible(token), "character %d", i);
        token[i] = was;
    }
    ck_assert(!account_token_plausible("weir_"));
}
END_TEST

UNIT_MAIN("account", a_token_made_with_another_does_not_outlive_it_when_that_is_to_expire_sooner,
          a_token_with_less_of_a_share_than_its_user_is_narrowed, a_token_says_whose_it_is_until_it_expires_or_is_revoked,
          a_token_ends_with_the_one_of_its_user_that_it_was_made_with, no_secret_is_in_the_file,
          a_browser_session_ends_when_idle_and_at_its_age, signing_out_ends_the_session,
          a_sign_in_code_works_once_and_in_time, the_first_start_makes_an_admin_and_later_ones_change_nothing,
          the_last_admin_stays_and_a_changed_role_ends_sessions, a_name_is_taken_once_whatever_its_case,
          a_token_takes_away_and_never_adds, a_removed_user_is_gone_but_for_the_row_and_the_name_is_free, lists_page_by_cursor, a_made_token_is_plausible_and_one_changed_character_is_noticed)
