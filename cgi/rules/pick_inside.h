/* pick_inside.h - what pick.c and pick_where.c share; nobody else includes it. */
#ifndef WEIR_PICK_INSIDE_H
#define WEIR_PICK_INSIDE_H

#include "rules/pick.h"

static inline uint64_t pick_bit(int upstream)
{
    return UINT64_C(1) << upstream;
}

/* Upstreams by their state; each set is part of the one before. */
struct pick_health {
    uint64_t up;                             /* not taken out */
    uint64_t ready;                          /* nor in cooldown */
    uint64_t sound;                          /* nor in doubt */
};

static inline void pick_health_note(struct pick_health *h, const struct pick *p, int upstream, int64_t now_us)
{
    const struct pick_upstream *u = &p->upstream[upstream];

    if (u->down)
        return;
    h->up |= pick_bit(upstream);
    if (u->cooldown_us > now_us || p->limits[u->group].cooldown_us > now_us)
        return;
    h->ready |= pick_bit(upstream);
    if (u->doubt_us <= now_us)
        h->sound |= pick_bit(upstream);
}

/* pick_where(), with the health of all its upstreams known: where one of them may not be sound, and of candidates. */
struct pick_where pick_where_ailing(const struct item *it, const struct pick_health *h);

static inline struct pick_where pick_where_of(const struct item *it, const struct pick_health *h)
{
    if (!it->candidates && (it->upstreams & ~h->sound) == 0)
        return (struct pick_where){it->upstreams, 0};
    return pick_where_ailing(it, h);
}

#endif
