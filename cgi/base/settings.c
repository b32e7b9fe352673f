/* settings.c - lays defaults, presets, weir.json and the environment over one another.
 *
 * From the weakest: built-in default, preset at the top, value at the top of the
 * file, its environment variable; then for one upstream the same again: its
 * preset, its entry, its environment variables. What is more specific wins. */
#include "base/settings_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"

/* The environment's two upstreams and the built-in one come on top. */
#define NAMED_MIN_US (INT64_C(35) * 24 * 3600 * 1000000)

enum { FILE_MAX = 1 << 20, KEY_FILE_MAX = 1000, UPSTREAMS_MAX = SETTINGS_UPSTREAMS - 4 };

static const char default_file[] = WEIR_CONFIG_FILE;

static const char *const not_options[] = {"upstreams", "budgets", NULL};

static const struct known_upstream *known_upstream(const char *name)
{
    for (size_t i = 0; i < n_known_upstreams; i++)
        if (strcmp(known_upstreams[i].name, name) == 0)
            return &known_upstreams[i];
    return NULL;
}

static int lines_of(const char *text)
{
    int n = 1;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* The whole file, at most `max` bytes, NUL-terminated; caller frees. A text: with a NUL in it it is none. Permissions go to *mode. */
static char *read_file(const char *path, size_t max, mode_t *mode, struct sb *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = NULL;
    struct stat st;
    ssize_t got = 0;

    if (fd < 0 || fstat(fd, &st) != 0) {
        sb_putf(why, "%s cannot be read: %s.", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || (size_t)st.st_size > max) {
        sb_putf(why, "%s must be a regular file of at most %zu bytes.", path, max);
    } else {
        text = mem_zalloc((size_t)st.st_size + 1, 1);
        for (off_t at = 0; at < st.st_size && (got = read(fd, text + at, (size_t)(st.st_size - at))) > 0;)
            at += got;
        *mode = st.st_mode;
    }
    if (got < 0) {
        sb_putf(why, "%s cannot be read: %s.", path, strerror(errno));
        free(text);
        text = NULL;
    } else if (text && strlen(text) < (size_t)st.st_size) {
        sb_putf(why, "%s is not a text: there is a NUL byte in line %d.", path, lines_of(text));
        explicit_bzero(text, (size_t)st.st_size);
        free(text);
        text = NULL;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

json_t *settings_read(const char *path, struct sb *why)
{
    mode_t mode = 0;
    char *text = read_file(path, FILE_MAX, &mode, why);
    json_error_t je;
    json_t *root = NULL;

    if (text) {
        root = json_loads(text, JSON_REJECT_DUPLICATES, &je);
        if (!root)
            sb_putf(why, "%s is not valid JSON: line %d, column %d: %.*s.", path, je.line, je.column,
                    (int)(strstr(je.text, " near ") ? (size_t)(strstr(je.text, " near ") - je.text) : strlen(je.text)),
                    je.text);                /* what it is near may be a key */
        else if (!json_is_object(root)) {
            sb_putf(why, "%s must hold one JSON object.", path);
            json_decref(root);
            root = NULL;
        }
        explicit_bzero(text, strlen(text));
        free(text);
    }
    return root;
}

/* One layer: the preset it names, then its values, then its environment. */
static bool load_layer(const struct cfg_bind *b, size_t nb, struct tuning_settings *t, const json_t *obj,
                       const char *file, const char *at, const char *const *skip, const char *prefix, bool leaf,
                       struct sb *why)
{
    char *outer = t->preset;
    bool ok;

    t->preset = NULL;
    ok = (!obj || cfg_load_object(b, nb, obj, file, at, skip, why)) &&
         (!prefix || cfg_load_env(b, nb, prefix, leaf, why));
    if (ok && t->preset) {
        preset_apply(preset_find(t->preset), t);
        ok = (!obj || cfg_load_object(b, nb, obj, file, at, skip, why)) &&
             (!prefix || cfg_load_env(b, nb, prefix, leaf, why));
    }
    if (t->preset)
        free(outer);
    else
        t->preset = outer;
    return ok;
}

static int keys_given(const struct upstream_settings *u)
{
    return (u->api_key != NULL) + (u->key_file != NULL) + (u->key_env != NULL);
}

static void forget_keys(struct upstream_settings *u)
{
    if (u->api_key)
        explicit_bzero(u->api_key, strlen(u->api_key));
    free(u->api_key);
    free(u->key_file);
    free(u->key_env);
    u->api_key = u->key_file = u->key_env = NULL;
}

static const char *const key_leaves[] = {"API_KEY", "KEY_FILE", "KEY_ENV", NULL};
static const char *const making_leaves[] = {"API_KEY", "BASE_URL", NULL};

/* The environment of one upstream: OPENAI_… for the well-known ones, then WEIR_UPSTREAM_<NAME>_…. */
static bool upstream_env(struct upstream_settings *u, const struct known_upstream *known, struct sb *why)
{
    struct cfg_bind b[] = {settings_bind_upstream(u), settings_bind_tuning(&u->tune)};
    struct sb prefix = sb_make(200);
    char *name = mem_strdup(u->name);
    bool ok = true;

    if (known && known->prefix) {
        if (settings_env_has(known->prefix, making_leaves))
            u->enabled = true;
        if (settings_env_has(known->prefix, key_leaves))      /* they replace the file's */
            forget_keys(u);
        ok = load_layer(b, 2, &u->tune, NULL, "", "", NULL, known->prefix, true, why);
    }
    settings_env_prefix(&prefix, name);
    if (ok && settings_env_has(sb_str(&prefix), key_leaves))
        forget_keys(u);
    ok = ok && load_layer(b, 2, &u->tune, NULL, "", "", NULL, sb_str(&prefix), true, why);
    free(u->name);                       /* a name is not for the environment to change */
    u->name = name;
    sb_done(&prefix);
    return ok;
}

/* Append the path where a key file can be read: a service is given /etc/weir/keys/openai, which root alone may read, as
 * the credential key_openai. Returns the bits its mode must not have: systemd may give a credential by an access list,
 * which shows as the group's bits. */
static mode_t key_file_path(const char *key_file, struct sb *out)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY"), *slash = strrchr(key_file, '/');

    if (credentials && *credentials) {
        sb_putf(out, "%s/key_%s", credentials, slash ? slash + 1 : key_file);
        if (access(sb_str(out), F_OK) == 0)
            return 007;
        sb_reset(out);
    }
    sb_puts(out, key_file);
    return 077;
}

/* Bring the key from where it is said to be. `at` names the upstream in sentences. */
static bool resolve_key(struct upstream_settings *u, const char *at, struct sb *why)
{
    const char *found = NULL;
    char *text = NULL;
    mode_t mode = 0;
    bool ok = false;

    if (keys_given(u) > 1) {
        sb_putf(why, "%s has more than one of api_key, key_file and key_env; give one.", at);
        return false;
    }
    if (u->key_env) {
        found = cfg_env(u->key_env);
        if (!found || !*found)
            sb_putf(why, "%s.key_env is \"%s\", but this environment variable is not set.", at, u->key_env);
    } else if (u->key_file) {
        size_t before = why->len;
        struct sb path = sb_make(8192);
        mode_t forbidden = key_file_path(u->key_file, &path);

        sb_putf(why, "%s.key_file: ", at);
        text = read_file(sb_str(&path), KEY_FILE_MAX, &mode, why);
        if (text)
            sb_drop(why, why->len - before);
        if (text && (mode & forbidden)) {
            sb_putf(why, "%s.key_file is \"%s\", but others may read that file; run: chmod 600 %s", at, u->key_file,
                    u->key_file);
        } else if (text) {
            text[strcspn(text, "\r\n")] = '\0';
            if (*text)
                found = text;
            else
                sb_putf(why, "%s.key_file is \"%s\", but its first line is empty.", at, u->key_file);
        }
        sb_done(&path);
    } else
        return true;
    if (found && *found) {
        u->api_key = mem_strdup(found);
        ok = true;
    }
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    return ok;
}

/* What no single option can check. */
static bool finish_upstream(const struct settings *s, struct upstream_settings *u, const char *at, struct sb *why)
{
    const struct known_upstream *known = known_upstream(u->name);

    if ((u->protocol == PROTOCOL_BUILTIN) != (strcmp(u->name, "builtin") == 0)) {
        sb_putf(why, "%s.protocol: the protocol \"builtin\" belongs to the upstream named builtin, and to no other.", at);
        return false;
    }
    for (size_t i = 0; i < s->n_upstreams; i++)
        if (strcmp(s->upstreams[i].name, u->name) == 0) {
            sb_putf(why, "%s.name is \"%s\", but another upstream has that name.", at, u->name);
            return false;
        }
    if (u->protocol == PROTOCOL_OPERATION && (u->base_url || u->models.n || keys_given(u) > 0)) {
        sb_putf(why, "%s.%s: Weir does not call an upstream with protocol \"operation\" itself, so it has neither base_url, key nor models.",
                at, u->base_url ? "base_url" : u->models.n ? "models" : "api_key");
        return false;
    }
    if (!u->base_url && known && known->base_url && settings_is_called(u))
        u->base_url = mem_strdup(known->base_url);
    if (!u->base_url && settings_is_called(u)) {
        sb_putf(why, "%s.base_url is missing; it must be the URL at which its interface begins.", at);
        return false;
    }
    if (u->api_version && u->models.n == 0) {
        sb_putf(why, "%s.models is missing; with api_version it must name the deployments, which cannot be asked for.", at);
        return false;
    }
    if (u->tune.retry.base_delay_us > u->tune.retry.max_delay_us) {
        sb_putf(why, "%s: retry.base_delay must not be longer than retry.max_delay.", at);
        return false;
    }
    for (size_t n = u->base_url ? strlen(u->base_url) : 0; n && u->base_url[n - 1] == '/'; n--)
        u->base_url[n - 1] = '\0';
    return !u->enabled || resolve_key(u, at, why);
}

void settings_upstream_done(struct upstream_settings *u)
{
    struct cfg_bind b = settings_bind_upstream(u), t = settings_bind_tuning(&u->tune);

    cfg_free(&b);
    cfg_free(&t);
}

/* One upstream from its entry (NULL: from the environment alone), which starts
 * from `base`. On success `s` owns it, or it was not enabled. */
static bool add_upstream(struct settings *s, const struct tuning_settings *base, const json_t *entry, const char *name,
                         const char *at, struct sb *why)
{
    const struct known_upstream *known = name ? known_upstream(name) : NULL;
    struct upstream_settings u = {0};
    struct cfg_bind b[] = {settings_bind_upstream(&u), settings_bind_tuning(&u.tune)};
    struct sb prefix = sb_make(300), place = sb_make(5000);
    bool ok;

    sb_putf(&prefix, "%s.", at);
    if (entry)
        sb_putf(&place, "%s: ", s->config);
    sb_puts(&place, at);
    cfg_defaults(&b[0]);
    u.tune = *base;
    u.tune.preset = mem_strdup(base->preset);
    u.protocol = known ? known->protocol : PROTOCOL_OPENAI;
    u.name = mem_strdup(name);
    ok = !entry || load_layer(b, 2, &u.tune, entry, s->config, sb_str(&prefix), NULL, NULL, false, why);
    if (ok && !u.name) {
        sb_putf(why, "%s.name is missing; every upstream needs one.", sb_str(&place));
        ok = false;
    }
    ok = ok && upstream_env(&u, known, why) && finish_upstream(s, &u, sb_str(&place), why);
    if (ok && u.enabled) {
        s->upstreams = mem_grow(s->upstreams, s->n_upstreams + 1, sizeof *s->upstreams);
        u.rank = s->n_upstreams;
        s->upstreams[s->n_upstreams++] = u;
    } else
        settings_upstream_done(&u);
    sb_done(&prefix);
    sb_done(&place);
    return ok;
}

/* The entry of that name, NULL if there is none; *at becomes its index. */
static const json_t *entry_named(const json_t *entries, const char *name, size_t *at)
{
    for (*at = 0; *at < json_array_size(entries); ++*at) {
        const json_t *entry = json_array_get(entries, *at);
        const char *has = json_string_value(json_object_get(entry, "name"));

        if (has && strcmp(has, name) == 0)
            return entry;
    }
    return NULL;
}

static bool add_entry(struct settings *s, const struct tuning_settings *base, const json_t *entry, size_t i,
                      struct sb *why)
{
    struct sb at = sb_make(100);
    bool ok;

    sb_putf(&at, "upstreams[%zu]", i);
    if (json_is_object(entry))
        ok = add_upstream(s, base, entry, json_string_value(json_object_get(entry, "name")), sb_str(&at), why);
    else {
        sb_putf(why, "%s: %s must be an object, as in {\"name\": …, \"base_url\": …}.", s->config, sb_str(&at));
        ok = false;
    }
    sb_done(&at);
    return ok;
}

/* First the file's in its order, then those the environment makes, then the built-in one. */
static bool add_upstreams(struct settings *s, const struct tuning_settings *unlimited, const json_t *entries,
                          struct sb *why)
{
    const json_t *builtin_entry;
    size_t at;

    if (entries && (!json_is_array(entries) || json_array_size(entries) > UPSTREAMS_MAX)) {
        sb_putf(why, "%s: upstreams must be a list of at most %d objects.", s->config, UPSTREAMS_MAX);
        return false;
    }
    builtin_entry = entry_named(entries, "builtin", &at);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);

        bool operation = strcmp(json_str(entry, "protocol", ""), "operation") == 0;

        if (entry != builtin_entry && !add_entry(s, operation ? unlimited : &s->defaults, entry, i, why))
            return false;
    }
    for (size_t i = 0, seen; i < n_known_upstreams; i++) {
        const struct known_upstream *known = &known_upstreams[i];

        if (known->prefix && settings_env_has(known->prefix, making_leaves) && !entry_named(entries, known->name, &seen) &&
            !add_upstream(s, &s->defaults, NULL, known->name, known->name, why))
            return false;
    }
    if (builtin_entry ? !add_entry(s, unlimited, builtin_entry, at, why)
                      : !add_upstream(s, unlimited, NULL, "builtin", "builtin", why))
        return false;
    if (s->n_upstreams == 0)
        sb_putf(why, "%s: no upstream is left; one must be enabled.", s->config ? s->config : "upstreams");
    return s->n_upstreams > 0;
}

/* <folder>/<name> for a path that was not set. */
static void default_path(char **path, const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;

    if (*path)
        return;
    *path = mem_zalloc(size, 1);
    (void)snprintf(*path, size, "%s/%s", folder, name);
}

/* The data folder of a program that was built but not installed lies beside it; caller frees. */
static char *default_data(void)
{
    char folder[4096 + sizeof "/share/templates"];
    ssize_t n = readlink("/proc/self/exe", folder, 4096 - 1);
    char *slash;

    folder[n > 0 ? n : 0] = '\0';
    slash = strrchr(folder, '/');
    if (slash) {
        memcpy(slash, "/share/templates", sizeof "/share/templates");
        if (access(folder, F_OK) == 0) {
            *strrchr(folder, '/') = '\0';
            return mem_strdup(folder);
        }
    }
    return mem_strdup(WEIR_DATADIR);
}

static bool load_all(struct settings *s, const json_t *root, struct sb *why)
{
    struct tuning_settings unlimited = {0};
    struct cfg_bind top[] = {settings_bind_global(s), settings_bind_tuning(&s->defaults)};
    struct cfg_bind again[] = {top[0], settings_bind_tuning(&unlimited)};
    const char *file = s->config ? s->config : "";
    bool ok;

    cfg_defaults(&top[0]);
    cfg_defaults(&top[1]);
    cfg_defaults(&again[1]);
    memset(&unlimited.limits, 0, sizeof unlimited.limits);   /* of the built-in model and of operations, unless configured */
    ok = settings_env_check(json_object_get(root, "upstreams"), why) &&
         load_layer(top, 2, &s->defaults, root, file, "", not_options, "WEIR_", false, why) &&
         load_layer(again, 2, &unlimited, root, file, "", not_options, "WEIR_", false, why) &&
         add_upstreams(s, &unlimited, json_object_get(root, "upstreams"), why) &&
         settings_load_budgets(s, json_object_get(root, "budgets"), why) && settings_check_models(s, why);
    cfg_free(&again[1]);
    if (!ok)
        return false;
    if (!s->data)
        s->data = default_data();
    default_path(&s->socket, s->state, "weir.sock");
    default_path(&s->prices, s->data, "prices.json");
    if (!s->http.tls_certificate != !s->http.tls_key) {
        sb_putf(why, "%s%shttp.tls_certificate and http.tls_key go together, but http.%s is not set.", file, *file ? ": " : "",
                s->http.tls_key ? "tls_certificate" : "tls_key");
        return false;
    }
    if (s->retention.named_us > 0 && s->retention.named_us < NAMED_MIN_US) {
        sb_putf(why, "%s%sretention.anonymize must be 0 or at least 35d: the budgets of a month still count by person.", file, *file ? ": " : "");
        return false;
    }
    if (strlen(s->socket) > 100) {
        sb_putf(why, "state is \"%s\", but with it the socket's path has more than 100 bytes; choose a shorter state or "
                     "set socket.", s->state);
        return false;
    }
    return true;
}

const char *settings_path(const char *path)
{
    if (!path)
        path = getenv("WEIR_CONFIG");
    if ((!path || !*path) && access(default_file, F_OK) == 0)
        path = default_file;
    return path && *path ? path : NULL;
}

struct settings *settings_make(const char *path, const json_t *root, struct sb *why)
{
    struct settings *s = mem_zalloc(1, sizeof *s);

    s->config = mem_strdup(path);
    if (!load_all(s, root, why)) {
        settings_free(s);
        s = NULL;
    }
    return s;
}

struct settings *settings_load(const char *path, struct sb *why)
{
    struct settings *s = NULL;
    json_t *root = NULL;

    path = settings_path(path);
    if (path)
        root = settings_read(path, why);
    if (!path || root)
        s = settings_make(path, root, why);
    json_decref(root);
    return s;
}

void settings_free(struct settings *s)
{
    if (!s)
        return;
    struct cfg_bind top = settings_bind_global(s), tune = settings_bind_tuning(&s->defaults);

    cfg_free(&top);
    cfg_free(&tune);
    for (size_t i = 0; i < s->n_upstreams; i++)
        settings_upstream_done(&s->upstreams[i]);
    for (size_t i = 0; i < s->n_budgets; i++) {
        struct cfg_bind b = settings_bind_budget(&s->budgets[i]);

        cfg_free(&b);
    }
    free(s->budgets);
    free(s->upstreams);
    free(s->config);
    free(s);
}

bool settings_is_called(const struct upstream_settings *u)
{
    return u->protocol != PROTOCOL_BUILTIN && u->protocol != PROTOCOL_OPERATION;
}

bool settings_has_responses(const struct upstream_settings *u)
{
    if (u->protocol != PROTOCOL_OPENAI || u->responses == UPSTREAM_HAS_OFF)
        return false;
    return u->responses == UPSTREAM_HAS_ON || strncmp(u->base_url, "https://api.openai.com/", 23) == 0;
}

const struct upstream_settings *settings_upstream(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->n_upstreams; i++)
        if (strcmp(s->upstreams[i].name, name) == 0)
            return &s->upstreams[i];
    return NULL;
}
