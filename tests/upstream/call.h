/* call.h - one answer under way: how its bytes are made and when they are sent. */
#ifndef WEIR_TESTS_CALL_H
#define WEIR_TESTS_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "net.h"
#include "plan.h"

struct call;

/* How one protocol says it. Each appends what is said to the answer by call_put(); false: the plan broke off there and the
 * call is gone. `b` is scratch. */
struct dialect {
    bool (*open)(struct call *k, struct sb *b);
    bool (*token)(struct call *k, struct sb *b);      /* the next one, by call_next_text() */
    bool (*tool)(struct call *k, struct sb *b);       /* a call of f with {"x":1} */
    bool (*end)(struct call *k, struct sb *b);
    bool (*error)(struct call *k, struct sb *b);      /* in the middle: the plan's event_status, or 500 */
    bool (*broken)(struct call *k, struct sb *b);     /* an event that is no JSON */
    bool (*endless)(struct call *k, struct sb *b);    /* one of two million bytes */
    void (*whole)(struct call *k, struct sb *b);      /* the body of an answer that is no stream */
};
extern const struct dialect call_openai, call_anthropic;

struct call {
    struct timer timer;             /* first, so that a timer is its call */
    struct conn *conn;
    const struct dialect *say;
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
    int block;                      /* Anthropic: which is open; Responses: the event that was last; -1: none yet */
    char *model;
    struct sb drip;                 /* ODD_DRIP: what is still to trickle */
    size_t drip_at;
};

/* Answer `plan` on c. `message` of `n` bytes is the last user message (copied). The call owns
 * itself from here and ends with the answer or with call_gone(). */
void call_begin(struct conn *c, const struct dialect *say, const struct plan *plan, int64_t seq, const char *model, bool stream,
                bool include_usage, int64_t prompt_tokens, int64_t max_tokens, const char *message, size_t n,
                const char *headers, int64_t now_us);
/* The peer left while `call` was under way. */
void call_gone(struct call *call, int64_t now_us);

/* For dialects: append body bytes, as a chunk if it is a stream; append the text of the next token, as inside a JSON string,
 * and bill it; the figures of usage as the plan has them, false: they are no numbers and *text is what stands there. */
bool call_put(struct call *k, const char *p, size_t n);
void call_next_text(struct call *k, struct sb *b);
bool call_usage(const struct call *k, int64_t *in, int64_t *out, const char **text);

/* The stand-in's rule: a token is a word, with what follows it up to the next one. */
int64_t call_count_tokens(const char *s, size_t n);

#endif
