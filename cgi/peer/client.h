/* client.h - the engine's side of one nginx connection: FastCGI records out,
 * bounded buffer, readiness, the client's leaving.
 *
 * FastCGI 1.0 (Open Market, 1996) sections 3.3, 6.4: STDOUT records of at most
 * 65,535 bytes, then END_REQUEST; after it the descriptor is closed. */
#ifndef WEIR_CLIENT_H
#define WEIR_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Taken from libfcgi by web/fcgi.c when a request moves to the engine: non-blocking, close-on-exec. */
struct peer_client {
    int fd;                  /* -1: gone */
    uint16_t fcgi_id;
    char *pending;           /* bytes the socket would not take yet */
    size_t pending_len, pending_at, pending_cap;
};

/* Above this many pending bytes the provider's transfer is paused; it resumes below half. */
enum { CLIENT_HIGH_WATER = 128 * 1024 };

/* Send n bytes of response (headers included, CGI style) as STDOUT records; what does not fit is kept and sent by
 * client_flush(). Returns 0, or -1 if the client is gone (or memory for the rest is not to be had). */
int client_write(struct peer_client *c, const void *p, size_t n) __attribute__((warn_unused_result));
/* The same, followed by END_REQUEST, in one system call where possible. */
int client_write_last(struct peer_client *c, const void *p, size_t n) __attribute__((warn_unused_result));
/* The socket is writable again: 0 = all out, 1 = some left, -1 = gone. */
int client_flush(struct peer_client *c) __attribute__((warn_unused_result));
/* Bytes that wait. */
size_t client_pending(const struct peer_client *c);
/* Close and free the buffer. */
void client_close(struct peer_client *c);

#endif
