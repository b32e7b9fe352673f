/* ranks.c - trust in a rank file begins here: after ranks_open() no look-up can
 * leave it, whatever it holds. */
#include "rules/ranks.h"

bool ranks_open(const void *file, size_t bytes, uint32_t kind, struct ranks *r)
{
    const struct ranks_head *h = file;
    uint64_t want;

    if (bytes < sizeof *h || h->magic != RANKS_MAGIC || h->version != RANKS_VERSION || h->kind != kind)
        return false;
    if (!h->n || h->n + 1 >= 1U << RANKS_RANK_BITS || h->slots <= h->n || h->slots & (h->slots - 1))
        return false;
    want = sizeof *h + sizeof(uint32_t) * ((uint64_t)h->n + 1 + h->slots) + h->blob_bytes;
    if (want != bytes)
        return false;
    r->off = (const uint32_t *)(h + 1);
    r->slot = r->off + h->n + 1;
    r->blob = (const unsigned char *)(r->slot + h->slots);
    r->n = h->n;
    r->mask = h->slots - 1;
    if (r->off[0] != 0 || r->off[h->n] != h->blob_bytes)
        return false;
    for (uint32_t i = 0; i < h->n; i++)
        if (r->off[i] >= r->off[i + 1])
            return false;
    return true;
}
