/* limits.c - all gates of all dimensions, as one: paces, and what may pass. Use is
 * counted in limits_use.c, what providers say in limits_told.c. */
#include "rules/limits.h"

#include <string.h>

#include "base/broken.h"
#include "rules/limits_inside.h"

enum { MILLION = 1000000, BURST_PART = 6 };

#define LENT_AFTER_US (INT64_C(60) * 1000000)

/* n * ppm / 1,000,000 for n up to LIMITS_MAX. */
static int64_t ppm_of(int64_t n, int64_t ppm)
{
    return n * ppm / MILLION;
}

/* Capacity of a bucket: what was configured, in proportion for the parts of all tokens, or a sixth of the limit. */
static int64_t burst_of(const struct limits_config *c, enum dim d)
{
    int64_t limit = c->limit[d] > LIMITS_MAX ? LIMITS_MAX : c->limit[d];
    int64_t burst = 0;

    switch (d) {
    case DIM_REQUESTS_PER_MINUTE: burst = c->burst_requests; break;
    case DIM_TOKENS_PER_MINUTE: burst = c->burst_tokens; break;
    case DIM_INPUT_TOKENS_PER_MINUTE:
    case DIM_OUTPUT_TOKENS_PER_MINUTE:
        if (c->limit[DIM_TOKENS_PER_MINUTE])
            burst = limit * c->burst_tokens / c->limit[DIM_TOKENS_PER_MINUTE];
        break;
    case DIM_REQUESTS_PER_HOUR:
    case DIM_TOKENS_PER_HOUR:
    case DIM_COUNT: break;
    }
    if (!burst)
        burst = limit / BURST_PART;
    return burst < 1 ? 1 : burst < limit ? burst : limit;
}

/* Make allowed rate and burst of one dimension what they are to be now. */
static void dim_pace(struct limits *l, struct limits_dim *d)
{
    int32_t rate = stabilize_rate_ppm(&d->stab, l->now_us);
    int64_t ceiling = d->limit;

    if (l->now_us - d->told_us > LIMITS_TOLD_US)
        d->told_limit = -1;
    if (d->told_limit > 0 && !d->told_longer && d->told_limit < ceiling)
        ceiling = d->told_limit;
    ceiling -= ppm_of(ceiling, l->safety_ppm);
    d->ceiling = ceiling < 1 ? 1 : ceiling;
    d->allowed = ppm_of(d->ceiling, rate);
    if (d->allowed < 1)
        d->allowed = 1;
    bucket_set(&d->bucket, d->allowed, ppm_of(d->burst, stabilize_burst_ppm(&d->stab, l->now_us)), l->now_us);
    d->keep = bucket_share(&d->bucket, l->reserve_ppm);
    d->room = d->allowed;
    d->room_low = d->allowed - ppm_of(d->allowed, l->reserve_ppm);
    if (d->room_low < 1)
        d->room_low = 1;
}

static void at_most(int64_t *least, int64_t n)
{
    if (n < *least)
        *least = n;
}

void limits_pace(struct limits *l)
{
    l->next_step_us = l->most_input = l->most_output = l->most_total = INT64_MAX;
    for (int i = 0; i < DIM_COUNT; i++) {
        bool in = limits_counts_input((enum dim)i), out = limits_counts_output((enum dim)i);

        if (!l->dim[i].limit)
            continue;
        dim_pace(l, &l->dim[i]);
        at_most(&l->next_step_us, stabilize_next_us(&l->dim[i].stab, l->now_us));
        if (l->dim[i].told_limit > 0)
            at_most(&l->next_step_us, l->dim[i].told_us + LIMITS_TOLD_US + 1);
        if (in || out)
            at_most(in && out ? &l->most_total : in ? &l->most_input : &l->most_output, l->dim[i].ceiling);
    }
}

void limits_init(struct limits *l, const struct limits_config *c, int64_t now_us)
{
    memset(l, 0, sizeof *l);
    l->now_us = now_us;
    l->last_start_us = INT64_MIN / 2;
    l->high_seen_us = INT64_MIN / 2;
    l->cooldown_us = INT64_MIN / 2;
    l->spread.started_us = INT64_MIN / 2;
    for (int i = 0; i < DIM_COUNT; i++) {
        l->dim[i].told_limit = l->dim[i].told_remaining = -1;
        window_init(&l->dim[i].window, dim_window_us((enum dim)i), now_us);
    }
    limits_change(l, c, now_us);
}

/* A dimension is limited from now on. Its bucket has what is left of the limit after what was used, not more: what the
 * bucket would have given out before is not known. */
static void dim_begin(struct limits *l, enum dim i, const struct limits_config *c)
{
    struct limits_dim *d = &l->dim[i];
    int64_t left = d->limit - d->window.sum - d->held;

    d->bucket = bucket_make(d->limit, dim_window_us(i), burst_of(c, i), l->now_us);
    bucket_lower(&d->bucket, left > 0 ? left : 0);
}

