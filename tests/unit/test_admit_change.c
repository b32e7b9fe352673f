/* Admission while its configuration changes: upstreams come, go and come back,
 * and nobody's place, reservation or end is lost by it. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "flow/admit.h"

#define SEC INT64_C(1000000)
#define START (100000 * SEC)
#define PATIENCE .patience = {3, SEC, 20 * SEC, 900 * SEC}

static struct admit_upstream up[8];
static struct admit *a;
static int64_t now;

static void put(size_t n, uint64_t renewed, int64_t queue_max)
{
    struct admit_config c = {.upstreams = up, .upstream_count = n, .queue_max = queue_max, .retry_budget_ppm = 1000000};

    if (a)
        admit_change(a, &c, renewed, now);
    else
        a = admit_new(&c, 7, now);
}

static void given(size_t n)
{
    now = START;
    memset(up, 0, sizeof up);
    for (size_t i = 0; i < n; i++)
        up[i] = (struct admit_upstream){.name = "x", .max_concurrent = 2, PATIENCE, .rank = i};
    a = NULL;
    put(n, 0, 100);
}

static int jobs[64];

static struct admit_ticket *line_up(uint64_t upstreams, int job, int64_t prompt)
{
    struct ask k = {.job = &jobs[job], .upstreams = upstreams, .priority = PRIORITY_MEDIUM, .user = 1, .model = 1,
                    .prompt_tokens = prompt, .max_tokens = 10, .arrived_us = now, .deadline_us = now + 600 * SEC};
    struct admit_ticket *t = NULL;
    int64_t wait;

    ck_assert_int_eq(admit_enqueue(a, &k, now, &t, &wait), WEIR_OK);
    return t;
}

static int granted_on(struct admit_ticket **t)
{
    struct admit_grant g;

    if (!admit_next(a, now, &g))
        return -1;
    *t = g.ticket;
    return g.upstream;
}

START_TEST(a_new_upstream_is_used_and_shares_the_limits_of_its_group)
{
    struct admit_upstream_view v;
    struct admit_ticket *t;

    given(1);
    up[0].quota_group = "org";
    up[0].limit[DIM_REQUESTS_PER_MINUTE] = 60;
    up[1] = (struct admit_upstream){.name = "y", .quota_group = "org", .max_concurrent = 2, .rank = 1, PATIENCE};
    up[2] = (struct admit_upstream){.name = "z", .max_concurrent = 2, .rank = 2, PATIENCE};
    admit_free(a);
    a = NULL;
    put(1, 0, 100);
    put(3, 0, 100);
    (void)line_up(4, 0, 10);
    ck_assert_int_eq(granted_on(&t), 2);
    (void)line_up(2, 1, 10);
    ck_assert_int_eq(granted_on(&t), 1);
    admit_view(a, 0, now, &v);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].used, 1);      /* what the other of the group used */
    admit_view(a, 2, now, &v);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].limit, 0);
    admit_free(a);
}
END_TEST

START_TEST(one_that_is_gone_takes_no_new_calls_and_its_running_ones_end_as_they_would)
{
    struct admit_ticket *t = NULL, *more;
    struct admit_upstream_view v;
    enum weir_err why = WEIR_OK;

    given(2);
    (void)line_up(1, 0, 10);
    ck_assert_int_eq(granted_on(&t), 0);
    up[0].gone = true;
    put(2, 0, 100);
    (void)line_up(3, 1, 10);
    ck_assert_int_eq(granted_on(&more), 1);
    ck_assert_ptr_null(admit_stranded(a, now, &why));
    admit_view(a, 0, now, &v);
    ck_assert(v.gone && v.down);
    ck_assert_int_eq(v.running, 1);
    ck_assert_int_eq(v.max_concurrent, 0);
    admit_settle(a, t, 10, 5, now);
    admit_view(a, 0, now, &v);
    ck_assert_int_eq(v.running, 0);
    admit_reset(a, -1, now);                   /* no way around the configuration */
    (void)line_up(3, 2, 10);
    ck_assert_int_eq(granted_on(&more), 1);
    up[0].gone = false;
    put(2, 0, 100);
    (void)line_up(1, 3, 10);
    ck_assert_int_eq(granted_on(&more), 0);
    admit_free(a);
}
END_TEST

