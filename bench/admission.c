/* admission.c - what admission costs: one step, one place, one forecast.
 *
 * Run alone: build/bench/admission. Each line is a figure and, where one is
 * set, its bound. Time is simulated for the rules; what is measured is CPU time.
 * Then what admission is worth, in simulated traffic: promises kept, and calls
 * served after a refusal. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/rand.h"
#include "flow/admit.h"
#include "rules/budget.h"
#include "rules/limits.h"
#include "sim.h"

#define START (10000 * SEC)

/* CPU time of this thread: what others do on the machine does not count. */
static double cpu_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void figure(const char *what, double value, const char *unit, double bound)
{
    printf("%-66s %9.3f %s", what, value, unit);
    if (bound > 0)
        printf("   (at most %g: %s)", bound, value <= bound ? "kept" : "MISSED");
    printf("\n");
}

static const struct limits_config wide = {
    .limit = {100000000, 1000000000, 1000000000, 1000000000, 1000000000, 1000000000},
    .burst_requests = 100000000, .burst_tokens = 1000000000,
};

static void bench_reserve(void)
{
    enum { N = 1000000 };
    struct limits *l = mem_zalloc(1, sizeof *l);
    struct limits_need need = {.input = 30, .output = 20};
    int64_t now = START, passed = 0;
    enum gate why;
    double t;

    limits_init(l, &wide, now);
    t = cpu_us();
    for (int i = 0; i < N; i++) {
        limits_tick(l, now += 50);
        if (limits_wait_us(l, &need, &why) == 0) {
            struct limits_hold h = limits_take(l, &need);

            limits_settle(l, &h, 30, 10);
            passed++;
        }
    }
    figure("reserve and settle over six dimensions, two gates each", (cpu_us() - t) / N, "µs", 1);
    if (passed == 0)
        exit(EXIT_FAILURE);
    free(l);
}

static struct budget_span month(void *ctx, size_t rule, int64_t at_ms)
{
    (void)ctx;
    (void)rule;
    (void)at_ms;
    return (struct budget_span){0, INT64_MAX};
}

/* One budget of each scope counts every call, among `others` that count other users. */
static void bench_budgets(int others)
{
    enum { N = 1000 * 1000 };
    struct budget_book *b = budget_book_new(month, NULL);
    struct budget_call c = {.user = "usr_0VbhlFE5DdnKW7aFCpsmam", .session = "ses_0VbhlFnLmH7qGPVeVqJhUK",
                            .token = "tok_0VbhlFndiNASgCdH90zc08", .model = "gpt-4o-mini", .at_ms = 1};
    struct budget_view binds;
    char what[128];
    double t;

    for (int i = 0; i < BUDGET_SCOPES + others; i++) {
        struct budget_rule r = {.scope = i < BUDGET_SCOPES ? (enum budget_scope)i : BUDGET_USER, .window = BUDGET_MONTH,
                                .each = i > 0 && i < BUDGET_SCOPES, .limit = INT64_MAX / 2};

        if (i >= BUDGET_SCOPES)
            (void)snprintf(r.key, sizeof r.key, "usr_0VbhlFE5DdnKW7aFCpx%03d", i % 1000);
        (void)budget_book_add(b, &r);
    }
    t = cpu_us();
    for (int i = 0; i < N; i++) {
        struct budget_hold *h = budget_reserve(b, &c, 1000, &binds);

        if (!h)
            exit(EXIT_FAILURE);
        budget_settle(b, h, 900);
    }
    (void)snprintf(what, sizeof what, "reserve and settle over five budgets, one of each scope, among %d", BUDGET_SCOPES + others);
    figure(what, (cpu_us() - t) / N, "µs", others ? 20 : 1);
    budget_book_free(b);
}

static void count(void *ctx, void *job, const struct admit_place *place)
{
    (void)job;
    (void)place;
    ++*(int64_t *)ctx;
}

/* A queue of `n` asks of `users` users that all have to wait. */
static struct admit *waiting(int n, int users, struct admit_ticket **last, double *each_us)
{
    static const struct admit_upstream u = {.name = "one", .limit = {600, 30000, 150000, 4000000, 100000, 60000},
                                            .max_concurrent = 64, .reserve_ppm = 150000,
                                            .patience = {5, SEC, 300 * SEC, 900 * SEC}};
    struct admit_config c = {.upstreams = &u, .upstream_count = 1, .queue_max = 100000, .retry_budget_ppm = 100000};
    struct admit *a = admit_new(&c, 1, START);
    struct rng rng = rng_make(1);
    struct admit_grant g;
    struct admit_place place;
    int64_t wait, now = START, seen = 0;
    double t;

    for (int i = 0; i < n; i++) {
        struct ask ask = {.job = a, .upstreams = 1, .priority = (enum priority)rng_below(&rng, 3),
                          .user = 1 + (uint64_t)rng_below(&rng, users), .model = 7,
                          .prompt_tokens = 50 + rng_below(&rng, 400), .max_tokens = 200, .arrived_us = now,
                          .deadline_us = INT64_MAX};

        if (admit_enqueue(a, &ask, now, last, &wait))
            exit(EXIT_FAILURE);
    }
    while (admit_next(a, now, &g))
        ;
    /* The same once more at that length, each asked for its place at once, between two forecasts. */
    now += 2 * SEC;
    admit_each_waiting(a, now, count, &seen);
    t = cpu_us();
    for (int i = 0; i < 2000; i++) {
        struct ask ask = {.job = a, .upstreams = 1, .priority = PRIORITY_MEDIUM, .user = 1 + (uint64_t)rng_below(&rng, users),
                          .model = 7, .prompt_tokens = 100, .max_tokens = 200, .arrived_us = now, .deadline_us = INT64_MAX};
        struct admit_ticket *ticket;

        now += 1;
        if (admit_enqueue(a, &ask, now, &ticket, &wait))
            exit(EXIT_FAILURE);
        admit_place(a, ticket, now, &place);
        admit_cancel(a, ticket, now);
    }
    *each_us = (cpu_us() - t) / 2000;
    return a;
}

