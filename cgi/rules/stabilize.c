/* stabilize.c - halve, then climb. */
#include "rules/stabilize.h"

static int64_t stabilize_step_us(const struct stabilize *s)
{
    int64_t step = (s->until_us - s->since_us) / STABILIZE_STEPS;

    return step > 0 ? step : 1;
}

bool stabilize_hit(struct stabilize *s, bool early, int64_t began_us, int64_t period_us, int64_t now_us)
{
    int32_t rate = stabilize_rate_ppm(s, now_us) / 2;
    int32_t burst = stabilize_burst_ppm(s, now_us) / 2;

    if (s->until_us && began_us <= s->since_us)
        return false;
    s->from_ppm = rate < STABILIZE_LEAST_PPM ? STABILIZE_LEAST_PPM : rate;
    s->burst_ppm = early || burst < STABILIZE_BURST_LEAST_PPM ? STABILIZE_BURST_PACED_PPM : burst;
    s->since_us = now_us;
    s->until_us = now_us + period_us;
    s->calm_us = now_us + STABILIZE_DAY_US;
    return true;
}

int32_t stabilize_burst_ppm(const struct stabilize *s, int64_t now_us)
{
    return now_us < s->calm_us && s->burst_ppm ? s->burst_ppm : STABILIZE_FULL_PPM;
}

int32_t stabilize_most_ppm(const struct stabilize *s, int64_t now_us)
{
    return stabilize_burst_ppm(s, now_us) > STABILIZE_BURST_PACED_PPM ? STABILIZE_FULL_PPM : STABILIZE_PACED_PPM;
}

int32_t stabilize_rate_ppm(const struct stabilize *s, int64_t now_us)
{
    int32_t most = stabilize_most_ppm(s, now_us);
    int64_t steps, rate;

    if (now_us >= s->until_us)
        return most;
    if (now_us <= s->since_us)
        return s->from_ppm;
    steps = (now_us - s->since_us) / stabilize_step_us(s);
    rate = s->from_ppm + (STABILIZE_FULL_PPM - s->from_ppm) * steps / STABILIZE_STEPS;
    return rate < most ? (int32_t)rate : most;
}

int64_t stabilize_next_us(const struct stabilize *s, int64_t now_us)
{
    int64_t step, next;

    if (now_us >= s->until_us)
        return now_us < s->calm_us ? s->calm_us : INT64_MAX;
    step = stabilize_step_us(s);
    next = now_us < s->since_us ? s->since_us + step : s->since_us + ((now_us - s->since_us) / step + 1) * step;
    return next < s->until_us ? next : s->until_us;
}
