/* bpe.c - two ways to the same number: a scan over a small array, and for long
 * pieces a heap of candidate pairs over a linked list of parts. */
#include "rules/bpe.h"

#include <stdlib.h>

enum { SMALL_MAX = 96 };   /* from here on the heap is faster than the scan */

/* part[i] begins at start[i] and ends where the next begins; pair[i] is the rank of part i joined with i + 1. */
static int64_t count_small(const struct ranks *r, const unsigned char *s, size_t n)
{
    uint8_t start[SMALL_MAX + 1];
    uint32_t pair[SMALL_MAX];
    size_t parts = n;

    for (size_t i = 0; i <= n; i++)
        start[i] = (uint8_t)i;
    for (size_t i = 0; i + 1 < n; i++)
        pair[i] = ranks_find(r, s + i, 2);
    while (parts > 1) {
        size_t best = 0;

        for (size_t i = 1; i + 1 < parts; i++)
            if (pair[i] < pair[best])
                best = i;
        if (pair[best] == RANKS_NONE)
            break;
        memmove(&start[best + 1], &start[best + 2], parts - best - 1);
        if (best + 2 < parts)
            memmove(&pair[best + 1], &pair[best + 2], (parts - best - 3) * sizeof *pair);
        parts--;
        if (best + 1 < parts)
            pair[best] = ranks_find(r, s + start[best], (size_t)(start[best + 2] - start[best]));
        if (best > 0)
            pair[best - 1] = ranks_find(r, s + start[best - 1], (size_t)(start[best + 1] - start[best - 1]));
    }
    return (int64_t)parts;
}

/* A candidate is rank and position in one number, so that the lowest rank, then
 * the leftmost, is the smallest. It is stale once rank[position] differs. */
struct heap {
    uint64_t *at;
    size_t n;
};

static void heap_push(struct heap *h, uint64_t x)
{
    size_t i = h->n++;

    while (i > 0 && h->at[(i - 1) / 2] > x) {
        h->at[i] = h->at[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->at[i] = x;
}

static uint64_t heap_pop(struct heap *h)
{
    uint64_t least = h->at[0], x = h->at[--h->n];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && h->at[child + 1] < h->at[child])
            child++;
        if (h->at[child] >= x)
            break;
        h->at[i] = h->at[child];
        i = child;
    }
    h->at[i] = x;
    return least;
}

/* Parts as a list over byte positions: next[] and prev[] of a part's first byte;
 * rank[] is that of the part joined with the next. */
struct parts {
    const struct ranks *r;
    const unsigned char *s;
    uint32_t n, *next, *prev, *rank;
    struct heap heap;
};

/* The part at i, or its neighbour, changed: rank it anew. */
static void parts_rank(struct parts *p, uint32_t i)
{
    uint32_t mid = p->next[i];

    p->rank[i] = RANKS_NONE;
    if (mid == p->n)
        return;
    if (p->next[mid] - i <= RANKS_TOKEN_MAX)
        p->rank[i] = ranks_find(p->r, p->s + i, p->next[mid] - i);
    if (p->rank[i] != RANKS_NONE)
        heap_push(&p->heap, (uint64_t)p->rank[i] << 32 | i);
}

static int64_t parts_merge(struct parts *p)
{
    int64_t left = p->n;

    while (p->heap.n) {
        uint64_t x = heap_pop(&p->heap);
        uint32_t i = (uint32_t)x, gone;

        if (p->rank[i] != x >> 32)
            continue;
        gone = p->next[i];
        p->next[i] = p->next[gone];
        if (p->next[i] < p->n)
            p->prev[p->next[i]] = i;
        p->rank[gone] = RANKS_NONE;
        left--;
        parts_rank(p, i);
        if (i)
            parts_rank(p, p->prev[i]);
    }
    return left;
}

static int64_t count_large(const struct ranks *r, const unsigned char *s, size_t n)
{
    struct parts p = {.r = r, .s = s, .n = (uint32_t)n};
    uint32_t *lists = calloc(3 * n, sizeof *lists);
    int64_t count = -1;

    /* Each merge pushes at most two candidates and takes its own: 2n is never passed. */
    p.heap.at = calloc(2 * n, sizeof *p.heap.at);
    if (!lists || !p.heap.at)
        goto out;
    p.next = lists;
    p.prev = lists + n;
    p.rank = lists + 2 * n;
    for (uint32_t i = 0; i < p.n; i++) {
        p.next[i] = i + 1;
        p.prev[i] = i - (i > 0);
    }
    for (uint32_t i = 0; i < p.n; i++)
        parts_rank(&p, i);
    count = parts_merge(&p);
out:
    free(lists);
    free(p.heap.at);
    return count;
}

int64_t bpe_count(const struct ranks *r, const unsigned char *piece, size_t n)
{
    int64_t count = 0;

    if (n == 1 || (n <= RANKS_TOKEN_MAX && ranks_find(r, piece, n) != RANKS_NONE))
        return 1;
    if (n <= SMALL_MAX)
        return count_small(r, piece, n);
    for (size_t at = 0; at < n;) {
        size_t k = n - at < BPE_PIECE_MAX ? n - at : BPE_PIECE_MAX;
        int64_t part = count_large(r, piece + at, k);

        if (part < 0)
            return -1;
        count += part;
        at += k;
    }
    return count;
}
