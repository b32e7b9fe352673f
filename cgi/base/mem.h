/* mem.h - small fixed allocations that must not fail: they end the process with
 * a message. Sizes chosen by a peer are bounded first and use plain malloc. */
#ifndef WEIR_MEM_H
#define WEIR_MEM_H

#include <stddef.h>

/* n zeroed objects of `size` bytes; caller frees. Never NULL. Thread-safe. */
void *mem_zalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
/* A copy of s; caller frees. NULL gives NULL. */
char *mem_strdup(const char *s) __attribute__((warn_unused_result));
/* Like realloc for an array; never NULL for n > 0. */
void *mem_grow(void *p, size_t n, size_t size) __attribute__((returns_nonnull, warn_unused_result));

#endif
