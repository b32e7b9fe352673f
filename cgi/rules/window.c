/* window.c - the ring of slots. */
#include "rules/window.h"

#include <string.h>

static int64_t *window_slot(struct window *w, int64_t number)
{
    return &w->slot[number & (WINDOW_RING - 1)];
}

void window_init(struct window *w, int64_t window_us, int64_t now_us)
{
    memset(w, 0, sizeof *w);
    w->slot_us = window_us / WINDOW_SLOTS;
    w->current = now_us / w->slot_us;
}

void window_advance(struct window *w, int64_t now_us)
{
    int64_t number = now_us / w->slot_us;

    if (number <= w->current)
        return;
    if (number - w->current >= WINDOW_SPAN) {
        memset(w->slot, 0, sizeof w->slot);
        w->sum = 0;
        w->current = number;
        return;
    }
    while (w->current < number) {
        int64_t *leaving = window_slot(w, ++w->current - WINDOW_SPAN);

        w->sum -= *leaving;
        *leaving = 0;
    }
}

void window_add(struct window *w, int64_t n)
{
    *window_slot(w, w->current) += n;
    w->sum += n;
}

void window_amend(struct window *w, int64_t at_us, int64_t n)
{
    int64_t number = at_us / w->slot_us;

    if (number > w->current)
        number = w->current;
    if (number <= w->current - WINDOW_SPAN)
        return;
    if (n < -*window_slot(w, number))
        n = -*window_slot(w, number);
    *window_slot(w, number) += n;
    w->sum += n;
}

void window_restore(struct window *w, int64_t at_us, int64_t n)
{
    /* Rounded up to a slot: nothing may leave early because it was saved. */
    int64_t number = at_us < 0 ? at_us / w->slot_us : at_us / w->slot_us + 1;

    if (number > w->current)
        number = w->current;
    if (number <= w->current - WINDOW_SPAN)
        return;
    *window_slot(w, number) += n;
    w->sum += n;
}

int64_t window_wait_us(const struct window *w, int64_t n, int64_t now_us)
{
    int64_t number = w->current - WINDOW_SPAN;
    int64_t left = 0;

    if (n <= 0)
        return 0;
    if (n > w->sum)
        return INT64_MAX;
    while (left < n)
        left += w->slot[++number & (WINDOW_RING - 1)];
    /* Slot `number` is let go when the newest slot is WINDOW_SPAN further on. */
    return (number + WINDOW_SPAN) * w->slot_us - now_us;
}

int64_t window_sum_at(const struct window *w, int64_t later_us)
{
    int64_t oldest = later_us / w->slot_us - WINDOW_SPAN + 1;
    int64_t sum = w->sum;

    for (int64_t number = w->current - WINDOW_SPAN + 1; number < oldest && number <= w->current; number++)
        sum -= w->slot[number & (WINDOW_RING - 1)];
    return sum;
}
