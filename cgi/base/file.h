/* file.h - a small file as text, read or replaced whole; a name in a directory that lasts. Thread-safe. */
#ifndef WEIR_FILE_H
#define WEIR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/sb.h"

/* Append the whole of a file to `out`. False, with "PATH cannot be read: …." appended to `why`: it cannot, or it is larger than
 * `out` may be. */
bool file_read(const char *path, struct sb *out, struct sb *why) __attribute__((warn_unused_result));
/* All n bytes, however many writes that takes. False, with errno: they could not be. */
bool file_write(int fd, const char *p, size_t n) __attribute__((warn_unused_result));
/* Put a file with this text and mode in the place of `path`, in one step: whoever reads meanwhile, or after a power loss, finds the old
 * text or the new one, whole. False, with "PATH cannot be written: …." appended to `why`: the old one is still there, or the new one
 * is and a power loss may bring the old one back. */
bool file_replace(const char *path, mode_t mode, const char *text, size_t n, struct sb *why) __attribute__((warn_unused_result));
/* A file that was made or renamed under this path has its name after a power loss too. */
bool file_sync_directory_of(const char *path) __attribute__((warn_unused_result));

#endif
