/* sim.h - hours of traffic in a second: arrivals, Weir's admission, a strict
 * provider, answers of log-normal length, all on one simulated clock.
 *
 * The caller fills struct sim, calls sim_run() and reads the results. Requests
 * reach the provider after a little random delay; output is produced in half
 * seconds, counted there and topped up here as it comes. */
#ifndef WEIR_TESTS_SIM_H
#define WEIR_TESTS_SIM_H

#include "base/rand.h"
#include "flow/admit.h"
#include "strict.h"

#define SEC INT64_C(1000000)
#define SIM_START (100000 * SEC)

enum { SIM_CALLS = 200000, SIM_USERS = 64 };

struct sim_call {
    struct ask ask;
    struct admit_ticket *ticket;
    int64_t promised_us;             /* -1: nothing was promised */
    int64_t shown_us, within_us;     /* the start it was shown first, and by how much that may be off; 0: none */
    int64_t granted_us, sent_us, end_us, output, produced, reserved;
    int upstream, user;
    bool refused;
};

struct sim {
    /* in */
    struct admit_upstream upstream[4];
    size_t upstreams;
    enum strict_kind kind;
    double per_second;               /* arrivals; … */
    double (*wave)(int64_t since_us);    /* … or, if given, those of Low: of the others so many a second come at that time */
    int64_t duration_us;
    int64_t prompt_least, prompt_most;
    double output_mean, output_sigma;
    int64_t max_tokens;
    int64_t first_us, token_us;      /* length of a call: first token, each token */
    int64_t queue_max, wait_max_us;
    int users;                       /* user i of n; the first sends `greed` times as much as another */
    int greed;
    int low, high;                   /* percent of asks with that priority; with a wave `high` of those that are not Low */
    bool headers;                    /* the provider tells its remainders */
    bool keeps_max;                  /* it counts max_tokens at the start and keeps it */
    bool whole;                      /* answers come in one piece, when all is written */
    bool hidden;                     /* the first half of an answer is counted as it is written, and told with the second only */
    int64_t settle_in_us;            /* results count from here after the start on */
    uint64_t seed;
    int64_t tell_every_us;           /* those who wait are told their places this often; 0: at their arrival only */
    int64_t trouble_us;              /* the first request after this is refused, whatever is left; 0: none */
    int64_t restart_every_us;        /* Weir is stopped and started again, with what it saved; 0: never */
    int64_t save_every_us;           /* it is killed instead, and the last of the saves this often is found; 0: stopped */
    const struct outlook_past *past; /* what the records know at the start, or NULL */
    void (*granted)(struct sim *s, struct sim_call *c, int64_t now_us);
    /* out */
    struct admit *admit;
    int64_t refused_late;            /* of refused: after settle_in_us */
    int64_t started_late;            /* of started: after settle_in_us */
    int64_t asked, started, refused, rejected, expired;
    int64_t counted[DIM_COUNT];      /* by the provider, after settle_in_us */
    int64_t user_tokens[SIM_USERS];
    int64_t wait_us[PRIORITY_COUNT], waits[PRIORITY_COUNT];
    double reserved_by_used;
    struct strict_limit limit[4][DIM_COUNT];
    int64_t end_us;
};

void sim_run(struct sim *s);
void sim_done(struct sim *s);

/* Provider's view, shared with tests that send by themselves. */
int64_t sim_log_normal(struct rng *r, double mean, double sigma, int64_t most);

#endif
