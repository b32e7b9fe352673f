/* Tokens of sessions against a slow exact model that remembers every call and
 * adds all of them up whenever it is asked. */
#include "unit.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/rand.h"
#include "rules/session_tokens.h"

enum { SESSIONS = 20, CALLS_MAX = 200000 };
#define START INT64_C(1800000000000)

struct call {
    int session;
    int64_t held, tokens, ended_ms;  /* ended_ms 0: under way */
    bool gone;                       /* it ended without taking any */
};

struct world {
    struct session_book book;
    struct session_limit limit;
    struct call *call;
    size_t calls, oldest;            /* before `oldest` all have ended */
    int64_t now_ms;
    int64_t refused, begun;
};

/* All the calls of a session, in the order of their ends: since the model's ends are, that of their numbers by end. */
static struct session_tokens exact(const struct world *w, int session, const size_t *order, size_t n)
{
    struct session_tokens t = {0, 0};

    for (size_t i = 0; i < n; i++) {
        const struct call *c = &w->call[order[i]];

        if (c->session != session)
            continue;
        if (t.until_ms && c->ended_ms >= t.until_ms)
            t = (struct session_tokens){0, 0};
        t.used += c->tokens;
        if (t.used >= w->limit.max && t.until_ms == 0)
            t.until_ms = c->ended_ms + w->limit.cooldown_ms;
    }
    if (t.until_ms && w->now_ms >= t.until_ms)
        t = (struct session_tokens){0, 0};
    return t;
}

static int64_t held_of(const struct world *w, int session)
{
    int64_t sum = 0;

    for (size_t i = w->oldest; i < w->calls; i++)
        sum += w->call[i].session == session && !w->call[i].ended_ms && !w->call[i].gone ? w->call[i].held : 0;
    return sum;
}

START_TEST(it_says_what_a_slow_exact_model_says_whatever_it_has_forgotten)
{
    static size_t order[CALLS_MAX];
    struct world w = {.limit = {.max = 1000, .cooldown_ms = 60000}, .now_ms = START};
    struct rng rng = rng_make(81);
    size_t ended = 0;
    uint32_t most = 0;

    w.call = mem_zalloc(CALLS_MAX, sizeof *w.call);
    for (int step = 0; step < 6000; step++) {
        int session = (int)rng_below(&rng, SESSIONS);
        struct session_tokens known = exact(&w, session, order, ended), now;
        int64_t held = held_of(&w, session), wait_ms, due = known.until_ms ? known.until_ms - w.now_ms : w.limit.cooldown_ms;
        bool may = session_book_may(&w.book, &w.limit, 1 + (uint64_t)session, &known, w.now_ms, &now, &wait_ms);

        ck_assert_int_eq(now.used, known.used);
        ck_assert_int_eq(now.until_ms, known.until_ms);
        ck_assert_int_eq(may, !known.until_ms && known.used + held < w.limit.max);
        ck_assert_int_eq(wait_ms, may ? -1 : due);
        w.refused += !may;
        w.begun += may;
        if (may) {
            struct call *c = &w.call[w.calls++];

            *c = (struct call){.session = session, .held = 1 + rng_below(&rng, 300)};
            session_book_hold(&w.book, &w.limit, 1 + (uint64_t)session, &known, c->held, w.now_ms);
        }
        for (size_t i = w.oldest; i < w.calls; i++) {
            struct call *c = &w.call[i];

            if (c->ended_ms || c->gone || rng_below(&rng, 3))
                continue;
            if (rng_below(&rng, 10) == 0) {
                c->gone = true;
                session_book_release(&w.book, 1 + (uint64_t)c->session, c->held);
                continue;
            }
            c->tokens = rng_below(&rng, 500);
            c->ended_ms = w.now_ms;
            order[ended++] = i;
            session_book_settle(&w.book, &w.limit, 1 + (uint64_t)c->session, c->held, c->tokens, c->ended_ms);
        }
        while (w.oldest < w.calls && (w.call[w.oldest].ended_ms || w.call[w.oldest].gone))
            w.oldest++;
        w.now_ms += rng_below(&rng, 400) ? rng_below(&rng, 6000) : rng_below(&rng, 4 * SESSION_KEPT_MS);
        most = w.book.count > most ? w.book.count : most;
    }
    printf("%lld begun, %lld refused, at most %u sessions kept\n", (long long)w.begun, (long long)w.refused, most);
    ck_assert_int_gt(w.refused, 500);
    ck_assert_int_gt(w.begun, 500);
    session_book_done(&w.book);
    free(w.call);
}
END_TEST

static const struct session_limit limit = {.max = 100, .cooldown_ms = 1000};

START_TEST(the_call_that_reaches_the_maximum_begins_the_cooling_at_its_end_and_then_the_count_starts_anew)
{
    struct session_tokens t = {0, 0};

    session_tokens_add(&t, &limit, 99, START);
    ck_assert_int_eq(t.until_ms, 0);
    session_tokens_add(&t, &limit, 50, START + 10);
    ck_assert_int_eq(t.used, 149);
    ck_assert_int_eq(t.until_ms, START + 1010);
    session_tokens_add(&t, &limit, 7, START + 20);       /* it was under way: no longer cooling for that */
    ck_assert_int_eq(t.until_ms, START + 1010);
    session_tokens_tick(&t, &limit, START + 1009);
    ck_assert_int_eq(t.used, 156);
    session_tokens_tick(&t, &limit, START + 1010);
    ck_assert_int_eq(t.used, 0);
    ck_assert_int_eq(t.until_ms, 0);
}
END_TEST

START_TEST(a_clock_that_was_set_back_makes_no_cooling_longer_than_it_is)
{
    struct session_tokens t = {0, 0};

    session_tokens_add(&t, &limit, 100, START);
    session_tokens_tick(&t, &limit, START - 3600000);
    ck_assert_int_eq(t.until_ms, START - 3600000 + 1000);
}
END_TEST

START_TEST(sessions_that_went_quiet_are_forgotten_and_those_with_calls_under_way_are_not)
{
    struct session_book b = {0};
    const struct session_tokens none = {0, 0};
    int64_t now = START, wait_ms;
    struct session_tokens has;

    session_book_hold(&b, &limit, 1, &none, 60, now);
    for (uint64_t s = 2; s < 5000; s++) {
        session_book_hold(&b, &limit, s, &none, 10, now);
        session_book_settle(&b, &limit, s, 10, 10, now);
        now += 1000;
    }
    ck_assert_uint_lt(b.count, 2 * SESSION_KEPT_MS / 1000);
    ck_assert(session_book_may(&b, &limit, 1, &none, now, &has, &wait_ms));
    session_book_hold(&b, &limit, 1, &none, 60, now);
    ck_assert(!session_book_may(&b, &limit, 1, &none, now, &has, &wait_ms));
    session_book_done(&b);
}
END_TEST

UNIT_MAIN("session_tokens", it_says_what_a_slow_exact_model_says_whatever_it_has_forgotten,
          the_call_that_reaches_the_maximum_begins_the_cooling_at_its_end_and_then_the_count_starts_anew,
          a_clock_that_was_set_back_makes_no_cooling_longer_than_it_is,
          sessions_that_went_quiet_are_forgotten_and_those_with_calls_under_way_are_not)
