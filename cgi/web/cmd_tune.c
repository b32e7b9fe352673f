/* cmd_tune.c - weir tune: what replays of recent traffic suggest, and the accepted of it written into weir.json. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/settings_edit.h"
#include "flow/tuner.h"
#include "store/db.h"
#include "web/cmd.h"
#include "web/cmd_config.h"

enum { OUT_MAX = 1 << 20 };

static const char usage[] =
    "usage: weir tune [--apply [N|KEY]…] [--json]\n\n"
    "Replays the requests of the last 24 hours with one setting changed at a time and shows what would have helped.\n\n"
    "  --apply         write all of it into weir.json\n"
    "  --apply N KEY   write only these, by number or by the setting's name\n"
    "  --json          for programs\n\n"
    "A Weir that runs is told to read the file again. Each is measured alone: several together may do less. The file before is\n"
    "kept as weir.json.before-tune.\n";

struct tuning {
    bool apply, json;
    char **word;                     /* what is accepted; none: all */
    int words;
    struct settings *s;
    struct db *db;
    struct tuner *tuner;
    struct sb why;
};

static bool take_words(struct tuning *t, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            t->json = true;
        else if (strcmp(argv[i], "--apply") == 0)
            t->apply = true;
        else if (t->apply && argv[i][0] != '-')
            argv[t->words++] = argv[i];
        else
            return false;
    }
    t->word = argv;
    return true;
}

static void print(const struct tuning *t, struct sb *out)
{
    const struct suggestion *f;
    size_t n = tuner_found(t->tuner, &f);

    if (t->json) {
        sb_puts(out, "{\"suggestions\":[");
        tuner_json(t->tuner, out);
        sb_puts(out, "]}\n");
        return;
    }
    for (size_t i = 0; i < n; i++)
        sb_putf(out, "%zu. %s\n", i + 1, f[i].text);
    if (!n && tuner_requests(t->tuner) < TUNER_ENOUGH)
        sb_putf(out, "Too few requests in the last 24 hours to suggest anything: %d at least.\n", TUNER_ENOUGH);
    else if (!n)
        sb_puts(out, "Nothing that was tried would have helped the requests of the last 24 hours.\n");
}

/* A number from 1 on, or a setting's name. */
static const struct suggestion *accepted(const struct tuning *t, const char *word)
{
    const struct suggestion *f;
    size_t n = tuner_found(t->tuner, &f);
    char *end;
    unsigned long number = strtoul(word, &end, 10);

    if (*word && !*end)
        return number >= 1 && number <= n ? &f[number - 1] : NULL;
    for (size_t i = 0; i < n; i++)
        if (strcmp(f[i].setting, word) == 0)
            return &f[i];
    return NULL;
}

/* The process that holds the state folder's lock; 0: none does. */
static pid_t running_weir(const char *state)
{
    struct sb path = sb_make(8192);
    char text[24] = "";
    long pid = 0;
    int fd;

    sb_putf(&path, "%s/weir.lock", state);
    fd = open(sb_str(&path), O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK && read(fd, text, sizeof text - 1) > 0)
        pid = strtol(text, NULL, 10);
    if (fd >= 0)
        (void)close(fd);
    sb_done(&path);
    return pid > 1 ? (pid_t)pid : 0;
}

static void tell_weir(const char *state, struct sb *out)
{
    pid_t pid = running_weir(state);

    if (!pid)
        sb_puts(out, "Written. Weir does not run here; it goes by it from its next start on.\n");
    else if (kill(pid, SIGHUP) == 0)
        sb_puts(out, "Written, and Weir was told to read it again; its log says what changed.\n");
    else
        sb_putf(out, "Written, but Weir could not be told (%s): reload it.\n", strerror(errno));
}

static int apply(struct tuning *t, struct sb *out)
{
    const struct suggestion *f;
    size_t found = tuner_found(t->tuner, &f), n = t->words ? (size_t)t->words : found;
    struct settings_edit *change = mem_zalloc(n, sizeof *change);
    int status = EX_OK;

    for (size_t i = 0; i < n && !status; i++) {
        const struct suggestion *s = t->words ? accepted(t, t->word[i]) : &f[i];

        if (s)
            change[i] = (struct settings_edit){s->setting, s->proposed};
        else {
            sb_putf(&t->why, "There is no suggestion %.100s now; `weir tune` shows them.", t->word[i]);
            status = EX_USAGE;
        }
    }
    if (!status && n && !settings_write(NULL, change, n, &t->why))
        status = EX_CANTCREAT;
    for (size_t i = 0; i < n && !status; i++)
        sb_putf(out, "%s = %s\n", change[i].key, change[i].value);
    if (!status && n)
        tell_weir(t->s->state, out);
    free(change);
    return status;
}

static int work(struct tuning *t, struct sb *out)
{
    char why[DB_WHY_SIZE];
    struct sb path = sb_make(8192);
    int status = EXIT_CONFIG;

    t->s = settings_load(NULL, &t->why);
    if (!t->s)
        goto out;
    status = EX_NOINPUT;
    sb_putf(&path, "%s/weir.db", t->s->state);
    if (db_open_reader(sb_str(&path), &t->db, why)) {
        sb_puts(&t->why, why);
        goto out;
    }
    t->tuner = tuner_new(t->s, t->db, clock_utc_ms());
    if (!t->tuner) {
        sb_putf(&t->why, "%s cannot be read.", sb_str(&path));
        goto out;
    }
    while (tuner_step(t->tuner)) {
    }
    status = EX_OK;
    if (t->apply && !t->json && !t->words)
        print(t, out);
    if (t->apply)
        status = apply(t, out);
    else
        print(t, out);
out:
    sb_done(&path);
    return status;
}

int cmd_tune(int argc, char **argv)
{
    struct tuning t = {.why = sb_make(16 * 1024)};
    struct sb out = sb_make(OUT_MAX);
    int status = EX_USAGE;

    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(usage, stdout);
        return EX_OK;
    }
    if (take_words(&t, argc, argv) && !(t.apply && t.json))
        status = work(&t, &out);
    else
        fputs(usage, stderr);
    if (t.why.len)
        fprintf(stderr, "weir: %s\n", sb_str(&t.why));
    if (out.len && (fputs(sb_str(&out), stdout) < 0 || fflush(stdout) != 0))
        status = EX_IOERR;
    tuner_free(t.tuner);
    db_close(t.db);
    settings_free(t.s);
    sb_done(&t.why);
    sb_done(&out);
    return status;
}
