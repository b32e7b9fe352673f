/* keyfile.h - a secret of Weir's own in a file: made at the first start, read at
 * every other. Main, before the first thread. */
#ifndef WEIR_KEYFILE_H
#define WEIR_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sb.h"

enum { KEYFILE_BYTES = 32 };

/* The first line of the file at `path`, mode 0600, into line[size]; longer, it is cut. Where there is no such file it is made with
 * the line that `make` writes, of at most size - 1 bytes. False, with a sentence appended to `why`: it cannot be made or read, or
 * others may read it. */
bool keyfile_line(const char *path, char *line, size_t size, void (*make)(char *line), struct sb *why) __attribute__((warn_unused_result));

/* The key at `path`: 64 hexadecimal digits. False, as above, or: it is no key; an empty one is none. */
bool keyfile_load(const char *path, unsigned char key[KEYFILE_BYTES], struct sb *why) __attribute__((warn_unused_result));

#endif
