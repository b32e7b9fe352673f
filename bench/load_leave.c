/* load_leave.c - two small measurements: how long after a client's leaving the
 * provider's connection is closed, and what one commit costs on this disk. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "load.h"

enum { ANSWER_MAX = 1 << 20 };

/* Receive once, waiting at most 5 s; bytes, or <= 0. */
static ssize_t wait_read(int fd, char *p, size_t n)
{
    struct pollfd w = {fd, POLLIN, 0};

    return poll(&w, 1, 5000) == 1 ? recv(fd, p, n, 0) : -1;
}

static int send_all(int fd, const struct sb *b)
{
    struct pollfd w = {fd, POLLOUT, 0};

    return poll(&w, 1, 5000) == 1 && send(fd, b->p, b->len, MSG_NOSIGNAL) == (ssize_t)b->len ? 0 : -1;
}

/* "aborted" and "last_abort_us" of the stand-in. */
static int ask_judge(const struct load_options *o, int64_t *aborted, int64_t *at_us)
{
    struct load_options j = {.address = o->address, .port = (int)o->judge_port, .method = "GET", .path = "/_judge/totals"};
    struct sb request = sb_make(4096), answer = sb_make(ANSWER_MAX);
    int fd = load_connect(&j, j.port, 0), status = 0, rc = -1;
    const char *a, *b;
    char buf[16384];

    load_request(&request, &j, true);
    if (fd < 0 || send_all(fd, &request))
        goto out;
    while (load_answer(sb_str(&answer), answer.len, &status) == 0) {
        ssize_t n = wait_read(fd, buf, sizeof buf);

        if (n <= 0)
            goto out;
        sb_put(&answer, buf, (size_t)n);
    }
    a = strstr(sb_str(&answer), "\"aborted\":");
    b = strstr(sb_str(&answer), "\"last_abort_us\":");
    if (!a || !b)
        goto out;
    *aborted = strtoll(a + 10, NULL, 10);
    *at_us = strtoll(b + 16, NULL, 10);
    rc = 0;
out:
    if (fd >= 0)
        (void)close(fd);
    sb_done(&request);
    sb_done(&answer);
    return rc;
}

/* One stream: wait for a chunk, leave, ask when the stand-in saw it. Microseconds, or -1. */
static int64_t leave_once(const struct load_options *o, int64_t n)
{
    struct sb request = sb_make(65536);
    int64_t before = 0, after = 0, at_us = 0, left_us, took = -1;
    char buf[65536];
    int fd = -1;

    if (ask_judge(o, &before, &at_us))
        goto out;
    fd = load_connect(o, o->port, n);
    load_request(&request, o, false);
    if (fd < 0 || send_all(fd, &request))
        goto out;
    for (bool chunk = false; !chunk;) {
        ssize_t got = wait_read(fd, buf, sizeof buf);

        if (got <= 0)
            goto out;
        chunk = memchr(buf, '@', (size_t)got) != NULL;
    }
    left_us = clock_mono_us();
    (void)close(fd);
    fd = -1;
    for (int tries = 0; tries < 2000 && after <= before; tries++)
        if (ask_judge(o, &after, &at_us))
            goto out;
    if (after > before)
        took = at_us - left_us;
out:
    if (fd >= 0)
        (void)close(fd);
    sb_done(&request);
    return took;
}

int load_leave(const struct load_options *o)
{
    struct sb out = sb_make(4096);
    struct hist h = {0};
    int64_t failed = 0;

    for (int64_t i = 0; i < o->count; i++) {
        int64_t took = leave_once(o, i);

        if (took < 0)
            failed++;
        else
            hist_add(&h, took);
    }
    sb_putf(&out, "{\"left\":%" PRId64 ",\"failed\":%" PRId64 ",", o->count, failed);
    load_percentiles(&out, &h);
    sb_putc(&out, '}');
    (void)puts(sb_str(&out));
    return 0;
}

/* A commit as large as one of Weir's for a single call: nine pages. */
int load_commits(const struct load_options *o)
{
    char path[512], sql[] = "INSERT INTO t(x) VALUES (zeroblob(32000))";
    struct sb out = sb_make(4096);
    struct hist h = {0};
    sqlite3 *db = NULL;

    (void)snprintf(path, sizeof path, "%s/commits.db", o->dir);
    if (sqlite3_open(path, &db) || sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(x)", NULL, NULL, NULL)) {
        (void)fprintf(stderr, "load: %s: %s\n", path, sqlite3_errmsg(db));
        sqlite3_close(db);
        return 1;
    }
    for (int64_t i = 0; i < o->count; i++) {
        int64_t began_us = clock_mono_us();

        if (sqlite3_exec(db, sql, NULL, NULL, NULL))
            break;
        hist_add(&h, clock_mono_us() - began_us);
    }
    sqlite3_close(db);
    (void)unlink(path);
    sb_putf(&out, "{\"commits\":%" PRId64 ",", h.n);
    load_percentiles(&out, &h);
    sb_putc(&out, '}');
    (void)puts(sb_str(&out));
    return h.n == o->count ? 0 : 1;
}
