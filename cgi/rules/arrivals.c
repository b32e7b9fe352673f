/* arrivals.c - a ring of the last arrivals and its repetition. */
#include "rules/arrivals.h"

void arrivals_note(struct arrivals *a, const struct queue *q, uint32_t item, uint64_t user, int64_t now_us)
{
    const struct item *it = &q->item[item];

    a->ring[a->next] = (struct arrival){
        .at_us = now_us, .user = user, .upstreams = it->upstreams, .priority = it->priority, .input = it->input,
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

struct arrivals_walk arrivals_expect(const struct arrivals *a, int64_t now_us)
{
    struct arrivals_walk w = {.from = a, .span_us = ARRIVALS_SPAN_US};

    while (w.first < a->n && arrival_at(a, w.first)->at_us <= now_us - ARRIVALS_SPAN_US)
        w.first++;
    /* The ring is shorter than the minute when many come: then what it holds is repeated more often. */
    if (a->n == ARRIVALS_RING && w.first == 0)
        w.span_us = now_us - arrival_at(a, 0)->at_us + 1;
    if (w.span_us < ARRIVALS_LEAST_SPAN_US)
        w.span_us = ARRIVALS_LEAST_SPAN_US;
    w.at = w.first;
    w.shift_us = w.span_us;
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
