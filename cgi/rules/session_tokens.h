/* session_tokens.h - may this session take more tokens, or does it cool?
 *
 * A session's tokens are counted until they reach a maximum; the call that
 * reached it begins a cooling period at its end, after which the count starts
 * anew. So what a session has is a function of its calls in the order of their
 * ends: session_tokens_add() over the records gives what a running Weir has.
 *
 * The book keeps the sessions that were seen lately, with what their calls under
 * way are expected to take. Times are UTC milliseconds. Nothing happens where
 * max is 0. */
#ifndef WEIR_SESSION_TOKENS_H
#define WEIR_SESSION_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/idmap.h"

struct session_limit {
    int64_t max;                 /* tokens; 0: none */
    int64_t cooldown_ms;
};

struct session_tokens {
    int64_t used;                /* since it began or last cooled */
    int64_t until_ms;            /* it cools until then; 0: it does not */
};

/* What is left of it at this time. A clock that was set back makes no cooling longer than it is. */
void session_tokens_tick(struct session_tokens *t, const struct session_limit *l, int64_t now_ms);
/* A call that ended then took this many. Calls are added in the order of their ends. */
void session_tokens_add(struct session_tokens *t, const struct session_limit *l, int64_t tokens, int64_t ended_ms);

enum { SESSION_KEPT_MS = 10 * 60 * 1000 };       /* without a call it is forgotten after that: the records know it */

struct session_entry {
    uint64_t session;
    struct session_tokens tokens;
    int64_t held;                /* by its calls under way */
    int64_t touched_ms;
};

struct session_book {
    struct idmap index;
    struct session_entry *entry;
    uint32_t count, cap, hand;
};

void session_book_done(struct session_book *b);

/* May a call of this session begin? Else *wait_ms says how long not: the rest of the cooling period, or all of it where calls
 * under way will reach the maximum. `known` is what the records say; it counts if the book does not know the session. *now is
 * what the session has, what is held not included. A refusal changes nothing. */
bool session_book_may(const struct session_book *b, const struct session_limit *l, uint64_t session,
                      const struct session_tokens *known, int64_t now_ms, struct session_tokens *now, int64_t *wait_ms)
    __attribute__((warn_unused_result));
/* A call begins that is expected to take so many. */
void session_book_hold(struct session_book *b, const struct session_limit *l, uint64_t session,
                       const struct session_tokens *known, int64_t tokens, int64_t now_ms);
/* It ended without taking any. */
void session_book_release(struct session_book *b, uint64_t session, int64_t held);
/* It ended then, having taken so many. Nothing where the book does not know the session. */
void session_book_settle(struct session_book *b, const struct session_limit *l, uint64_t session, int64_t held, int64_t tokens,
                         int64_t ended_ms);

#endif
