/* load_requests.c - keep-alive requests over a fixed number of connections, as
 * fast as they go or at a fixed rate. At a rate, time counts from when a request
 * was due, so that a stall is not left out of the figures. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "load.h"
#include "watch.h"

enum { IN_MAX = 1 << 20, BATCH = 256 };

struct client {
    int fd;
    int64_t due_us;            /* 0: idle */
    size_t sent;
    struct sb in;
    struct client *next_idle;
};

static struct {
    const struct load_options *o;
    int epoll;
    struct sb request;
    struct client *all, *idle;
    struct hist latency;
    int64_t answered, failed, reconnects, opened;
    bool measuring;
    int bad_status;
    char bad_text[160];
} run;

static void client_open(struct client *c)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};

    c->fd = load_connect(run.o, run.o->port, run.opened++);
    if (c->fd < 0 || epoll_ctl(run.epoll, EPOLL_CTL_ADD, c->fd, &ev)) {
        (void)fprintf(stderr, "load: connect: %s\n", strerror(errno));
        exit(1);
    }
}

static void client_reopen(struct client *c)
{
    (void)close(c->fd);
    sb_reset(&c->in);
    c->sent = 0;
    run.reconnects++;
    client_open(c);
}

static void client_send(struct client *c)
{
    while (c->due_us && c->sent < run.request.len) {
        ssize_t n = send(c->fd, run.request.p + c->sent, run.request.len - c->sent, MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
            return;
        if (n < 0) {
            client_reopen(c);
            return;
        }
        c->sent += (size_t)n;
    }
}

static void client_start(struct client *c, int64_t due_us)
{
    c->due_us = due_us;
    c->sent = 0;
    client_send(c);
}

static void client_done(struct client *c, int status, int64_t now_us)
{
    if (run.measuring) {
        hist_add(&run.latency, now_us - c->due_us);
        run.answered++;
        if (status != 200) {
            run.failed++;
            run.bad_status = status;
            (void)snprintf(run.bad_text, sizeof run.bad_text, "%.*s", 150,
                           c->in.len > 150 ? c->in.p + c->in.len - 150 : c->in.p);
        }
    }
    sb_reset(&c->in);
    c->due_us = 0;
    if (!run.o->rate)
        client_start(c, now_us);
    else {
        c->next_idle = run.idle;
        run.idle = c;
    }
}

static void client_read(struct client *c)
{
    char buf[65536];
    int status = 0;
    int64_t whole;

    for (;;) {
        ssize_t n = recv(c->fd, buf, sizeof buf, 0);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            if (c->due_us && c->in.len)
                run.failed++;
            client_reopen(c);      /* an idle connection may be closed by its server; the request is sent again */
            return;
        }
        sb_put(&c->in, buf, (size_t)n);
        whole = load_answer(c->in.p, c->in.len, &status);
        if (whole < 0) {
            run.failed++;
            client_reopen(c);
            return;
        }
        if (whole > 0)
            client_done(c, status, clock_mono_us());
    }
}

int load_requests(const struct load_options *o)
{
    static struct epoll_event ev[BATCH];
    struct sb out = sb_make(4096);
    int64_t start_us, warm_us, end_us, due_us, late = 0;

    run.o = o;
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    run.request = sb_make(IN_MAX);
    load_request(&run.request, o, true);
    run.all = mem_zalloc((size_t)o->connections, sizeof *run.all);
    start_us = clock_mono_us();
    warm_us = start_us + USEC_PER_SEC;
    end_us = warm_us + o->seconds * USEC_PER_SEC;
    due_us = start_us;
    for (int64_t i = 0; i < o->connections; i++) {
        struct client *c = &run.all[i];

        c->in = sb_make(IN_MAX);
        client_open(c);
        if (!o->rate)
            client_start(c, start_us);
        else {
            c->next_idle = run.idle;
            run.idle = c;
        }
    }
    for (int64_t now_us = start_us; now_us < end_us; now_us = clock_mono_us()) {
        struct timespec wait = {0, 50000000};
        int n;

        if (!run.measuring && now_us >= warm_us) {
            run.measuring = true;
            watch_begin();
        }
        while (o->rate && due_us <= now_us) {
            struct client *c = run.idle;

            if (!c) {
                late++;
                break;
            }
            run.idle = c->next_idle;
            client_start(c, due_us);
            due_us += USEC_PER_SEC / o->rate;
        }
        if (o->rate && run.idle)
            wait.tv_nsec = due_us > now_us ? (due_us - now_us) * 1000 : 0;
        n = epoll_pwait2(run.epoll, ev, BATCH, &wait, NULL);
        for (int i = 0; i < n; i++) {
            struct client *c = ev[i].data.ptr;

            if (ev[i].events & EPOLLOUT)
                client_send(c);
            if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                client_read(c);
        }
    }
    watch_end();
    sb_putf(&out, "{\"requests\":%" PRId64 ",\"per_second\":%" PRId64 ",\"failed\":%" PRId64 ",\"reconnects\":%" PRId64
            ",\"late\":%" PRId64 ",\"last_bad_status\":%d,", run.answered, run.answered / o->seconds, run.failed,
            run.reconnects, late, run.bad_status);
    load_percentiles(&out, &run.latency);
    sb_putc(&out, ',');
    watch_json(&out);
    sb_putc(&out, '}');
    (void)puts(sb_str(&out));
    if (run.bad_status)
        (void)fprintf(stderr, "load: one answer was %d: …%s\n", run.bad_status, run.bad_text);
    return 0;
}
