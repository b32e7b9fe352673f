/* Admission under everything at once, at random: whatever comes in whatever
 * order, one ask gets one end, limits hold, and in the end nothing is left. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "flow/admit.h"

#define SEC INT64_C(1000000)

enum { JOBS = 400, UPSTREAMS = 4 };

enum job_is { IS_FREE, IS_WAITING, IS_RUNNING };

struct a_job {
    enum job_is is;
    struct admit_ticket *ticket;
    int64_t reserved;
    int64_t since_us, waited_us;     /* it waits since then; and so long before */
};

struct world {
    struct admit *a;
    struct a_job job[JOBS];
    struct rng rng;
    int64_t now;
    int64_t waiting, running;
};

#define PATIENCE .patience = {3, SEC, 20 * SEC, 900 * SEC}

static const struct admit_upstream upstreams[UPSTREAMS] = {
    {.name = "a", .quota_group = "org", .limit = {300, 6000, 60000, 0, 0, 9000}, .max_concurrent = 12, .reserve_ppm = 150000,
     PATIENCE},
    {.name = "b", .quota_group = "org", .limit = {300, 6000, 60000, 0, 0, 9000}, .max_concurrent = 3, PATIENCE},
    {.name = "c", .limit = {60, 0, 0, 500000, 30000, 0}, .max_concurrent = 20, .pause_us = 100000, .reserve_max_output = true,
     PATIENCE},
    {.name = "d", .max_concurrent = 2, .safety_ppm = 100000, PATIENCE},
};

static struct a_job *some(struct world *w, enum job_is is)
{
    int64_t from = rng_below(&w->rng, JOBS);

    for (int i = 0; i < JOBS; i++) {
        struct a_job *j = &w->job[(from + i) % JOBS];

        if (j->is == is)
            return j;
    }
    return NULL;
}

static void became(struct world *w, struct a_job *j, enum job_is is)
{
    w->waiting += (is == IS_WAITING) - (j->is == IS_WAITING);
    w->running += (is == IS_RUNNING) - (j->is == IS_RUNNING);
    if (is == IS_WAITING)
        j->since_us = w->now;
    if (is == IS_FREE)
        j->waited_us = 0;
    j->is = is;
}

static void ask(struct world *w)
{
    struct a_job *j = some(w, IS_FREE);
    struct ask k = {
        .job = j, .upstreams = 1 + (uint64_t)rng_below(&w->rng, (1 << UPSTREAMS) - 1),
        .priority = (enum priority)rng_below(&w->rng, PRIORITY_COUNT), .user = 1 + (uint64_t)rng_below(&w->rng, 8),
        .session = (uint64_t)rng_below(&w->rng, 30), .model = 1 + (uint64_t)rng_below(&w->rng, 3),
        .prompt_tokens = rng_below(&w->rng, rng_below(&w->rng, 40) ? 900 : 40000),
        .max_tokens = 1 + rng_below(&w->rng, 500), .arrived_us = w->now, .deadline_us = w->now + rng_below(&w->rng, 300 * SEC),
    };
    int64_t wait;

    if (!j)
        return;
    if (admit_enqueue(w->a, &k, w->now, &j->ticket, &wait) == WEIR_OK)
        became(w, j, IS_WAITING);
}

/* What the gates held a waiting job, over all its attempts, is how long it waited: to the microsecond. */
static void check_gates(const struct world *w, const struct a_job *j, const struct admit_wait *how)
{
    int64_t sum_us = 0;

    for (int g = 0; g < GATE_COUNT; g++) {
        ck_assert_int_ge(how->held_us[g], 0);
        sum_us += how->held_us[g];
    }
    ck_assert_int_eq(sum_us, j->waited_us + w->now - j->since_us);
}

static void serve(struct world *w)
{
    struct admit_grant g;
    struct a_job *j;

    while ((j = admit_expire(w->a, w->now))) {
        ck_assert_int_eq(j->is, IS_WAITING);
        check_gates(w, j, admit_left(w->a));
        became(w, j, IS_FREE);
    }
    while (admit_next(w->a, w->now, &g)) {
        j = g.job;
        ck_assert_int_eq(j->is, IS_WAITING);
        ck_assert_ptr_eq(j->ticket, g.ticket);
        ck_assert_int_ge(g.reserved_output, 1);
        check_gates(w, j, &g.wait);
        j->waited_us += w->now - j->since_us;
        j->reserved = g.reserved_output;
        became(w, j, IS_RUNNING);
    }
    ck_assert_int_gt(admit_wake_us(w->a, w->now), w->now);
}

