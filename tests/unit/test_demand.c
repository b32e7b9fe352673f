/* test_demand.c - what was asked for in the past, from the records. */
#include "store/demand.h"

#include "fixture_call.h"
#include "store/ledger.h"
#include "unit.h"

#define NOW FIXTURE_NOW
#define WEEK_MS (OUTLOOK_WEEK * QUARTER_MS)

static void call(struct db *db, int64_t at_ms, enum priority p, const char *upstream)
{
    struct call_record r = fixture_call("usr_a", at_ms);

    r.priority = p;
    ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    r.upstream = r.attempts[0].upstream = upstream;
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
}

static const struct outlook_past_upstream *found(const struct outlook_past *p, const char *name)
{
    for (size_t i = 0; i < p->upstreams; i++) {
        if (strcmp(p->upstream[i].name, name) == 0)
            return &p->upstream[i];
    }
    ck_abort_msg("no %s", name);
    return NULL;
}

START_TEST(the_weeks_are_summed_by_quarter_of_the_week_and_class_and_the_last_day_is_left_out)
{
    struct db *db = fixture_db(), *ro;
    struct outlook_past p;
    const struct outlook_usual *u;
    int64_t slot = NOW / QUARTER_MS % OUTLOOK_WEEK;

    fixture_user(db, "usr_a");
    call(db, NOW - WEEK_MS, PRIORITY_LOW, "openai");
    call(db, NOW - 2 * WEEK_MS, PRIORITY_LOW, "openai");
    call(db, NOW - WEEK_MS + 1, PRIORITY_HIGH, "openai");
    call(db, NOW - WEEK_MS + 2, PRIORITY_MEDIUM, "openai");
    call(db, NOW - WEEK_MS, PRIORITY_LOW, "other");
    call(db, NOW - 9 * WEEK_MS, PRIORITY_LOW, "openai");      /* too long ago */
    call(db, NOW - QUARTER_MS, PRIORITY_LOW, "openai");       /* too lately */
    ro = fixture_reader();
    ck_assert_int_eq(demand_load(ro, NOW, false, &p), WEIR_OK);
    ck_assert_uint_eq(p.upstreams, 2);
    ck_assert_ptr_null(p.minute);
    u = &found(&p, "openai")->usual;
    ck_assert_int_eq(u->first, NOW / QUARTER_MS - 2 * OUTLOOK_WEEK);
    ck_assert_int_eq(u->end, NOW / QUARTER_MS - 96);
    ck_assert(u->sum[slot][OUTLOOK_LOW].requests == 2);
    ck_assert(u->sum[slot][OUTLOOK_LOW].input == 24);
    ck_assert(u->sum[slot][OUTLOOK_FIRST].requests == 2);
    ck_assert(u->sum[slot][OUTLOOK_FIRST].output == 68);
    ck_assert(found(&p, "other")->usual.sum[slot][OUTLOOK_LOW].requests == 1);
    outlook_past_done(&p);
    db_close(ro);
    db_close(db);
}
END_TEST

START_TEST(the_minutes_of_the_last_day_come_in_order_and_tell_since_when)
{
    struct db *db = fixture_db();
    struct outlook_past p;

    fixture_user(db, "usr_a");
    ck_assert_int_eq(demand_load(db, NOW, true, &p), WEIR_OK);
    ck_assert_int_eq(p.since, NOW / MINUTE_MS + 1);
    ck_assert_uint_eq(p.minutes, 0);
    outlook_past_done(&p);
    call(db, NOW - 5 * MINUTE_MS, PRIORITY_LOW, "other");
    call(db, NOW - 40 * MINUTE_MS, PRIORITY_HIGH, "openai");
    call(db, NOW - 40 * MINUTE_MS, PRIORITY_MEDIUM, "openai");
    ck_assert_int_eq(demand_load(db, NOW, true, &p), WEIR_OK);
    ck_assert_int_eq(p.since, NOW / MINUTE_MS - 40);
    ck_assert_uint_eq(p.minutes, 2);
    ck_assert_int_eq(p.minute[0].minute, NOW / MINUTE_MS - 40);
    ck_assert_int_eq(p.minute[0].class, OUTLOOK_FIRST);
    ck_assert_str_eq(p.upstream[p.minute[0].upstream].name, "openai");
    ck_assert(p.minute[0].came.requests == 2);
    ck_assert(p.minute[0].came.input == 24);
    ck_assert_int_eq(p.minute[1].minute, NOW / MINUTE_MS - 5);
    ck_assert_int_eq(p.minute[1].class, OUTLOOK_LOW);
    outlook_past_done(&p);
    call(db, NOW - WEEK_MS, PRIORITY_LOW, "openai");          /* records go back further: the whole day is known */
    ck_assert_int_eq(demand_load(db, NOW, true, &p), WEIR_OK);
    ck_assert_int_eq(p.since, NOW / MINUTE_MS + 1 - 1440);
    outlook_past_done(&p);
    db_close(db);
}
END_TEST

UNIT_MAIN("demand", the_weeks_are_summed_by_quarter_of_the_week_and_class_and_the_last_day_is_left_out,
          the_minutes_of_the_last_day_come_in_order_and_tell_since_when)
