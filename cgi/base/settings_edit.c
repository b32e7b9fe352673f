/* settings_edit.c - a key's place in weir.json, and the file written anew. */
#include "base/settings_edit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/settings_options.h"

enum { FILE_MAX = 1 << 20, PATH_LEN = 8192 };

static const char upstreams[] = "upstreams.", new_file[] = "weir.json";

/* --- keys --- */

/* What follows "upstreams.NAME." in a key; NULL if it does not begin so. */
static const char *after_upstream(const char *key, const char *name)
{
    size_t n = strlen(name);

    if (strncmp(key, upstreams, sizeof upstreams - 1) != 0 || strncmp(key + sizeof upstreams - 1, name, n) != 0)
        return NULL;
    key += sizeof upstreams - 1 + n;
    return *key == '.' ? key + 1 : NULL;
}

static const struct cfg_option *find_in(const struct cfg_bind *b, size_t n, const char *key, void **base)
{
    for (size_t i = 0; i < n; i++) {
        const struct cfg_option *o = cfg_find(&b[i], key);

        if (o) {
            *base = b[i].base;
            return o;
        }
    }
    return NULL;
}

const struct cfg_option *settings_find(const struct settings *s, const char *key, void **base)
{
    struct settings *own = (struct settings *)(uintptr_t)s;
    const struct cfg_bind top[] = {settings_bind_global(own), settings_bind_tuning(&own->defaults)};

    for (size_t i = 0; i < s->n_upstreams; i++) {
        struct upstream_settings *u = &own->upstreams[i];
        const struct cfg_bind b[] = {settings_bind_upstream(u), settings_bind_tuning(&u->tune)};
        const char *rest = after_upstream(key, u->name);
        const struct cfg_option *o = rest ? find_in(b, 2, rest, base) : NULL;

        if (o)
            return strcmp(o->key, "name") == 0 ? NULL : o;
    }
    return find_in(top, 2, key, base);
}

/* --- the environment --- */

static bool named(const struct cfg_option *o, const char *prefix, bool leaf, const char *variable)
{
    struct sb name = sb_make(300);
    bool same;

    cfg_env_name(o, prefix, leaf, &name);
    same = strcmp(sb_str(&name), variable) == 0;
    sb_done(&name);
    return same;
}

/* The option of the tables that this variable sets under this prefix. */
static const struct cfg_option *option_named(const struct cfg_bind *b, const char *prefix, bool leaf, const char *variable)
{
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < b[t].n; i++)
            if (named(&b[t].options[i], prefix, leaf, variable))
                return &b[t].options[i];
    return NULL;
}

static const char *known_prefix(const char *upstream)
{
    for (size_t i = 0; i < n_known_upstreams; i++)
        if (strcmp(known_upstreams[i].name, upstream) == 0)
            return known_upstreams[i].prefix;
    return NULL;
}

bool settings_env_key(const struct settings *s, const char *variable, struct sb *key)
{
    const struct cfg_bind top[] = {settings_bind_global(NULL), settings_bind_tuning(NULL)};
    const struct cfg_bind up[] = {settings_bind_upstream(NULL), settings_bind_tuning(NULL)};
    const struct cfg_option *o = option_named(top, "WEIR_", false, variable);

    if (o)
        sb_puts(key, o->key);
    for (size_t i = 0; !o && i < s->n_upstreams; i++) {
        const char *name = s->upstreams[i].name, *known = known_prefix(name);
        struct sb prefix = sb_make(300);

        settings_env_prefix(&prefix, name);
        o = option_named(up, sb_str(&prefix), true, variable);
        if (!o && known)
            o = option_named(up, known, true, variable);
        if (o)
            sb_putf(key, "%s%s.%s", upstreams, name, o->key);
        sb_done(&prefix);
    }
    return o != NULL;
}

static bool is_set(const struct cfg_option *o, const char *prefix, bool leaf, struct sb *name)
{
    const char *value;

    sb_reset(name);
    cfg_env_name(o, prefix, leaf, name);
    value = cfg_env(sb_str(name));
    return value && *value;
}

