/* learned.c - a small ring of samples for each key, its quantile kept ready. */
#include "rules/learned.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/heap.h"

/* The row of a model over all callers. */
enum { ANYBODY = 0 };

/* What is expected of a model nobody has used yet, and what is set aside for it, if its cap allows. Setting the whole
 * cap aside would let the first calls under a small limit pass only one a minute; what an answer takes beyond it is a
 * debt like any other. */
enum { FIRST_EXPECTATION = 400, FIRST_RESERVE = 4 * FIRST_EXPECTATION };

void learned_init(struct learned *l)
{
    memset(l, 0, sizeof *l);
    l->row = mem_zalloc(LEARNED_ROWS, sizeof *l->row);
}

void learned_done(struct learned *l)
{
    free(l->row);
    idmap_done(&l->rows);
    memset(l, 0, sizeof *l);
}

static struct learned_row *learned_find(struct learned *l, uint64_t key)
{
    uint32_t i = idmap_get(&l->rows, key);

    if (i == IDMAP_NONE)
        return NULL;
    l->row[i].used = ++l->clock;
    return &l->row[i];
}

/* A free row, or the one among a few that was not used for longest. */
static uint32_t learned_room(struct learned *l)
{
    uint32_t oldest;

    if (l->count < LEARNED_ROWS)
        return l->count++;
    oldest = l->hand;
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t at = (l->hand + i) % LEARNED_ROWS;

        if (l->row[at].used < l->row[oldest].used)
            oldest = at;
    }
    l->hand = (l->hand + 16) % LEARNED_ROWS;
    idmap_remove(&l->rows, l->row[oldest].key);
    return oldest;
}

static int by_size(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static void learned_add(struct learned *l, uint64_t key, int32_t output)
{
    struct learned_row *r = learned_find(l, key);
    int32_t sorted[LEARNED_SAMPLES];

    if (!r) {
        uint32_t i = learned_room(l);

        r = &l->row[i];
        memset(r, 0, sizeof *r);
        r->key = key;
        r->used = ++l->clock;
        idmap_set(&l->rows, key, i);
    }
    if (r->seen < LEARNED_MEAN)
        r->seen++;
    r->mean_milli += ((int64_t)output * 1000 - r->mean_milli) / r->seen;
    r->sample[r->next] = output;
    r->next = (r->next + 1) % LEARNED_SAMPLES;
    if (r->n < LEARNED_SAMPLES)
        r->n++;
    memcpy(sorted, r->sample, sizeof sorted);
    qsort(sorted, (size_t)r->n, sizeof *sorted, by_size);
    r->reserve = sorted[(r->n - 1) * (r->n < LEARNED_SAMPLES ? LEARNED_FIRST_PERCENT : LEARNED_QUANTILE_PERCENT) / 100];
    r->least = sorted[r->n * LEARNED_LEAST_PERCENT / 100];
}

struct learned_guess learned_guess(struct learned *l, uint64_t model, uint64_t user, int64_t max_tokens)
{
    const struct learned_row *r = learned_find(l, idmap_mix(model, user));
    struct learned_guess g = {FIRST_RESERVE, FIRST_EXPECTATION, 1};

    if (!r || r->n < LEARNED_ENOUGH)
        r = learned_find(l, idmap_mix(model, ANYBODY));
    if (r)                               /* a few say more of the mean than nothing does */
        g.expect = (r->mean_milli + 500) / 1000;
    if (r && r->n >= LEARNED_ENOUGH) {
        g.reserve = r->reserve < 1 ? 1 : r->reserve;
        g.least = r->least;
    }
    if (g.reserve > max_tokens)
        g.reserve = max_tokens;
    if (g.expect > max_tokens)
        g.expect = max_tokens;
    if (g.least > max_tokens)
        g.least = max_tokens;
    return g;
}

void learned_tell(struct learned *l, uint64_t model, uint64_t user, int64_t output)
{
    int32_t n = output > INT32_MAX ? INT32_MAX : output < 0 ? 0 : (int32_t)output;

    if (user != ANYBODY)
        learned_add(l, idmap_mix(model, user), n);
    learned_add(l, idmap_mix(model, ANYBODY), n);
}

uint32_t learned_recent(const struct learned *l, const struct learned_row *out[LEARNED_KEPT])
{
    struct heap least = {0};
    uint32_t n = 0;

    for (uint32_t i = 0; i < l->count; i++) {
        if (least.n < LEARNED_KEPT || l->row[i].used > (uint64_t)least.v[0].key)
            heap_push(&least, NULL, (int64_t)l->row[i].used, 0, i);
        if (least.n > LEARNED_KEPT)
            (void)heap_pop(&least, NULL);
    }
    while (least.n)
        out[n++] = &l->row[heap_pop(&least, NULL).id];
    heap_done(&least);
    return n;
}

void learned_restore(struct learned *l, uint64_t key, int32_t output)
{
    learned_add(l, key, output < 0 ? 0 : output);
}
