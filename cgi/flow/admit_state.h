/* admit_state.h - what is inside struct admit, for the files that make it up:
 * admit.c (asks come and start), admit_candidates.c (where they may go), admit_run.c (what they take, and how they end),
 * admit_change.c (upstreams come and go), admit_told.c (what providers say and do), admit_view.c (what is shown),
 * admit_save.c (what outlives a restart), admit_outlook.c (what is expected). */
#ifndef WEIR_ADMIT_STATE_H
#define WEIR_ADMIT_STATE_H

#include "base/rand.h"
#include "flow/admit.h"
#include "rules/arrivals.h"
#include "rules/forecast.h"
#include "rules/heap.h"
#include "rules/learned.h"
#include "rules/pick.h"
#include "rules/promise.h"
#include "rules/retry.h"
#include "rules/window.h"

struct admit_ticket {
    void *job;
    uint32_t item;                    /* in the queue */
    uint64_t user, model;
    int64_t deadline_us;
    int failed;                       /* attempts so far, of the stage it is in */
    bool retried;
    int stage;                        /* of the last attempt; 0 */
    enum choice moved;                /* why earlier stages are over */
    int64_t promised_us;              /* start told first, and when it was told; -1: nothing yet */
    int64_t promised_at_us;
    int64_t promised_position;
    bool judged;                      /* it has started since */
    int64_t waits_us;                 /* it was put in line, or failed, then */
    int64_t held_us[GATE_COUNT];      /* before it became ready, and in lines it has left */
    int64_t clock_us[GATE_COUNT];     /* the line's clocks when it became ready */
    struct candidate candidate[];     /* what its item looks at; none if there is one model */
};

#define ADMIT_NEVER_US INT64_MIN

/* What a provider's headers said about one dimension of a quota group, beside what limits keep of it. */
struct admit_told {
    struct window drift;              /* what it counted and we had not sent, in the window now */
    int64_t at_us;                    /* when it last said anything, perhaps before the clock's zero; ADMIT_NEVER_US */
};

struct admit {
    struct pick pick;
    struct forecast forecast;
    struct arrivals arrivals;
    struct learned learned;
    struct retry_budget retries;
    struct rng rng;
    struct admit_config config;       /* its upstreams are our own copy */
    struct admit_upstream upstream[ADMIT_UPSTREAMS_MAX];
    struct window refused[ADMIT_UPSTREAMS_MAX];      /* 429s of a day */
    struct {
        int64_t calls, wait_us;       /* granted since the start */
    } granted[ADMIT_UPSTREAMS_MAX];
    struct admit_told (*told)[DIM_COUNT];            /* by quota group */
    struct heap deadlines;
    uint32_t *deadline_pos;           /* by item */
    uint32_t deadline_cap;
    struct promise promise[PRIORITY_COUNT];
    struct outlook *outlook;          /* by group */
    int64_t calendar_us;              /* UTC less the monotonic clock */
    int64_t minute_us;                /* when the next minute of the calendar begins */
    struct admit_wait left;           /* of who was last taken out while it waited */
    struct admit_counters counters;
    bool changed;                     /* since admit_next() last said false */
    bool stale;                       /* since the last forecast */
};

/* The candidates of an ask, as its ticket will have them; n is 0 if there is one model. */
struct admit_candidates {
    struct candidate of[ASK_CANDIDATES_MAX];
    int n;
    uint64_t upstreams;
};

static inline struct item *item_of(struct admit *a, const struct admit_ticket *t)
{
    return &a->pick.queue.item[t->item];
}

static inline struct pick_upstream *upstream_of(struct admit *a, const struct admit_ticket *t)
{
    return &a->pick.upstream[item_of(a, t)->upstream];
}

/* By stage, then by expected cost; within a stage an upstream stands for the first that it serves. */
void admit_candidates(struct admit *a, const struct ask *ask, struct admit_candidates *out);
/* The next stage after this one that has an upstream; -1: none. */
int admit_stage_after(const struct candidate *c, int n, int stage);
/* As much of an item as pick_need() and pick_where() look at. */
struct item admit_item_like(const struct ask *ask, const struct admit_candidates *c);
/* Why this ask cannot be taken at all, whatever the load. */
enum weir_err admit_refused_outright(const struct admit *a, const struct ask *ask, const struct admit_candidates *c);
/* Why an item cannot be served at all, whatever the load; OK if it can. */
enum weir_err admit_unservable(const struct admit *a, const struct item *it);
/* Who sets the limits of a group: the first in the order of configuration; NULL: all of it are gone. */
const struct admit_upstream *admit_leader(const struct admit *a, uint32_t group);
/* All that waits; what may be for this upstream. */
int64_t admit_waiting(const struct admit *a);
int64_t admit_waiting_for(const struct admit *a, int upstream);
/* Something happened that may let somebody start, or moves the forecast. */
void admit_changed(struct admit *a);
/* Take an item out for good: its ticket is freed, the next of its session steps forward. */
void admit_drop(struct admit *a, struct admit_ticket *t, int64_t now_us);
/* A forecast as fresh as it pays: the more it costs, the older it may be. `anew`: of few items, whenever one changed. */
void admit_look_ahead(struct admit *a, bool anew, int64_t now_us);
/* Nothing was ever said about this group. */
void admit_told_init(struct admit *a, uint32_t group, int64_t now_us);
/* The outlook of all groups. A minute may have begun; this item was taken. */
void admit_outlook_init(struct admit *a, int64_t now_us);
void admit_outlook_begin(struct admit *a, uint32_t group, int64_t now_us);      /* of a new group */
void admit_outlook_turn(struct admit *a, int64_t now_us);
void admit_outlook_note(struct admit *a, uint32_t item, int64_t now_us);
void admit_outlook_view(struct admit *a, uint32_t group, struct admit_outlook *out);
/* Remember the first full forecast a waiting ask was told, and let the queue go by it. */
void admit_promise(struct admit *a, struct admit_ticket *t, const struct forecast_place *place, int64_t now_us);
/* It leaves the queue without having started, and not by its client's will. */
void admit_promise_broken(struct admit *a, const struct admit_ticket *t, int64_t now_us);

#endif
