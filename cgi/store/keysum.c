/* keysum.c - rows in a list, found by an open-addressed table. */
#include "store/keysum.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const names[KEYSUM_SUMS] = {
    "requests", "prompt", "cached", "cache_write", "completion", "reasoning", "chars", "cost_in", "cost_out", "unpriced",
    "unpriced_tokens", "estimated", "retries", "queue_us", "retry_us", "ttft_us", "writing_us", "cost", "hist", "wait_us",
};

const char *keysum_name(enum keysum_sum s)
{
    return names[s];
}

/* Where a key is, or would be. */
static size_t slot_of(const struct keysum *t, int64_t key)
{
    uint64_t h = (uint64_t)key * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)((h ^ (h >> 29)) & (t->slots - 1));

    while (t->slot[i] && t->row[t->slot[i] - 1].key != key)
        i = (i + 1) & (t->slots - 1);
    return i;
}

static void grow(struct keysum *t)
{
    t->cap = t->cap ? t->cap * 2 : 64;
    t->row = mem_grow(t->row, t->cap, sizeof *t->row);
    free(t->slot);
    t->slots = t->cap * 2;
    t->slot = mem_zalloc(t->slots, sizeof *t->slot);
    for (size_t i = 0; i < t->n; i++)
        t->slot[slot_of(t, t->row[i].key)] = (uint32_t)(i + 1);
}

struct keysum_row *keysum_find(struct keysum *t, int64_t key)
{
    size_t i = t->slots ? slot_of(t, key) : 0;

    return t->slots && t->slot[i] ? &t->row[t->slot[i] - 1] : NULL;
}

struct keysum_row *keysum_at(struct keysum *t, int64_t key)
{
    struct keysum_row *r = keysum_find(t, key);

    if (r)
        return r;
    if (t->n == t->cap)
        grow(t);
    r = &t->row[t->n++];
    memset(r, 0, sizeof *r);
    r->key = key;
    t->slot[slot_of(t, key)] = (uint32_t)t->n;
    return r;
}

void keysum_add(struct keysum *t, int64_t key, const int64_t sum[KEYSUM_SUMS])
{
    struct keysum_row *r = keysum_at(t, key);

    for (int i = 0; i < KEYSUM_SUMS; i++)
        r->sum[i] = (int64_t)((uint64_t)r->sum[i] + (uint64_t)sum[i]);
}

void keysum_clear(struct keysum *t)
{
    if (t->n)
        memset(t->slot, 0, t->slots * sizeof *t->slot);
    t->n = 0;
}

void keysum_done(struct keysum *t)
{
    free(t->row);
    free(t->slot);
    memset(t, 0, sizeof *t);
}
