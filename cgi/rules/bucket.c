/* bucket.c - the arithmetic of the token bucket. */
#include "rules/bucket.h"

enum { MILLION = 1000000 };

/* A debt deeper than this is not told apart; keeps every difference within int64. */
#define LEVEL_MIN (-(INT64_C(1) << 62))

static int64_t bucket_clamp(int64_t n)
{
    return n < 1 ? 1 : n > BUCKET_MAX ? BUCKET_MAX : n;
}

struct bucket bucket_make(int64_t rate, int64_t window_us, int64_t burst, int64_t now_us)
{
    struct bucket b = {.window_us = window_us, .at_us = now_us};

    bucket_set(&b, rate, burst, now_us);
    b.level = b.cap;
    return b;
}

void bucket_set(struct bucket *b, int64_t rate, int64_t burst, int64_t now_us)
{
    bucket_refill(b, now_us);
    b->rate = bucket_clamp(rate);
    b->burst = bucket_clamp(burst);
    b->cap = b->burst * b->window_us;
    if (b->level > b->cap)
        b->level = b->cap;
}

void bucket_refill(struct bucket *b, int64_t now_us)
{
    int64_t gone = now_us - b->at_us;
    int64_t room = b->cap - b->level;

    if (gone <= 0)
        return;
    b->at_us = now_us;
    b->level = gone > room / b->rate ? b->cap : b->level + gone * b->rate;
}

/* Parts that must be there before `tokens` may be taken. */
static int64_t bucket_need(const struct bucket *b, int64_t tokens, int64_t keep)
{
    int64_t need = tokens >= b->burst ? b->cap : tokens * b->window_us + keep;

    return need > b->cap ? b->cap : need;
}

int64_t bucket_share(const struct bucket *b, int32_t ppm)
{
    return b->cap / MILLION * ppm;
}

int64_t bucket_wait_us(const struct bucket *b, int64_t tokens, int64_t keep)
{
    int64_t missing = bucket_need(b, tokens, keep) - b->level;

    return missing <= 0 ? 0 : (missing - 1) / b->rate + 1;
}

void bucket_take(struct bucket *b, int64_t tokens)
{
    int64_t parts = (tokens > BUCKET_MAX ? BUCKET_MAX : tokens) * b->window_us;

    b->level = b->level < LEVEL_MIN + parts ? LEVEL_MIN : b->level - parts;
}

void bucket_give(struct bucket *b, int64_t tokens)
{
    int64_t room = b->cap - b->level;

    b->level = tokens > room / b->window_us ? b->cap : b->level + tokens * b->window_us;
}

void bucket_lower(struct bucket *b, int64_t tokens)
{
    if (tokens < b->burst && b->level > tokens * b->window_us)
        b->level = tokens * b->window_us;
}

int64_t bucket_tokens(const struct bucket *b)
{
    int64_t whole = b->level / b->window_us;

    return b->level % b->window_us < 0 ? whole - 1 : whole;
}

int64_t bucket_slack(const struct bucket *b, int64_t tokens, int64_t keep, int64_t after_us)
{
    struct bucket then = *b;
    int64_t spare;

    bucket_refill(&then, b->at_us + after_us);
    spare = then.level - bucket_need(b, tokens, keep);
    return spare <= 0 ? 0 : spare / b->window_us;
}
