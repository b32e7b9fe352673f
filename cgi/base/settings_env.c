/* settings_env.c - names of environment variables: whose they are, and which look like a typing mistake. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings_options.h"

extern char **environ;

static const char upstream_start[] = "WEIR_UPSTREAM_";

void settings_env_prefix(struct sb *out, const char *name)
{
    sb_puts(out, upstream_start);
    for (; *name; name++)
        sb_putc(out, *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A')
                     : *name >= '0' && *name <= '9' ? *name : '_');
    sb_putc(out, '_');
}

bool settings_env_has(const char *prefix, const char *const *leaves)
{
    bool found = false;

    for (; !found && *leaves; leaves++) {
        char name[200];
        const char *value;

        (void)snprintf(name, sizeof name, "%s%s", prefix, *leaves);
        value = cfg_env(name);
        found = value && *value;
    }
    return found;
}

/* The nearest of the variables that two tables and a prefix make. */
struct nearest {
    int distance;            /* only nearer ones count */
    struct sb name;
};

static void compare(struct nearest *n, const char *seen, const struct cfg_bind *b, const char *prefix, bool leaf)
{
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < b[t].n; i++) {
            struct sb name = sb_make(300);
            int d;

            cfg_env_name(&b[t].options[i], prefix, leaf, &name);
            d = cfg_distance(seen, sb_str(&name));
            if (d < n->distance) {
                n->distance = d;
                sb_reset(&n->name);
                sb_puts(&n->name, sb_str(&name));
            }
            sb_done(&name);
        }
}

/* The variables of one upstream, if `seen` begins as they do. */
static void compare_upstream(struct nearest *n, const char *seen, const char *upstream)
{
    const struct cfg_bind b[] = {settings_bind_upstream(NULL), settings_bind_tuning(NULL)};
    struct sb prefix = sb_make(300);

    settings_env_prefix(&prefix, upstream);
    if (strncmp(seen, sb_str(&prefix), prefix.len) == 0)
        compare(n, seen, b, sb_str(&prefix), true);
    sb_done(&prefix);
}

/* One variable that begins with WEIR_. Foreign ones pass, unless a setting's name is two letters away or less;
 * what begins as an upstream's must be one. */
static bool check_one(const char *seen, const json_t *entries, struct sb *why)
{
    const struct cfg_bind top[] = {settings_bind_global(NULL), settings_bind_tuning(NULL)};
    bool upstreams = strncmp(seen, upstream_start, strlen(upstream_start)) == 0, ok;
    struct nearest n = {.distance = upstreams ? (int)strlen(seen) : 3, .name = sb_make(300)};
    const json_t *entry;
    size_t i;

    if (upstreams) {
        for (i = 0; i < n_known_upstreams; i++)
            compare_upstream(&n, seen, known_upstreams[i].name);
        json_array_foreach(entries, i, entry)
        {
            const char *name = json_string_value(json_object_get(entry, "name"));

            if (name)
                compare_upstream(&n, seen, name);
        }
    } else
        compare(&n, seen, top, "WEIR_", false);
    ok = strcmp(seen, sb_str(&n.name)) == 0 || (!upstreams && n.name.len == 0);
    if (!ok && n.name.len)
        sb_putf(why, "%s (environment) is not a setting; did you mean %s?", seen, sb_str(&n.name));
    else if (!ok)
        sb_putf(why, "%s (environment) is not a setting: there is no such upstream.", seen);
    sb_done(&n.name);
    return ok;
}

bool settings_env_check(const json_t *entries, struct sb *why)
{
    bool ok = true;

    for (char **e = environ; ok && e && *e; e++) {
        struct sb seen = sb_make(300);

        sb_put(&seen, *e, strcspn(*e, "="));
        if (strncmp(*e, "WEIR_", 5) == 0 && sb_ok(&seen))
            ok = check_one(sb_str(&seen), entries, why);
        sb_done(&seen);
    }
    return ok;
}
