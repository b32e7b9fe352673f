/* wheel.c - slots are doubly linked lists, so that a timer leaves without a search. */
#include "wheel.h"

#include <string.h>

void wheel_init(struct wheel *w, int64_t now_us)
{
    memset(w, 0, sizeof *w);
    w->tick = now_us / 1000;
}

void wheel_stop(struct wheel *w, struct timer *t)
{
    if (!t->link)
        return;
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    t->link = NULL;
    w->running--;
}

void wheel_start(struct wheel *w, struct timer *t, int64_t at_us)
{
    int64_t tick = (at_us + 999) / 1000;
    size_t i;

    wheel_stop(w, t);
    if (tick <= w->tick)
        tick = w->tick + 1;
    i = (size_t)(tick % WHEEL_SLOTS);
    t->at_us = at_us;
    t->next = w->slot[i];
    if (t->next)
        t->next->link = &t->next;
    t->link = &w->slot[i];
    w->slot[i] = t;
    w->busy[i / 64] |= UINT64_C(1) << (i % 64);
    w->running++;
}

/* Fire what is due in one slot. The list is taken off first: a `fire` may start and stop any timer. */
static void wheel_turn(struct wheel *w, size_t i, int64_t now_us)
{
    struct timer *due = w->slot[i], *t;

    if (!due)
        return;
    w->slot[i] = NULL;
    w->busy[i / 64] &= ~(UINT64_C(1) << (i % 64));
    due->link = &due;
    while ((t = due) != NULL) {
        wheel_stop(w, t);
        if (t->at_us <= now_us)
            t->fire(t, now_us);
        else
            wheel_start(w, t, t->at_us);
    }
}

void wheel_advance(struct wheel *w, int64_t now_us)
{
    int64_t until = now_us / 1000;

    if (until - w->tick > WHEEL_SLOTS)
        w->tick = until - WHEEL_SLOTS;
    while (w->tick < until) {
        w->tick++;
        wheel_turn(w, (size_t)(w->tick % WHEEL_SLOTS), now_us);
    }
}

int wheel_sleep_ms(const struct wheel *w, int64_t now_us)
{
    if (!w->running)
        return 1000;
    for (int ms = 1; ms < 1000; ms++) {
        size_t i = (size_t)((w->tick + ms) % WHEEL_SLOTS);
        int64_t left;

        if (!(w->busy[i / 64] >> (i % 64) & 1))
            continue;
        left = (w->tick + ms) * 1000 - now_us;
        return left <= 0 ? 0 : (int)((left + 999) / 1000);
    }
    return 1000;
}
