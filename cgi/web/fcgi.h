/* fcgi.h - nginx's connections in, requests out: the only file that knows libfcgi.
 *
 * It owns the listening socket's set-up and the acceptor threads, and closes
 * libfcgi's traps: its own accept without a mutex, a check of who connects,
 * time-outs on a stalled peer, running out of descriptors, streams read to
 * their end. A request is answered here in one piece, or its connection moves
 * to whoever speaks FastCGI with it from then on. */
#ifndef WEIR_FCGI_H
#define WEIR_FCGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"
#include "peer/client.h"

struct fcgi;           /* a set of acceptors */
struct fcgi_request;   /* one request, valid while `serve` runs; that thread only */

struct fcgi_config {
    int listen_fd;               /* from fcgi_listen(); borrowed */
    int threads;                 /* acceptors, > 0 */
    int first_timeout_ms;        /* nginx sends the head of a request at once: a peer silent for so long is dropped */
    int io_timeout_ms;           /* the same for bodies and answers, which may have to wait for nginx's turn */
    void *ctx;                   /* given to the two functions below */
    /* At an acceptor's start; the result is given to `serve` as `thread`. */
    void *(*thread_begin)(void *ctx);
    /* One request. What was neither answered nor moved when this returns is closed unanswered. */
    void (*serve)(struct fcgi_request *rq, void *ctx, void *thread);
};

/* Once in main, before the first thread: libfcgi's own set-up; SIGPIPE is ignored from here on. */
void fcgi_init(void);

/* Listen at a unix socket: non-blocking, mode 0660, as root with nginx's group. It is bound beside `path` and renamed
 * over it, so that a successor takes over without a gap. Gives the descriptor, or -1 with a sentence in `why`. */
int fcgi_listen(const char *path, struct sb *why) __attribute__((warn_unused_result));

/* Start the acceptors; they run with all signals blocked. NULL with a logged sentence if threads or descriptors cannot be had. */
struct fcgi *fcgi_start(const struct fcgi_config *config) __attribute__((warn_unused_result));
/* Ask the acceptors to end, join them, free. With `drain` each first serves what is still waiting to be accepted:
 * unlink the path before, so that this ends. */
void fcgi_stop(struct fcgi *f, bool drain);

/* "NAME=value" strings as FastCGI brought them, NULL at the end. Borrowed. */
const char *const *fcgi_params(const struct fcgi_request *rq);

/* Read the body to its end; keep the first `keep` bytes in `body` and count all in *total. Called at most once; without it
 * the body is read and forgotten. False: the peer stalled or broke off, no answer will reach it. */
bool fcgi_read_body(struct fcgi_request *rq, size_t keep, struct sb *body, int64_t *total) __attribute__((warn_unused_result));

/* The next piece of the body, of at most `size` bytes: how many came; 0: it has ended, -1: the peer stalled or broke off. */
int fcgi_read_piece(struct fcgi_request *rq, void *to, int size) __attribute__((warn_unused_result));

/* Append n bytes of CGI-style response. False once the peer is gone. */
bool fcgi_reply(struct fcgi_request *rq, const void *p, size_t n);

/* Give the connection away: *out becomes its owner, non-blocking. Reads what is left of the body first and frees all libfcgi
 * holds, the parameters included, so copy what outlives it. False: the peer is gone and nothing was given. */
bool fcgi_move(struct fcgi_request *rq, struct peer_client *out) __attribute__((warn_unused_result));

#endif
