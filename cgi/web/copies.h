/* copies.h - copies of the database that Weir itself laid beside it: what is
 * erased is still in them. */
#ifndef WEIR_COPIES_H
#define WEIR_COPIES_H

#include "base/sb.h"

/* Append their names as a JSON array. */
void copies_json(const char *state, struct sb *out);

#endif
