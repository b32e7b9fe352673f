/* bpe.h - into how many tokens does one piece of text merge?
 *
 * Byte-pair encoding: begin with single bytes, join again and again the
 * neighbours whose union is the token of lowest rank (the leftmost of equals),
 * until none is left. Only the number is computed. Pure, and O(n log n) in the
 * worst case; long pieces take memory for the time of the call. */
#ifndef WEIR_BPE_H
#define WEIR_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "rules/ranks.h"

enum { BPE_PIECE_MAX = 1 << 20 };   /* longer pieces are counted in parts; each cut may add one token */

/* Tokens of the piece of n >= 1 bytes; -1 if memory for a long one ran out. */
int64_t bpe_count(const struct ranks *r, const unsigned char *piece, size_t n);

#endif
