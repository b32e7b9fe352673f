/* fcgi.c - acceptors around libfcgi.
 *
 * libfcgi would accept by itself, but behind a mutex one stalled peer stops the
 * service, without one it leaves for good at EMFILE, and neither way says who
 * connected. So each acceptor waits in an epoll of its own (EPOLLEXCLUSIVE: one
 * wakes per connection) beside a stop event, accepts, checks, and hands the
 * descriptor to FCGX_Accept_r(), whose listen socket is -1: after a bad peer it
 * returns instead of accepting. `keepConnection` is 1 across that call, or the
 * library would close the descriptor first, and 0 after it. */
#include "web/fcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    BACKLOG = 4096,
    PARAMS_MAX = 128,                /* nginx's own plus the client's headers */
    PARAMS_BYTES_MAX = 64 * 1024,
    PIECE_BYTES = 32 * 1024,         /* FCGX_PutStr takes an int; small pieces keep its buffer in the cache */
    PEERS_MAX = 4,
    NO_DESCRIPTORS_WAIT_MS = 50,
};

/* Who may run nginx beside root and ourselves. */
static const char *const web_users[] = {"www-data", "nginx"};
static const char *const web_groups[] = {"www-data", "nginx"};

struct fcgi_request {
    FCGX_Request r;
    bool body_read;                  /* to its end */
    bool broken;                     /* the peer is gone or stalled */
    bool moved;
};

struct fcgi {
    struct fcgi_config config;
    pthread_t *threads;
    int n;
    int stop_fd;                     /* eventfd, readable for ever once written */
    atomic_bool stop, drain;
    uid_t peers[PEERS_MAX];
    int n_peers;
    _Atomic int64_t complained_us;   /* when a lack of descriptors was last logged */
};

void fcgi_init(void)
{
    /* Milliseconds libfcgi may linger in close; the default is two seconds. */
    (void)setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "50", 1);
    (void)FCGX_Init();
    (void)signal(SIGPIPE, SIG_IGN);
}

/* --- the listening socket --- */

static gid_t nginx_group(void)
{
    for (size_t i = 0; i < sizeof web_groups / sizeof *web_groups; i++) {
        const struct group *g = getgrnam(web_groups[i]);

        if (g)
            return g->gr_gid;
    }
    return (gid_t)-1;
}

