/* period.c - days to weeks and months, by the proleptic Gregorian calendar. */
#include "store/period.h"

enum { DAYS_400_YEARS = 146097, MONDAY = 3 };      /* 1970-01-01 was a Thursday, three days after Monday */

static int64_t floor_mod(int64_t a, int64_t b)
{
    int64_t m = a % b;

    return m < 0 ? m + b : m;
}

static bool leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month] + (month == 1 && leap(year));
}

/* The first day of the month that `day` lies in, and of the next. */
static void month_of(int64_t day, int64_t *first, int64_t *next)
{
    int64_t cycle = day - floor_mod(day, DAYS_400_YEARS), left = day - cycle, year = 1970;
    int month = 0;

    while (left >= 365 + leap(year)) {                   /* at most 400 steps, and rarely asked: once a window */
        left -= 365 + leap(year);
        year++;
    }
    for (; left >= month_days(year, month); month++)
        left -= month_days(year, month);
    *first = day - left;
    *next = *first + month_days(year, month);
}

struct budget_span period_at(const struct zone *z, enum budget_window w, int64_t utc_ms)
{
    struct budget_span always = {INT64_MIN, INT64_MAX};
    int64_t day, first, next;

    if (w == BUDGET_TOTAL || w == BUDGET_WINDOWS)
        return always;
    first = day = zone_day(z, utc_ms);
    next = day + 1;
    if (w == BUDGET_WEEK) {
        first = day - floor_mod(day + MONDAY, 7);
        next = first + 7;
    } else if (w == BUDGET_MONTH) {
        month_of(day, &first, &next);
    }
    return (struct budget_span){zone_day_begins(z, first), zone_day_begins(z, next)};
}
