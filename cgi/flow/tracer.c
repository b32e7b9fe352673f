/* tracer.c - gathered for a moment, sent together. */
#include "flow/tracer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "peer/otlp.h"

enum { BODY_MAX = 32 * 1024 * 1024, FIRST_PAUSE_MS = 1000 };
#define LOG_EVERY_US (60 * USEC_PER_SEC)

struct tracer {
    struct otlp *otlp;
    pthread_t thread;
    int wake_fd;                         /* eventfd: the first waits, a batch is full, or it is time to stop */
    atomic_int_least64_t stop_by_us;     /* 0: not yet */
    atomic_int_least64_t sent, dropped_full, dropped_failed;
    int64_t most;                        /* that may wait */
    int64_t said_us;                     /* a failure was logged last; 0: never */

    pthread_mutex_t lock;                /* leaf: over the queue alone */
    struct trace *first, **end;
    int64_t waiting;                     /* in the queue or in the batch that is being sent */
    int64_t queued;                      /* in the queue */
};

static bool is_stopping(void *tracer)
{
    struct tracer *tr = tracer;

    return atomic_load(&tr->stop_by_us) != 0;
}

static bool is_out_of_time(void *tracer)
{
    struct tracer *tr = tracer;

    return is_stopping(tr) && clock_mono_us() >= atomic_load(&tr->stop_by_us);
}

static void wake(struct tracer *tr)
{
    (void)!write(tr->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* Until woken or for `ms` (-1: for ever). */
static void rest(struct tracer *tr, int ms)
{
    struct pollfd p = {.fd = tr->wake_fd, .events = POLLIN};
    uint64_t ignored;

    if (poll(&p, 1, ms) > 0)
        (void)!read(tr->wake_fd, &ignored, sizeof ignored);
}

/* For `ms`, or until it is time to stop. */
static void pause_for(struct tracer *tr, int64_t ms)
{
    int64_t until = clock_mono_us() + ms * USEC_PER_MS, left;

    while (!is_stopping(tr) && (left = until - clock_mono_us()) > 0)
        rest(tr, (int)(left / USEC_PER_MS) + 1);
}

void tracer_give(struct tracer *tr, struct trace *t)
{
    bool wanted, full;

    t->next = NULL;
    pthread_mutex_lock(&tr->lock);
    full = tr->waiting >= tr->most;
    if (!full) {
        *tr->end = t;
        tr->end = &t->next;
        tr->waiting++;
        tr->queued++;
    }
    wanted = !full && (tr->queued == 1 || tr->queued == TRACER_BATCH);
    pthread_mutex_unlock(&tr->lock);
    if (full) {
        atomic_fetch_add(&tr->dropped_full, 1);
        trace_free(t);
    } else if (wanted)
        wake(tr);
}

static int64_t queued(struct tracer *tr)
{
    int64_t n;

    pthread_mutex_lock(&tr->lock);
    n = tr->queued;
    pthread_mutex_unlock(&tr->lock);
    return n;
}

/* The first of the queue, at most a batch; NULL: there is none. */
static struct trace *take(struct tracer *tr, int64_t *n)
{
    struct trace *list, **last = &list;

    pthread_mutex_lock(&tr->lock);
    list = tr->first;
    for (*n = 0; *last && *n < TRACER_BATCH; ++*n)
        last = &(*last)->next;
    tr->first = *last;
    if (!tr->first)
        tr->end = &tr->first;
    tr->queued -= *n;
    pthread_mutex_unlock(&tr->lock);
    *last = NULL;
    return list;
}

static void complain(struct tracer *tr, const char *why)
{
    int64_t now_us = clock_mono_us();

    if (tr->said_us && now_us - tr->said_us < LOG_EVERY_US)
        return;
    tr->said_us = now_us;
    log_warn("tracer: traces are dropped, %lld so far: %s", (long long)(atomic_load(&tr->dropped_full) + atomic_load(&tr->dropped_failed)),
             why);
}

static bool deliver(struct tracer *tr, const struct trace *list)
{
    struct sb body = sb_make(BODY_MAX);
    char why[OTLP_WHY] = "The batch is too large.";
    enum otlp_result result = OTLP_REFUSED;

    trace_json(&body, list, PACKAGE_VERSION);
    for (int tries = 1; sb_ok(&body) && tries <= TRACER_TRIES; tries++) {
        result = otlp_send(tr->otlp, sb_str(&body), body.len, why);
        if (result != OTLP_AGAIN || is_stopping(tr) || tries == TRACER_TRIES)
            break;
        pause_for(tr, FIRST_PAUSE_MS << (tries - 1));
    }
    sb_done(&body);
    if (result != OTLP_SENT)
        complain(tr, why);
    return result == OTLP_SENT;
}

static void send_batch(struct tracer *tr)
{
    int64_t n;
    struct trace *list = take(tr, &n);
    bool ok = n > 0 && !is_out_of_time(tr) && deliver(tr, list);

    atomic_fetch_add(ok ? &tr->sent : &tr->dropped_failed, n);
    pthread_mutex_lock(&tr->lock);
    tr->waiting -= n;
    pthread_mutex_unlock(&tr->lock);
    while (list) {
        struct trace *next = list->next;

        trace_free(list);
        list = next;
    }
}

static void *tracer(void *arg)
{
    struct tracer *tr = arg;

    (void)prctl(PR_SET_NAME, "tracer");
    for (;;) {
        int64_t n = queued(tr);

        if (n == 0 && is_stopping(tr))
            return NULL;
        if (n == 0) {
            rest(tr, -1);
            continue;
        }
        if (n < TRACER_BATCH && !is_stopping(tr))
            rest(tr, TRACER_LINGER_MS);
        send_batch(tr);
    }
}

static void tracer_free(struct tracer *tr)
{
    if (tr->wake_fd >= 0)
        (void)close(tr->wake_fd);
    otlp_free(tr->otlp);
    pthread_mutex_destroy(&tr->lock);
    free(tr);
}

struct tracer *tracer_start(const struct settings *s)
{
    struct tracer *tr;
    int rc;

    if (!s->otlp.endpoint)
        return NULL;
    tr = mem_zalloc(1, sizeof *tr);
    tr->end = &tr->first;
    tr->most = s->otlp.max_queue;
    pthread_mutex_init(&tr->lock, NULL);
    tr->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    tr->otlp = otlp_new(s->otlp.endpoint, s->otlp.headers, s->ca_file, is_out_of_time, tr);
    rc = tr->wake_fd < 0 || !tr->otlp ? ENOMEM : pthread_create(&tr->thread, NULL, tracer, tr);
    if (!rc)
        return tr;
    log_error("tracer: cannot start, no traces are exported: %s", strerror(rc));
    tracer_free(tr);
    return NULL;
}

void tracer_stop(struct tracer *tr)
{
    if (!tr)
        return;
    atomic_store(&tr->stop_by_us, clock_mono_us() + TRACER_STOP_MS * USEC_PER_MS);
    wake(tr);
    (void)pthread_join(tr->thread, NULL);
    tracer_free(tr);
}

void tracer_look(struct tracer *tr, struct tracer_state *out)
{
    *out = (struct tracer_state){0};
    if (!tr)
        return;
    pthread_mutex_lock(&tr->lock);
    out->pending = tr->waiting;
    pthread_mutex_unlock(&tr->lock);
    out->sent = atomic_load(&tr->sent);
    out->dropped_full = atomic_load(&tr->dropped_full);
    out->dropped_failed = atomic_load(&tr->dropped_failed);
}
