/* queue.h - who waits, in what order.
 *
 * Items wait in flows (one user, one priority, one set of upstreams), flows in
 * lines (one priority, one set of upstreams). Within a flow the oldest goes
 * first; between the flows of a line the one whose user has had fewest tokens
 * (a virtual counter, shared by all flows of that user and priority). Items of
 * one session go one after another: the later ones are parked.
 *
 * A user may have a weight: what they have had counts by that much less. So two
 * who always have something waiting are served in proportion to their weights:
 * the difference between their tokens, each divided by its weight, stays below
 * that of the largest ask of each (start-time fair queueing, Goyal et al. 1996).
 * Who idles leaves the whole to the others, saves nothing up, and coming back is
 * next in turn, so that the bound holds from their first ask on. What pick.h does
 * out of turn, promises and ageing, comes on top of it.
 *
 * Everything lives in flat arrays and is named by number, so that a forecast
 * can copy the queue in a few memcpy and run the same code on the copy. */
#ifndef WEIR_QUEUE_H
#define WEIR_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/choice.h"
#include "rules/gate.h"
#include "rules/heap.h"
#include "rules/idmap.h"
#include "rules/limits.h"

/* Weights are in thousandths; this one is usual. */
enum { QUEUE_WEIGHT_MIN = 10, QUEUE_WEIGHT_ONE = 1000, QUEUE_WEIGHT_MAX = 100 * 1000 };

#define QUEUE_NONE UINT32_MAX
#define QUEUE_UNPROMISED INT64_MAX

enum item_state {
    ITEM_FREE,
    ITEM_READY,       /* in its flow */
    ITEM_PARKED,      /* behind another of its session */
    ITEM_RESTING,     /* until rest_until_us, after a failed attempt */
    ITEM_RUNNING
};

/* One of the models an item may be served by: where, and what it takes there. Within a stage no two share an upstream. */
struct candidate {
    uint64_t upstreams;
    int64_t input, max_output, want_output, expect_output;   /* tokens, as below */
    int64_t cost;                     /* expected, picodollars; INT64_MAX: nobody knows */
    uint64_t model;                   /* the caller's, as is */
    int stage;                        /* rising: a later one is for when those before cannot be had */
    int number;                       /* the caller's */
};

struct item {
    enum item_state state;
    enum priority priority;
    uint32_t flow;
    uint32_t next, prev;              /* in the flow, by age */
    uint32_t before, after;           /* in the session */
    int upstream;                     /* while running */
    uint64_t age;                     /* order of arrival, kept over retries; unique */
    uint64_t session;
    uint64_t upstreams;               /* of all candidates */
    int64_t arrived_us;
    int64_t rest_until_us;
    int64_t promised_us;              /* it was told that it starts then; QUEUE_UNPROMISED */
    int64_t input, max_output;        /* tokens; with candidates: of the one chosen last */
    int64_t want_output;              /* to set aside where the provider counts what is produced */
    int64_t expect_output;            /* to plan with */
    int64_t charged;                  /* tokens put on the user's counter, by their weight, at the grant */
    int32_t weight;                   /* thousandths */
    int64_t began_us, ends_us;        /* while running: grant, expected end */
    struct limits_hold hold;          /* while running */
    const struct candidate *candidates;       /* the owner's; NULL: the item itself says what it takes, everywhere */
    int candidate_count;
    int from_stage;                   /* earlier ones are over */
    uint64_t failed_at;               /* upstreams where an attempt failed: others are tried first */
    int stage, number;                /* while running: of the candidate chosen; 0 without candidates */
    enum choice choice;               /* while running: why that one */
    void *owner;                      /* the caller's */
};

struct flow {
    uint32_t head, tail;              /* ready items */
    uint32_t items;                   /* in any state */
    uint32_t line, share;
    uint32_t sibling;                 /* next flow of the same share; next free flow */
    uint64_t key;                     /* 0: free */
};

/* One user at one priority. */
struct share {
    int64_t counter;                  /* tokens had, by weight, in virtual time */
    uint32_t flow;                    /* first of its flows */
    uint32_t ready;                   /* items ready in all of them */
    uint32_t waiting;                 /* items ready, parked and resting */
    enum priority priority;
    uint64_t key;                     /* 0: free; `flow` is then the next free share */
};

struct line {
    uint64_t upstreams;
    enum priority priority;
    struct heap flows;                /* with ready items: by counter, then age of the head */
    uint32_t waiting;                 /* ready, parked and resting */
    enum gate why;                    /* what held its head when last looked at */
    int64_t since_us;
    int64_t held_us[GATE_COUNT];      /* how long each gate held it so far */
};

