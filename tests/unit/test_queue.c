/* The queue's order: against a naive model under random comings and goings, and
 * rule by rule. */
#include "unit.h"

#include <stdio.h>

#include "base/rand.h"
#include "rules/queue.h"

static struct queue_entry entry(uint64_t user, uint64_t session)
{
    return (struct queue_entry){.priority = PRIORITY_MEDIUM, .user = user, .session = session, .upstreams = 1, .input = 100,
                                .max_output = 10, .want_output = 10, .expect_output = 10, .owner = (void *)(uintptr_t)user};
}

/* Whoever of a line is next by the rules, found the slow way. */
static uint32_t naive_next(const struct queue *q, uint32_t line)
{
    uint32_t best = QUEUE_NONE;

    for (uint32_t i = 0; i < q->items; i++) {
        const struct item *it = &q->item[i], *b;
        int64_t mine, theirs;

        if (it->state != ITEM_READY || q->flow[it->flow].line != line)
            continue;
        if (best == QUEUE_NONE) {
            best = i;
            continue;
        }
        b = &q->item[best];
        mine = q->share[q->flow[it->flow].share].counter;
        theirs = q->share[q->flow[b->flow].share].counter;
        /* Of one flow the older; of two flows that of the lower counter, then that with the older head. */
        if (it->flow == b->flow ? it->age < b->age : mine < theirs)
            best = i;
        else if (it->flow != b->flow && mine == theirs &&
                 q->item[q->flow[it->flow].head].age < q->item[q->flow[b->flow].head].age)
            best = i;
    }
    return best;
}

static uint32_t next_of(const struct queue *q, uint32_t line)
{
    const struct heap *h = &q->line[line].flows;

    return h->n ? q->flow[h->v[0].id].head : QUEUE_NONE;
}

static uint32_t naive_oldest(const struct queue *q, enum priority p)
{
    uint32_t best = QUEUE_NONE;

    for (uint32_t i = 0; i < q->items; i++) {
        if (q->item[i].state == ITEM_READY && q->item[i].priority == p &&
            (best == QUEUE_NONE || q->item[i].age < q->item[best].age))
            best = i;
    }
    return best;
}

/* Of each session exactly the oldest is not parked. */
static void check_sessions(const struct queue *q)
{
    for (uint32_t i = 0; i < q->items; i++) {
        const struct item *it = &q->item[i];
        bool older = false;

        if (it->state == ITEM_FREE || !it->session)
            continue;
        for (uint32_t k = 0; k < q->items; k++)
            older = older || (q->item[k].state != ITEM_FREE && q->item[k].session == it->session && q->item[k].age < it->age);
        ck_assert_int_eq(older, it->state == ITEM_PARKED);
    }
}

static uint32_t some(const struct queue *q, struct rng *r, enum item_state s)
{
    uint32_t n = q->items ? (uint32_t)rng_below(r, q->items) : 0;

    for (uint32_t i = 0; i < q->items; i++) {
        uint32_t at = (n + i) % q->items;

        if (q->item[at].state == s)
            return at;
    }
    return QUEUE_NONE;
}

static void random_step(struct queue *q, struct rng *r, int64_t *now)
{
    uint32_t i;

    switch (rng_below(r, 10)) {
    case 0:
    case 1: {
        struct queue_entry e = entry(1 + (uint64_t)rng_below(r, 5), (uint64_t)rng_below(r, 12));

        e.priority = (enum priority)rng_below(r, PRIORITY_COUNT);
        e.upstreams = 1 + (uint64_t)rng_below(r, 3);
        if (q->waiting[0] + q->waiting[1] + q->waiting[2] < 40)
            (void)queue_add(q, &e);
        break;
    }
    case 2:
    case 3:
        i = some(q, r, ITEM_READY);
        if (i != QUEUE_NONE)
            queue_start(q, i, 1 + rng_below(r, 300));
        break;
    case 4:
        i = some(q, r, ITEM_RUNNING);
        if (i != QUEUE_NONE)
            queue_remove(q, i);
        break;
    case 5:
        i = some(q, r, ITEM_RUNNING);
        if (i != QUEUE_NONE)
            queue_rest(q, i, *now + rng_below(r, 50));
        break;
    case 6:
        i = some(q, r, (enum item_state)(ITEM_READY + rng_below(r, 3)));
        if (i != QUEUE_NONE)
            queue_remove(q, i);
        break;
    case 7:
        i = some(q, r, ITEM_RUNNING);
        if (i != QUEUE_NONE)
            queue_charge(q, i, rng_below(r, 200) - 100);
        break;
    case 8:
        i = some(q, r, (enum item_state)(ITEM_READY + rng_below(r, 3)));
        if (i != QUEUE_NONE)
            queue_promote(q, i, (uint64_t)(uintptr_t)q->item[i].owner, (enum priority)rng_below(r, PRIORITY_COUNT));
        break;
    default:
        *now += rng_below(r, 30);
        queue_wake(q, *now);
        break;
    }
}