static void end(struct world *w)
{
    struct a_job *j = some(w, IS_RUNNING);
    int64_t delay;

    if (!j)
        return;
    switch (rng_below(&w->rng, 6)) {
    case 0:
        admit_release(w->a, j->ticket, w->now);
        became(w, j, IS_FREE);
        break;
    case 1: {
        enum attempt_fault fault = (enum attempt_fault)rng_below(&w->rng, FAULT_SERVER + 1);

        if (rng_below(&w->rng, 200) == 0)
            fault = rng_below(&w->rng, 2) ? FAULT_AUTH : FAULT_QUOTA;
        became(w, j, admit_retry(w->a, j->ticket, fault, (enum dim)rng_below(&w->rng, DIM_COUNT + 1),
                                 rng_below(&w->rng, 20 * SEC) - SEC, w->now, &delay) ? IS_WAITING : IS_FREE);
        break;
    }
    case 2:
        admit_topup(w->a, j->ticket, rng_below(&w->rng, 2 * j->reserved), w->now);
        break;
    default:
        admit_settle(w->a, j->ticket, rng_below(&w->rng, 1000), rng_below(&w->rng, 2 * j->reserved), w->now);
        became(w, j, IS_FREE);
        break;
    }
}

static void count(void *ctx, void *job, const struct admit_place *place)
{
    const struct a_job *j = job;

    ck_assert_int_eq(j->is, IS_WAITING);
    ck_assert_int_ge(place->position, 1);
    ck_assert_int_ge(place->eta_us, -1);
    ++*(int64_t *)ctx;
}

static void look(struct world *w)
{
    int64_t seen = 0, running = 0;

    admit_each_waiting(w->a, w->now, count, &seen);
    ck_assert_int_eq(seen, w->waiting);
    for (int i = 0; i < UPSTREAMS; i++) {
        struct admit_upstream_view v;

        admit_view(w->a, i, w->now, &v);
        running += v.running;
        ck_assert_int_le(v.running, v.max_concurrent);
        for (int d = 0; d < DIM_COUNT; d++) {
            ck_assert_int_ge(v.dim[d].used, 0);
            ck_assert_int_ge(v.dim[d].reserved, 0);
            ck_assert_int_le(v.dim[d].allowed, v.dim[d].limit);
            ck_assert_int_ge(v.dim[d].resets_in_us, 0);
        }
        ck_assert_int_le(v.dim[DIM_REQUESTS_PER_MINUTE].used, v.dim[DIM_REQUESTS_PER_MINUTE].limit);
    }
    ck_assert_int_eq(running, w->running);
}

static void odd(struct world *w)
{
    struct provider_word word;
    struct a_job *j = some(w, IS_WAITING);
    struct admit_place place;
    struct admit_wait how;

    switch (rng_below(&w->rng, 5)) {
    case 0:
        if (j) {
            admit_cancel(w->a, j->ticket, w->now);
            check_gates(w, j, admit_left(w->a));
            became(w, j, IS_FREE);
        }
        break;
    case 1:
        if (j) {
            admit_place(w->a, j->ticket, w->now, &place);
            admit_waited(w->a, j->ticket, w->now, &how);
            check_gates(w, j, &how);
        }
        break;
    case 2:
        for (int d = 0; d < DIM_COUNT; d++) {
            word.limit[d] = rng_below(&w->rng, 70000) - 1;
            word.remaining[d] = rng_below(&w->rng, 70000) - 1;
            word.reset_us[d] = rng_below(&w->rng, 100 * SEC) - 1;
        }
        if (rng_below(&w->rng, 20) == 0)
            admit_provider_word(w->a, (int)rng_below(&w->rng, UPSTREAMS), &word, w->now);
        break;
    case 3:
        if (rng_below(&w->rng, 50) == 0)
            admit_reset(w->a, (int)rng_below(&w->rng, UPSTREAMS + 1) - 1, w->now);
        break;
    default: {
        struct ask k = {.job = w, .upstreams = 5, .user = 3, .model = 1, .prompt_tokens = 50, .max_tokens = 20,
                        .arrived_us = w->now, .deadline_us = w->now + 60 * SEC};

        struct admit_prospect out;

        (void)!admit_forecast(w->a, &k, w->now, &out);
        ck_assert_int_ge(out.wait_us, -1);
        break;
    }
    }
}

