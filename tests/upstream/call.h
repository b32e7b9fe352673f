/* call.h - one answer under way: how its bytes are made and when they are sent. */
#ifndef WEIR_TESTS_CALL_H
#define WEIR_TESTS_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "net.h"
#include "plan.h"

struct call {
    struct timer timer;             /* first, so that a timer is its call */
    struct conn *conn;
    struct plan plan;
    int64_t seq;                    /* of the judge's log */
    bool stream, include_usage;
    int64_t prompt_tokens, total;   /* tokens to send, visible and reasoning */
    int64_t sent;                   /* tokens sent */
    int64_t body_sent;              /* bytes of body, chunk sizes not counted */
    const char *finish;             /* "stop", "length", … */
    char *echo;                     /* the user's message; NULL unless TEXT_ECHO */
    size_t echo_at;
    char *begin;                    /* of every chunk: data: {"id":…,"choices":[{"index":0,"delta": */
    size_t begin_len;
    char *model;
    struct sb drip;                 /* ODD_DRIP: what is still to trickle */
    size_t drip_at;
};

/* Answer `plan` on c. `message` of `n` bytes is the last user message (copied). The call owns
 * itself from here and ends with the answer or with call_gone(). */
void call_begin(struct conn *c, const struct plan *plan, int64_t seq, const char *model, bool stream,
                bool include_usage, int64_t prompt_tokens, int64_t max_tokens, const char *message, size_t n,
                const char *headers, int64_t now_us);
/* The peer left while `call` was under way. */
void call_gone(struct call *call, int64_t now_us);

/* The stand-in's rule: a token is a word, with what follows it up to the next one. */
int64_t call_count_tokens(const char *s, size_t n);

#endif
