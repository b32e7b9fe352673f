/* anthropic_judge.c - what a refusal of Anthropic's means: said in OpenAI's
 * words, for what follows from them is the same. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "peer/anthropic.h"

static bool begins(const char *text, const char *with)
{
    return strncasecmp(text, with, strlen(with)) == 0;
}

/* The account's money is gone, or what its owner let it spend: waiting does not help, whatever the status. */
static bool is_quota(const struct provider_error *e)
{
    return strcmp(e->type, "billing_error") == 0 || strcmp(e->code, "enforced_spend_limit_reached") == 0 ||
           strcmp(e->code, "contract_spend_limit_reached") == 0 || begins(e->code, "linked_organization_") ||
           begins(e->message, "You have reached your specified API usage limits");
}

/* The status of an error inside a 200, where headers have long been sent. */
static int status_of(const struct provider_error *e)
{
    static const struct {
        const char *type;
        int status;
    } types[] = {
        {"invalid_request_error", 400}, {"authentication_error", 401}, {"permission_error", 403}, {"not_found_error", 404},
        {"conflict_error", 409}, {"request_too_large", 413}, {"rate_limit_error", 429}, {"timeout_error", 504}, {"overloaded_error", 529},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(e->type, types[i].type) == 0)
            return types[i].status;
    return 500;
}

struct provider_verdict anthropic_judge(int status, const struct provider_error *e, const struct provider_head *h)
{
    struct provider_error said = *e;
    const char *code = "";

    if (status == 200)
        status = status_of(e);
    if (is_quota(e))
        code = "insufficient_quota";
    else if (strcmp(e->code, "organization_on_hold") == 0)
        status = 401;
    else if (status == 400 && begins(e->message, "prompt is too long"))
        code = "context_length_exceeded";
    (void)snprintf(said.type, sizeof said.type, "%s", code);
    (void)snprintf(said.code, sizeof said.code, "%s", code);
    return openai_judge(status, &said, h);
}
