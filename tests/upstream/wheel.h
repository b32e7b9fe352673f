/* wheel.h - a timer wheel: thousands of timers that fire at the millisecond.
 *
 * 4,096 slots of 1 ms; a timer further away than one turn stays in its slot and
 * is passed over until its time. Starting, stopping and firing cost O(1). One
 * thread; the time is passed in. Used by the provider stand-in and the load
 * generator. */
#ifndef WEIR_TESTS_WHEEL_H
#define WEIR_TESTS_WHEEL_H

#include <stdint.h>

enum { WHEEL_SLOTS = 4096 };

struct timer {
    struct timer *next, **link;            /* link is NULL while the timer is not running */
    int64_t at_us;
    void (*fire)(struct timer *t, int64_t now_us);
};

struct wheel {
    struct timer *slot[WHEEL_SLOTS];
    uint64_t busy[WHEEL_SLOTS / 64];       /* one bit a slot that may hold a timer */
    int64_t tick;                          /* milliseconds already looked at */
    int64_t running;
};

void wheel_init(struct wheel *w, int64_t now_us);
/* Fire `t` at `at_us` (past: at the next advance). A running timer is moved. Borrows t until it fires or stops. */
void wheel_start(struct wheel *w, struct timer *t, int64_t at_us);
void wheel_stop(struct wheel *w, struct timer *t);      /* a stopped timer is fine */
/* Fire what is due. A fired timer is no longer running and may be started or freed by its `fire`. */
void wheel_advance(struct wheel *w, int64_t now_us);
/* Milliseconds to sleep before the next advance is worth while, 0 … 1000; for epoll_wait. */
int wheel_sleep_ms(const struct wheel *w, int64_t now_us);

#endif
