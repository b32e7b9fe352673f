/* heap.h - a binary min-heap of small numbers, flat so that a copy is a memcpy.
 *
 * Entries are (key, tie, id), smallest key first, then smallest tie. Where an
 * entry must be found again, the caller keeps an array `pos` indexed by id, in
 * which the heap notes places; NULL where nothing is ever removed from inside. */
#ifndef WEIR_HEAP_H
#define WEIR_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_entry {
    int64_t key;
    uint64_t tie;
    uint32_t id;
};

struct heap {
    struct heap_entry *v;
    uint32_t n, cap;
};

/* pos[id] of what is in no heap. */
#define HEAP_ABSENT UINT32_MAX

void heap_done(struct heap *h);
void heap_push(struct heap *h, uint32_t *pos, int64_t key, uint64_t tie, uint32_t id);
/* Take the smallest out; the heap must not be empty. */
struct heap_entry heap_pop(struct heap *h, uint32_t *pos);
/* Change the key of what stands at place `at`, or take it out. */
void heap_rekey(struct heap *h, uint32_t *pos, uint32_t at, int64_t key, uint64_t tie);
void heap_remove(struct heap *h, uint32_t *pos, uint32_t at);
/* Make `to` equal `from`, keeping to's memory. */
void heap_copy(struct heap *to, const struct heap *from);

#endif
