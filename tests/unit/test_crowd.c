/* test_crowd.c - sixty-four threads on the real engine: what must always be true of limits and budgets is so at every
 * moment, and every grant ends exactly once, whatever its client, its provider and the shutdown do. */
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/json.h"
#include "fixture_budget.h"
#include "unit.h"

enum { THREADS = 64, EACH = 12, JOBS = THREADS * EACH, ANSWER = 20 };

/* What one client does with its request. */
enum deed { ANSWERED, STREAMED, LEAVES_IN_MID_ANSWER, LEAVES_AT_ONCE, REFUSED, TRIED_AGAIN, CANCELLED, BROKEN_OFF, DEEDS };

static const struct {
    const char *message;
    enum job_kind kind;
} deeds[DEEDS] = {
    [ANSWERED] = {"#lorem-20 answered", JOB_COMPLETE},
    [STREAMED] = {"#lorem-20 streamed", JOB_STREAM},
    [LEAVES_IN_MID_ANSWER] = {"#slow-0-5-20 leaves in mid-answer", JOB_STREAM},
    [LEAVES_AT_ONCE] = {"#lorem-20 leaves at once", JOB_COMPLETE},
    [REFUSED] = {"#fault-400 refused", JOB_STREAM},
    [TRIED_AGAIN] = {"#fault-500-once tried again", JOB_COMPLETE},
    [CANCELLED] = {"#slow-0-10-20 cancelled", JOB_STREAM},
    [BROKEN_OFF] = {"#fault-cut-900 broken off", JOB_STREAM},
};

struct crowd {
    struct world *w;
    const enum deed *deeds;            /* which this thread does in turn */
    size_t n_deeds;
    bool stays;                        /* to the end, even if that is the engine's */
    atomic_int submitted, ended;
    atomic_bool done;
    int64_t looks;                     /* the watcher's */
};

struct one {
    struct crowd *crowd;
    int number;
    pthread_t thread;
    struct client c[EACH];
};

static void cancel(struct world *w, const struct client *c)
{
    struct sb ids = sb_make(4096);

    engine_cancel(w->e, NULL, c->request_id, NULL, &ids);
    sb_done(&ids);
}

static void do_deed(struct one *o, struct client *c, enum deed d)
{
    struct world *w = o->crowd->w;

    engine_submit(w->e, priced_job(w, c, deeds[d].kind, deeds[d].message, ANSWER));
    atomic_fetch_add(&o->crowd->submitted, 1);
    if (d == LEAVES_AT_ONCE) {
        client_leave(c);
        return;
    }
    if (d == LEAVES_IN_MID_ANSWER || d == CANCELLED) {
        while (!c->ended && !strstr(client_text(c), "event: delta"))
            if (!client_read(c, true))
                break;
        if (d == CANCELLED)
            cancel(w, c);
        else
            client_leave(c);
    }
    if (c->fd >= 0 && !o->crowd->stays)
        await_end(c);
}

static void *client_thread(void *arg)
{
    struct one *o = arg;
    struct crowd *crowd = o->crowd;

    for (int i = 0; i < EACH; i++)
        do_deed(o, &o->c[i], crowd->deeds[(size_t)(o->number + i) % crowd->n_deeds]);
    for (int i = 0; i < EACH; i++) {
        if (o->c[i].fd >= 0 && crowd->stays)
            await_end(&o->c[i]);
        client_done(&o->c[i]);
    }
    atomic_fetch_add(&crowd->ended, 1);
    return NULL;
}

/* Nothing here lets an answer outgrow what was set aside for it, so that not even a debt may be seen. */
static void assert_within(const struct snapshot *s)
{
    for (size_t i = 0; i < s->upstream_count; i++) {
        const struct admit_upstream_view *u = &s->upstreams[i];

        ck_assert_int_ge(u->running, 0);
        ck_assert_int_le(u->running, u->max_concurrent);
        for (int d = 0; d < DIM_COUNT; d++) {
            ck_assert_int_ge(u->dim[d].used, 0);
            ck_assert_int_ge(u->dim[d].reserved, 0);
            if (u->dim[d].limit)
                ck_assert_int_le(u->dim[d].used + u->dim[d].reserved, u->dim[d].limit);
        }
    }
    for (size_t i = 0; i < s->budget_count; i++) {
        const struct budget_view *v = &s->budgets[i].view;

        ck_assert_int_ge(v->spent, 0);
        ck_assert_int_ge(v->held, 0);
        ck_assert_int_le(v->spent + v->held, s->budgets[i].rule.limit);
    }
}

static void *watch(void *arg)
{
    struct crowd *crowd = arg;

    for (uint64_t seen = 0; !atomic_load(&crowd->done); poll(NULL, 0, 1)) {
        const struct snapshot *s = engine_snapshot(crowd->w->e);

        assert_within(s);
        crowd->looks += s->version != seen;
        seen = s->version;
        snapshot_put(s);
    }
    return NULL;
}

static struct world *crowd_world(int64_t requests, int64_t tokens)
{
    struct world *w = world_make(true);
    struct tuning_settings *t = &w->s->upstreams[0].tune;

    w->s->queue.max_wait_us = 600 * USEC_PER_SEC;
    t->limits.requests_per_minute = requests;
    t->limits.tokens_per_minute = tokens;
    t->burst_us = 60 * USEC_PER_SEC;
    t->reserve_output = RESERVE_OUTPUT_MAX;
    world_start(w);
    return w;
}

