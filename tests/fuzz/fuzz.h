/* fuzz.h - the entry every fuzz target has, and how it says that a promise was
 * broken. libFuzzer calls it with inputs of its own (make fuzz); replay.c with
 * those kept in corpus/ (make check). */
#ifndef WEIR_TESTS_FUZZ_H
#define WEIR_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Returns 0; a broken promise aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Inputs next to each kept one that replay.c tries too: cut shorter, one bit changed. Fewer where a run takes long. */
extern const size_t fuzz_neighbours;

#define must(promise)                                                                         \
    do {                                                                                      \
        if (!(promise)) {                                                                     \
            (void)fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #promise); \
            abort();                                                                          \
        }                                                                                     \
    } while (0)

#endif
