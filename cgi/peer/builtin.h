/* builtin.h - the model that is always there: ELIZA, as a provider.
 *
 * No network, no key, no thread, no state: the reply is a function of the
 * conversation so far. The engine streams it word by word. Thread-safe. */
#ifndef WEIR_BUILTIN_H
#define WEIR_BUILTIN_H

#include <stdbool.h>
#include <stddef.h>

#define BUILTIN_MODEL "builtin/eliza"
#define BUILTIN_NAME "ELIZA (built in)"

/* One thing the person said. Any bytes; borrowed. */
struct builtin_turn {
    const char *text;
    size_t bytes;
};

/* The reply to the last of `n` user turns, oldest first, after replaying those
 * before it. UTF-8, never empty, never longer than 2 KiB, plain text. The caller
 * frees it. Never NULL; n may be 0. */
char *builtin_reply(const struct builtin_turn *turns, size_t n) __attribute__((warn_unused_result));

/* Length of the next piece of `reply` from *at, a word with the white space
 * after it, and moves *at past it; 0 at the end. */
size_t builtin_next_chunk(const char *reply, size_t *at);

#endif