/* The variable that decides this key; false if none does. */
static bool variable_of(const struct settings *s, const char *key, struct sb *name)
{
    void *base;
    const struct cfg_option *o = settings_find(s, key, &base);

    if (!o)
        return false;
    for (size_t i = 0; i < s->n_upstreams; i++) {
        const char *known = known_prefix(s->upstreams[i].name);
        struct sb prefix = sb_make(300);
        bool found = false;

        if (after_upstream(key, s->upstreams[i].name)) {
            settings_env_prefix(&prefix, s->upstreams[i].name);
            found = is_set(o, sb_str(&prefix), true, name) || (known && is_set(o, known, true, name));
        }
        sb_done(&prefix);
        if (found)
            return true;
    }
    return is_set(o, "WEIR_", false, name);
}

/* --- the file's JSON --- */

/* The member a key names, whether its sections are objects or written with dots; *in is the object it stands in. */
static json_t *member(json_t *obj, const char *key, json_t **in, const char **name)
{
    json_t *found = json_object_get(obj, key);

    *in = obj;
    *name = key;
    for (const char *dot = strchr(key, '.'); !found && dot; dot = strchr(dot + 1, '.')) {
        struct sb section = sb_make(300);
        json_t *inner;

        sb_put(&section, key, (size_t)(dot - key));
        inner = json_object_get(obj, sb_str(&section));
        if (json_is_object(inner))
            found = member(inner, dot + 1, in, name);
        sb_done(&section);
    }
    return found;
}

/* Where it stands already, under its name or an alias, it is replaced; else its section is found or made. */
static void put(json_t *obj, const struct cfg_option *o, json_t *value)
{
    const char *name, *dot;
    json_t *in;

    if (member(obj, o->key, &in, &name)) {
        json_object_set_new(in, name, value);
        return;
    }
    for (const char *p = o->aliases; p && *p;) {
        struct sb alias = sb_make(300);
        size_t n = strcspn(p, " ");
        bool found;

        sb_put(&alias, p, n);
        p += n + strspn(p + n, " ");
        found = member(obj, sb_str(&alias), &in, &name) != NULL;
        if (found)
            json_object_set_new(in, name, value);
        sb_done(&alias);
        if (found)
            return;
    }
    dot = strchr(o->key, '.');
    if (dot) {                             /* no key has two */
        struct sb section = sb_make(300);

        sb_put(&section, o->key, (size_t)(dot - o->key));
        if (!json_is_object(json_object_get(obj, sb_str(&section))))
            json_object_set_new(obj, sb_str(&section), json_object());
        json_object_set_new(json_object_get(obj, sb_str(&section)), dot + 1, value);
        sb_done(&section);
    } else
        json_object_set_new(obj, o->key, value);
}

/* As one would write it: numbers as numbers. */
static json_t *value_json(const struct cfg_option *o, const char *text)
{
    char *end;
    long long whole = strtoll(text, &end, 10);
    double real;

    switch (o->type) {
    case CFG_INT:
    case CFG_SECONDS:
    case CFG_MINUTES:
    case CFG_RATIO:
        if (*text && !*end)
            return json_integer(whole);
        real = strtod(text, &end);
        return *text && !*end ? json_real(real) : json_string(text);
    case CFG_BOOL:
        return strcmp(text, "true") == 0 ? json_true() : strcmp(text, "false") == 0 ? json_false() : json_string(text);
    case CFG_TEXT:
    case CFG_SECRET:
    case CFG_CHOICE:
    case CFG_USD:
    case CFG_LIST:
    case CFG_MAP: break;
    }
    return json_string(text);
}

/* The entry of the upstream a key names; one the environment makes gets an entry. NULL: there is no such upstream. */
static json_t *entry_of(json_t *root, const struct settings *s, const char *key)
{
    json_t *list = json_object_get(root, "upstreams"), *entry;
    size_t i;

    for (size_t u = 0; u < s->n_upstreams; u++) {
        const char *name = s->upstreams[u].name;

        if (!after_upstream(key, name))
            continue;
        json_array_foreach(list, i, entry) {
            const char *has = json_string_value(json_object_get(entry, "name"));

            if (has && strcmp(has, name) == 0)
                return entry;
        }
        if (!json_is_array(list)) {
            list = json_array();
            json_object_set_new(root, "upstreams", list);
        }
        entry = json_pack("{s:s}", "name", name);
        json_array_append_new(list, entry);
        return entry;
    }
    return NULL;
}

