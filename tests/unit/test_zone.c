/* Days in time zones, across their changes of offset. */
#include "unit.h"

#include <unistd.h>

#include "base/sb.h"
#include "store/report.h"
#include "store/zone.h"

static int64_t ms(const char *text)
{
    int64_t at;

    ck_assert_msg(report_time_parse(text, 0, &at), "%s", text);
    return at;
}

static void assert_day(const struct zone *z, const char *at, const char *start, const char *next)
{
    ck_assert_msg(zone_day_start(z, ms(at)) == ms(start), "%s at %s: day starts %lld", z->name, at,
                  (long long)zone_day_start(z, ms(at)));
    ck_assert_msg(zone_day_next(z, ms(at)) == ms(next), "%s at %s: next day %lld", z->name, at,
                  (long long)zone_day_next(z, ms(at)));
}

START_TEST(a_day_of_utc_is_twenty_four_hours)
{
    struct zone z = zone_utc();

    assert_day(&z, "2026-11-22T06:20:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z");
    assert_day(&z, "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z");
    ck_assert_int_eq(zone_offset_s(&z, 0), 0);
}
END_TEST

START_TEST(days_follow_changes_of_offset)
{
    static const struct { const char *zone, *at, *start, *next; } rows[] = {
        {"Europe/Berlin", "2026-11-22T06:20:00Z", "2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z"},
        {"Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},   /* 23 hours */
        {"Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},   /* 25 hours */
        {"Asia/Kolkata", "2026-11-22T18:29:59Z", "2026-11-21T18:30:00Z", "2026-11-22T18:30:00Z"},
        {"America/New_York", "2026-11-01T04:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
        {"Asia/Beirut", "2026-03-29T12:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"},     /* no midnight */
        {"Pacific/Kiritimati", "2026-11-22T06:20:00Z", "2026-11-21T10:00:00Z", "2026-11-22T10:00:00Z"},
    };

    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zone z;

        ck_assert_msg(zone_load(rows[i].zone, &z), "%s", rows[i].zone);
        assert_day(&z, rows[i].at, rows[i].start, rows[i].next);
    }
}
END_TEST

START_TEST(every_day_of_thirty_years_meets_the_next_one)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Beirut"};

    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
        return;
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct zone z;
        int64_t day = ms("2005-06-01T12:00:00Z");

        ck_assert(zone_load(zones[i], &z));
        for (int n = 0; n < 30 * 365; n++) {
            int64_t next = zone_day_next(&z, day), hours = (next - zone_day_start(&z, day)) / 3600000;

            ck_assert_msg(hours >= 22 && hours <= 25, "%s: a day of %lld hours at %lld", zones[i], (long long)hours,
                          (long long)day);
            ck_assert_int_eq(zone_day_start(&z, next), next);
            ck_assert_int_eq(zone_day_start(&z, next - 1), zone_day_start(&z, day));
            day = next;
        }
    }
}
END_TEST

START_TEST(names_that_are_no_zones_are_refused)
{
    static const char *const bad[] = {"", "/etc/passwd", "../../../etc/passwd", "Europe/../../../../etc/passwd", "Europe",
                                      "zone.tab", "Europe/Atlantis", "a b"};
    struct zone z;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!zone_load(bad[i], &z), "%s", bad[i]);
        ck_assert_str_eq(z.name, "UTC");
    }
    ck_assert(zone_load("UTC", &z));
}
END_TEST

UNIT_MAIN("zone", a_day_of_utc_is_twenty_four_hours, days_follow_changes_of_offset,
          every_day_of_thirty_years_meets_the_next_one, names_that_are_no_zones_are_refused)
