/* load_net.c - connecting, the request, and just enough HTTP to know where an answer ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

int load_connect(const struct load_options *o, int port, int64_t n)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)}, from = {.sin_family = AF_INET};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void)inet_pton(AF_INET, o->address, &to.sin_addr);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(n / 20000));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) ||
        (connect(fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

void load_request(struct sb *out, const struct load_options *o, bool keep)
{
    sb_putf(out, "%s %s HTTP/1.1\r\nHost: %s:%d\r\n", o->method, o->path, o->address, o->port);
    if (o->token)
        sb_putf(out, "Authorization: Bearer %s\r\n", o->token);
    if (!keep)
        sb_puts(out, "Connection: close\r\n");
    if (o->body)
        sb_putf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(o->body));
    sb_puts(out, "\r\n");
    sb_puts(out, o->body);
}

int64_t load_answer(const char *text, size_t n, int *status)
{
    const char *end = memmem(text, n, "\r\n\r\n", 4), *length;
    size_t head;

    if (n >= 12 && memcmp(text, "HTTP/1.1 ", 9) != 0)
        return -1;
    if (!end)
        return 0;
    *status = (int)strtol(text + 9, NULL, 10);
    head = (size_t)(end - text) + 4;
    if (*status == 304 || *status == 204)
        return (int64_t)head;
    length = memmem(text, head, "\r\nContent-Length:", 17);
    if (length) {
        size_t whole = head + strtoul(length + 17, NULL, 10);

        return n >= whole ? (int64_t)whole : 0;
    }
    return n >= head + 5 && memcmp(text + n - 5, "0\r\n\r\n", 5) == 0 ? (int64_t)n : 0;
}

void load_percentiles(struct sb *out, const struct hist *h)
{
    sb_putf(out, "\"p50_us\":%" PRId64 ",\"p90_us\":%" PRId64 ",\"p99_us\":%" PRId64 ",\"p999_us\":%" PRId64
            ",\"max_us\":%" PRId64 ",\"mean_us\":%" PRId64, hist_at(h, 500000), hist_at(h, 900000), hist_at(h, 990000),
            hist_at(h, 999000), h->max, h->n ? h->sum / h->n : 0);
}
