/* metrics.h - everything /metrics shows, as text. Pure. */
#ifndef WEIR_METRICS_H
#define WEIR_METRICS_H

#include "base/settings.h"
#include "flow/engine.h"
#include "web/reload.h"

struct metrics {
    const struct snapshot *now;
    const struct tally *since;           /* the start */
    const struct settings *settings;
    const struct reload_state *config;
    struct tracer_state traces;
    const char *version, *prices_as_of;
    int64_t uptime_s;
};

void metrics_put(struct sb *out, const struct metrics *m);

#endif
