/* delay.c - doubling, with an end. */
#include "rules/delay.h"

int64_t delay_wait_us(const struct delay *d, int64_t now_us)
{
    return d->failures >= DELAY_FREE && d->until_us > now_us ? d->until_us - now_us : 0;
}

int32_t delay_try(struct delay *d, int64_t now_us)
{
    int64_t wait = DELAY_FIRST_US;

    if (d->failures > 0 && now_us - d->until_us > DELAY_MAX_US)
        d->failures = 0;
    d->failures++;
    for (int32_t i = DELAY_FREE; i < d->failures && wait < DELAY_MAX_US; i++)
        wait *= 2;
    d->until_us = now_us + (d->failures < DELAY_FREE ? 0 : wait < DELAY_MAX_US ? wait : DELAY_MAX_US);
    return d->failures;
}

int32_t delay_passed(struct delay *d)
{
    int32_t before = d->failures - 1;

    *d = (struct delay){0, 0};
    return before > 0 ? before : 0;
}
