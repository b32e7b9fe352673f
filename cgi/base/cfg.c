/* cfg.c - walks a JSON object or the environment along the tables.
 *
 * One value is cfg_value.c's; this file finds the option it belongs to and
 * says what is unknown. */
#include "base/cfg.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { KEY_MAX = 200, NAME_MAX_EDITS = 63, HIDDEN_MAX = 128 };

static struct {
    char *name[HIDDEN_MAX], *value[HIDDEN_MAX];
    size_t n;
} hidden;                    /* written before the first thread, read only after */

const char *cfg_env(const char *name)
{
    for (size_t i = 0; i < hidden.n; i++)
        if (strcmp(hidden.name[i], name) == 0)
            return hidden.value[i];
    return getenv(name);
}

void cfg_env_hide(const char *name)
{
    char *value = getenv(name);

    if (!value || hidden.n == HIDDEN_MAX)
        return;
    hidden.name[hidden.n] = mem_strdup(name);
    hidden.value[hidden.n++] = mem_strdup(value);
    explicit_bzero(value, strlen(value));
    (void)unsetenv(name);
}

/* Is `key` one of the blank-separated words of `list`? */
static bool word_in(const char *list, const char *key)
{
    size_t n = strlen(key);

    for (const char *p = list; p && *p;) {
        size_t len = strcspn(p, " ");

        if (len == n && memcmp(p, key, n) == 0)
            return true;
        p += len + strspn(p + len, " ");
    }
    return false;
}

const struct cfg_option *cfg_find(const struct cfg_bind *b, const char *key)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->options[i].key, key) == 0 || word_in(b->options[i].aliases, key))
            return &b->options[i];
    return NULL;
}

static bool begins_section(const char *word, size_t len, const char *section, size_t n)
{
    return len > n && memcmp(word, section, n) == 0 && word[n] == '.';
}

/* Does any key or alias lie under "section."? */
static bool is_section(const struct cfg_bind *b, const char *section)
{
    size_t n = strlen(section);

    for (size_t i = 0; i < b->n; i++) {
        if (begins_section(b->options[i].key, strlen(b->options[i].key), section, n))
            return true;
        for (const char *p = b->options[i].aliases; p && *p;) {
            size_t len = strcspn(p, " ");

            if (begins_section(p, len, section, n))
                return true;
            p += len + strspn(p + len, " ");
        }
    }
    return false;
}

int cfg_distance(const char *a, const char *b)
{
    size_t na = strnlen(a, NAME_MAX_EDITS), nb = strnlen(b, NAME_MAX_EDITS);
    int row[3][NAME_MAX_EDITS + 1];
    int *before = row[0], *above = row[1], *now = row[2];

    for (size_t j = 0; j <= nb; j++)
        above[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int same = above[j - 1] + (a[i - 1] != b[j - 1]);
            int best = above[j] < now[j - 1] ? above[j] + 1 : now[j - 1] + 1;

            if (same < best)
                best = same;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        int *free_row = before;
        before = above;
        above = now;
        now = free_row;
    }
    return above[nb];
}

/* Say that `key` is unknown and name the nearest one, if it is near. */
static void refuse_unknown(const struct cfg_bind *b, size_t nb, const char *const *skip, const char *file,
                           const char *prefix, const char *key, struct sb *why)
{
    const char *nearest = NULL;
    int best = (int)strlen(key) / 3 + 2;

    for (size_t t = 0; t < nb; t++)
        for (size_t i = 0; i < b[t].n; i++) {
            int d = cfg_distance(key, b[t].options[i].key);

            if (d < best) {
                best = d;
                nearest = b[t].options[i].key;
            }
        }
    for (; skip && *skip; skip++)
        if (cfg_distance(key, *skip) < best) {
            best = cfg_distance(key, *skip);
            nearest = *skip;
        }
    sb_putf(why, "%s: %s%s is not a setting", file, prefix, key);
    if (nearest)
        sb_putf(why, "; did you mean %s%s?", prefix, nearest);
    else
        sb_puts(why, "; docs/settings.md lists what there is.");
}

