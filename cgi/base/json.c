/* json.c - a linear look ahead for depth and size, then jansson with duplicate
 * keys refused; its messages turned into ours. */
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const struct json_limits json_limits_own = {32, 10000};
const struct json_limits json_limits_rows = {32, 40000};
const struct json_limits json_limits_compat = {64, 200000};

static void *json_alloc(size_t n)
{
    return mem_grow(NULL, n ? n : 1, 1);
}

void json_set_up(void)
{
    json_set_alloc_funcs(json_alloc, free);
    json_object_seed(0);
}

/* Depth and number of values, without recursion; strings are skipped. */
static enum weir_err json_prescan(const char *s, size_t n, const struct json_limits *lim)
{
    int depth = 0, values = 0;
    bool in_string = false;

    for (size_t i = 0; i < n; i++) {
        char c = s[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[') {
            if (++depth > lim->max_depth)
                return WEIR_E_JSON_TOO_DEEP;
        } else if (c == '}' || c == ']')
            depth--;
        else if (c == ',' || c == ':') {
            if (++values > lim->max_values)
                return WEIR_E_TOO_MANY_ITEMS;
        }
    }
    return WEIR_OK;
}

enum weir_err json_parse_object(const char *text, size_t n, const struct json_limits *lim, json_t **out,
                                char why[160])
{
    json_error_t je;
    enum weir_err e = json_prescan(text, n, lim);

    *out = NULL;
    if (e) {
        (void)snprintf(why, 160, "%s", err_text(e));
        return e;
    }
    *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!*out) {
        switch (json_error_code(&je)) {
        case json_error_duplicate_key: e = WEIR_E_DUPLICATE_KEY; break;
        case json_error_invalid_utf8: e = WEIR_E_INVALID_UTF8; break;
        case json_error_stack_overflow: e = WEIR_E_JSON_TOO_DEEP; break;
        default: e = WEIR_E_INVALID_JSON; break;
        }
        if (n == 0)
            (void)snprintf(why, 160, "The body is empty; send a JSON object.");
        else
            (void)snprintf(why, 160, "%.60s (line %d, column %d: %.50s)", err_text(e), je.line, je.column, je.text);
        return e;
    }
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        (void)snprintf(why, 160, "The body must be a JSON object.");
        return WEIR_E_INVALID_JSON;
    }
    return WEIR_OK;
}

const char *json_str(const json_t *obj, const char *key, const char *fallback)
{
    const char *s = json_string_value(json_object_get(obj, key));

    return s ? s : fallback;
}

int64_t json_int(const json_t *obj, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(obj, key);

    return json_is_integer(v) ? json_integer_value(v) : fallback;
}
