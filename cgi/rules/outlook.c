/* outlook.c - a ring of minutes, a week of what is usual, a day of predictions judged. */
#include "rules/outlook.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REQUESTS, TOKENS, FIRST_TOKENS };
/* Nobody foresees more exactly than this; and what is foreseen worse than that is not foreseen. */
#define MARGIN_LEAST 0.1
#define MARGIN_MOST 0.5
#define MILLION 1e6

static void add(struct outlook_amount *to, const struct outlook_amount *a, double times)
{
    to->requests += a->requests * times;
    to->input += a->input * times;
    to->output += a->output * times;
}

static const struct outlook_amount *usual_of(const struct outlook *o, enum outlook_class class, int64_t minute)
{
    return &o->usual[minute / OUTLOOK_QUARTER % OUTLOOK_WEEK][class];
}

static struct outlook_amount *ring_at(struct outlook *o, int64_t minute)
{
    return o->ring[minute % OUTLOOK_MINUTES];
}

void outlook_init(struct outlook *o, int64_t minute)
{
    memset(o, 0, sizeof *o);
    o->minute = o->since = minute < 0 ? 0 : minute;
}

void outlook_usual_add(struct outlook_usual *to, const struct outlook_usual *u)
{
    if (u->first >= u->end)
        return;
    if (to->first >= to->end || u->first < to->first)
        to->first = u->first;
    if (u->end > to->end)
        to->end = u->end;
    for (int slot = 0; slot < OUTLOOK_WEEK; slot++) {
        for (int c = 0; c < OUTLOOK_CLASSES; c++)
            add(&to->sum[slot][c], &u->sum[slot][c], 1);
    }
}

void outlook_past_done(struct outlook_past *p)
{
    for (size_t i = 0; i < p->upstreams; i++)
        free(p->upstream[i].name);
    free(p->upstream);
    free(p->minute);
    memset(p, 0, sizeof *p);
}

/* How often a quarter of the week lies in [first, end). */
static int64_t times_seen(const struct outlook_usual *u, int slot)
{
    int64_t at = u->first + ((slot - u->first) % OUTLOOK_WEEK + OUTLOOK_WEEK) % OUTLOOK_WEEK;

    return at >= u->end ? 0 : (u->end - 1 - at) / OUTLOOK_WEEK + 1;
}

void outlook_learn(struct outlook *o, const struct outlook_usual *u)
{
    memset(o->usual, 0, sizeof o->usual);
    for (int slot = 0; slot < OUTLOOK_WEEK; slot++) {
        int64_t n = times_seen(u, slot);

        for (int c = 0; n > 0 && c < OUTLOOK_CLASSES; c++)
            add(&o->usual[slot][c], &u->sum[slot][c], 1.0 / OUTLOOK_QUARTER / (double)(n == 1 ? 2 : n));
    }
    o->stale = true;
}

/* The level is what the last minutes had above the usual; over few minutes their weights are made to sum to one. */
static void refresh(struct outlook *o)
{
    int64_t first = o->minute - OUTLOOK_MINUTES + 1;
    double weight = 1, all = 0;

    if (!o->stale)
        return;
    o->stale = false;
    memset(o->level, 0, sizeof o->level);
    if (first < o->since)
        first = o->since;
    for (int64_t m = o->minute - 1; m >= first; m--, weight *= 1 - OUTLOOK_ALPHA) {
        for (int c = 0; c < OUTLOOK_CLASSES; c++) {
            add(&o->level[c], &ring_at(o, m)[c], weight);
            add(&o->level[c], usual_of(o, (enum outlook_class)c, m), -weight);
        }
        all += weight;
    }
    for (int c = 0; all > 0 && c < OUTLOOK_CLASSES; c++)
        o->level[c] = (struct outlook_amount){o->level[c].requests / all, o->level[c].input / all, o->level[c].output / all};
}

bool outlook_known(const struct outlook *o)
{
    return o->minute - o->since >= OUTLOOK_LEAST;
}

struct outlook_amount outlook_expect(struct outlook *o, enum outlook_class class, int64_t minute)
{
    struct outlook_amount a;

    refresh(o);
    a = o->level[class];
    add(&a, usual_of(o, class, minute), 1);
    return (struct outlook_amount){fmax(0, a.requests), fmax(0, a.input), fmax(0, a.output)};
}

struct outlook_amount outlook_sum(struct outlook *o, enum outlook_class class, int minutes)
{
    struct outlook_amount sum = {0, 0, 0};

    for (int i = 1; i <= minutes; i++) {
        struct outlook_amount a = outlook_expect(o, class, o->minute + i);

        add(&sum, &a, 1);
    }
    return sum;
}

