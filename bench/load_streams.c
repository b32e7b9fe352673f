/* load_streams.c - many event streams at once. Each chunk of the stand-in's
 * `chunks-N-RATE` carries the moment it was sent ("@microseconds "), so what a
 * hop adds to each chunk is read off as it arrives.
 *
 * Three phases: open all at the ramp's pace; once each has its first event,
 * measure for the given seconds; then see that each ended properly, or leave if
 * they wait in a queue (no chunk ever came). */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "load.h"
#include "watch.h"

enum { BATCH = 512, TAIL = 32, END_WAIT_S = 120 };

struct stream {
    int fd;
    bool asked, answered, ended, finished;   /* finished: a terminal event was seen */
    int64_t opened_us;
    int64_t stamp;             /* digits of a stamp under way; -1: none */
    int digits;
    unsigned tail_len;
    char tail[TAIL];           /* the last bytes, so that a word cut in two is found */
};

static struct {
    const struct load_options *o;
    int epoll;
    struct sb request;
    struct stream *all;
    struct hist added, first;  /* a chunk's time on the way; opening to first event */
    int64_t opened, begun, live, chunks, events, failed, finished;
    bool measuring;
    char bad[600];
} run;

static void stream_open(struct stream *s)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = s};

    s->stamp = -1;
    s->opened_us = clock_mono_us();
    s->fd = load_connect(run.o, run.o->port, run.opened++);
    if (s->fd < 0 || epoll_ctl(run.epoll, EPOLL_CTL_ADD, s->fd, &ev)) {
        (void)fprintf(stderr, "load: connect: %s\n", strerror(errno));
        exit(1);
    }
    run.live++;
}

static void stream_end(struct stream *s)
{
    if (s->ended)
        return;
    s->ended = true;
    (void)close(s->fd);
    run.live--;
    if (s->finished)
        run.finished++;
    else
        run.failed++;
}

static void stream_ask(struct stream *s)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
    ssize_t n = send(s->fd, run.request.p, run.request.len, MSG_NOSIGNAL);

    if (n != (ssize_t)run.request.len) {
        stream_end(s);
        return;
    }
    s->asked = true;
    (void)epoll_ctl(run.epoll, EPOLL_CTL_MOD, s->fd, &ev);
}

/* Read the stamps of `n` new bytes. */
static void take_stamps(struct stream *s, const char *p, size_t n, int64_t now_us)
{
    const char *end = p + n;

    while (p < end) {
        if (s->stamp < 0) {
            p = memchr(p, '@', (size_t)(end - p));
            if (!p)
                return;
            s->stamp = 0;
            s->digits = 0;
            p++;
        }
        while (p < end && isdigit((unsigned char)*p) && s->digits < 18) {
            s->stamp = s->stamp * 10 + (*p++ - '0');
            s->digits++;
        }
        if (p == end)
            return;
        if (s->digits >= 6 && *p == ' ') {
            if (run.measuring) {
                run.chunks++;
                hist_add(&run.added, now_us - s->stamp);
            }
        }
        s->stamp = -1;
    }
}

static int64_t count_word(const char *p, size_t n, const char *word)
{
    size_t len = strlen(word);
    int64_t found = 0;

    for (const char *at = p; (at = memmem(at, n - (size_t)(at - p), word, len)) != NULL; at += len)
        found++;
    return found;
}

/* Does one of the words that end a stream stand here? Each protocol has its own. */
static bool has_end(const char *p, size_t n)
{
    static const char *const ends[] = {"event: done", "data: [DONE]", "event: message_stop", "event: response.completed"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (memmem(p, n, ends[i], strlen(ends[i])))
            return true;
    return false;
}

static void take(struct stream *s, const char *p, size_t n, int64_t now_us)
{
    char joined[2 * TAIL];
    size_t head = n < TAIL ? n : TAIL;

    if (!s->answered) {
        s->answered = true;
        run.begun++;
        hist_add(&run.first, now_us - s->opened_us);
        if (n < 12 || memcmp(p, "HTTP/1.1 200", 12) != 0)
            (void)snprintf(run.bad, sizeof run.bad, "%.*s", (int)(n < 590 ? n : 590), p);
    }
    take_stamps(s, p, n, now_us);
    if (run.measuring)
        run.events += count_word(p, n, "\nevent: queue");
    memcpy(joined, s->tail, s->tail_len);
    memcpy(joined + s->tail_len, p, head);
    s->finished = s->finished || has_end(joined, s->tail_len + head) || has_end(p, n);
    if (memmem(p, n, "event: error", 12))
        (void)snprintf(run.bad, sizeof run.bad, "%.*s", (int)(n < 590 ? n : 590), p);
    s->tail_len = (unsigned)head;
    memcpy(s->tail, p + n - head, head);
}

static void stream_read(struct stream *s)
{
    char buf[65536];
    ssize_t n = recv(s->fd, buf, sizeof buf, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        stream_end(s);
    else
        take(s, buf, (size_t)n, clock_mono_us());
}

/* Serve events until `until_us` or until *enough reaches `want`. */
static void spin(int64_t until_us, const int64_t *enough, int64_t want, int64_t open_until)
{
    static struct epoll_event ev[BATCH];
    int64_t began_us = clock_mono_us(), base = run.opened;

    for (int64_t now_us = began_us; now_us < until_us && (!enough || (want ? *enough < want : *enough > 0));
         now_us = clock_mono_us()) {
        int64_t due = base + (now_us - began_us) * run.o->ramp / USEC_PER_SEC;
        int n;

        while (run.opened < open_until && run.opened < due)
            stream_open(&run.all[run.opened]);
        n = epoll_wait(run.epoll, ev, BATCH, run.opened < open_until ? 1 : 20);
        for (int i = 0; i < n; i++) {
            struct stream *s = ev[i].data.ptr;

            if (!s->asked && (ev[i].events & EPOLLOUT))
                stream_ask(s);
            if (!s->ended && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                stream_read(s);
        }
    }
}

int load_streams(const struct load_options *o)
{
    struct sb out = sb_make(4096);
    int64_t begun, took_us;

    run.o = o;
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    run.request = sb_make(65536);
    load_request(&run.request, o, false);
    run.all = mem_zalloc((size_t)o->connections, sizeof *run.all);
    spin(clock_mono_us() + 120 * USEC_PER_SEC, &run.begun, o->connections, o->connections);
    begun = run.begun;
    run.measuring = true;
    watch_begin();
    took_us = clock_mono_us();
    spin(took_us + o->seconds * USEC_PER_SEC, NULL, 0, 0);
    took_us = clock_mono_us() - took_us;
    watch_end();
    run.measuring = false;
    if (run.chunks)
        spin(clock_mono_us() + END_WAIT_S * USEC_PER_SEC, &run.live, 0, 0);
    sb_putf(&out, "{\"streams\":%" PRId64 ",\"begun\":%" PRId64 ",\"finished\":%" PRId64 ",\"failed\":%" PRId64
            ",\"open\":%" PRId64 ",\"chunks\":%" PRId64 ",\"queue_events\":%" PRId64 ",\"took_us\":%" PRId64 ",\"first\":{",
            o->connections, begun, run.finished, run.failed, run.live, run.chunks, run.events, took_us);
    load_percentiles(&out, &run.first);
    sb_puts(&out, "},\"added\":{");
    load_percentiles(&out, &run.added);
    sb_puts(&out, "},");
    watch_json(&out);
    sb_putc(&out, '}');
    (void)puts(sb_str(&out));
    if (*run.bad)
        (void)fprintf(stderr, "load: one stream said: %s\n", run.bad);
    return 0;
}
