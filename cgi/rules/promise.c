/* promise.c - the error of each, and the median of the recent ones. */
#include "rules/promise.h"

#include <stdlib.h>
#include <string.h>

/* The median is taken anew every so many promises. */
enum { PROMISE_REFRESH = 16 };

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void note(struct promise *p, int64_t error_us)
{
    int64_t sorted[PROMISE_RECENT];
    int64_t n;

    p->error_us[p->made++ % PROMISE_RECENT] = error_us;
    n = p->made < PROMISE_RECENT ? p->made : PROMISE_RECENT;
    if (n > PROMISE_REFRESH && p->made % PROMISE_REFRESH)
        return;
    memcpy(sorted, p->error_us, sizeof sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    p->median_us = sorted[n / 2];
}

void promise_judge(struct promise *p, int64_t told_us, int64_t promised_us, int64_t began_us)
{
    int64_t error = began_us > promised_us ? began_us - promised_us : promised_us - began_us;

    if (promise_close(error, promised_us - told_us))
        p->kept++;
    note(p, error);
}

void promise_broken(struct promise *p, int64_t promised_us, int64_t now_us)
{
    if (now_us > promised_us)
        note(p, now_us - promised_us);
}
