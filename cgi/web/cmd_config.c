/* cmd_config.c - one line of the table for each thing `weir config` can print. */
#include "web/cmd_config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/settings.h"
#include "store/budgets.h"
#include "store/report_export.h"
#include "web/cmd.h"
#include "web/nginx_conf.h"

enum { OUT_MAX = 1 << 20 };

struct settings *config_load(const char *path, struct sb *why)
{
    struct settings *s = settings_load(path, why);

    if (s && !budgets_check(s, why)) {
        settings_free(s);
        s = NULL;
    }
    return s;
}

/* Each prints to `out` and returns true, or says why not in `why`. `arg` is the word after its name, or NULL. */
static bool print_check(const char *arg, struct sb *out, struct sb *why)
{
    struct settings *s = config_load(arg, why);
    bool ok = s && settings_check(arg, why);

    settings_free(s);
    if (ok) {
        sb_puts(out, sb_str(why));
        sb_putc(out, '\n');
    }
    return ok;
}

static bool print_show(const char *arg, struct sb *out, struct sb *why)
{
    struct settings *s = config_load(arg, why);

    if (s)
        settings_show(s, out);
    settings_free(s);
    return s != NULL;
}

static bool print_nginx(const char *arg, struct sb *out, struct sb *why)
{
    struct settings *s = settings_load(NULL, why);
    bool ok = s && nginx_conf(s, s->data, arg ? arg : geteuid() == 0 ? "root" : NULL, false, out, why);

    settings_free(s);
    return ok;
}

static bool print_site(const char *arg, struct sb *out, struct sb *why)
{
    struct settings *s = settings_load(arg, why);
    bool ok = s && nginx_conf(s, s->data, NULL, true, out, why);

    settings_free(s);
    return ok;
}

static bool print_doc(const char *arg, struct sb *out, struct sb *why)
{
    (void)arg, (void)why;
    settings_doc(out);
    return true;
}

static bool print_columns(const char *arg, struct sb *out, struct sb *why)
{
    (void)arg, (void)why;
    report_export_doc(out);
    return true;
}

static bool print_example(const char *arg, struct sb *out, struct sb *why)
{
    (void)arg, (void)why;
    settings_example(out);
    return true;
}

static bool print_man(const char *arg, struct sb *out, struct sb *why)
{
    (void)arg, (void)why;
    settings_man(out);
    return true;
}

/* --- for programs: what was printed, or why not, as JSON --- */

static void json_check(bool ok, const char *text, struct sb *json)
{
    sb_puts(json, ok ? "{\"ok\":true,\"text\":" : "{\"ok\":false,\"text\":");
    sb_json_n(json, text, strcspn(text, "\n"));
    sb_puts(json, "}\n");
}

/* The lines KEY=VALUE as members. */
static void json_show(bool ok, const char *text, struct sb *json)
{
    if (!ok) {
        json_check(ok, text, json);
        return;
    }
    sb_puts(json, "{\"settings\":{");
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        size_t n = strcspn(line, "\n"), key = strcspn(line, "=");

        sb_puts(json, line > text ? "," : "");
        sb_json_n(json, line, key);
        sb_putc(json, ':');
        sb_json_n(json, line + key + 1, n - key - 1);
    }
    sb_puts(json, "}}\n");
}

static const struct {
    const char *name, *usage;
    bool (*print)(const char *arg, struct sb *out, struct sb *why);
    void (*json)(bool ok, const char *text, struct sb *json);     /* NULL: what it prints is for programs already */
} verbs[] = {
    {"check", "check [FILE] [--json]   is the configuration right?", print_check, json_check},
    {"show", "show [FILE] [--json]    every setting in force, without keys of providers", print_show, json_show},
    {"nginx", "nginx [USER]   nginx's configuration; USER runs its workers where root starts it", print_nginx, NULL},
    {"site", "site [FILE]    the part of it that belongs among the sites of an nginx that has others too", print_site, NULL},
    {"doc", "doc            docs/settings.md", print_doc, NULL},
    {"columns", "columns        docs/export.md", print_columns, NULL},
    {"man", "man            docs/weir.json.5", print_man, NULL},
    {"example", "example        weir.json.example", print_example, NULL},
};

/* Do what the verb says: the exit status. */
static int run(size_t verb, const char *arg, bool json)
{
    struct sb out = sb_make(OUT_MAX), why = sb_make(OUT_MAX), text = sb_make(4 * OUT_MAX);
    bool ok = verbs[verb].print(arg, &out, &why) && sb_ok(&out);
    int status = EXIT_CONFIG;

    if (json)
        verbs[verb].json(ok, ok ? sb_str(&out) : sb_str(&why), &text);
    if (!ok && !json)
        fprintf(stderr, "weir: %s\n", sb_str(&why));
    else if (fputs(json ? sb_str(&text) : sb_str(&out), stdout) >= 0 && fflush(stdout) == 0 && ok)
        status = EX_OK;
    sb_done(&out);
    sb_done(&why);
    sb_done(&text);
    return status;
}

int cmd_config(int argc, char **argv)
{
    struct sb usage = sb_make(OUT_MAX);
    bool json = argc > 1 && strcmp(argv[argc - 1], "--json") == 0;
    int words = argc - json, status = EX_USAGE;

    for (size_t i = 0; words >= 1 && words <= 2 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[0], verbs[i].name) == 0 && (verbs[i].json || !json))
            status = run(i, words > 1 ? argv[1] : NULL, json);
    if (status == EX_USAGE) {
        sb_puts(&usage, "usage: weir config …\n");
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
            sb_putf(&usage, "  %s\n", verbs[i].usage);
        status = cmd_usage(argc, argv, sb_str(&usage));
    }
    sb_done(&usage);
    return status;
}
