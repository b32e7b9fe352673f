/* cfg.h - settings as tables: a line has key, type, range, default and help.
 *
 * The mechanism only: what settings there are stands in settings_options.c. Values
 * come from a JSON object or from the environment, are parsed strictly and
 * written into a struct at the option's offset. What is wrong stops the load
 * with one sentence that names the source, the key, the value and what is
 * allowed; a secret's value is never in it. Loading reads the environment, so
 * nobody may call setenv() once there are threads. */
#ifndef WEIR_CFG_H
#define WEIR_CFG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"

struct cfg_list {
    char **items;
    size_t n;
};

/* Lists by name, in the order they were written. */
struct cfg_map {
    char **names;
    struct cfg_list *lists;
    size_t n;
};

/* The comment is the C type at the option's offset. */
enum cfg_type {
    CFG_BOOL,       /* bool */
    CFG_INT,        /* int64_t */
    CFG_SECONDS,    /* int64_t microseconds; written as decimal seconds or with a unit: 250ms 2s 5m 1h 7d */
    CFG_MINUTES,    /* the same, a bare number means minutes */
    CFG_RATIO,      /* int64_t thousandths; written as 0.15 */
    CFG_USD,        /* int64_t picodollars; written as dollars: 5.25 */
    CFG_TEXT,       /* char *, owned; NULL = not set */
    CFG_SECRET,     /* char *, owned, wiped when freed; never printed */
    CFG_CHOICE,     /* int: the position in `choices` */
    CFG_LIST,       /* struct cfg_list, owned */
    CFG_MAP,        /* struct cfg_map, owned; an object of lists, as text a=b,c; d=e */
};

struct cfg_option {
    const char *key;        /* "queue.max_size": member max_size of the object queue */
    enum cfg_type type;
    size_t at;              /* offsetof the member it sets */
    int64_t min, max;       /* numbers: in the unit stored. TEXT, SECRET: longest length in max, 0 = 4096 */
    const char *fallback;   /* the default as one would write it; NULL = not set */
    const char *help;       /* one sentence for docs/settings.md */
    const char *choices;    /* CHOICE: "error warn info debug" */
    const char *aliases;    /* other keys that mean the same: "limits.rpm rate_limits.requests_per_minute" */
    const char *leaf;       /* name in a prefixed environment variable (OPENAI_…); NULL = the key's last part */
    bool (*ok)(const char *text);   /* a further check of a text, or NULL */
    const char *must;       /* what `ok` demands: "an IPv4 or IPv6 address" */
    bool restart;           /* a reload leaves it as it was at the start */
};

/* A table and the struct it fills. */
struct cfg_bind {
    const struct cfg_option *options;
    size_t n;
    void *base;
};

/* All functions that take `why` return true, or false with one sentence appended to it. */

/* Set every option to its default; the struct must be zeroed or hold what an
 * earlier call put there. A default that does not parse is a mistake in the table and aborts. */
void cfg_defaults(const struct cfg_bind *b);
/* Free every text and list, wipe the secrets; the members become NULL or empty. */
void cfg_free(const struct cfg_bind *b);

/* Set one option from text. `source` starts the sentence: "weir.json: key" or "WEIR_X (environment)". */
bool cfg_set(const struct cfg_option *o, void *base, const char *text, const char *source, struct sb *why)
    __attribute__((warn_unused_result));
/* The option of this key or alias, NULL if there is none. */
const struct cfg_option *cfg_find(const struct cfg_bind *b, const char *key);

/* Apply a JSON object to `nb` tables. Members whose value is null keep what they
 * have. A member no table knows is refused with the nearest key as suggestion, unless its
 * full name is in `skip` (NULL-terminated, or NULL). `file` and `prefix` ("upstreams[0].") name it in sentences. */
bool cfg_load_object(const struct cfg_bind *b, size_t nb, const json_t *obj, const char *file, const char *prefix,
                     const char *const *skip, struct sb *why) __attribute__((warn_unused_result));

/* Apply the environment: each option is looked up as prefix + its key in upper
 * case with dots as underscores; with `leaf`, as prefix + its leaf instead. An empty variable counts as unset. */
bool cfg_load_env(const struct cfg_bind *b, size_t nb, const char *prefix, bool leaf, struct sb *why)
    __attribute__((warn_unused_result));
/* Write that name. */
void cfg_env_name(const struct cfg_option *o, const char *prefix, bool leaf, struct sb *out);

/* "a whole number from 1 to 65535" */
void cfg_allowed(const struct cfg_option *o, struct sb *out);
/* The value held now, as JSON; a secret as null. */
void cfg_value_json(const struct cfg_option *o, const void *base, struct sb *out);
/* The value as plain text; nothing for what is not set and for a secret. */
void cfg_value_text(const struct cfg_option *o, const void *base, struct sb *out);

/* Of two structs of one table: is this option the same in both? Secrets are compared too. */
bool cfg_equal(const struct cfg_option *o, const void *a, const void *b);
/* Give `to` what `from` has, as a copy of its own; what was there is freed. */
void cfg_copy(const struct cfg_option *o, void *to, const void *from);

/* A variable of the environment, also one that cfg_env_hide() took out of it; NULL if there is none. Borrowed. */
const char *cfg_env(const char *name);
/* Take a variable out of the process's environment, where children and /proc would show it; later loads still find it.
 * Main only, before the first thread. */
void cfg_env_hide(const char *name);

/* Number of single-letter edits (a swap of neighbours counts one) from a to b, at most 63 letters each. */
int cfg_distance(const char *a, const char *b);

#endif
