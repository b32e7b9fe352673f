/* batch_estimate.h - what a batch will come to, asked of a running Weir before
 * and between its calls. One thread. */
#ifndef WEIR_BATCH_ESTIMATE_H
#define WEIR_BATCH_ESTIMATE_H

#include <jansson.h>

#include "flow/batch_run.h"

/* What /chat/estimate takes for this item: the model, all its text as one message, the cap. False: too large. */
bool batch_estimate_body(const struct batch_item *it, struct sb *out) __attribute__((warn_unused_result));

/* What the open items will come to, asked of /chat/estimate for up to `samples` of them and scaled. */
struct batch_estimate {
    int64_t items, sampled, unpriced;
    int64_t tokens_in, cost_low, cost_high;      /* picodollars */
    char upstream[128];                  /* where the model of the first open item is; "" unknown */
};
/* How many seconds so much takes by the limits of `upstream`, out of what /monitoring/rate-limits answered: that of its tightest
 * dimension, at its rate once what it lets through at once is gone. -1: it does not say. Pure. */
struct batch_need {
    int64_t requests, tokens_in, tokens_out;
};
int64_t batch_limits_s(const json_t *told, const char *upstream, const struct batch_need *n);

/* BATCH_END_ALL, TOKEN or UNREACHABLE. Also checks the token, with samples 0 that alone. */
enum batch_end batch_estimate(const struct batch_setup *s, int64_t samples, struct batch_estimate *out, struct sb *why);

#endif
