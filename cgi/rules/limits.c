/* limits.c - all gates of all dimensions, as one. */
#include "rules/limits.h"

#include <string.h>

enum {
    MILLION = 1000000,
    BURST_PART = 6,
    ROUNDED = 1000       /* a remainder of whole thousands of tokens may be a rounded one */
};

#define LENT_AFTER_US (INT64_C(60) * 1000000)

/* n * ppm / 1,000,000 for n up to LIMITS_MAX. */
static int64_t ppm_of(int64_t n, int64_t ppm)
{
    return n * ppm / MILLION;
}

static int64_t amount(enum dim d, int64_t input, int64_t output)
{
    switch (d) {
    case DIM_REQUESTS_PER_MINUTE:
    case DIM_REQUESTS_PER_HOUR: return 1;
    case DIM_TOKENS_PER_MINUTE:
    case DIM_TOKENS_PER_HOUR: return input + output;
    case DIM_INPUT_TOKENS_PER_MINUTE: return input;
    case DIM_OUTPUT_TOKENS_PER_MINUTE: return output;
    case DIM_COUNT: break;
    }
    return 0;
}

/* Does this dimension count this class of tokens at all? */
static bool counts_input(enum dim d)
{
    return d == DIM_TOKENS_PER_MINUTE || d == DIM_TOKENS_PER_HOUR || d == DIM_INPUT_TOKENS_PER_MINUTE;
}

static bool counts_output(enum dim d)
{
    return d == DIM_TOKENS_PER_MINUTE || d == DIM_TOKENS_PER_HOUR || d == DIM_OUTPUT_TOKENS_PER_MINUTE;
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

    if (d->told_limit > 0 && d->told_limit < ceiling)
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

static void limits_pace(struct limits *l)
{
    l->next_step_us = l->most_input = l->most_output = l->most_total = INT64_MAX;
    for (int i = 0; i < DIM_COUNT; i++) {
        bool in = counts_input((enum dim)i), out = counts_output((enum dim)i);

        if (!l->dim[i].limit)
            continue;
        dim_pace(l, &l->dim[i]);
        at_most(&l->next_step_us, stabilize_next_us(&l->dim[i].stab, l->now_us));
        if (in || out)
            at_most(in && out ? &l->most_total : in ? &l->most_input : &l->most_output, l->dim[i].ceiling);
    }
}

void limits_init(struct limits *l, const struct limits_config *c, int64_t now_us)
{
    memset(l, 0, sizeof *l);
    l->now_us = now_us;
    l->pause_us = c->pause_us;
    l->last_start_us = INT64_MIN / 2;
    l->high_seen_us = INT64_MIN / 2;
    l->cooldown_us = INT64_MIN / 2;
    l->safety_ppm = c->safety_ppm;
    l->reserve_ppm = c->reserve_ppm;
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];

        d->told_limit = d->told_remaining = -1;
        d->limit = c->limit[i] > LIMITS_MAX ? LIMITS_MAX : c->limit[i];
        if (!d->limit)
            continue;
        d->burst = burst_of(c, (enum dim)i);
        d->bucket = bucket_make(d->limit, dim_window_us((enum dim)i), d->burst, now_us);
        window_init(&d->window, dim_window_us((enum dim)i), now_us);
    }
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

    return lent < l->next_step_us ? lent : l->next_step_us;
}

/* May this call use the reserve? */
static bool whole(const struct limits *l, const struct limits_need *need)
{
    return need->high || l->now_us - l->high_seen_us >= LENT_AFTER_US;
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

/* How far the window would be over, were n added. More than a whole window is never asked to be free. */
static int64_t window_over(const struct limits_dim *d, int64_t used, int64_t n, bool all)
{
    int64_t room = all ? d->room : d->room_low;

    return used + d->held + (n < room ? n : room) - room;
}

int64_t limits_wait_us(const struct limits *l, const struct limits_need *need, enum gate *why)
{
    bool all = whole(l, need);
    int64_t longest = 0;

    for (int i = 0; i < DIM_COUNT; i++) {
        const struct limits_dim *d = &l->dim[i];
        int64_t n, over, wait;

        if (!d->limit)
            continue;
        n = amount((enum dim)i, need->input, need->output);
        wait = bucket_wait_us(&d->bucket, n, all ? 0 : d->keep);
        over = window_over(d, d->window.sum, n, all);
        if (over > 0) {
            int64_t leaves = window_wait_us(&d->window, over, l->now_us);

            wait = leaves > wait ? leaves : wait;
        }
        if (wait > longest) {
            longest = wait;
            *why = l->now_us < d->stab.until_us ? GATE_STABILIZING : (enum gate)i;
        }
    }
    return longest;
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

struct limits_hold limits_take(struct limits *l, const struct limits_need *need, bool output_at_start)
{
    struct limits_hold h = {.at_us = l->now_us, .input = need->input, .output = need->output,
                            .output_at_start = output_at_start};

    l->last_start_us = l->now_us;
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];
        int64_t n = amount((enum dim)i, need->input, need->output);

        if (!d->limit)
            continue;
        bucket_take(&d->bucket, n);
        if (counts_output((enum dim)i) && !output_at_start) {
            d->held += need->output;
            window_add(&d->window, n - need->output);
        } else {
            window_add(&d->window, n);
        }
        if (counts_input((enum dim)i) || counts_output((enum dim)i))
            d->open += n;
    }
    return h;
}

