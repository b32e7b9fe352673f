/* test_http.c - a request read from parameters, a response as text. */
#include "web/http.h"

#include <string.h>

#include "unit.h"

static enum weir_err read_uri(struct http_request *rq, const char *uri_param)
{
    const char *params[] = {"REQUEST_METHOD=GET", uri_param, NULL};
    const char *name;

    return http_read(rq, params, &name);
}

START_TEST(the_path_is_taken_raw_and_the_query_apart)
{
    struct http_request rq;

    ck_assert_int_eq(read_uri(&rq, "REQUEST_URI=/monitoring/live?a=1&b=x%20y+z"), WEIR_OK);
    ck_assert_str_eq(rq.path, "/monitoring/live");
    ck_assert_str_eq(rq.raw_query, "a=1&b=x%20y+z");
    ck_assert_int_eq(rq.method, HTTP_GET);
}
END_TEST

START_TEST(an_escape_a_space_or_a_foreign_byte_in_the_path_is_nothing_here)
{
    struct http_request rq;

    ck_assert_int_eq(read_uri(&rq, "REQUEST_URI=/chat/%2e%2e/x"), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(read_uri(&rq, "REQUEST_URI=/chat/\xc3\xa4"), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(read_uri(&rq, "REQUEST_URI=/chat/ x"), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(read_uri(&rq, "REQUEST_URI=chat"), WEIR_E_NOT_FOUND);
    ck_assert_int_eq(read_uri(&rq, "REQUEST_URI="), WEIR_E_NOT_FOUND);
}
END_TEST

START_TEST(a_path_longer_than_any_of_ours_is_nothing_here)
{
    struct http_request rq;
    char uri[400] = "REQUEST_URI=/";

    memset(uri + 13, 'a', HTTP_PATH_MAX - 1);
    ck_assert_int_eq(read_uri(&rq, uri), WEIR_OK);
    ck_assert_uint_eq(strlen(rq.path), HTTP_PATH_MAX);
    uri[13 + HTTP_PATH_MAX - 1] = 'a';
    ck_assert_int_eq(read_uri(&rq, uri), WEIR_E_NOT_FOUND);
}
END_TEST

START_TEST(a_header_that_decides_about_access_may_come_once)
{
    const char *twice[] = {"REQUEST_URI=/", "HTTP_COOKIE=weir=a", "HTTP_COOKIE=weir=b", NULL};
    const char *other[] = {"REQUEST_URI=/", "HTTP_IF_NONE_MATCH=a", "HTTP_IF_NONE_MATCH=b", NULL};
    struct http_request rq;
    const char *name;

    ck_assert_int_eq(http_read(&rq, twice, &name), WEIR_E_DUPLICATE_HEADER);
    ck_assert_str_eq(name, "Cookie");
    ck_assert_int_eq(http_read(&rq, other, &name), WEIR_OK);
    ck_assert_str_eq(rq.if_none_match, "a");
}
END_TEST

START_TEST(an_absent_length_and_a_malformed_one_are_told_apart)
{
    const char *absent[] = {"REQUEST_URI=/", "CONTENT_LENGTH=", NULL};
    const char *number[] = {"REQUEST_URI=/", "CONTENT_LENGTH=17", NULL};
    const char *words[] = {"REQUEST_URI=/", "CONTENT_LENGTH=1e3", NULL};
    const char *huge[] = {"REQUEST_URI=/", "CONTENT_LENGTH=99999999999999999999", NULL};
    struct http_request rq;
    const char *name;

    ck_assert_int_eq(http_read(&rq, absent, &name), WEIR_OK);
    ck_assert_int_eq(rq.content_length, -1);
    ck_assert_int_eq(http_read(&rq, number, &name), WEIR_OK);
    ck_assert_int_eq(rq.content_length, 17);
    ck_assert_int_eq(http_read(&rq, words, &name), WEIR_E_INVALID_FIELD);
    ck_assert_int_eq(http_read(&rq, huge, &name), WEIR_E_INVALID_FIELD);
}
END_TEST

START_TEST(a_head_request_counts_as_a_get_and_an_unknown_method_as_none)
{
    const char *head[] = {"REQUEST_METHOD=HEAD", "REQUEST_URI=/", NULL};
    const char *foo[] = {"REQUEST_METHOD=FOO", "REQUEST_URI=/", NULL};
    struct http_request rq;
    const char *name;

    ck_assert_int_eq(http_read(&rq, head, &name), WEIR_OK);
    ck_assert_int_eq(rq.method, HTTP_GET);
    ck_assert_int_eq(http_read(&rq, foo, &name), WEIR_OK);
    ck_assert_int_eq(rq.method, HTTP_OTHER);
}
END_TEST

static enum weir_err read_query(struct http_request *rq, const char *query, const char *known, const char **name)
{
    rq->raw_query = query;
    return http_read_query(rq, known, name);
}

START_TEST(query_values_are_decoded)
{
    struct http_request rq;
    const char *name;

    ck_assert_int_eq(read_query(&rq, "from=-24h&&model=a%2Fb+c&tz", NULL, &name), WEIR_OK);
    ck_assert_str_eq(http_query(&rq, "from", "?"), "-24h");
    ck_assert_str_eq(http_query(&rq, "model", "?"), "a/b c");
    ck_assert_str_eq(http_query(&rq, "tz", "?"), "");
    ck_assert_str_eq(http_query(&rq, "to", "?"), "?");
}
END_TEST

START_TEST(a_query_name_that_is_not_known_is_named)
{
    struct http_request rq;
    const char *name;

    ck_assert_int_eq(read_query(&rq, "from=1&granulariti=day", "from to granularity", &name), WEIR_E_UNKNOWN_FIELD);
    ck_assert_str_eq(name, "granulariti");
    ck_assert_int_eq(read_query(&rq, "granular=day", "from to granularity", &name), WEIR_E_UNKNOWN_FIELD);
    ck_assert_int_eq(read_query(&rq, "x=1", "", &name), WEIR_E_UNKNOWN_FIELD);
    ck_assert_int_eq(read_query(&rq, "to=1&granularity=day", "from to granularity", &name), WEIR_OK);
}
END_TEST

START_TEST(a_query_with_broken_escapes_control_bytes_or_a_name_twice_is_refused)
{
    static const char *const bad[] = {"a=%", "a=%4", "a=%zz", "a=%00", "a=%0d%0aX", "a=1&a=2", "%zz=1"};
    struct http_request rq;
    const char *name;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(read_query(&rq, bad[i], NULL, &name) == WEIR_E_INVALID_FIELD, "accepted: %s", bad[i]);
}
END_TEST

START_TEST(more_query_names_or_bytes_than_fit_are_refused)
{
    struct http_request rq;
    struct sb many = sb_make(1 << 16);
    const char *name;

    for (int i = 0; i <= HTTP_QUERY_PAIRS; i++)
        sb_putf(&many, "k%d=1&", i);
    ck_assert_int_eq(read_query(&rq, sb_str(&many), NULL, &name), WEIR_E_INVALID_FIELD);
    sb_reset(&many);
    for (int i = 0; i <= HTTP_QUERY_MAX; i++)
        sb_putc(&many, 'a');
    ck_assert_int_eq(read_query(&rq, sb_str(&many), NULL, &name), WEIR_E_INVALID_FIELD);
    sb_done(&many);
}
END_TEST

START_TEST(a_cookie_is_found_by_its_whole_name_and_only_once)
{
    struct http_request rq = {.cookie = "xweir=1; weir=abc; weird=2"};
    char value[8];

    ck_assert(http_cookie(&rq, "weir", value, sizeof value));
    ck_assert_str_eq(value, "abc");
    rq.cookie = "weir=abc; weir=def";
    ck_assert(!http_cookie(&rq, "weir", value, sizeof value));
    rq.cookie = "weir=";
    ck_assert(!http_cookie(&rq, "weir", value, sizeof value));
    rq.cookie = "weir=12345678";
    ck_assert(!http_cookie(&rq, "weir", value, sizeof value));
    rq.cookie = NULL;
    ck_assert(!http_cookie(&rq, "weir", value, sizeof value));
}
END_TEST

START_TEST(json_is_recognised_with_and_without_a_charset)
{
    struct http_request rq = {.content_type = "application/json"};

    ck_assert(http_is_json(&rq));
    rq.content_type = "Application/JSON ; charset=utf-8";
    ck_assert(http_is_json(&rq));
    rq.content_type = "application/jsonp";
    ck_assert(!http_is_json(&rq));
    rq.content_type = "text/plain";
    ck_assert(!http_is_json(&rq));
    rq.content_type = NULL;
    ck_assert(!http_is_json(&rq));
}
END_TEST

START_TEST(every_response_names_its_request)
{
    struct http_response rs;
    struct sb out = sb_make(4096);

    http_response_init(&rs);
    sb_puts(&rs.body, "{}");
    http_head(&rs, "req_1", &out);
    ck_assert_str_eq(sb_str(&out), "Status: 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                                   "Cache-Control: no-store\r\nX-Request-Id: req_1\r\nrequest-id: req_1\r\n\r\n");
    sb_done(&out);
    http_response_done(&rs);
}
END_TEST

START_TEST(a_header_value_with_a_line_break_is_never_sent)
{
    struct http_response rs;

    http_response_init(&rs);
    http_header(&rs, "Location", "/app/\r\nSet-Cookie: weir=x");
    ck_assert_str_eq(sb_str(&rs.head), "");
    http_header(&rs, "Location", "/app/");
    ck_assert_str_eq(sb_str(&rs.head), "Location: /app/\r\n");
    http_response_done(&rs);
}
END_TEST

START_TEST(a_refusal_drops_what_was_there_and_says_when_to_come_back)
{
    struct http_response rs;
    struct err_detail d = {.request_id = "req_1", .retry_after_ms = 1200};

    http_response_init(&rs);
    http_header(&rs, "ETag", "\"x\"");
    sb_puts(&rs.body, "half an answer");
    http_refuse(&rs, WEIR_E_QUEUE_FULL, &d);
    ck_assert_int_eq(rs.status, 429);
    ck_assert_str_eq(sb_str(&rs.head), "Retry-After: 2\r\n");
    ck_assert(strstr(sb_str(&rs.body), "\"retry_after_ms\":1200") != NULL);
    ck_assert(strstr(sb_str(&rs.body), "half") == NULL);
    d.retry_after_ms = -1;
    http_refuse(&rs, WEIR_E_DRAINING, &d);
    ck_assert_str_eq(sb_str(&rs.head), "Retry-After: 1\r\n");
    ck_assert(strstr(sb_str(&rs.body), "\"retry_after_ms\":1000") != NULL);
    http_refuse(&rs, WEIR_E_UNAUTHENTICATED, NULL);
    ck_assert_str_eq(sb_str(&rs.head), "WWW-Authenticate: Bearer\r\n");
    http_response_done(&rs);
}
END_TEST

START_TEST(a_client_that_has_the_answer_gets_an_empty_304)
{
    struct http_request rq = {.if_none_match = "W/\"v6\", \"v7\""};
    struct http_response rs;

    http_response_init(&rs);
    ck_assert(!http_etag(&rq, &rs, "v"));
    ck_assert_int_eq(rs.status, 200);
    http_response_done(&rs);
    http_response_init(&rs);
    ck_assert(http_etag(&rq, &rs, "v6"));
    ck_assert_int_eq(rs.status, 304);
    ck_assert_ptr_null(rs.type);
    http_response_done(&rs);
}
END_TEST

UNIT_MAIN("http", the_path_is_taken_raw_and_the_query_apart,
          an_escape_a_space_or_a_foreign_byte_in_the_path_is_nothing_here,
          a_path_longer_than_any_of_ours_is_nothing_here, a_header_that_decides_about_access_may_come_once,
          an_absent_length_and_a_malformed_one_are_told_apart,
          a_head_request_counts_as_a_get_and_an_unknown_method_as_none, query_values_are_decoded,
          a_query_name_that_is_not_known_is_named,
          a_query_with_broken_escapes_control_bytes_or_a_name_twice_is_refused,
          more_query_names_or_bytes_than_fit_are_refused, a_cookie_is_found_by_its_whole_name_and_only_once,
          json_is_recognised_with_and_without_a_charset, every_response_names_its_request,
          a_header_value_with_a_line_break_is_never_sent,
          a_refusal_drops_what_was_there_and_says_when_to_come_back,
          a_client_that_has_the_answer_gets_an_empty_304)