void limits_change(struct limits *l, const struct limits_config *c, int64_t now_us)
{
    limits_tick(l, now_us);
    l->pause_us = c->pause_us;
    l->safety_ppm = c->safety_ppm;
    l->reserve_ppm = c->reserve_ppm;
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];
        int64_t before = d->limit;

        limits_catch_up(l, d);
        d->limit = c->limit[i] > LIMITS_MAX ? LIMITS_MAX : c->limit[i];
        if (d->limit)
            d->burst = burst_of(c, (enum dim)i);
        if (d->limit && !before)
            dim_begin(l, (enum dim)i, c);
    }
    l->spread.on = c->spread_low;
    l->spread.holds = l->spread.holds && l->spread.on;
    l->spread.look_us = now_us;
    limits_pace(l);
}

void limits_tick(struct limits *l, int64_t now_us)
{
    if (now_us <= l->now_us)
        return;
    l->now_us = now_us;
    if (now_us >= l->next_step_us)
        limits_pace(l);
    for (int i = 0; i < DIM_COUNT; i++) {
        if (!l->dim[i].limit)
            continue;
        bucket_refill(&l->dim[i].bucket, now_us);
        window_advance(&l->dim[i].window, now_us);
    }
}

void limits_high_asked(struct limits *l, int64_t now_us)
{
    if (now_us > l->high_seen_us)
        l->high_seen_us = now_us;
}

int64_t limits_change_us(const struct limits *l)
{
    int64_t lent = l->reserve_ppm && l->now_us - l->high_seen_us < LENT_AFTER_US ? l->high_seen_us + LENT_AFTER_US : INT64_MAX;

    at_most(&lent, l->next_step_us);
    if (l->spread.holds)
        at_most(&lent, l->spread.look_us);
    return lent;
}

/* May this call use the reserve? */
static bool whole(const struct limits *l, const struct limits_need *need)
{
    return need->who == LIMITS_HIGH || l->now_us - l->high_seen_us >= LENT_AFTER_US;
}

bool limits_too_large(const struct limits *l, const struct limits_need *need)
{
    return need->input > l->most_input || need->output > l->most_output || need->input + need->output > l->most_total;
}

int64_t limits_fit_output(const struct limits *l, int64_t input, int64_t output)
{
    at_most(&output, l->most_output);
    at_most(&output, l->most_total - input);
    return output < 1 ? 1 : output;
}

