/* pick.h - which waiting item starts next, and where.
 *
 * Composes the queue with the limits of all upstreams. One struct pick is the
 * truth; copies of it run the same functions ahead of time (forecast.h).
 *
 * Order: High, then Medium, then Low; within a priority the line whose next
 * user has had least. The first that may not start yet claims the upstream
 * where it will start soonest; whoever comes after may use that one only as far
 * as it does not make the claimant wait longer (backfill). Nobody passes long
 * before the start it was told, nor does who stands behind it for the same user:
 * such room comes and goes by the token, and no forecast would hold.
 *
 * Where: an item may be served by one model or by several candidates, in
 * stages. The first stage with a healthy upstream counts. Of its upstreams that
 * could start the item now, those where it has not failed yet go first, then
 * the cheapest, then the one with most headroom. If none could, the item waits
 * for all of them and claims the one that opens first.
 *
 * Promises: within a priority an item that was told a start which has come goes
 * before that order, the earliest told first: unless its user has had more than
 * whoever is next in that order by PICK_CREDIT times what the item takes (both by weight), so that
 * nobody's promises take more than a fair share, and after PICK_KEPT such grants
 * one is made in the usual order. A promise never passes a higher priority.
 *
 * Ageing: an item that has waited PICK_OVERDUE_US is overdue. Of every
 * PICK_TURN grants made while something is overdue, one goes to the oldest
 * overdue item of one priority, the priorities taking turns. So an overdue item
 * with k older ones in its priority is passed by fewer than
 * PICK_TURN * PRIORITY_COUNT * (k + 1) grants, whatever floods. */
#ifndef WEIR_PICK_H
#define WEIR_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/limits.h"
#include "rules/queue.h"

enum {
    PICK_UPSTREAMS = 64,
    PICK_TURN = 8,
    PICK_KEPT = 3,
    PICK_CREDIT = 16,
    PICK_LOOK = 32             /* items looked at for backfill behind one that waits */
};

/* An upstream that failed so often in a row is in doubt: for a second, then for twice as long each time, at most a minute. */
enum { PICK_DOUBT_AFTER = 3 };
#define PICK_DOUBT_MAX_US (INT64_C(60) * 1000000)

#define PICK_OVERDUE_US (INT64_C(30) * 1000000)
/* Nobody passes one that starts within this: it would gain nothing, and everybody's promise would waver. */
#define PICK_BACKFILL_US INT64_C(1000000)

enum { PICK_CALLS_ENOUGH = 8 };

struct pick_upstream {
    uint32_t group;            /* whose limits it shares */
    int64_t running, max_concurrent;
    int64_t cooldown_us;       /* of this one alone: overloaded */
    int32_t failures;          /* in a row */
    int64_t doubt_us;          /* in doubt until then: used only where an item has nowhere better to go */
    int64_t call_us;           /* mean length of a call */
    int64_t call_output;       /* mean output of a call */
    int32_t calls;             /* that these are known from: at most PICK_CALLS_ENOUGH, fewer say little yet */
    bool down;
    bool output_at_start;      /* the provider counts max_tokens when a call begins */
    bool exact;                /* callers say what they take: that is set aside, perhaps no output */
    enum gate why;             /* what held the last item that wanted it; GATE_NONE */
};

struct pick {
    struct queue queue;
    struct limits *limits;     /* by group */
    uint32_t groups, upstreams;
    struct pick_upstream upstream[PICK_UPSTREAMS];
    uint64_t group_mask[PICK_UPSTREAMS];
    int32_t grants;            /* since an overdue item had its turn */
    int turn;                  /* the priority whose turn it is next */
    int32_t kept[PRIORITY_COUNT];      /* grants to promises since one in the usual order */
    int64_t wake_us;           /* after pick_next() said false: when to ask again */
};

/* For `groups` groups, with room for as many as there can be; the caller fills upstreams and limits in. */
void pick_init(struct pick *p, uint32_t groups);
void pick_done(struct pick *p);
void pick_copy(struct pick *to, const struct pick *from);

/* A High came for one of these: their reserve is taken back for a minute. */
void pick_high_asked(struct pick *p, uint64_t upstreams, int64_t now_us);
/* The next item that may start now: *item runs, its tokens are set aside. False: none before wake_us, unless
 * something is added, ends or changes. */
bool pick_next(struct pick *p, int64_t now_us, uint32_t *item);
/* An item that ran before a restart runs on, whatever the limits say; what it has set aside is among what they were told was used. */
void pick_resume(struct pick *p, uint32_t item, int upstream, int64_t now_us);
/* A running item ended, having used this much; it leaves. Or it was refused, and stays to be rested or removed. */
void pick_settle(struct pick *p, uint32_t item, int64_t input, int64_t output);
/* A running item ended and the provider took none of its tokens; as above. `reached`: it refused the call. */
void pick_release(struct pick *p, uint32_t item, bool reached);
/* Where Low is spread and it is time: reckon anew how far it is held back. */
void pick_spread(struct pick *p, int64_t now_us);
/* Which of its upstreams an item may start at as things are, room or not: of the first stage that has a healthy one. */
struct pick_where {
    uint64_t upstreams;
    int stage;
};
struct pick_where pick_where(const struct pick *p, const struct item *it, int64_t now_us);
/* The candidate an upstream stands for; NULL: the item itself. */
const struct candidate *pick_candidate(const struct item *it, int upstream, int stage);
/* What `item` would set aside at an upstream in this stage. False: it is too large for its limits, ever. */
bool pick_need(const struct pick *p, const struct item *it, int upstream, int stage, struct limits_need *need);
/* A call failed at an upstream in a way that says something about it; or one was answered. */
void pick_failed(struct pick *p, int upstream, int64_t now_us);
void pick_answered(struct pick *p, int upstream);
/* How long a call of this expected output runs there. */
int64_t pick_call_us(const struct pick_upstream *u, int64_t output);

#endif
