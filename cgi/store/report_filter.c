/* report_filter.c - the query of a report, one parameter at a time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/gate.h"
#include "store/report.h"
#include "store/usage.h"

enum { BUCKETS_MAX = 3000 };
#define CURSOR_NO_KEY INT64_MIN
#define MINUTE INT64_C(60000)
#define HOUR INT64_C(3600000)
#define DAY INT64_C(86400000)

struct report_filter report_filter_make(int64_t now_ms)
{
    struct report_filter f = {.now_ms = now_ms, .from_ms = now_ms - DAY, .to_ms = now_ms, .priority = -1, .status = -1,
                              .zone = zone_utc(), .limit = 100, .cursor_key = CURSOR_NO_KEY, .horizon_ms = 7 * DAY, .metric = REPORT_TOKENS};
    return f;
}

/* --- times --- */

/* n digits as a number; -1 if one is missing. */
static int digits(const char **s, int n)
{
    int v = 0;

    for (; n > 0; n--, (*s)++) {
        if (**s < '0' || **s > '9')
            return -1;
        v = v * 10 + (**s - '0');
    }
    return v;
}

static bool take(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

/* ".123" and more digits than we keep; nothing is 0. */
static int fraction_ms(const char **s)
{
    int ms = 0, unit = 100;

    if (!take(s, '.'))
        return 0;
    if (**s < '0' || **s > '9')
        return -1;
    for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
        ms += (**s - '0') * unit;
    return ms;
}

/* Z, z or +hh:mm, in seconds; false if it is neither. */
static bool offset_s(const char **s, int *out)
{
    int sign = **s == '-' ? -1 : 1, hours, minutes;

    *out = 0;
    if (take(s, 'Z') || take(s, 'z'))
        return true;
    if (!take(s, '+') && !take(s, '-'))
        return false;
    hours = digits(s, 2);
    if (!take(s, ':'))
        return false;
    minutes = digits(s, 2);
    *out = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

static bool parse_rfc3339(const char *s, int64_t *out_ms)
{
    struct tm tm, back;
    int ms, offset;
    time_t t;

    memset(&tm, 0, sizeof tm);
    tm.tm_year = digits(&s, 4) - 1900;
    if (!take(&s, '-'))
        return false;
    tm.tm_mon = digits(&s, 2) - 1;
    if (!take(&s, '-'))
        return false;
    tm.tm_mday = digits(&s, 2);
    if (!take(&s, 'T') && !take(&s, 't') && !take(&s, ' '))
        return false;
    tm.tm_hour = digits(&s, 2);
    if (!take(&s, ':'))
        return false;
    tm.tm_min = digits(&s, 2);
    if (!take(&s, ':'))
        return false;
    tm.tm_sec = digits(&s, 2);
    ms = fraction_ms(&s);
    if (ms < 0 || !offset_s(&s, &offset) || *s || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 ||
        tm.tm_sec > 59)
        return false;
    back = tm;
    t = timegm(&back);
    if (back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday || back.tm_sec != tm.tm_sec || tm.tm_year < 70)
        return false;                              /* the 31st of February */
    *out_ms = ((int64_t)t - offset) * 1000 + ms;
    return true;
}

static bool parse_relative(const char *s, int64_t now_ms, int64_t *out_ms)
{
    char *end;
    long n;
    int64_t unit;

    if (strcmp(s, "now") == 0) {
        *out_ms = now_ms;
        return true;
    }
    if (s[0] != '-' || s[1] < '0' || s[1] > '9')
        return false;
    n = strtol(s + 1, &end, 10);
    unit = *end == 'm' ? MINUTE : *end == 'h' ? HOUR : *end == 'd' ? DAY : 0;
    if (!unit || end[1] || n < 0 || n > 5 * 366 * 24 * 60L)
        return false;
    *out_ms = now_ms - n * unit;
    return true;
}

bool report_time_parse(const char *s, int64_t now_ms, int64_t *out_ms)
{
    return parse_relative(s, now_ms, out_ms) || parse_rfc3339(s, out_ms);
}

/* --- parameters --- */

static enum weir_err refuse(char why[160], enum weir_err e, const char *key, const char *value, const char *allowed)
{
    (void)snprintf(why, 160, "%s: '%.40s' is not %s.", key, value, allowed);
    return e;
}

/* Nothing is recorded later than now; far later, a time would not fit into an event's key. */
static enum weir_err set_time(int64_t *at, int64_t now_ms, const char *key, const char *value, char why[160])
{
    if (report_time_parse(value, now_ms, at)) {
        *at = *at < now_ms + 366 * DAY ? *at : now_ms + 366 * DAY;
        return WEIR_OK;
    }
    return refuse(why, WEIR_E_INVALID_FIELD, key, value, "a time (2026-11-22T06:20:00Z, -90m, -24h, -7d, now)");
}

static enum weir_err set_limit(struct report_filter *f, const char *value, char why[160])
{
    char *end;
    long n = strtol(value, &end, 10);

    if (*end || end == value || strchr(" \t+", *value))
        return refuse(why, WEIR_E_INVALID_FIELD, "limit", value, "a whole number");
    if (n < 1 || n > 1000)
        return refuse(why, WEIR_E_OUT_OF_RANGE, "limit", value, "from 1 to 1000");
    f->limit = n;
    return WEIR_OK;
}

/* An event; behind a figure and "." where a figure orders. Beyond the largest number: the largest. */
static enum weir_err set_cursor(struct report_filter *f, const char *value, char why[160])
{
    char *end;

    f->cursor_key = CURSOR_NO_KEY;
    f->cursor = strtoll(value, &end, 10);
    if (*end == '.') {
        f->cursor_key = f->cursor;
        f->cursor = strtoll(end + 1, &end, 10);
    }
    if (*end || value[strspn(value, "-.0123456789")] || (*value && f->cursor < 1))
        return refuse(why, WEIR_E_INVALID_FIELD, "cursor", value, "what next_cursor of the page before said");
    return WEIR_OK;
}

static const char *const sorts[] = {[SORT_AT] = "at", [SORT_TOKENS] = "total_tokens", [SORT_COST] = "cost_usd",
                                    [SORT_FIRST_TOKEN] = "ttft_ms", [SORT_TOTAL] = "duration_ms", [SORT_QUEUED] = "queue_ms",
                                    [SORT_RETRIES] = "retries"};

const char *report_sort_name(enum report_sort s)
{
    return sorts[s];
}

static enum weir_err set_sort(struct report_filter *f, const char *value, char why[160])
{
    f->ascending = *value != '-';
    for (int i = 0; i < REPORT_SORTS; i++) {
        if (strcmp(value + !f->ascending, sorts[i]) == 0) {
            f->sort = (enum report_sort)i;
            return WEIR_OK;
        }
    }
    return refuse(why, WEIR_E_INVALID_FIELD, "sort", value, "at, total_tokens, cost_usd, ttft_ms, duration_ms, queue_ms or retries");
}

static enum weir_err set_granularity(struct report_filter *f, const char *value, char why[160])
{
    static const char *const names[] = {"auto", "minute", "hour", "day", "week", "month"};

    for (int i = 0; i <= GRANULARITY_MONTH; i++) {
        if (strcmp(value, names[i]) == 0) {
            f->granularity = (enum granularity)i;
            return WEIR_OK;
        }
    }
    return refuse(why, WEIR_E_INVALID_FIELD, "granularity", value, "minute, hour, day, week or month");
}

/* 36h, 7d */
static enum weir_err set_horizon(struct report_filter *f, const char *value, char why[160])
{
    char *end;
    long n = strtol(value, &end, 10);
    int64_t unit = *end == 'h' ? HOUR : *end == 'd' ? DAY : 0;

    if (value[0] < '0' || value[0] > '9' || !unit || end[1])
        return refuse(why, WEIR_E_INVALID_FIELD, "horizon", value, "a number of hours or days (36h, 7d)");
    if (n < 1 || n > 366 * DAY / unit)
        return refuse(why, WEIR_E_OUT_OF_RANGE, "horizon", value, "from 1h to 366d");
    f->horizon_ms = n * unit;
    return WEIR_OK;
}

static enum weir_err set_priority(struct report_filter *f, const char *value, char why[160])
{
    enum priority p;

    if (!priority_parse(value, &p))
        return refuse(why, WEIR_E_INVALID_FIELD, "priority", value, "Low, Medium or High");
    f->priority = (int)p;
    return WEIR_OK;
}

static enum weir_err set_status(struct report_filter *f, const char *value, char why[160])
{
    enum call_status s;

    if (!call_status_parse(value, &s))
        return refuse(why, WEIR_E_INVALID_FIELD, "status", value, "success, error, cancelled, timeout or rejected");
    f->status = (int)s;
    return WEIR_OK;
}

enum weir_err report_filter_set(struct report_filter *f, const char *key, const char *value, char why[160])
{
    const struct { const char *key; const char **to; } texts[] = {
        {"user_id", &f->user_id}, {"session_id", &f->session_id}, {"model", &f->model}, {"upstream", &f->upstream},
        {"api_endpoint", &f->api_endpoint},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(key, texts[i].key) == 0) {
            *texts[i].to = *value ? value : NULL;
            return WEIR_OK;
        }
    }
    if (strcmp(key, "from") == 0)
        return set_time(&f->from_ms, f->now_ms, key, value, why);
    if (strcmp(key, "to") == 0)
        return set_time(&f->to_ms, f->now_ms, key, value, why);
    if (strcmp(key, "priority") == 0)
        return set_priority(f, value, why);
    if (strcmp(key, "status") == 0)
        return set_status(f, value, why);
    if (strcmp(key, "granularity") == 0)
        return set_granularity(f, value, why);
    if (strcmp(key, "horizon") == 0)
        return set_horizon(f, value, why);
    if (strcmp(key, "metric") == 0)
        return report_metric_parse(value, &f->metric) ? WEIR_OK
               : refuse(why, WEIR_E_INVALID_FIELD, key, value, "requests, tokens or cost_usd");
    if (strcmp(key, "limit") == 0)
        return set_limit(f, value, why);
    if (strcmp(key, "sort") == 0)
        return set_sort(f, value, why);
    if (strcmp(key, "cursor") == 0)
        return set_cursor(f, value, why);
    if (strcmp(key, "tz") == 0)
        return zone_load(value, &f->zone) ? WEIR_OK
               : refuse(why, WEIR_E_INVALID_FIELD, key, value, "a time zone known here (Europe/Berlin, UTC)");
    (void)snprintf(why, 160, "%.60s is not a parameter of this report.", key);
    return WEIR_E_UNKNOWN_FIELD;
}

enum weir_err report_filter_check(const struct report_filter *f, const char **param, char why[160])
{
    int64_t unit = f->granularity == GRANULARITY_MINUTE ? MINUTE : f->granularity == GRANULARITY_HOUR ? HOUR : DAY;

    *param = "from";
    if (f->from_ms >= f->to_ms) {
        (void)snprintf(why, 160, "from is not before to.");
        return WEIR_E_OUT_OF_RANGE;
    }
    if (f->granularity == GRANULARITY_MINUTE && f->from_ms < f->now_ms - 2 * DAY) {
        (void)snprintf(why, 160, "from: minutes are kept for 48 hours; ask for granularity hour or day.");
        return WEIR_E_OUT_OF_RANGE;
    }
    *param = "cursor";
    if (f->cursor && (f->sort == SORT_AT) != (f->cursor_key == CURSOR_NO_KEY)) {
        (void)snprintf(why, 160, "cursor: it is of a page in another order.");
        return WEIR_E_INVALID_FIELD;
    }
    *param = "granularity";
    if ((f->to_ms - f->from_ms) / unit > BUCKETS_MAX) {
        (void)snprintf(why, 160, "granularity: the range has more than %d buckets; choose a coarser one.", BUCKETS_MAX);
        return WEIR_E_OUT_OF_RANGE;
    }
    *param = NULL;
    return WEIR_OK;
}
