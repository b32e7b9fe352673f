/* bpe.h - into how many tokens does one piece of text merge?
 *
 * Byte-pair encoding: begin with single bytes, join again and again the
 * neighbours whose union is the token of lowest rank (the leftmost of equals),
 * until none is left. Only the number is computed. Pure, no memory is taken, and
 * n bytes take a time in proportion to n (bench/tokens: a MiB of the worst is
 * counted in about a tenth of a second). */
#ifndef WEIR_BPE_H
#define WEIR_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "rules/ranks.h"

/* Tokens of the piece of n >= 1 bytes. */
int64_t bpe_count(const struct ranks *r, const unsigned char *piece, size_t n);

#endif
