/* replay_parts.h - what a replay needs before it begins, and who competes during it.
 * Internal to replay.c and replay_parts.c. */
#ifndef WEIR_REPLAY_PARTS_H
#define WEIR_REPLAY_PARTS_H

#include "flow/replay.h"

/* The calls, with what is missing made up and the priorities as wanted (replay_setup); caller frees. */
struct traffic_call *replay_calls(const struct traffic *t, const enum priority *priority);
/* By model: the upstreams of these settings that may serve it, as bits; caller frees. One without a list of models serves what it
 * was recorded to serve, and so does one of the same base URL. */
uint64_t *replay_serves(const struct traffic *t, const struct settings *s);

/* Users who have something waiting. */
struct replay_contest {
    size_t users;
    uint32_t *waiting;             /* by user: how much */
    uint32_t *place, *list, n;     /* who, and where in the list */
    int64_t *tokens;               /* by user: got while two or more waited; -1: was never one of them */
};

void replay_contest_init(struct replay_contest *c, size_t users);
void replay_contest_done(struct replay_contest *c);
/* One more of this user waits; one no longer does, having got so many tokens. */
void replay_contest_enter(struct replay_contest *c, uint32_t user);
void replay_contest_leave(struct replay_contest *c, uint32_t user, int64_t tokens);
/* How fair it was: replay_result.jain_ppm. Once, at the end. */
int64_t replay_contest_sum(struct replay_contest *c, const int32_t *weight, int64_t *contenders);

#endif
