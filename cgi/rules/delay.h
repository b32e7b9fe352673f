/* delay.h - how long to wait before the next password is looked at.
 *
 * After five that were wrong each costs a wait, which doubles from 30 s to a
 * quarter of an hour; a quarter of an hour without a wrong one, after the wait,
 * and all is forgotten. Pure: times are monotonic microseconds. */
#ifndef WEIR_DELAY_H
#define WEIR_DELAY_H

#include <stdint.h>

enum { DELAY_FREE = 5 };          /* wrong ones without a wait */
#define DELAY_FIRST_US (INT64_C(30) * 1000000)
#define DELAY_MAX_US (INT64_C(900) * 1000000)

/* All zero: nothing was wrong yet. */
struct delay {
    int32_t failures;
    int64_t until_us;
};

/* Microseconds until the next may be tried; 0: now. */
int64_t delay_wait_us(const struct delay *d, int64_t now_us);
/* One is about to be tried and counts as wrong until delay_passed(). Gives how many that are. */
int32_t delay_try(struct delay *d, int64_t now_us);
/* It was right. Gives how many before it were wrong. */
int32_t delay_passed(struct delay *d);

#endif
