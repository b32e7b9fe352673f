/* head.c - header lines by a table of names. */
#include "peer/head.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"

#define WAIT_MAX_US (INT64_C(86400) * USEC_PER_SEC)

void head_init(struct provider_head *h)
{
    *h = (struct provider_head){.retry_after_us = -1, .bytes = h->bytes};
    for (int d = 0; d < DIM_COUNT; d++)
        h->word.limit[d] = h->word.remaining[d] = h->word.reset_us[d] = -1;
}

/* Digits with an optional fraction, in millionths; moves *at behind them. -1: no number. */
static int64_t number_micro(const char *s, size_t n, size_t *at)
{
    size_t i = *at;
    int64_t v = 0, unit = 1000000;

    if (i >= n || s[i] < '0' || s[i] > '9')
        return -1;
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++)
        v = v > INT64_C(1000000000) ? v : v * 10 + (s[i] - '0');      /* a billion of anything is for ever */
    v *= 1000000;
    if (i < n && s[i] == '.')
        for (i++; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
            unit /= 10;
            v += (s[i] - '0') * unit;
        }
    *at = i;
    return v;
}

int64_t head_duration_us(const char *s, size_t n)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    int64_t sum_us = 0;
    size_t at = 0;

    if (n == 0)
        return -1;
    while (at < n) {
        int64_t micro = number_micro(s, n, &at), unit_ms = at == n ? 1000 : 0;
        int64_t part_us;

        if (micro < 0)
            return -1;
        for (size_t u = 0; u < sizeof units / sizeof *units && !unit_ms; u++) {
            size_t len = strlen(units[u].name);

            if (n - at >= len && memcmp(s + at, units[u].name, len) == 0) {
                unit_ms = units[u].ms;
                at += len;
            }
        }
        if (!unit_ms)
            return -1;
        part_us = micro / 1000 > WAIT_MAX_US / unit_ms ? WAIT_MAX_US : micro / 1000 * unit_ms;
        sum_us = sum_us + part_us > WAIT_MAX_US ? WAIT_MAX_US : sum_us + part_us;
    }
    return sum_us;
}

/* A moment as HTTP or RFC 3339 writes it, as the time from now; 0 if it has passed, -1 if it is none. */
static int64_t until_us(const char *s, size_t n, int64_t utc_ms)
{
    char text[64];
    struct tm tm = {0};
    int end = 0;
    time_t at;
    int64_t wait_ms;

    if (n >= sizeof text)
        return -1;
    memcpy(text, s, n);
    text[n] = '\0';
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &tm.tm_sec, &end) == 6 && (text[end] == 'Z' || text[end] == '.')) {
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        at = timegm(&tm);
    } else {
        at = isalpha((unsigned char)text[0]) ? curl_getdate(text, NULL) : (time_t)-1;
    }
    if (at == (time_t)-1)
        return -1;
    wait_ms = (int64_t)at * 1000 - utc_ms;
    if (wait_ms <= 0)
        return 0;
    return wait_ms > WAIT_MAX_US / 1000 ? WAIT_MAX_US : wait_ms * 1000;
}

static int64_t wait_us(const char *s, size_t n, int64_t utc_ms)
{
    int64_t us = head_duration_us(s, n);

    return us >= 0 ? us : until_us(s, n, utc_ms);
}

/* A header's name, or part of one. */
struct name {
    const char *p;
    size_t n;
};

static int64_t count(const char *s, size_t n)
{
    size_t at = 0;
    int64_t micro = number_micro(s, n, &at);

    return at == n ? micro / 1000000 : -1;
}

/* Two headers may speak of one dimension (an organisation's and a project's limit): the stricter counts. */
static void stricter(int64_t *have, int64_t said)
{
    if (said >= 0 && (*have < 0 || said < *have))
        *have = said;
}

static bool named(const char *name, size_t n, const char *want)
{
    return n == strlen(want) && strncasecmp(name, want, n) == 0;
}

