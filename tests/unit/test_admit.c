/* Admission as the engine sees it: asks in, grants out, places told. */
#include "unit.h"

#include <string.h>

#include "flow/admit.h"
#include "flow/admit_state.h"

#define SEC INT64_C(1000000)
#define START (1000 * SEC)

/* One upstream, sixty requests a minute and 6,000 tokens, unless the test says otherwise. */
static struct admit_upstream one_upstream(void)
{
    return (struct admit_upstream){.name = "one", .limit = {60, 0, 6000, 0, 0, 0}, .max_concurrent = 32,
                                   .patience = {5, SEC, 300 * SEC, 900 * SEC}};
}

static struct admit *admit_of(const struct admit_upstream *u, size_t n)
{
    struct admit_config c = {.upstreams = u, .upstream_count = n, .queue_max = 1000, .retry_budget_ppm = 100000};

    return admit_new(&c, 1, START);
}

static struct ask an_ask(uint64_t user, enum priority p, int64_t prompt, int64_t now)
{
    static int jobs[1];

    return (struct ask){.job = jobs, .upstreams = 1, .priority = p, .user = user, .model = 7, .prompt_tokens = prompt,
                        .max_tokens = 10, .arrived_us = now, .deadline_us = now + 600 * SEC};
}

START_TEST(an_ask_that_fits_starts_at_once_and_ends_once)
{
    struct admit_upstream u = one_upstream();
    struct admit *a = admit_of(&u, 1);
    struct ask ask = an_ask(1, PRIORITY_MEDIUM, 100, START);
    struct admit_ticket *t;
    struct admit_grant g;
    struct admit_upstream_view v;
    int64_t wait;

    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    ck_assert_int_eq(wait, 0);
    ck_assert(admit_next(a, START, &g));
    ck_assert_ptr_eq(g.ticket, t);
    ck_assert_ptr_eq(g.job, ask.job);
    ck_assert_int_eq(gate_longest(g.wait.held_us), GATE_NONE);
    ck_assert_int_eq(g.reserved_input, 100);
    ck_assert_int_eq(g.reserved_output, 10);
    ck_assert(!admit_next(a, START, &g));
    admit_view(a, 0, START, &v);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].reserved, 110);
    ck_assert_int_eq(v.running, 1);
    admit_settle(a, t, 90, 4, START + SEC);
    admit_view(a, 0, START + SEC, &v);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].reserved, 0);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].used, 94);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].used, 1);
    ck_assert_int_eq(v.running, 0);
    ck_assert_int_eq(admit_wake_us(a, START + SEC), START + SEC);
    ck_assert(!admit_next(a, START + SEC, &g));
    ck_assert_int_eq(admit_wake_us(a, START + SEC), INT64_MAX);
    admit_free(a);
}
END_TEST

START_TEST(what_waits_is_told_its_position_its_start_and_the_gate_that_holds_it)
{
    struct admit_upstream u = one_upstream();
    struct admit *a = admit_of(&u, 1);
    struct admit_ticket *t[13];
    struct admit_grant g;
    struct admit_place place;
    int64_t wait;
    int started = 0;

    for (int i = 0; i < 13; i++) {
        struct ask ask = an_ask(1, PRIORITY_MEDIUM, 10, START);

        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t[i], &wait), WEIR_OK);
    }
    while (admit_next(a, START, &g))
        started++;
    ck_assert_int_eq(started, 10);                       /* the burst: a sixth of sixty */
    for (int i = 10; i < 13; i++) {
        admit_place(a, t[i], START, &place);
        ck_assert_int_eq(place.position, i - 9);
        ck_assert_int_eq(place.ahead, i - 10);
        ck_assert_int_eq(place.eta_us, (i - 9) * SEC);   /* then one a second */
        ck_assert_int_eq(place.reason, (enum gate)(GATE_SPREAD + DIM_REQUESTS_PER_MINUTE));
        ck_assert_int_eq(place.spread.limit, 60);        /* ten of which may go at once, and the rest as time passes */
        ck_assert_int_eq(place.spread.capacity, 10);
    }
    ck_assert_int_eq(admit_wake_us(a, START), START + SEC);
    ck_assert(!admit_next(a, START + SEC - 1, &g));
    ck_assert(admit_next(a, START + SEC, &g));
    ck_assert_ptr_eq(g.ticket, t[10]);
    ck_assert_int_eq(gate_longest(g.wait.held_us), (enum gate)(GATE_SPREAD + DIM_REQUESTS_PER_MINUTE));
    admit_free(a);
}
END_TEST

