/* limits.c - three ways to count a minute. */
#include "limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void limit_set(struct limit *l, enum limit_kind kind, int64_t max, int64_t window_us, int64_t now_us)
{
    free(l->grants);
    memset(l, 0, sizeof *l);
    l->kind = kind;
    l->max = max;
    l->window_us = window_us;
    l->since_us = kind == LIMIT_FIXED ? now_us - now_us % window_us : now_us;
}

bool limit_kind_parse(const char *name, enum limit_kind *out)
{
    static const char *const names[] = {"bucket", "sliding", "fixed"};

    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum limit_kind)i;
            return true;
        }
    return false;
}

/* Let go what has left the window by now. */
static void limit_age(struct limit *l, int64_t now_us)
{
    switch (l->kind) {
    case LIMIT_BUCKET: {
        __int128 flow = (__int128)(now_us - l->since_us) * l->max + l->rest;
        int64_t back = (int64_t)(flow / l->window_us);

        l->rest = (int64_t)(flow % l->window_us);
        l->since_us = now_us;
        l->used = back < l->used ? l->used - back : 0;
        return;
    }
    case LIMIT_SLIDING:
        while (l->count && l->grants[l->first].at_us <= now_us - l->window_us) {
            l->used -= l->grants[l->first].amount;
            l->first = (l->first + 1) % l->cap;
            l->count--;
        }
        return;
    case LIMIT_FIXED:
        if (now_us - l->since_us >= l->window_us) {
            l->since_us = now_us - now_us % l->window_us;
            l->used = 0;
        }
        return;
    }
}

int64_t limit_wait_us(struct limit *l, int64_t amount, int64_t now_us)
{
    int64_t over, at_us = 0;

    if (!l->max)
        return 0;
    limit_age(l, now_us);
    over = l->used + amount - l->max;
    if (over <= 0)
        return 0;
    if (amount > l->max)
        return -1;
    switch (l->kind) {
    case LIMIT_BUCKET:
        return (over * l->window_us - l->rest + l->max - 1) / l->max;
    case LIMIT_SLIDING:
        for (size_t i = 0; i < l->count && over > 0; i++) {
            const struct limit_grant *g = &l->grants[(l->first + i) % l->cap];

            over -= g->amount;
            at_us = g->at_us;
        }
        return at_us + l->window_us - now_us;
    case LIMIT_FIXED:
        return l->since_us + l->window_us - now_us;
    }
    return 0;
}

void limit_take(struct limit *l, int64_t amount, int64_t now_us)
{
    if (!l->max)
        return;
    limit_age(l, now_us);
    l->used += amount;
    if (l->kind != LIMIT_SLIDING)
        return;
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 256;
        struct limit_grant *g = mem_zalloc(cap, sizeof *g);

        for (size_t i = 0; i < l->count; i++)
            g[i] = l->grants[(l->first + i) % l->cap];
        free(l->grants);
        l->grants = g;
        l->first = 0;
        l->cap = cap;
    }
    l->grants[(l->first + l->count++) % l->cap] = (struct limit_grant){now_us, amount};
}

int64_t limit_remaining(struct limit *l, int64_t now_us)
{
    limit_age(l, now_us);
    return l->used < l->max ? l->max - l->used : 0;
}

int64_t limit_reset_us(struct limit *l, int64_t now_us)
{
    limit_age(l, now_us);
    if (!l->used)
        return 0;
    switch (l->kind) {
    case LIMIT_BUCKET:
        return (l->used * l->window_us - l->rest + l->max - 1) / l->max;
    case LIMIT_SLIDING:
        return l->grants[(l->first + l->count - 1) % l->cap].at_us + l->window_us - now_us;
    case LIMIT_FIXED:
        return l->since_us + l->window_us - now_us;
    }
    return 0;
}
