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

static const struct {
    const char *name, *usage;
    bool (*print)(const char *arg, struct sb *out, struct sb *why);
} verbs[] = {
    {"check", "check [FILE]   is the configuration right?", print_check},
    {"show", "show [FILE]    every setting in force, without keys of providers", print_show},
    {"nginx", "nginx [USER]   nginx's configuration; USER runs its workers where root starts it", print_nginx},
    {"site", "site [FILE]    the part of it that belongs among the sites of an nginx that has others too", print_site},
    {"doc", "doc            docs/settings.md", print_doc},
    {"columns", "columns        docs/export.md", print_columns},
    {"man", "man            docs/weir.json.5", print_man},
    {"example", "example        weir.json.example", print_example},
};

int cmd_config(int argc, char **argv)
{
    struct sb out = sb_make(OUT_MAX), why = sb_make(OUT_MAX);
    int status = EX_USAGE;

    for (size_t i = 0; argc >= 1 && argc <= 2 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[0], verbs[i].name) == 0) {
            status = EXIT_CONFIG;
            if (!verbs[i].print(argc > 1 ? argv[1] : NULL, &out, &why) || !sb_ok(&out))
                fprintf(stderr, "weir: %s\n", sb_str(&why));
            else if (fputs(sb_str(&out), stdout) >= 0 && fflush(stdout) == 0)
                status = EX_OK;
        }
    if (status == EX_USAGE) {
        sb_puts(&out, "usage: weir config …\n");
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
            sb_putf(&out, "  %s\n", verbs[i].usage);
        status = cmd_usage(argc, argv, sb_str(&out));
    }
    sb_done(&out);
    sb_done(&why);
    return status;
}
