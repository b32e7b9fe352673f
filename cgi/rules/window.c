/* window.c - the ring of slots. */
#include "rules/window.h"

#include <string.h>

enum { MILLION = 1000000 };

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

/* What has come of the parts of a flow so long after its beginning, in millionths: exact. */
static int64_t flow_came(const struct window_flow *f, int64_t after_us)
{
    int64_t sum = 0;

    for (int i = 0; i < 2; i++) {
        int64_t most = f->part[i].most * MILLION, came = f->part[i].a_second * after_us;

        sum += came < most ? came : most;
    }
    return sum;
}

/* How long no more than n millionths, 0 … fewer than all, have come. Both parts grow until they are whole, so it is the longest of:
 * both grow, either is whole. */
static int64_t flow_within_us(const struct window_flow *f, int64_t n)
{
    int64_t longest = n / (f->part[0].a_second + f->part[1].a_second);
    for (int i = 0; i < 2; i++) {
        int64_t rest = n - f->part[!i].most * MILLION;

        if (rest >= 0 && rest / f->part[i].a_second > longest)
            longest = rest / f->part[i].a_second;
    }
    return longest;
}

/* The last moment at which a slot meets what comes in time: the guard is for what is there at once. */
static int64_t flow_last_us(const struct window *w, int64_t gone_us)
{
    return gone_us - w->slot_us - 1;
}

int64_t window_wait_flow_us(const struct window *w, const struct window_flow *f, int64_t room, int64_t now_us)
{
    int64_t parts = f->part[0].most + f->part[1].most, all = f->at_once + parts;
    int64_t left = w->sum, wait = 0;

    if (left + all <= room)
        return 0;
    if (all > room)
        return INT64_MAX;
    if (parts == 0)
        return window_wait_us(w, left + all - room, now_us);
    for (int64_t number = w->current - WINDOW_SPAN + 1; left + all > room; number++) {
        int64_t n = w->slot[number & (WINDOW_RING - 1)], gone_us, last_us, free;

        if (!n)
            continue;
        gone_us = (number + WINDOW_SPAN) * w->slot_us - now_us;
        last_us = flow_last_us(w, gone_us);
        free = (room - left - f->at_once) * MILLION;
        if (free < 0)
            wait = gone_us;
        else if (last_us > wait && flow_came(f, last_us - wait) > free)
            wait = last_us - flow_within_us(f, free);
        left -= n;
    }
    return wait;
}

int64_t window_peak(const struct window *w, const struct window_flow *f, int64_t begin_us)
{
    int64_t parts = f->part[0].most + f->part[1].most, all = f->at_once + parts;
    int64_t left = w->sum, peak = all;

    if (parts == 0)
        return window_sum_at(w, begin_us) + all;
    for (int64_t number = w->current - WINDOW_SPAN + 1; left + all > peak; number++) {
        int64_t n = w->slot[number & (WINDOW_RING - 1)];
        int64_t gone_us = (number + WINDOW_SPAN) * w->slot_us - begin_us;

        if (n && gone_us > 0) {
            int64_t last_us = flow_last_us(w, gone_us);
            int64_t then = left + f->at_once + (last_us > 0 ? flow_came(f, last_us) + MILLION - 1 : 0) / MILLION;

            peak = then > peak ? then : peak;
        }
        left -= n;
    }
    return peak;
}
