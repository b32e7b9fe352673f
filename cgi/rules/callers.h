/* callers.h - may this user, and this token, send one more request now?
 *
 * Limits of one's own, by the same gates as those of providers (limits.h), but
 * nobody waits in line for them: what does not fit is refused and told when it
 * will. A caller without a limit costs nothing; one that was not seen for some
 * minutes is forgotten, since by then all of its use has left the window. Pure:
 * times are monotonic microseconds. */
#ifndef WEIR_CALLERS_H
#define WEIR_CALLERS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/idmap.h"
#include "rules/limits.h"

struct caller {
    uint64_t key;                /* of the user or the token; 0: none */
    int64_t requests_per_minute, tokens_per_minute;       /* 0: no limit */
};

struct caller_entry {
    uint64_t key;
    struct caller rule;          /* as it was seen last */
    int64_t under_way;           /* requests that were taken and have not ended */
    int64_t touched_us;
    struct limits *limits;       /* owned */
};

struct caller_book {
    struct idmap index;
    struct caller_entry *entry;
    uint32_t count, cap, hand;
};

void caller_book_done(struct caller_book *b);

/* Microseconds after which a request with so long a prompt could pass; 0: now. LIMITS_NOT_BY_TIME: one of its requests under way
 * must end first. CALLERS_NEVER: it is longer than a minute's limit. *why is the gate. */
#define CALLERS_NEVER (-1)
int64_t callers_wait_us(struct caller_book *b, const struct caller *c, int64_t prompt, int64_t now_us, enum gate *why);
/* It is let in: right after the above said 0. `output`: tokens it is expected to answer. Give the hold back with one of the two
 * below. Nothing happens in all three for a caller without a limit. */
struct limits_hold callers_take(struct caller_book *b, const struct caller *c, int64_t prompt, int64_t output, int64_t now_us);
void callers_settle(struct caller_book *b, const struct caller *c, const struct limits_hold *h, int64_t prompt, int64_t output,
                    int64_t now_us);
/* How a limit of its own stands. False: it has none of that kind. */
struct caller_left {
    int64_t limit, remaining;    /* remaining >= 0 */
    int64_t reset_us;            /* until nothing of it is used */
};
bool callers_left(struct caller_book *b, const struct caller *c, enum dim d, int64_t now_us, struct caller_left *out)
    __attribute__((warn_unused_result));
/* It was not let in after all. */
void callers_release(struct caller_book *b, const struct caller *c, const struct limits_hold *h, int64_t now_us);

#endif
