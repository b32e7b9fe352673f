/* store_keys.h - the keys the store works with: `audit-key` in the state folder,
 * with which the audit log is signed, and the one that text is encrypted with.
 * Main, before the first thread. */
#ifndef WEIR_STORE_KEYS_H
#define WEIR_STORE_KEYS_H

#include <stdbool.h>

#include "base/sb.h"
#include "base/settings.h"

struct db;

/* Take the key, and make it if there is none; `db`, open for writing, is then sealed with it. With db NULL no key is made.
 * False with a sentence appended to `why`. */
bool audit_key_load(const char *state, struct db *db, struct sb *why) __attribute__((warn_unused_result));
/* Take the key of content.key_file, if it is set; the keys of people are in `content-keys` in the state folder. False as above,
 * also if there are such keys and the setting is gone. */
bool content_key_load(const struct settings *s, struct sb *why) __attribute__((warn_unused_result));

#endif