static int64_t less(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What streams under way may add to any window of theirs. */
struct under_way {
    int64_t beyond;               /* at once, beyond what is set aside: what they hide, and one surprise */
    int64_t soon;                 /* before a call that starts now reaches the provider, as far as it is set aside */
    int64_t each;                 /* of that one stream's */
    int64_t a_second;             /* from then on; 0: all of it is to be expected at once */
};

/* Before a call that starts now reaches the provider there may come all that is set aside for those that told nothing yet; what
 * the others produce meanwhile and have not told, more than is set aside where they are few or fast; what they hide; and one
 * surprise. Then the rest of what is set aside, at their speed. */
static struct under_way under_way(const struct limits *l)
{
    struct under_way u = {.each = limits_each_ahead(l)};
    int64_t untold = less(l->streams.untold, LIMITS_AHEAD_MOST) * u.each;

    if (l->streams.untold + l->streams.told > 0)
        u.beyond = l->surprise;
    if (l->hidden.took_ms > 0)
        u.beyond += l->streams.told * (l->hidden.tokens_ms / l->hidden.took_ms) / 2;      /* half-way, the mean of them */
    u.soon = less(l->streams.told, LIMITS_AHEAD_MOST) * u.each + (untold > l->streams.untold_output ? untold : l->streams.untold_output);
    u.a_second = less(l->streams.told * l->speed, WINDOW_FLOW_MAX);
    return u;
}

static void flow_under_way(const struct limits *l, const struct under_way *u, int64_t held, struct window_flow *f)
{
    int64_t soon = l->speed ? less(u->soon, 2 * held + u->each) : held;

    f->at_once += u->beyond + soon;
    if (soon < held && u->a_second) {
        f->part[0].most = held - soon;
        f->part[0].a_second = u->a_second;
    }
}

int64_t limits_soon(const struct limits *l, enum dim d)
{
    struct under_way u = under_way(l);
    struct window_flow f = {0};

    flow_under_way(l, &u, l->dim[d].held, &f);
    return less(f.at_once, l->dim[d].held);
}

/* All that is to come into a window if this call starts. More than a whole window is never asked to be free. */
static struct window_flow flow_of(const struct limits *l, const struct under_way *u, enum dim i, const struct limits_need *need, int64_t room)
{
    struct window_flow f = {.at_once = less(limits_amount(i, need->input, 0), room)};
    int64_t output = less(limits_amount(i, need->input, need->output), room) - f.at_once;

    if (!limits_counts_output(i))
        return f;
    if (need->output_at_start || !l->speed) {
        f.at_once += output;
    } else if (output > 0) {
        f.part[1].most = output;
        f.part[1].a_second = less(l->speed, WINDOW_FLOW_MAX);
    }
    flow_under_way(l, u, l->dim[i].held, &f);
    return f;
}

int64_t limits_wait_us(const struct limits *l, const struct limits_need *need, enum gate *why)
{
    struct under_way u = under_way(l);
    bool all = whole(l, need);
    int64_t longest = 0, spread;

    for (int i = 0; i < DIM_COUNT && !BROKEN("no-limits"); i++) {
        const struct limits_dim *d = &l->dim[i];
        enum gate gate = (enum gate)(GATE_SPREAD + i);
        int64_t room = all ? d->room : d->room_low, n, wait, leaves;
        struct window_flow f;

        if (!d->limit)
            continue;
        n = limits_amount((enum dim)i, need->input, need->output);
        wait = bucket_wait_us(&d->bucket, n, all ? 0 : d->keep);
        f = flow_of(l, &u, (enum dim)i, need, room);
        leaves = window_wait_flow_us(&d->window, &f, room, l->now_us);
        if (leaves > 0 && leaves >= wait) {
            wait = leaves;
            gate = (enum gate)i;
        }
        if (wait > longest) {
            longest = wait;
            *why = l->now_us < d->stab.until_us ? GATE_STABILIZING : gate;
        }
    }
    spread = limits_spread_wait_us(l, need);
    if (spread > longest) {
        longest = spread;
        *why = GATE_PACING;
    }
    return longest;
}

bool limits_fits(const struct limits *l, const struct limits_need *need)
{
    struct under_way u = under_way(l);
    bool all = whole(l, need);

    for (int i = 0; i < DIM_COUNT && !BROKEN("no-limits"); i++) {
        const struct limits_dim *d = &l->dim[i];
        int64_t room = all ? d->room : d->room_low;
        struct window_flow f;

        if (!d->limit)
            continue;
        if (bucket_wait_us(&d->bucket, limits_amount((enum dim)i, need->input, need->output), all ? 0 : d->keep) > 0)
            return false;
        f = flow_of(l, &u, (enum dim)i, need, room);
        if (d->window.sum + f.at_once > room || window_wait_flow_us(&d->window, &f, room, l->now_us) > 0)
            return false;
    }
    return limits_spread_wait_us(l, need) == 0;
}

int64_t limits_closed_us(const struct limits *l, enum gate *why)
{
    int64_t cool = l->cooldown_us - l->now_us;
    int64_t pause = l->last_start_us + l->pause_us - l->now_us;

    if (cool <= 0 && pause <= 0)
        return 0;
    *why = cool >= pause ? GATE_BACKOFF : GATE_PACING;
    return cool >= pause ? cool : pause;
}

void limits_slack(const struct limits *l, const struct limits_need *need, int64_t wait_us, int64_t slack[DIM_COUNT])
{
    struct under_way u = under_way(l);
    bool all = whole(l, need);

    for (int i = 0; i < DIM_COUNT; i++) {
        const struct limits_dim *d = &l->dim[i];
        int64_t n = limits_amount((enum dim)i, need->input, need->output);
        int64_t room = all ? d->room : d->room_low, spare, bucket;
        struct window_flow f;

        slack[i] = INT64_MAX;
        if (!d->limit)
            continue;
        if (wait_us == LIMITS_NOT_BY_TIME) {      /* nobody knows when: nothing may pass */
            slack[i] = 0;
            continue;
        }
        f = flow_of(l, &u, (enum dim)i, need, room);
        spare = room - window_peak(&d->window, &f, l->now_us + wait_us);
        bucket = bucket_slack(&d->bucket, n, all ? 0 : d->keep, wait_us);
        slack[i] = spare <= 0 ? 0 : less(spare, bucket);
    }
}

bool limits_within(const struct limits *l, const struct limits_need *need, const int64_t slack[DIM_COUNT])
{
    for (int i = 0; i < DIM_COUNT; i++) {
        if (l->dim[i].limit && limits_amount((enum dim)i, need->input, need->output) > slack[i])
            return false;
    }
    return true;
}

int64_t limits_headroom_ppm(const struct limits *l)
{
    int64_t least = MILLION;

    for (int i = 0; i < DIM_COUNT; i++) {
        const struct limits_dim *d = &l->dim[i];
        int64_t used, free_ppm;

        if (!d->limit)
            continue;
        used = d->window.sum + d->held;
        free_ppm = used >= d->allowed ? 0 : (d->allowed - used) * MILLION / d->allowed;
        if (free_ppm < least)
            least = free_ppm;
    }
    return least;
}