/* One figure about one limit: OpenAI writes figure-limit, Anthropic limit-figure. */
static void rate_limit(struct provider_head *h, struct name figure, struct name limit, const char *value, size_t n,
                       int64_t utc_ms)
{
    static const struct {
        const char *word;
        enum dim dim;
    } limits[] = {
        {"requests", DIM_REQUESTS_PER_MINUTE}, {"tokens", DIM_TOKENS_PER_MINUTE},
        {"project-tokens", DIM_TOKENS_PER_MINUTE}, {"input-tokens", DIM_INPUT_TOKENS_PER_MINUTE},
        {"output-tokens", DIM_OUTPUT_TOKENS_PER_MINUTE},
    };
    enum dim dim = DIM_COUNT;

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (named(limit.p, limit.n, limits[i].word))
            dim = limits[i].dim;
    if (dim == DIM_COUNT)
        return;
    if (named(figure.p, figure.n, "limit")) {
        if (count(value, n) > 0)                        /* 0 and -1 mean "unknown" at Azure */
            stricter(&h->word.limit[dim], count(value, n));
    } else if (named(figure.p, figure.n, "remaining")) {
        stricter(&h->word.remaining[dim], count(value, n));
    } else if (named(figure.p, figure.n, "reset")) {
        h->word.reset_us[dim] = wait_us(value, n, utc_ms);
    }
    h->has_word = true;
}

static bool begins(const char *name, size_t n, const char *want)
{
    return n > strlen(want) && strncasecmp(name, want, strlen(want)) == 0;
}

static void field(struct provider_head *h, const char *name, size_t name_len, const char *value, size_t n, int64_t utc_ms)
{
    static const char openai[] = "x-ratelimit-", anthropic[] = "anthropic-ratelimit-";
    const char *end = name + name_len, *dash;

    if (begins(name, name_len, openai)) {
        name += sizeof openai - 1;
        dash = memchr(name, '-', (size_t)(end - name));
        if (dash)
            rate_limit(h, (struct name){name, (size_t)(dash - name)}, (struct name){dash + 1, (size_t)(end - dash - 1)},
                       value, n, utc_ms);
    } else if (begins(name, name_len, anthropic)) {
        name += sizeof anthropic - 1;
        dash = memrchr(name, '-', (size_t)(end - name));
        if (dash)
            rate_limit(h, (struct name){dash + 1, (size_t)(end - dash - 1)}, (struct name){name, (size_t)(dash - name)},
                       value, n, utc_ms);
    } else if (named(name, name_len, "retry-after-ms")) {
        size_t at = 0;
        int64_t micro = number_micro(value, n, &at);

        if (at == n && n > 0)                            /* more precise than Retry-After, so it wins */
            h->retry_after_us = micro / 1000 > WAIT_MAX_US ? WAIT_MAX_US : micro / 1000;
    } else if (named(name, name_len, "retry-after")) {
        if (h->retry_after_us < 0)
            h->retry_after_us = wait_us(value, n, utc_ms);
    } else if (named(name, name_len, "content-type")) {
        h->event_stream = n >= 17 && strncasecmp(value, "text/event-stream", 17) == 0;
    } else if (named(name, name_len, "x-request-id") || named(name, name_len, "request-id")) {
        size_t len = 0;

        for (size_t i = 0; i < n && len < sizeof h->request_id - 1; i++)
            if (value[i] > ' ' && value[i] < 0x7f)
                h->request_id[len++] = value[i];
        h->request_id[len] = '\0';
    }
}

bool head_line(struct provider_head *h, const char *line, size_t n, int64_t utc_ms)
{
    const char *colon, *value, *end;

    h->bytes += n;
    if (h->bytes > HEAD_BYTES_MAX)
        return false;
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r' || line[n - 1] == ' '))
        n--;
    end = line + n;
    if (n >= 12 && memcmp(line, "HTTP/", 5) == 0) {
        const char *blank = memchr(line, ' ', n);

        head_init(h);
        if (blank && end - blank >= 4)
            for (const char *p = blank + 1; p < blank + 4 && *p >= '0' && *p <= '9'; p++)
                h->status = h->status * 10 + (*p - '0');
        return true;
    }
    colon = memchr(line, ':', n);
    if (!colon)
        return true;
    for (value = colon + 1; value < end && (*value == ' ' || *value == '\t');)
        value++;
    field(h, line, (size_t)(colon - line), value, (size_t)(end - value), utc_ms);
    return true;
}
