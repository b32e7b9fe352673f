/* lease.h - operations: what is metered, but called by somebody else while they
 * hold a lease.
 *
 * An operation is a job like a chat: the same line, limits, budgets, priorities
 * and records, at an upstream whose protocol is `operation`. Once it is granted
 * and its intent is committed, its asker is told the lease, and the job runs on
 * without a client until the lease is settled or expires. Leases outlive Weir:
 * the next start takes them up (store/lease.h). */
#ifndef WEIR_LEASE_H
#define WEIR_LEASE_H

#include "flow/job.h"
#include "store/lease.h"

struct engine;
struct lease_letter;             /* lease.c: somebody settles it, and waits for the commit */

/* Leases that one request asks for: each has its turn when that of the one before is over, and all are told together. */
struct lease_batch {
    struct job **job;            /* n of them; from `at` + 1 on they are owned */
    size_t n, at;                /* at: whose turn it is; it owns the batch */
    char (*told)[CALL_ID_SIZE];  /* the ids of those that were granted */
    size_t told_count;
    struct sb said;
};

struct job_lease {
    struct price price;          /* what its upstream charges; the job's price is this */
    struct usage_tokens used;    /* the estimate until it is settled */
    bool estimated;
    bool runs;                   /* granted and told */
    int64_t wait_us, for_us;     /* it may wait and, once granted, run for so long */
    int64_t expires_us;          /* monotonic */
    char *metadata;              /* owned: of its end, or NULL */
    struct lease_letter *settlers;
    struct lease_batch *batch;   /* owned; NULL: it was asked for alone, or the batch has gone on */
};

/* Takes the jobs; the first of them is to own it. */
struct lease_batch *lease_batch_new(struct job *const *job, size_t n);
/* What an operation at this upstream costs. `version` says the price of a unit, as "0.001/unit". */
enum { LEASE_VERSION_SIZE = sizeof ((struct call_cost *)0)->price_version };
void lease_price(const struct upstream_settings *u, struct price *out, char version[LEASE_VERSION_SIZE]);
void lease_free(struct job_lease *l);      /* NULL is fine */

/* What whoever held a lease says about its end; < 0: as estimated. */
struct lease_report {
    bool failed;
    int64_t input, output, units;
    const char *error;           /* in their words, or NULL */
};
/* Settle a lease of this user's and wait until that is stored. Any thread but the engine and the writer. E_NOT_FOUND: none of that
 * id runs here; E_OUT_OF_RANGE: the cost is beyond all counting, and the lease runs on. */
enum weir_err engine_settle(struct engine *e, const char *user_id, const char *lease_id, const struct lease_report *r, struct lease_end *out)
    __attribute__((warn_unused_result));

#endif
