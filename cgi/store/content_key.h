/* content_key.h - text under a key of the person it belongs to.
 *
 * Each person has a key of their own, in a file beside the database, encrypted
 * with the master key: a backup of the database has none of them. Destroying one
 * makes that person's text unreadable wherever a copy of the database is.
 * XChaCha20-Poly1305; what a text belongs to (message, session) is part of what
 * is checked, so that none can be put in another's place. */
#ifndef WEIR_CONTENT_KEY_H
#define WEIR_CONTENT_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"

/* The key of what waits to be written and belongs to nobody's messages yet. */
#define CONTENT_KEY_OWN INT64_MAX

enum { CONTENT_KEY_BYTES = 32, CONTENT_SEAL_BYTES = 24 + 16 };    /* a sealed text is so much longer */

/* From now on text is written sealed. `folder` is where the keys of people are or will be; it is made. `master` is copied.
 * Main, before the first thread. False with a sentence: the folder cannot be made, or `master` does not open what is in it. */
bool content_key_use(const char *folder, const unsigned char master[CONTENT_KEY_BYTES], struct sb *why) __attribute__((warn_unused_result));
/* Is there a master key? Any thread. */
bool content_key_set(void);
/* Seal `n` bytes with the key of `user` (made if new), bound to `what`. Appends to `out`. Writer. */
enum weir_err content_key_seal(int64_t user, const char *what, const void *text, size_t n, struct sb *out)
    __attribute__((warn_unused_result));
/* The opposite. *out is malloc'd, ended by a zero byte; NULL if the key was destroyed. E_STORAGE: it cannot be read, or is not
 * what was sealed. Any thread. */
enum weir_err content_key_open(int64_t user, const char *what, const void *sealed, size_t n, char **out, size_t *out_n)
    __attribute__((warn_unused_result));
/* Nothing of this user can be opened any more. */
enum weir_err content_key_destroy(int64_t user) __attribute__((warn_unused_result));

#endif
