/* The outlook against a slow exact model: every ask remembered with its minute,
 * and everything computed anew from all of them. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "rules/outlook.h"

enum { START = 1000 * OUTLOOK_WEEK * OUTLOOK_QUARTER, NOTES_MAX = 400000 };

struct note {
    int64_t minute;
    enum outlook_class class;
    struct outlook_amount a;
};

struct model {
    struct note *note;
    size_t n;
    int64_t since;
    double *off, *came;              /* of each quarter judged, tokens */
    size_t judged;
    double expected;                 /* tokens of the quarter that runs; < 0: not predicted */
};

/* A weekday: little by night, much by day. */
static double usual_tokens(int64_t quarter)
{
    int64_t of_day = quarter % 96;

    return of_day > 32 && of_day < 72 ? 9000 : 600;
}

static struct outlook_usual *usual(int weeks)
{
    struct outlook_usual *u = mem_zalloc(1, sizeof *u);

    u->end = START / OUTLOOK_QUARTER - 96;
    u->first = u->end - (int64_t)weeks * OUTLOOK_WEEK;
    for (int64_t q = u->first; q < u->end; q++) {
        u->sum[q % OUTLOOK_WEEK][OUTLOOK_FIRST].requests += usual_tokens(q) / 300;
        u->sum[q % OUTLOOK_WEEK][OUTLOOK_FIRST].input += usual_tokens(q);
    }
    return u;
}

/* Input or output asked for in a minute. */
static double model_minute(const struct model *m, enum outlook_class class, bool output, int64_t minute)
{
    double sum = 0;

    for (size_t i = m->n; i-- > 0 && m->note[i].minute >= minute;) {
        if (m->note[i].minute == minute && m->note[i].class == class)
            sum += output ? m->note[i].a.output : m->note[i].a.input;
    }
    return sum;
}

static double model_usual(enum outlook_class class, bool output, int64_t minute, double weight)
{
    return class == OUTLOOK_FIRST && !output ? usual_tokens(minute / OUTLOOK_QUARTER) / OUTLOOK_QUARTER * weight : 0;
}

static double model_level(const struct model *m, enum outlook_class class, bool output, int64_t now, double weight)
{
    double level = 0, all = 0;

    for (int64_t at = now - 1; at >= m->since && at > now - OUTLOOK_MINUTES; at--) {
        double w = pow(0.9, (double)(now - 1 - at));

        level += w * (model_minute(m, class, output, at) - model_usual(class, output, at, weight));
        all += w;
    }
    return all > 0 ? level / all : 0;
}

static double model_expect(const struct model *m, enum outlook_class class, int64_t now, int64_t minute, double weight)
{
    double sum = 0;

    for (int output = 0; output < 2; output++)
        sum += fmax(0, model_level(m, class, output, now, weight) + model_usual(class, output, minute, weight));
    return sum;
}

static double model_tokens(const struct model *m, int64_t minute)
{
    double sum = 0;

    for (int i = 0; i < 4; i++)
        sum += model_minute(m, (enum outlook_class)(i / 2), i % 2, minute);
    return sum;
}

static void model_turn(struct model *m, int64_t now, double weight)
{
    if (m->expected >= 0) {
        double came = 0;

        for (int64_t at = now - OUTLOOK_QUARTER; at < now; at++)
            came += model_tokens(m, at);
        m->off[m->judged] = fabs(came - m->expected);
        m->came[m->judged++] = came;
    }
    m->expected = now - m->since >= OUTLOOK_LEAST ? 0 : -1;
    for (int i = 0; m->expected >= 0 && i < OUTLOOK_QUARTER; i++) {
        for (int c = 0; c < OUTLOOK_CLASSES; c++)
            m->expected += model_expect(m, (enum outlook_class)c, now, now + i, weight);
    }
}

static void same(double a, double b, const char *what)
{
    ck_assert_msg(fabs(a - b) <= 1e-6 * fmax(1, fabs(b)), "%s: %f, should be %f", what, a, b);
}

