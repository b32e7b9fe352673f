/* chat.c - what a provider checks before it answers: key, body, model, limits;
 * and its refusals, word for word in OpenAI's shapes. */
#include "chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "call.h"
#include "judge.h"
#include "messages.h"
#include "more.h"
#include "plan.h"

enum { HEADERS_MAX = 1 << 21 };

static const char *wanted_key;

/* What a status says when a plan asks for it. `type` NULL: an HTML page, as the edge sends. */
static const struct refusal {
    int status;
    const char *type, *code, *message;
} refusals[] = {
    {400, "invalid_request_error", NULL, "Unsupported value."},
    {401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-…. You can find your API key at the account page."},
    {403, "invalid_request_error", "unsupported_country_region_territory", "Country, region, or territory not supported"},
    {404, "invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."},
    {408, "server_error", NULL, "Request timeout."},
    {409, "server_error", NULL, "The resource is locked."},
    {413, "invalid_request_error", NULL, "Request body too large."},
    {422, "invalid_request_error", NULL, "Unprocessable."},
    {429, "requests", "rate_limit_exceeded", "Rate limit reached for requests per min (RPM): Limit 6000, Used 6000, Requested 1. Please try again in 1s."},
    {500, "server_error", NULL, "The server had an error while processing your request. Sorry about that!"},
    {502, NULL, NULL, "Bad gateway"},
    {503, "service_unavailable_error", "server_is_overloaded", "The engine is currently overloaded, please try again later."},
    {504, NULL, NULL, "Gateway timeout"},
    {529, "overloaded_error", NULL, "Overloaded"},
};

void chat_init(const char *key)
{
    wanted_key = key;
}

/* A time until something, as Go writes it. */
static void put_duration(struct sb *b, int64_t ms)
{
    if (ms >= 60000)
        sb_putf(b, "%" PRId64 "m%" PRId64 ".%03" PRId64 "s", ms / 60000, ms % 60000 / 1000, ms % 1000);
    else if (ms >= 1000)
        sb_putf(b, "%" PRId64 ".%03" PRId64 "s", ms / 1000, ms % 1000);
    else
        sb_putf(b, "%" PRId64 "ms", ms);
}

/* What one limit looks like from outside, in the spelling that is asked for. */
static void put_limit(struct sb *b, const char *name, struct limit *l, enum spelling spelling, int64_t now_us)
{
    int64_t reset_ms = (limit_reset_us(l, now_us) + 999) / 1000, left = limit_remaining(l, now_us);
    time_t at = (time_t)((clock_utc_ms() + reset_ms + 999) / 1000);
    char date[32];
    struct tm tm;

    switch (spelling) {
    case SPELL_OPENAI:
    case SPELL_PROJECT:
        name = spelling == SPELL_OPENAI ? name : strcmp(name, "tokens") == 0 ? "project-tokens" : "project-requests";
        sb_putf(b, "x-ratelimit-limit-%s: %" PRId64 "\r\nx-ratelimit-remaining-%s: %" PRId64 "\r\nx-ratelimit-reset-%s: ",
                name, l->max, name, left, name);
        put_duration(b, reset_ms);
        sb_puts(b, "\r\n");
        break;
    case SPELL_AZURE:
        sb_putf(b, "x-ratelimit-limit-%s: %" PRId64 "\r\nx-ratelimit-remaining-%s: %" PRId64 "\r\nx-ratelimit-reset-%s: %" PRId64
                "\r\n", name, l->max, name, left, name, (reset_ms + 999) / 1000);
        break;
    case SPELL_UNKNOWN:
        sb_putf(b, "x-ratelimit-limit-%s: -1\r\nx-ratelimit-remaining-%s: 0\r\nx-ratelimit-reset-%s: 0\r\n", name, name, name);
        break;
    case SPELL_ANTHROPIC:
        (void)gmtime_r(&at, &tm);
        (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
        sb_putf(b, "anthropic-ratelimit-%s-limit: %" PRId64 "\r\nanthropic-ratelimit-%s-remaining: %" PRId64
                "\r\nanthropic-ratelimit-%s-reset: %s\r\n", name, l->max, name, left, name, date);
        break;
    case SPELL_NONE: break;
    }
}

/* Every header a provider adds, each with its line end. */
static void put_headers(struct sb *b, const struct call_log *log, int64_t now_us)
{
    if (log->messages) {
        sb_putf(b, "request-id: req_standin%" PRId64 "\r\nanthropic-organization-id: stand-in\r\n", log->seq);
        if (judge_requests.max)
            put_limit(b, "requests", &judge_requests, SPELL_ANTHROPIC, now_us);
        if (judge_tokens.max)
            put_limit(b, "input-tokens", &judge_tokens, SPELL_ANTHROPIC, now_us);
        if (judge_output.max)
            put_limit(b, "output-tokens", &judge_output, SPELL_ANTHROPIC, now_us);
        return;
    }
    sb_putf(b, "x-request-id: req_standin%" PRId64 "\r\nopenai-processing-ms: %" PRId64
            "\r\nopenai-version: 2020-10-01\r\nopenai-organization: stand-in\r\n", log->seq, (now_us - log->at_us) / 1000);
    if (judge_requests.max)
        put_limit(b, "requests", &judge_requests, judge_spelling, now_us);
    if (judge_tokens.max)
        put_limit(b, "tokens", &judge_tokens, judge_spelling, now_us);
}

/* An answer that is whole: status, headers of `log`'s call, body. */
static void answer(struct conn *c, int status, const char *type, const char *headers, const char *body, size_t n)
{
    struct sb *out = net_out(c);

    sb_putf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n", status,
            status < 300 ? "OK" : "Refused", type, headers, n);
    sb_put(out, body, n);
    net_answered(c, CONN_GOES_ON);
}

static void refuse(struct conn *c, struct call_log *log, int status, const char *type, const char *code,
                   const char *param, const char *message, const char *headers)
{
    struct sb b = sb_make(65536), h = sb_make(65536);
    int64_t now_us = clock_mono_us();

    put_headers(&h, log, now_us);
    sb_puts(&h, headers);
    judge_status(log, status);
    judge_end(log->seq, CALL_REFUSED, now_us);
    if (!type)
        sb_putf(&b, "<html><head><title>%d %s</title></head><body><center><h1>%d %s</h1></center></body></html>\n",
                status, message, status, message);
    else if (log->messages)
        messages_error(&b, status, status == 429 && strcmp(type, "insufficient_quota") == 0, message, log->seq);
    else {
        sb_puts(&b, "{\"error\":{\"message\":");
        sb_json(&b, message);
        sb_puts(&b, ",\"type\":");
        sb_json(&b, type);
        sb_puts(&b, ",\"param\":");
        sb_json(&b, param);
        sb_puts(&b, ",\"code\":");
        sb_json(&b, code);
        sb_puts(&b, "}}\n");
    }
    answer(c, status, type ? "application/json" : "text/html", sb_str(&h), sb_str(&b), b.len);
    sb_done(&b);
    sb_done(&h);
}

static void retry_after(struct sb *h, enum plan_after after)
{
    time_t soon = (time_t)(clock_utc_ms() / 1000 + 2);
    struct tm tm;
    char date[64];

    switch (after) {
    case AFTER_SECONDS: sb_puts(h, "Retry-After: 1\r\n"); break;
    case AFTER_DATE:
        (void)gmtime_r(&soon, &tm);
        (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        sb_putf(h, "Retry-After: %s\r\n", date);
        break;
    case AFTER_MS: sb_puts(h, "Retry-After: 1\r\nretry-after-ms: 300\r\n"); break;
    case AFTER_BARE: break;
    case AFTER_ABSURD: sb_puts(h, "Retry-After: 1000000000\r\n"); break;
    case AFTER_NEGATIVE: sb_puts(h, "Retry-After: -5\r\n"); break;
    }
}

static void refuse_by_plan(struct conn *c, struct call_log *log, const struct plan *plan)
{
    struct sb h = sb_make(4096);
    const struct refusal *r = refusals;

    while (r->status != plan->status && r + 1 < refusals + sizeof refusals / sizeof *refusals)
        r++;
    if (plan->quota)
        refuse(c, log, 429, "insufficient_quota", "insufficient_quota", NULL,
               "You exceeded your current quota, please check your plan and billing details.", "");
    else if (plan->too_large)
        refuse(c, log, 429, "tokens", "rate_limit_exceeded", NULL,
               "Request too large for gpt-4o in organization stand-in on tokens per min (TPM): Limit 30000, Requested "
               "64000. The input or output tokens must be reduced in order to run successfully.", "");
    else {
        if (plan->status == 429)
            retry_after(&h, plan->after);
        refuse(c, log, plan->status, r->type, r->code, NULL, r->message, sb_str(&h));
    }
    sb_done(&h);
}

/* The provider's own limits. True if the call was refused. */
static bool refuse_by_limits(struct conn *c, struct call_log *log, int64_t tokens, int64_t now_us)
{
    int64_t wait_requests = limit_wait_us(&judge_requests, 1, now_us);
    int64_t wait_tokens = limit_wait_us(&judge_tokens, tokens, now_us);
    int64_t wait_output = log->messages ? limit_wait_us(&judge_output, 1, now_us) : 0;
    bool by_tokens = wait_tokens != 0;
    struct limit *l = by_tokens ? &judge_tokens : &judge_requests;
    int64_t wait_us = by_tokens ? wait_tokens : wait_requests;
    char message[256], headers[128] = "";

    if (!wait_us && wait_output > 0) {
        (void)snprintf(headers, sizeof headers, "retry-after: %" PRId64 "\r\n", (wait_output + 999999) / 1000000);
        refuse(c, log, 429, "rate_limit_error", NULL, NULL, "This request would exceed the rate limit for your organization of output tokens per minute.", headers);
        return true;
    }
    if (!wait_us) {
        limit_take(&judge_requests, 1, now_us);
        limit_take(&judge_tokens, tokens, now_us);
        return false;
    }
    if (wait_us < 0)
        (void)snprintf(message, sizeof message, "Request too large for %s in organization stand-in on tokens per min "
                       "(TPM): Limit %" PRId64 ", Requested %" PRId64 ".", log->model, l->max, tokens);
    else {
        (void)snprintf(message, sizeof message, "Rate limit reached for %s in organization stand-in on %s per min (%s): "
                       "Limit %" PRId64 ", Used %" PRId64 ", Requested %" PRId64 ". Please try again in %" PRId64 "ms.",
                       log->model, by_tokens ? "tokens" : "requests", by_tokens ? "TPM" : "RPM", l->max, l->used,
                       by_tokens ? tokens : 1, (wait_us + 999) / 1000);
        if (judge_spelling != SPELL_NONE)
            (void)snprintf(headers, sizeof headers, "Retry-After: %" PRId64 "\r\nretry-after-ms: %" PRId64 "\r\n",
                           (wait_us + 999999) / 1000000, (wait_us + 999) / 1000);
    }
    refuse(c, log, 429, by_tokens ? "tokens" : "requests", "rate_limit_exceeded", NULL, message, headers);
    return true;
}

/* The text of a message: a string, or the first text part. */
static const char *message_text(const json_t *m)
{
    const json_t *content = json_object_get(m, "content");

    if (json_is_array(content))
        return json_str(json_array_get(content, 0), "text", "");
    return json_is_string(content) ? json_string_value(content) : "";
}

/* Read the body. NULL, or the sentence of a 400 with its param. */
static const char *read_ask(const json_t *o, struct ask *a, const char **param)
{
    const json_t *messages = json_object_get(o, "messages"), *m;
    size_t i;

    *param = NULL;
    a->model = json_str(o, "model", NULL);
    if (!a->model)
        return "you must provide a model parameter";
    *param = "messages";
    if (!json_array_size(messages))
        return "Missing required parameter: 'messages'.";
    a->message = "";
    a->prompt_tokens = 3;
    json_array_foreach(messages, i, m) {
        const char *text = message_text(m);

        if (!json_str(m, "role", NULL))
            return "Missing required parameter: 'messages[].role'.";
        a->prompt_tokens += 4 + call_count_tokens(text, strlen(text));
        if (strcmp(json_str(m, "role", ""), "user") == 0)
            a->message = text;
    }
    a->message_len = strlen(a->message);
    a->stream = json_is_true(json_object_get(o, "stream"));
    a->include_usage = json_is_true(json_object_get(json_object_get(o, "stream_options"), "include_usage"));
    a->max_tokens = json_int(o, "max_completion_tokens", json_int(o, "max_tokens", 0));
    *param = "stream_options";
    if (!a->stream && json_object_get(o, "stream_options"))
        return "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
    return NULL;
}

/* Answers that are none of a model: a page, nothing at all, an error with status 200. True: done. */
static bool answer_oddly(struct conn *c, struct call_log *log, enum plan_odd odd)
{
    static const char error[] = "{\"error\":{\"message\":\"Provider returned error\",\"code\":502}}";
    static const char page[] = "<!doctype html><title>Sign in</title><p>Welcome to the hotel's network.</p>";
    const char *type = "application/json", *body = "", *headers = "";
    int status = 200;

    switch (odd) {
    case ODD_HTML: type = "text/html"; body = page; break;
    case ODD_EMPTY: break;
    case ODD_200_ERROR: body = error; break;
    case ODD_REDIRECT: status = 307; headers = "Location: /_elsewhere\r\n"; break;
    default: return false;
    }
    judge_status(log, status);
    judge_end(log->seq, CALL_BROKEN, clock_mono_us());
    answer(c, status, type, headers, body, strlen(body));
    return true;
}

/* It costs nothing, and has a limit of its own. */
static void count_tokens(struct conn *c, struct call_log *log, const struct ask *a)
{
    char body[64], headers[64];

    (void)snprintf(log->tag, sizeof log->tag, "count_tokens");
    (void)snprintf(headers, sizeof headers, "request-id: req_standin%" PRId64 "\r\n", log->seq);
    (void)snprintf(body, sizeof body, "{\"input_tokens\":%" PRId64 "}\n", a->prompt_tokens);
    judge_status(log, 200);
    judge_end(log->seq, CALL_DONE, clock_mono_us());
    answer(c, 200, "application/json", headers, body, strlen(body));
}

static void chat(struct conn *c, const struct request *r, int64_t now_us)
{
    struct call_log *log = judge_call(r, now_us);
    struct sb h = sb_make(HEADERS_MAX);
    struct ask a = {0};
    struct plan plan;
    const char *wrong, *param = NULL;
    char why[160];
    json_t *o = NULL;
    bool known;

    log->messages = messages_is(r);
    if (wanted_key && !(log->messages ? messages_has_key(r, wanted_key) : strncmp(r->auth, "Bearer ", 7) == 0 && strcmp(r->auth + 7, wanted_key) == 0)) {
        refuse(c, log, 401, refusals[1].type, refusals[1].code, NULL, refusals[1].message, "");
        goto out;
    }
    if (json_parse_object(r->body, r->body_len, &json_limits_compat, &o, why)) {
        refuse(c, log, 400, "invalid_request_error", NULL, NULL,
               "We could not parse the JSON body of your request.", "");
        goto out;
    }
    wrong = log->messages ? messages_read(o, r, &a) : read_ask(o, &a, &param);
    if (wrong) {
        refuse(c, log, 400, "invalid_request_error", "missing_required_parameter", param, wrong, "");
        goto out;
    }
    log->stream = a.stream;
    log->include_usage = a.include_usage;
    (void)snprintf(log->model, sizeof log->model, "%.63s", a.model);
    (void)snprintf(log->tag, sizeof log->tag, "%.63s", a.message);
    known = plan_parse(a.model, strlen(a.model), &plan);
    if (known && a.message[0] == '#')
        known = plan_parse(a.message + 1, strcspn(a.message + 1, " "), &plan);
    if (!known) {
        refuse(c, log, 404, "invalid_request_error", "model_not_found", "model", refusals[3].message, "");
        goto out;
    }
    if (messages_is_count(r)) {
        count_tokens(c, log, &a);
        goto out;
    }
    if (refuse_by_limits(c, log, a.prompt_tokens + (log->messages ? plan.cache_5m + plan.cache_1h : a.max_tokens), now_us))
        goto out;
    if (plan.status != 200 && (!plan.refusals || judge_repeats(a.model, a.message, a.message_len) < plan.refusals)) {
        refuse_by_plan(c, log, &plan);
        goto out;
    }
    if (plan.event_status && plan.refusals && judge_repeats(a.model, a.message, a.message_len) >= plan.refusals)
        plan.event_status = 0;
    if (answer_oddly(c, log, plan.odd))
        goto out;
    put_headers(&h, log, clock_mono_us());
    if (plan.odd == ODD_HUGE_HEADER)
        for (int i = 0; i < 16384; i++)
            sb_putf(&h, "x-padding-%d: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", i);
    judge_status(log, 200);
    call_begin(c, log->messages ? &call_anthropic : &call_openai, &plan, log->seq, a.model, a.stream, a.include_usage,
               a.prompt_tokens + plan.cache_read + plan.cache_5m + plan.cache_1h, a.max_tokens, a.message, a.message_len, sb_str(&h),
               now_us);
out:
    json_decref(o);
    sb_done(&h);
}

static void models(struct conn *c, const struct request *r)
{
    struct sb b = sb_make(65536);

    if (r->version[0]) {
        messages_models(&b);
        answer(c, 200, "application/json", "", sb_str(&b), b.len);
        sb_done(&b);
        return;
    }
    sb_puts(&b, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; plan_models[i]; i++)
        sb_putf(&b, "%s{\"id\":\"%s\",\"object\":\"model\",\"created\":1721172741,\"owned_by\":\"stand-in\"}",
                i ? "," : "", plan_models[i]);
    sb_puts(&b, "]}\n");
    answer(c, 200, "application/json", "", sb_str(&b), b.len);
    sb_done(&b);
}

void chat_request(struct conn *c, const struct request *r, int64_t now_us)
{
    static const char unknown[] = "{\"error\":{\"message\":\"Unknown request URL. Please check the URL for typos.\","
                                  "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"unknown_url\"}}\n";

    if (((strcmp(r->path, "/v1/chat/completions") == 0 || more_is_azure(r)) && strcmp(r->method, "POST") == 0) || messages_is(r))
        chat(c, r, now_us);
    else if (more_request(c, r, now_us))
        return;
    else if (strcmp(r->path, "/v1/models") == 0 && strcmp(r->method, "GET") == 0)
        models(c, r);
    else {
        judge_other();
        answer(c, 404, "application/json", "", unknown, sizeof unknown - 1);
    }
}

void chat_gone(struct conn *c, int64_t now_us)
{
    if (c->call)
        call_gone(c->call, now_us);
}
