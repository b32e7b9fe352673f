/* cache.h - answers by what was asked, word for word: for a while, and as many
 * as fit into a number of bytes, those used longest ago first to go.
 *
 * An entry is made when the first asks and filled when it was answered; in
 * between others who ask the same can wait for it. Pure; one thread. */
#ifndef WEIR_CACHE_H
#define WEIR_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"
#include "rules/idmap.h"

enum { CACHE_KEY_BYTES = 32, CACHE_MODEL_MAX = 128 };

struct job;

struct cache_entry {
    unsigned char key[CACHE_KEY_BYTES];
    struct job *leader;              /* that asks for everybody; NULL: it is filled */
    struct job *waiting;             /* those who wait for it: the caller's list */
    struct sb text, reasoning;       /* contents of JSON strings */
    char model[CACHE_MODEL_MAX];     /* that answered */
    bool priced;
    int64_t cost;                    /* what it cost, picodollars */
    int64_t expires_us;
    size_t bytes;
    struct cache_entry *newer, *older;   /* by last use; filled ones only */
};

struct cache {
    struct idmap index;              /* of the first bytes of a key, into `at` */
    struct cache_entry **at;
    size_t n, room;
    struct cache_entry *newest, *oldest;
    size_t bytes;
};

void cache_done(struct cache *c);
/* The entry of this key; NULL: there is none, or it has expired. A filled one counts as used. Borrowed. */
struct cache_entry *cache_find(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], int64_t now_us);
/* A new one that `leader` will fill. NULL in the rare case that another stands in its place. */
struct cache_entry *cache_begin(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], struct job *leader);
/* Its texts and the rest are set: it is filled, and others go if there are more than `max_bytes`; perhaps itself. */
void cache_fill(struct cache *c, struct cache_entry *e, int64_t expires_us, size_t max_bytes);
void cache_drop(struct cache *c, struct cache_entry *e);

#endif
