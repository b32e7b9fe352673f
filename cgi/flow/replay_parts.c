/* replay_parts.c - the traffic made whole, the upstreams of a model, and fairness between users who wait. */
#include "flow/replay_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rules/queue.h"
#include "flow/admission.h"
#include "flow/replay_sum.h"
#include "peer/builtin.h"

#define UNKNOWN_CALL_US USEC_PER_SEC       /* how long a call takes in traffic without a single answer */

/* --- who serves what --- */

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* seen: by model and recorded upstream, whether it was called there. */
static bool serves(const struct traffic *t, const struct settings *s, const struct upstream_settings *u, uint32_t model, const bool *seen)
{
    const char *name = t->models.v[model];
    bool anywhere = false;

    if (!u->enabled)
        return false;
    if (u->protocol == PROTOCOL_BUILTIN || strcmp(name, BUILTIN_MODEL) == 0)
        return u->protocol == PROTOCOL_BUILTIN && strcmp(name, BUILTIN_MODEL) == 0;
    for (size_t i = 0; i < u->models.n; i++) {
        if (strcmp(u->models.items[i], name) == 0)
            return true;
    }
    if (u->models.n)
        return false;
    for (size_t i = 0; i < t->upstreams.n; i++) {
        const struct upstream_settings *known = settings_upstream(s, t->upstreams.v[i]);

        if (!seen[model * t->upstreams.n + i])
            continue;
        anywhere = true;
        if (strcmp(t->upstreams.v[i], u->name) == 0 || (known && same(known->base_url, u->base_url)))
            return true;
    }
    return !anywhere;
}

uint64_t *replay_serves(const struct traffic *t, const struct settings *s)
{
    size_t count = s->n_upstreams, recorded = t->upstreams.n;
    uint64_t *mask = mem_zalloc(t->models.n, sizeof *mask);
    bool *seen = mem_zalloc(t->models.n * recorded, sizeof *seen);

    for (size_t i = 0; i < t->n; i++) {
        if (t->call[i].upstream != TRAFFIC_NONE)
            seen[t->call[i].model * recorded + t->call[i].upstream] = true;
    }
    for (uint32_t m = 0; m < t->models.n; m++) {
        for (size_t i = 0; i < count; i++)
            mask[m] |= (uint64_t)serves(t, s, &s->upstreams[i], m, seen) << i;
    }
    free(seen);
    return mask;
}

/* --- the calls --- */

struct mean {
    int64_t n, input, output, first_us, writing_us;
};

static void mean_add(struct mean *m, const struct traffic_call *c)
{
    m->n++;
    m->input += c->input;
    m->output += c->output;
    m->first_us += c->first_us;
    m->writing_us += c->writing_us;
}

/* What was never sent is taken to be like the mean answer of its model, at its own prompt and price. */
static void complete(struct traffic_call *c, const struct mean *m)
{
    int64_t n = m->n ? m->n : 1;

    c->input = c->prompt;
    c->output = m->output / n < c->max_tokens ? m->output / n : c->max_tokens;
    c->first_us = m->n ? m->first_us / n : UNKNOWN_CALL_US;
    c->writing_us = m->writing_us / n;
    c->cost_in = c->rate_in * c->input;
    c->cost_out = c->rate_out * c->output;
}

struct traffic_call *replay_calls(const struct traffic *t, const enum priority *priority)
{
    struct traffic_call *call = mem_zalloc(t->n, sizeof *call);
    struct mean all = {0}, *of = mem_zalloc(t->models.n, sizeof *of);

    if (t->n)
        memcpy(call, t->call, t->n * sizeof *call);
    for (size_t i = 0; i < t->n; i++) {
        if (call[i].attempts > 0 && call[i].status == CALL_SUCCESS) {
            mean_add(&all, &call[i]);
            mean_add(&of[call[i].model], &call[i]);
        }
    }
    for (size_t i = 0; i < t->n; i++) {
        struct traffic_call *c = &call[i];
        enum priority other = priority ? priority[c->user] : PRIORITY_COUNT;

        if (other != PRIORITY_COUNT)
            c->priority = other;
        if (c->attempts == 0 || c->refused == c->attempts)
            complete(c, of[c->model].n ? &of[c->model] : &all);
    }
    free(of);
    return call;
}

/* --- who waits --- */

void replay_contest_init(struct replay_contest *c, size_t users)
{
    *c = (struct replay_contest){.users = users,
                                 .waiting = mem_zalloc(users, sizeof *c->waiting), .place = mem_zalloc(users, sizeof *c->place),
                                 .list = mem_zalloc(users, sizeof *c->list), .tokens = mem_zalloc(users, sizeof *c->tokens)};
    for (size_t u = 0; u < users; u++)
        c->tokens[u] = -1;
}

void replay_contest_done(struct replay_contest *c)
{
    free(c->waiting);
    free(c->place);
    free(c->list);
    free(c->tokens);
}

static void mark(struct replay_contest *c, uint32_t user)
{
    if (c->tokens[user] < 0)
        c->tokens[user] = 0;
}

void replay_contest_enter(struct replay_contest *c, uint32_t user)
{
    if (c->waiting[user]++)
        return;
    c->place[user] = c->n;
    c->list[c->n++] = user;
    if (c->n < 2)
        return;
    mark(c, c->list[0]);
    mark(c, user);
}

void replay_contest_leave(struct replay_contest *c, uint32_t user, int64_t tokens)
{
    uint32_t last = c->list[c->n - 1];

    if (c->n >= 2)
        c->tokens[user] += tokens;
    if (--c->waiting[user])
        return;
    c->list[c->place[user]] = last;
    c->place[last] = c->place[user];
    c->n--;
}

int64_t replay_contest_sum(struct replay_contest *c, const int32_t *weight, int64_t *contenders)
{
    size_t n = 0;

    for (size_t u = 0; u < c->users; u++) {
        if (c->tokens[u] >= 0)
            c->tokens[n++] = weight ? (int64_t)((__int128)c->tokens[u] * QUEUE_WEIGHT_ONE / weight[u]) : c->tokens[u];
    }
    *contenders = (int64_t)n;
    return replay_sum_jain(c->tokens, n);
}
