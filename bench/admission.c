/* admission.c - what admission costs: one step, one place, one forecast.
 *
 * Run alone: build/bench/admission. Each line is a figure and, where one is
 * set, its bound. Time is simulated for the rules; what is measured is CPU time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/rand.h"
#include "flow/admit.h"
#include "rules/budget.h"
#include "rules/limits.h"

#define SEC INT64_C(1000000)
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
            struct limits_hold h = limits_take(l, &need, false);

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
    return 0;
}
