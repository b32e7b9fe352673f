/* idmap.c - the open-addressed table. */
#include "rules/idmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"

uint64_t idmap_mix(uint64_t a, uint64_t b)
{
    struct rng r = rng_make(a);

    r.state = rng_u64(&r) ^ b;
    return rng_u64(&r);
}

static size_t idmap_home(const struct idmap *m, uint64_t key)
{
    return (size_t)idmap_mix(key, 0) & (m->cap - 1);
}

void idmap_done(struct idmap *m)
{
    free(m->v);
    *m = (struct idmap){0};
}

void idmap_clear(struct idmap *m)
{
    if (m->n)
        memset(m->v, 0, m->cap * sizeof *m->v);
    m->n = 0;
}

static size_t idmap_find(const struct idmap *m, uint64_t key)
{
    size_t i = idmap_home(m, key);

    while (m->v[i].used && m->v[i].key != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

uint32_t idmap_get(const struct idmap *m, uint64_t key)
{
    size_t i;

    if (!m->n)
        return IDMAP_NONE;
    i = idmap_find(m, key);
    return m->v[i].used ? m->v[i].value : IDMAP_NONE;
}

static void idmap_room(struct idmap *m)
{
    struct idmap old = *m;

    if (m->cap && m->n < m->cap / 2)
        return;
    m->cap = old.cap ? old.cap * 2 : 64;
    m->v = mem_zalloc(m->cap, sizeof *m->v);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.v[i].used)
            m->v[idmap_find(m, old.v[i].key)] = old.v[i];
    }
    free(old.v);
}

void idmap_set(struct idmap *m, uint64_t key, uint32_t value)
{
    size_t i;

    idmap_room(m);
    i = idmap_find(m, key);
    if (!m->v[i].used)
        m->n++;
    m->v[i] = (struct idmap_cell){key, value, true};
}

void idmap_remove(struct idmap *m, uint64_t key)
{
    size_t hole, i;

    if (!m->n)
        return;
    hole = idmap_find(m, key);
    if (!m->v[hole].used)
        return;
    m->n--;
    /* Whatever probed past the hole moves into it, so that no search ends early. */
    for (i = (hole + 1) & (m->cap - 1); m->v[i].used; i = (i + 1) & (m->cap - 1)) {
        size_t home = idmap_home(m, m->v[i].key);

        if (((i - home) & (m->cap - 1)) >= ((i - hole) & (m->cap - 1))) {
            m->v[hole] = m->v[i];
            hole = i;
        }
    }
    m->v[hole].used = false;
}
