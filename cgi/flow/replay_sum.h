/* replay_sum.h - adding a replay up. Internal to replay.c and replay_sum.c. */
#ifndef WEIR_REPLAY_SUM_H
#define WEIR_REPLAY_SUM_H

#include "flow/replay.h"

/* A request that was started waited so long. */
struct replay_wait {
    int64_t us;
    uint32_t user;
    enum priority priority;
};

/* An empty result with room for the traffic's users and models. */
void replay_sum_begin(const struct traffic *t, struct replay_result *r);
/* A call was taken: count, tokens and cost. */
void replay_sum_started(struct replay_result *r, const struct traffic_call *c);
/* All waits of those started; sorts them. */
void replay_sum_waits(struct replay_result *r, struct replay_wait *w, size_t n);
/* Jain's index of n amounts in millionths; -1 for fewer than two, or nothing at all. */
int64_t replay_sum_jain(const int64_t *amount, size_t n);

#endif
