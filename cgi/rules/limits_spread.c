/* limits_spread.c - Low is spread, so that the High and Medium to come find room.
 *
 * Reckoned every few seconds, for several moments of the next quarter of an hour:
 * what waits and is expected of High and Medium until then, less what each limit
 * gives until then. The most of it must be there already, and Low leaves it: like
 * the reserve for High, but as large as what is coming. If Low's own demand fits
 * beside it, nothing is held back. As the real levels go into every reckoning,
 * wrong predictions do not add up. */
#include <math.h>

#include "rules/limits_inside.h"

#define MINUTE_US INT64_C(60000000)
#define QUARTER_US (OUTLOOK_QUARTER * MINUTE_US)
#define LOOK_US INT64_C(5000000)
/* What is expected in this part of a window from any moment on is to have its room by then. */
enum { LEAD_PART = 60 };
/* One start of so many may be that of a Low by its age: PICK_TURN. */
enum { TURN = 8 };

static double amount_of(enum dim d, const struct outlook_amount *a)
{
    switch (d) {
    case DIM_REQUESTS_PER_MINUTE:
    case DIM_REQUESTS_PER_HOUR: return a->requests;
    case DIM_TOKENS_PER_MINUTE:
    case DIM_TOKENS_PER_HOUR: return a->input + a->output;
    case DIM_INPUT_TOKENS_PER_MINUTE: return a->input;
    case DIM_OUTPUT_TOKENS_PER_MINUTE: return a->output;
    case DIM_COUNT: break;
    }
    return 0;
}

void limits_expect(struct limits *l, const struct outlook_plan *plan)
{
    l->spread.plan = *plan;
    l->spread.look_us = l->now_us;
}

/* Expected from now until ahead_us later. A plan that has run out goes on with its last quarter. */
static double expected(const struct limits *l, enum dim d, enum outlook_class class, int64_t ahead_us)
{
    const struct outlook_plan *plan = &l->spread.plan;
    int64_t at = l->now_us, end = at + ahead_us;
    double sum = 0;

    while (at < end) {
        int64_t q = at < plan->from_us ? 0 : (at - plan->from_us) / QUARTER_US;
        int64_t edge = plan->from_us + (q + 1) * QUARTER_US, to = edge < end ? edge : end;

        sum += amount_of(d, &plan->quarter[q < OUTLOOK_AHEAD ? q : OUTLOOK_AHEAD - 1][class]) * (double)(to - at) / MINUTE_US;
        at = to;
    }
    return sum;
}

/* What comes into the bucket, and what leaves the window, until ahead_us later. */
static double refill(const struct limits_dim *d, int64_t ahead_us)
{
    return (double)d->bucket.rate * (double)ahead_us / (double)d->bucket.window_us;
}

static double leaving(const struct limits *l, const struct limits_dim *d, int64_t ahead_us)
{
    return (double)(d->window.sum - window_sum_at(&d->window, l->now_us + ahead_us));
}

static void at_least(int64_t *most, double n)
{
    if (n > (double)*most)
        *most = n < LIMITS_MAX ? (int64_t)ceil(n) : LIMITS_MAX;
}

/* One moment of one limit. True: Low's own demand does not fit beside the others'. */
static bool look_at(struct limits *l, enum dim i, int64_t ahead_us, const struct outlook_amount waiting[OUTLOOK_CLASSES])
{
    const struct limits_dim *d = &l->dim[i];
    double first = amount_of(i, &waiting[OUTLOOK_FIRST]) +
                   expected(l, i, OUTLOOK_FIRST, ahead_us + dim_window_us(i) / LEAD_PART) * (1 + l->spread.plan.margin) * TURN / (TURN - 1);
    double low = amount_of(i, &waiting[OUTLOOK_LOW]) + expected(l, i, OUTLOOK_LOW, ahead_us);
    double bucket = refill(d, ahead_us), window = INFINITY;

    at_least(&l->spread.bucket_keep[i], first - bucket);
    if (ahead_us < dim_window_us(i)) {
        window = leaving(l, d, ahead_us);
        at_least(&l->spread.window_keep[i], first - window);
    }
    return first + low > (double)bucket_tokens(&d->bucket) + bucket ||
           first + low > (double)(d->allowed - d->held - d->window.sum) + window;
}

bool limits_spread_due(const struct limits *l)
{
    return l->spread.on && l->now_us >= l->spread.look_us;
}

void limits_spread(struct limits *l, const struct outlook_amount waiting[OUTLOOK_CLASSES])
{
    struct limits_spread *s = &l->spread;
    int64_t edge_us = QUARTER_US - (l->now_us - s->plan.from_us) % QUARTER_US;
    const int64_t ahead[] = {0, MINUTE_US, QUARTER_US / 3, QUARTER_US / 3 * 2, QUARTER_US, edge_us};
    bool holds = false;

    s->look_us = l->now_us + LOOK_US;
    for (int d = 0; d < DIM_COUNT; d++) {
        s->bucket_keep[d] = s->window_keep[d] = 0;
        for (size_t i = 0; l->dim[d].limit && i < sizeof ahead / sizeof *ahead; i++)
            holds = look_at(l, (enum dim)d, ahead[i], waiting) || holds;
    }
    s->holds = holds && s->plan.known;
}

void limits_low_started(struct limits *l)
{
    l->spread.started_us = l->now_us;
}

int64_t limits_spread_wait_us(const struct limits *l, const struct limits_need *need)
{
    const struct limits_spread *s = &l->spread;
    int64_t longest = 0, least = s->started_us + LIMITS_LOW_LEAST_US - l->now_us;

    if (need->who != LIMITS_LOW || !s->holds || least <= 0)
        return 0;
    for (int i = 0; i < DIM_COUNT; i++) {
        const struct limits_dim *d = &l->dim[i];
        int64_t n = limits_amount((enum dim)i, need->input, need->output), wait, over;

        if (!d->limit)
            continue;
        wait = bucket_wait_us(&d->bucket, n, s->bucket_keep[i] * d->bucket.window_us);
        longest = wait > longest ? wait : longest;
        over = d->window.sum + d->held + n + s->window_keep[i] - d->allowed;
        wait = over > 0 ? window_wait_us(&d->window, over, l->now_us) : 0;
        longest = wait > longest ? wait : longest;
    }
    return longest < least ? longest : least;
}
