/* test_auth.c - credentials of a request: which counts, who it belongs to, and
 * what a cookie alone may not do. */
#include "web/auth.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "fixture_db.h"
#include "unit.h"

static char path[160];

/* A file that is not there yet, in a folder of the test's own. */
static const char *new_path(const char *name)
{
    (void)fixture_new_path();
    (void)snprintf(path, sizeof path, "%s/%s", fixture_dir, name);
    return path;
}

/* --- headers --- */

START_TEST(bearer_and_api_key_are_the_same_credential)
{
    struct http_request rq = {.authorization = "Bearer abc"};
    char token[ACCOUNT_TOKEN_SIZE];
    bool given;

    ck_assert(auth_bearer(&rq, token, &given));
    ck_assert_str_eq(token, "abc");
    rq = (struct http_request){.authorization = "bearer  abc", .api_key = "abc"};
    ck_assert(auth_bearer(&rq, token, &given));
    rq = (struct http_request){.api_key = "key"};
    ck_assert(auth_bearer(&rq, token, &given));
    ck_assert_str_eq(token, "key");
    rq = (struct http_request){.api_key = NULL};
    ck_assert(!auth_bearer(&rq, token, &given));
    ck_assert(!given);
}
END_TEST

START_TEST(two_headers_that_differ_and_other_schemes_are_no_credential)
{
    static const struct http_request bad[] = {
        {.authorization = "Bearer a", .api_key = "b"},
        {.authorization = "Basic a"},
        {.authorization = "Basic a", .api_key = "a"},
        {.authorization = "a"},
        {.authorization = "Bearer 0123456789012345678901234567890123456789012345678901234567890123456789012345"},
    };
    char token[ACCOUNT_TOKEN_SIZE];
    bool given;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(!auth_bearer(&bad[i], token, &given));
        ck_assert(given);
    }
}
END_TEST

START_TEST(a_cookie_is_for_https_or_this_machine)
{
    struct http_request rq = {.scheme = "https", .remote_addr = "192.0.2.1"};
    struct sb set = sb_make(512);

    ck_assert(auth_cookie_allowed(&rq));
    auth_cookie_set(&rq, "x", &set);
    ck_assert_str_eq(sb_str(&set), "__Host-weir=x; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=604800");
    sb_reset(&set);
    rq.scheme = "http";
    ck_assert(!auth_cookie_allowed(&rq));
    rq.remote_addr = "127.8.9.1";
    ck_assert(auth_cookie_allowed(&rq));
    rq.remote_addr = "::1";
    ck_assert(auth_cookie_allowed(&rq));
    rq.remote_addr = NULL;
    ck_assert(!auth_cookie_allowed(&rq));
    auth_cookie_set(&rq, NULL, &set);
    ck_assert_str_eq(sb_str(&set), "weir=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    sb_done(&set);
}
END_TEST

START_TEST(a_cookie_changes_things_only_from_our_own_page)
{
    struct identity browser = {.csrf = "secret"}, token = {.token_id = "tok_1"};
    const struct http_request good = {.host = "127.0.0.1:8080", .origin = "http://127.0.0.1:8080", .csrf_token = "secret"};
    struct http_request rq = good;

    ck_assert(auth_may_change(&rq, &browser));
    rq.sec_fetch_site = "same-origin";
    ck_assert(auth_may_change(&rq, &browser));
    rq.sec_fetch_site = "cross-site";
    ck_assert(!auth_may_change(&rq, &browser));
    rq = good;
    rq.origin = NULL;
    ck_assert(!auth_may_change(&rq, &browser));
    rq.origin = "null";
    ck_assert(!auth_may_change(&rq, &browser));
    rq.origin = "http://127.0.0.1:8080.evil.example";
    ck_assert(!auth_may_change(&rq, &browser));
    rq = good;
    rq.csrf_token = "secre";
    ck_assert(!auth_may_change(&rq, &browser));
    rq.csrf_token = NULL;
    ck_assert(!auth_may_change(&rq, &browser));
    ck_assert(auth_may_change(&rq, &token));
    browser.csrf[0] = '\0';
    rq.csrf_token = "";
    ck_assert(!auth_may_change(&rq, &browser));
}
END_TEST

/* --- the administrator's token --- */

START_TEST(the_administrators_token_is_made_once_and_read_again)
{
    char first[ACCOUNT_TOKEN_SIZE], again[ACCOUNT_TOKEN_SIZE];
    struct sb why = sb_make(512);
    struct stat st;

    ck_assert(auth_admin_token(new_path("admin-token"), first, &why));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert(account_token_plausible(first));
    ck_assert(auth_admin_token(path, again, &why));
    ck_assert_str_eq(first, again);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert(!auth_admin_token(path, again, &why));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "600"));
    sb_done(&why);
}
END_TEST

START_TEST(a_damaged_or_empty_token_file_is_refused)
{
    char token[ACCOUNT_TOKEN_SIZE];
    struct sb why = sb_make(512);
    FILE *f;

    f = fopen(new_path("admin-token"), "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert(!auth_admin_token(path, token, &why));
    ck_assert_int_ge(fputs("weir_0123456789_x\n", f), 0);
    ck_assert_int_eq(fclose(f), 0);
    sb_reset(&why);
    ck_assert(!auth_admin_token(path, token, &why));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "no token"));
    ck_assert_ptr_null(strstr(sb_str(&why), "0123456789"));
    sb_done(&why);
}
END_TEST

