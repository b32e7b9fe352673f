/* fcgi_call.c - FastCGI 1.0 from the other side: BEGIN_REQUEST, PARAMS, STDIN; then STDOUT until END_REQUEST. */
#include "peer/fcgi_call.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "peer/fcgi_record.h"

enum { REQUEST = 1, RESPONDER = 1, RECORD_MAX = 32768, SENT_MAX = 16 << 20, TIMEOUT_S = 30 };

static void add_record(struct sb *to, enum fcgi_record type, const void *p, size_t n)
{
    unsigned char head[FCGI_HEAD_BYTES];

    fcgi_record_head(head, type, REQUEST, n);
    sb_put(to, head, sizeof head);
    sb_put(to, p, n);
}

/* A stream: its content in records, then an empty one. */
static void add_stream(struct sb *to, enum fcgi_record type, const char *p, size_t n)
{
    for (size_t done = 0, part; done < n; done += part) {
        part = n - done < RECORD_MAX ? n - done : RECORD_MAX;
        add_record(to, type, p + done, part);
    }
    add_record(to, type, "", 0);
}

static void add_length(struct sb *to, size_t n)
{
    if (n >= 128) {
        sb_putc(to, (char)(n >> 24 | 128));
        sb_putc(to, (char)(n >> 16));
        sb_putc(to, (char)(n >> 8));
    }
    sb_putc(to, (char)n);
}

static void add_params(struct sb *to, const char *const *params)
{
    struct sb pairs = sb_make(SENT_MAX);

    for (; *params; params++) {
        const char *value = strchr(*params, '=');
        size_t name = value ? (size_t)(value - *params) : strlen(*params);

        value = value ? value + 1 : "";
        add_length(&pairs, name);
        add_length(&pairs, strlen(value));
        sb_put(&pairs, *params, name);
        sb_puts(&pairs, value);
    }
    add_stream(to, FCGI_PARAMS, sb_str(&pairs), pairs.len);
    sb_done(&pairs);
}

static int connect_to(const char *path)
{
    const struct timeval t = {.tv_sec = TIMEOUT_S};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && strlen(path) < sizeof a.sun_path) {
        (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
        if (connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
            return fd;
    }
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static bool send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

bool fcgi_answer_take(struct fcgi_answer *a, const void *p, size_t n, struct sb *out)
{
    size_t at = 0;

    sb_put(&a->rest, p, n);
    while (!a->ended && a->rest.len - at >= FCGI_HEAD_BYTES) {
        const unsigned char *head = (const unsigned char *)a->rest.p + at;
        size_t content = (size_t)head[4] << 8 | head[5], whole = FCGI_HEAD_BYTES + content + head[6];

        if (a->rest.len - at < whole)
            break;
        if (head[1] == FCGI_STDOUT)
            sb_put(out, head + FCGI_HEAD_BYTES, content);
        a->ended = head[1] == FCGI_END_REQUEST;
        at += whole;
    }
    if (at > 0) {
        memmove(a->rest.p, a->rest.p + at, a->rest.len - at);
        sb_drop(&a->rest, at);
    }
    return sb_ok(&a->rest) && sb_ok(out);
}

static bool read_answer(int fd, struct sb *out)
{
    struct fcgi_answer a = {.rest = sb_make(FCGI_ANSWER_REST)};
    char text[65536];
    bool ok = true;

    while (ok && !a.ended) {
        ssize_t k = recv(fd, text, sizeof text, 0);

        if (k < 0 && errno == EINTR)
            continue;
        ok = k > 0 && fcgi_answer_take(&a, text, (size_t)k, out);
    }
    sb_done(&a.rest);
    return ok;
}

enum fcgi_call_result fcgi_call(const char *socket_path, const char *const *params, const void *body, size_t n, struct sb *out)
{
    static const unsigned char begin[8] = {0, RESPONDER};
    struct sb request = sb_make(SENT_MAX);
    int fd = connect_to(socket_path);
    bool ok;

    if (fd < 0)
        return FCGI_CALL_NOBODY;
    add_record(&request, FCGI_BEGIN_REQUEST, begin, sizeof begin);
    add_params(&request, params);
    add_stream(&request, FCGI_STDIN, body, n);
    ok = sb_ok(&request) && send_all(fd, sb_str(&request), request.len) && read_answer(fd, out) && sb_ok(out);
    (void)close(fd);
    explicit_bzero(request.p, request.len);
    sb_done(&request);
    if (!ok) {
        sb_reset(out);
        sb_putf(out, "Weir listens at %s, but did not answer; may this user speak with it?", socket_path);
    }
    return ok ? FCGI_CALL_OK : FCGI_CALL_FAILED;
}
