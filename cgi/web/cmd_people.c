/* cmd_people.c - weir user and weir token: what /admin/users and /admin/tokens do,
 * from a shell. A Weir that runs is asked; where none runs the database is opened.
 * Exporting and erasing a person is cmd_user.c's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json.h"
#include "base/password.h"
#include "store/account.h"
#include "web/cmd.h"
#include "web/cmd_config.h"
#include "web/local.h"

enum { PATH_SIZE = 160 };

static const char user_usage[] =
    "usage: weir user list [--json]\n"
    "       weir user add NAME [--role user|monitor|admin] [--max-priority Low|Medium|High] [--weight N] [--password]\n"
    "       weir user weight USER N\n"
    "       weir user role USER user|monitor|admin\n"
    "       weir user password USER\n"
    "       weir user disable|enable USER\n"
    "       weir user remove USER --yes\n"
    "       weir user export USER --output DIR\n"
    "       weir user erase USER --yes\n\n"
    "USER is an id or a name. A weight, 0.01 to 100 and 1 unless set, is how large a share a user has beside others of the same\n"
    "priority while there is too little for all. A password is read from standard input, one line.\n"
    "`export` and `erase` say more by themselves.\n";

static const char token_usage[] =
    "usage: weir token list [USER] [--json]\n"
    "       weir token create USER NAME [--scopes chat,monitor,usage] [--expires TIME] [--max-priority Low|Medium|High]\n"
    "                         [--weight N]\n"
    "       weir token weight TOKEN_ID N\n"
    "       weir token revoke TOKEN_ID\n\n"
    "USER is an id or a name. A token has a part in its user's share; one with a weight (0.01 to 100) has a share of its own, and\n"
    "with a weight of 0 no longer. The token that is made is printed, once. TIME is as 2027-01-31T00:00:00Z; 90 days unless said.\n";

struct words {
    const char *verb, *arg[2];
    int args;
    const char *role, *max_priority, *scopes, *expires, *weight;
    bool yes, password, json;
};

static bool take_words(struct words *w, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **to;
    } options[] = {{"--role", &w->role}, {"--max-priority", &w->max_priority}, {"--scopes", &w->scopes}, {"--expires", &w->expires},
                 {"--weight", &w->weight}};

    *w = (struct words){.verb = argc > 0 ? argv[0] : ""};
    for (int i = 1; i < argc; i++) {
        size_t k = 0;

        while (k < sizeof options / sizeof *options && strcmp(argv[i], options[k].name) != 0)
            k++;
        if (k < sizeof options / sizeof *options && i + 1 < argc)
            *options[k].to = argv[++i];
        else if (strcmp(argv[i], "--yes") == 0)
            w->yes = true;
        else if (strcmp(argv[i], "--password") == 0)
            w->password = true;
        else if (strcmp(argv[i], "--json") == 0)
            w->json = true;
        else if (argv[i][0] == '-' || w->args == 2)
            return false;
        else
            w->arg[w->args++] = argv[i];
    }
    return true;
}

static int wrong(const char *usage)
{
    fputs(usage, stderr);
    return EX_USAGE;
}

static void put_text(json_t *to, const char *name, const char *value)
{
    if (value)
        (void)json_object_set_new(to, name, json_string(value));
}

/* As it is where that is no number: then the answer says what is allowed. */
static void put_weight(json_t *to, const char *text)
{
    json_t *n = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

    if (text)
        (void)json_object_set_new(to, "weight", n ? n : json_string(text));
}

/* --- lists --- */

/* Call `each` with every item of a list; it gives false to end it. */
static int each_item(struct local *l, const char *path, bool (*each)(const json_t *item, void *ctx), void *ctx)
{
    char page[PATH_SIZE] = "";
    int status;

    (void)snprintf(page, sizeof page, "%s?limit=1000", path);
    for (;;) {
        json_t *list = local_call(l, "GET", page, NULL, &status);
        const char *next = json_str(list, "next_cursor", "");
        const json_t *items = json_object_get(list, "items");
        bool more = *next;

        for (size_t i = 0; i < json_array_size(items); i++)
            more = each(json_array_get(items, i), ctx) && more;
        (void)snprintf(page, sizeof page, "%s?limit=1000&cursor=%s", path, next);
        json_decref(list);
        if (!more)
            return status;
    }
}

struct search {
    const char *who;
    char user_id[RAND_ID_SIZE];
};

