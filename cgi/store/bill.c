/* bill.c - members to rows, rows to a bill. */
#include "store/bill_row.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/mem.h"
#include "store/report.h"

enum { FAULTS_SHOWN = 20 };
#define DAY_MS INT64_C(86400000)
#define NUMBER_MAX 1e15
#define PICO_MAX INT64_C(9000000000000000000)       /* nine million dollars */

static const struct {
    const char *name;
    enum bill_member member;
    enum bill_provider provider;
} members[] = {
    {"day", MEMBER_DAY, BILL_ANY},
    {"date", MEMBER_DAY, BILL_ANY},
    {"usage_date", MEMBER_DAY, BILL_ANY},
    {"usage_date_utc", MEMBER_DAY, BILL_ANTHROPIC},
    {"start_time", MEMBER_DAY, BILL_OPENAI},
    {"start_time_iso", MEMBER_DAY, BILL_OPENAI},
    {"starting_at", MEMBER_DAY, BILL_ANTHROPIC},
    {"end_time", MEMBER_END, BILL_OPENAI},
    {"end_time_iso", MEMBER_END, BILL_OPENAI},
    {"ending_at", MEMBER_END, BILL_ANTHROPIC},
    {"model", MEMBER_MODEL, BILL_ANY},
    {"model_name", MEMBER_MODEL, BILL_ANY},
    {"model_version", MEMBER_MODEL, BILL_ANTHROPIC},
    {"line_item", MEMBER_ITEM, BILL_OPENAI},
    {"currency", MEMBER_CURRENCY, BILL_ANY},
    {"amount_currency", MEMBER_CURRENCY, BILL_OPENAI},
    {"requests", MEMBER_REQUESTS, BILL_ANY},
    {"num_requests", MEMBER_REQUESTS, BILL_ANY},
    {"request_count", MEMBER_REQUESTS, BILL_ANY},
    {"num_model_requests", MEMBER_REQUESTS, BILL_OPENAI},
    {"input", MEMBER_INPUT, BILL_ANY},
    {"input_tokens", MEMBER_INPUT, BILL_ANY},
    {"prompt", MEMBER_INPUT, BILL_ANY},
    {"prompt_tokens", MEMBER_INPUT, BILL_ANY},
    {"input_uncached_tokens", MEMBER_FRESH, BILL_OPENAI},
    {"uncached_input_tokens", MEMBER_FRESH, BILL_ANTHROPIC},
    {"usage_input_tokens_no_cache", MEMBER_FRESH, BILL_ANTHROPIC},
    {"cached", MEMBER_CACHED, BILL_ANY},
    {"cached_tokens", MEMBER_CACHED, BILL_ANY},
    {"cached_input_tokens", MEMBER_CACHED, BILL_ANY},
    {"input_cached_tokens", MEMBER_CACHED, BILL_OPENAI},
    {"cache_read_input_tokens", MEMBER_CACHED_APART, BILL_ANTHROPIC},
    {"usage_input_tokens_cache_read", MEMBER_CACHED_APART, BILL_ANTHROPIC},
    {"cache_creation_input_tokens", MEMBER_WRITTEN_APART, BILL_ANTHROPIC},
    {"cache_creation_5m_input_tokens", MEMBER_WRITTEN_APART, BILL_ANTHROPIC},
    {"cache_creation_1h_input_tokens", MEMBER_WRITTEN_APART, BILL_ANTHROPIC},
    {"ephemeral_5m_input_tokens", MEMBER_WRITTEN_APART, BILL_ANTHROPIC},
    {"ephemeral_1h_input_tokens", MEMBER_WRITTEN_APART, BILL_ANTHROPIC},
    {"usage_input_tokens_cache_write_5m", MEMBER_WRITTEN_APART, BILL_ANTHROPIC},
    {"usage_input_tokens_cache_write_1h", MEMBER_WRITTEN_APART, BILL_ANTHROPIC},
    {"output", MEMBER_OUTPUT, BILL_ANY},
    {"output_tokens", MEMBER_OUTPUT, BILL_ANY},
    {"completion", MEMBER_OUTPUT, BILL_ANY},
    {"completion_tokens", MEMBER_OUTPUT, BILL_ANY},
    {"usage_output_tokens", MEMBER_OUTPUT, BILL_ANTHROPIC},
    {"cost", MEMBER_COST, BILL_ANY},
    {"cost_usd", MEMBER_COST, BILL_ANY},
    {"amount", MEMBER_COST, BILL_ANY},
    {"amount_usd", MEMBER_COST, BILL_ANY},
    {"amount_value", MEMBER_COST, BILL_OPENAI},
};

