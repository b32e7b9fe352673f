/* eliza.h - Joseph Weizenbaum's ELIZA (Communications of the ACM, January 1966).
 *
 * The algorithm as he published it: key words with ranks, patterns that take a
 * sentence apart, replies that put it together the other way round and are used
 * in turn, substitutions before and after, and a memory for what was said about
 * "my …", brought up when nothing else can be said. The script is Weir's own,
 * in the manner of his DOCTOR. Pure: a conversation is a value. */
#ifndef WEIR_ELIZA_H
#define WEIR_ELIZA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"

enum { ELIZA_ROWS_MAX = 160, ELIZA_MEMORIES = 6, ELIZA_MEMORY_SIZE = 128, ELIZA_REPLY_MAX = 2048,
       ELIZA_SLOTS = 1024 };

/* One conversation; all zeros before the first word. */
struct eliza {
    uint8_t next[ELIZA_ROWS_MAX];                         /* the reply each row of the script gives next */
    char memory[ELIZA_MEMORIES][ELIZA_MEMORY_SIZE];       /* oldest first */
    int memories;
    uint8_t key[ELIZA_SLOTS];                             /* rows by a hash of their key words; made at the first word */
    bool indexed;
};

/* Hear `n` bytes of anything and append the answer to `out`: plain text, never
 * empty, at most ELIZA_REPLY_MAX bytes. Of what was said only words return. */
void eliza_say(struct eliza *e, const char *text, size_t n, struct sb *out);

#endif
