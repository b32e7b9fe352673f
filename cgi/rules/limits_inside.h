/* limits_inside.h - what the files of limits.h share, and nobody else. */
#ifndef WEIR_LIMITS_INSIDE_H
#define WEIR_LIMITS_INSIDE_H

#include "rules/limits.h"

/* How much of a dimension a call of these tokens takes. */
static inline int64_t limits_amount(enum dim d, int64_t input, int64_t output)
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
static inline bool limits_counts_input(enum dim d)
{
    return d == DIM_TOKENS_PER_MINUTE || d == DIM_TOKENS_PER_HOUR || d == DIM_INPUT_TOKENS_PER_MINUTE;
}

static inline bool limits_counts_output(enum dim d)
{
    return d == DIM_TOKENS_PER_MINUTE || d == DIM_TOKENS_PER_HOUR || d == DIM_OUTPUT_TOKENS_PER_MINUTE;
}

/* What a stream may have produced and not told when a call that starts now reaches the provider. */
static inline int64_t limits_each_ahead(const struct limits *l)
{
    return l->speed * LIMITS_AHEAD_US / 1000000;
}

/* Of what is set aside, what may be produced by now, as far as admission reckons. */
int64_t limits_soon(const struct limits *l, enum dim d);

/* Bring a window to now before something is counted in it: those of unlimited dimensions are left behind by limits_tick(). */
static inline void limits_catch_up(const struct limits *l, struct limits_dim *d)
{
    if (!d->limit)
        window_advance(&d->window, l->now_us);
}

/* Microseconds until a Low leaves enough to the others; 0: now, or it need not. */
int64_t limits_spread_wait_us(const struct limits *l, const struct limits_need *need);

/* Set rate, burst and reserve of every dimension to what they are to be now. */
void limits_pace(struct limits *l);

#endif