void limits_slack(const struct limits *l, const struct limits_need *need, int64_t wait_us, int64_t slack[DIM_COUNT])
{
    bool all = whole(l, need);

    for (int i = 0; i < DIM_COUNT; i++) {
        const struct limits_dim *d = &l->dim[i];
        int64_t n = amount((enum dim)i, need->input, need->output);
        int64_t over, bucket;

        slack[i] = INT64_MAX;
        if (!d->limit)
            continue;
        if (wait_us == LIMITS_NOT_BY_TIME) {      /* nobody knows when: nothing may pass */
            slack[i] = 0;
            continue;
        }
        over = window_over(d, window_sum_at(&d->window, l->now_us + wait_us), n, all);
        bucket = bucket_slack(&d->bucket, n, all ? 0 : d->keep, wait_us);
        slack[i] = over >= 0 ? 0 : -over < bucket ? -over : bucket;
    }
}

bool limits_within(const struct limits *l, const struct limits_need *need, const int64_t slack[DIM_COUNT])
{
    for (int i = 0; i < DIM_COUNT; i++) {
        if (l->dim[i].limit && amount((enum dim)i, need->input, need->output) > slack[i])
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

/* n output tokens that were held become used, now. */
static void dim_produce(struct limits_dim *d, int64_t n)
{
    d->held -= n;
    window_add(&d->window, n);
}

/* Set n more output tokens aside, into debt if need be. */
static void dim_grow(struct limits_dim *d, int64_t n, bool output_at_start)
{
    bucket_take(&d->bucket, n);
    d->open += n;
    if (output_at_start)
        window_add(&d->window, n);
    else
        d->held += n;
}

void limits_produced(struct limits *l, struct limits_hold *h, int64_t output, int64_t reserve)
{
    int64_t more = reserve - h->output;
    int64_t fresh = output - h->produced;

    for (int i = 0; i < DIM_COUNT; i++) {
        if (!l->dim[i].limit || !counts_output((enum dim)i))
            continue;
        if (output > h->output && more > 0)
            dim_grow(&l->dim[i], more, h->output_at_start);
        if (fresh > 0 && !h->output_at_start)
            dim_produce(&l->dim[i], fresh);
    }
    if (output > h->output && more > 0)
        h->output = reserve;
    if (fresh > 0)
        h->produced = output;
}

/* Input of an ended call: `reserved` counted at the start, `used` in truth. Returns the difference. */
static int64_t settle_input(struct limits_dim *d, const struct limits_hold *h, int64_t used)
{
    if (used <= h->input)
        window_amend(&d->window, h->at_us, used - h->input);
    else
        window_add(&d->window, used - h->input);
    return used - h->input;
}

/* Output. A provider that counts it at the start keeps what was not used. */
static int64_t settle_output(struct limits_dim *d, const struct limits_hold *h, int64_t used)
{
    if (h->output_at_start) {
        if (used <= h->output)
            return 0;
        window_add(&d->window, used - h->output);
    } else {
        d->held -= h->output - h->produced;
        if (used > h->produced)
            window_add(&d->window, used - h->produced);
    }
    return used - h->output;
}

void limits_settle(struct limits *l, const struct limits_hold *h, int64_t input, int64_t output)
{
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];
        int64_t more = 0;

        if (!d->limit)
            continue;
        if (counts_input((enum dim)i)) {
            more += settle_input(d, h, input);
            d->open -= h->input;
        }
        if (counts_output((enum dim)i)) {
            more += settle_output(d, h, output);
            d->open -= h->output;
        }
        if (more > 0)
            bucket_take(&d->bucket, more);
        else
            bucket_give(&d->bucket, -more);
    }
}

