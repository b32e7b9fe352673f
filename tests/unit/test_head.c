/* test_head.c - every spelling of "wait" and "so much is left". */
#include <string.h>

#include "peer/head.h"
#include "unit.h"

#define SEC INT64_C(1000000)
#define NOW_MS INT64_C(1795327200000)     /* 2026-11-22T06:00:00Z */

static struct provider_head head_of(const char *lines)
{
    struct provider_head h = {0};

    head_init(&h);
    while (*lines) {
        size_t n = strcspn(lines, "\n");

        n += lines[n] == '\n';
        ck_assert(head_line(&h, lines, n, NOW_MS));
        lines += n;
    }
    return h;
}

START_TEST(waits_are_read_as_providers_write_them)
{
    static const struct {
        const char *text;
        int64_t us;
    } table[] = {
        {"1s", SEC}, {"120ms", 120000}, {"6m0s", 360 * SEC}, {"4m12.172s", 252172000}, {"1.742s", 1742000},
        {"23h18m29.144s", 83909144000}, {"37", 37 * SEC}, {"0.5", SEC / 2}, {"1000000000", 86400 * SEC}, {"2d", 86400 * SEC},
        {"", -1}, {"s", -1}, {"-5", -1}, {"5x", -1}, {"1s5", 6 * SEC}, {"never", -1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (head_duration_us(table[i].text, strlen(table[i].text)) != table[i].us)
            ck_abort_msg("%s: %lld", table[i].text, (long long)head_duration_us(table[i].text, strlen(table[i].text)));
}
END_TEST

START_TEST(retry_after_is_read_in_every_spelling)
{
    static const struct {
        const char *lines;
        int64_t us;
    } table[] = {
        {"HTTP/1.1 429 Too Many\r\nRetry-After: 56\r\n", 56 * SEC},
        {"retry-after: 0.25\r\n", SEC / 4},
        {"Retry-After: Sun, 22 Nov 2026 06:00:30 GMT\r\n", 30 * SEC},
        {"Retry-After: Sun, 22 Nov 2026 05:00:00 GMT\r\n", 0},
        {"Retry-After-Ms: 1742\r\nRetry-After: 2\r\n", 1742000},
        {"Retry-After: 2\r\nretry-after-ms: 1742\r\n", 1742000},
        {"Retry-After: -3\r\n", -1},
        {"Retry-After: 1000000000\r\n", 86400 * SEC},
        {"Retry-After: soon\r\n", -1},
        {"Content-Type: text/plain\r\n", -1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_int_eq(head_of(table[i].lines).retry_after_us, table[i].us);
}
END_TEST

START_TEST(openai_and_anthropic_name_the_same_limits)
{
    struct provider_head o = head_of("HTTP/1.1 200 OK\r\nx-ratelimit-limit-requests: 60\r\nX-RateLimit-Remaining-Requests: 59\r\n"
                                     "x-ratelimit-reset-requests: 1s\r\nx-ratelimit-limit-tokens: 150000\r\n"
                                     "x-ratelimit-remaining-tokens: 149984\r\nx-ratelimit-reset-tokens: 6m0s\r\n");
    struct provider_head a = head_of("anthropic-ratelimit-requests-limit: 50\r\nanthropic-ratelimit-input-tokens-remaining: 39000\r\n"
                                     "anthropic-ratelimit-output-tokens-limit: 8000\r\n"
                                     "anthropic-ratelimit-output-tokens-reset: 2026-11-22T06:00:12Z\r\n");

    ck_assert(o.has_word);
    ck_assert_int_eq(o.word.limit[DIM_REQUESTS_PER_MINUTE], 60);
    ck_assert_int_eq(o.word.remaining[DIM_REQUESTS_PER_MINUTE], 59);
    ck_assert_int_eq(o.word.reset_us[DIM_REQUESTS_PER_MINUTE], SEC);
    ck_assert_int_eq(o.word.limit[DIM_TOKENS_PER_MINUTE], 150000);
    ck_assert_int_eq(o.word.remaining[DIM_TOKENS_PER_MINUTE], 149984);
    ck_assert_int_eq(o.word.reset_us[DIM_TOKENS_PER_MINUTE], 360 * SEC);
    ck_assert_int_eq(o.word.limit[DIM_INPUT_TOKENS_PER_MINUTE], -1);
    ck_assert_int_eq(a.word.limit[DIM_REQUESTS_PER_MINUTE], 50);
    ck_assert_int_eq(a.word.remaining[DIM_INPUT_TOKENS_PER_MINUTE], 39000);
    ck_assert_int_eq(a.word.limit[DIM_OUTPUT_TOKENS_PER_MINUTE], 8000);
    ck_assert_int_eq(a.word.reset_us[DIM_OUTPUT_TOKENS_PER_MINUTE], 12 * SEC);
}
END_TEST

START_TEST(the_stricter_of_two_limits_counts_and_unknown_ones_do_not)
{
    struct provider_head h = head_of("x-ratelimit-limit-tokens: 150000\r\nx-ratelimit-limit-project-tokens: 60000\r\n"
                                     "x-ratelimit-limit-requests: -1\r\nx-ratelimit-remaining-requests: many\r\n");

    ck_assert_int_eq(h.word.limit[DIM_TOKENS_PER_MINUTE], 60000);
    ck_assert_int_eq(h.word.limit[DIM_REQUESTS_PER_MINUTE], -1);
    ck_assert_int_eq(h.word.remaining[DIM_REQUESTS_PER_MINUTE], -1);
}
END_TEST

START_TEST(an_interim_answer_leaves_nothing_behind)
{
    struct provider_head h = head_of("HTTP/1.1 100 Continue\r\nRetry-After: 5\r\n\r\nHTTP/1.1 200 OK\r\n"
                                     "Content-Type: text/event-stream; charset=utf-8\r\nx-request-id: req_a\x01\x7f" "b\r\n");

    ck_assert_int_eq(h.status, 200);
    ck_assert_int_eq(h.retry_after_us, -1);
    ck_assert(h.event_stream);
    ck_assert_str_eq(h.request_id, "req_ab");
}
END_TEST

START_TEST(a_head_is_bounded_also_over_many_interim_ones)
{
    struct provider_head h = {0};
    int lines = 0;

    head_init(&h);
    while (head_line(&h, "HTTP/1.1 102 Processing\r\n", 25, NOW_MS))
        ck_assert_int_lt(++lines, HEAD_BYTES_MAX);
    ck_assert_uint_gt(h.bytes, HEAD_BYTES_MAX);
}
END_TEST

UNIT_MAIN("head", waits_are_read_as_providers_write_them, retry_after_is_read_in_every_spelling,
          openai_and_anthropic_name_the_same_limits, the_stricter_of_two_limits_counts_and_unknown_ones_do_not,
          an_interim_answer_leaves_nothing_behind, a_head_is_bounded_also_over_many_interim_ones)
