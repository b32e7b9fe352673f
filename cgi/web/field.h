/* field.h - a JSON object's members read by a table: name, type, range and where
 * the value goes. What the table does not name is refused, so that a typing
 * mistake does not pass silently. Pure. */
#ifndef WEIR_FIELD_H
#define WEIR_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The comment is the C type at the field's offset; it keeps its value when the member is absent or null. */
enum field_type {
    FIELD_TEXT,      /* const char *, borrowed from the object; min and max in bytes */
    FIELD_INT,       /* int64_t */
    FIELD_NUMBER,    /* const json_t *, borrowed; min and max in thousandths */
    FIELD_BOOL,      /* int: 0 or 1, so that -1 can stand for absent */
    FIELD_OBJECT,    /* const json_t *, borrowed; max members */
    FIELD_LIST,      /* const json_t *, borrowed; max items */
    FIELD_ANY,       /* const json_t *, borrowed */
};

struct field {
    const char *name;
    enum field_type type;
    size_t at;               /* offsetof the member it sets */
    int64_t min, max;
    bool required;
};

enum { FIELD_WHY = 256, FIELD_PARAM = 96 };
struct field_fault {
    char param[FIELD_PARAM];     /* the member at fault, with `prefix` before it */
    char why[FIELD_WHY];         /* a sentence */
};

/* Read `obj` into the struct at `into`. `prefix` ("" or "messages[2].") stands before names in `fault`. OK, or
 * E_UNKNOWN_FIELD, E_MISSING_FIELD, E_INVALID_FIELD (type), E_OUT_OF_RANGE, with `fault` filled; what came before the
 * fault may be set. */
enum weir_err field_read(const json_t *obj, const struct field *fields, size_t n, const char *prefix, void *into,
                         struct field_fault *fault) __attribute__((warn_unused_result));

/* Dollars to picodollars, as exact as a double is: to the last of twelve decimals up to some thousand dollars. */
int64_t field_pico(const json_t *usd);

#endif