struct rank {                         /* of one priority */
    struct heap oldest;               /* flows with ready items, by age of their head */
    struct heap promised;             /* ready items that were told when they start, by that time, then age */
    int64_t virtual;                  /* counter of whom was served last */
    uint32_t ready;
    uint32_t items;                   /* in any state */
};

struct queue {
    struct item *item;
    struct flow *flow;
    struct share *share;
    struct line *line;
    uint32_t *rest_pos, *promised_pos;        /* by item */
    uint32_t *line_pos, *oldest_pos;  /* by flow */
    uint32_t item_cap, flow_cap, share_cap, line_cap;
    uint32_t items, flows, shares, lines;             /* slots in use or once used */
    uint32_t free_item, free_flow, free_share;
    struct heap resting;
    struct rank rank[PRIORITY_COUNT];
    uint32_t waiting[PRIORITY_COUNT]; /* ready, parked and resting */
    uint32_t sharers;                 /* shares with something waiting */
    uint64_t ages;
    bool copy;                        /* for a forecast: the tables below know only what was added to the copy */
    struct idmap session_last, flow_of, share_of;
};

/* What a new item is. */
struct queue_entry {
    enum priority priority;
    uint64_t user, session, upstreams;
    int32_t weight;                   /* the user's; 0: the usual one */
    int64_t arrived_us, input, max_output, want_output, expect_output;
    const struct candidate *candidates;       /* by stage, rising; or NULL */
    int candidate_count;
    void *owner;
};

/* Where an item's flow and share were, to find them again in a copy, which has no tables of what is there. */
struct queue_hint {
    uint32_t flow, share;
    uint64_t flow_key, share_key;
};

void queue_init(struct queue *q);
void queue_done(struct queue *q);
/* Make `to` (initialised, or a former copy) a copy of `from`: it can be served, and added to with hints, without sessions. */
void queue_copy(struct queue *to, const struct queue *from);

/* How much waits for this user at this priority. */
uint32_t queue_waiting_of(const struct queue *q, enum priority p, uint64_t user);
/* Would the next of this session have to wait for another of it? 0 is no session. */
bool queue_session_busy(const struct queue *q, uint64_t session);
/* Put in line; gives its number. */
uint32_t queue_add(struct queue *q, const struct queue_entry *e);
struct queue_hint queue_hint(const struct queue *q, uint32_t item);
/* The same in a copy, for an item like the one the hint was made of. */
uint32_t queue_add_like(struct queue *q, const struct queue_entry *e, const struct queue_hint *hint);
/* Take out what waits or runs, for good; the next of its session, if it was this one's turn, becomes ready. */
void queue_remove(struct queue *q, uint32_t item);
/* A ready item starts to run: its user is charged `tokens`. */
void queue_start(struct queue *q, uint32_t item, int64_t tokens);
/* Charge more, or less, once the real use is known. */
void queue_charge(struct queue *q, uint32_t item, int64_t tokens);
/* What waits gets another priority, age kept and its promise forgotten: it goes to that user's place in the other line. */
void queue_promote(struct queue *q, uint32_t item, uint64_t user, enum priority p);
/* A running item waits again, age kept, not before until_us. */
void queue_rest(struct queue *q, uint32_t item, int64_t until_us);
/* One that rests need not rest any longer. */
void queue_hurry(struct queue *q, uint32_t item, int64_t now_us);
/* One whose rest is over becomes ready: its number, or QUEUE_NONE. */
uint32_t queue_wake(struct queue *q, int64_t now_us);

/* A waiting item was told that it starts then; once. */
void queue_promise(struct queue *q, uint32_t item, int64_t start_us);
/* The ready item of a priority that was told the earliest start; QUEUE_NONE. */
uint32_t queue_promised(const struct queue *q, enum priority p);
/* What so many tokens for this item count on its user's counter. */
int64_t queue_weighed(const struct item *it, int64_t tokens);
/* How much higher its user's counter is than that of whoever of this priority was served last in turn. */
int64_t queue_ahead(const struct queue *q, uint32_t item);
/* The oldest ready item of a priority; QUEUE_NONE. */
uint32_t queue_oldest(const struct queue *q, enum priority p);
/* Note what holds a line from now on. */
void queue_blame(struct queue *q, uint32_t line, enum gate why, int64_t now_us);

#endif