START_TEST(nobody_is_refused_for_a_wait_that_is_guessed)
{
    struct admit_upstream u = {.name = "one", .max_concurrent = 1, .patience = {5, SEC, 300 * SEC, 900 * SEC}};
    struct admit *a = admit_of(&u, 1);
    struct ask ask = an_ask(1, PRIORITY_MEDIUM, 10, START);
    struct admit_ticket *t;
    struct admit_grant g;
    int64_t wait;

    ask.deadline_us = START + 20 * SEC;
    for (int i = 0; i < 30; i++)                         /* all at once: none has started when the last comes */
        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    ck_assert_int_gt(wait, 20 * SEC);
    ck_assert(admit_next(a, START, &g));
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    for (int i = 1; i <= 8; i++) {                       /* the first that ended may have been unlike the others */
        ck_assert_int_eq(admit_enqueue(a, &ask, START + i * SEC, &t, &wait), WEIR_OK);
        ck_assert_int_gt(wait, 20 * SEC);
        admit_settle(a, g.ticket, 10, 10, START + i * SEC);
        ck_assert(admit_next(a, START + i * SEC, &g));
    }
    ck_assert_int_eq(admit_enqueue(a, &ask, START + 8 * SEC, &t, &wait), WEIR_E_QUEUE_TIMEOUT);      /* from here on it is known */
    admit_free(a);
}
END_TEST

START_TEST(a_high_is_not_refused_for_where_a_low_of_the_same_instant_stands)
{
    struct admit_upstream u = one_upstream();
    struct admit *a = admit_of(&u, 1);
    struct ask low = an_ask(1, PRIORITY_LOW, 5000, START), high = an_ask(2, PRIORITY_HIGH, 10, START);
    struct admit_ticket *t;
    struct admit_grant g;
    int64_t wait;

    low.deadline_us = START + 900 * SEC;
    ck_assert_int_eq(admit_enqueue(a, &low, START, &t, &wait), WEIR_OK);
    ck_assert(admit_next(a, START, &g));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(admit_enqueue(a, &low, START, &t, &wait), WEIR_OK);
    ck_assert_int_gt(wait, 60 * SEC);
    high.deadline_us = START + 60 * SEC;
    ck_assert_int_eq(admit_enqueue(a, &high, START, &t, &wait), WEIR_OK);
    ck_assert_int_le(wait, 60 * SEC);
    admit_free(a);
}
END_TEST

START_TEST(a_refusal_by_a_full_queue_or_a_missed_deadline_leaves_nothing_behind)
{
    struct admit_upstream u = one_upstream();
    struct admit *a = admit_of(&u, 1);
    struct ask ask = an_ask(1, PRIORITY_MEDIUM, 4000, START);
    struct admit_ticket *t;
    struct admit_grant g;
    struct admit_counters n;
    int64_t wait;

    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    ck_assert(admit_next(a, START, &g));                 /* larger than the burst: a debt of 3,010 tokens */
    ask.prompt_tokens = 6000;
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT);
    ask.prompt_tokens = 90;
    ask.deadline_us = START + 5 * SEC;
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_E_QUEUE_TIMEOUT);
    ck_assert_int_eq(wait, 31100000);                    /* 3,010 of debt and 100 to take, at 100 a second */
    admit_counters(a, &n);
    ck_assert_int_eq(n.rejected, 2);
    ck_assert_int_eq(n.enqueued, 1);
    ask.deadline_us = START + 40 * SEC;
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    ck_assert(!admit_next(a, START, &g));
    ck_assert_ptr_null(admit_expire(a, START + 30 * SEC));
    ck_assert_ptr_eq(admit_expire(a, START + 40 * SEC), ask.job);
    ck_assert_int_eq(admit_left(a)->held_us[GATE_SPREAD + DIM_TOKENS_PER_MINUTE], 40 * SEC);
    ck_assert_ptr_null(admit_expire(a, START + 40 * SEC));
    admit_free(a);
}
END_TEST

