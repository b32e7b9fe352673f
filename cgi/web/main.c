/* main.c - the first word chooses the subcommand. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json.h"
#include "web/cmd.h"
#include "web/cmd_config.h"

static const struct {
    const char *name, *usage;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", "serve           answer nginx until SIGTERM", cmd_serve},
    {"config", "config …        check, show, nginx, site, doc, man, example", cmd_config},
    {"report", "report …        what was used and paid, as tables and as a JSON file; --help says more", cmd_report},
    {"backup", "backup FILE     a checked copy of the database, also while Weir runs", cmd_backup},
    {"batch", "batch run …     thousands of prompts from a file, with what interactive users leave; --help says more", cmd_batch},
    {"exec", "exec … -- CMD   a command that uses something metered: in line, recorded, tried again; --help says more", cmd_exec},
    {"audit", "audit verify    is the audit log what Weir wrote? --json for programs", cmd_audit},
    {"reconcile", "reconcile FILE  a provider's usage export beside what Weir recorded, and what explains the gap", cmd_reconcile},
    {"replay", "replay …        recorded requests under other settings; --help says how", cmd_replay},
    {"top", "top             limits, queue and spend, live in a terminal", cmd_top},
    {"tune", "tune …          what would have served them better; --apply writes it", cmd_tune},
    {"token", "token …         list, create, revoke API tokens", cmd_token},
    {"user", "user …          list, add, change, remove users; export or erase all that is kept of one person", cmd_user},
    {"verify", "verify          does the ledger add up, and is it as it was written? Also while Weir runs", cmd_verify},
};

static void usage(FILE *to)
{
    fputs("usage: weir COMMAND\n\n", to);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  weir %s\n", commands[i].usage);
    fputs("\nSettings come from weir.json and the environment; docs/settings.md has all of them.\n", to);
}

/* What is closed would be the number of the next file that is opened: log lines would be written into the database. */
static bool open_standard_files(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    if (!open_standard_files())
        return EX_OSERR;
    if (strcmp(word, "--version") == 0) {
        puts("weir " PACKAGE_VERSION);
        return EX_OK;
    }
    if (strcmp(word, "--help") == 0) {
        usage(stdout);
        return EX_OK;
    }
    json_set_up();
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    }
    usage(stderr);
    return EX_USAGE;
}
