/* tally.c - rows in a list, found by an open-addressed table. */
#include "store/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const names[TALLY_SUMS] = {
    "requests", "prompt", "cached", "cache_write", "completion", "reasoning", "chars", "cost_in", "cost_out", "unpriced",
    "unpriced_tokens", "estimated", "retries", "queue_us", "retry_us", "ttft_us", "writing_us", "cost", "hist",
};

const char *tally_name(enum tally_sum s)
{
    return names[s];
}

/* Where a key is, or would be. */
static size_t slot_of(const struct tally *t, int64_t key)
{
    uint64_t h = (uint64_t)key * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)((h ^ (h >> 29)) & (t->slots - 1));

    while (t->slot[i] && t->row[t->slot[i] - 1].key != key)
        i = (i + 1) & (t->slots - 1);
    return i;
}

static void grow(struct tally *t)
{
    t->cap = t->cap ? t->cap * 2 : 64;
    t->row = mem_grow(t->row, t->cap, sizeof *t->row);
    free(t->slot);
    t->slots = t->cap * 2;
    t->slot = mem_zalloc(t->slots, sizeof *t->slot);
    for (size_t i = 0; i < t->n; i++)
        t->slot[slot_of(t, t->row[i].key)] = (uint32_t)(i + 1);
}

struct tally_row *tally_find(struct tally *t, int64_t key)
{
    size_t i = t->slots ? slot_of(t, key) : 0;

    return t->slots && t->slot[i] ? &t->row[t->slot[i] - 1] : NULL;
}

struct tally_row *tally_at(struct tally *t, int64_t key)
{
    struct tally_row *r = tally_find(t, key);

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

void tally_add(struct tally *t, int64_t key, const int64_t sum[TALLY_SUMS])
{
    struct tally_row *r = tally_at(t, key);

    for (int i = 0; i < TALLY_SUMS; i++)
        r->sum[i] = (int64_t)((uint64_t)r->sum[i] + (uint64_t)sum[i]);
}

void tally_clear(struct tally *t)
{
    if (t->n)
        memset(t->slot, 0, t->slots * sizeof *t->slot);
    t->n = 0;
}

void tally_done(struct tally *t)
{
    free(t->row);
    free(t->slot);
    memset(t, 0, sizeof *t);
}
