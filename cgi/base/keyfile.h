/* keyfile.h - a key of Weir's own in a file: made at the first start, read at
 * every other. Main, before the first thread. */
#ifndef WEIR_KEYFILE_H
#define WEIR_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sb.h"

enum { KEYFILE_BYTES = 32 };

/* The key at `path`: 64 hexadecimal digits, mode 0600. False, with a sentence appended to `why`: it cannot be made or read,
 * others may read it, or it is no key; an empty one is none. */
bool keyfile_load(const char *path, unsigned char key[KEYFILE_BYTES], struct sb *why) __attribute__((warn_unused_result));

#endif
