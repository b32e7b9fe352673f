/* field.c - a table of members against a JSON object. */
#include "web/field.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {
    [FIELD_TEXT] = "a text",      [FIELD_INT] = "a whole number", [FIELD_NUMBER] = "a number", [FIELD_BOOL] = "true or false",
    [FIELD_OBJECT] = "an object", [FIELD_LIST] = "a list",        [FIELD_ANY] = "a value",
};

static bool type_fits(enum field_type t, const json_t *v)
{
    switch (t) {
    case FIELD_TEXT: return json_is_string(v);
    case FIELD_INT: return json_is_integer(v);
    case FIELD_NUMBER: return json_is_number(v);
    case FIELD_BOOL: return json_is_boolean(v);
    case FIELD_OBJECT: return json_is_object(v);
    case FIELD_LIST: return json_is_array(v);
    case FIELD_ANY: return true;
    }
    return false;
}

static bool in_range(const struct field *f, const json_t *v)
{
    switch (f->type) {
    case FIELD_TEXT:
        return (int64_t)json_string_length(v) >= f->min && (int64_t)json_string_length(v) <= f->max;
    case FIELD_INT:
        return json_integer_value(v) >= f->min && json_integer_value(v) <= f->max;
    case FIELD_NUMBER:
        return json_number_value(v) * 1000 >= (double)f->min && json_number_value(v) * 1000 <= (double)f->max;
    case FIELD_OBJECT:
        return (int64_t)json_object_size(v) <= f->max;
    case FIELD_LIST:
        return (int64_t)json_array_size(v) >= f->min && (int64_t)json_array_size(v) <= f->max;
    case FIELD_BOOL: case FIELD_ANY:
        return true;
    }
    return false;
}

static void say_range(const struct field *f, char why[FIELD_WHY])
{
    switch (f->type) {
    case FIELD_TEXT:
        (void)snprintf(why, FIELD_WHY, "'%s' must have %" PRId64 " to %" PRId64 " bytes.", f->name, f->min, f->max);
        break;
    case FIELD_INT:
        (void)snprintf(why, FIELD_WHY, "'%s' must be a whole number from %" PRId64 " to %" PRId64 ".", f->name, f->min, f->max);
        break;
    case FIELD_NUMBER:
        (void)snprintf(why, FIELD_WHY, "'%s' must be a number from %.15g to %.15g.", f->name, (double)f->min / 1000,
                       (double)f->max / 1000);
        break;
    case FIELD_OBJECT: case FIELD_LIST: case FIELD_BOOL: case FIELD_ANY:
        (void)snprintf(why, FIELD_WHY, "'%s' may have %" PRId64 " to %" PRId64 " entries.", f->name, f->min, f->max);
        break;
    }
}

static void store(const struct field *f, const json_t *v, void *into)
{
    void *at = (char *)into + f->at;

    switch (f->type) {
    case FIELD_TEXT: *(const char **)at = json_string_value(v); break;
    case FIELD_INT: *(int64_t *)at = json_integer_value(v); break;
    case FIELD_BOOL: *(int *)at = json_is_true(v); break;
    case FIELD_NUMBER: case FIELD_OBJECT: case FIELD_LIST: case FIELD_ANY: *(const json_t **)at = v; break;
    }
}

static enum weir_err fail(enum weir_err e, const char *prefix, const char *name, struct field_fault *fault)
{
    (void)snprintf(fault->param, sizeof fault->param, "%s%.60s", prefix, name);
    return e;
}

static const struct field *find(const struct field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    }
    return NULL;
}

enum weir_err field_read(const json_t *obj, const struct field *fields, size_t n, const char *prefix, void *into,
                         struct field_fault *fault)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)obj, key, v) {
        if (!find(fields, n, key)) {
            (void)snprintf(fault->why, sizeof fault->why, "The field '%.60s' is not known here.", key);
            return fail(WEIR_E_UNKNOWN_FIELD, prefix, key, fault);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const struct field *f = &fields[i];

        v = json_object_get(obj, f->name);
        if (!v || json_is_null(v)) {
            if (!f->required)
                continue;
            (void)snprintf(fault->why, sizeof fault->why, "The field '%s' is missing.", f->name);
            return fail(WEIR_E_MISSING_FIELD, prefix, f->name, fault);
        }
        if (!type_fits(f->type, v)) {
            (void)snprintf(fault->why, sizeof fault->why, "'%s' must be %s.", f->name, type_names[f->type]);
            return fail(WEIR_E_INVALID_FIELD, prefix, f->name, fault);
        }
        if (!in_range(f, v)) {
            say_range(f, fault->why);
            return fail(WEIR_E_OUT_OF_RANGE, prefix, f->name, fault);
        }
        store(f, v, into);
    }
    return WEIR_OK;
}

int64_t field_pico(const json_t *usd)
{
    return llroundl((long double)json_number_value(usd) * 1e12L);
}
