/* Windows of budgets on the calendar: they meet without gap, also where clocks change. */
#include "unit.h"

#include <unistd.h>

#include "base/sb.h"
#include "store/period.h"
#include "store/report.h"

#define DAY_MS INT64_C(86400000)

static int64_t ms(const char *text)
{
    int64_t at;

    ck_assert_msg(report_time_parse(text, 0, &at), "%s", text);
    return at;
}

/* False where the system has no such zone. */
static bool zone(const char *name, struct zone *z)
{
    return access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0 && zone_load(name, z);
}

static void assert_span(const char *name, enum budget_window w, const char *at, const char *from, const char *to)
{
    struct budget_span s;
    struct zone z;

    if (!zone(name, &z))
        return;
    s = period_at(&z, w, ms(at));
    ck_assert_msg(s.from_ms == ms(from), "%s at %s: %s begins %lld", name, at, budget_window_name(w), (long long)s.from_ms);
    ck_assert_msg(s.to_ms == ms(to), "%s at %s: %s ends %lld", name, at, budget_window_name(w), (long long)s.to_ms);
}

START_TEST(a_week_begins_on_monday)
{
    assert_span("UTC", BUDGET_WEEK, "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z");
    assert_span("UTC", BUDGET_WEEK, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z");
    assert_span("Europe/Berlin", BUDGET_WEEK, "2026-11-22T23:00:00Z", "2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z");
}
END_TEST

START_TEST(months_have_their_own_lengths)
{
    assert_span("UTC", BUDGET_MONTH, "2026-11-30T23:59:59Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
    assert_span("UTC", BUDGET_MONTH, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z");
    assert_span("UTC", BUDGET_MONTH, "2026-02-28T12:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z");
    assert_span("UTC", BUDGET_MONTH, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_span("Europe/Berlin", BUDGET_MONTH, "2026-11-30T23:30:00Z", "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z");
}
END_TEST

START_TEST(windows_over_a_change_of_clocks_are_an_hour_shorter_or_longer)
{
    assert_span("Europe/Berlin", BUDGET_DAY, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
    assert_span("Europe/Berlin", BUDGET_DAY, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    assert_span("Europe/Berlin", BUDGET_WEEK, "2026-10-25T12:00:00Z", "2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z");
    assert_span("Europe/Berlin", BUDGET_MONTH, "2026-03-15T12:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z");
    assert_span("America/New_York", BUDGET_MONTH, "2026-11-15T12:00:00Z", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z");
}
END_TEST

START_TEST(a_total_never_ends)
{
    struct zone z = zone_utc();
    struct budget_span s = period_at(&z, BUDGET_TOTAL, 0);

    ck_assert(s.from_ms == INT64_MIN && s.to_ms == INT64_MAX);
}
END_TEST

START_TEST(every_window_holds_its_moment_and_meets_the_next)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe",
                                        "America/Havana", "Pacific/Apia", "Asia/Kathmandu"};
    struct zone z;

    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        if (!zone(zones[i], &z))
            continue;
        for (int w = BUDGET_DAY; w < BUDGET_TOTAL; w++) {
            struct budget_span s = period_at(&z, (enum budget_window)w, ms("1996-01-01T00:00:00Z"));

            while (s.to_ms < ms("2036-12-01T00:00:00Z")) {
                struct budget_span next = period_at(&z, (enum budget_window)w, s.to_ms);
                struct budget_span last = period_at(&z, (enum budget_window)w, s.to_ms - 1);
                int64_t days = (s.to_ms - s.from_ms + DAY_MS / 2) / DAY_MS;

                ck_assert_msg(last.from_ms == s.from_ms && last.to_ms == s.to_ms, "%s: the end of %lld", zones[i], (long long)s.from_ms);
                ck_assert_msg(next.from_ms == s.to_ms && next.to_ms > next.from_ms, "%s: after %lld", zones[i], (long long)s.to_ms);
                ck_assert_msg(w == BUDGET_DAY ? days <= 2 : w == BUDGET_WEEK ? days == 7 || days == 6 : days >= 28 && days <= 31,
                              "%s: %lld days", zones[i], (long long)days);
                ck_assert_msg((s.from_ms % 900000) == 0, "%s: no quarter of an hour begins at %lld", zones[i], (long long)s.from_ms);
                s = next;
            }
        }
    }
}
END_TEST

UNIT_MAIN("period", a_week_begins_on_monday, months_have_their_own_lengths,
          windows_over_a_change_of_clocks_are_an_hour_shorter_or_longer, a_total_never_ends,
          every_window_holds_its_moment_and_meets_the_next)