static void check_error(const struct outlook *o, const struct model *m)
{
    double off = 0, came = 0;
    int64_t requests, tokens;

    for (size_t i = m->judged > OUTLOOK_JUDGED ? m->judged - OUTLOOK_JUDGED : 0; i < m->judged; i++) {
        off += m->off[i];
        came += m->came[i];
    }
    outlook_error(o, &requests, &tokens);
    if (came > 0)
        ck_assert_int_le(llabs(tokens - llround(off / came * 1e6)), 1);
    else
        ck_assert_int_eq(tokens, -1);
}

static void random_walk(int weeks, uint64_t seed)
{
    static const double weights[] = {0, 0.5, 1, 1};
    struct rng rng = rng_make(seed);
    struct model m = {.since = START, .expected = -1};
    struct outlook *o = mem_zalloc(1, sizeof *o);
    struct outlook_usual *u = usual(weeks);
    double weight = weights[weeks];
    int64_t minute = START;

    printf("weeks %d, seed %llu\n", weeks, (unsigned long long)seed);
    m.note = mem_zalloc(NOTES_MAX, sizeof *m.note);
    m.off = mem_zalloc(1000, sizeof *m.off);
    m.came = mem_zalloc(1000, sizeof *m.came);
    outlook_init(o, minute);
    outlook_learn(o, u);
    while (minute < START + 3000) {
        int64_t step = rng_below(&rng, 20) ? 1 : 1 + rng_below(&rng, OUTLOOK_MINUTES);

        for (int64_t i = rng_below(&rng, 12); i > 0; i--) {
            enum outlook_class c = rng_below(&rng, 3) ? OUTLOOK_FIRST : OUTLOOK_LOW;
            struct outlook_amount a = {1, (double)rng_below(&rng, 900), (double)rng_below(&rng, 300) / 3};

            m.note[m.n++] = (struct note){minute, c, a};
            outlook_note(o, c, &a);
        }
        for (int64_t i = 0; i < step; i++) {
            if (++minute % OUTLOOK_QUARTER == 0)
                model_turn(&m, minute, weight);
        }
        outlook_tick(o, minute - (rng_below(&rng, 8) == 0));      /* a clock that lags changes nothing */
        outlook_tick(o, minute);
        ck_assert_int_eq(outlook_known(o), minute - START >= OUTLOOK_LEAST);
        for (int c = 0; c < OUTLOOK_CLASSES; c++) {
            int64_t at = minute + rng_below(&rng, 60);
            struct outlook_amount a = outlook_expect(o, (enum outlook_class)c, at);

            same(a.input + a.output, model_expect(&m, (enum outlook_class)c, minute, at, weight), "expected");
        }
        check_error(o, &m);
    }
    ck_assert_uint_gt(m.judged, OUTLOOK_JUDGED);
    free(m.note);
    free(m.off);
    free(m.came);
    free(u);
    free(o);
}

START_TEST(it_says_what_a_slow_exact_model_says)
{
    for (int weeks = 0; weeks <= 3; weeks++)
        random_walk(weeks, 71 + (uint64_t)weeks);
}
END_TEST

static const struct outlook_amount one = {1, 80, 20};

START_TEST(what_is_the_same_every_week_is_foreseen_and_what_is_new_is_learned_from_the_last_minutes)
{
    struct outlook o;
    struct outlook_usual *u = usual(2);
    int64_t minute = START;                       /* midnight; the day begins at quarter 33 */
    int64_t requests, tokens;

    outlook_init(&o, minute);
    outlook_learn(&o, u);
    for (; minute < START + 33 * OUTLOOK_QUARTER; minute++) {
        struct outlook_amount a = {usual_tokens(minute / OUTLOOK_QUARTER) / 300 / 15, usual_tokens(minute / OUTLOOK_QUARTER) / 15, 0};

        outlook_tick(&o, minute);
        outlook_note(&o, OUTLOOK_FIRST, &a);
    }
    /* One minute before the morning: nothing has come of it yet, and it is expected. */
    ck_assert(fabs(outlook_sum(&o, OUTLOOK_FIRST, OUTLOOK_QUARTER).input - 9000) < 1);
    outlook_error(&o, &requests, &tokens);
    ck_assert_int_eq(tokens, 0);
    /* It is a holiday: half an hour later hardly anything is expected any more, and the error has grown. */
    for (int i = 0; i < 2 * OUTLOOK_QUARTER; i++)
        outlook_tick(&o, minute++);
    ck_assert(outlook_sum(&o, OUTLOOK_FIRST, OUTLOOK_QUARTER).input < 9000 * 0.1);
    outlook_error(&o, &requests, &tokens);
    ck_assert_int_gt(tokens, 100000);
    free(u);
}
END_TEST

