/* lease.h - leases of operations in the database: those that run, so that they
 * outlive the Weir that gave them, and how those that were settled ended. The
 * ledger's event is the operation's record; its request id is the lease's. */
#ifndef WEIR_STORE_LEASE_H
#define WEIR_STORE_LEASE_H

#include "store/usage.h"

struct db;

enum { LEASE_NAME_SIZE = 65, LEASE_UPSTREAM_SIZE = 33 };

/* A lease that runs, as the next start finds it. */
struct lease_row {
    char request_id[CALL_ID_SIZE], session_id[CALL_ID_SIZE], user_id[RAND_ID_SIZE], token_id[RAND_ID_SIZE];
    char name[LEASE_NAME_SIZE], upstream[LEASE_UPSTREAM_SIZE], endpoint[LEASE_NAME_SIZE];
    enum priority priority;
    int64_t accepted_at_ms, input, output;       /* tokens of the estimate */
    struct call_lease lease;
    struct call_cost cost;                       /* version and rates */
};

/* How an operation ended: what its settlement answers, the first time and every other. */
struct lease_end {
    bool settled;                                /* false: it runs, or waits; only the names are filled */
    char name[LEASE_NAME_SIZE], upstream[LEASE_UPSTREAM_SIZE];
    enum call_status status;                     /* error: it failed; timeout: it expired */
    bool estimated;
    struct usage_tokens used;
    int64_t cost;                                /* picodollars */
    int64_t wait_us, duration_us;                /* in line, and under the lease */
};

/* Note what r->lease says; `r` was accepted in the same transaction, or before. Writer only, as is the next. */
enum weir_err lease_put(struct db *db, const struct call_record *r) __attribute__((warn_unused_result));
enum weir_err lease_drop(struct db *db, int64_t event) __attribute__((warn_unused_result));
/* All that run. *out is malloc'd, the caller's. */
enum weir_err lease_read_all(struct db *db, struct lease_row **out, size_t *n) __attribute__((warn_unused_result));
/* An operation of this user's. E_NOT_FOUND: there is none. Any connection. */
enum weir_err lease_read_end(struct db *ro, const char *user_id, const char *lease_id, struct lease_end *out)
    __attribute__((warn_unused_result));
/* Of a record that has ended. */
void lease_end_of(const struct call_record *r, struct lease_end *out);

#endif
