/* clock.h - the only place that asks the system for the time.
 *
 * Limits, waits and time-outs use the monotonic clock; records use UTC. Rules
 * never call these: time is an argument there. Thread-safe. */
#ifndef WEIR_CLOCK_H
#define WEIR_CLOCK_H

#include <stdint.h>

#define USEC_PER_MS INT64_C(1000)
#define USEC_PER_SEC INT64_C(1000000)

int64_t clock_mono_us(void);   /* microseconds, CLOCK_BOOTTIME: also counts suspend, never steps */
int64_t clock_utc_ms(void);    /* milliseconds since 1970, may step */
int64_t clock_cpu_us(void);    /* microseconds of a processor that this thread has had */

#endif