/* Text of a JSON scalar of the type the option wants, a list as a,b,c. False: another type. */
static bool json_to_text(const struct cfg_option *o, const json_t *v, struct sb *out)
{
    const json_t *item;
    const char *name;
    json_t *member;
    size_t i;

    switch (o->type) {
    case CFG_BOOL:
        sb_puts(out, json_is_true(v) ? "true" : "false");
        return json_is_boolean(v);
    case CFG_INT:
        sb_putf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        return json_is_integer(v);
    case CFG_SECONDS:
    case CFG_MINUTES:
    case CFG_RATIO:
        if (json_is_string(v) && o->type != CFG_RATIO)
            sb_puts(out, json_string_value(v));
        else
            sb_putf(out, "%.15g", json_number_value(v));
        return json_is_number(v) || (json_is_string(v) && o->type != CFG_RATIO);
    case CFG_USD:                    /* without an exponent: an amount so small has all its digits after the point */
        sb_putf(out, json_number_value(v) < 1e-3 ? "%.12f" : "%.15g", json_number_value(v));
        return json_is_number(v);
    case CFG_TEXT:
    case CFG_SECRET:
    case CFG_CHOICE:
        sb_puts(out, json_string_value(v));
        return json_is_string(v);
    case CFG_LIST:
        json_array_foreach(v, i, item)
        {
            if (!json_is_string(item) || strpbrk(json_string_value(item), o->key ? "," : ",;="))
                return false;
            sb_puts(out, i ? "," : "");
            sb_puts(out, json_string_value(item));
        }
        return json_is_array(v) && json_array_size(v) > 0;
    case CFG_MAP:
        json_object_foreach((json_t *)(uintptr_t)v, name, member)
        {
            static const struct cfg_option list = {.type = CFG_LIST};

            if (strpbrk(name, "=;"))
                return false;
            sb_putf(out, "%s%s=", out->len ? ";" : "", name);
            if (!json_to_text(&list, member, out))
                return false;
        }
        return json_is_object(v) && json_object_size(v) > 0;
    }
    return false;
}

static bool load_value(const struct cfg_option *o, void *base, const json_t *v, const char *source, struct sb *why)
{
    struct sb text = sb_make(1 << 16);
    bool ok;

    if (json_to_text(o, v, &text) && sb_ok(&text)) {
        ok = cfg_set(o, base, sb_str(&text), source, why);
    } else {
        char *shown = o->type == CFG_SECRET ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

        sb_putf(why, "%s is %.200s, but it must be ", source, shown ? shown : "not a text");
        cfg_allowed(o, why);
        sb_putc(why, '.');
        free(shown);
        ok = false;
    }
    if (o->type == CFG_SECRET && text.p)
        explicit_bzero(text.p, text.len);
    sb_done(&text);
    return ok;
}

/* One level of the object; `section` is "" or "queue.". */
static bool load_level(const struct cfg_bind *b, size_t nb, const json_t *obj, const char *file, const char *prefix,
                       const char *section, const char *const *skip, struct sb *why)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)obj, name, value)
    {
        struct sb key = sb_make(KEY_MAX), source = sb_make(2 * KEY_MAX + 4096);
        const struct cfg_option *o = NULL;
        bool ok = true, known = false, is_object = json_is_object(value);
        size_t t = 0;

        sb_putf(&key, "%s%s", section, name);
        for (const char *const *s = skip; s && *s; s++)
            known = known || strcmp(*s, sb_str(&key)) == 0;
        for (; !known && !o && t < nb; t++)
            o = cfg_find(&b[t], sb_str(&key));
        if (o && !json_is_null(value)) {
            sb_putf(&source, "%s: %s%s", file, prefix, sb_str(&key));
            ok = load_value(o, b[t - 1].base, value, sb_str(&source), why);
        } else if (!o && !known) {
            for (t = 0; t < nb && !known; t++)
                known = is_section(&b[t], sb_str(&key));
            if (known && is_object) {
                sb_putc(&key, '.');
                ok = load_level(b, nb, value, file, prefix, sb_str(&key), skip, why);
            } else if (known && !json_is_null(value)) {
                sb_putf(why, "%s: %s%s must be an object, as in {\"%s\": {…}}.", file, prefix, sb_str(&key), name);
                ok = false;
            } else if (!known) {
                refuse_unknown(b, nb, skip, file, prefix, sb_str(&key), why);
                ok = false;
            }
        }
        sb_done(&key);
        sb_done(&source);
        if (!ok)
            return false;
    }
    return true;
}

