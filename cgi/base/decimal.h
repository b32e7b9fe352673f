/* decimal.h - decimal numbers as people and providers write them, to whole units, exact: no float in between. Pure. */
#ifndef WEIR_DECIMAL_H
#define WEIR_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The `n` characters at `p` (12, 0.06, .5, 5e-7; no sign, no space) times ten to the power of `power`, halves rounded up.
 * False: that is no such number, or more than `most` (>= 0) comes out; then *out is not set. */
bool decimal_scaled(const char *p, size_t n, int power, int64_t most, int64_t *out) __attribute__((warn_unused_result));

#endif