START_TEST(a_refusal_changes_no_byte_of_the_limits_whoever_is_refused)
{
    struct admit_upstream u = one_upstream();

    for (int p = 0; p < PRIORITY_COUNT; p++) {
        struct sb before = sb_make(1 << 20), after = sb_make(1 << 20);
        struct ask ask = an_ask(1, PRIORITY_MEDIUM, 4000, START);
        struct admit *a = admit_of(&u, 1);
        struct admit_ticket *t;
        struct admit_grant g;
        struct limits limits;
        int64_t wait;

        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
        ck_assert(admit_next(a, START, &g));
        admit_settle(a, g.ticket, 4000, 10, START);
        limits = a->pick.limits[0];
        admit_save(a, START, 1000000, &before);
        ask = an_ask(2, (enum priority)p, 6000, START);
        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT);
        ask = an_ask(2, (enum priority)p, 90, START);
        ask.deadline_us = START + 5 * SEC;
        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_E_QUEUE_TIMEOUT);
        a->config.queue_max = 0;
        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_E_QUEUE_FULL);
        a->config.queue_max = 1000;
        ck_assert_mem_eq(&limits, &a->pick.limits[0], sizeof limits);
        admit_save(a, START, 1000000, &after);
        ck_assert_str_eq(sb_str(&before), sb_str(&after));
        ask.deadline_us = START + 3600 * SEC;
        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
        ck_assert_int_eq(a->pick.limits[0].high_seen_us == START, p == PRIORITY_HIGH);      /* who may wait takes the reserve back */
        sb_done(&before);
        sb_done(&after);
        admit_free(a);
    }
}
END_TEST

START_TEST(an_upstream_that_was_taken_out_is_used_again_after_a_reset)
{
    struct admit_upstream u = one_upstream();
    struct admit *a = admit_of(&u, 1);
    struct ask ask = an_ask(1, PRIORITY_MEDIUM, 10, START);
    struct admit_ticket *t;
    struct admit_grant g;
    int64_t wait, delay;

    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    ck_assert(admit_next(a, START, &g));
    ck_assert(!admit_retry(a, t, FAULT_QUOTA, DIM_COUNT, -1, START, &delay));
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_E_NO_UPSTREAM);
    admit_reset(a, 0, START);
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    ck_assert(admit_next(a, START, &g));
    admit_settle(a, t, 10, 1, START);
    admit_free(a);
}
END_TEST

START_TEST(where_nothing_may_wait_what_can_start_at_once_is_taken)
{
    struct admit_upstream u = one_upstream();
    struct admit_config c = {.upstreams = &u, .upstream_count = 1, .queue_max = 0};
    struct admit *a;
    struct ask ask = an_ask(1, PRIORITY_MEDIUM, 10, START);
    struct admit_ticket *t;
    struct admit_grant g;
    int64_t wait;

    u.max_concurrent = 3;
    a = admit_new(&c, 1, START);
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);      /* two in one turn */
    ck_assert(admit_next(a, START, &g));
    ck_assert(admit_next(a, START, &g));
    ck_assert(!admit_next(a, START, &g));
    ask.session = 4;
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_E_QUEUE_FULL);
    ck_assert(admit_next(a, START, &g));
    ask.session = 0;
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_E_QUEUE_FULL);
    admit_settle(a, g.ticket, 10, 1, START);
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    admit_free(a);
}
END_TEST

