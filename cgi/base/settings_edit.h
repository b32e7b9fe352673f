/* settings_edit.h - settings changed one by one: tried beside the file, or written into it.
 *
 * Keys are spelled as `weir config show` prints them: "queue.max_wait",
 * "upstreams.openai.max_concurrent"; a key of the file's top that every upstream
 * starts from is one too. Not thread-safe against setenv(). */
#ifndef WEIR_SETTINGS_EDIT_H
#define WEIR_SETTINGS_EDIT_H

#include "base/settings.h"

struct settings_edit {
    const char *key, *value;           /* borrowed */
};

/* The option of a key and where it lies in `s`; NULL: there is no such setting, or no such upstream. */
const struct cfg_option *settings_find(const struct settings *s, const char *key, void **base);

/* settings_load(path) as if the changes stood in the file; nothing is written. NULL with one sentence: a key is unknown, a value
 * not allowed, or the environment decides the setting, whose variable is then named. */
struct settings *settings_load_with(const char *path, const struct settings_edit *c, size_t n, struct sb *why)
    __attribute__((warn_unused_result));

/* Write the changes into the file that settings_load(path) reads (./weir.json if there is none): what else stands in it stays, in
 * its order. The file before is kept beside it as *.before-tune; the new one takes its place in one step, and only if it loads and
 * says what was wanted. False with one sentence: as above, or the file cannot be written; it is then as it was. */
bool settings_write(const char *path, const struct settings_edit *c, size_t n, struct sb *why) __attribute__((warn_unused_result));

/* The key that an environment variable sets, appended to `key`; false if it sets none of these settings. */
bool settings_env_key(const struct settings *s, const char *variable, struct sb *key) __attribute__((warn_unused_result));

#endif
