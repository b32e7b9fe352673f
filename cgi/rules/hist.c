/* hist.c - slots, quantiles, and the packed form: for each slot in use the
 * distance from the one before and the count, both as LEB128. */
#include "rules/hist.h"

#include <string.h>

enum { FIRST_OCTAVE = 6, LAST_OCTAVE = 41 };

static int slot_of(int64_t us)
{
    int octave;

    if (us <= 0)
        return 0;
    if (us < INT64_C(1) << FIRST_OCTAVE)
        return 1;
    octave = 63 - __builtin_clzll((unsigned long long)us);
    if (octave > LAST_OCTAVE)
        return HIST_SLOTS - 1;
    return 2 + (octave - FIRST_OCTAVE) * 8 + (int)((us >> (octave - 3)) & 7);
}

/* Where a slot begins, in microseconds. */
static int64_t slot_start(int slot)
{
    int octave, eighth;

    if (slot < 2)
        return slot;
    octave = FIRST_OCTAVE + (slot - 2) / 8;
    eighth = (slot - 2) % 8;
    return (INT64_C(8) + eighth) << (octave - 3);
}

void hist_add(struct hist *h, enum hist_metric m, int64_t us)
{
    h->n[m][slot_of(us)]++;
}

int64_t hist_count(const struct hist *h, enum hist_metric m)
{
    int64_t n = 0;

    for (int i = 0; i < HIST_SLOTS; i++)
        n += h->n[m][i];
    return n;
}

int64_t hist_quantile(const struct hist *h, enum hist_metric m, int32_t ppm)
{
    int64_t total = hist_count(h, m), rank, below = 0;

    if (!total)
        return -1;
    rank = (total * ppm + 999999) / 1000000;       /* the rank-th smallest, from 1 */
    if (rank < 1)
        rank = 1;
    for (int i = 0; i < HIST_SLOTS; i++) {
        int64_t n = h->n[m][i];

        if (below + n >= rank) {
            int64_t from = slot_start(i), to = i ? slot_start(i + 1) : 0;

            return from + (to - from) * (2 * (rank - below) - 1) / (2 * n);
        }
        below += n;
    }
    return -1;
}

static size_t put_varint(unsigned char *out, uint64_t v)
{
    size_t n = 0;

    while (v >= 0x80) {
        out[n++] = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (unsigned char)v;
    return n;
}

/* Bytes read, 0 when there is no whole number. */
static size_t get_varint(const unsigned char *p, size_t n, uint64_t *v)
{
    *v = 0;
    for (size_t i = 0; i < n && i < 9; i++) {
        *v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
        if (!(p[i] & 0x80))
            return i + 1;
    }
    return 0;
}

size_t hist_pack(const struct hist *h, unsigned char *out)
{
    const int64_t *n = &h->n[0][0];
    size_t used = 0;
    int last = 0;

    for (int i = 0; i < HIST_METRICS * HIST_SLOTS; i++) {
        if (!n[i])
            continue;
        used += put_varint(out + used, (uint64_t)(i - last));
        used += put_varint(out + used, (uint64_t)n[i]);
        last = i;
    }
    return used;
}

/* Each slot in turn; false at the end, with `at` beyond the slots if it was no whole one. */
struct unpacking {
    const unsigned char *p, *end;
    uint64_t at, count;
};

static bool next_slot(struct unpacking *u)
{
    uint64_t step;
    size_t k, l;

    if (u->p == u->end)
        return false;
    k = get_varint(u->p, (size_t)(u->end - u->p), &step);
    l = k ? get_varint(u->p + k, (size_t)(u->end - u->p) - k, &u->count) : 0;
    u->at += l && step < HIST_METRICS * HIST_SLOTS && u->count <= INT64_MAX / 2 ? step : HIST_METRICS * HIST_SLOTS;
    u->p += k + l;
    return u->at < HIST_METRICS * HIST_SLOTS;
}

bool hist_unpack(struct hist *h, const void *packed, size_t n)
{
    struct unpacking u = {.p = packed, .end = (const unsigned char *)packed + n};
    int64_t *slots = &h->n[0][0];

    while (next_slot(&u))
        slots[u.at] += (int64_t)u.count;
    return u.at < HIST_METRICS * HIST_SLOTS;
}

/* splitmix64's finish: neighbours become strangers. */
static uint64_t mark_of(uint64_t slot)
{
    uint64_t z = (slot + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t hist_mark(enum hist_metric m, int64_t us)
{
    return mark_of((uint64_t)m * HIST_SLOTS + (uint64_t)slot_of(us));
}

bool hist_packed_mark(const void *packed, size_t n, uint64_t *out)
{
    struct unpacking u = {.p = packed, .end = (const unsigned char *)packed + n};

    *out = 0;
    while (next_slot(&u))
        *out += u.count * mark_of(u.at);
    return u.at < HIST_METRICS * HIST_SLOTS;
}