START_TEST(time_alone_starts_all_that_wait_each_at_its_second)
{
    struct admit_upstream u = one_upstream();
    struct admit *a = admit_of(&u, 1);
    struct admit_ticket *t;
    struct admit_grant g;
    int64_t wait, now = START;
    int started = 0;

    for (int i = 0; i < 30; i++) {
        struct ask ask = an_ask(1, PRIORITY_MEDIUM, 10, START);

        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    }
    while (now != INT64_MAX) {
        while (admit_next(a, now, &g))
            started++;
        ck_assert_int_eq(started, 10 + (now - START) / SEC);
        now = admit_wake_us(a, now);
        if (started == 30)
            break;
        ck_assert_int_eq((now - START) % SEC, 0);
    }
    ck_assert_int_eq(started, 30);
    ck_assert_int_eq(now, INT64_MAX);
    admit_free(a);
}
END_TEST

/* Ten start at once; the eleventh is told that it will in a second, or not at all before that is past. */
START_TEST(each_promise_is_judged_once_whoever_gives_up_counts_and_whoever_leaves_does_not)
{
    struct admit_upstream u = one_upstream();
    struct admit *a = admit_of(&u, 1);
    struct admit_ticket *t[13];
    struct admit_grant g;
    struct admit_place place;
    struct admit_counters n;
    int64_t wait, delay, now = START + SEC;

    for (int i = 0; i < 13; i++) {
        struct ask ask = an_ask(1, PRIORITY_MEDIUM, 10, START);

        ask.deadline_us = START + 20 * SEC;
        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t[i], &wait), WEIR_OK);
    }
    while (admit_next(a, START, &g)) {
    }
    for (int i = 10; i < 13; i++)
        admit_place(a, t[i], START, &place);
    ck_assert(admit_next(a, now, &g));
    ck_assert_ptr_eq(g.ticket, t[10]);
    admit_counters(a, &n);
    ck_assert_int_eq(n.promises, 1);
    ck_assert_int_eq(n.promises_kept, 1);
    ck_assert(admit_retry(a, t[10], FAULT_SERVER, DIM_COUNT, -1, now, &delay));
    admit_place(a, t[10], now, &place);
    admit_cancel(a, t[12], now);
    now += 5 * SEC;
    ck_assert(admit_next(a, now, &g));
    ck_assert_ptr_eq(g.ticket, t[10]);
    ck_assert(admit_next(a, now, &g));
    ck_assert_ptr_eq(g.ticket, t[11]);
    admit_counters(a, &n);
    ck_assert_int_eq(n.promises, 2);                     /* the twelfth came late; the retry is none, nor who left */
    ck_assert_int_eq(n.promises_kept, 1);
    admit_free(a);
    a = admit_of(&u, 1);
    for (int i = 0; i < 13; i++) {
        struct ask ask = an_ask(1, PRIORITY_MEDIUM, 10, START);

        ask.deadline_us = START + 20 * SEC;
        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t[i], &wait), WEIR_OK);
    }
    while (admit_next(a, START, &g)) {
    }
    for (int i = 10; i < 13; i++)
        admit_place(a, t[i], START, &place);
    admit_cancel(a, t[12], START);
    while (admit_expire(a, START + 21 * SEC)) {
    }
    admit_counters(a, &n);
    ck_assert_int_eq(n.promises, 2);
    ck_assert_int_eq(n.promises_kept, 0);
    admit_free(a);
}
END_TEST

UNIT_MAIN("admit", time_alone_starts_all_that_wait_each_at_its_second,
          where_nothing_may_wait_what_can_start_at_once_is_taken,
          an_upstream_that_was_taken_out_is_used_again_after_a_reset,
          each_promise_is_judged_once_whoever_gives_up_counts_and_whoever_leaves_does_not,
          an_ask_that_fits_starts_at_once_and_ends_once,
          what_waits_is_told_its_position_its_start_and_the_gate_that_holds_it,
          a_high_is_not_refused_for_where_a_low_of_the_same_instant_stands,
          a_refusal_by_a_full_queue_or_a_missed_deadline_leaves_nothing_behind,
          a_refusal_changes_no_byte_of_the_limits_whoever_is_refused, nobody_is_refused_for_a_wait_that_is_guessed)
