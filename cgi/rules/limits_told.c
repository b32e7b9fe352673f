/* limits_told.c - what providers say and do to the limits, restarts and resets. */
#include "rules/limits_inside.h"

/* A remainder of whole thousands of tokens may be a rounded one. */
enum { ROUNDED = 1000 };

#define RESET_SLACK_US (INT64_C(2) * 1000000)

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

int64_t limits_told_age_us(enum dim i, int64_t reset_us)
{
    int64_t age_us = dim_window_us(i) - reset_us - RESET_SLACK_US;

    return reset_us > 0 && age_us > 0 ? age_us : 0;
}

int64_t limits_told(struct limits *l, enum dim i, int64_t limit, int64_t remaining, int64_t reset_us)
{
    struct limits_dim *d = &l->dim[i];
    int64_t unseen;

    if (limit > 0) {
        d->told_limit = limit;
        d->told_us = l->now_us;
    }
    if (remaining >= 0)
        d->told_remaining = remaining;
    if (!d->limit)
        return 0;
    if (limit > 0 || remaining >= 0)
        d->told_longer = reset_us > dim_window_us(i) + RESET_SLACK_US;
    if (limit > 0)
        limits_pace(l);
    if (remaining < 0 || d->told_longer)
        return 0;
    /* Our room for what comes at once becomes no more than its. Ours is the smaller anyway while nobody else uses the key: what we
     * sent lately it may not have seen, and what left its window may still be in ours. Some round tokens to thousands. */
    unseen = (d->told_limit > 0 && d->told_limit < d->limit ? d->told_limit : d->limit) - d->window.sum - limits_soon(l, i) - remaining;
    if (unseen <= (remaining % ROUNDED == 0 && remaining > 0 ? ROUNDED / 2 : 0))
        return 0;
    window_restore(&d->window, l->now_us - limits_told_age_us(i, reset_us), unseen);
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

/* What the bucket of a dimension lets pass in that time; of tokens and requests an hour no more than of those a minute. */
static int64_t dim_most(const struct limits *l, enum dim i, int64_t span_us)
{
    const struct limits_dim *d = &l->dim[i];
    int64_t level, most;

    if (!d->limit)
        return INT64_MAX;
    level = bucket_tokens(&d->bucket);
    most = (level > 0 ? level : 0) + (d->allowed * (span_us / 1000) - 1) / (dim_window_us(i) / 1000) + 1;
    if (i == DIM_REQUESTS_PER_HOUR || i == DIM_TOKENS_PER_HOUR) {
        enum dim minute = i == DIM_REQUESTS_PER_HOUR ? DIM_REQUESTS_PER_MINUTE : DIM_TOKENS_PER_MINUTE;
        int64_t less = dim_most(l, minute, span_us);

        most = less < most ? less : most;
    }
    return most;
}

/* Whoever was killed kept these limits, so that they left no bucket below empty and no window over-full: but for debts of streams
 * that outgrow what was set aside, which the saved held whole. What was on its way is counted twice, as the provider counts it when
 * it comes, and that may be after what is sent next. */
void limits_assume(struct limits *l, int64_t span_us)
{
    int64_t most[DIM_COUNT];

    for (int i = 0; i < DIM_COUNT; i++)
        most[i] = dim_most(l, (enum dim)i, span_us);
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];
        int64_t window_s = dim_window_us((enum dim)i) / 1000000, on_way, room, left;

        if (!d->limit)
            continue;
        on_way = (d->allowed + window_s - 1) / window_s;
        room = d->allowed - d->window.sum - d->held + on_way;
        left = bucket_tokens(&d->bucket) - most[i];
        window_add(&d->window, most[i] < room ? most[i] : room > 0 ? room : 0);
        bucket_lower(&d->bucket, left > 0 ? left : 0);
        if (left < 0)
            bucket_take(&d->bucket, on_way);
    }
}

void limits_reset(struct limits *l)
{
    l->cooldown_us = INT64_MIN / 2;
    l->last_start_us = INT64_MIN / 2;
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];
        int64_t window_us = dim_window_us((enum dim)i);

        d->told_limit = d->told_remaining = -1;
        d->stab = (struct stabilize){0};
        window_init(&d->window, window_us, l->now_us);
        /* What is under way stays counted: held as it is, the rest (open - held) anew. */
        if (d->open > d->held)
            window_add(&d->window, d->open - d->held);
        if (!d->limit)
            continue;
        d->bucket = bucket_make(d->limit, window_us, d->burst, l->now_us);
        bucket_take(&d->bucket, d->open);
    }
    limits_pace(l);
}
