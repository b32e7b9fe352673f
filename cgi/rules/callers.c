/* callers.c - one set of limits for each caller that has some and was seen lately. */
#include "rules/callers.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { LOOKED_AT = 2 };          /* entries looked at for one that may go, whenever one is added */
#define KEPT_US (INT64_C(180) * 1000000)

static bool limited(const struct caller *c)
{
    return c->key != 0 && (c->requests_per_minute > 0 || c->tokens_per_minute > 0);
}

void caller_book_done(struct caller_book *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        free(b->entry[i].limits);
    idmap_done(&b->index);
    free(b->entry);
    memset(b, 0, sizeof *b);
}

/* A minute's limit may be used at once; the window holds it after. */
static struct limits_config config_of(const struct caller *c)
{
    return (struct limits_config){
        .limit = {[DIM_REQUESTS_PER_MINUTE] = c->requests_per_minute, [DIM_TOKENS_PER_MINUTE] = c->tokens_per_minute},
        .burst_requests = c->requests_per_minute, .burst_tokens = c->tokens_per_minute,
    };
}

/* The last entry takes the place of one that goes. */
static void forget(struct caller_book *b, uint32_t i)
{
    free(b->entry[i].limits);
    idmap_remove(&b->index, b->entry[i].key);
    b->count--;
    if (i == b->count)
        return;
    b->entry[i] = b->entry[b->count];
    idmap_set(&b->index, b->entry[i].key, i);
}

static void prune(struct caller_book *b, int64_t now_us)
{
    for (int i = 0; b->entry && i < LOOKED_AT && b->count > 0; i++) {
        const struct caller_entry *e = &b->entry[b->hand %= b->count];

        if (e->under_way == 0 && now_us - e->touched_us > KEPT_US)
            forget(b, b->hand);
        else
            b->hand++;
    }
}

static struct caller_entry *find(struct caller_book *b, uint64_t key)
{
    uint32_t i = idmap_get(&b->index, key);

    return i == IDMAP_NONE ? NULL : &b->entry[i];
}

/* The caller's, with the limits it has by now. */
static struct caller_entry *entry_of(struct caller_book *b, const struct caller *c, int64_t now_us)
{
    struct limits_config config = config_of(c);
    struct caller_entry *e = find(b, c->key);

    if (!e) {
        prune(b, now_us);
        if (!b->entry || b->count == b->cap) {
            b->cap = b->cap * 2 + 16;
            b->entry = mem_grow(b->entry, b->cap, sizeof *b->entry);
        }
        e = &b->entry[b->count];
        *e = (struct caller_entry){.key = c->key, .rule = *c, .limits = mem_zalloc(1, sizeof *e->limits)};
        limits_init(e->limits, &config, now_us);
        idmap_set(&b->index, c->key, b->count++);
    }
    if (memcmp(&e->rule, c, sizeof *c) != 0) {
        limits_change(e->limits, &config, now_us);
        e->rule = *c;
    }
    limits_tick(e->limits, now_us);
    e->touched_us = now_us;
    return e;
}

/* The gate of the two that such a request alone does not pass. */
static enum gate too_large_for(const struct caller *c, int64_t prompt)
{
    return c->tokens_per_minute > 0 && prompt > c->tokens_per_minute ? (enum gate)DIM_TOKENS_PER_MINUTE : GATE_NONE;
}

int64_t callers_wait_us(struct caller_book *b, const struct caller *c, int64_t prompt, int64_t now_us, enum gate *why)
{
    const struct limits_need need = {.input = prompt, .output = 0, .who = LIMITS_USUAL};

    *why = GATE_NONE;
    if (!limited(c))
        return 0;
    *why = too_large_for(c, prompt);
    if (*why != GATE_NONE)
        return CALLERS_NEVER;
    return limits_wait_us(entry_of(b, c, now_us)->limits, &need, why);
}

struct limits_hold callers_take(struct caller_book *b, const struct caller *c, int64_t prompt, int64_t output, int64_t now_us)
{
    const struct limits_need need = {.input = prompt, .output = output, .who = LIMITS_USUAL};
    struct caller_entry *e;

    if (!limited(c))
        return (struct limits_hold){0};
    e = entry_of(b, c, now_us);
    e->under_way++;
    return limits_take(e->limits, &need);
}

void callers_settle(struct caller_book *b, const struct caller *c, const struct limits_hold *h, int64_t prompt, int64_t output,
                    int64_t now_us)
{
    struct caller_entry *e = limited(c) ? find(b, c->key) : NULL;

    if (!e)
        return;
    limits_tick(e->limits, now_us);
    limits_settle(e->limits, h, prompt, output);
    e->under_way--;
    e->touched_us = now_us;
}

void callers_release(struct caller_book *b, const struct caller *c, const struct limits_hold *h, int64_t now_us)
{
    struct caller_entry *e = limited(c) ? find(b, c->key) : NULL;

    if (!e)
        return;
    limits_tick(e->limits, now_us);
    limits_release(e->limits, h, false);
    e->under_way--;
}

bool callers_left(struct caller_book *b, const struct caller *c, enum dim d, int64_t now_us, struct caller_left *out)
{
    const struct limits *l;
    int64_t used;

    if (!limited(c))
        return false;
    l = entry_of(b, c, now_us)->limits;
    if (l->dim[d].limit <= 0)
        return false;
    used = l->dim[d].window.sum + l->dim[d].held;
    *out = (struct caller_left){l->dim[d].allowed, used < l->dim[d].allowed ? l->dim[d].allowed - used : 0,
                                window_wait_us(&l->dim[d].window, l->dim[d].window.sum, l->now_us)};
    return true;
}
