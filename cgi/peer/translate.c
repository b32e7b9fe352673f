/* translate.c - what both directions share (translate_impl.h). */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "peer/translate_impl.h"

static enum weir_err refuse(struct translation *t, enum weir_err e, const char *at)
{
    (void)snprintf(t->fault->param, sizeof t->fault->param, "%s", at);
    return e;
}

enum weir_err translate_nothing_like(struct translation *t, const char *at)
{
    (void)snprintf(t->fault->why, sizeof t->fault->why,
                   "'%s' cannot be said in %s protocol, which this model is reached by; leave it out, or choose another model.", at, t->there);
    return refuse(t, WEIR_E_INVALID_FIELD, at);
}

enum weir_err translate_must(struct translation *t, const char *at, const char *must)
{
    (void)snprintf(t->fault->why, sizeof t->fault->why, "'%s' must be %s.", at, must);
    return refuse(t, WEIR_E_INVALID_FIELD, at);
}

void translate_path(char out[TRANSLATE_PATH], const char *at, const char *name, int index)
{
    if (index < 0)
        (void)snprintf(out, TRANSLATE_PATH, "%s%s%s", at, *at && *name ? "." : "", name);
    else
        (void)snprintf(out, TRANSLATE_PATH, "%s%s%s[%d]", at, *at && *name ? "." : "", name, index);
}

enum weir_err translate_only_nothing(struct translation *t, const char *at, const json_t *v)
{
    bool nothing = json_is_false(v) || (json_is_number(v) && json_number_value(v) == 0) ||
                   (json_is_array(v) && json_array_size(v) == 0) || (json_is_object(v) && json_object_size(v) == 0);

    return nothing ? WEIR_OK : translate_nothing_like(t, at);
}

enum weir_err translate_same(struct translation *t, const char *at, const json_t *v)
{
    json_object_set_new(t->to, at, json_deep_copy(v));
    return WEIR_OK;
}

const char *translate_string(struct translation *t, const json_t *v, const char *at, const char *name)
{
    const json_t *s = json_object_get(v, name);
    char path[TRANSLATE_PATH];

    if (json_is_string(s))
        return json_string_value(s);
    translate_path(path, at, name, -1);
    (void)translate_must(t, path, "a string");
    return NULL;
}

json_t *translate_object(struct translation *t, const char *name)
{
    json_t *o = json_object_get(t->to, name);

    if (!o) {
        o = json_object();
        json_object_set_new(t->to, name, o);
    }
    return o;
}

enum weir_err translate_texts(struct translation *t, const char *at, const json_t *v, const char *between, struct sb *out)
{
    if (json_is_string(v)) {
        sb_put(out, json_string_value(v), json_string_length(v));
        return WEIR_OK;
    }
    if (!json_is_array(v))
        return translate_must(t, at, "a string or a list of texts");
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *part = json_array_get(v, i);
        const char *type = json_str(part, "type", ""), *text;
        char path[TRANSLATE_PATH];

        translate_path(path, at, "", (int)i);
        if (strcmp(type, "text") != 0)
            return *type ? translate_nothing_like(t, path) : translate_must(t, path, "a part with a type");
        text = translate_string(t, part, path, "text");
        if (!text)
            return WEIR_E_INVALID_FIELD;
        if (i > 0)
            sb_puts(out, between);
        sb_puts(out, text);
    }
    return WEIR_OK;
}

json_t *translate_text(struct sb *text)
{
    json_t *s = text->len ? json_stringn(sb_str(text), text->len) : NULL;

    sb_done(text);
    return s;
}

enum weir_err translate_members(struct translation *t, const struct translate_rule *rules, size_t n)
{
    enum weir_err e = WEIR_OK;
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)t->from, name, v) {
        size_t i = 0;

        if (json_is_null(v))
            continue;
        while (i < n && strcmp(rules[i].name, name) != 0)
            i++;
        if (i == n)
            return translate_nothing_like(t, name);
        if (rules[i].put && (e = rules[i].put(t, name, v)))
            return e;
    }
    return WEIR_OK;
}

enum weir_err translate_known(struct translation *t, const char *at, const json_t *v, const char *const *known, size_t n)
{
    const char *name;
    json_t *member;

    json_object_foreach((json_t *)(uintptr_t)v, name, member) {
        char path[TRANSLATE_PATH];
        size_t i = 0;

        while (i < n && strcmp(known[i], name) != 0)
            i++;
        translate_path(path, at, name, -1);
        if (i == n && !json_is_null(member) && translate_only_nothing(t, path, member))
            return WEIR_E_INVALID_FIELD;
    }
    return WEIR_OK;
}
