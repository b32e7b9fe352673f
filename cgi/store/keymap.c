/* keymap.c - open addressing, at most half full, at most 32,768 keys: it is a
 * cache, and forgetting is cheaper than growing without end. */
#include "store/keymap.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_CAP = 256, MOST_CAP = 65536 };

static uint64_t hash_of(const void *key, size_t n)
{
    const unsigned char *p = key;
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ n;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h ^ (h >> 29);
}

/* Where the key is, or the free slot where it belongs. */
static struct keymap_slot *find(const struct keymap *m, uint64_t hash, const void *key, size_t n)
{
    size_t i = (size_t)hash & (m->cap - 1);

    for (;;) {
        struct keymap_slot *s = &m->slot[i];

        if (!s->id || (s->hash == hash && s->n == n && memcmp(s->key, key, n) == 0))
            return s;
        i = (i + 1) & (m->cap - 1);
    }
}

int64_t keymap_get(const struct keymap *m, const void *key, size_t n)
{
    return m->cap ? find(m, hash_of(key, n), key, n)->id : 0;
}

static void grow(struct keymap *m)
{
    struct keymap old = *m;

    m->cap = old.cap ? old.cap * 2 : FIRST_CAP;
    m->slot = mem_zalloc(m->cap, sizeof *m->slot);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.slot[i].id)
            *find(m, old.slot[i].hash, old.slot[i].key, old.slot[i].n) = old.slot[i];
    }
    free(old.slot);
}

void keymap_put(struct keymap *m, const void *key, size_t n, int64_t id)
{
    uint64_t hash = hash_of(key, n);
    struct keymap_slot *s;

    if (m->used * 2 >= MOST_CAP)
        keymap_clear(m);
    if (m->used * 2 >= m->cap)
        grow(m);
    s = find(m, hash, key, n);
    if (s->id)
        return;
    s->key = mem_zalloc(n, 1);
    memcpy(s->key, key, n);
    s->hash = hash;
    s->n = n;
    s->id = id;
    m->used++;
}

void keymap_clear(struct keymap *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slot[i].key);
    free(m->slot);
    memset(m, 0, sizeof *m);
}
