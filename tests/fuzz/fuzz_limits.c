/* fuzz_limits.c - admission and budgets as a machine that bytes drive, beside a
 * slow exact model: a provider that remembers every event (strict.h), a ledger
 * that is a few sums.
 *
 * Whatever comes in whatever order: no limit of the provider's and no budget is
 * passed, a budget refuses only what it must, waiting is accounted for to the
 * microsecond, and once nothing new comes each ask starts or times out. */
#include <string.h>

#include "../unit/strict.h"
#include "flow/admit.h"
#include "fuzz.h"
#include "rules/budget.h"

const size_t fuzz_neighbours = 60;

enum { JOBS = 24, USERS = 3, OPS_MAX = 400 };
#define SEC INT64_C(1000000)
#define DAY_MS INT64_C(86400000)
#define NEVER_US (INT64_C(4) * 3600 * SEC)

enum state { FREE, WAITING, RUNNING };

struct job {
    enum state is;
    struct admit_ticket *ticket;
    struct budget_hold *hold;
    int user;
    int64_t day, cost, prompt, output, produced;    /* output: set aside */
    int64_t since_us, waited_us, deadline_us;
    size_t begun_at[DIM_COUNT];      /* the provider's event of what it counted at the start, plus 1; 0: none */
};

/* What is spent and held, of all and of each user, by day. */
struct sums {
    int64_t spent, held;
};

struct world {
    struct admit *a;
    struct budget_book *book;
    bool output_at_start;            /* the provider counts and keeps all that was set aside */
    int64_t now, limit_all, limit_user;
    struct sums all[400], user[USERS][400];
    struct strict_limit provider[DIM_COUNT];
    struct job job[JOBS];
    const uint8_t *p, *end;
};

static int64_t byte(struct world *w)
{
    return w->p < w->end ? *w->p++ : 0;
}

static const char *const names[USERS] = {"usr_a", "usr_b", "usr_c"};

static int64_t today(const struct world *w)
{
    return w->now / 1000 / DAY_MS;
}

static struct budget_span day_of(void *ctx, size_t rule, int64_t at_ms)
{
    (void)ctx, (void)rule;
    return (struct budget_span){at_ms / DAY_MS * DAY_MS, (at_ms / DAY_MS + 1) * DAY_MS};
}

static void begin(struct world *w)
{
    struct admit_upstream up = {.name = "openai", .max_concurrent = 1 + byte(w) % 6, .patience = {3, SEC / 10, 2 * SEC, 60 * SEC}};
    struct admit_config c = {.upstreams = &up, .upstream_count = 1, .queue_max = 16, .retry_budget_ppm = 300000};
    struct budget_rule all = {.id = "bud_1", .scope = BUDGET_ALL, .window = BUDGET_DAY};
    struct budget_rule each = {.id = "bud_2", .scope = BUDGET_USER, .window = BUDGET_DAY, .each = true};
    int64_t which = byte(w);

    up.limit[DIM_REQUESTS_PER_MINUTE] = which & 1 ? 1 + byte(w) % 40 : 0;
    up.limit[DIM_REQUESTS_PER_HOUR] = which & 2 ? 1 + byte(w) * 4 : 0;
    up.limit[DIM_TOKENS_PER_MINUTE] = which & 4 ? 50 + byte(w) * 20 : 0;
    up.limit[DIM_TOKENS_PER_HOUR] = which & 8 ? 200 + byte(w) * 200 : 0;
    up.limit[DIM_INPUT_TOKENS_PER_MINUTE] = which & 16 ? 50 + byte(w) * 10 : 0;
    up.limit[DIM_OUTPUT_TOKENS_PER_MINUTE] = which & 32 ? 50 + byte(w) * 10 : 0;
    w->output_at_start = up.reserve_max_output = which & 64;
    up.reserve_ppm = which & 128 ? 150000 : 0;
    w->now = INT64_C(1000) * SEC;
    w->a = admit_new(&c, 7, w->now);
    for (int d = 0; d < DIM_COUNT; d++)
        strict_init(&w->provider[d], STRICT_SLIDING, up.limit[d], dim_window_us((enum dim)d), w->now);
    w->limit_all = all.limit = 1 + byte(w) * 40;
    w->limit_user = each.limit = 1 + byte(w) * 20;
    w->book = budget_book_new(day_of, NULL);
    (void)budget_book_add(w->book, &all);
    (void)budget_book_add(w->book, &each);
}

/* The provider counts; it never has to refuse a call. Output that comes faster than streams do counts all the same. */
static void counted(struct world *w, enum dim d, int64_t n, bool begins)
{
    must(!begins || !strict_refuses(&w->provider[d], n, w->now));
    strict_count(&w->provider[d], n, w->now);
}