/* The same state under another clock, as after a restart: what was used or set aside is
 * used, what was cut is no wider but where a provider's word did it; nothing runs, and nothing waits. */
static void restart(struct world *w, const struct admit_config *c)
{
    int64_t other = w->now + rng_below(&w->rng, 2000 * SEC) - 1000 * SEC;
    struct sb saved = sb_make(1 << 20);
    struct admit *again = admit_new(c, 1, other);

    admit_save(w->a, w->now, 1000000000, &saved);
    ck_assert(sb_ok(&saved));
    ck_assert(admit_load(again, sb_str(&saved), saved.len, other, 1000000000));
    for (int i = 0; i < UPSTREAMS; i++) {
        struct admit_upstream_view before, after;

        admit_view(w->a, i, w->now, &before);
        admit_view(again, i, other, &after);
        ck_assert_int_eq(after.running, 0);
        ck_assert_int_eq(after.waiting, 0);
        ck_assert_int_eq(after.stabilizing, before.stabilizing);
        for (int d = 0; d < DIM_COUNT; d++)
            ck_assert_msg(after.dim[d].used >= before.dim[d].used + before.dim[d].reserved && (after.dim[d].allowed <= before.dim[d].allowed || before.dim[d].provider_limit > 0),
                          "%s, dimension %d: used %lld + %lld, allowed %lld; afterwards %lld, %lld", upstreams[i].name, d,
                          (long long)before.dim[d].used, (long long)before.dim[d].reserved, (long long)before.dim[d].allowed,
                          (long long)after.dim[d].used, (long long)after.dim[d].allowed);
    }
    admit_free(again);
    sb_done(&saved);
}

/* Everything ends; nothing may be left over. */
static void drain(struct world *w)
{
    struct admit_counters n;
    struct a_job *j;

    while ((j = some(w, IS_WAITING))) {
        admit_cancel(w->a, j->ticket, w->now);
        became(w, j, IS_FREE);
    }
    while ((j = some(w, IS_RUNNING))) {
        admit_settle(w->a, j->ticket, 5, 5, w->now);
        became(w, j, IS_FREE);
    }
    look(w);
    for (int i = 0; i < UPSTREAMS; i++) {
        struct admit_upstream_view v;

        admit_view(w->a, i, w->now, &v);
        ck_assert_int_eq(v.waiting, 0);
        for (int d = 0; d < DIM_COUNT; d++)
            ck_assert_int_eq(v.dim[d].reserved, 0);
        admit_view(w->a, i, w->now + 3700 * SEC, &v);
        for (int d = 0; d < DIM_COUNT; d++)
            ck_assert_int_eq(v.dim[d].used, 0);
    }
    admit_counters(w->a, &n);
    ck_assert_int_gt(n.admitted, UNIT_TIMES(300));
    printf("enqueued %lld, admitted %lld, retried %lld, cancelled %lld, expired %lld, rejected %lld\n", (long long)n.enqueued,
           (long long)n.admitted, (long long)n.retries, (long long)n.cancelled, (long long)n.timed_out, (long long)n.rejected);
}

START_TEST(whatever_comes_in_whatever_order_each_ask_ends_once_and_nothing_is_left)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        static struct world w;
        struct admit_config c = {.upstreams = upstreams, .upstream_count = UPSTREAMS, .queue_max = 150,
                                 .retry_budget_ppm = 100000};

        printf("seed %llu: ", (unsigned long long)seed);
        memset(&w, 0, sizeof w);
        w.rng = rng_make(seed);
        w.now = 5000 * SEC;
        w.a = admit_new(&c, seed, w.now);
        for (int step = 0; step < UNIT_TIMES(12000); step++) {
            int64_t roll = rng_below(&w.rng, 20);

            if (roll < 6)
                ask(&w);
            else if (roll < 13)
                end(&w);
            else if (roll < 15)
                odd(&w);
            else {
                serve(&w);                 /* as the engine does: time does not pass over what has just come */
                w.now += rng_below(&w.rng, 4000) == 0 ? 2 * 3600 * SEC       /* the machine slept */
                         : rng_below(&w.rng, roll == 15 ? 2 * SEC : 100000);
            }
            if (roll >= 10)
                serve(&w);
            if (step % 100 == 0)
                look(&w);
            if (step % 37 == 0)
                restart(&w, &c);
        }
        drain(&w);
        admit_free(w.a);
    }
}
END_TEST

UNIT_MAIN("admit_random", whatever_comes_in_whatever_order_each_ask_ends_once_and_nothing_is_left)
