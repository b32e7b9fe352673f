/* stabilize.h - how fast to go after a provider said 429.
 *
 * Like congestion control: the share of a limit in use is halved, then climbs
 * back additively over the stabilization period; another 429 halves it again.
 * The burst is halved too and stays so for a day. A provider that refuses while
 * much of the limit is left counts in shorter spans than it says: then calls are
 * paced, with a burst of a tenth of a second and a rate that leaves room for it
 * and for their unevenness. One of these for each dimension of each limit: only what was hit
 * is cut. */
#ifndef WEIR_STABILIZE_H
#define WEIR_STABILIZE_H

#include <stdbool.h>
#include <stdint.h>

#define STABILIZE_DAY_US (INT64_C(86400) * 1000000)

enum {
    STABILIZE_FULL_PPM = 1000000,
    STABILIZE_LEAST_PPM = 10000,          /* never cut below 1 % */
    STABILIZE_BURST_LEAST_PPM = 100000,   /* cut below this it is paced, … */
    STABILIZE_BURST_PACED_PPM = 10000,    /* … and a sixth of a minute becomes a tenth of a second */
    STABILIZE_PACED_PPM = 870000,         /* the most that is used while paced */
    STABILIZE_STEPS = 32                  /* the climb is made in this many equal steps */
};

struct stabilize {
    int64_t since_us;      /* the last cut */
    int64_t until_us;      /* the climb ends; 0: never cut */
    int64_t calm_us;       /* the burst is whole again */
    int32_t from_ppm;      /* share right after the cut */
    int32_t burst_ppm;     /* share of the burst until calm_us; 0 means all */
};

/* A call that began at began_us was refused; early: while much was left by our count. Calls that were under way at the
 * last cut have seen the old pace and do not cut again: returns whether this one did. */
bool stabilize_hit(struct stabilize *s, bool early, int64_t began_us, int64_t period_us, int64_t now_us);
/* Share of the limit that may be used, millionths. */
int32_t stabilize_rate_ppm(const struct stabilize *s, int64_t now_us);
/* The most it climbs to: less than a million while paced. */
int32_t stabilize_most_ppm(const struct stabilize *s, int64_t now_us);
int32_t stabilize_burst_ppm(const struct stabilize *s, int64_t now_us);
/* When one of the two changes next by itself; INT64_MAX: never. */
int64_t stabilize_next_us(const struct stabilize *s, int64_t now_us);

#endif