void limits_release(struct limits *l, const struct limits_hold *h, bool reached)
{
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];
        int64_t counted = 0, held = 0;

        if (!d->limit)
            continue;
        if (counts_input((enum dim)i)) {
            counted += h->input;
            d->open -= h->input;
        }
        if (counts_output((enum dim)i)) {
            counted += h->output_at_start ? h->output : 0;
            held = h->output_at_start ? 0 : h->output - h->produced;
            d->open -= h->output;
        }
        if (!counts_input((enum dim)i) && !counts_output((enum dim)i))
            counted = reached ? 0 : 1;
        window_amend(&d->window, h->at_us, -counted);
        d->held -= held;
        bucket_give(&d->bucket, counted + held);
    }
}

/* The dimension with the least room, if any is limited. */
static enum dim limits_fullest(const struct limits *l)
{
    enum dim fullest = DIM_COUNT;
    int64_t most = -1;

    for (int i = 0; i < DIM_COUNT; i++) {
        const struct limits_dim *d = &l->dim[i];
        int64_t share;

        if (!d->limit)
            continue;
        share = (d->window.sum + d->held) * 1000 / d->allowed;
        if (share > most) {
            most = share;
            fullest = (enum dim)i;
        }
    }
    return fullest;
}

/* Less than this share of a limit was in use, by our count: nobody should have been refused. */
static bool limits_early(const struct limits_dim *d)
{
    return d->window.sum + d->held < d->allowed - d->allowed / 4;
}

void limits_refused(struct limits *l, enum dim d, int64_t began_us, int64_t period_us)
{
    if (d == DIM_COUNT || !l->dim[d].limit)
        d = limits_fullest(l);
    if (d == DIM_COUNT)
        return;
    if (stabilize_hit(&l->dim[d].stab, limits_early(&l->dim[d]), began_us, period_us, l->now_us))
        bucket_lower(&l->dim[d].bucket, 0);
    limits_pace(l);
}

void limits_cool(struct limits *l, int64_t until_us)
{
    if (until_us > l->cooldown_us)
        l->cooldown_us = until_us;
}

int64_t limits_told(struct limits *l, enum dim i, int64_t limit, int64_t remaining)
{
    struct limits_dim *d = &l->dim[i];
    int64_t unseen;

    if (limit > 0)
        d->told_limit = limit;
    if (remaining >= 0)
        d->told_remaining = remaining;
    if (!d->limit)
        return 0;
    if (limit > 0)
        limits_pace(l);
    if (remaining < 0)
        return 0;
    /* Never more than the truth by our count: what we sent lately it may not have seen, and what left its window may
     * still be in ours. Some round tokens to thousands. */
    unseen = (d->told_limit > 0 ? d->told_limit : d->limit) - d->window.sum - d->held - remaining;
    if (unseen <= (remaining % ROUNDED == 0 && remaining > 0 ? ROUNDED / 2 : 0))
        return 0;
    window_add(&d->window, unseen);
    bucket_lower(&d->bucket, remaining);
    return unseen;
}

int32_t limits_rate_ppm(const struct limits *l, int64_t *until_us)
{
    int32_t least = STABILIZE_FULL_PPM;

    *until_us = 0;
    for (int i = 0; i < DIM_COUNT; i++) {
        int32_t rate;

        if (!l->dim[i].limit)
            continue;
        rate = stabilize_rate_ppm(&l->dim[i].stab, l->now_us);
        if (rate < least)
            least = rate;
        if (l->now_us < l->dim[i].stab.until_us && l->dim[i].stab.until_us > *until_us)
            *until_us = l->dim[i].stab.until_us;
    }
    return least;
}

void limits_restore(struct limits *l, enum dim i, int64_t level, int64_t gone_us)
{
    struct limits_dim *d = &l->dim[i];

    limits_pace(l);
    bucket_take(&d->bucket, d->bucket.burst);
    if (level > 0)
        bucket_give(&d->bucket, level);
    else
        bucket_take(&d->bucket, -level);
    d->bucket.at_us -= gone_us;
    bucket_refill(&d->bucket, l->now_us);
}

void limits_reset(struct limits *l)
{
    l->cooldown_us = INT64_MIN / 2;
    l->last_start_us = INT64_MIN / 2;
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];
        int64_t window_us = dim_window_us((enum dim)i);

        if (!d->limit)
            continue;
        d->told_limit = d->told_remaining = -1;
        d->stab = (struct stabilize){0};
        window_init(&d->window, window_us, l->now_us);
        /* What is under way stays counted: held as it is, the rest (open - held) anew. */
        if (d->open > d->held)
            window_add(&d->window, d->open - d->held);
        d->bucket = bucket_make(d->limit, window_us, d->burst, l->now_us);
        bucket_take(&d->bucket, d->open);
    }
    limits_pace(l);
}
