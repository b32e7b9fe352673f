/* admit.h - who may call now, who waits, and for how long.
 *
 * Composes the rules (limits, queue, fairness, retry, stabilization) into one
 * object that the engine owns. Pure bookkeeping: no clock, no lock, no I/O;
 * every function takes the time. One ask gets exactly one grant, and each grant
 * ends in exactly one admit_settle() or admit_release(). Engine thread only.
 * Times are monotonic microseconds unless a name says otherwise. */
#ifndef WEIR_ADMIT_H
#define WEIR_ADMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "rules/choice.h"
#include "rules/gate.h"
#include "rules/outlook.h"
#include "rules/price.h"
#include "rules/provider.h"

enum { ADMIT_UPSTREAMS_MAX = 64, ASK_CANDIDATES_MAX = 16 };

/* What follows a failed attempt at an upstream. */
struct admit_patience {
    int32_t max_retries;
    int64_t base_delay_us, max_delay_us;
    int64_t stabilization_us;     /* time to climb back after a 429 */
};

/* One account at one provider, as far as admission cares. */
struct admit_upstream {
    const char *name;             /* borrowed for the life of the admit object, as is the next */
    const char *quota_group;      /* upstreams with the same group share their limits; NULL: its own */
    int64_t limit[DIM_COUNT];     /* 0: unlimited */
    int64_t burst_requests;       /* bucket capacity; 0: a sixth of the per-minute limit */
    int64_t burst_tokens;
    int64_t max_concurrent;       /* calls at a time, > 0 */
    int64_t pause_us;             /* least time between two requests; 0: none */
    int32_t safety_ppm;           /* share of each limit never used, in millionths */
    int32_t reserve_ppm;          /* share only High may use (lent when no High asked for a minute) */
    bool spread_low;              /* Low waits for room beyond the High and Medium that are expected */
    bool reserve_max_output;      /* the provider counts max_tokens at admission; else the learned quantile */
    bool exact;                   /* for operations: what an ask says is set aside, nothing is learned */
    struct admit_patience patience;
    bool gone;                    /* out of the configuration: takes no new calls */
    size_t rank;                  /* of those that share a quota group and are not gone, the lowest sets the limits */
};

struct admit_config {
    const struct admit_upstream *upstreams;
    size_t upstream_count;        /* 1 … ADMIT_UPSTREAMS_MAX */
    int64_t queue_max;            /* most asks that wait; a tenth more for users who have little waiting */
    int32_t retry_budget_ppm;     /* retries per request over the recent past, in millionths */
};

/* One of the models that may serve an ask. */
struct ask_candidate {
    uint64_t upstreams;           /* 0: this one is out */
    uint64_t model;               /* as in the ask */
    const struct price *price;    /* borrowed; NULL: unknown, and then dearer than all that are known */
    bool free;                    /* costs nothing, and needs no price */
    int stage;                    /* rising: a later one is for when those before cannot be had */
    int64_t prompt_tokens, max_tokens;
};

struct ask {
    void *job;                    /* given back in grants; never looked into */
    uint64_t upstreams;           /* bit i: upstream i may serve it; not 0 */
    enum priority priority;
    uint64_t user;                /* fair share is between these (a hash of the user id, or of a token with a share of its own) */
    int32_t weight;               /* of that share, thousandths; 0: the usual one */
    uint64_t session;             /* 0: none; asks of one session are granted one after another */
    uint64_t model;               /* a hash; with `user` the key of the learned output quantile */
    int64_t prompt_tokens;        /* counted */
    int64_t max_tokens;           /* output cap, > 0; may be 0 where upstreams are `exact` */
    const struct ask_candidate *candidates;   /* borrowed for the call; of each stage the cheapest that can start now is taken.
                                                 NULL: there is one model, the ask's own */
    size_t candidate_count;       /* at most ASK_CANDIDATES_MAX; with candidates the four above but `job` and `user` are unused */
    int64_t arrived_us;
    int64_t deadline_us;          /* must have begun by then */
};

