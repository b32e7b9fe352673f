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
    for (int i = 0; i < HEAD_LIMITS; i++)
        h->said[i] = (struct head_limit){-1, -1, -1};
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

/* 2026-11-22T06:00:12.5Z, or with an offset as +02:00, in milliseconds; false: none of it. */
static bool rfc3339_ms(const char *text, int64_t *ms)
{
    struct tm tm = {0};
    int end = 0, hours, minutes, zone_end = 0;
    int64_t fraction = 0, unit = 100;
    char sign;

    if (sscanf(text, "%4d-%2d-%2d%*1[Tt]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &tm.tm_sec, &end) != 6 || !end)
        return false;
    text += end;
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
            fraction += (*text - '0') * unit;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ms = (int64_t)timegm(&tm) * 1000 + fraction;
    if ((*text == 'Z' || *text == 'z') && !text[1])
        return true;
    if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &zone_end) != 3 || text[zone_end] ||
        (sign != '+' && sign != '-'))
        return false;
    *ms -= (sign == '-' ? -1 : 1) * (hours * 60 + minutes) * INT64_C(60000);
    return true;
}

/* A moment as HTTP or RFC 3339 writes it, as the time from now; 0 if it has passed, -1 if it is none. */
static int64_t until_us(const char *s, size_t n, int64_t utc_ms)
{
    char text[64];
    int64_t at_ms, wait_ms;

    if (n >= sizeof text)
        return -1;
    memcpy(text, s, n);
    text[n] = '\0';
    if (!rfc3339_ms(text, &at_ms)) {
        time_t at = isalpha((unsigned char)text[0]) ? curl_getdate(text, NULL) : (time_t)-1;

        if (at == (time_t)-1)
            return -1;
        at_ms = (int64_t)at * 1000;
    }
    wait_ms = at_ms - utc_ms;
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

    return micro >= 0 && at == n ? micro / 1000000 : -1;
}

static bool named(const char *name, size_t n, const char *want)
{
    return n == strlen(want) && strncasecmp(name, want, n) == 0;
}

/* The names providers have for limits. */
static const struct {
    const char *name;
    enum dim dim;
} limits[HEAD_LIMITS] = {
    {"requests", DIM_REQUESTS_PER_MINUTE}, {"project-requests", DIM_REQUESTS_PER_MINUTE},
    {"tokens", DIM_TOKENS_PER_MINUTE}, {"project-tokens", DIM_TOKENS_PER_MINUTE},
    {"input-tokens", DIM_INPUT_TOKENS_PER_MINUTE}, {"output-tokens", DIM_OUTPUT_TOKENS_PER_MINUTE},
};

/* Two names may speak of one dimension (an organisation's and a project's limit): the stricter counts, with its own
 * reset. */
static void conclude(struct provider_head *h, enum dim dim)
{
    int64_t *limit = &h->word.limit[dim], *remaining = &h->word.remaining[dim], *reset_us = &h->word.reset_us[dim];

    *limit = *remaining = *reset_us = -1;
    for (int i = 0; i < HEAD_LIMITS; i++) {
        const struct head_limit *s = &h->said[i];

        if (limits[i].dim != dim || s->limit == 0)
            continue;
        if (s->limit > 0 && (*limit < 0 || s->limit < *limit))
            *limit = s->limit;
        if (s->remaining >= 0 ? *remaining < 0 || s->remaining < *remaining : *remaining < 0 && s->reset_us >= 0) {
            *remaining = s->remaining;
            *reset_us = s->reset_us;
        }
    }
    h->has_word |= *limit >= 0 || *remaining >= 0;
}

/* One figure about one limit: OpenAI writes figure-limit, Anthropic limit-figure. */
static void rate_limit(struct provider_head *h, struct name figure, struct name limit, const char *value, size_t n,
                       int64_t utc_ms)
{
    int i = 0;

    while (i < HEAD_LIMITS && !named(limit.p, limit.n, limits[i].name))
        i++;
    if (i == HEAD_LIMITS)
        return;
    if (named(figure.p, figure.n, "limit"))
        h->said[i].limit = n > 0 && value[0] == '-' ? 0 : count(value, n);
    else if (named(figure.p, figure.n, "remaining"))
        h->said[i].remaining = count(value, n);
    else if (named(figure.p, figure.n, "reset"))
        h->said[i].reset_us = wait_us(value, n, utc_ms);
    conclude(h, limits[i].dim);
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