enum bill_member bill_member(const char *name, size_t n, enum bill_provider *provider)
{
    char plain[48];
    size_t used = 0;

    for (size_t i = 0; i < n && used + 1 < sizeof plain; i++) {
        char c = name[i];

        plain[used++] = c == ' ' || c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    plain[used] = '\0';
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (strcmp(members[i].name, plain) != 0)
            continue;
        if (members[i].provider != BILL_ANY)
            *provider = members[i].provider;
        return members[i].member;
    }
    return MEMBER_NONE;
}

void bill_fault(struct bill_reader *r, const char *fmt, ...)
{
    va_list ap;

    if (++r->faults > FAULTS_SHOWN)
        return;
    sb_putf(r->why, "%s, %s: ", r->name, r->where);
    va_start(ap, fmt);
    sb_vputf(r->why, fmt, ap);
    va_end(ap);
    sb_putc(r->why, '\n');
}

void bill_begin(struct bill_reader *r)
{
    memset(r->seen, 0, sizeof r->seen);
    memset(r->number, 0, sizeof r->number);
    r->model[0] = r->item[0] = '\0';
}

/* --- members --- */

/* A moment: seconds since 1970, RFC 3339, or the same without an offset, which is then UTC. */
static bool read_moment(const char *text, int64_t *ms)
{
    char utc[40], *end;
    long long s = strtoll(text, &end, 10);

    if (*text >= '0' && *text <= '9' && !*end && s < INT64_C(100000000000)) {
        *ms = s * 1000;
        return true;
    }
    (void)snprintf(utc, sizeof utc, "%.30sZ", text);
    return report_time_parse(text, 0, ms) || report_time_parse(utc, 0, ms);
}

static void take_day(struct bill_reader *r, const char *name, const char *text)
{
    char midnight[24];
    int64_t ms;

    (void)snprintf(midnight, sizeof midnight, "%.10sT00:00:00Z", text);
    r->begins_ms = -1;
    if (strlen(text) == 10 && strspn(text, "0123456789-") == 10 && strchr(text, '-') && report_time_parse(midnight, 0, &ms)) {
        r->day = ms / DAY_MS;
    } else if (*text != '-' && read_moment(text, &ms)) {
        r->begins_ms = ms;
        r->day = zone_day(r->zone, ms);
    } else {
        bill_fault(r, "'%.40s' (%s) is no day such as 2026-11-22 and no time.", text, name);
    }
}

/* Tokens and requests are whole, though some exports write 3.0. */
static void take_number(struct bill_reader *r, enum bill_member m, const char *name, const char *text)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end || !(v >= 0) || v > NUMBER_MAX || v != floor(v))
        bill_fault(r, "'%.40s' (%s) is no whole number.", text, name);
    else
        r->number[m] += (int64_t)v;
}

static void take_cost(struct bill_reader *r, const char *name, const char *text)
{
    const char *number = text += *text == '$';
    int64_t pico;

    number += *number == '-';                 /* a credit */
    if (!decimal_scaled(number, strlen(number), r->cents ? 10 : 12, PICO_MAX, &pico))
        bill_fault(r, "'%.40s' (%s) is no amount in dollars.", text, name);
    else
        r->number[MEMBER_COST] += number > text ? -pico : pico;
}

/* "GPT-4o mini, input" -> "gpt-4o-mini" */
static void take_item(char to[BILL_MODEL_SIZE], const char *text)
{
    size_t n = 0;

    for (; *text && *text != ',' && n + 1 < BILL_MODEL_SIZE; text++)
        to[n++] = *text == ' ' ? '-' : *text >= 'A' && *text <= 'Z' ? (char)(*text + 'a' - 'A') : *text;
    to[n] = '\0';
}

void bill_take(struct bill_reader *r, enum bill_member m, const char *name, const char *text)
{
    if (m == MEMBER_NONE || !*text)
        return;
    r->seen[m] = true;
    switch (m) {
    case MEMBER_DAY: take_day(r, name, text); break;
    case MEMBER_END:
        if (!read_moment(text, &r->number[m]))
            bill_fault(r, "'%.40s' (%s) is no time.", text, name);
        break;
    case MEMBER_MODEL:
        if (strlen(text) >= BILL_MODEL_SIZE)
            bill_fault(r, "'%.40s…' (%s) is too long for a model's name.", text, name);
        else
            (void)snprintf(r->model, sizeof r->model, "%s", text);
        break;
    case MEMBER_ITEM: take_item(r->item, text); break;
    case MEMBER_CURRENCY:
        if (strcmp(text, "usd") != 0 && strcmp(text, "USD") != 0)
            bill_fault(r, "amounts are in '%.20s'; Weir counts dollars.", text);
        break;
    case MEMBER_COST: take_cost(r, name, text); break;
    case MEMBER_REQUESTS:
    case MEMBER_INPUT:
    case MEMBER_FRESH:
    case MEMBER_CACHED:
    case MEMBER_CACHED_APART:
    case MEMBER_WRITTEN_APART:
    case MEMBER_OUTPUT: take_number(r, m, name, text); break;
    case MEMBER_NONE:
    case MEMBERS: break;
    }
}

