/* fuzz.h - the entry every fuzz target has. libFuzzer calls it with inputs of
 * its own (make fuzz); replay.c with those kept in corpus/ (make check). */
#ifndef WEIR_TESTS_FUZZ_H
#define WEIR_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0; a broken promise aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
