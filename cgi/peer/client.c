/* client.c - FastCGI records to nginx. Bytes go out by sendmsg() straight from
 * the caller's memory; only what the socket refuses is copied, framed, into the
 * pending buffer, which is given back as soon as it is empty. */
#include "peer/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "peer/fcgi_record.h"

enum {
    HEAD_BYTES = FCGI_HEAD_BYTES,
    RECORD_MAX = 65528,                  /* the largest content that needs no padding */
    END_BYTES = HEAD_BYTES + HEAD_BYTES + 8,   /* empty STDOUT, END_REQUEST and its body */
};

/* The records that close the stream and the request: status 0, FCGI_REQUEST_COMPLETE. */
static void end_records(unsigned char e[END_BYTES], uint16_t id)
{
    fcgi_record_head(e, FCGI_STDOUT, id, 0);
    fcgi_record_head(e + HEAD_BYTES, FCGI_END_REQUEST, id, 8);
    memset(e + 2 * HEAD_BYTES, 0, 8);
}

size_t client_pending(const struct peer_client *c)
{
    return c->pending_len - c->pending_at;
}

static void pending_free(struct peer_client *c)
{
    free(c->pending);
    c->pending = NULL;
    c->pending_len = c->pending_at = c->pending_cap = 0;
}

/* Keep n bytes for later; -1 if there is no memory for them. */
static int pending_add(struct peer_client *c, const void *p, size_t n)
{
    if (n > c->pending_cap - c->pending_len && c->pending_at > 0) {
        c->pending_len -= c->pending_at;
        memmove(c->pending, c->pending + c->pending_at, c->pending_len);
        c->pending_at = 0;
    }
    if (n > c->pending_cap - c->pending_len) {
        size_t cap = c->pending_cap ? c->pending_cap : 4096;
        char *grown;

        while (cap - c->pending_len < n)
            cap *= 2;
        grown = realloc(c->pending, cap);
        if (!grown)
            return -1;
        c->pending = grown;
        c->pending_cap = cap;
    }
    memcpy(c->pending + c->pending_len, p, n);
    c->pending_len += n;
    return 0;
}

/* What the socket takes now, in bytes; 0 when it is full; -1 when the peer is gone. */
static ssize_t socket_send(int fd, struct iovec *iov, size_t count)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = count};
    ssize_t sent;

    do
        sent = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    return sent;
}

/* Send the pieces in order, behind what already waits. */
static int put(struct peer_client *c, struct iovec *iov, size_t count)
{
    ssize_t sent = 0;

    if (client_pending(c) == 0) {
        sent = socket_send(c->fd, iov, count);
        if (sent < 0)
            return -1;
    }
    for (size_t i = 0; i < count; i++) {
        size_t gone = (size_t)sent < iov[i].iov_len ? (size_t)sent : iov[i].iov_len;

        sent -= (ssize_t)gone;
        if (gone < iov[i].iov_len && pending_add(c, (char *)iov[i].iov_base + gone, iov[i].iov_len - gone) < 0)
            return -1;
    }
    return 0;
}

static int put_records(struct peer_client *c, const char *p, size_t n, bool last)
{
    unsigned char head[HEAD_BYTES], end[END_BYTES];

    if (c->fd < 0)
        return -1;
    while (n > 0 || last) {
        size_t part = n < RECORD_MAX ? n : RECORD_MAX, count = 0;
        struct iovec iov[3];

        if (part > 0) {
            fcgi_record_head(head, FCGI_STDOUT, c->fcgi_id, part);
            iov[count++] = (struct iovec){head, sizeof head};
            iov[count++] = (struct iovec){(void *)(uintptr_t)p, part};
        }
        p += part;
        n -= part;
        if (last && n == 0) {
            end_records(end, c->fcgi_id);
            iov[count++] = (struct iovec){end, sizeof end};
            last = false;
        }
        if (put(c, iov, count) < 0)
            return -1;
    }
    return 0;
}

int client_write(struct peer_client *c, const void *p, size_t n)
{
    return put_records(c, p, n, false);
}

int client_write_last(struct peer_client *c, const void *p, size_t n)
{
    return put_records(c, p, n, true);
}

int client_flush(struct peer_client *c)
{
    if (c->fd < 0)
        return -1;
    while (client_pending(c) > 0) {
        struct iovec iov = {c->pending + c->pending_at, client_pending(c)};
        ssize_t sent = socket_send(c->fd, &iov, 1);

        if (sent < 0)
            return -1;
        if (sent == 0)
            return 1;
        c->pending_at += (size_t)sent;
    }
    pending_free(c);
    return 0;
}

void client_close(struct peer_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    pending_free(c);
}