/* --- who it is --- */

static struct db *db, *ro;
static struct writer *writer;
static struct auth *auth;
static char bearer[ACCOUNT_TOKEN_SIZE + 8], user_id[RAND_ID_SIZE];

static void open_accounts(void)
{
    char token[ACCOUNT_TOKEN_SIZE];

    db = fixture_db();
    account_token_make(token);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(account_first_start(db, token, clock_utc_ms(), user_id), WEIR_OK);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    ro = fixture_reader();
    (void)snprintf(bearer, sizeof bearer, "Bearer %s", token);
    writer = writer_start(db);
    auth = auth_new(writer);
}

static void close_accounts(void)
{
    auth_free(auth);
    writer_stop(writer);
    db_close(ro);
    db_close(db);
}

struct revoke {
    struct write_op op;
    const char *token_id, *cookie;
};

static enum weir_err run_revoke(struct db *to, struct write_op *op)
{
    const struct revoke *r = (struct revoke *)op;

    return r->cookie ? account_session_end(to, r->cookie) : account_token_revoke(to, NULL, r->token_id, clock_utc_ms());
}

START_TEST(a_token_that_is_revoked_is_refused_at_once_though_it_was_remembered)
{
    struct http_request rq = {.authorization = bearer};
    struct revoke r = {.op = {.run = run_revoke}};
    struct identity who;

    open_accounts();
    for (int i = 0; i < 2; i++) {                /* looked up, then remembered */
        ck_assert_int_eq(auth_identify(auth, ro, &rq, &who), WEIR_OK);
        ck_assert_int_eq(who.role, ROLE_ADMIN);
        ck_assert_str_eq(who.user_id, user_id);
    }
    r.token_id = who.token_id;
    ck_assert_int_eq(writer_call(writer, &r.op), WEIR_OK);
    auth_forget(auth);
    ck_assert_int_eq(auth_identify(auth, ro, &rq, &who), WEIR_E_UNAUTHENTICATED);
    close_accounts();
}
END_TEST

START_TEST(a_token_with_one_letter_changed_is_refused)
{
    struct http_request rq = {.authorization = bearer};
    struct identity who;

    open_accounts();
    for (size_t i = 7; bearer[i]; i += 5) {
        char was = bearer[i];

        bearer[i] = was == 'A' ? 'B' : 'A';
        ck_assert_int_eq(auth_identify(auth, ro, &rq, &who), WEIR_E_UNAUTHENTICATED);
        ck_assert_str_eq(who.user_id, "");
        bearer[i] = was;
    }
    ck_assert_int_eq(auth_identify(auth, ro, &rq, &who), WEIR_OK);
    close_accounts();
}
END_TEST

struct begin {
    struct write_op op;
    const char *cookie;
};

static enum weir_err run_begin(struct db *to, struct write_op *op)
{
    return account_session_add(to, ((struct begin *)op)->cookie, "csrf", user_id, false, NULL, clock_utc_ms());
}

START_TEST(a_header_wins_over_the_cookie_and_a_wrong_one_is_not_saved_by_it)
{
    char cookie[ACCOUNT_SECRET_SIZE], header[64];
    struct begin b = {.op = {.run = run_begin}, .cookie = cookie};
    struct revoke r = {.op = {.run = run_revoke}, .cookie = cookie};
    struct http_request rq = {.cookie = header};
    struct identity who;

    open_accounts();
    account_secret_make(cookie);
    (void)snprintf(header, sizeof header, "weir=%s", cookie);
    ck_assert_int_eq(auth_identify(auth, ro, &rq, &who), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(writer_call(writer, &b.op), WEIR_OK);
    ck_assert_int_eq(auth_identify(auth, ro, &rq, &who), WEIR_OK);
    ck_assert_str_eq(who.csrf, "csrf");
    ck_assert_str_eq(who.token_id, "");
    rq.authorization = bearer;
    ck_assert_int_eq(auth_identify(auth, ro, &rq, &who), WEIR_OK);
    ck_assert_str_ne(who.token_id, "");
    rq.authorization = "Bearer wrong";
    ck_assert_int_eq(auth_identify(auth, ro, &rq, &who), WEIR_E_UNAUTHENTICATED);
    rq.authorization = NULL;
    rq.scheme = "https";                         /* there the cookie has another name */
    ck_assert_int_eq(auth_identify(auth, ro, &rq, &who), WEIR_E_UNAUTHENTICATED);
    rq.scheme = NULL;
    ck_assert_int_eq(writer_call(writer, &r.op), WEIR_OK);
    auth_forget(auth);
    ck_assert_int_eq(auth_identify(auth, ro, &rq, &who), WEIR_E_UNAUTHENTICATED);
    close_accounts();
}
END_TEST

UNIT_MAIN("auth", bearer_and_api_key_are_the_same_credential, two_headers_that_differ_and_other_schemes_are_no_credential,
          a_cookie_is_for_https_or_this_machine, a_cookie_changes_things_only_from_our_own_page,
          the_administrators_token_is_made_once_and_read_again, a_damaged_or_empty_token_file_is_refused,
          a_token_that_is_revoked_is_refused_at_once_though_it_was_remembered,
          a_token_with_one_letter_changed_is_refused,
          a_header_wins_over_the_cookie_and_a_wrong_one_is_not_saved_by_it)
