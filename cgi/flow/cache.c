/* cache.c - see cache.h. */
#include "flow/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A key is a hash: its first bytes will do. */
static uint64_t short_key(const unsigned char key[CACHE_KEY_BYTES])
{
    uint64_t k;

    memcpy(&k, key, sizeof k);
    return k;
}

static struct cache_entry *at_key(const struct cache *c, const unsigned char key[CACHE_KEY_BYTES])
{
    uint32_t i = idmap_get(&c->index, short_key(key));

    return i == IDMAP_NONE ? NULL : c->at[i];
}

/* --- the order of last use --- */

static void unlink_use(struct cache *c, struct cache_entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_use(struct cache *c, struct cache_entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

/* --- entries --- */

void cache_drop(struct cache *c, struct cache_entry *e)
{
    uint32_t i = idmap_get(&c->index, short_key(e->key));

    if (!e->leader) {
        unlink_use(c, e);
        c->bytes -= e->bytes;
    }
    idmap_remove(&c->index, short_key(e->key));
    c->at[i] = c->at[--c->n];
    if (i < c->n)
        idmap_set(&c->index, short_key(c->at[i]->key), i);
    sb_done(&e->text);
    sb_done(&e->reasoning);
    free(e);
}

struct cache_entry *cache_find(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], int64_t now_us)
{
    struct cache_entry *e = at_key(c, key);

    if (!e || memcmp(e->key, key, CACHE_KEY_BYTES) != 0)
        return NULL;
    if (e->leader)
        return e;
    if (now_us >= e->expires_us) {
        cache_drop(c, e);
        return NULL;
    }
    unlink_use(c, e);
    link_use(c, e);
    return e;
}

struct cache_entry *cache_begin(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], struct job *leader)
{
    struct cache_entry *e;

    if (at_key(c, key))
        return NULL;
    if (c->n == c->room) {
        c->room = c->room ? c->room * 2 : 64;
        c->at = mem_grow(c->at, c->room, sizeof(*c->at));
    }
    e = mem_zalloc(1, sizeof *e);
    memcpy(e->key, key, CACHE_KEY_BYTES);
    e->leader = leader;
    idmap_set(&c->index, short_key(key), (uint32_t)c->n);
    c->at[c->n++] = e;
    return e;
}

void cache_fill(struct cache *c, struct cache_entry *e, int64_t expires_us, size_t max_bytes)
{
    e->leader = NULL;
    e->expires_us = expires_us;
    e->bytes = sizeof *e + e->text.cap + e->reasoning.cap;
    c->bytes += e->bytes;
    link_use(c, e);
    while (c->oldest && c->bytes > max_bytes)
        cache_drop(c, c->oldest);
}

void cache_done(struct cache *c)
{
    while (c->n > 0)
        cache_drop(c, c->at[c->n - 1]);
    free(c->at);
    idmap_done(&c->index);
    *c = (struct cache){0};
}
