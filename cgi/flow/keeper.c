/* keeper.c - one loop that sleeps until the next duty or the stop. Everything it
 * writes goes through the writer like anybody's rows. */
#include "flow/keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/account.h"
#include "store/upkeep.h"

enum { SAVE_S = 5, SWEEP_S = 60, STATE_MAX = 16 * 1024 * 1024 };

struct keeper {
    struct engine *engine;
    struct writer *writer;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    uint64_t saved_version;          /* of the snapshot whose state was saved last */
};

struct chore {
    struct write_op op;
    const char *state;
    int64_t minutes, sign_ins;
};

static enum weir_err run_save(struct db *db, struct write_op *op)
{
    return upkeep_put(db, UPKEEP_ADMISSION, ((struct chore *)op)->state, clock_utc_ms());
}

/* Only if something changed: an idle Weir writes nothing. */
static void save(struct keeper *k)
{
    const struct snapshot *s = engine_snapshot(k->engine);
    uint64_t version = s->version;
    struct chore c = {.op = {.run = run_save}};
    struct sb state;

    snapshot_put(s);
    if (version == k->saved_version)
        return;
    state = sb_make(STATE_MAX);
    engine_save_state(k->engine, &state);
    c.state = sb_str(&state);
    if (!sb_ok(&state) || !state.len)
        log_error("keeper: the state of the limits is too large to be kept");
    else if (writer_call(k->writer, &c.op) == WEIR_OK)
        k->saved_version = version;
    sb_done(&state);
}

static enum weir_err run_sweep(struct db *db, struct write_op *op)
{
    struct chore *c = (struct chore *)op;
    int64_t now_ms = clock_utc_ms();
    enum weir_err e = upkeep_minutes(db, now_ms, &c->minutes);

    return e ? e : account_sweep(db, now_ms, &c->sign_ins);
}

static void sweep(struct keeper *k)
{
    struct chore c = {.op = {.run = run_sweep}};

    if (writer_call(k->writer, &c.op) == WEIR_OK && c.minutes + c.sign_ins > 0)
        log_debug("keeper: %" PRId64 " minute roll-ups and %" PRId64 " sign-ins had expired", c.minutes, c.sign_ins);
}

/* Sleep for `s` seconds; false once it is time to stop. */
static bool rest(struct keeper *k, int s)
{
    struct timespec until;
    bool stop;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += s;
    (void)pthread_mutex_lock(&k->lock);
    while (!k->stop && pthread_cond_timedwait(&k->wake, &k->lock, &until) != ETIMEDOUT)
        ;
    stop = k->stop;
    (void)pthread_mutex_unlock(&k->lock);
    return !stop;
}

static void *keeper(void *arg)
{
    struct keeper *k = arg;

    sweep(k);
    for (int s = SAVE_S; rest(k, SAVE_S); s += SAVE_S) {
        save(k);
        if (s % SWEEP_S == 0)
            sweep(k);
    }
    return NULL;
}

struct keeper *keeper_start(struct engine *e, struct writer *w)
{
    struct keeper *k = mem_zalloc(1, sizeof *k);
    pthread_condattr_t attr;
    int rc;

    k->engine = e;
    k->writer = w;
    (void)pthread_mutex_init(&k->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&k->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    rc = pthread_create(&k->thread, NULL, keeper, k);
    if (rc) {
        log_error("keeper: cannot start its thread: %s", strerror(rc));
        (void)pthread_cond_destroy(&k->wake);
        (void)pthread_mutex_destroy(&k->lock);
        free(k);
        return NULL;
    }
    return k;
}

void keeper_stop(struct keeper *k)
{
    if (!k)
        return;
    (void)pthread_mutex_lock(&k->lock);
    k->stop = true;
    (void)pthread_cond_signal(&k->wake);
    (void)pthread_mutex_unlock(&k->lock);
    (void)pthread_join(k->thread, NULL);
    (void)pthread_cond_destroy(&k->wake);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}
