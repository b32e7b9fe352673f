/* plausible.c - a claim against a count. */
#include "rules/plausible.h"

enum { CONTEXT_UNKNOWN = 10 * 1000 * 1000, SLACK = 4 };

static int64_t at_most(int64_t n, int64_t max)
{
    return n > max ? max : n;
}

/* One total: what is said if it can be, and whether it looks wrong. */
static int64_t total(bool said, int64_t claim, int64_t own, int64_t most, struct usage_finding *f)
{
    if (said && claim > most) {
        f->suspect = true;
        said = false;
    }
    if (!said) {
        f->estimated = true;
        return own;
    }
    if (claim < own / 2 && claim + SLACK < own) {
        f->suspect = true;
        return own;
    }
    if (claim / 2 > own && claim > own + SLACK)
        f->suspect = true;
    return claim;
}

struct usage_finding usage_believe(const struct usage_claim *c)
{
    int64_t most = 10 * (c->context > 0 ? c->context : (int64_t)CONTEXT_UNKNOWN);
    struct usage_finding f = {0};
    struct usage_tokens *u = &f.usage;
    int64_t thought = c->has_completion && c->said.completion <= most ? at_most(c->said.reasoning, c->said.completion) : 0;

    u->prompt = total(c->has_prompt, c->said.prompt, c->own_prompt, most, &f);
    u->completion = total(c->has_completion, c->said.completion, c->own_completion + thought, most, &f);
    u->cached = at_most(c->said.cached, u->prompt);
    u->cache_write = at_most(c->said.cache_write, u->prompt - u->cached);
    u->cache_write_1h = at_most(c->said.cache_write_1h, u->prompt - u->cached - u->cache_write);
    u->reasoning = at_most(c->said.reasoning, u->completion);
    return f;
}