START_TEST(a_restart_knows_from_the_records_what_it_knew_before)
{
    struct outlook *before = mem_zalloc(1, sizeof *before), *after = mem_zalloc(1, sizeof *after);
    struct outlook_minute *m = mem_zalloc(3000, sizeof *m);
    struct outlook_usual *u = usual(2);
    struct rng rng = rng_make(9);
    int64_t minute = START, r1, t1, r2, t2;
    size_t n = 0;

    outlook_init(before, minute);
    outlook_learn(before, u);
    for (; minute < START + 1000; minute++) {
        struct outlook_amount a = {(double)rng_below(&rng, 9), (double)rng_below(&rng, 900), (double)rng_below(&rng, 99)};
        enum outlook_class c = rng_below(&rng, 2) ? OUTLOOK_LOW : OUTLOOK_FIRST;

        outlook_tick(before, minute);
        if (minute == START + 990) {              /* the new process begins */
            outlook_init(after, minute);
            outlook_learn(after, u);
        }
        outlook_tick(after, minute);
        outlook_note(before, c, &a);
        if (minute >= START + 990)
            outlook_note(after, c, &a);           /* the records have these too */
        m[n++] = (struct outlook_minute){.minute = minute, .class = c, .came = a};
    }
    ck_assert(!outlook_known(after));
    outlook_recall(after, START, m, n);
    for (int c = 0; c < OUTLOOK_CLASSES; c++)
        same(outlook_sum(after, (enum outlook_class)c, 15).input, outlook_sum(before, (enum outlook_class)c, 15).input, "expected");
    outlook_error(before, &r1, &t1);
    outlook_error(after, &r2, &t2);
    ck_assert_int_gt(t1, 0);
    ck_assert_int_eq(r1, r2);
    ck_assert_int_eq(t1, t2);
    free(before);
    free(after);
    free(m);
    free(u);
}
END_TEST

START_TEST(nothing_is_predicted_before_a_quarter_of_an_hour_was_seen)
{
    struct outlook o;
    int64_t requests, tokens;

    outlook_init(&o, START + 3);
    for (int i = 0; i < OUTLOOK_LEAST; i++) {
        outlook_tick(&o, START + 3 + i);
        outlook_note(&o, OUTLOOK_LOW, &one);
        ck_assert(!outlook_known(&o));
    }
    outlook_tick(&o, START + 3 + OUTLOOK_LEAST);
    ck_assert(outlook_known(&o));
    ck_assert(fabs(outlook_sum(&o, OUTLOOK_LOW, 15).requests - 15) < 1e-9);
    outlook_error(&o, &requests, &tokens);
    ck_assert_int_eq(requests, -1);
    ck_assert_int_eq(tokens, -1);
}
END_TEST

START_TEST(a_clock_that_jumps_far_begins_anew)
{
    struct outlook o;

    outlook_init(&o, START);
    for (int i = 0; i < 60; i++) {
        outlook_tick(&o, START + i);
        outlook_note(&o, OUTLOOK_FIRST, &one);
    }
    ck_assert(outlook_known(&o));
    outlook_tick(&o, START + 10);                 /* a little back: it waits until time has caught up */
    ck_assert_int_eq(o.minute, START + 59);
    outlook_tick(&o, START - 100000);
    ck_assert(!outlook_known(&o));
    ck_assert(outlook_sum(&o, OUTLOOK_FIRST, 15).requests == 0);
    outlook_tick(&o, START + 100000);
    ck_assert(!outlook_known(&o));
    ck_assert_int_eq(o.minute, START + 100000);
}
END_TEST

UNIT_MAIN("outlook", it_says_what_a_slow_exact_model_says,
          what_is_the_same_every_week_is_foreseen_and_what_is_new_is_learned_from_the_last_minutes,
          a_restart_knows_from_the_records_what_it_knew_before, nothing_is_predicted_before_a_quarter_of_an_hour_was_seen,
          a_clock_that_jumps_far_begins_anew)
