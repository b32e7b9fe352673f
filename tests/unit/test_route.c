/* test_route.c - which line of the table a request finds, and what the table
 * promises as a whole. */
#include "web/route.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static char arg[WEB_ARGS][WEB_ARG_MAX + 1];
static unsigned allow;

static const struct route *find(enum http_method method, const char *path)
{
    return route_find(method, path, arg, &allow);
}

START_TEST(a_path_finds_its_line_and_its_ids)
{
    const struct route *r = find(HTTP_DELETE, "/chat/sessions/ses_1/messages/msg_2");

    ck_assert_ptr_nonnull(r);
    ck_assert_str_eq(r->pattern, "/chat/sessions/{session}/messages/{id}");
    ck_assert_str_eq(arg[0], "ses_1");
    ck_assert_str_eq(arg[1], "msg_2");
    r = find(HTTP_GET, "/chat/sessions");
    ck_assert_str_eq(r->pattern, "/chat/sessions");
    ck_assert_str_eq(arg[0], "");
}
END_TEST

START_TEST(a_path_is_compared_byte_for_byte)
{
    static const char *const none[] = {
        "", "/chat", "/Chat/complete", "/chat/complete/", "/chat//complete", "/chat/completes", "/chat/sessions/", "/chat/sessions/a/",
        "/chat/sessions/a.b", "/chat/sessions/{session}", "/chat/sessions/a/messages/", "/monitoring", "/healthz/", "/app/c/", "//",
    };

    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        for (int m = HTTP_GET; m <= HTTP_OTHER; m++)
            ck_assert_msg(!find((enum http_method)m, none[i]), "found: %s", none[i]);
        ck_assert_msg(allow == 0, "some method found: %s", none[i]);
    }
}
END_TEST

START_TEST(an_id_has_at_most_64_characters)
{
    char path[128] = "/app/c/";

    memset(path + 7, 'x', WEB_ARG_MAX);
    ck_assert_ptr_nonnull(find(HTTP_GET, path));
    ck_assert_uint_eq(strlen(arg[0]), WEB_ARG_MAX);
    path[7 + WEB_ARG_MAX] = 'x';
    ck_assert_ptr_null(find(HTTP_GET, path));
}
END_TEST

START_TEST(a_wrong_method_learns_the_right_ones)
{
    ck_assert_ptr_null(find(HTTP_GET, "/chat/complete"));
    ck_assert_uint_eq(allow, 1U << HTTP_POST);
    ck_assert_ptr_null(find(HTTP_OTHER, "/chat/sessions/ses_1"));
    ck_assert_uint_eq(allow, 1U << HTTP_GET | 1U << HTTP_PATCH | 1U << HTTP_DELETE);
}
END_TEST

START_TEST(no_two_lines_answer_the_same_request)
{
    size_t n;
    const struct route *r = route_table(&n);

    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++)
            ck_assert_msg(r[i].method != r[j].method || strcmp(r[i].pattern, r[j].pattern) != 0, "twice: %s", r[i].pattern);
    }
}
END_TEST

START_TEST(every_line_can_be_reached)
{
    size_t n;
    const struct route *r = route_table(&n);

    for (size_t i = 0; i < n; i++) {
        char path[256] = "";
        const char *p = r[i].pattern;

        for (const char *id; (id = strchr(p, '{')) != NULL; p = strchr(id, '}') + 1) {
            (void)strncat(path, p, (size_t)(id - p));
            (void)strcat(path, "x");
        }
        (void)strcat(path, p);
        ck_assert_msg(find(r[i].method, path) == &r[i], "%s is not what %s finds", r[i].pattern, path);
    }
}
END_TEST

/* Whoever opens another path to all sees it here. */
START_TEST(nothing_is_open_but_health_and_signing_in)
{
    static const char *const open[] = {"/", "/healthz", "/readyz", "/app/login"};
    size_t n;
    const struct route *r = route_table(&n);

    for (size_t i = 0; i < n; i++) {
        bool listed = false;

        for (size_t k = 0; k < sizeof open / sizeof *open; k++)
            listed |= strcmp(r[i].pattern, open[k]) == 0;
        ck_assert_msg((r[i].perm == PERM_OPEN) == listed, "open or not: %s", r[i].pattern);
    }
}
END_TEST

START_TEST(each_role_may_do_what_api_md_says)
{
    static const struct {
        enum http_method method;
        const char *path;
        bool user, monitor, admin;
    } who[] = {
        {HTTP_POST, "/chat/complete", true, false, true},
        {HTTP_POST, "/chat/stream", true, false, true},
        {HTTP_GET, "/chat/sessions", true, false, true},
        {HTTP_GET, "/chat/sessions/x/export", true, false, true},
        {HTTP_GET, "/monitoring/live", true, true, true},
        {HTTP_GET, "/monitoring/cost-breakdown", true, true, true},
        {HTTP_GET, "/metrics", false, true, true},
        {HTTP_POST, "/monitoring/reset-rate-limits", false, false, true},
        {HTTP_POST, "/admin/reload", false, false, true},
        {HTTP_GET, "/app/me", true, true, true},
        {HTTP_GET, "/healthz", true, true, true},
    };

    for (size_t i = 0; i < sizeof who / sizeof *who; i++) {
        const struct route *r = find(who[i].method, who[i].path);

        ck_assert_msg(r != NULL, "missing: %s", who[i].path);
        ck_assert_msg(route_permits(r, ROLE_USER) == who[i].user, "user: %s", who[i].path);
        ck_assert_msg(route_permits(r, ROLE_MONITOR) == who[i].monitor, "monitor: %s", who[i].path);
        ck_assert_msg(route_permits(r, ROLE_ADMIN) == who[i].admin, "admin: %s", who[i].path);
    }
}
END_TEST

START_TEST(a_narrowed_token_opens_what_it_names_and_nothing_else)
{
    const struct route *chat = find(HTTP_POST, "/chat/complete"), *live = find(HTTP_GET, "/monitoring/live");
    const struct route *me = find(HTTP_GET, "/app/me"), *logout = find(HTTP_POST, "/app/logout");

    ck_assert(route_in_scope(logout, ""));
    ck_assert(route_in_scope(chat, "chat"));
    ck_assert(route_in_scope(chat, "monitor,chat"));
    ck_assert(!route_in_scope(chat, "monitor"));
    ck_assert(!route_in_scope(chat, "chats,cha"));
    ck_assert(!route_in_scope(live, "chat"));
    ck_assert(route_in_scope(live, "monitor"));
    ck_assert(route_in_scope(me, "monitor"));
    ck_assert(!route_in_scope(me, "events"));
    ck_assert(!route_in_scope(logout, "chat,monitor"));
}
END_TEST

UNIT_MAIN("route", a_path_finds_its_line_and_its_ids, a_path_is_compared_byte_for_byte, an_id_has_at_most_64_characters,
          a_wrong_method_learns_the_right_ones, no_two_lines_answer_the_same_request, every_line_can_be_reached,
          nothing_is_open_but_health_and_signing_in, each_role_may_do_what_api_md_says,
          a_narrowed_token_opens_what_it_names_and_nothing_else)