int fcgi_listen(const char *path, struct sb *why)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = -1, bound;
    mode_t old;

    if ((size_t)snprintf(addr.sun_path, sizeof addr.sun_path, "%s.new", path) >= sizeof addr.sun_path) {
        sb_putf(why, "%s: the path of a socket has at most %zu bytes; choose a shorter state folder or socket", path,
                sizeof addr.sun_path - sizeof ".new");
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        goto fail;
    (void)unlink(addr.sun_path);
    old = umask(0117);
    bound = bind(fd, (const struct sockaddr *)&addr, sizeof addr);
    (void)umask(old);
    if (bound < 0)
        goto fail;
    if (geteuid() == 0 && nginx_group() != (gid_t)-1 && chown(addr.sun_path, (uid_t)-1, nginx_group()) < 0)
        goto fail;
    if (listen(fd, BACKLOG) < 0 || rename(addr.sun_path, path) < 0)
        goto fail;
    return fd;
fail:
    sb_putf(why, "%s: cannot listen: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    (void)unlink(addr.sun_path);
    return -1;
}

/* --- one request --- */

const char *const *fcgi_params(const struct fcgi_request *rq)
{
    return (const char *const *)rq->r.envp;
}

static bool params_in_bounds(char *const *envp)
{
    size_t n = 0, bytes = 0;

    for (; envp[n]; n++) {
        bytes += strlen(envp[n]);
        if (n >= PARAMS_MAX || bytes > PARAMS_BYTES_MAX)
            return false;
    }
    return true;
}

int fcgi_read_piece(struct fcgi_request *rq, void *to, int size)
{
    int n = rq->body_read ? 0 : FCGX_GetStr(to, size, rq->r.in);

    if (n > 0)
        return n;
    rq->body_read = true;
    if (FCGX_GetError(rq->r.in))
        rq->broken = true;
    return rq->broken ? -1 : 0;
}

/* Until 0 in every case, also for GET: bytes left unread make the later close a reset, which nginx answers with 502. */
static int64_t read_to_end(struct fcgi_request *rq, size_t keep, struct sb *body)
{
    char piece[8192];
    int64_t all = 0;
    int n;

    while ((n = fcgi_read_piece(rq, piece, sizeof piece)) > 0) {
        size_t room = all < (int64_t)keep ? keep - (size_t)all : 0;

        if (room)
            sb_put(body, piece, (size_t)n < room ? (size_t)n : room);
        all += n;
    }
    return all;
}

bool fcgi_read_body(struct fcgi_request *rq, size_t keep, struct sb *body, int64_t *total)
{
    *total = read_to_end(rq, keep, body);
    return !rq->broken;
}

bool fcgi_reply(struct fcgi_request *rq, const void *p, size_t n)
{
    const char *at = p;

    (void)read_to_end(rq, 0, NULL);
    while (n && !rq->broken) {
        int piece = n < PIECE_BYTES ? (int)n : PIECE_BYTES;

        /* The error is asked for, not the result: libfcgi reports it once and then pretends success. */
        (void)FCGX_PutStr(at, piece, rq->r.out);
        rq->broken = FCGX_GetError(rq->r.out) != 0;
        at += piece;
        n -= (size_t)piece;
    }
    return !rq->broken;
}

bool fcgi_move(struct fcgi_request *rq, struct peer_client *out)
{
    int fd, flags;

    (void)read_to_end(rq, 0, NULL);
    if (rq->broken)
        return false;
    fd = rq->r.ipcFd;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return false;
    *out = (struct peer_client){.fd = fd, .fcgi_id = (uint16_t)rq->r.requestId};
    FCGX_Free(&rq->r, 0);            /* streams and parameters, 17 KB; the descriptor stays open */
    rq->r.ipcFd = -1;
    rq->moved = true;
    return true;
}

/* --- acceptors --- */

static void allow_peer(struct fcgi *f, uid_t uid)
{
    if (f->n_peers < PEERS_MAX)
        f->peers[f->n_peers++] = uid;
}

static bool peer_may(const struct fcgi *f, int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
        return false;
    for (int i = 0; i < f->n_peers; i++) {
        if (f->peers[i] == who.uid)
            return true;
    }
    log_warn("fcgi: refused a connection from user %u, process %d: only nginx may connect", (unsigned)who.uid, (int)who.pid);
    return false;
}

static bool set_timeout(int fd, int which, int ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    return setsockopt(fd, SOL_SOCKET, which, &tv, sizeof tv) == 0;
}

/* Said by nginx in the same words where it notices by itself. */
static const char too_many_headers[] =
    "Status: 431 Request Header Fields Too Large\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\r\n"
    "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"headers_too_large\",\"message\":\"The request has too many "
    "headers: about a hundred at most.\",\"param\":null,\"request_id\":null,\"retry_after_ms\":null}}\n";

/* Takes the descriptor. */
static void serve_connection(struct fcgi *f, struct fcgi_request *rq, int fd, void *thread)
{
    const char *method;

    if (!peer_may(f, fd) || !set_timeout(fd, SO_RCVTIMEO, f->config.first_timeout_ms)
        || !set_timeout(fd, SO_SNDTIMEO, f->config.io_timeout_ms)) {
        (void)close(fd);
        return;
    }
    rq->body_read = rq->broken = rq->moved = false;
    rq->r.ipcFd = fd;
    rq->r.keepConnection = 1;
    if (FCGX_Accept_r(&rq->r) != 0) {        /* a broken or stalled peer; libfcgi has closed it */
        rq->r.ipcFd = -1;
        rq->r.keepConnection = 0;
        return;
    }
    rq->r.keepConnection = 0;
    (void)set_timeout(fd, SO_RCVTIMEO, f->config.io_timeout_ms);
    /* A peer that broke off among the parameters looks like a success with some missing. */
    method = FCGX_GetParam("REQUEST_METHOD", rq->r.envp);
    if (method && params_in_bounds(rq->r.envp))
        f->config.serve(rq, f->config.ctx, thread);
    else if (method)
        (void)fcgi_reply(rq, too_many_headers, sizeof too_many_headers - 1);
    if (rq->moved)
        return;
    (void)read_to_end(rq, 0, NULL);
    /* Everything was read, so a plain close is clean; undetached it would wait for the peer's close. */
    (void)FCGX_Detach(&rq->r);
    FCGX_Finish_r(&rq->r);
}

static void wait_for_descriptors(struct fcgi *f, int error)
{
    struct pollfd stop = {.fd = f->stop_fd, .events = POLLIN};
    int64_t now = clock_mono_us();
    int64_t last = atomic_load(&f->complained_us);

    if ((last == 0 || now - last > 10 * USEC_PER_SEC) && atomic_compare_exchange_strong(&f->complained_us, &last, now))
        log_error("fcgi: cannot accept: %s; trying on", strerror(error));
    (void)poll(&stop, 1, NO_DESCRIPTORS_WAIT_MS);
}

/* Accept and serve until nothing waits. */
static void serve_waiting(struct fcgi *f, struct fcgi_request *rq, void *thread)
{
    while (!atomic_load(&f->stop) || atomic_load(&f->drain)) {
        int fd = accept4(f->config.listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
            serve_connection(f, rq, fd, thread);
            continue;
        }
        switch (errno) {
        case EMFILE: case ENFILE: case ENOBUFS: case ENOMEM:
            wait_for_descriptors(f, errno);
            return;
        case EINTR: case ECONNABORTED:
            continue;
        default:                     /* EAGAIN: another acceptor was faster */
            return;
        }
    }
}

static void *acceptor(void *arg)
{
    struct fcgi *f = arg;
    struct fcgi_request rq;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = f->config.listen_fd};
    struct epoll_event stop = {.events = EPOLLIN, .data.fd = f->stop_fd};
    int ep = epoll_create1(EPOLL_CLOEXEC);
    void *thread = f->config.thread_begin ? f->config.thread_begin(f->config.ctx) : NULL;
    bool waits;

    (void)prctl(PR_SET_NAME, "acceptor");
    memset(&rq, 0, sizeof rq);
    (void)FCGX_InitRequest(&rq.r, -1, 0);
    waits = ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, f->config.listen_fd, &ev) == 0
            && epoll_ctl(ep, EPOLL_CTL_ADD, f->stop_fd, &stop) == 0;
    if (!waits)
        log_error("fcgi: an acceptor cannot wait: %s", strerror(errno));
    while (waits && !atomic_load(&f->stop)) {
        (void)epoll_wait(ep, &ev, 1, -1);
        serve_waiting(f, &rq, thread);
    }
    if (atomic_load(&f->drain))
        serve_waiting(f, &rq, thread);
    if (ep >= 0)
        (void)close(ep);
    return NULL;
}