START_TEST(random_comings_and_goings_keep_the_order_of_a_naive_model)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct rng r = rng_make(seed);
        struct queue q, copy;
        int64_t now = 0;

        printf("seed %llu\n", (unsigned long long)seed);
        queue_init(&q);
        queue_init(&copy);
        for (int step = 0; step < 60000; step++) {
            random_step(&q, &r, &now);
            for (uint32_t l = 0; l < q.lines; l++)
                ck_assert_uint_eq(next_of(&q, l), naive_next(&q, l));
            for (int p = 0; p < PRIORITY_COUNT; p++)
                ck_assert_uint_eq(queue_oldest(&q, (enum priority)p), naive_oldest(&q, (enum priority)p));
            if (step % 64)
                continue;
            check_sessions(&q);
            queue_copy(&copy, &q);
            for (uint32_t l = 0; l < q.lines; l++)
                ck_assert_uint_eq(next_of(&copy, l), next_of(&q, l));
        }
        /* Empty it: nothing is left anywhere. */
        for (uint32_t i = 0; i < q.items; i++) {
            if (q.item[i].state != ITEM_FREE)
                queue_remove(&q, i);
        }
        for (int p = 0; p < PRIORITY_COUNT; p++) {
            ck_assert_uint_eq(q.waiting[p], 0);
            ck_assert_uint_eq(q.rank[p].ready, 0);
            ck_assert_uint_eq(q.rank[p].oldest.n, 0);
        }
        ck_assert_uint_eq(q.resting.n, 0);
        ck_assert_uint_eq(q.session_last.n, 0);
        ck_assert_uint_eq(q.flow_of.n, 0);
        queue_done(&q);
        queue_done(&copy);
    }
}
END_TEST

START_TEST(messages_of_one_session_go_one_after_another_also_when_one_is_cancelled)
{
    struct queue q;
    struct queue_entry e = entry(1, 9);
    uint32_t a, b, c;

    queue_init(&q);
    a = queue_add(&q, &e);
    b = queue_add(&q, &e);
    c = queue_add(&q, &e);
    ck_assert_int_eq(q.item[b].state, ITEM_PARKED);
    queue_start(&q, a, 100);
    ck_assert_int_eq(q.item[b].state, ITEM_PARKED);
    queue_remove(&q, b);
    ck_assert_int_eq(q.item[c].state, ITEM_PARKED);
    queue_rest(&q, a, 50);
    ck_assert_int_eq(q.item[c].state, ITEM_PARKED);
    queue_wake(&q, 50);
    ck_assert_uint_eq(next_of(&q, 0), a);
    queue_start(&q, a, 100);
    queue_remove(&q, a);
    ck_assert_int_eq(q.item[c].state, ITEM_READY);
    queue_done(&q);
}
END_TEST

START_TEST(a_retry_keeps_its_age)
{
    struct queue q;
    struct queue_entry e = entry(1, 0);
    uint32_t first, second;

    queue_init(&q);
    first = queue_add(&q, &e);
    second = queue_add(&q, &e);
    queue_start(&q, first, 100);
    queue_rest(&q, first, 10);
    ck_assert_uint_eq(next_of(&q, 0), second);
    queue_wake(&q, 9);
    ck_assert_uint_eq(next_of(&q, 0), second);
    queue_wake(&q, 10);
    ck_assert_uint_eq(next_of(&q, 0), first);
    queue_done(&q);
}
END_TEST