/* At the start of `begins`, or (NULL) later. */
static void counted_tokens(struct world *w, struct job *begins, int64_t input, int64_t output)
{
    int64_t n[DIM_COUNT] = {[DIM_TOKENS_PER_MINUTE] = input + output, [DIM_TOKENS_PER_HOUR] = input + output,
                            [DIM_INPUT_TOKENS_PER_MINUTE] = input, [DIM_OUTPUT_TOKENS_PER_MINUTE] = output};

    for (int d = DIM_TOKENS_PER_MINUTE; d < DIM_COUNT; d++) {
        counted(w, (enum dim)d, n[d], begins);
        if (begins)
            begins->begun_at[d] = n[d] ? w->provider[d].count : 0;
    }
}

static void ended(struct world *w, struct job *j, int64_t spent)
{
    struct sums *all = &w->all[j->day], *user = &w->user[j->user][j->day];

    all->held -= j->cost;
    user->held -= j->cost;
    all->spent += spent;
    user->spent += spent;
    if (spent)
        budget_settle(w->book, j->hold, spent);
    else
        budget_release(w->book, j->hold);
    *j = (struct job){.is = FREE};
}

static struct job *some(struct world *w, enum state is)
{
    int64_t from = byte(w);

    for (int i = 0; i < JOBS; i++) {
        struct job *j = &w->job[(from + i) % JOBS];

        if (j->is == is)
            return j;
    }
    return NULL;
}

static void ask(struct world *w)
{
    struct job *j = some(w, FREE);
    int64_t user = byte(w) % USERS, cost = byte(w) * 4, day = today(w), wait;
    struct sums *all = &w->all[day], *own = &w->user[user][day];
    struct budget_call call = {.user = names[user], .model = "m", .at_ms = w->now / 1000};
    bool fits = all->spent + all->held + cost <= w->limit_all && own->spent + own->held + cost <= w->limit_user;
    struct budget_view binds;
    struct ask k = {.upstreams = 1, .user = (uint64_t)user + 1, .session = (uint64_t)byte(w) % 5, .model = 1,
                    .priority = (enum priority)(byte(w) % PRIORITY_COUNT), .prompt_tokens = byte(w), .max_tokens = 1 + byte(w),
                    .arrived_us = w->now, .deadline_us = w->now + byte(w) * SEC};
    struct budget_hold *hold;

    if (!j)
        return;
    k.job = j;
    hold = budget_reserve(w->book, &call, cost, &binds);
    must((hold != NULL) == fits);
    if (!hold)
        return;
    *j = (struct job){.hold = hold, .user = (int)user, .day = day, .cost = cost, .prompt = k.prompt_tokens,
                      .since_us = w->now, .deadline_us = k.deadline_us};
    all->held += cost;
    own->held += cost;
    if (admit_enqueue(w->a, &k, w->now, &j->ticket, &wait)) {
        must(wait >= -1);
        ended(w, j, 0);
    } else
        j->is = WAITING;
}

static void check_gates(const struct world *w, const struct job *j, const struct admit_wait *how)
{
    int64_t sum = 0;

    for (int g = 0; g < GATE_COUNT; g++) {
        must(how->held_us[g] >= 0);
        sum += how->held_us[g];
    }
    must(sum == j->waited_us + w->now - j->since_us);
}

static void serve(struct world *w)
{
    struct admit_grant g;
    struct job *j;

    while ((j = admit_expire(w->a, w->now))) {
        must(j->is == WAITING && j->deadline_us <= w->now);
        check_gates(w, j, admit_left(w->a));
        ended(w, j, 0);
    }
    while (admit_next(w->a, w->now, &g)) {
        j = g.job;
        must(j->is == WAITING && j->ticket == g.ticket && g.reserved_input == j->prompt && g.reserved_output >= 1);
        check_gates(w, j, &g.wait);
        j->waited_us += w->now - j->since_us;
        j->is = RUNNING;
        j->output = g.reserved_output;
        j->produced = 0;
        counted(w, DIM_REQUESTS_PER_MINUTE, 1, true);
        counted(w, DIM_REQUESTS_PER_HOUR, 1, true);
        counted_tokens(w, j, j->prompt, w->output_at_start ? j->output : 0);
    }
    must(admit_wake_us(w->a, w->now) > w->now);
}

/* No more than was set aside, so that no debt is made; and it is told. */
static void goes_on(struct world *w, struct job *j, int64_t more)
{
    more = more < j->output - j->produced ? more : j->output - j->produced;
    j->produced += more;
    if (!w->output_at_start)
        counted_tokens(w, NULL, 0, more);
    admit_topup(w->a, j->ticket, j->produced, w->now);
}

