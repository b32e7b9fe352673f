/* batch_runs.h - batches under way, as the thread of batches.c has them. Internal to it and batch_runs.c. */
#ifndef WEIR_BATCH_RUNS_H
#define WEIR_BATCH_RUNS_H

#include <pthread.h>
#include <stdatomic.h>

#include "web/batch_work.h"

enum {
    SLOTS = 256,                         /* batches.workers has no more */
    RUNS = 64,                           /* batches under way at once; later ones wait */
    CHARGED = 2 * SLOTS,                 /* open items with calls that were charged and have not counted yet */
    FETCH = 64                           /* open items that are looked up together */
};

struct run {
    struct batch_row row;                /* as it was read last */
    int64_t next;                        /* items before this number have ended, are in a slot or were passed over */
    struct batch_item_place fetched[FETCH];
    size_t at, n;                        /* of `fetched`, those to come */
    bool all;                            /* there is none behind them */
    bool passed;                         /* some were, as what they need is held */
    bool freed;                          /* something that was is no more */
    struct batch_item_charge charged[CHARGED];      /* where it has a budget: of those that are in no slot */
    size_t charges;
    bool charges_known;
    int64_t slots;                       /* its own */
    int64_t worked_us;                   /* monotonic: its work is counted up to here; 0: it rests */
    bool there;                          /* still, in this round */
};

struct batches {
    struct web *w;
    struct db *ro;
    pthread_t thread;
    int wake;                            /* eventfd */
    atomic_bool stop;
    struct rng rng;
    struct run *runs[RUNS];
    size_t run_count;
    struct slot slots[SLOTS];
    int64_t active;                      /* slots that may be used now */
    int64_t cut_us, tidy_us;
};

/* Something to write, by the writer; the rest is for `op` to look at. */
struct batch_write {
    struct write_op op;
    struct batches *b;
    const struct run *run;
    const char *held;
    enum batch_status ends_as;
    int64_t now_ms;
    bool left;
};

/* Weir stops, or drains: nothing more is begun. */
bool batches_resting(const struct batches *b);
/* Have the writer do it, and wait. `w` is filled in by the caller but for op, b and now_ms. */
enum weir_err batches_write(struct batches *b, struct batch_write *w, enum weir_err (*run)(struct db *, struct write_op *));
/* The batch of this number; NULL: it is not under way. */
struct run *batches_run(struct batches *b, int64_t batch);
/* See which batches there are. */
void batches_look(struct batches *b);
/* What of its budget may be spent on the item of `s`, one of its slots; INT64_MAX: it has no budget. */
int64_t batch_run_room(struct batches *b, struct run *r, const struct slot *s);
/* An item of it goes into a slot, or is let go before it ended: so do the charges for it. */
void batch_run_enter(struct batches *b, struct run *r, struct slot *s);
void batch_run_leave(struct run *r, const struct slot *s);
/* Nothing more of it is to be sent. */
bool batch_run_over(const struct run *r);
/* Look up more open items to begin, if there is none at hand; `all` once there are no more. */
void batch_run_fetch(struct batches *b, struct run *r);
/* A step of each nearer to its end; true if one was made. */
bool batches_step(struct batches *b);

#endif
