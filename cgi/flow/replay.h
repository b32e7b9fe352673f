/* replay.h - what recorded traffic would have met under other settings.
 *
 * Sends the requests of store/traffic.h through admission, the same code that
 * decides in the engine, on a virtual clock: each arrives when it did, and a call
 * takes the time and the tokens it took. One that was never sent is like the mean
 * answered call of its model. A provider refuses what passes its own limits, which
 * it counts in an exact sliding window and does not tell beforehand.
 *
 * No clock, no lock, no I/O: the same traffic, settings and seed give the same
 * result. What people would have done differently is not foreseen: nobody sends
 * later because an answer came later, nobody leaves the line. Any thread. */
#ifndef WEIR_REPLAY_H
#define WEIR_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"
#include "rules/gate.h"
#include "store/traffic.h"

struct replay_setup {
    const struct settings *settings;
    const int64_t (*provider)[DIM_COUNT];   /* by upstream of the settings: its own limits, 0 or less: none. NULL: it takes all */
    const enum priority *priority;          /* by user of the traffic, PRIORITY_COUNT: as recorded. NULL: all as recorded */
    uint64_t seed;
    bool promises;                          /* tell those who wait where they stand, to judge it later; takes half of the time */
};

/* Nearest ranks, microseconds; -1 where n is 0. */
struct replay_waits {
    int64_t n, mean_us, p50_us, p95_us, p99_us, max_us;
};

struct replay_user {
    int64_t requests, started, tokens;
    struct replay_waits wait;
};

struct replay_model {
    int64_t started, unpriced, input, output;
    int64_t cost;                           /* picodollars, of what is priced */
};

struct replay_limit {
    size_t upstream;                        /* in the settings; of a quota group the first */
    enum dim dim;
    int64_t limit;                          /* as set */
    int32_t mean_ppm, peak_ppm;             /* of it used: over the whole span; in the fullest window */
};

/* requests = started + refused + timed_out + failed + left */
struct replay_result {
    int64_t requests;
    int64_t started;                        /* calls that a provider took */
    int64_t refused;                        /* at once, without waiting */
    int64_t timed_out;                      /* waited in vain */
    int64_t failed;                         /* every attempt got 429 */
    int64_t left;                           /* the client gave up waiting: only in what was recorded */
    int64_t unserved;                       /* of refused: no upstream has the model */
    int64_t answers_429, retries;
    struct replay_waits wait, by_priority[PRIORITY_COUNT];     /* of those started: until the attempt that was taken */
    struct replay_user *user;               /* as in the traffic */
    size_t users;
    struct replay_model *model;             /* the same */
    size_t models;
    struct replay_limit *limit;
    size_t limits;
    int64_t jain_ppm;                       /* of the tokens, by weight, that users got while two or more of them waited; -1: they never did */
    int64_t contenders;                     /* how many users did */
    int64_t cost, unpriced;
    int64_t promises, kept;                 /* forecasts told; right within 2 s or 20 % */
    int64_t span_us;                        /* from the first arrival to the last end */
};

/* One step by step: everything in `setup`, and the traffic, is borrowed until replay_end(). */
struct replay *replay_new(const struct traffic *t, const struct replay_setup *setup);
/* Let the clock go on for so many events; false once nothing is left to happen. */
bool replay_step(struct replay *r, int64_t turns);
/* Free it and fill *out, freed with replay_done(), or give up if `out` is NULL. r NULL is fine. */
void replay_end(struct replay *r, struct replay_result *out);
/* All at once. */
void replay_run(const struct traffic *t, const struct replay_setup *setup, struct replay_result *out);
/* The same of what was recorded, as far as the ledger has it: no limits, promises and fairness. */
void replay_recorded(const struct traffic *t, struct replay_result *out);
void replay_done(struct replay_result *r);

#endif
