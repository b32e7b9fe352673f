/* context.h - which turns of a long conversation still fit a model's window.
 *
 * The oldest are left out, whole, and what is kept begins with a question. The
 * cut moves in steps of a quarter of the room: while a conversation grows by less
 * than that its prompt keeps its beginning, which is what providers' prompt
 * caches go by. Pure. */
#ifndef WEIR_CONTEXT_H
#define WEIR_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct context_turn {
    int64_t tokens;
    bool question;           /* the user's */
};

/* The tokens that a prompt may take of a window of `window`, so that an answer of up to `max_tokens` has what it needs:
 * `max_tokens` itself, but of a small window no more than a quarter. */
int64_t context_room(int64_t window, int64_t max_tokens);

/* How many of the n oldest-first turns to leave out from the front so that the rest and `fixed` tokens (system text, the
 * new message) take at most `room`: 0 if all fit; n if not even the last question does with all that follows it. */
size_t context_omitted(const struct context_turn *turns, size_t n, int64_t fixed, int64_t room);

#endif
