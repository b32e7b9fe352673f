/* net.h - the stand-in's HTTP/1.1 server: one thread, epoll, keep-alive.
 *
 * Reads one request at a time from each connection and hands it over; what is
 * answered is buffered here and sent as the peer takes it. While an answer is
 * under way the connection is watched for the peer's leaving. */
#ifndef WEIR_TESTS_NET_H
#define WEIR_TESTS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"
#include "wheel.h"

struct call;

struct request {                 /* borrowed from the connection's buffer while it is handled */
    char method[8];
    char path[128];              /* without the query */
    char auth[96];               /* Authorization, cut to fit; "" if absent */
    char api_key[96], version[16];   /* x-api-key, anthropic-version, likewise */
    char client_id[64];          /* X-Request-Id, cut to fit */
    bool keep_alive;
    const char *head, *body;
    size_t head_len, body_len;
};

enum conn_end { CONN_GOES_ON, CONN_CLOSE, CONN_RESET };

struct conn {
    int fd;
    bool busy;                   /* a request is being answered */
    bool keep_alive;
    bool want_out;               /* EPOLLOUT is asked for */
    enum conn_end end;           /* what follows once `out` is sent */
    struct sb in, out;
    size_t out_at;               /* bytes of `out` already sent */
    struct call *call;           /* the chat call under way, or NULL */
    struct conn *next_dead;
};

struct net_handler {
    void (*request)(struct conn *c, const struct request *r, int64_t now_us);
    void (*gone)(struct conn *c, int64_t now_us);    /* the peer left or the connection ended; c dies after it */
};

struct net_counts {
    int64_t accepted, open;
};

extern struct wheel net_wheel;
extern struct net_counts net_counts;

/* Listen on `address`:`port` (0: any free one). Returns the port, or -1 with errno set. */
int net_listen(const char *address, int port);
/* Serve until *stop is set. Returns 0, or -1 with errno set. */
int net_run(const struct net_handler *h, const volatile int *stop);

/* Append to the answer; nothing is sent before net_flush(). */
struct sb *net_out(struct conn *c);
/* Send what was appended, as far as the peer takes it. */
void net_flush(struct conn *c);
/* The answer is whole: flush, then read the next request, or end the connection as `end` says. */
void net_answered(struct conn *c, enum conn_end end);

#endif
