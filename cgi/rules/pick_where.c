/* pick_where.c - which upstreams come into question for an item: candidates,
 * their stages, and the health of upstreams. */
#include "rules/pick_inside.h"

const struct candidate *pick_candidate(const struct item *it, int upstream, int stage)
{
    for (int i = 0; i < it->candidate_count; i++) {
        const struct candidate *c = &it->candidates[i];

        if (c->stage == stage && (c->upstreams >> upstream & 1))
            return c;
    }
    return NULL;
}

void pick_failed(struct pick *p, int upstream, int64_t now_us)
{
    struct pick_upstream *u = &p->upstream[upstream];
    int64_t doubt_us = 1000000;

    if (u->doubt_us > now_us)                /* a call that began before the doubt says nothing new */
        return;
    if (++u->failures < PICK_DOUBT_AFTER)
        return;
    for (int i = PICK_DOUBT_AFTER; i < u->failures && doubt_us < PICK_DOUBT_MAX_US; i++)
        doubt_us *= 2;
    u->doubt_us = now_us + (doubt_us < PICK_DOUBT_MAX_US ? doubt_us : PICK_DOUBT_MAX_US);
}

void pick_answered(struct pick *p, int upstream)
{
    p->upstream[upstream].failures = 0;
    p->upstream[upstream].doubt_us = INT64_MIN / 2;
}

/* The first stage with one of these, and those it has. */
static bool stage_with(const struct item *it, uint64_t these, struct pick_where *w)
{
    *w = (struct pick_where){0, it->from_stage};
    if (!it->candidates) {
        w->upstreams = it->upstreams & these;
        return w->upstreams != 0;
    }
    for (int i = 0; i < it->candidate_count; i++) {
        const struct candidate *c = &it->candidates[i];

        if (c->stage < it->from_stage)
            continue;
        if (w->upstreams && c->stage != w->stage)
            break;
        w->upstreams |= c->upstreams & these;
        w->stage = c->stage;
    }
    return w->upstreams != 0;
}

struct pick_where pick_where_ailing(const struct item *it, const struct pick_health *h)
{
    struct pick_where w;

    if (!stage_with(it, h->sound, &w) && !stage_with(it, h->ready, &w) && !stage_with(it, h->up, &w))
        (void)stage_with(it, UINT64_MAX, &w);
    return w;
}

struct pick_where pick_where(const struct pick *p, const struct item *it, int64_t now_us)
{
    struct pick_health h = {0, 0, 0};

    for (uint64_t left = it->upstreams; left; left &= left - 1)
        pick_health_note(&h, p, __builtin_ctzll(left), now_us);
    return pick_where_of(it, &h);
}
