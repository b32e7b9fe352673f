/* pseudonym.h - names for people and sessions that lead back to them only with a
 * key: HMAC-SHA-256 under the key of a month, cut to 16 hexadecimal digits.
 *
 * Each month's key is a file of its own beside the database, made when it is
 * first needed: one name stands for one person within a month, and for nothing
 * in another. Whoever removes a month's file makes its pseudonyms final. */
#ifndef WEIR_PSEUDONYM_H
#define WEIR_PSEUDONYM_H

#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"

#define PSEUDONYM_PREFIX "ano_"

/* Where the keys are or will be; made when needed. Main, before the first thread. */
void pseudonym_use(const char *folder);
/* The pseudonym of `id` in the month (UTC) of at_ms, such as "ano_0123456789abcdef". E_STORAGE, logged: the key cannot be had.
 * Writer only. */
enum weir_err pseudonym_make(const char *id, int64_t at_ms, char out[RAND_ID_SIZE]) __attribute__((warn_unused_result));

#endif