struct admit_ticket;              /* an ask that waits or runs; owned by admit until settled, released or cancelled */

/* How an ask waited. */
struct admit_wait {
    int64_t held_us[GATE_COUNT];  /* by each gate; what is in none was not admission's doing */
    int64_t promised_us;          /* the start it was first told; -1: none */
    int64_t promised_position;    /* told with it */
};

struct admit_grant {
    struct admit_ticket *ticket;
    void *job;
    int upstream;
    int candidate;                /* by its place in the ask; 0 without candidates */
    enum choice choice;           /* why this one */
    int64_t reserved_input, reserved_output;   /* tokens */
    struct admit_wait wait;
};

/* A limit that Weir spreads over its window. */
struct admit_spread {
    int64_t limit, capacity;      /* tokens or requests: of the window, and what may go at once; 0, 0: none is what holds */
};

/* What a waiting ask is told. */
struct admit_place {
    int64_t position;             /* 1-based among what waits for the same upstream */
    int64_t ahead;
    int64_t eta_us;               /* expected time until start, from simulating the same rules forward; -1: unknown */
    int64_t eta_error_us;         /* four of five such starts were off by no more; 0: unknown */
    enum gate reason;             /* the gate that binds now */
    struct admit_spread spread;   /* where that is the pace of a limit */
    int upstream;                 /* where it is expected to run */
};

struct admit_dim_view {
    int64_t limit;                /* 0: unlimited (the other fields are then 0) */
    int64_t allowed;              /* limit less margin, lowered while stabilizing */
    int64_t used, reserved;       /* in the window now */
    int64_t remaining;
    int64_t left, capacity;       /* of the bucket: what may go at once; below 0: a debt */
    int64_t resets_in_us;         /* until used + reserved would be 0 with no more traffic */
    int64_t provider_limit, provider_remaining;   /* what its headers last said; -1: never */
    int64_t provider_ago_us;      /* when that was */
    int64_t drift;                /* what it counted in this window beyond what was sent from here; counts as used */
};

/* What is expected of a group of upstreams in the next quarter of an hour. */
struct admit_outlook {
    bool known;                   /* else too little was seen so far */
    bool spread_low, low_held;    /* the switch; Low is held back right now */
    int64_t requests, tokens;
    int64_t low_requests, low_tokens;              /* of them */
    int64_t requests_error_ppm, tokens_error_ppm;  /* of the last day's predictions; -1: none was judged */
};

enum admit_status { ADMIT_HEALTHY, ADMIT_WARNING, ADMIT_ERROR };   /* warning from 0.8 or stabilizing; error in cooldown or down */

struct admit_upstream_view {
    const char *name;
    enum admit_status status;
    struct admit_dim_view dim[DIM_COUNT];
    bool stabilizing;
    int64_t stabilizing_until_us; /* 0: not */
    int32_t rate_ppm;             /* share of the limits in use: 1,000,000 = all */
    int64_t cooldown_until_us;    /* 0: none; nothing is sent before it */
    bool down;                    /* taken out: key refused or quota gone */
    bool gone;                    /* out of the configuration; shown only while something runs there */
    int64_t running, max_concurrent, waiting;
    int64_t calls, wait_us;       /* granted since the start, and how long they waited, all together */
    int64_t provider_429s_24h;
    struct admit_outlook outlook;
};

struct admit_promises {
    int64_t made, kept;                /* kept: within 2 s or 20 % */
    int64_t error_us;                  /* median of the recent ones */
};

struct admit_counters {           /* since start */
    int64_t enqueued, admitted, cancelled, timed_out, rejected, retries;
    int64_t promises, promises_kept;   /* of all priorities */
    int64_t promise_error_us;          /* median, of the priority where it is largest */
    struct admit_promises promise[PRIORITY_COUNT];
};

/* Make one. `config` is copied (names borrowed). `seed` drives jitter only. Caller frees with admit_free(). */
struct admit *admit_new(const struct admit_config *config, uint64_t seed, int64_t now_us);
void admit_free(struct admit *a);