static bool is_who(const json_t *u, void *ctx)
{
    struct search *s = ctx;

    if (strcmp(json_str(u, "user_id", ""), s->who) != 0 && strcasecmp(json_str(u, "name", ""), s->who) != 0)
        return true;
    (void)snprintf(s->user_id, sizeof s->user_id, "%s", json_str(u, "user_id", ""));
    return false;
}

/* The id of a user by id or name. */
static int find_user(struct local *l, const char *who, char user_id[RAND_ID_SIZE])
{
    struct search s = {.who = who};
    int status = each_item(l, "/admin/users", is_who, &s);

    if (!status && !*s.user_id) {
        fprintf(stderr, "weir: there is no user '%.100s'.\n", who);
        status = EX_NOUSER;
    }
    memcpy(user_id, s.user_id, sizeof s.user_id);
    return status;
}

static bool print_user(const json_t *u, void *ctx)
{
    (void)ctx;
    printf("%-28s %-8s %-9s %-6g %-9s %s\n", json_str(u, "user_id", ""), json_str(u, "role", ""), json_str(u, "max_priority", ""),
           json_number_value(json_object_get(u, "weight")), json_is_string(json_object_get(u, "disabled_at")) ? "disabled" : json_is_true(json_object_get(u, "has_password")) ? "password" : "-",
           json_str(u, "name", ""));
    return true;
}

static bool print_token(const json_t *t, void *ctx)
{
    const json_t *weight = json_object_get(t, "weight");
    char own[24] = "";

    (void)ctx;
    if (json_is_number(weight))
        (void)snprintf(own, sizeof own, "weight %g ", json_number_value(weight));
    printf("%-28s %-16.16s expires %-10.10s used %-10.10s %s%s\n", json_str(t, "token_id", ""), json_str(t, "user", ""),
           json_str(t, "expires_at", "never"), json_str(t, "last_used_at", "never"), own, json_str(t, "name", ""));
    return true;
}

/* Those of one user, or with "" of everybody. */
struct list {
    const char *user_id;
    bool (*print)(const json_t *item, void *ctx);
    json_t *items;                       /* all of them instead, to be printed as JSON at the end; or NULL */
};

static bool list_item(const json_t *item, void *ctx)
{
    struct list *l = ctx;

    if (*l->user_id && strcmp(l->user_id, json_str(item, "user_id", "")) != 0)
        return true;
    return l->items ? json_array_append(l->items, (json_t *)(uintptr_t)item) == 0 : l->print(item, NULL);
}

static int list(struct local *l, const struct words *w, const char *path, const char *user_id, bool (*print)(const json_t *, void *))
{
    struct list of = {user_id, print, w->json ? json_array() : NULL};
    int status = each_item(l, path, list_item, &of);

    if (of.items && !status) {
        json_t *all = json_pack("{s:O}", "items", of.items);

        (void)json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
        putchar('\n');
        json_decref(all);
    }
    json_decref(of.items);
    return status;
}

/* --- changes --- */

/* One line of standard input. */
static bool read_password(char *out, size_t size)
{
    if (isatty(STDIN_FILENO))
        fputs("Password (it is shown as you type; a file or a pipe keeps it off the screen): ", stderr);
    if (!fgets(out, (int)size, stdin))
        return false;
    out[strcspn(out, "\r\n")] = '\0';
    return *out != '\0';
}

static int put_password(json_t *body)
{
    char password[4 * PASSWORD_MAX];

    if (!read_password(password, sizeof password)) {
        fputs("weir: there is no password on standard input.\n", stderr);
        return EX_NOINPUT;
    }
    put_text(body, "password", password);
    explicit_bzero(password, sizeof password);
    return EX_OK;
}

static int patch_user(struct local *l, const char *who, json_t *body)
{
    char user_id[RAND_ID_SIZE], path[PATH_SIZE];
    int status = find_user(l, who, user_id);

    (void)snprintf(path, sizeof path, "/admin/users/%s", user_id);
    if (status)
        json_decref(body);
    else
        json_decref(local_call(l, body ? "PATCH" : "DELETE", path, body, &status));
    return status;
}

static json_t *weight_of(const char *text)
{
    json_t *body = json_object();

    put_weight(body, text);
    return body;
}

static int add_user(struct local *l, const struct words *w)
{
    json_t *body = json_object(), *made;
    int status = w->password ? put_password(body) : EX_OK;

    put_text(body, "name", w->arg[0]);
    put_text(body, "role", w->role ? w->role : "user");
    put_text(body, "max_priority", w->max_priority);
    put_weight(body, w->weight);
    if (status) {
        json_decref(body);
        return status;
    }
    made = local_call(l, "POST", "/admin/users", body, &status);
    if (made)
        puts(json_str(made, "user_id", ""));
    json_decref(made);
    return status;
}

