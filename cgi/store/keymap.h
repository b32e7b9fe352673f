/* keymap.h - a small map from bytes to a row's number: the writer's memory of
 * keys it has looked up before. One thread at a time. */
#ifndef WEIR_KEYMAP_H
#define WEIR_KEYMAP_H

#include <stddef.h>
#include <stdint.h>

struct keymap {
    struct keymap_slot {
        uint64_t hash;
        int64_t id;            /* 0: free */
        size_t n;
        unsigned char *key;    /* a copy */
    } *slot;
    size_t cap, used;
};

/* The number put under these bytes, or 0. */
int64_t keymap_get(const struct keymap *m, const void *key, size_t n);
/* Remember `id` (not 0) under bytes that are not there yet. A full map forgets everything first. */
void keymap_put(struct keymap *m, const void *key, size_t n, int64_t id);
/* Forget everything and free; usable again. */
void keymap_clear(struct keymap *m);

#endif
