/* fcgi_call.h - one request to a FastCGI server at a unix socket, as nginx would
 * send it: how the command line talks to a Weir that runs. */
#ifndef WEIR_FCGI_CALL_H
#define WEIR_FCGI_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sb.h"

enum fcgi_call_result {
    FCGI_CALL_OK,
    FCGI_CALL_NOBODY,      /* nobody listens there */
    FCGI_CALL_FAILED       /* it was not answered, or not in 30 s; `out` is a sentence */
};

/* `params` are "NAME=value" strings up to a NULL. Appends the CGI-style answer, head and body, to `out`. Blocks. */
enum fcgi_call_result fcgi_call(const char *socket_path, const char *const *params, const void *body, size_t n, struct sb *out)
    __attribute__((warn_unused_result));

/* An answer's records as they come, in any pieces. Zeroed but for `rest`. */
enum { FCGI_ANSWER_REST = 256 * 1024 };
struct fcgi_answer {
    struct sb rest;                      /* sb_make(FCGI_ANSWER_REST): a record that is not whole */
    bool ended;
};
/* `n` bytes more, FCGI_ANSWER_REST / 2 at most: what they say is appended to `out`. False: no memory, or `out` is full. */
bool fcgi_answer_take(struct fcgi_answer *a, const void *p, size_t n, struct sb *out) __attribute__((warn_unused_result));

#endif
