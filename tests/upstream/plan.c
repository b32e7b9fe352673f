/* plan.c - a table of names without numbers, a table of names with them. */
#include "plan.h"

#include <stdio.h>
#include <string.h>

const char *const plan_models[] = {
    "gpt-4o-mini", "gpt-4o", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "o3", "o4-mini",
    "echo", "lorem-20", "lorem-200", "slow-50-20-20", "slow-500-100-50", "chunks-100-50", "think-5-10",
    "tool", "filter", "no-done", "crlf", "drip",
    "fault-400", "fault-401", "fault-403", "fault-404", "fault-408", "fault-409", "fault-413", "fault-422",
    "fault-429", "fault-429-once", "fault-429-date", "fault-429-ms", "fault-429-bare", "fault-429-absurd",
    "fault-429-negative", "fault-quota", "fault-too-large", "fault-500", "fault-500-once", "fault-502", "fault-503",
    "fault-503-once", "fault-503-twice", "fault-504", "fault-529",
    "fault-hang", "fault-hang-3", "fault-cut-400", "fault-reset-400", "fault-end-400", "fault-json", "fault-html",
    "fault-empty", "fault-redirect", "fault-200-error", "fault-mid-error", "fault-huge-line", "fault-huge-header",
    "fault-usage-missing", "fault-usage-null", "fault-usage-string", "fault-usage-negative", "fault-usage-huge",
    "fault-usage-fraction", "fault-usage-twice", "fault-usage-less", "fault-usage-more",
    "usage-cost",
    NULL
};

static const char *const real_models[] = {"gpt-", "o3", "o4", "chatgpt-", "openai/", "claude-", NULL};

/* Names that are whole; what they do not mention is TEXT_LOREM with 12 tokens. */
static const struct {
    const char *name;
    struct plan plan;
} whole[] = {
    {"echo", {.text = TEXT_ECHO}},
    {"tool", {.odd = ODD_TOOL}},
    {"filter", {.odd = ODD_FILTER}},
    {"no-done", {.odd = ODD_NO_DONE}},
    {"crlf", {.odd = ODD_CRLF}},
    {"drip", {.odd = ODD_DRIP}},
    {"fault-429-date", {.status = 429, .after = AFTER_DATE}},
    {"fault-429-ms", {.status = 429, .after = AFTER_MS}},
    {"fault-429-bare", {.status = 429, .after = AFTER_BARE}},
    {"fault-429-absurd", {.status = 429, .after = AFTER_ABSURD}},
    {"fault-429-negative", {.status = 429, .after = AFTER_NEGATIVE}},
    {"fault-quota", {.status = 429, .quota = true}},
    {"fault-too-large", {.status = 429, .too_large = true}},
    {"fault-hang", {.hang_after = 0}},
    {"fault-json", {.odd = ODD_JSON}},
    {"fault-html", {.odd = ODD_HTML}},
    {"fault-empty", {.odd = ODD_EMPTY}},
    {"fault-redirect", {.odd = ODD_REDIRECT}},
    {"fault-200-error", {.odd = ODD_200_ERROR}},
    {"fault-mid-error", {.odd = ODD_MID_ERROR}},
    {"fault-huge-line", {.odd = ODD_HUGE_LINE}},
    {"fault-huge-header", {.odd = ODD_HUGE_HEADER}},
    {"fault-usage-missing", {.usage = USAGE_MISSING}},
    {"fault-usage-null", {.usage = USAGE_NULL}},
    {"fault-usage-string", {.usage = USAGE_STRING}},
    {"fault-usage-negative", {.usage = USAGE_NEGATIVE}},
    {"fault-usage-huge", {.usage = USAGE_HUGE}},
    {"fault-usage-fraction", {.usage = USAGE_FRACTION}},
    {"fault-usage-twice", {.usage = USAGE_TWICE}},
    {"fault-usage-less", {.usage = USAGE_LESS}},
    {"fault-usage-more", {.usage = USAGE_MORE}},
    {"usage-cost", {.usage = USAGE_COST}},
};

/* Defaults of what a table line leaves at zero. */
static void plan_complete(struct plan *p)
{
    if (p->text != TEXT_ECHO && !p->tokens)
        p->tokens = 12;
    if (!p->status)
        p->status = 200;
}

