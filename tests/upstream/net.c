/* net.c - accept, parse, send. Connections that ended are freed after the batch
 * of events they ended in, so that a stale event never meets freed memory. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { IN_MAX = 8 << 20, OUT_MAX = 64 << 20, KEEP_BYTES = 8192, BATCH = 256 };

struct wheel net_wheel;
struct net_counts net_counts;

static struct {
    int epoll, listener;
    const struct net_handler *handler;
    struct conn *dead;
} net = {.epoll = -1, .listener = -1};

int net_listen(const char *address, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t n = sizeof a;
    int one = 1;

    if (inet_pton(AF_INET, address, &a.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    net.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (net.listener < 0)
        return -1;
    (void)setsockopt(net.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(net.listener, (struct sockaddr *)&a, sizeof a) || listen(net.listener, 4096) ||
        getsockname(net.listener, (struct sockaddr *)&a, &n))
        return -1;
    return ntohs(a.sin_port);
}

static void conn_watch(struct conn *c, bool out, int op)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | (out ? EPOLLOUT : 0u), .data.ptr = c};

    c->want_out = out;
    (void)epoll_ctl(net.epoll, op, c->fd, &ev);
}

static void conn_end(struct conn *c, int64_t now_us)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};

    if (c->fd < 0)
        return;
    net.handler->gone(c, now_us);
    if (c->end == CONN_RESET)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    (void)close(c->fd);
    c->fd = -1;
    net_counts.open--;
    c->next_dead = net.dead;
    net.dead = c;
}

struct sb *net_out(struct conn *c)
{
    return &c->out;
}

void net_flush(struct conn *c)
{
    while (c->fd >= 0 && c->out_at < c->out.len) {
        ssize_t n = send(c->fd, c->out.p + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL);

        if (n >= 0)
            c->out_at += (size_t)n;
        else if (errno == EAGAIN) {
            if (!c->want_out)
                conn_watch(c, true, EPOLL_CTL_MOD);
            return;
        } else {
            conn_end(c, clock_mono_us());
            return;
        }
    }
    if (c->fd < 0)
        return;
    c->out_at = 0;
    if (c->out.cap > KEEP_BYTES)
        sb_done(&c->out);
    else
        sb_reset(&c->out);
    if (c->want_out)
        conn_watch(c, false, EPOLL_CTL_MOD);
    if (!c->busy && c->end != CONN_GOES_ON)
        conn_end(c, clock_mono_us());
}

/* Copy a header's value of `n` bytes, cut to fit. */
static void copy_value(char *to, size_t size, const char *from, size_t n)
{
    if (n >= size)
        n = size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

static bool is_header(const char *line, size_t n, const char *name, const char **value, size_t *value_len)
{
    size_t k = strlen(name);

    if (n <= k || line[k] != ':' || strncasecmp(line, name, k) != 0)
        return false;
    for (k++; k < n && line[k] == ' '; k++)
        ;
    *value = line + k;
    *value_len = n - k;
    return true;
}

/* The request line and the headers that matter. Returns the declared body length, or -1 if this is no request. */
static long long parse_head(const char *head, size_t len, struct request *r)
{
    const char *end = head + len, *line = memchr(head, '\r', len), *query;
    char target[512], version[12];
    long long body = 0;

    if (!line || line - head >= 600 || sscanf(head, "%7s %511s %11s", r->method, target, version) != 3)
        return -1;
    query = strchr(target, '?');
    copy_value(r->path, sizeof r->path, target, query ? (size_t)(query - target) : strlen(target));
    r->keep_alive = strcmp(version, "HTTP/1.1") == 0;
    for (line += 2; line < end;) {
        const char *eol = memchr(line, '\r', (size_t)(end - line)), *value;
        size_t n = eol ? (size_t)(eol - line) : (size_t)(end - line), vn;

        switch (*line | 0x20) {
        case 'a':
            if (is_header(line, n, "Authorization", &value, &vn))
                copy_value(r->auth, sizeof r->auth, value, vn);
            else if (is_header(line, n, "anthropic-version", &value, &vn))
                copy_value(r->version, sizeof r->version, value, vn);
            break;
        case 'c':
            if (is_header(line, n, "Content-Length", &value, &vn))
                body = strtoll(value, NULL, 10);
            else if (is_header(line, n, "Connection", &value, &vn) && vn == 5 && strncasecmp(value, "close", 5) == 0)
                r->keep_alive = false;
            break;
        case 't':
            if (is_header(line, n, "Transfer-Encoding", &value, &vn))
                return -1;      /* nobody here sends one; answering 400 tells who does */
            break;
        case 'x':
            if (is_header(line, n, "X-Request-Id", &value, &vn))
                copy_value(r->client_id, sizeof r->client_id, value, vn);
            else if (is_header(line, n, "x-api-key", &value, &vn))
                copy_value(r->api_key, sizeof r->api_key, value, vn);
            break;
        default:
            break;
        }
        line += n + 2;
    }
    return body >= 0 && body <= IN_MAX / 2 ? body : -1;
}

/* Hand over the request at the front of `in` if it is whole. True if one was taken. */
static bool take_request(struct conn *c, int64_t now_us)
{
    struct request r = {.keep_alive = true};
    char *end;
    long long body;
    size_t whole;

    if (c->busy || c->fd < 0 || !c->in.len)
        return false;
    end = memmem(c->in.p, c->in.len, "\r\n\r\n", 4);
    if (!end)
        return false;
    r.head = c->in.p;
    r.head_len = (size_t)(end - c->in.p) + 2;
    body = parse_head(r.head, r.head_len, &r);
    if (body < 0) {
        sb_puts(&c->out, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        net_answered(c, CONN_CLOSE);
        return false;
    }
    whole = r.head_len + 2 + (size_t)body;
    if (c->in.len < whole)
        return false;
    r.body = c->in.p + r.head_len + 2;
    r.body_len = (size_t)body;
    c->busy = true;
    c->keep_alive = r.keep_alive;
    net.handler->request(c, &r, now_us);
    memmove(c->in.p, c->in.p + whole, c->in.len - whole);
    c->in.len -= whole;
    if (!c->in.len && c->in.cap > KEEP_BYTES)
        sb_done(&c->in);
    return true;
}

void net_answered(struct conn *c, enum conn_end end)
{
    c->busy = false;
    if (end != CONN_GOES_ON || !c->keep_alive)
        c->end = end == CONN_RESET ? CONN_RESET : CONN_CLOSE;
    net_flush(c);
}

static void conn_read(struct conn *c, int64_t now_us)
{
    char buf[16384];
    ssize_t n;

    do {
        n = recv(c->fd, buf, sizeof buf, 0);
        if (n > 0)
            sb_put(&c->in, buf, (size_t)n);
    } while (n == (ssize_t)sizeof buf);
    if (n == 0 || (n < 0 && errno != EAGAIN) || !sb_ok(&c->in)) {
        conn_end(c, now_us);
        return;
    }
    while (take_request(c, now_us))
        ;
}

static void accept_all(void)
{
    for (;;) {
        int one = 1, fd = accept4(net.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct conn *c;

        if (fd < 0)
            return;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c = mem_zalloc(1, sizeof *c);
        c->fd = fd;
        c->in = sb_make(IN_MAX);
        c->out = sb_make(OUT_MAX);
        conn_watch(c, false, EPOLL_CTL_ADD);
        net_counts.accepted++;
        net_counts.open++;
    }
}

static void bury(void)
{
    while (net.dead) {
        struct conn *c = net.dead;

        net.dead = c->next_dead;
        sb_done(&c->in);
        sb_done(&c->out);
        free(c);
    }
}

int net_run(const struct net_handler *h, const volatile int *stop)
{
    struct epoll_event ev[BATCH] = {{.events = EPOLLIN, .data.ptr = NULL}};

    net.handler = h;
    net.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (net.epoll < 0 || epoll_ctl(net.epoll, EPOLL_CTL_ADD, net.listener, &ev[0]))
        return -1;
    wheel_init(&net_wheel, clock_mono_us());
    while (!*stop) {
        int n = epoll_wait(net.epoll, ev, BATCH, wheel_sleep_ms(&net_wheel, clock_mono_us()));
        int64_t now_us = clock_mono_us();

        if (n < 0 && errno != EINTR)
            return -1;
        for (int i = 0; i < n; i++) {
            struct conn *c = ev[i].data.ptr;

            if (!c)
                accept_all();
            else if (c->fd >= 0 && (ev[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
                conn_read(c, now_us);
            if (c && c->fd >= 0 && (ev[i].events & EPOLLOUT)) {
                net_flush(c);
                while (take_request(c, now_us))
                    ;
            }
        }
        wheel_advance(&net_wheel, clock_mono_us());
        bury();
    }
    return 0;
}