static void crowd_start(struct crowd *crowd, struct one *all)
{
    for (int i = 0; i < THREADS; i++) {
        all[i] = (struct one){.crowd = crowd, .number = i};
        ck_assert_int_eq(pthread_create(&all[i].thread, NULL, client_thread, &all[i]), 0);
    }
}

static void crowd_join(struct one *all)
{
    for (int i = 0; i < THREADS; i++)
        pthread_join(all[i].thread, NULL);
}

/* Each attempt that went out is counted once: a grant that ended twice, or never, would show. Those that ended between
 * their intent and the first byte have a row and are not counted. */
static void assert_attempts(struct world *w, int64_t used)
{
    ck_assert_int_ge(used, fixture_i64(w->ro, "SELECT count(*) FROM attempts WHERE http_status > 0"));
    ck_assert_int_le(used, fixture_i64(w->ro, "SELECT count(*) FROM attempts"));
}

START_TEST(whatever_clients_and_providers_do_every_grant_ends_once_and_nothing_is_passed)
{
    static const enum deed mixed[] = {ANSWERED, STREAMED, LEAVES_IN_MID_ANSWER, LEAVES_AT_ONCE, REFUSED, TRIED_AGAIN, CANCELLED,
                                      BROKEN_OFF};
    static struct one all[THREADS];
    struct world *w = crowd_world(2 * JOBS, 4 * JOBS * (PROMPT + ANSWER));
    struct crowd crowd = {.w = w, .deeds = mixed, .n_deeds = sizeof mixed / sizeof *mixed};
    const struct snapshot *s;
    pthread_t watcher;

    set_budget(w, "one", BUDGET_ALL, "", JOBS / 2 * worst(ANSWER));
    set_budget(w, "each", BUDGET_USER, NULL, JOBS * worst(ANSWER));
    ck_assert_int_eq(pthread_create(&watcher, NULL, watch, &crowd), 0);
    crowd_start(&crowd, all);
    crowd_join(all);
    await_rows(w, "SELECT count(*) FROM events WHERE state < 2", 0);
    atomic_store(&crowd.done, true);
    pthread_join(watcher, NULL);
    ck_assert_int_gt(crowd.looks, 0);
    assert_spent(w, "one");
    assert_spent(w, "each");
    s = engine_snapshot(w->e);
    ck_assert_int_eq(s->upstreams[0].running, 0);
    ck_assert_int_eq(s->upstreams[0].dim[DIM_REQUESTS_PER_MINUTE].reserved, 0);
    ck_assert_int_eq(s->upstreams[0].dim[DIM_TOKENS_PER_MINUTE].reserved, 0);
    assert_attempts(w, s->upstreams[0].dim[DIM_REQUESTS_PER_MINUTE].used);
    ck_assert_int_eq(s->counters.enqueued + s->counters.retries,
                     s->counters.admitted + s->counters.cancelled + s->counters.timed_out);
    snapshot_put(s);
    world_done(w);
}
END_TEST

/* What the state that outlives the engine says was used of a limit of the first upstream. */
static int64_t used_of(const struct sb *state, const char *dim)
{
    json_t *root = json_loadb(sb_str(state), state->len, 0, NULL), *entry, *pair;
    json_t *dims = json_object_get(json_array_get(json_object_get(root, "groups"), 0), "dims");
    int64_t sum = 0;
    size_t i, k;

    ck_assert_ptr_nonnull(root);
    json_array_foreach(dims, i, entry)
        if (strcmp(json_str(entry, "dim", ""), dim) == 0)
            json_array_foreach(json_object_get(entry, "used"), k, pair)
                sum += json_integer_value(json_array_get(pair, 1));
    json_decref(root);
    return sum;
}

/* The limits let a part of them run; then it all ends. */
START_TEST(a_shutdown_in_the_middle_ends_every_grant_once)
{
    enum { ALLOWED = 150, PAID = 400 };
    static const enum deed long_and_short[] = {ANSWERED, STREAMED, LEAVES_AT_ONCE, STREAMED, ANSWERED};
    static struct one all[THREADS];
    struct world *w = crowd_world(ALLOWED, JOBS * (PROMPT + ANSWER));
    struct crowd crowd = {.w = w, .deeds = long_and_short, .n_deeds = sizeof long_and_short / sizeof *long_and_short, .stays = true};
    struct sb state = sb_make(1 << 20);
    pthread_t watcher;

    set_budget(w, "one", BUDGET_ALL, "", PAID * worst(ANSWER));
    ck_assert_int_eq(pthread_create(&watcher, NULL, watch, &crowd), 0);
    crowd_start(&crowd, all);
    while (atomic_load(&crowd.submitted) < JOBS)
        poll(NULL, 0, 1);
    await_rows(w, "SELECT count(*) >= 20 FROM attempts", 1);
    atomic_store(&crowd.done, true);
    pthread_join(watcher, NULL);
    engine_stop(w->e, 20, &state);
    w->e = NULL;
    crowd_join(all);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM events WHERE state < 2"), 0);
    ck_assert_int_le(fixture_i64(w->ro, "SELECT coalesce(sum(cost_in + cost_out), 0) FROM events"), PAID * worst(ANSWER));
    ck_assert_int_le(used_of(&state, "requests_per_minute"), ALLOWED);
    assert_attempts(w, used_of(&state, "requests_per_minute"));
    sb_done(&state);
    world_done(w);
}
END_TEST

UNIT_MAIN("crowd", whatever_clients_and_providers_do_every_grant_ends_once_and_nothing_is_passed,
          a_shutdown_in_the_middle_ends_every_grant_once)