/* --- rows --- */

/* A bucket of a day or more has to begin where a day does, or its tokens would be counted on the wrong one. */
static bool day_is_a_day(struct bill_reader *r)
{
    struct sb at = sb_make(64);
    bool ok = r->begins_ms < 0 || !r->seen[MEMBER_END] || r->number[MEMBER_END] - r->begins_ms < DAY_MS - 2 * 3600 * 1000 ||
              zone_day_begins(r->zone, r->day) == r->begins_ms;

    if (!ok) {
        sb_time(&at, r->begins_ms);
        bill_fault(r, "its day begins at %s, which is no midnight in %s; give the provider's zone with --tz.", sb_str(&at), r->zone->name);
    }
    sb_done(&at);
    return ok;
}

static void widen(struct bill *b, int64_t day)
{
    bool none = !b->last_day;

    if (none || day < b->first_day)
        b->first_day = day;
    if (none || day > b->last_day)
        b->last_day = day;
}

void bill_end(struct bill_reader *r)
{
    struct bill *b = r->bill;
    const bool *seen = r->seen;
    bool fresh = !seen[MEMBER_INPUT] && seen[MEMBER_FRESH], apart = seen[MEMBER_CACHED_APART] || seen[MEMBER_WRITTEN_APART];
    bool says[BILL_PARTS] = {
        [BILL_REQUESTS] = seen[MEMBER_REQUESTS], [BILL_INPUT] = seen[MEMBER_INPUT] || fresh || apart,
        [BILL_CACHED] = seen[MEMBER_CACHED] || seen[MEMBER_CACHED_APART], [BILL_OUTPUT] = seen[MEMBER_OUTPUT], [BILL_COST] = seen[MEMBER_COST],
    };
    const int64_t *n = r->number;
    struct bill_row row = {.day = r->day};
    bool any = false;

    if (!seen[MEMBER_DAY]) {
        bill_fault(r, "there is no day.");
        return;
    }
    if (!day_is_a_day(r))
        return;
    widen(b, r->day);
    if (b->last_day - b->first_day >= BILL_DAYS_MAX) {
        bill_fault(r, "that is more than %d days after or before another row.", BILL_DAYS_MAX);
        return;
    }
    (void)snprintf(row.model, sizeof row.model, "%s", *r->model ? r->model : r->item);
    row.part[BILL_REQUESTS] = n[MEMBER_REQUESTS];
    row.part[BILL_INPUT] = (fresh ? n[MEMBER_FRESH] + n[MEMBER_CACHED] : n[MEMBER_INPUT]) + n[MEMBER_CACHED_APART] + n[MEMBER_WRITTEN_APART];
    row.part[BILL_CACHED] = n[MEMBER_CACHED] + n[MEMBER_CACHED_APART];
    row.part[BILL_OUTPUT] = n[MEMBER_OUTPUT];
    row.part[BILL_COST] = n[MEMBER_COST];
    for (int p = 0; p < BILL_PARTS; p++) {
        b->says[p] = b->says[p] || says[p];
        any = any || row.part[p];
    }
    if (!any)
        return;
    b->row = mem_grow(b->row, b->n + 1, sizeof *b->row);
    b->row[b->n++] = row;
}

/* --- a file --- */

bool bill_read(struct bill *b, const char *name, const char *text, size_t n, const struct zone *zone, struct sb *why)
{
    struct bill_reader r = {.bill = b, .zone = zone, .name = name, .why = why};
    size_t before = b->n;

    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3, n -= 3;
    while (n && strchr(" \t\r\n", *text))
        text++, n--;
    if (n && (*text == '{' || *text == '['))
        bill_read_json(&r, text, n);
    else
        bill_read_csv(&r, text, n);
    if (r.faults > FAULTS_SHOWN)
        sb_putf(why, "%s: and %" PRId64 " more.\n", name, r.faults - FAULTS_SHOWN);
    if (r.faults)
        b->n = before;
    return r.faults == 0;
}

void bill_done(struct bill *b)
{
    free(b->row);
    memset(b, 0, sizeof *b);
}
