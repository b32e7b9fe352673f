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

void pick_health_note(struct pick_health *h, const struct pick *p, int upstream, int64_t now_us);
struct pick_where pick_where_of(const struct item *it, const struct pick_health *h);

#endif
