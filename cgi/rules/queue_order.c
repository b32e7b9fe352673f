/* queue_order.c - whose turn it is: reads the queue and changes nothing. */
#include "rules/queue.h"

uint32_t queue_promised(const struct queue *q, enum priority p)
{
    const struct heap *h = &q->rank[p].promised;

    return h->n ? h->v[0].id : QUEUE_NONE;
}

int64_t queue_weighed(const struct item *it, int64_t tokens)
{
    return tokens * QUEUE_WEIGHT_ONE / it->weight;
}

int64_t queue_ahead(const struct queue *q, uint32_t item)
{
    const struct item *it = &q->item[item];

    return q->share[q->flow[it->flow].share].counter - q->rank[it->priority].virtual;
}

uint32_t queue_oldest(const struct queue *q, enum priority p)
{
    const struct heap *h = &q->rank[p].oldest;

    return h->n ? q->flow[h->v[0].id].head : QUEUE_NONE;
}

/* Of a flow: its oldest, if that may start; else the oldest of those who came last and were told nothing yet; else the last. */
static uint32_t flow_turn(const struct queue *q, const struct flow *f, int64_t now_us)
{
    uint32_t i = f->tail;

    if (q->item[f->head].earliest_us <= now_us)
        return f->head;
    for (int n = 0; n < QUEUE_LOOK && q->item[i].promised_us == QUEUE_UNPROMISED; n++) {
        uint32_t older = q->item[i].prev;

        if (q->item[older].promised_us != QUEUE_UNPROMISED)
            break;
        i = older;
    }
    return i;
}

uint32_t queue_turn(const struct queue *q, uint32_t line, int64_t now_us)
{
    const struct heap *flows = &q->line[line].flows;
    uint32_t first = flow_turn(q, &q->flow[flows->v[0].id], now_us), last = first;
    int64_t least = INT64_MAX;

    if (q->item[first].earliest_us <= now_us)
        return first;
    for (uint32_t f = 1; f < flows->n && f < QUEUE_LOOK; f++) {
        uint32_t i = flow_turn(q, &q->flow[flows->v[f].id], now_us);

        if (q->item[i].earliest_us <= now_us) {
            if (flows->v[f].key < least) {
                least = flows->v[f].key;
                first = i;
            }
        } else if (q->item[i].promised_us > q->item[last].promised_us) {
            last = i;
        }
    }
    return least < INT64_MAX ? first : last;
}
