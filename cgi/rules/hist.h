/* hist.h - mergeable histograms of durations: percentiles of any selection are
 * computed from the sums of its parts.
 *
 * Slots grow by an eighth of a power of two, so a percentile is off by at most
 * 6 %. Pure; the packed form is what roll-ups store. */
#ifndef WEIR_HIST_H
#define WEIR_HIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hist_metric { HIST_DURATION, HIST_TTFT, HIST_WAIT, HIST_METRICS };

/* Slot 0: no time at all; 1: below 64 µs; then eight to an octave, up to fifty days. */
enum { HIST_SLOTS = 290, HIST_PACKED_MAX = HIST_METRICS * HIST_SLOTS * 11 };

struct hist {
    int64_t n[HIST_METRICS][HIST_SLOTS];
};

/* Count one duration in microseconds (negative counts as 0). */
void hist_add(struct hist *h, enum hist_metric m, int64_t us);
int64_t hist_count(const struct hist *h, enum hist_metric m);
/* The duration below which ppm millionths of the counted lie; -1 if none was counted. */
int64_t hist_quantile(const struct hist *h, enum hist_metric m, int32_t ppm);

/* Write the counts to `out` (HIST_PACKED_MAX bytes); gives the bytes used. Only slots in use take room. */
size_t hist_pack(const struct hist *h, unsigned char *out);
/* What a histogram holds, as one number: the sum (modulo 2^64) of one mark for each duration it counts. Histograms with
 * different counts have different ones, as good as always. The second is false if the packed counts are damaged. */
uint64_t hist_mark(enum hist_metric m, int64_t us);
bool hist_packed_mark(const void *packed, size_t n, uint64_t *out) __attribute__((warn_unused_result));

/* Add packed counts to h. False if they are damaged (what came before the damage is added). */
bool hist_unpack(struct hist *h, const void *packed, size_t n) __attribute__((warn_unused_result));

#endif