/* A call that was refused: it counts as a request and takes no tokens. */
static void refused(struct world *w, struct job *j)
{
    for (int d = DIM_TOKENS_PER_MINUTE; d < DIM_COUNT; d++) {
        struct strict_limit *s = &w->provider[d];

        if (!s->limit || !j->begun_at[d])
            continue;
        if (j->begun_at[d] > s->first)
            s->sliding -= s->event[j->begun_at[d] - 1].n;
        s->event[j->begun_at[d] - 1].n = 0;
    }
}

static void running(struct world *w)
{
    static const enum attempt_fault faults[] = {FAULT_RATE_LIMIT, FAULT_OVERLOADED, FAULT_SERVER};
    struct job *j = some(w, RUNNING);
    int64_t delay, what = byte(w);

    if (!j)
        return;
    if (what % 4 != 1)
        goes_on(w, j, byte(w));
    switch (what % 4) {
    case 0:
        break;
    case 1:
        if (j->produced)
            return;                  /* nothing is tried again once there is text */
        if (faults[what / 4 % 3] != FAULT_SERVER)
            refused(w, j);
        if (admit_retry(w->a, j->ticket, faults[what / 4 % 3], what & 64 ? DIM_COUNT : DIM_TOKENS_PER_MINUTE, byte(w) * SEC / 4 - SEC,
                        w->now, &delay)) {
            must(delay >= 0);
            j->is = WAITING;
            j->since_us = w->now;
        } else
            ended(w, j, 0);
        break;
    default:
        admit_settle(w->a, j->ticket, j->prompt, j->produced, w->now);
        ended(w, j, j->cost * byte(w) / 255);
        break;
    }
}

static void waiting(struct world *w)
{
    struct job *j = some(w, WAITING);
    struct admit_place place;

    if (!j)
        return;
    admit_place(w->a, j->ticket, w->now, &place);
    must(place.position >= 1 && place.ahead >= 0 && place.eta_us >= -1);
    if (byte(w) % 2)
        return;
    admit_cancel(w->a, j->ticket, w->now);
    check_gates(w, j, admit_left(w->a));
    ended(w, j, 0);
}

static void check_sums(struct world *w)
{
    struct sums *all = &w->all[today(w)];
    struct admit_upstream_view v;
    int64_t run = 0, wait = 0;

    must(all->spent + all->held <= w->limit_all && all->held >= 0);
    for (int i = 0; i < USERS; i++)
        must(w->user[i][today(w)].spent + w->user[i][today(w)].held <= w->limit_user);
    for (int i = 0; i < JOBS; i++) {
        run += w->job[i].is == RUNNING;
        wait += w->job[i].is == WAITING;
    }
    admit_view(w->a, 0, w->now, &v);
    must(v.running == run && v.running <= v.max_concurrent && v.waiting == wait);
}

/* Nothing new comes, and what runs ends: everybody in line gets their turn or is told that their time is up. */
static void drain(struct world *w)
{
    int64_t until = w->now + NEVER_US;

    for (;;) {
        int64_t wake, left = 0;

        for (int i = 0; i < JOBS; i++) {
            struct job *j = &w->job[i];

            if (j->is == RUNNING) {
                admit_settle(w->a, j->ticket, j->prompt, j->produced, w->now);
                ended(w, j, j->cost);
            }
        }
        serve(w);
        check_sums(w);
        for (int i = 0; i < JOBS; i++)
            left += w->job[i].is != FREE;
        if (!left)
            return;
        wake = admit_wake_us(w->a, w->now);
        for (int i = 0; i < JOBS; i++)
            if (w->job[i].is == RUNNING)
                wake = w->now + 1;
        must(wake < until);
        w->now = wake;
    }
}

static void end(struct world *w)
{
    struct admit_upstream_view v;

    drain(w);
    admit_view(w->a, 0, w->now, &v);
    for (int d = 0; d < DIM_COUNT; d++)
        must(v.dim[d].reserved == 0);
    admit_free(w->a);
    budget_book_free(w->book);
    for (int d = 0; d < DIM_COUNT; d++)
        free(w->provider[d].event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct world w;

    memset(&w, 0, sizeof w);
    w.p = data;
    w.end = data + n;
    begin(&w);
    for (int op = 0; w.p < w.end && op < OPS_MAX; op++) {
        int64_t what = byte(&w);

        switch (what % 8) {
        case 0: case 1: case 2: ask(&w); break;
        case 3: case 4: running(&w); break;
        case 5: waiting(&w); break;
        case 6: w.now += byte(&w) * byte(&w) * SEC / 1000; break;
        default: w.now += byte(&w) * SEC; break;
        }
        serve(&w);
        check_sums(&w);
    }
    end(&w);
    return 0;
}
