/* hist.h - a histogram of microseconds, 3 % wide buckets, for percentiles of
 * millions of values in 16 KB. */
#ifndef WEIR_BENCH_HIST_H
#define WEIR_BENCH_HIST_H

#include <stdint.h>

enum { HIST_SUB = 32, HIST_BUCKETS = 40 * HIST_SUB };

struct hist {
    int64_t n, sum, max;
    int64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, int64_t us);                     /* < 0 counts as 0 */
/* The value below which `ppm` millionths of all lie, as a bucket's upper edge; 0 when empty. */
int64_t hist_at(const struct hist *h, int64_t ppm);

#endif
