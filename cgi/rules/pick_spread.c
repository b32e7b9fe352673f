/* pick_spread.c - what waits for each group's limits, for those that spread Low. */
#include "rules/pick.h"

/* An item that several groups could take counts in equal parts in each. */
static void count(const struct pick *p, const struct item *it, int64_t now_us, struct outlook_amount (*waiting)[OUTLOOK_CLASSES])
{
    enum outlook_class c = outlook_class_of(it->priority);
    uint64_t where = pick_where(p, it, now_us).upstreams;
    uint32_t groups = 0;

    for (uint32_t g = 0; g < p->groups; g++)
        groups += (where & p->group_mask[g]) != 0;
    for (uint32_t g = 0; g < p->groups; g++) {
        struct outlook_amount *w = &waiting[g][c];

        if (!(where & p->group_mask[g]))
            continue;
        w->requests += 1.0 / groups;
        w->input += (double)it->input / groups;
        w->output += (double)it->expect_output / groups;
    }
}

static void look(struct pick *p, int64_t now_us)
{
    struct outlook_amount waiting[PICK_UPSTREAMS][OUTLOOK_CLASSES] = {{{0, 0, 0}}};

    for (uint32_t i = 0; i < p->queue.items; i++) {
        const struct item *it = &p->queue.item[i];

        if (it->state == ITEM_READY || it->state == ITEM_PARKED || it->state == ITEM_RESTING)
            count(p, it, now_us, waiting);
    }
    for (uint32_t g = 0; g < p->groups; g++) {
        if (limits_spread_due(&p->limits[g]))
            limits_spread(&p->limits[g], waiting[g]);
    }
}

void pick_spread(struct pick *p, int64_t now_us)
{
    for (uint32_t g = 0; g < p->groups; g++) {
        if (limits_spread_due(&p->limits[g])) {
            look(p, now_us);
            return;
        }
    }
}