START_TEST(who_is_moved_to_another_line_keeps_its_age_there)
{
    struct queue q;
    struct queue_entry e = entry(1, 0), high = entry(1, 0);
    uint32_t old, young;

    queue_init(&q);
    high.priority = PRIORITY_HIGH;
    old = queue_add(&q, &e);
    young = queue_add(&q, &high);
    queue_promote(&q, old, 1, PRIORITY_HIGH);
    ck_assert_uint_eq(queue_oldest(&q, PRIORITY_HIGH), old);
    ck_assert_uint_eq(queue_oldest(&q, PRIORITY_MEDIUM), QUEUE_NONE);
    ck_assert_uint_eq(q.waiting[PRIORITY_HIGH], 2);
    ck_assert_uint_eq(q.waiting[PRIORITY_MEDIUM], 0);
    queue_remove(&q, old);
    ck_assert_uint_eq(queue_oldest(&q, PRIORITY_HIGH), young);
    queue_done(&q);
}
END_TEST

START_TEST(who_is_moved_to_another_line_is_promised_anew_and_counted_once)
{
    struct queue q;
    struct queue_entry a = entry(1, 0);
    uint32_t item;

    queue_init(&q);
    item = queue_add(&q, &a);
    queue_promise(&q, item, 1000);
    queue_promote(&q, item, 1, PRIORITY_HIGH);
    ck_assert_uint_eq(queue_promised(&q, PRIORITY_MEDIUM), QUEUE_NONE);
    ck_assert_uint_eq(queue_promised(&q, PRIORITY_HIGH), QUEUE_NONE);
    queue_promise(&q, item, 500);
    ck_assert_uint_eq(queue_promised(&q, PRIORITY_HIGH), item);
    queue_remove(&q, item);
    ck_assert_uint_eq(queue_promised(&q, PRIORITY_HIGH), QUEUE_NONE);
    queue_done(&q);
}
END_TEST

START_TEST(an_idle_user_saves_nothing_up)
{
    struct queue q;
    struct queue_entry busy = entry(1, 0), idle = entry(2, 0);
    uint32_t i, running;

    queue_init(&q);
    queue_remove(&q, queue_add(&q, &idle));
    running = queue_add(&q, &busy);
    queue_start(&q, running, 1000);              /* and never ends, so that counters are remembered */
    for (int n = 0; n < 20; n++) {
        i = queue_add(&q, &busy);
        queue_start(&q, i, 1000);
        queue_remove(&q, i);
    }
    /* Back after a long pause: one turn ahead at most, then turn by turn. */
    for (int n = 0; n < 3; n++) {
        (void)queue_add(&q, &busy);
        (void)queue_add(&q, &idle);
    }
    for (int n = 0; n < 6; n++) {
        i = next_of(&q, 0);
        ck_assert_int_eq(q.item[i].flow != q.item[running].flow, n % 2 == 0);
        queue_start(&q, i, 1000);
        queue_remove(&q, i);
    }
    queue_done(&q);
}
END_TEST

START_TEST(what_was_really_used_decides_who_is_next)
{
    struct queue q;
    struct queue_entry one = entry(1, 0), two = entry(2, 0);
    uint32_t a, b;

    queue_init(&q);
    a = queue_add(&q, &one);
    b = queue_add(&q, &two);
    queue_start(&q, a, 100);
    queue_start(&q, b, 100);
    (void)queue_add(&q, &one);
    b = queue_add(&q, &two);
    queue_charge(&q, a, 500);                    /* the first one's answer was longer than expected */
    ck_assert_uint_eq(next_of(&q, 0), b);
    queue_done(&q);
}
END_TEST

START_TEST(users_that_come_and_go_leave_no_memory_behind)
{
    struct queue q;

    queue_init(&q);
    for (uint64_t u = 1; u <= 20000; u++) {
        struct queue_entry e = entry(u, u);
        uint32_t i = queue_add(&q, &e);

        queue_start(&q, i, 10);
        if (u != 1)                               /* one call never ends */
            queue_remove(&q, i);
    }
    ck_assert_uint_le(q.items, 3);
    ck_assert_uint_le(q.flows, 3);
    ck_assert_uint_le(q.shares, 10000);
    queue_done(&q);
}
END_TEST

UNIT_MAIN("queue", random_comings_and_goings_keep_the_order_of_a_naive_model,
          messages_of_one_session_go_one_after_another_also_when_one_is_cancelled, a_retry_keeps_its_age,
          who_is_moved_to_another_line_keeps_its_age_there, who_is_moved_to_another_line_is_promised_anew_and_counted_once,
          an_idle_user_saves_nothing_up, what_was_really_used_decides_who_is_next,
          users_that_come_and_go_leave_no_memory_behind)
