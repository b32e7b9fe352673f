/* admit_outlook.c - what is expected of each group of upstreams: the outlook is
 * told of every ask and of the time, and the limits of what is expected. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/admit_state.h"

#define MINUTE_US (INT64_C(60) * 1000000)
#define QUARTER_US (OUTLOOK_QUARTER * MINUTE_US)

/* Limits that spread Low go by this from now on. */
static void plan(struct admit *a, uint32_t group, int64_t now_us)
{
    int64_t utc_us = now_us + a->calendar_us;
    struct outlook_plan p;

    if (!a->pick.limits[group].spread.on)
        return;
    outlook_plan(&a->outlook[group], now_us - utc_us % QUARTER_US, &p);
    limits_tick(&a->pick.limits[group], now_us);
    limits_expect(&a->pick.limits[group], &p);
}

void admit_outlook_turn(struct admit *a, int64_t now_us)
{
    int64_t utc_us = now_us + a->calendar_us;

    if (now_us < a->minute_us)
        return;
    a->minute_us = now_us + MINUTE_US - utc_us % MINUTE_US;
    for (uint32_t g = 0; g < a->pick.groups; g++) {
        outlook_tick(&a->outlook[g], utc_us / MINUTE_US);
        plan(a, g, now_us);
    }
}

void admit_outlook_init(struct admit *a, int64_t now_us)
{
    a->outlook = mem_zalloc(ADMIT_UPSTREAMS_MAX, sizeof *a->outlook);
    a->minute_us = now_us;
}

void admit_outlook_begin(struct admit *a, uint32_t group, int64_t now_us)
{
    outlook_init(&a->outlook[group], (now_us + a->calendar_us) / MINUTE_US);
}

void admit_calendar(struct admit *a, int64_t now_us, int64_t utc_ms)
{
    int64_t calendar_us = utc_ms * 1000 - now_us;

    /* The two are read one after the other and cut differently: only what is more than that is a change. */
    if (utc_ms < 0 || llabs(calendar_us - a->calendar_us) < MINUTE_US / 60)
        return;
    a->calendar_us = calendar_us;
    a->minute_us = now_us;
    admit_outlook_turn(a, now_us);
}

/* An ask that several groups may serve counts in equal parts in each. */
void admit_outlook_note(struct admit *a, uint32_t item, int64_t now_us)
{
    const struct item *it = &a->pick.queue.item[item];
    uint64_t where = pick_where(&a->pick, it, now_us).upstreams;
    double part = 0;

    admit_outlook_turn(a, now_us);
    for (uint32_t g = 0; g < a->pick.groups; g++)
        part += (where & a->pick.group_mask[g]) != 0;
    for (uint32_t g = 0; g < a->pick.groups; g++) {
        const struct outlook_amount n = {1 / part, (double)it->input / part, (double)it->expect_output / part};

        if (where & a->pick.group_mask[g])
            outlook_note(&a->outlook[g], outlook_class_of(it->priority), &n);
    }
}

/* --- from the records --- */

static bool is_of(const struct admit *a, uint32_t group, const char *upstream)
{
    for (uint64_t left = a->pick.group_mask[group]; left; left &= left - 1) {
        if (strcmp(a->upstream[__builtin_ctzll(left)].name, upstream) == 0)
            return true;
    }
    return false;
}

/* The past of a group is that of its upstreams together. */
static void recall(struct admit *a, uint32_t group, const struct outlook_past *past)
{
    struct outlook_usual *usual = mem_zalloc(1, sizeof *usual);
    struct outlook_minute *m = mem_zalloc(past->minutes + 1, sizeof *m);
    size_t n = 0;

    for (size_t i = 0; i < past->upstreams; i++) {
        if (is_of(a, group, past->upstream[i].name))
            outlook_usual_add(usual, &past->upstream[i].usual);
    }
    for (size_t i = 0; i < past->minutes; i++) {
        if (is_of(a, group, past->upstream[past->minute[i].upstream].name))
            m[n++] = past->minute[i];
    }
    outlook_learn(&a->outlook[group], usual);
    if (past->minute)
        outlook_recall(&a->outlook[group], past->since, m, n);
    free(usual);
    free(m);
}

void admit_recall(struct admit *a, const struct outlook_past *past, int64_t now_us)
{
    admit_outlook_turn(a, now_us);
    for (uint32_t g = 0; g < a->pick.groups; g++) {
        recall(a, g, past);
        plan(a, g, now_us);
    }
    admit_changed(a);
}

/* --- shown --- */

void admit_outlook_view(struct admit *a, uint32_t group, struct admit_outlook *out)
{
    const struct limits_spread *s = &a->pick.limits[group].spread;
    struct outlook *o = &a->outlook[group];
    struct outlook_amount low = outlook_sum(o, OUTLOOK_LOW, OUTLOOK_QUARTER), first = outlook_sum(o, OUTLOOK_FIRST, OUTLOOK_QUARTER);

    *out = (struct admit_outlook){
        .known = outlook_known(o), .spread_low = s->on, .low_held = s->holds,
        .low_requests = llround(low.requests), .requests = llround(low.requests + first.requests),
        .low_tokens = llround(low.input + low.output),
        .tokens = llround(low.input + low.output + first.input + first.output),
    };
    outlook_error(o, &out->requests_error_ppm, &out->tokens_error_ppm);
}
