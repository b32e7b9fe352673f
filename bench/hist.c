/* hist.c - values below 32 have buckets of their own; above, each power of two has 32. */
#include "hist.h"

static int bucket_of(int64_t us)
{
    int shift;

    if (us < HIST_SUB)
        return (int)us;
    shift = 63 - __builtin_clzll((unsigned long long)us) - 5;
    return (shift + 1) * HIST_SUB + (int)(us >> shift) - HIST_SUB;
}

static int64_t edge_of(int bucket)
{
    int shift = bucket / HIST_SUB - 1;

    if (bucket < HIST_SUB)
        return bucket;
    return ((int64_t)(bucket % HIST_SUB + HIST_SUB + 1) << shift) - 1;
}

void hist_add(struct hist *h, int64_t us)
{
    int b;

    if (us < 0)
        us = 0;
    b = bucket_of(us);
    h->bucket[b < HIST_BUCKETS ? b : HIST_BUCKETS - 1]++;
    h->n++;
    h->sum += us;
    if (us > h->max)
        h->max = us;
}

int64_t hist_at(const struct hist *h, int64_t ppm)
{
    int64_t want = (h->n * ppm + 999999) / 1000000, seen = 0;

    for (int b = 0; b < HIST_BUCKETS; b++) {
        seen += h->bucket[b];
        if (seen && seen >= want)
            return edge_of(b) < h->max ? edge_of(b) : h->max;
    }
    return 0;
}
