/* file.h - a small file as text; a name in a directory that lasts. Thread-safe. */
#ifndef WEIR_FILE_H
#define WEIR_FILE_H

#include <stdbool.h>

#include "base/sb.h"

/* Append the whole of a file to `out`. False, with "PATH cannot be read: …." appended to `why`: it cannot, or it is larger than
 * `out` may be. */
bool file_read(const char *path, struct sb *out, struct sb *why) __attribute__((warn_unused_result));
/* A file that was made or renamed under this path has its name after a power loss too. */
bool file_sync_directory_of(const char *path) __attribute__((warn_unused_result));

#endif
