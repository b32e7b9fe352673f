/* cmd_verify.c - weir verify: does the ledger add up? Also beside a running Weir. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/settings.h"
#include "store/verify.h"
#include "web/cmd.h"
#include "web/cmd_config.h"

enum { OUT_MAX = 4 << 20 };

static const char usage[] =
    "usage: weir verify [--json]\n\n"
    "Proves that events, attempts, answers, roll-ups, sessions and budgets add up and that no row has changed since it was\n"
    "written, and lists the calls that crashes cut off and what became of them. Nothing is written; Weir may run.\n\n"
    "  --json  for programs\n\n"
    "Status 0: all holds; 65: it does not, and what is wrong was printed; 66: there is no database; 74: it cannot be read.\n";

/* When the Weir that holds the state folder's lock was started, which is when it wrote its number there; INT64_MAX: none runs. */
static int64_t running_since_ms(const char *state)
{
    struct sb path = sb_make(8192);
    int64_t since_ms = INT64_MAX;
    struct stat st;
    int fd;

    sb_putf(&path, "%s/weir.lock", state);
    fd = open(sb_str(&path), O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK && fstat(fd, &st) == 0)
        since_ms = (int64_t)st.st_mtim.tv_sec * 1000;
    if (fd >= 0)
        (void)close(fd);
    sb_done(&path);
    return since_ms;
}

static void *to_its_end(void *verify)
{
    while (verify_step(verify)) {
    }
    return NULL;
}

static int check(const struct settings *s, const char *path, bool json, struct sb *out)
{
    struct verify_setup setup = {.settings = s, .now_ms = clock_utc_ms(), .running_since_ms = running_since_ms(s->state)};
    char why[DB_WHY_SIZE];
    struct verify *v, *totals;
    struct db *ro, *other = NULL;
    pthread_t thread;
    int status = EX_OK;

    if (access(path, F_OK) != 0) {
        fprintf(stderr, "weir: %s: %s\n", path, strerror(errno));
        return EX_NOINPUT;
    }
    if (db_open_reader(path, &ro, why)) {
        fprintf(stderr, "weir: %s\n", why);
        return EX_IOERR;
    }
    setup.ro = ro;
    if (db_schema_version(ro) != db_schema_newest()) {
        fprintf(stderr, "weir: %s is of an older Weir; start this one once, then it can be verified.\n", path);
        status = EX_NOINPUT;
        goto out;
    }
    if (db_open_reader(path, &other, why)) {
        fprintf(stderr, "weir: %s\n", why);
        status = EX_IOERR;
        goto out;
    }
    setup.part = VERIFY_EVENTS;
    v = verify_new(&setup);
    setup.part = VERIFY_TOTALS;
    setup.ro = other;
    totals = verify_new(&setup);
    if (pthread_create(&thread, NULL, to_its_end, totals) != 0) {
        (void)to_its_end(totals);
        (void)to_its_end(v);
    } else {
        (void)to_its_end(v);
        (void)pthread_join(thread, NULL);
    }
    verify_add(v, totals);
    if (verify_result(v)->failures)
        status = verify_result(v)->failed[VERIFY_STORAGE] ? EX_IOERR : EX_DATAERR;
    if (json)
        verify_json(v, out);
    else
        verify_print(v, out);
    verify_free(v);
out:
    db_close(other);
    db_close(ro);
    return status;
}

int cmd_verify(int argc, char **argv)
{
    bool json = argc == 1 && strcmp(argv[0], "--json") == 0;
    struct sb why = sb_make(8192), path = sb_make(8192), out = sb_make(OUT_MAX);
    struct settings *s = NULL;
    int status = EXIT_CONFIG;

    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(usage, stdout);
        status = EX_OK;
    } else if (argc > 1 || (argc == 1 && !json)) {
        fputs(usage, stderr);
        status = EX_USAGE;
    } else if ((s = settings_load(NULL, &why)) == NULL) {
        fprintf(stderr, "weir: %s\n", sb_str(&why));
    } else {
        sb_putf(&path, "%s/weir.db", s->state);
        status = check(s, sb_str(&path), json, &out);
    }
    if (out.len && (fputs(sb_str(&out), stdout) < 0 || fflush(stdout) != 0))
        status = EX_IOERR;
    settings_free(s);
    sb_done(&why);
    sb_done(&path);
    sb_done(&out);
    return status;
}