/* Names with numbers. */
static bool plan_numbers(const char *s, struct plan *p)
{
    long long a, b, c;
    char word[8] = "";
    int end = 0;

    if (sscanf(s, "lorem-%lld%n", &a, &end) == 1 && !s[end]) {
        p->tokens = a;
    } else if (end = 0, sscanf(s, "slow-%lld-%lld-%lld%n", &a, &b, &c, &end) == 3 && !s[end]) {
        p->first_us = a * 1000;
        p->gap_us = b * 1000;
        p->tokens = c;
    } else if (end = 0, sscanf(s, "chunks-%lld-%lld%n", &a, &b, &end) == 2 && !s[end] && b > 0) {
        p->text = TEXT_STAMP;
        p->tokens = a;
        p->gap_us = 1000000 / b;
    } else if (end = 0, sscanf(s, "deaf-%lld-%lld%n", &a, &b, &end) == 2 && !s[end]) {
        p->deaf = true;
        p->gap_us = a * 1000;
        p->tokens = b;
    } else if (end = 0, sscanf(s, "think-%lld-%lld%n", &a, &b, &end) == 2 && !s[end]) {
        p->reasoning = a;
        p->tokens = b;
    } else if (end = 0, sscanf(s, "cache-%lld-%lld-%lld%n", &a, &b, &c, &end) == 3 && !s[end]) {
        p->text = TEXT_ECHO;
        p->cache_read = a;
        p->cache_5m = b;
        p->cache_1h = c;
    } else if (end = 0, sscanf(s, "tier-%11[a-z]%n", p->tier, &end) == 1 && !s[end]) {
        p->text = TEXT_ECHO;
    } else if (end = 0, sscanf(s, "fault-hang-%lld%n", &a, &end) == 1 && !s[end]) {
        p->hang_after = a;
        p->gap_us = 1000;
    } else if (end = 0, sscanf(s, "fault-cut-%lld%n", &a, &end) == 1 && !s[end]) {
        p->brk = BREAK_CUT;
        p->break_at = a;
    } else if (end = 0, sscanf(s, "fault-reset-%lld%n", &a, &end) == 1 && !s[end]) {
        p->brk = BREAK_RESET;
        p->break_at = a;
    } else if (end = 0, sscanf(s, "fault-end-%lld%n", &a, &end) == 1 && !s[end]) {
        p->brk = BREAK_END;
        p->break_at = a;
    } else if (end = 0, sscanf(s, "fault-event-%3lld-%lld%n-%7s", &a, &b, &end, word) >= 2 && a >= 400 && a < 600) {
        p->event_status = (int)a;
        p->event_after = b;
        p->tokens = b + 12;
        p->refusals = strcmp(word, "once") == 0;
        return s[end] ? p->refusals > 0 : true;
    } else if (end = 0, sscanf(s, "fault-%3lld%n-%7s", &a, &end, word) >= 1 && a >= 400 && a < 600) {
        p->status = (int)a;
        p->refusals = strcmp(word, "once") == 0 ? 1 : strcmp(word, "twice") == 0 ? 2 : 0;
        return s[end] ? p->refusals > 0 : true;
    } else
        return false;
    return p->tokens >= 0 && p->tokens <= 1000000 && p->first_us >= 0 && p->gap_us >= 0;
}

bool plan_parse(const char *name, size_t n, struct plan *out)
{
    char s[64];

    memset(out, 0, sizeof *out);
    out->text = TEXT_LOREM;
    out->hang_after = -1;
    if (n == 0 || n >= sizeof s)
        return false;
    memcpy(s, name, n);
    s[n] = '\0';
    for (size_t i = 0; real_models[i]; i++)
        if (strncmp(s, real_models[i], strlen(real_models[i])) == 0) {
            out->text = TEXT_ECHO;
            plan_complete(out);
            return true;
        }
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (strcmp(s, whole[i].name) == 0) {
            *out = whole[i].plan;
            if (strcmp(s, "echo") != 0)
                out->text = TEXT_LOREM;
            if (strcmp(s, "fault-hang") != 0)
                out->hang_after = -1;
            plan_complete(out);
            return true;
        }
    if (!plan_numbers(s, out))
        return false;
    plan_complete(out);
    return true;
}