START_TEST(who_waits_for_what_is_gone_is_told_and_the_others_stay)
{
    struct admit_ticket *t;
    enum weir_err why = WEIR_OK;
    struct admit_counters c;

    given(2);
    up[0].max_concurrent = up[1].max_concurrent = 1;
    put(2, 0, 100);
    (void)line_up(1, 0, 10);
    (void)line_up(2, 1, 10);
    ck_assert_int_eq(granted_on(&t), 0);
    ck_assert_int_eq(granted_on(&t), 1);
    (void)line_up(1, 2, 10);
    (void)line_up(3, 3, 10);
    (void)line_up(1, 4, 10);
    ck_assert_int_eq(granted_on(&t), -1);
    up[0].gone = true;
    put(2, 0, 100);
    ck_assert_ptr_eq(admit_stranded(a, now, &why), &jobs[2]);
    ck_assert_int_eq(why, WEIR_E_NO_UPSTREAM);
    ck_assert_ptr_eq(admit_stranded(a, now, &why), &jobs[4]);
    ck_assert_ptr_null(admit_stranded(a, now, &why));
    admit_counters(a, &c);
    ck_assert_int_eq(c.enqueued, c.admitted + c.cancelled + 1);
    admit_free(a);
}
END_TEST

START_TEST(who_waits_with_more_than_a_lowered_limit_is_told)
{
    struct admit_ticket *t;
    enum weir_err why = WEIR_OK;

    given(1);
    up[0].limit[DIM_TOKENS_PER_MINUTE] = 10000;
    up[0].max_concurrent = 1;
    put(1, 0, 100);
    (void)line_up(1, 0, 10);
    ck_assert_int_eq(granted_on(&t), 0);
    (void)line_up(1, 1, 6000);
    (void)line_up(1, 2, 600);
    up[0].limit[DIM_TOKENS_PER_MINUTE] = 1000;
    put(1, 0, 100);
    ck_assert_ptr_eq(admit_stranded(a, now, &why), &jobs[1]);
    ck_assert_int_eq(why, WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT);
    ck_assert_ptr_null(admit_stranded(a, now, &why));
    admit_free(a);
}
END_TEST

START_TEST(fewer_calls_at_a_time_and_a_shorter_queue_hold_at_once)
{
    struct admit_ticket *t[3], *last;
    struct ask k = {.job = &jobs[9], .upstreams = 1, .priority = PRIORITY_MEDIUM, .user = 1, .model = 1, .prompt_tokens = 10,
                    .max_tokens = 10, .arrived_us = START, .deadline_us = START + 600 * SEC};
    int64_t wait;

    given(1);
    up[0].max_concurrent = 3;
    put(1, 0, 100);
    for (int i = 0; i < 5; i++)
        (void)line_up(1, i, 10);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(granted_on(&t[i]), 0);
    up[0].max_concurrent = 1;
    put(1, 0, 2);
    admit_settle(a, t[0], 10, 5, now);
    admit_settle(a, t[1], 10, 5, now);
    ck_assert_int_eq(granted_on(&last), -1);
    ck_assert_int_eq(admit_enqueue(a, &k, now, &last, &wait), WEIR_E_QUEUE_FULL);
    admit_settle(a, t[2], 10, 5, now);
    ck_assert_int_eq(granted_on(&last), 0);
    ck_assert_int_eq(granted_on(&last), -1);
    admit_free(a);
}
END_TEST

START_TEST(one_that_was_taken_out_comes_back_with_another_key_alone)
{
    struct admit_ticket *t;
    struct admit_upstream_view v;
    int64_t delay;

    given(1);
    (void)line_up(1, 0, 10);
    ck_assert_int_eq(granted_on(&t), 0);
    ck_assert(!admit_retry(a, t, FAULT_AUTH, DIM_COUNT, -1, now, &delay));
    put(1, 0, 100);
    admit_view(a, 0, now, &v);
    ck_assert(v.down);
    put(1, 1, 100);
    admit_view(a, 0, now, &v);
    ck_assert(!v.down);
    admit_free(a);
}
END_TEST

