/* ranks.h - a byte-pair encoding's tokens as one file that is mapped and used as
 * it lies: what tools/pack_ranks writes and tokens_load() reads.
 *
 *     struct ranks_head, u32 off[n + 1], u32 slot[slots], blob
 *
 * Token r is blob[off[r] … off[r+1]). A slot holds 0, or 14 bits of the token's
 * hash above 18 bits of r + 1; a token stands in the first free slot from its
 * hash on. Byte order is the packing machine's; `magic` tells another's. Pure. */
#ifndef WEIR_RANKS_H
#define WEIR_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    RANKS_MAGIC = 0x57425045,      /* WBPE */
    RANKS_VERSION = 2,
    RANKS_TOKEN_MAX = 128,         /* bytes of the longest token */
    RANKS_RANK_BITS = 18
};

#define RANKS_NONE UINT32_MAX      /* above every rank */

struct ranks_head {
    uint32_t magic, version, kind;
    uint32_t n;                    /* tokens, less than 2^18 - 1 */
    uint32_t slots;                /* a power of two, more than n */
    uint32_t blob_bytes;
};

struct ranks {
    const uint32_t *off, *slot;
    const unsigned char *blob;
    uint32_t n, mask;
};

static inline uint32_t ranks_load32(const unsigned char *s)
{
    uint32_t w;

    memcpy(&w, s, sizeof w);
    return w;
}

/* Multiply and fold, eight bytes at a time (the last eight may overlap those
 * before); the file depends on it. n >= 1. */
static inline uint64_t ranks_hash(const void *p, size_t n)
{
    const unsigned char *s = p;
    const uint64_t odd = UINT64_C(0xd6e8feb86659fd93);
    uint64_t h = (uint64_t)n * UINT64_C(0x9e3779b97f4a7c15), w;

    for (; n > 8; n -= 8, s += 8) {
        memcpy(&w, s, sizeof w);
        h = (h ^ w) * odd;
        h ^= h >> 32;
    }
    if (n >= 4)
        w = ranks_load32(s) | (uint64_t)ranks_load32(s + n - 4) << 32;
    else
        w = s[0] | (uint64_t)s[n / 2] << 8 | (uint64_t)s[n - 1] << 16;
    h = (h ^ w) * odd;
    h = (h ^ h >> 32) * odd;
    return h ^ h >> 29;
}

static inline uint32_t ranks_slot(uint64_t hash, uint32_t rank)
{
    return (uint32_t)(hash >> 50) << RANKS_RANK_BITS | (rank + 1);
}

/* The rank of a token, RANKS_NONE if these bytes are not one. */
static inline uint32_t ranks_find(const struct ranks *r, const void *p, size_t n)
{
    uint64_t h = ranks_hash(p, n);
    uint32_t tag = (uint32_t)(h >> 50), i = (uint32_t)h & r->mask;

    for (uint32_t tries = 0; tries <= r->mask; tries++, i = (i + 1) & r->mask) {
        uint32_t slot = r->slot[i], rank = (slot & ((1U << RANKS_RANK_BITS) - 1)) - 1;

        if (!slot)
            break;
        if (slot >> RANKS_RANK_BITS == tag && rank < r->n && r->off[rank + 1] - r->off[rank] == n &&
            !memcmp(r->blob + r->off[rank], p, n))
            return rank;
    }
    return RANKS_NONE;
}

/* Look at a whole file in memory; true if it is sound, and *r then points into it. */
bool ranks_open(const void *file, size_t bytes, uint32_t kind, struct ranks *r) __attribute__((warn_unused_result));

#endif