/* The configuration is another one: upstreams stay at their index, keep their group, and more may follow; those in the
 * mask `renewed` have another address or key and are used again if they had been taken out. What is used, set aside,
 * owed or being stabilized stays; forecasts are made anew. Afterwards take out what cannot be served any more with
 * admit_stranded(). */
void admit_change(struct admit *a, const struct admit_config *config, uint64_t renewed, int64_t now_us);
/* The next waiting ask that no upstream can serve, taken out of the queue (its ticket is gone), and why: E_NO_UPSTREAM
 * or E_REQUEST_TOO_LARGE_FOR_LIMIT. NULL if none. */
void *admit_stranded(struct admit *a, int64_t now_us, enum weir_err *why);

/* Put an ask in line. OK: *ticket is the engine's handle until the ask ends.
 * E_QUEUE_FULL; E_QUEUE_TIMEOUT (the forecast misses the deadline, and is no guess, as it is of upstreams that are busy with
 * their first calls; *wait_us is the honest time);
 * E_REQUEST_TOO_LARGE_FOR_LIMIT; E_NO_UPSTREAM (all are down). *wait_us is -1 where nobody knows.
 * On refusal nothing changed but the counter. */
enum weir_err admit_enqueue(struct admit *a, const struct ask *ask, int64_t now_us, struct admit_ticket **ticket,
                            int64_t *wait_us) __attribute__((warn_unused_result));
/* The next ask that may start now, with its tokens set aside; false if none. Call until false. */
bool admit_next(struct admit *a, int64_t now_us, struct admit_grant *out) __attribute__((warn_unused_result));
/* The next ask whose deadline has passed, taken out of the queue (its ticket is gone); NULL if none. */
void *admit_expire(struct admit *a, int64_t now_us) __attribute__((warn_unused_result));
/* What was granted before a restart runs on at this upstream, whatever its limits say. */
struct admit_ticket *admit_resume(struct admit *a, const struct ask *ask, int upstream, int64_t now_us);
/* When to call admit_next()/admit_expire() again if nothing else happens; INT64_MAX: never. */
int64_t admit_wake_us(const struct admit *a, int64_t now_us);
/* Take a waiting ask out; its ticket is gone. */
void admit_cancel(struct admit *a, struct admit_ticket *t, int64_t now_us);

/* An ask that waits gets another priority; its age and its deadline stay. */
void admit_promote(struct admit *a, struct admit_ticket *t, enum priority p, int64_t now_us);

/* An ask that rests after a failed attempt is tried again as soon as its limits and its provider's pause let it. False: it
 * does not rest. */
bool admit_hurry(struct admit *a, struct admit_ticket *t, int64_t now_us);

/* Tokens, input and output, that this ask is expected to take: as many as are set aside for it. */
int64_t admit_expects(const struct admit *a, const struct admit_ticket *t);
/* How an ask that waits has waited so far. */
void admit_waited(struct admit *a, const struct admit_ticket *t, int64_t now_us, struct admit_wait *out);
/* How the ask waited that was last taken out of the queue, by whatever took it. */
const struct admit_wait *admit_left(const struct admit *a);

/* A running stream has produced `output_tokens` so far: tops the reservation up when outgrown. Told several times a second, it
 * leaves the limits the more room (limits.h). */
void admit_topup(struct admit *a, struct admit_ticket *t, int64_t output_tokens, int64_t now_us);
/* The call ended and used this much (cached input does not count where the provider says so: pass what counts).
 * The ticket is gone. */
void admit_settle(struct admit *a, struct admit_ticket *t, int64_t input_tokens, int64_t output_tokens, int64_t now_us);
/* The call ended before anything was sent: everything is returned, the ticket is gone. */
void admit_release(struct admit *a, struct admit_ticket *t, int64_t now_us);