bool cfg_load_object(const struct cfg_bind *b, size_t nb, const json_t *obj, const char *file, const char *prefix,
                     const char *const *skip, struct sb *why)
{
    return load_level(b, nb, obj, file, prefix, "", skip, why);
}

void cfg_env_name(const struct cfg_option *o, const char *prefix, bool leaf, struct sb *out)
{
    const char *key = o->key;

    if (leaf && o->leaf)
        key = o->leaf;
    else if (leaf && strchr(key, '.'))
        key = strrchr(key, '.') + 1;
    sb_puts(out, prefix);
    for (; *key; key++)
        sb_putc(out, *key == '.' ? '_' : (char)toupper((unsigned char)*key));
}

bool cfg_load_env(const struct cfg_bind *b, size_t nb, const char *prefix, bool leaf, struct sb *why)
{
    bool ok = true;

    for (size_t t = 0; ok && t < nb; t++)
        for (size_t i = 0; ok && i < b[t].n; i++) {
            struct sb name = sb_make(KEY_MAX);
            const char *text;

            cfg_env_name(&b[t].options[i], prefix, leaf, &name);
            text = cfg_env(sb_str(&name));
            sb_puts(&name, " (environment)");
            if (!sb_ok(&name)) {
                sb_puts(why, "There is no memory to read the environment.");
                ok = false;
            } else if (text && *text)
                ok = cfg_set(&b[t].options[i], b[t].base, text, sb_str(&name), why);
            sb_done(&name);
        }
    return ok;
}

void cfg_value_json(const struct cfg_option *o, const void *base, struct sb *out)
{
    struct sb text = sb_make(1 << 16);
    const struct cfg_list *l = (const void *)((const char *)base + o->at);
    const struct cfg_map *m = (const void *)((const char *)base + o->at);
    const char *s;

    cfg_value_text(o, base, &text);
    s = sb_str(&text);
    switch (o->type) {
    case CFG_BOOL:
    case CFG_INT:
    case CFG_SECONDS:
    case CFG_USD:
    case CFG_RATIO: sb_puts(out, s); break;
    case CFG_MINUTES:
        if (strchr(s, 's'))
            sb_json(out, s);
        else
            sb_puts(out, s);
        break;
    case CFG_TEXT:
    case CFG_SECRET:
    case CFG_CHOICE: sb_json(out, *s ? s : NULL); break;
    case CFG_LIST:
        for (size_t i = 0; i < l->n; i++) {
            sb_puts(out, i ? ", " : "[");
            sb_json(out, l->items[i]);
        }
        sb_puts(out, l->n ? "]" : "null");
        break;
    case CFG_MAP:
        for (size_t i = 0; i < m->n; i++) {
            sb_puts(out, i ? ", " : "{");
            sb_json(out, m->names[i]);
            for (size_t k = 0; k < m->lists[i].n; k++) {
                sb_puts(out, k ? ", " : ": [");
                sb_json(out, m->lists[i].items[k]);
            }
            sb_putc(out, ']');
        }
        sb_puts(out, m->n ? "}" : "null");
        break;
    }
    sb_done(&text);
}
