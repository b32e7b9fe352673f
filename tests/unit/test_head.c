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
        {"Retry-After: 0\r\n", 0},
        {"retry-after-ms: 99999999999999999999\r\n", 86400 * SEC},
        {"retry-after-ms: 0.5\r\n", 500},
        {"retry-after-ms: -1\r\nRetry-After: 4\r\n", 4 * SEC},
        {"retry-after-ms: soon\r\n", -1},
        {"Content-Type: text/plain\r\n", -1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_int_eq(head_of(table[i].lines).retry_after_us, table[i].us);
}
END_TEST

/* What a head says of one dimension; -1: nothing. */
static const struct {
    const char *lines;
    enum dim dim;
    int64_t limit, remaining, reset_us;
} words[] = {
    /* OpenAI: Go durations */
    {"x-ratelimit-limit-requests: 60\r\nX-RateLimit-Remaining-Requests: 59\r\nx-ratelimit-reset-requests: 1s\r\n",
     DIM_REQUESTS_PER_MINUTE, 60, 59, SEC},
    {"x-ratelimit-limit-tokens: 150000\r\nx-ratelimit-remaining-tokens: 149984\r\nx-ratelimit-reset-tokens: 6m0s\r\n",
     DIM_TOKENS_PER_MINUTE, 150000, 149984, 360 * SEC},
    {"x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 120ms\r\n", DIM_REQUESTS_PER_MINUTE, -1, 0, 120000},
    {"x-ratelimit-limit-tokens: 150000\r\n", DIM_INPUT_TOKENS_PER_MINUTE, -1, -1, -1},
    {"x-ratelimit-limit-input-tokens: 5\r\nx-ratelimit-remaining-input-tokens: 4\r\n", DIM_INPUT_TOKENS_PER_MINUTE, 5, 4, -1},
    {"x-ratelimit-limit-output-tokens: 5\r\nx-ratelimit-remaining-output-tokens: 4\r\n", DIM_OUTPUT_TOKENS_PER_MINUTE, 5, 4, -1},
    /* a project's limit beside the organisation's: the strictest of each, and the reset of what is used up sooner */
    {"x-ratelimit-limit-tokens: 150000\r\nx-ratelimit-limit-project-tokens: 60000\r\n", DIM_TOKENS_PER_MINUTE, 60000, -1, -1},
    {"x-ratelimit-remaining-project-tokens: 57000\r\nx-ratelimit-reset-project-tokens: 3s\r\n"
     "x-ratelimit-remaining-tokens: 149000\r\nx-ratelimit-reset-tokens: 1s\r\n", DIM_TOKENS_PER_MINUTE, -1, 57000, 3 * SEC},
    {"x-ratelimit-reset-tokens: 9s\r\nx-ratelimit-remaining-tokens: 1\r\nx-ratelimit-reset-project-tokens: 3s\r\n"
     "x-ratelimit-remaining-project-tokens: 2\r\n", DIM_TOKENS_PER_MINUTE, -1, 1, 9 * SEC},
    {"x-ratelimit-limit-project-requests: 7\r\nx-ratelimit-limit-requests: 9\r\n", DIM_REQUESTS_PER_MINUTE, 7, -1, -1},
    /* Azure: plain seconds; -1 and 0 are unknown, and then what remains of it is no figure either */
    {"x-ratelimit-limit-requests: 10\r\nx-ratelimit-remaining-requests: 9\r\nx-ratelimit-reset-requests: 10\r\n",
     DIM_REQUESTS_PER_MINUTE, 10, 9, 10 * SEC},
    {"x-ratelimit-limit-tokens: -1\r\nx-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 0\r\n",
     DIM_TOKENS_PER_MINUTE, -1, -1, -1},
    {"x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 0\r\nx-ratelimit-limit-tokens: 0\r\n",
     DIM_TOKENS_PER_MINUTE, -1, -1, -1},
    {"x-ratelimit-limit-tokens: 100\r\nx-ratelimit-remaining-tokens: -1\r\n", DIM_TOKENS_PER_MINUTE, 100, -1, -1},
    /* Anthropic: times, also with a fraction or an offset */
    {"anthropic-ratelimit-requests-limit: 50\r\nanthropic-ratelimit-requests-remaining: 49\r\n"
     "anthropic-ratelimit-requests-reset: 2026-11-22T06:00:01Z\r\n", DIM_REQUESTS_PER_MINUTE, 50, 49, SEC},
    {"anthropic-ratelimit-tokens-limit: 40000\r\nanthropic-ratelimit-tokens-remaining: 39000\r\n"
     "anthropic-ratelimit-tokens-reset: 2026-11-22T06:00:01.250Z\r\n", DIM_TOKENS_PER_MINUTE, 40000, 39000, SEC + 250000},
    {"anthropic-ratelimit-input-tokens-limit: 40000\r\nanthropic-ratelimit-input-tokens-remaining: 39000\r\n"
     "anthropic-ratelimit-input-tokens-reset: 2026-11-22T08:00:02+02:00\r\n", DIM_INPUT_TOKENS_PER_MINUTE, 40000, 39000, 2 * SEC},
    {"anthropic-ratelimit-output-tokens-limit: 8000\r\nanthropic-ratelimit-output-tokens-remaining: 0\r\n"
     "anthropic-ratelimit-output-tokens-reset: 2026-11-22T00:30:12-05:30\r\n", DIM_OUTPUT_TOKENS_PER_MINUTE, 8000, 0, 12 * SEC},
    {"anthropic-ratelimit-requests-remaining: 3\r\nanthropic-ratelimit-requests-reset: 2026-11-22T05:59:00Z\r\n",
     DIM_REQUESTS_PER_MINUTE, -1, 3, 0},
    {"anthropic-priority-input-tokens-limit: 5\r\n", DIM_INPUT_TOKENS_PER_MINUTE, -1, -1, -1},
    /* absurd and broken */
    {"x-ratelimit-limit-requests: 99999999999999999999\r\n", DIM_REQUESTS_PER_MINUTE, 9999999999, -1, -1},
    {"x-ratelimit-limit-requests: many\r\nx-ratelimit-remaining-requests: \r\nx-ratelimit-reset-requests: soon\r\n",
     DIM_REQUESTS_PER_MINUTE, -1, -1, -1},
    {"x-ratelimit-remaining-requests: 5\r\nx-ratelimit-reset-requests: 1000000000\r\n", DIM_REQUESTS_PER_MINUTE, -1, 5, 86400 * SEC},
    {"anthropic-ratelimit-requests-remaining: 5\r\nanthropic-ratelimit-requests-reset: 2026-11-22T06:00:12\r\n",
     DIM_REQUESTS_PER_MINUTE, -1, 5, -1},
    {"anthropic-ratelimit-requests-remaining: 5\r\nanthropic-ratelimit-requests-reset: 2026-11-22T06:00:12Zulu\r\n",
     DIM_REQUESTS_PER_MINUTE, -1, 5, -1},
    {"x-ratelimit-: 5\r\nx-ratelimit-limit-: 5\r\nx-ratelimit-limit: 5\r\nanthropic-ratelimit--limit: 5\r\n",
     DIM_REQUESTS_PER_MINUTE, -1, -1, -1},
};

START_TEST(limits_are_read_in_every_spelling)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct provider_head h = head_of(words[i].lines);
        enum dim d = words[i].dim;

        if (h.word.limit[d] != words[i].limit || h.word.remaining[d] != words[i].remaining || h.word.reset_us[d] != words[i].reset_us)
            ck_abort_msg("%s: %lld %lld %lld", words[i].lines, (long long)h.word.limit[d], (long long)h.word.remaining[d],
                         (long long)h.word.reset_us[d]);
        if (words[i].limit >= 0 || words[i].remaining >= 0)
            ck_assert(h.has_word);
    }
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

UNIT_MAIN("head", waits_are_read_as_providers_write_them, retry_after_is_read_in_every_spelling, limits_are_read_in_every_spelling,
          an_interim_answer_leaves_nothing_behind, a_head_is_bounded_also_over_many_interim_ones)
