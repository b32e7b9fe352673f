/* batch_run.h - the calls of a batch, through a running Weir.
 *
 * Each item is one request with an Idempotency-Key made of the batch's id and
 * the item's, so that an item that is sent again after kill -9 is answered from
 * what Weir kept, and paid once. Only answers that Weir cannot have any more
 * (it died itself in the middle) are asked for again under a new key, and marked.
 * As many calls are in flight as Weir takes: half as many after a 429, one more
 * after each answer (AIMD, Chiu and Jain 1989), `workers` at most.
 *
 * One thread; libcurl's multi interface. */
#ifndef WEIR_BATCH_RUN_H
#define WEIR_BATCH_RUN_H

#include <signal.h>

#include "flow/batch_log.h"

enum batch_end {
    BATCH_END_ALL,                       /* each item is done or parked */
    BATCH_END_STOPPED,                   /* *stop was set; what was in flight was waited for, unless it was set twice */
    BATCH_END_LIMIT,                     /* `limit` items were asked for */
    BATCH_END_BUDGET,                    /* the next call could pass `budget` */
    BATCH_END_SERVER_BUDGET,             /* a budget of Weir's would be passed */
    BATCH_END_TOKEN,                     /* Weir does not take the token */
    BATCH_END_UNREACHABLE,               /* Weir was not reached for ten minutes */
    BATCH_END_FILE,                      /* the answers cannot be written */
};

struct batch_setup {
    const char *url, *token;             /* of Weir, without a path */
    const char *priority;                /* Low, Medium or High */
    int64_t workers, limit;              /* limit 0: all */
    int64_t budget;                      /* picodollars of all runs together; < 0: none */
    const struct batch_input *in;
    struct batch_log *log;
    volatile sig_atomic_t *stop;         /* how often the user asked for the end */
    const char *upstream;                /* whose limits the time left goes by; "" unknown */
    /* Four times a second; -1 in flight: all is over. `limits_s`: what is left takes so long by the limits, -1: nobody knows. */
    void (*tick)(void *ctx, int64_t seconds, int64_t in_flight, int64_t limits_s);
    void *ctx;
};

/* `why` gets a sentence for all ends but ALL, STOPPED and LIMIT. */
enum batch_end batch_run(const struct batch_setup *s, struct sb *why);

#endif
