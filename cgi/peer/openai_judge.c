/* openai_judge.c - what a refusal of an OpenAI-shaped provider means: try again
 * here, elsewhere, or not. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "peer/openai.h"

/* The account's money or quota is gone: waiting does not help. */
static bool is_quota(const struct provider_error *e)
{
    static const char *const codes[] = {
        "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded", "organization_usage_limit_exceeded", "billing_hard_limit_reached",
    };

    if (strcmp(e->type, "insufficient_quota") == 0)
        return true;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(e->code, codes[i]) == 0)
            return true;
    return false;
}

/* What a 429's text says of the limit: "on tokens per min (TPM): Limit 30000, Used 24945, Requested 5926". -1: nothing. */
static int64_t figure(const struct provider_error *e, const char *name)
{
    const char *at = strstr(e->message, name);
    long long n;

    return at && sscanf(at + strlen(name), " %18lld", &n) == 1 && n >= 0 ? n : -1;
}

/* Which limit a 429 is about: its text, its type, or the figure its headers say is used up. A day's limit is the
 * business of the longest dimension there is. */
static enum dim limit_named(const struct provider_error *e, const struct provider_head *h)
{
    static const struct {
        const char *phrase;
        enum dim dim;
    } phrases[] = {
        {"input tokens per min", DIM_INPUT_TOKENS_PER_MINUTE}, {"output tokens per min", DIM_OUTPUT_TOKENS_PER_MINUTE},
        {"requests per min", DIM_REQUESTS_PER_MINUTE}, {"tokens per min", DIM_TOKENS_PER_MINUTE},
        {"requests per hour", DIM_REQUESTS_PER_HOUR}, {"tokens per hour", DIM_TOKENS_PER_HOUR},
        {"requests per day", DIM_REQUESTS_PER_HOUR}, {"tokens per day", DIM_TOKENS_PER_HOUR},
        {"call rate limit", DIM_REQUESTS_PER_MINUTE}, {"token rate limit", DIM_TOKENS_PER_MINUTE},      /* Azure's */
    };

    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (strcasestr(e->message, phrases[i].phrase))
            return phrases[i].dim;
    if (strcmp(e->type, "requests") == 0)
        return DIM_REQUESTS_PER_MINUTE;
    if (strcmp(e->type, "tokens") == 0)
        return DIM_TOKENS_PER_MINUTE;
    for (int d = 0; d < DIM_COUNT; d++)
        if (h->word.remaining[d] == 0)
            return (enum dim)d;
    return DIM_COUNT;
}

/* Waiting does not help: it asks for more than the whole limit. Azure says so with a day. */
static bool is_too_large(const struct provider_error *e)
{
    int64_t limit = figure(e, "Limit");

    return strncmp(e->message, "Request too large", 17) == 0 || (limit > 0 && figure(e, "Requested") > limit) ||
           strcasestr(e->message, "retry after 86400 seconds");
}

/* How long to stay away: the headers, the exhausted limit's reset, or the text's "try again in 1.742s". */
static int64_t retry_after(const struct provider_error *e, const struct provider_head *h, enum dim dim)
{
    static const char *const phrases[] = {"try again in ", "retry after "};

    if (h->retry_after_us >= 0)
        return h->retry_after_us;
    if (dim < DIM_COUNT && h->word.remaining[dim] == 0 && h->word.reset_us[dim] >= 0)
        return h->word.reset_us[dim];
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        const char *at = strcasestr(e->message, phrases[i]);
        size_t n;

        if (!at)
            continue;
        at += strlen(phrases[i]);
        n = strspn(at, "0123456789.smhd");
        while (n > 0 && at[n - 1] == '.')
            n--;
        return head_duration_us(at, n);
    }
    return -1;
}

/* A 403 about what was asked, not about who asks: one user's prompt must not take the key from all others. */
static bool is_objection(const struct provider_error *e)
{
    static const char *const words[] = {"moderation", "flagged", "guardrail", "content policy", "content_policy"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(e->message, words[i]) || strcasestr(e->code, words[i]))
            return true;
    return false;
}