/* Decide after a failed attempt, before anything reached the client. `retry_after_us` < 0: the provider said
 * nothing. What the provider will have counted stays counted: a request, and after FAULT_SERVER also the input and
 * what was produced. True: the ticket waits again, age kept (its reservation is settled), *delay_us says how long at
 * least; it comes back through admit_next(), perhaps at another upstream, or with the candidates of a later stage if
 * its attempts were used up. False: no retry (attempts or retry budget used up, deadline, no upstream left); the
 * ticket is gone. `dim` is the dimension a 429 named, or DIM_COUNT. */
bool admit_retry(struct admit *a, struct admit_ticket *t, enum attempt_fault fault, enum dim dim, int64_t retry_after_us,
                 int64_t now_us, int64_t *delay_us) __attribute__((warn_unused_result));

/* An attempt failed after a part of its answer had reached the client: it is not tried again, but its upstream is cut,
 * paused or taken out as by admit_retry(). The ticket stays, until it is settled. */
void admit_failed(struct admit *a, const struct admit_ticket *t, enum attempt_fault fault, enum dim dim, int64_t retry_after_us,
                  int64_t now_us);

/* What the provider's headers said; local state can only get stricter. */
void admit_provider_word(struct admit *a, int upstream, const struct provider_word *w, int64_t now_us);

/* Where a waiting ask stands. Cheap when asked for many in one pass: the forecast is kept until something changes. */
void admit_place(struct admit *a, const struct admit_ticket *t, int64_t now_us, struct admit_place *out);
/* Visit every waiting ask in expected order of start, with its place: from a forecast of the whole queue, which is
 * the older the more it costs, at most a second; whoever came since is visited last, with an estimate. */
void admit_each_waiting(struct admit *a, int64_t now_us,
                        void (*visit)(void *ctx, void *job, const struct admit_place *place), void *ctx);
/* What an ask that is not in line could expect. */
struct admit_prospect {
    int64_t wait_us;              /* time until it would start; -1: nobody knows, or never */
    int64_t least_output[ASK_CANDIDATES_MAX];   /* tokens, of each candidate, or the first of the one model: nine of ten
                                                   answers to such asks had as many */
};
/* Nothing is put in line. As admit_enqueue(), but a full queue and a deadline that would be missed are no refusals. */
enum weir_err admit_forecast(struct admit *a, const struct ask *ask, int64_t now_us, struct admit_prospect *out)
    __attribute__((warn_unused_result));

void admit_view(struct admit *a, int upstream, int64_t now_us, struct admit_upstream_view *out);
void admit_counters(const struct admit *a, struct admit_counters *out);

/* What the calendar says at now_us; until told, both clocks are taken for the same. For the outlook alone. */
void admit_calendar(struct admit *a, int64_t now_us, int64_t utc_ms);
/* What is usual at each upstream, found by its name; with minutes, the outlook is also made again from these. */
void admit_recall(struct admit *a, const struct outlook_past *past, int64_t now_us);

/* Clear buckets, windows, stabilization and cooldown of one upstream, or of all with -1, and use it again if it was
 * taken out: the operator who resets has looked. Running calls stay reserved. */
void admit_reset(struct admit *a, int upstream, int64_t now_us);

/* The state that must survive a restart, as JSON; times are written relative to `utc_ms` of now. */
void admit_save(const struct admit *a, int64_t now_us, int64_t utc_ms, struct sb *out);
/* The same while calls go on, to be found after a kill: whoever takes this back counts what could have been sent in
 * the `unseen_us` after it, as nobody knows. */
void admit_save_running(const struct admit *a, int64_t unseen_us, int64_t now_us, int64_t utc_ms, struct sb *out);
/* Take it back after a restart; unknown upstreams are skipped, damaged text changes nothing and returns false. */
bool admit_load(struct admit *a, const char *text, size_t n, int64_t now_us, int64_t utc_ms);
/* From what was saved: what the provider's headers last said this upstream's limits are, -1 where they said nothing (or
 * nothing was saved). Of a quota group the first upstream speaks. Any thread. */
void admit_saved_told(const char *text, size_t n, const char *upstream, int64_t limit[DIM_COUNT]);

#endif
