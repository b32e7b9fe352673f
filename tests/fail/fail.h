/* fail.h - calls that fail when they are told to: the n-th allocation, write,
 * fsync, connection or thread of a process; a calendar that is set forward or
 * back, and a machine that was asleep.
 *
 * Linked into a program (sweep.c), or preloaded into another that is told by a
 * shared file, FAIL_CONTROL, which holds one struct fail_control and may change
 * while the program runs. */
#ifndef WEIR_TESTS_FAIL_H
#define WEIR_TESTS_FAIL_H

#include <stdint.h>

enum fail_call { FAIL_MALLOC, FAIL_WRITE, FAIL_FSYNC, FAIL_CONNECT, FAIL_THREAD, FAIL_CALLS };

struct fail_kind {
    int64_t count;       /* calls so far */
    int64_t at;          /* the number of the one that fails; 0: none */
    int64_t forever;     /* and so do all after it */
    int64_t failed;      /* how many have */
};

struct fail_control {
    struct fail_kind kind[FAIL_CALLS];
    int64_t calendar_s;  /* how far CLOCK_REALTIME is ahead of the system's */
    int64_t asleep_s;    /* how long the machine has slept: CLOCK_BOOTTIME is so far ahead, CLOCK_MONOTONIC is not */
};

extern struct fail_control *fail_control;

#endif
