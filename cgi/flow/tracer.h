/* tracer.h - the thread that exports traces (setting otlp.endpoint).
 *
 * Best effort: whoever gives a trace never waits; what finds otlp.max_queue
 * waiting is dropped, and so is what a receiver does not take after a few tries.
 * Every drop is counted. */
#ifndef WEIR_TRACER_H
#define WEIR_TRACER_H

#include <stdint.h>

#include "base/settings.h"
#include "flow/trace.h"

enum { TRACER_BATCH = 256, TRACER_LINGER_MS = 500, TRACER_TRIES = 3, TRACER_STOP_MS = 2000 };

struct tracer;

/* Start the thread; `s` is borrowed until tracer_stop(). NULL with a logged sentence: it cannot be started, or without one: no
 * endpoint is set. */
struct tracer *tracer_start(const struct settings *s);
/* Takes `t`. Any thread, never waits. */
void tracer_give(struct tracer *tr, struct trace *t);
/* Send what waits for at most TRACER_STOP_MS, end the thread, free; NULL is fine. After everybody who might give. */
void tracer_stop(struct tracer *tr);

struct tracer_state {
    int64_t pending, sent;               /* traces */
    int64_t dropped_full, dropped_failed;
};
/* Any thread; all zero without a tracer. */
void tracer_look(struct tracer *tr, struct tracer_state *out);

#endif