static void bench_queue(int n, int users, double enqueue_bound, double forecast_bound_us)
{
    struct admit_ticket *last = NULL;
    struct admit_grant g;
    double each_us, t;
    int64_t seen = 0, granted = 0;
    char what[128];
    struct admit *a = waiting(n, users, &last, &each_us);
    int64_t now = START + 10 * SEC;

    (void)snprintf(what, sizeof what, "enqueue with position, cancel, %d waiting, %d users", n, users);
    figure(what, each_us, "µs", enqueue_bound);
    t = cpu_us();
    for (int i = 0; i < 5; i++)
        admit_each_waiting(a, now += 2 * SEC, count, &seen);
    (void)snprintf(what, sizeof what, "expected start of all, %d waiting, %d users", n, users);
    figure(what, (cpu_us() - t) / 5 / 1000, "ms", forecast_bound_us / 1000);
    t = cpu_us();
    for (int i = 0; i < 200; i++) {
        now += SEC / 10;
        while (admit_next(a, now, &g)) {
            admit_settle(a, g.ticket, g.reserved_input, 50, now);
            granted++;
        }
    }
    (void)snprintf(what, sizeof what, "next and settle, %d waiting, %d users", n, users);
    figure(what, (cpu_us() - t) / (double)granted, "µs", 0);
    admit_free(a);
}

static struct sim overload(uint64_t seed)
{
    return (struct sim){
        .upstream = {{.name = "strict", .max_concurrent = 500}}, .upstreams = 1, .kind = STRICT_SLIDING, .duration_us = 1800 * SEC,
        .prompt_least = 20, .prompt_most = 1500, .output_mean = 150, .output_sigma = 0.8, .max_tokens = 2000, .first_us = 200000,
        .token_us = 2000, .queue_max = 1000, .wait_max_us = 120 * SEC, .users = 5, .greed = 1, .seed = seed,
        .tell_every_us = 250000,
    };
}

/* Half an hour at 1.3 times what a limit allows, sizes log-normal: how many starts came when they were told. Where output is
 * only nearly short, at 0.95 times: waits are short then, and the few answers ahead do not even out. */
static void bench_promises(const char *what, enum dim d, int64_t limit, double per_second, bool mixed)
{
    struct sim s = overload(31);
    struct admit_counters n;
    char line[128];

    s.upstream[0].limit[d] = limit;
    s.per_second = per_second;
    s.high = mixed ? 20 : 0;
    s.low = mixed ? 40 : 0;
    sim_run(&s);
    admit_counters(s.admit, &n);
    for (int p = PRIORITY_HIGH; p >= PRIORITY_LOW; p--) {
        const struct admit_promises *of = &n.promise[p];

        if (!of->made)
            continue;
        (void)snprintf(line, sizeof line, "promises kept, %s, %s%s, median error %.2f s", what, priority_name((enum priority)p),
                       mixed ? " of three" : "", (double)of->error_us / 1e6);
        figure(line, 100 * (double)of->kept / (double)of->made, "%", 0);
    }
    sim_done(&s);
}

/* The quarter of an hour after a 429, against refusing everything meanwhile. */
static void bench_recovery(void)
{
    struct sim s = overload(18);

    s.upstream[0].limit[DIM_REQUESTS_PER_MINUTE] = 60;
    s.per_second = 3;
    s.trouble_us = s.settle_in_us = 1800 * SEC;
    s.duration_us = s.settle_in_us + 900 * SEC;
    sim_run(&s);
    figure("served of 900 in the 15 minutes after a 429", (double)s.started_late, "calls", 0);
    figure("the same, had all been refused meanwhile", 0, "calls", 0);
    sim_done(&s);
}

int main(void)
{
    bench_reserve();
    bench_budgets(0);
    bench_budgets(995);
    bench_queue(1000, 50, 0, 1000);
    bench_queue(1000, 1, 0, 1000);
    bench_queue(10000, 100, 5, 0);
    bench_queue(10000, 1, 5, 0);
    bench_queue(8000, 500, 0, 20000);
    bench_promises("requests short", DIM_REQUESTS_PER_MINUTE, 60, 1.3, false);
    bench_promises("tokens short", DIM_TOKENS_PER_MINUTE, 60000, 1.3, false);
    bench_promises("output tokens short", DIM_OUTPUT_TOKENS_PER_MINUTE, 20000, 2.1, false);
    bench_promises("output tokens nearly short", DIM_OUTPUT_TOKENS_PER_MINUTE, 20000, 1.5, false);
    bench_promises("requests short", DIM_REQUESTS_PER_MINUTE, 60, 1.3, true);
    bench_promises("tokens short", DIM_TOKENS_PER_MINUTE, 60000, 1.3, true);
    bench_promises("output tokens nearly short", DIM_OUTPUT_TOKENS_PER_MINUTE, 20000, 1.5, true);
    bench_recovery();
    return 0;
}
