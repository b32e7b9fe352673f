/* heap.c - sift up, sift down. */
#include "rules/heap.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool heap_less(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->key < b->key || (a->key == b->key && a->tie < b->tie);
}

static void heap_put(struct heap *h, uint32_t *pos, uint32_t at, struct heap_entry e)
{
    h->v[at] = e;
    if (pos)
        pos[e.id] = at;
}

static void heap_up(struct heap *h, uint32_t *pos, uint32_t at, struct heap_entry e)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;

        if (!heap_less(&e, &h->v[parent]))
            break;
        heap_put(h, pos, at, h->v[parent]);
        at = parent;
    }
    heap_put(h, pos, at, e);
}

static void heap_down(struct heap *h, uint32_t *pos, uint32_t at, struct heap_entry e)
{
    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= h->n)
            break;
        if (child + 1 < h->n && heap_less(&h->v[child + 1], &h->v[child]))
            child++;
        if (!heap_less(&h->v[child], &e))
            break;
        heap_put(h, pos, at, h->v[child]);
        at = child;
    }
    heap_put(h, pos, at, e);
}

void heap_done(struct heap *h)
{
    free(h->v);
    *h = (struct heap){0};
}

static void heap_room(struct heap *h, uint32_t n)
{
    if (n <= h->cap)
        return;
    h->cap = n < 16 ? 16 : n + n / 2;
    h->v = mem_grow(h->v, h->cap, sizeof *h->v);
}

void heap_push(struct heap *h, uint32_t *pos, int64_t key, uint64_t tie, uint32_t id)
{
    heap_room(h, h->n + 1);
    h->n++;
    heap_up(h, pos, h->n - 1, (struct heap_entry){key, tie, id});
}

struct heap_entry heap_pop(struct heap *h, uint32_t *pos)
{
    struct heap_entry top = h->v[0];

    heap_remove(h, pos, 0);
    return top;
}

void heap_rekey(struct heap *h, uint32_t *pos, uint32_t at, int64_t key, uint64_t tie)
{
    struct heap_entry e = {key, tie, h->v[at].id};

    if (heap_less(&e, &h->v[at]))
        heap_up(h, pos, at, e);
    else
        heap_down(h, pos, at, e);
}

void heap_remove(struct heap *h, uint32_t *pos, uint32_t at)
{
    struct heap_entry last = h->v[--h->n];
    struct heap_entry gone = h->v[at];

    if (pos)
        pos[gone.id] = HEAP_ABSENT;
    if (at == h->n)
        return;
    if (heap_less(&last, &gone))
        heap_up(h, pos, at, last);
    else
        heap_down(h, pos, at, last);
}

void heap_copy(struct heap *to, const struct heap *from)
{
    heap_room(to, from->n);
    if (from->n)
        memcpy(to->v, from->v, from->n * sizeof *to->v);
    to->n = from->n;
}
