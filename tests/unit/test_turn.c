/* test_turn.c - what happens to several jobs within one turn of the engine. A
 * letter holds the engine until all the others lie in its inbox. */
#include <semaphore.h>

#include "fixture_engine.h"
#include "flow/engine_impl.h"
#include "unit.h"

static sem_t held, let_go;

static void hold(struct engine *e, struct mail *m)
{
    (void)e;
    (void)m;
    sem_post(&held);
    sem_wait(&let_go);
}

static void cancel_newest(struct engine *e, struct mail *m)
{
    (void)m;
    conduct_cancel(e, e->jobs);
}

START_TEST(one_cancelled_in_the_turn_it_came_takes_nobody_with_it)
{
    struct world *w = world_make(false);
    struct mail stop = {.deliver = hold}, cancel = {.deliver = cancel_newest};
    struct client first, gone, last;

    world_start(w);
    sem_init(&held, 0, 0);
    sem_init(&let_go, 0, 0);
    engine_post(w->e, &stop);
    sem_wait(&held);
    send_builtin(w, &first, JOB_COMPLETE, "hello");
    send_builtin(w, &gone, JOB_COMPLETE, "hello");
    engine_post(w->e, &cancel);
    send_builtin(w, &last, JOB_COMPLETE, "hello");
    sem_post(&let_go);
    ck_assert(strstr(await_end(&gone), "\"code\":\"cancelled\""));
    ck_assert(strstr(await_end(&first), "\"finish_reason\":\"stop\""));
    ck_assert(strstr(await_end(&last), "\"finish_reason\":\"stop\""));
    client_done(&first);
    client_done(&gone);
    client_done(&last);
    world_done(w);
}
END_TEST

UNIT_MAIN("turn", one_cancelled_in_the_turn_it_came_takes_nobody_with_it)
