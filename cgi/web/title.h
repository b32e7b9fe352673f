/* title.h - names of conversations: text from people, made safe for one line. Pure. */
#ifndef WEIR_TITLE_H
#define WEIR_TITLE_H

#include <stddef.h>

#include "base/sb.h"

enum { TITLE_CHARS = 120, TITLE_FROM_MESSAGE_CHARS = 60 };

/* Append `text` as one line: control, bidi and invisible format characters are left out, white space becomes single
 * spaces, ends are trimmed. At most `max_chars` code points; a longer text is cut at a word where one ends in the second
 * half, and gets an ellipsis. Appends nothing if nothing is left. */
void title_put(struct sb *out, const char *text, size_t max_chars);

#endif
