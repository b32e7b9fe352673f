/* replay_meter.c - every event of the window is remembered. */
#include "flow/replay_meter.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void advance(struct replay_meter *m, int64_t now_us)
{
    while (m->first < m->count && m->event[m->first].at_us <= now_us - m->window_us)
        m->sum -= m->event[m->first++].n;
}

static void make_room(struct replay_meter *m)
{
    if (m->count < m->cap)
        return;
    if (m->first > m->cap / 2) {
        m->count -= m->first;
        memmove(m->event, m->event + m->first, m->count * sizeof *m->event);
        m->first = 0;
        return;
    }
    m->cap = m->cap ? m->cap * 2 : 64;
    m->event = mem_grow(m->event, m->cap, sizeof *m->event);
}

void replay_meter_add(struct replay_meter *m, int64_t n, int64_t now_us)
{
    advance(m, now_us);
    if (n <= 0)
        return;
    make_room(m);
    m->event[m->count].at_us = now_us;
    m->event[m->count++].n = n;
    m->sum += n;
    m->total += n;
    if (m->sum > m->peak)
        m->peak = m->sum;
}

int64_t replay_meter_wait_us(struct replay_meter *m, int64_t n, int64_t now_us)
{
    int64_t sum;

    advance(m, now_us);
    sum = m->sum;
    if (m->limit <= 0 || n <= 0 || sum + n <= m->limit)
        return 0;
    for (size_t i = m->first; i < m->count; i++) {
        sum -= m->event[i].n;
        if (sum + n <= m->limit)
            return m->event[i].at_us + m->window_us - now_us;
    }
    return m->window_us;
}

void replay_meter_done(struct replay_meter *m)
{
    free(m->event);
}