START_TEST(a_group_goes_by_the_first_of_it_that_is_there)
{
    struct sb saved = sb_make(1 << 20);
    struct admit_upstream_view v;
    struct admit_ticket *t;

    given(3);
    admit_free(a);
    a = NULL;
    for (int i = 0; i < 3; i++) {
        up[i].quota_group = "org";
        up[i].limit[DIM_REQUESTS_PER_MINUTE] = 100 * (i + 1);
    }
    put(3, 0, 100);
    admit_view(a, 2, now, &v);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].limit, 100);
    up[0].gone = true;
    up[1].rank = 5;
    up[2].name = "first";
    put(3, 0, 100);
    admit_view(a, 1, now, &v);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].limit, 300);
    (void)line_up(2, 0, 10);
    ck_assert_int_eq(granted_on(&t), 1);
    admit_save(a, now, 1000000, &saved);               /* the next start has the configuration's order */
    admit_free(a);
    a = NULL;
    up[0] = up[2];
    put(1, 0, 100);
    ck_assert(admit_load(a, sb_str(&saved), saved.len, now, 1000000));
    admit_view(a, 0, now, &v);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].used, 1);
    admit_free(a);
    sb_done(&saved);
}
END_TEST

START_TEST(promises_are_made_anew_when_a_limit_changes)
{
    struct admit_ticket *t, *waits;
    struct admit_place p;

    given(1);
    up[0].limit[DIM_REQUESTS_PER_MINUTE] = 60;
    up[0].burst_requests = 1;
    up[0].max_concurrent = 100;
    put(1, 0, 100);
    (void)line_up(1, 0, 10);
    ck_assert_int_eq(granted_on(&t), 0);
    for (int i = 1; i < 10; i++)
        (void)line_up(1, i, 10);
    waits = line_up(1, 10, 10);
    ck_assert_int_eq(granted_on(&t), -1);
    admit_place(a, waits, now, &p);
    ck_assert_int_gt(p.eta_us, 9 * SEC);
    up[0].limit[DIM_REQUESTS_PER_MINUTE] = 600;
    put(1, 0, 100);
    admit_place(a, waits, now, &p);
    ck_assert_int_lt(p.eta_us, 2 * SEC);
    admit_free(a);
}
END_TEST

/* --- at random --- */

enum { JOBS = 120, UPSTREAMS = 8, STEPS = UNIT_TIMES(1500) };

static struct {
    enum { FREE, WAITS, RUNS } is;
    struct admit_ticket *ticket;
    uint64_t upstreams;
    int on;
} job[JOBS];

static size_t n_up;
static int64_t running[UPSTREAMS];

static void change(struct rng *r)
{
    uint64_t renewed = rng_below(r, 3) ? 0 : (uint64_t)rng_below(r, 256);
    enum weir_err why = WEIR_OK;
    void *stranded;

    if (n_up < UPSTREAMS && rng_below(r, 4) == 0) {
        up[n_up] = (struct admit_upstream){.name = "more", .quota_group = rng_below(r, 2) ? "org" : NULL, PATIENCE};
        n_up++;
    }
    for (size_t i = 0; i < n_up; i++) {
        struct admit_upstream *u = &up[i];

        u->gone = i > 0 && rng_below(r, 3) == 0;       /* one is always there, so that time goes on */
        u->rank = (size_t)rng_below(r, 8);
        u->max_concurrent = 1 + rng_below(r, 6);
        u->reserve_max_output = rng_below(r, 4) == 0;
        u->reserve_ppm = rng_below(r, 2) ? 150000 : 0;
        for (int d = 0; d < DIM_COUNT; d++)
            u->limit[d] = rng_below(r, 2) ? 0 : d < 2 ? 20 + rng_below(r, 400) : 2000 + rng_below(r, 40000);
    }
    put(n_up, renewed, rng_below(r, 200));
    while ((stranded = admit_stranded(a, now, &why))) {
        size_t i = (size_t)((char *)stranded - (char *)job) / sizeof *job;

        ck_assert_int_eq(job[i].is, WAITS);
        ck_assert(why == WEIR_E_NO_UPSTREAM || why == WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT);
        job[i].is = FREE;
    }
}

static void grants(void)
{
    struct admit_upstream_view v;
    struct admit_grant g;
    void *late;

    while ((late = admit_expire(a, now)))
        job[((char *)late - (char *)job) / (ptrdiff_t)sizeof *job].is = FREE;
    while (admit_next(a, now, &g)) {
        size_t i = (size_t)((char *)g.job - (char *)job) / sizeof *job;

        ck_assert_int_eq(job[i].is, WAITS);
        ck_assert(job[i].upstreams >> g.upstream & 1);
        ck_assert(!up[g.upstream].gone);
        ck_assert_int_lt(running[g.upstream], up[g.upstream].max_concurrent);
        running[g.upstream]++;
        job[i].is = RUNS;
        job[i].on = g.upstream;
        admit_view(a, g.upstream, now, &v);
        for (int d = 0; d < DIM_COUNT; d++)
            ck_assert_int_le(v.dim[d].used + v.dim[d].reserved, v.dim[d].limit);
    }
    ck_assert_int_gt(admit_wake_us(a, now), now);
}

