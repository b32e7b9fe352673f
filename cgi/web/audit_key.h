/* audit_key.h - the file `audit-key` in the state folder, with which the audit
 * log is signed. Main, before the first thread. */
#ifndef WEIR_AUDIT_KEY_H
#define WEIR_AUDIT_KEY_H

#include <stdbool.h>

#include "base/sb.h"

struct db;

/* Take the key, and make it if there is none; `db`, open for writing, is then sealed with it. With db NULL no key is made.
 * False with a sentence appended to `why`. */
bool audit_key_load(const char *state, struct db *db, struct sb *why) __attribute__((warn_unused_result));

#endif
