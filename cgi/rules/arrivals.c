/* arrivals.c - a ring of the last arrivals and its repetition. */
#include "rules/arrivals.h"

void arrivals_note(struct arrivals *a, const struct queue *q, uint32_t item, uint64_t user, int64_t now_us)
{
    const struct item *it = &q->item[item];

    a->ring[a->next] = (struct arrival){
        .at_us = now_us, .user = user, .upstreams = it->upstreams, .weight = it->weight, .priority = it->priority, .input = it->input,
        .max_output = it->max_output, .want_output = it->want_output, .expect_output = it->expect_output,
        .hint = queue_hint(q, item),
    };
    a->next = (a->next + 1) % ARRIVALS_RING;
    if (a->n < ARRIVALS_RING)
        a->n++;
}

/* The i-th of those remembered, oldest first. */
static const struct arrival *arrival_at(const struct arrivals *a, uint32_t i)
{
    return &a->ring[(a->next + ARRIVALS_RING - a->n + i) % ARRIVALS_RING];
}

struct arrivals_walk arrivals_expect(const struct arrivals *a, int32_t from_ppm, int64_t now_us)
{
    struct arrivals_walk w = {.from = a};
    uint32_t low, high = a->n;
    int64_t from_us;

    while (w.first < a->n && arrival_at(a, w.first)->at_us <= now_us - ARRIVALS_SPAN_US)
        w.first++;
    w.at = low = w.first;
    if (w.first == a->n)
        return w;
    w.span_us = now_us - arrival_at(a, w.first)->at_us + 1;
    if (w.span_us < ARRIVALS_LEAST_SPAN_US)
        w.span_us = ARRIVALS_LEAST_SPAN_US;
    /* The first that came at from_us or later comes first; after the last, the oldest. */
    from_us = now_us - w.span_us + w.span_us / 1000000 * from_ppm;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (arrival_at(a, middle)->at_us < from_us)
            low = middle + 1;
        else
            high = middle;
    }
    w.shift_us = now_us - from_us;
    if (low == a->n) {
        w.shift_us += w.span_us;
        low = w.first;
    }
    w.at = low;
    return w;
}

int64_t arrivals_next_us(const struct arrivals_walk *w)
{
    return w->first == w->from->n ? INT64_MAX : arrival_at(w->from, w->at)->at_us + w->shift_us;
}

const struct arrival *arrivals_take(struct arrivals_walk *w)
{
    const struct arrival *next = arrival_at(w->from, w->at);

    if (++w->at == w->from->n) {
        w->at = w->first;
        w->shift_us += w->span_us;
    }
    return next;
}
