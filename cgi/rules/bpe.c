/* bpe.c - two ways to the same number: a scan over a small array, and for long
 * pieces a linked list of parts with a tree of minima over it, window by window.
 *
 * Why windows may be joined: a row of tokens is the merge of its bytes if, and
 * only if, each two neighbours are the merge of theirs. So the last tokens of a
 * window, which the cut may have spoilt, are merged again with what follows; and
 * where the first of those does not fit the last one kept, that one is given up
 * too. A long piece costs as much by the byte as a window does. */
#include "rules/bpe.h"

#include <stdbool.h>

enum {
    SMALL_MAX = 64,        /* from here on the tree is faster than the scan */
    WINDOW = 1024,         /* bytes: several of the longest tokens */
    POS_BITS = 10,
    LEAVES = 16,           /* keys below one minimum */
    GIVEN_UP = 8           /* so many bytes at a window's end, or more, are merged again */
};

#define NEVER INT32_MAX

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

/* Parts as a list over byte positions: next[] and prev[] of a part's first byte.
 * key[] is the rank of a part joined with the next, and its position: the
 * smallest is the lowest rank and, of equals, the leftmost. least[] is the
 * smallest of each LEAVES of them. */
struct parts {
    const struct ranks *r;
    const unsigned char *s;
    uint32_t n;
    uint16_t next[WINDOW], prev[WINDOW];
    int32_t key[WINDOW], least[WINDOW / LEAVES];
};

/* Of n keys, n a multiple of four; without a branch that depends on them. */
static inline int32_t smallest(const int32_t *key, int n)
{
    int32_t m[4] = {key[0], key[1], key[2], key[3]};

    for (int i = 4; i < n; i += 4)
        for (int k = 0; k < 4; k++)
            m[k] = key[i + k] < m[k] ? key[i + k] : m[k];
    m[0] = m[1] < m[0] ? m[1] : m[0];
    m[2] = m[3] < m[2] ? m[3] : m[2];
    return m[2] < m[0] ? m[2] : m[0];
}

static inline int32_t key_of(const struct parts *p, uint32_t i, uint32_t bytes)
{
    uint32_t rank = bytes <= RANKS_TOKEN_MAX ? ranks_find(p->r, p->s + i, bytes) : RANKS_NONE;

    return rank == RANKS_NONE ? NEVER : (int32_t)(rank << POS_BITS | i);
}

/* The part at i, or its neighbour, changed. */
static void parts_rank(struct parts *p, uint32_t i)
{
    uint32_t mid = p->next[i];

    p->key[i] = mid < p->n ? key_of(p, i, p->next[mid] - i) : NEVER;
}

static void parts_least(struct parts *p, uint32_t group)
{
    p->least[group] = smallest(&p->key[group * LEAVES], LEAVES);
}

/* Join the part at i with the next. */
static void parts_join(struct parts *p, uint32_t i)
{
    uint32_t gone = p->next[i], before = p->prev[i];

    p->next[i] = p->next[gone];
    if (p->next[i] < p->n)
        p->prev[p->next[i]] = (uint16_t)i;
    p->key[gone] = NEVER;
    parts_rank(p, i);
    if (i)
        parts_rank(p, before);
    parts_least(p, i / LEAVES);
    if (gone / LEAVES != i / LEAVES)
        parts_least(p, gone / LEAVES);
    if (before / LEAVES != i / LEAVES)
        parts_least(p, before / LEAVES);
}

/* Merge n <= WINDOW bytes into tokens; gives how many. */
static uint32_t parts_merge(struct parts *p, const unsigned char *s, uint32_t n)
{
    uint32_t left = n;

    p->s = s;
    p->n = n;
    for (uint32_t i = 0; i < n; i++) {
        p->next[i] = (uint16_t)(i + 1);
        p->prev[i] = (uint16_t)(i - (i > 0));
        p->key[i] = i + 1 < n ? key_of(p, i, 2) : NEVER;
    }
    for (uint32_t i = n; i % LEAVES; i++)
        p->key[i] = NEVER;
    for (uint32_t g = 0; g < WINDOW / LEAVES; g++)
        p->least[g] = g * LEAVES < n ? smallest(&p->key[g * LEAVES], LEAVES) : NEVER;
    for (;;) {
        int32_t best = smallest(p->least, WINDOW / LEAVES);

        if (best == NEVER)
            return left;
        parts_join(p, (uint32_t)best & (WINDOW - 1));
        left--;
    }
}

/* Are these two tokens, one after the other, what their bytes merge into? */
static bool parts_fit(struct parts *p, const unsigned char *s, uint32_t first, uint32_t second)
{
    return parts_merge(p, s, first + second) == 2 && p->next[0] == first;
}

/* A merged window's tokens but those of its last GIVEN_UP bytes: start[] is given where each begins and where the
 * first of the others does. */
static uint32_t parts_keep(const struct parts *p, uint16_t *start)
{
    uint32_t kept = 0;

    start[0] = 0;
    while (p->next[start[kept]] + (uint32_t)GIVEN_UP <= p->n) {
        start[kept + 1] = p->next[start[kept]];
        kept++;
    }
    return kept;
}

static int64_t count_large(const struct ranks *r, const unsigned char *s, size_t n)
{
    struct parts p = {.r = r};
    uint16_t start[2][WINDOW + 1];       /* of what is kept: of the window before, of this one; in turns */
    uint32_t kept[2] = {0, 0};
    int64_t count = 0;
    size_t before = 0, at = 0;           /* where these windows begin */
    int old = 0;

    for (;;) {
        uint32_t k = (uint32_t)(n - at < WINDOW ? n - at : WINDOW);
        uint32_t tokens = parts_merge(&p, s + at, k), first = p.next[0];

        kept[!old] = parts_keep(&p, start[!old]);
        if (kept[old] > 1) {             /* with one the cut stays, and may add a token */
            size_t last = before + start[old][kept[old] - 1];

            if (!parts_fit(&p, s + last, (uint32_t)(at - last), first)) {
                kept[old]--;
                count--;
                at = last;
                continue;
            }
        }
        if (at + k == n)
            return count + tokens;
        old = !old;
        before = at;
        count += kept[old];
        at += start[old][kept[old]];
    }
}

int64_t bpe_count(const struct ranks *r, const unsigned char *piece, size_t n)
{
    if (n == 1 || (n <= RANKS_TOKEN_MAX && ranks_find(r, piece, n) != RANKS_NONE))
        return 1;
    return n <= SMALL_MAX ? count_small(r, piece, n) : count_large(r, piece, n);
}