static void come(struct rng *r)
{
    static const uint64_t masks[] = {1, 2, 3, 4, 0x0f, 0xf0, 0xff};
    uint64_t there = masks[rng_below(r, 7)] & ((UINT64_C(1) << n_up) - 1);
    size_t i = (size_t)rng_below(r, JOBS);
    struct ask k = {.job = &job[i], .upstreams = there ? there : 1,
                    .priority = (enum priority)rng_below(r, PRIORITY_COUNT), .user = 1 + (uint64_t)rng_below(r, 6),
                    .session = (uint64_t)rng_below(r, 20), .model = 1, .prompt_tokens = 1 + rng_below(r, 3000),
                    .max_tokens = 1 + rng_below(r, 400), .arrived_us = now, .deadline_us = now + rng_below(r, 200 * SEC)};
    int64_t wait;

    if (job[i].is != FREE)
        return;
    job[i].upstreams = k.upstreams;
    if (admit_enqueue(a, &k, now, &job[i].ticket, &wait) == WEIR_OK)
        job[i].is = WAITS;
}

static void go(struct rng *r)
{
    size_t i = (size_t)rng_below(r, JOBS);
    int64_t delay;

    if (job[i].is == WAITS && rng_below(r, 20) == 0) {
        admit_cancel(a, job[i].ticket, now);
        job[i].is = FREE;
    } else if (job[i].is == RUNS) {
        running[job[i].on]--;
        switch (rng_below(r, 4)) {
        case 0: admit_release(a, job[i].ticket, now); break;
        case 1:
            if (admit_retry(a, job[i].ticket, (enum attempt_fault)rng_below(r, FAULT_SERVER + 1), DIM_COUNT, -1, now, &delay)) {
                job[i].is = WAITS;
                return;
            }
            break;
        default: admit_settle(a, job[i].ticket, rng_below(r, 3000), rng_below(r, 400), now);
        }
        job[i].is = FREE;
    }
}

START_TEST(whatever_changes_one_ask_gets_one_end_and_no_limit_is_passed)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct rng r = rng_make(seed);
        struct admit_upstream_view v;

        printf("seed %llu\n", (unsigned long long)seed);
        memset(job, 0, sizeof job);
        memset(running, 0, sizeof running);
        given(2);
        n_up = 2;
        for (int i = 0; i < STEPS; i++) {
            now += rng_below(&r, 8) ? rng_below(&r, SEC / 2) : rng_below(&r, 10 * SEC);
            if (rng_below(&r, 50) == 0)
                change(&r);
            come(&r);
            go(&r);
            go(&r);
            grants();
        }
        for (size_t i = 0; i < JOBS; i++) {
            if (job[i].is == WAITS)
                admit_cancel(a, job[i].ticket, now);
            if (job[i].is == RUNS)
                admit_settle(a, job[i].ticket, 1, 1, now);
        }
        for (size_t i = 0; i < n_up; i++) {
            admit_view(a, (int)i, now + 8000 * SEC, &v);
            ck_assert_int_eq(v.running + v.waiting, 0);
            for (int d = 0; d < DIM_COUNT; d++)
                ck_assert_int_eq(v.dim[d].used + v.dim[d].reserved, 0);
        }
        admit_free(a);
    }
}
END_TEST

UNIT_MAIN("admit_change", a_new_upstream_is_used_and_shares_the_limits_of_its_group,
          one_that_is_gone_takes_no_new_calls_and_its_running_ones_end_as_they_would,
          who_waits_for_what_is_gone_is_told_and_the_others_stay, who_waits_with_more_than_a_lowered_limit_is_told,
          fewer_calls_at_a_time_and_a_shorter_queue_hold_at_once, one_that_was_taken_out_comes_back_with_another_key_alone,
          a_group_goes_by_the_first_of_it_that_is_there, promises_are_made_anew_when_a_limit_changes,
          whatever_changes_one_ask_gets_one_end_and_no_limit_is_passed)