/* The status of an error inside a 200, where headers have long been sent. */
static int status_inside(const struct provider_error *e)
{
    static const struct {
        const char *name;
        int status;
    } names[] = {
        {"rate_limit_exceeded", 429}, {"slow_down", 429}, {"rate_limit_error", 429}, {"requests", 429}, {"tokens", 429},
        {"invalid_api_key", 401}, {"authentication_error", 401}, {"server_is_overloaded", 503},
        {"service_unavailable_error", 503}, {"overloaded_error", 529}, {"model_not_found", 404},
        {"context_length_exceeded", 400}, {"invalid_request_error", 400},
    };
    const char *said[] = {e->code, e->type};              /* the code is the more exact */

    if (e->status >= 400 && e->status <= 599)
        return (int)e->status;
    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strcmp(said[s], names[i].name) == 0)
                return names[i].status;
    return 500;
}

struct provider_verdict openai_judge(int status, const struct provider_error *e, const struct provider_head *h)
{
    struct provider_verdict v = {.err = WEIR_E_UPSTREAM, .dim = DIM_COUNT, .retry_after_us = -1};

    if (status == 200)
        status = status_inside(e);
    if (status == 402 || is_quota(e)) {
        v.err = WEIR_E_UPSTREAM_QUOTA;
        v.retry = true;
        v.fault = FAULT_QUOTA;
        if (status == 402 && h->retry_after_us >= 0) {    /* OpenRouter: only as long as other calls hold the money */
            v.fault = FAULT_OVERLOADED;
            v.retry_after_us = h->retry_after_us;
        }
        return v;
    }
    switch (status) {
    case 400:
        v.err = strcmp(e->code, "context_length_exceeded") == 0 || strcmp(e->type, "exceed_context_size_error") == 0
                    ? WEIR_E_CONTEXT_LENGTH : WEIR_E_UPSTREAM_REFUSED;
        v.pass_message = true;
        break;
    case 404:
        v.err = WEIR_E_MODEL_NOT_FOUND;
        v.pass_message = true;
        break;
    case 413:
        v.err = WEIR_E_BODY_TOO_LARGE;
        v.pass_message = true;
        break;
    case 422:
        v.err = WEIR_E_UPSTREAM_UNPROCESSABLE;
        v.pass_message = true;
        break;
    case 403:
        if (strcmp(e->code, "model_not_found") == 0 || is_objection(e)) {      /* says nothing of the key */
            v.err = is_objection(e) ? WEIR_E_UPSTREAM_REFUSED : WEIR_E_MODEL_NOT_FOUND;
            v.pass_message = true;
            break;
        }
        /* fall through */
    case 401:
        v.err = WEIR_E_UPSTREAM_AUTH;
        v.retry = true;
        v.fault = FAULT_AUTH;
        break;
    case 429:
        if (is_too_large(e)) {
            v.err = WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT;
            v.pass_message = true;
            break;
        }
        v.err = WEIR_E_UPSTREAM_RATE_LIMITED;
        v.retry = true;
        v.fault = FAULT_RATE_LIMIT;
        v.dim = limit_named(e, h);
        v.retry_after_us = retry_after(e, h, v.dim);
        break;
    case 408: case 409: case 500: case 502: case 504:
        v.retry = true;
        v.fault = FAULT_SERVER;
        v.retry_after_us = h->retry_after_us;
        v.pass_message = true;
        break;
    case 503: case 529:
        v.retry = true;
        v.fault = FAULT_OVERLOADED;
        v.retry_after_us = h->retry_after_us;
        v.pass_message = true;
        break;
    default:
        if (status >= 300 && status <= 399)
            v.err = WEIR_E_UPSTREAM_REDIRECT;
        else
            v.pass_message = true;
    }
    return v;
}