static int user_verb(struct local *l, const struct words *w)
{
    const char *verb = w->verb;

    if (strcmp(verb, "list") == 0 && w->args == 0)
        return list(l, w, "/admin/users", "", print_user);
    if (strcmp(verb, "add") == 0 && w->args == 1)
        return add_user(l, w);
    if (strcmp(verb, "role") == 0 && w->args == 2)
        return patch_user(l, w->arg[0], json_pack("{s:s}", "role", w->arg[1]));
    if (strcmp(verb, "weight") == 0 && w->args == 2)
        return patch_user(l, w->arg[0], weight_of(w->arg[1]));
    if ((strcmp(verb, "disable") == 0 || strcmp(verb, "enable") == 0) && w->args == 1)
        return patch_user(l, w->arg[0], json_pack("{s:b}", "disabled", strcmp(verb, "disable") == 0));
    if (strcmp(verb, "remove") == 0 && w->args == 1 && w->yes)
        return patch_user(l, w->arg[0], NULL);
    if (strcmp(verb, "password") == 0 && w->args == 1) {
        json_t *body = json_object();
        int status = put_password(body);

        if (!status)
            return patch_user(l, w->arg[0], body);
        json_decref(body);
        return status;
    }
    return wrong(user_usage);
}

static int create_token(struct local *l, const struct words *w)
{
    json_t *body = json_object(), *made, *scopes = json_array();
    char user_id[RAND_ID_SIZE];
    int status = find_user(l, w->arg[0], user_id);

    put_text(body, "user_id", user_id);
    put_text(body, "name", w->arg[1]);
    put_text(body, "expires_at", w->expires);
    put_text(body, "max_priority", w->max_priority);
    put_weight(body, w->weight);
    for (const char *s = w->scopes ? w->scopes : ""; *s;) {
        size_t n = strcspn(s, ",");

        (void)json_array_append_new(scopes, json_stringn(s, n));
        s += n + (s[n] == ',');
    }
    (void)json_object_set_new(body, "scopes", scopes);
    if (status) {
        json_decref(body);
        return status;
    }
    made = local_call(l, "POST", "/admin/tokens", body, &status);
    if (made) {
        fprintf(stderr, "%s expires %s; the token is shown this once:\n", json_str(made, "token_id", ""), json_str(made, "expires_at", "never"));
        puts(json_str(made, "token", ""));
    }
    json_decref(made);
    return status;
}

static int token_verb(struct local *l, const struct words *w)
{
    char of[RAND_ID_SIZE] = "", path[PATH_SIZE];
    int status = EX_OK;

    if (strcmp(w->verb, "list") == 0 && w->args <= 1) {
        if (w->args == 1)
            status = find_user(l, w->arg[0], of);
        return status ? status : list(l, w, "/admin/tokens", of, print_token);
    }
    if (strcmp(w->verb, "create") == 0 && w->args == 2)
        return create_token(l, w);
    if ((strcmp(w->verb, "revoke") == 0 && w->args == 1) || (strcmp(w->verb, "weight") == 0 && w->args == 2)) {
        json_t *body = w->args == 2 ? weight_of(w->arg[1]) : NULL;

        (void)snprintf(path, sizeof path, "/admin/tokens/%.64s", w->arg[0]);
        json_decref(local_call(l, body ? "PATCH" : "DELETE", path, body, &status));
        return status;
    }
    return wrong(token_usage);
}

static int run(int argc, char **argv, const char *usage, int (*verb)(struct local *l, const struct words *w))
{
    struct sb why = sb_make(8192);
    struct settings *s = NULL;
    struct local *l = NULL;
    struct words w;
    int status = EX_OK;

    if (!take_words(&w, argc, argv) || !*w.verb || *w.verb == '-')
        return cmd_usage(argc, argv, usage);
    s = settings_load(NULL, &why);
    if (!s) {
        fprintf(stderr, "weir: %s\n", sb_str(&why));
        status = EXIT_CONFIG;
    } else if ((l = local_open(s, &status)) != NULL) {
        status = verb(l, &w);
    }
    local_close(l);
    settings_free(s);
    sb_done(&why);
    return status;
}

int cmd_user(int argc, char **argv)
{
    if (argc > 0 && (strcmp(argv[0], "export") == 0 || strcmp(argv[0], "erase") == 0))
        return cmd_person(argc, argv);
    return run(argc, argv, user_usage, user_verb);
}

int cmd_token(int argc, char **argv)
{
    return run(argc, argv, token_usage, token_verb);
}