static bool edit(json_t *root, const struct settings *s, const struct settings_edit *c, struct sb *why)
{
    bool of_upstream = strncmp(c->key, upstreams, sizeof upstreams - 1) == 0;
    void *base;
    const struct cfg_option *o = settings_find(s, c->key, &base);
    json_t *in = o && of_upstream ? entry_of(root, s, c->key) : root;

    if (!o || !in) {
        sb_putf(why, "%s is not a setting that can be changed; `weir config show` lists them.", c->key);
        return false;
    }
    put(in, o, value_json(o, c->value));
    return true;
}

/* --- tried --- */

/* Is the value in force what was wanted? */
static bool in_force(const struct settings *s, const struct settings_edit *c, struct sb *why)
{
    enum { SCRATCH = sizeof(struct settings) + sizeof(struct upstream_settings) };
    struct sb wanted = sb_make(PATH_LEN), is = sb_make(PATH_LEN), name = sb_make(300);
    void *base = NULL, *scratch = mem_zalloc(1, SCRATCH);
    const struct cfg_option *o = settings_find(s, c->key, &base);
    const struct cfg_bind one = {o, 1, scratch};
    bool ok = o && cfg_set(o, scratch, c->value, c->key, why);

    if (ok) {
        cfg_value_text(o, scratch, &wanted);
        cfg_value_text(o, base, &is);
        ok = strcmp(sb_str(&wanted), sb_str(&is)) == 0;
        if (!ok && variable_of(s, c->key, &name))
            sb_putf(why, "%s comes from the environment (%s), which wins over the file; change it there.", c->key, sb_str(&name));
        else if (!ok)
            sb_putf(why, "%s stays %s: something more specific decides it.", c->key, sb_str(&is));
        cfg_free(&one);
    }
    free(scratch);
    sb_done(&wanted);
    sb_done(&is);
    sb_done(&name);
    return ok;
}

/* The file's JSON with the changes in it, and in *s the settings it makes. NULL with a sentence. */
static json_t *changed(const char *path, const struct settings_edit *c, size_t n, struct settings **s, struct sb *why)
{
    json_t *root = path ? settings_read(path, why) : json_object();
    struct settings *before = root ? settings_make(path, root, why) : NULL;
    bool ok = before != NULL;

    *s = NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = edit(root, before, &c[i], why);
    ok = ok && (*s = settings_make(path ? path : new_file, root, why)) != NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = in_force(*s, &c[i], why);
    settings_free(before);
    if (ok)
        return root;
    settings_free(*s);
    *s = NULL;
    json_decref(root);
    return NULL;
}

struct settings *settings_load_with(const char *path, const struct settings_edit *c, size_t n, struct sb *why)
{
    struct settings *s;

    json_decref(changed(settings_path(path), c, n, &s, why));
    return s;
}

/* --- written --- */

/* What stands in the file now is kept beside it. */
static bool keep(const char *path, mode_t mode, struct sb *why)
{
    struct sb text = sb_make(FILE_MAX), beside = sb_make(PATH_LEN);
    bool ok = file_read(path, &text, why);

    sb_putf(&beside, "%s.before-tune", path);
    ok = ok && file_replace(sb_str(&beside), mode, sb_str(&text), text.len, why);
    if (text.len)
        explicit_bzero(text.p, text.len);
    sb_done(&text);
    sb_done(&beside);
    return ok;
}

bool settings_write(const char *path, const struct settings_edit *c, size_t n, struct sb *why)
{
    const char *from = settings_path(path);
    char *file = from ? realpath(from, NULL) : mem_strdup(new_file);       /* a link stays one */
    struct stat st = {.st_mode = 0600};
    struct settings *s = NULL;
    json_t *root = changed(from, c, n, &s, why);
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    struct sb whole = sb_make(FILE_MAX);
    bool ok = text && file && (!from || stat(file, &st) == 0);

    if (root && !ok)
        sb_putf(why, "%s cannot be read: %s.", from ? from : new_file, strerror(errno));
    sb_puts(&whole, text);
    sb_putc(&whole, '\n');
    ok = ok && (!from || keep(file, st.st_mode & 0777, why)) && file_replace(file, st.st_mode & 0777, sb_str(&whole), whole.len, why);
    if (text)
        explicit_bzero(text, strlen(text));
    explicit_bzero(whole.p, whole.len);
    sb_done(&whole);
    free(text);
    free(file);
    json_decref(root);
    settings_free(s);
    return ok;
}
