/* promise.c - the error of each, and what is usual among the recent ones. */
#include "rules/promise.h"

#include <stdlib.h>
#include <string.h>

enum {
    PROMISE_REFRESH = 16,          /* what is usual is taken anew every so many promises */
    PROMISE_WHOLE = 1000,
    PROMISE_PART_MAX = 100 * PROMISE_WHOLE,
    PROMISE_USUAL_PERCENT = 85     /* of past errors; of the starts told next a little fewer, as loads change */
};

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Of the first n, at most PROMISE_RECENT, the one that so many percent are below. */
static int64_t quantile(const int64_t *of, int64_t n, int percent)
{
    int64_t sorted[PROMISE_RECENT];

    memcpy(sorted, of, sizeof sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    return sorted[n * percent / 100];
}

static void note(struct promise *p, int64_t wait_us, int64_t error_us)
{
    int64_t part = error_us / (((wait_us > 0 ? wait_us : 0) + PROMISE_CLOSE_US) / PROMISE_WHOLE);
    int64_t n;

    p->error_us[p->made % PROMISE_RECENT] = error_us;
    p->part[p->made++ % PROMISE_RECENT] = part < PROMISE_PART_MAX ? part : PROMISE_PART_MAX;
    n = p->made < PROMISE_RECENT ? p->made : PROMISE_RECENT;
    if (n > PROMISE_REFRESH && p->made % PROMISE_REFRESH)
        return;
    p->median_us = quantile(p->error_us, n, 50);
    p->usual_part = quantile(p->part, n, PROMISE_USUAL_PERCENT);
}

void promise_judge(struct promise *p, int64_t told_us, int64_t promised_us, int64_t began_us)
{
    int64_t error = began_us > promised_us ? began_us - promised_us : promised_us - began_us;

    if (promise_close(error, promised_us - told_us))
        p->kept++;
    note(p, promised_us - told_us, error);
}

void promise_broken(struct promise *p, int64_t told_us, int64_t promised_us, int64_t now_us)
{
    if (now_us > promised_us)
        note(p, promised_us - told_us, now_us - promised_us);
}

int64_t promise_within_us(const struct promise *p, int64_t wait_us)
{
    return (wait_us + PROMISE_CLOSE_US) / PROMISE_WHOLE * p->usual_part;
}