struct fcgi *fcgi_start(const struct fcgi_config *config)
{
    struct fcgi *f = mem_zalloc(1, sizeof *f);
    sigset_t all, old;

    f->config = *config;
    f->threads = mem_zalloc((size_t)config->threads, sizeof *f->threads);
    allow_peer(f, 0);
    allow_peer(f, geteuid());
    for (size_t i = 0; i < sizeof web_users / sizeof *web_users; i++) {
        const struct passwd *p = getpwnam(web_users[i]);

        if (p)
            allow_peer(f, p->pw_uid);
    }
    f->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (f->stop_fd < 0) {
        log_error("fcgi: no descriptor for the stop event: %s", strerror(errno));
        goto fail;
    }
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    while (f->n < config->threads) {
        int rc = pthread_create(&f->threads[f->n], NULL, acceptor, f);

        if (rc) {
            log_error("fcgi: cannot start acceptor %d of %d: %s", f->n + 1, config->threads, strerror(rc));
            break;
        }
        f->n++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (f->n == config->threads)
        return f;
fail:
    fcgi_stop(f, false);
    return NULL;
}

void fcgi_stop(struct fcgi *f, bool drain)
{
    uint64_t one = 1;

    if (!f)
        return;
    atomic_store(&f->drain, drain);
    atomic_store(&f->stop, true);
    if (f->stop_fd >= 0) {
        if (write(f->stop_fd, &one, sizeof one) != (ssize_t)sizeof one)
            log_error("fcgi: the stop event cannot be set: %s", strerror(errno));
        for (int i = 0; i < f->n; i++)
            (void)pthread_join(f->threads[i], NULL);
        (void)close(f->stop_fd);
    }
    free(f->threads);
    free(f);
}
