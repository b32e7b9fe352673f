/* json.h - jansson, held to Weir's limits for text that came from outside.
 *
 * Thread-safe. Not for the engine's per-chunk path. */
#ifndef WEIR_JSON_H
#define WEIR_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct json_limits {
    int max_depth;        /* nesting levels */
    int max_values;       /* commas and colons outside strings, a bound on values */
};
extern const struct json_limits json_limits_own;      /* 32 levels, 10,000 values: Weir's own paths */
extern const struct json_limits json_limits_rows;     /* 32 levels, 40,000 values: those of them that take a thousand rows */
extern const struct json_limits json_limits_compat;   /* 64 levels, 200,000 values: /v1 and providers */

/* Main, before the first thread. From here on jansson ends the process where it gets no memory: by itself its scanner would go
 * on with text that it could not keep. */
void json_set_up(void);

/* Parse one JSON object. On success *out is a new reference. On failure *out is
 * NULL and `why` (at least 160 bytes) holds a sentence with line and column.
 * Results: OK, E_INVALID_JSON (also: root is no object), E_DUPLICATE_KEY,
 * E_JSON_TOO_DEEP, E_TOO_MANY_ITEMS, E_INVALID_UTF8. */
enum weir_err json_parse_object(const char *text, size_t n, const struct json_limits *lim, json_t **out,
                                char why[160]) __attribute__((warn_unused_result));

/* Borrowed string / integer of a member, or the fallback when it is absent, null or of another type. */
const char *json_str(const json_t *obj, const char *key, const char *fallback);
int64_t json_int(const json_t *obj, const char *key, int64_t fallback);

#endif
