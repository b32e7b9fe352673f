/* loop.c - the engine's thread: waits on every descriptor at once, then takes
 * one turn: what arrived, what providers sent, what time has made due.
 *
 * An epoll event names a client by slot and generation, so that one that is
 * stale by the time it is looked at finds nothing. libcurl's sockets are named
 * by descriptor: for libcurl a needless wake-up is harmless. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "flow/engine_impl.h"

enum { EVENTS = 512 };
enum { KIND_WAKE = 1, KIND_CURL, KIND_CLIENT };      /* the two highest bits of an event's data */

static uint64_t tag(uint64_t kind, uint32_t generation, uint32_t which)
{
    return kind << 62 | (uint64_t)(generation & 0x3fffffff) << 32 | which;
}

/* --- clients --- */

bool loop_watch(struct engine *e, int fd, struct watch *w, struct job *j, struct reader *r)
{
    struct epoll_event ev = {.events = EPOLLRDHUP};
    struct slot *s;

    if (e->slot_free == e->slot_count) {
        uint32_t more = e->slot_count ? e->slot_count * 2 : 256;

        e->slots = mem_grow(e->slots, more, sizeof *e->slots);
        for (uint32_t i = e->slot_count; i < more; i++)
            e->slots[i] = (struct slot){.next_free = i + 1};
        e->slot_count = more;
    }
    w->slot = e->slot_free;
    s = &e->slots[w->slot];
    e->slot_free = s->next_free;
    s->job = j;
    s->reader = r;
    ev.data.u64 = tag(KIND_CLIENT, s->generation, w->slot);
    return epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

void loop_want_out(struct engine *e, int fd, struct watch *w, bool on)
{
    struct epoll_event ev = {.events = on ? EPOLLRDHUP | EPOLLOUT : EPOLLRDHUP,
                             .data.u64 = tag(KIND_CLIENT, e->slots[w->slot].generation, w->slot)};

    if (w->wants_out == on || fd < 0)
        return;
    w->wants_out = on;
    (void)epoll_ctl(e->epoll_fd, EPOLL_CTL_MOD, fd, &ev);
}

void loop_forget(struct engine *e, int fd, struct watch *w)
{
    struct slot *s = &e->slots[w->slot];

    if (fd >= 0)
        (void)epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    s->job = NULL;
    s->reader = NULL;
    s->generation++;
    s->next_free = e->slot_free;
    e->slot_free = w->slot;
}

static void on_client(struct engine *e, uint64_t data, uint32_t events)
{
    const struct slot *s = &e->slots[(uint32_t)data];
    bool gone = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);

    if ((!s->job && !s->reader) || (s->generation & 0x3fffffff) != (data >> 32 & 0x3fffffff))
        return;
    if (s->job && gone)
        conduct_client_gone(e, s->job);
    else if (s->job && (events & EPOLLOUT))
        conduct_client_writable(e, s->job);
    else if (s->reader && gone)
        follow_reader_gone(e, s->reader);
    else if (s->reader && (events & EPOLLOUT))
        follow_reader_writable(e, s->reader);
}

/* --- libcurl --- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct engine *e = ctx;
    struct epoll_event ev = {.data.u64 = tag(KIND_CURL, 0, (uint32_t)fd)};

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, fd, NULL);      /* may be closed already */
        return 0;
    }
    if (what & CURL_POLL_IN)
        ev.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        ev.events |= EPOLLOUT;
    if (epoll_ctl(e->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) < 0 &&
        epoll_ctl(e->epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev) < 0)
        log_error("engine: epoll refuses a provider's socket");
    if (!known)
        curl_multi_assign(e->multi, fd, e);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
    struct engine *e = ctx;

    (void)multi;
    e->curl_due_us = ms < 0 ? INT64_MAX : clock_mono_us() + ms * USEC_PER_MS;
    return 0;
}

static void curl_act(struct engine *e, curl_socket_t fd, uint32_t events)
{
    int what = 0, running;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        what |= CURL_CSELECT_ERR;
    (void)curl_multi_socket_action(e->multi, fd, what, &running);
}

static void curl_collect(struct engine *e)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(e->multi, &left))) {
        CURL *easy = m->easy_handle;
        CURLcode code = m->data.result;

        if (m->msg == CURLMSG_DONE && !models_finished(e, easy, code))
            attempt_finished(e, easy, code);
    }
}

static void curl_set_up(struct engine *e)
{
    e->curl_due_us = INT64_MAX;
    curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
    curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
    curl_multi_setopt(e->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, 1024L);
}

/* --- turns --- */

static void tick(struct engine *e)
{
    e->tick_us = e->now_us + (e->job_count > 0 ? ENGINE_TICK_US : ENGINE_IDLE_TICK_US);
    for (struct job *j = e->jobs, *next; j; j = next) {
        next = j->next;
        attempt_tick(e, j);
        lease_tick(e, j);
        relay_tick(e, j);
    }
    marks_tick(e);
    follow_tick(e);
    models_tick(e);
    admit_calendar(e->admit, e->now_us, clock_utc_ms());
    e->places_due = true;
    if (e->stopping && e->now_us >= e->drain_until_us)
        conduct_drain(e);
}

/* How long nothing is due, in milliseconds rounded up. */
static int idle_ms(struct engine *e)
{
    int64_t due = e->tick_us, wake = admit_wake_us(e->admit, e->now_us), now;

    if (wake < due)
        due = wake;
    if (e->curl_due_us < due)
        due = e->curl_due_us;
    if (pace_due_us(e) < due)
        due = pace_due_us(e);
    if (probe_due_us(e) < due)
        due = probe_due_us(e);
    if (e->places_due && e->places_us < due)
        due = e->places_us;
    now = clock_mono_us();
    return due <= now ? 0 : (int)((due - now + USEC_PER_MS - 1) / USEC_PER_MS);
}

static void turn(struct engine *e, const struct epoll_event *ev, int n)
{
    for (int i = 0; i < n; i++)
        switch (ev[i].data.u64 >> 62) {
        case KIND_WAKE:
            engine_deliver(e);
            break;
        case KIND_CURL:
            curl_act(e, (curl_socket_t)(uint32_t)ev[i].data.u64, ev[i].events);
            break;
        default:
            on_client(e, ev[i].data.u64, ev[i].events);
        }
    if (e->curl_due_us <= e->now_us) {
        e->curl_due_us = INT64_MAX;
        curl_act(e, CURL_SOCKET_TIMEOUT, 0);
    }
    curl_collect(e);
    pace_turn(e);
    probe_turn(e);
    conduct_turn(e);
    if (e->now_us >= e->tick_us)
        tick(e);
    relay_flush(e);
    conduct_bury(e);
    follow_bury(e);
}

void *loop_run(void *engine)
{
    struct engine *e = engine;
    struct epoll_event *events = mem_zalloc(EVENTS, sizeof *events);
    struct epoll_event wake = {.events = EPOLLIN, .data.u64 = tag(KIND_WAKE, 0, 0)};

    (void)prctl(PR_SET_NAME, "engine");
    curl_set_up(e);
    if (epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->wake_fd, &wake) < 0)
        log_error("engine: epoll refuses the inbox");
    while (!e->stopping || e->job_count > 0 || e->marks) {
        int n = epoll_wait(e->epoll_fd, events, EVENTS, idle_ms(e));

        e->now_us = clock_mono_us();
        turn(e, events, n);
    }
    free(events);
    return NULL;
}
