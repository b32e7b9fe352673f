/* password.h - passwords: hashed with Argon2id, checked, and refused when they are
 * among the first that anybody tries.
 *
 * Hashing takes 64 MiB and some 40 ms of a processor: at most two run at once and as
 * many wait. Any thread. */
#ifndef WEIR_PASSWORD_H
#define WEIR_PASSWORD_H

#include <stdbool.h>

#include "base/err.h"

enum { PASSWORD_MIN = 12, PASSWORD_MAX = 256, PASSWORD_HASH_SIZE = 128 };      /* characters at least, bytes at most */

/* What is wrong with it as a new password of `name` (NULL: nobody's), a sentence; NULL: nothing. Literal. */
const char *password_fault(const char *password, const char *name);
/* E_OVERLOADED: too many at once, or no memory. */
enum weir_err password_hash(const char *password, char out[PASSWORD_HASH_SIZE]) __attribute__((warn_unused_result));
/* OK, E_UNAUTHENTICATED, or E_OVERLOADED. `hash` NULL or "": there is none, which takes as long and is never right. *weak: it is
 * right and should be hashed anew, with today's effort. */
enum weir_err password_check(const char *hash, const char *password, bool *weak) __attribute__((warn_unused_result));

#endif