/* --- judged --- */

/* A quarter begins: what was foretold of the one before is judged, and this one foretold. */
static void turn(struct outlook *o)
{
    if (o->open) {
        o->judged[o->next] = o->now;
        o->next = (o->next + 1) % OUTLOOK_JUDGED;
        o->n += o->n < OUTLOOK_JUDGED;
    }
    o->now = (struct outlook_judged){{0, 0, 0}, {0, 0, 0}};
    o->open = outlook_known(o);
    for (int i = 0; o->open && i < OUTLOOK_QUARTER; i++) {
        for (int c = 0; c < OUTLOOK_CLASSES; c++) {
            struct outlook_amount a = outlook_expect(o, (enum outlook_class)c, o->minute + i);

            o->now.expected[REQUESTS] += a.requests;
            o->now.expected[TOKENS] += a.input + a.output;
            o->now.expected[FIRST_TOKENS] += c == OUTLOOK_FIRST ? a.input + a.output : 0;
        }
    }
}

static int64_t error_of(const struct outlook *o, int what)
{
    double off = 0, came = 0;

    for (uint32_t i = 0; i < o->n; i++) {
        off += fabs(o->judged[i].expected[what] - o->judged[i].came[what]);
        came += o->judged[i].came[what];
    }
    return came > 0 ? llround(fmin(off / came, MILLION) * MILLION) : -1;
}

void outlook_plan(struct outlook *o, int64_t from_us, struct outlook_plan *out)
{
    double error = (double)error_of(o, FIRST_TOKENS) / MILLION;

    *out = (struct outlook_plan){.from_us = from_us, .known = outlook_known(o), .margin = fmin(fmax(error, MARGIN_LEAST), MARGIN_MOST)};
    for (int q = 0; q < OUTLOOK_AHEAD; q++) {
        for (int c = 0; c < OUTLOOK_CLASSES; c++)
            out->quarter[q][c] = outlook_expect(o, (enum outlook_class)c, o->minute + (int64_t)q * OUTLOOK_QUARTER);
    }
}

void outlook_error(const struct outlook *o, int64_t *requests_ppm, int64_t *tokens_ppm)
{
    *requests_ppm = error_of(o, REQUESTS);
    *tokens_ppm = error_of(o, TOKENS);
}

/* --- time and asks --- */

/* Only what is usual outlives a gap in which nothing was seen. */
static void begin_anew(struct outlook *o, int64_t minute)
{
    memset(o->ring, 0, sizeof o->ring);
    o->minute = o->since = minute;
    o->open = false;
    o->stale = true;
}

void outlook_tick(struct outlook *o, int64_t minute)
{
    if (minute < 0)
        return;
    if (minute > o->minute + OUTLOOK_MINUTES || minute < o->minute - OUTLOOK_MINUTES)
        begin_anew(o, minute);
    while (o->minute < minute) {
        o->minute++;
        memset(ring_at(o, o->minute), 0, sizeof *o->ring);
        o->stale = true;
        if (o->minute % OUTLOOK_QUARTER == 0)
            turn(o);
    }
}

void outlook_note(struct outlook *o, enum outlook_class class, const struct outlook_amount *a)
{
    add(&ring_at(o, o->minute)[class], a, 1);
    o->now.came[REQUESTS] += a->requests;
    o->now.came[TOKENS] += a->input + a->output;
    o->now.came[FIRST_TOKENS] += class == OUTLOOK_FIRST ? a->input + a->output : 0;
}

void outlook_recall(struct outlook *o, int64_t since, const struct outlook_minute *m, size_t n)
{
    struct outlook seen = *o;
    int64_t own = seen.since > seen.minute - OUTLOOK_MINUTES ? seen.since : seen.minute - OUTLOOK_MINUTES + 1;

    if (since >= own)
        return;
    begin_anew(o, since);
    o->n = o->next = 0;
    for (size_t i = 0; i < n && m[i].minute < own; i++) {
        if (m[i].minute < o->minute)
            continue;
        while (o->minute < m[i].minute)
            outlook_tick(o, o->minute + 1);
        outlook_note(o, m[i].class, &m[i].came);
    }
    while (o->minute < own)
        outlook_tick(o, o->minute + 1);
    for (int64_t at = own; at <= seen.minute; at++) {
        outlook_tick(o, at);
        for (int c = 0; c < OUTLOOK_CLASSES; c++)
            outlook_note(o, (enum outlook_class)c, &ring_at(&seen, at)[c]);
    }
}
