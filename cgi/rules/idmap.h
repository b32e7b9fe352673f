/* idmap.h - from a 64-bit key to a small number: sessions, users, models.
 *
 * Open addressing, linear probing, deletion by shifting back; keys are hashes
 * already and are mixed once more. */
#ifndef WEIR_IDMAP_H
#define WEIR_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap_cell {
    uint64_t key;
    uint32_t value;
    bool used;
};

struct idmap {
    struct idmap_cell *v;
    size_t n, cap;         /* cap is a power of two or 0 */
};

/* What idmap_get() answers for a key that is not there. */
#define IDMAP_NONE UINT32_MAX

void idmap_done(struct idmap *m);
/* Forget all keys, keep the memory. */
void idmap_clear(struct idmap *m);
uint32_t idmap_get(const struct idmap *m, uint64_t key);
/* Set or replace. */
void idmap_set(struct idmap *m, uint64_t key, uint32_t value);
void idmap_remove(struct idmap *m, uint64_t key);

/* One key out of two. */
uint64_t idmap_mix(uint64_t a, uint64_t b);

#endif
