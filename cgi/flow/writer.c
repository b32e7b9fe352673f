/* writer.c - group commit over one connection.
 *
 * A batch runs first without savepoints, as nearly every operation succeeds. If
 * one fails after it has written, the whole transaction is rolled back and the
 * batch runs again with a savepoint around each, so run() may be called twice;
 * both times it starts from the same database.
 * The spill file holds settlements only while the database cannot be written
 * (REALTIME) or until their group is due (BATCH, ASYNC). It is replayed before
 * the database counts as writable again, so that a request that builds on an
 * answer finds it.
 * Two locks' worth of state: the queue (mutex, one condition for the thread, one
 * for writer_call), and atomics: the health flag, how often it fell, what waits
 * in the spill file. */
#include "flow/writer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/spill.h"
#include "store/spill_line.h"

enum { BATCH_MAX = 1024, PROBE_US = 1000 * 1000, LOG_LINE_MAX = 65536 };

/* result of an operation that has not been answered */
#define PENDING WEIR_ERR_COUNT

struct writer {
    struct db *db;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;          /* something is in the queue, or stop */
    pthread_cond_t answered;      /* an operation of writer_call() has its result */
    struct write_op *first, **last;
    bool stopping;
    atomic_bool healthy;
    atomic_long outages;          /* how often it was not */
    atomic_long waiting;          /* spill_waiting() */

    /* the thread's own */
    struct spill *spill;          /* NULL: none */
    struct durability_settings how;
    int64_t due_us;               /* the spill file's settlements are to be committed; 0: nothing is due */
    int64_t failures;             /* of that, one after another */
};

/* --- one transaction --- */

/* Run each operation; true if one failed after it had written, so that its rows must go alone, or the disk failed. */
static bool run_bare(struct db *db, struct write_op *ops)
{
    for (struct write_op *op = ops; op; op = op->next) {
        int64_t before = db_changes(db);

        if (op->spilled)
            continue;
        op->result = op->run(db, op);
        if (op->result == WEIR_E_STORAGE || !db_in_transaction(db) ||
            (op->result != WEIR_OK && db_changes(db) != before))
            return true;
    }
    return false;
}

static enum weir_err run_guarded(struct db *db, struct write_op *ops)
{
    enum weir_err e = WEIR_OK;

    for (struct write_op *op = ops; op && !e; op = op->next) {
        if (op->spilled)
            continue;
        e = db_mark(db);
        if (e)
            break;
        op->result = op->run(db, op);
        if (op->result == WEIR_E_STORAGE || !db_in_transaction(db))
            e = WEIR_E_STORAGE;
        else
            e = op->result == WEIR_OK ? db_mark_keep(db) : db_mark_undo(db);
    }
    return e;
}

/* None of the batch is committed. */
static void fail(struct write_op *ops)
{
    for (struct write_op *op = ops; op; op = op->next) {
        if (!op->spilled)
            op->result = WEIR_E_STORAGE;
    }
}

/* All of the batch is committed, or each operation's result says why not. */
static enum weir_err transact(struct db *db, struct write_op *ops)
{
    enum weir_err e = db_begin(db);

    if (!e && run_bare(db, ops)) {
        db_rollback(db);
        e = db_begin(db);
        if (!e)
            e = run_guarded(db, ops);
        if (e)
            db_rollback(db);
    }
    if (!e)
        e = db_commit(db);
    if (e)
        fail(ops);
    return e;
}

/* --- the spill file --- */

/* Settlements of the batch that have no result yet, or failed for the disk, go to the file; one sync for all of them. */
static void spill(struct writer *w, struct write_op *ops, bool sync)
{
    bool synced = true;

    if (!w->spill)
        return;
    for (struct write_op *op = ops; op; op = op->next) {
        if (op->settles && !op->spilled && (op->result == PENDING || op->result == WEIR_E_STORAGE))
            op->spilled = spill_put(w->spill, op->settles) == WEIR_OK;
    }
    if (sync && spill_waiting(w->spill) > atomic_load(&w->waiting))
        synced = spill_sync(w->spill) == WEIR_OK;
    for (struct write_op *op = ops; op; op = op->next) {
        if (op->spilled && op->result != WEIR_OK) {
            op->spilled = synced;                    /* else the database is tried, or tried no more */
            op->result = synced ? WEIR_OK : op->result;
        }
    }
    atomic_store(&w->waiting, (long)spill_waiting(w->spill));
    if (!w->due_us && spill_waiting(w->spill) > 0)
        w->due_us = clock_mono_us() + w->how.batch_us;
}

/* What waits in the file has its rows; false: it could not be written. */
static bool replay(struct writer *w)
{
    int64_t settled;
    enum weir_err e;

    if (!w->spill || spill_waiting(w->spill) == 0)
        return true;
    e = spill_replay(w->spill, w->db, &settled);
    if (e && w->how.strategy == DURABILITY_ASYNC && spill_sync(w->spill) != WEIR_OK)   /* as the commit would have */
        log_warn("what was settled last may be lost with the power");
    w->failures = e ? w->failures + 1 : 0;
    w->due_us = e ? clock_mono_us() + PROBE_US : 0;
    atomic_store(&w->waiting, (long)spill_waiting(w->spill));
    return !e;
}

/* The last resort: what could be stored nowhere can be taken up by hand. */
static void log_lost(const struct write_op *ops)
{
    for (const struct write_op *op = ops; op; op = op->next) {
        struct sb line;

        if (!op->settles || op->result == WEIR_OK)
            continue;
        line = sb_make(LOG_LINE_MAX);
        spill_line_put(&line, op->settles, false);
        log_error("a settlement could not be stored (%s): %s", err_code(op->result), sb_str(&line));
        sb_done(&line);
    }
}

/* --- the thread --- */

static void set_health(struct writer *w, bool healthy)
{
    if (atomic_exchange(&w->healthy, healthy) == healthy)
        return;
    if (healthy)
        log_info("%s: can be written again", db_path(w->db));
    else
        log_error("%s: cannot be written; calls that cost money are refused until it can", db_path(w->db));
    atomic_fetch_add(&w->outages, !healthy);
}

static enum weir_err touch(struct db *db, struct write_op *op)
{
    (void)op;
    return db_probe(db);
}

/* Can the database be written? Asked of the disk, not of hope. */
static void probe(struct writer *w)
{
    struct write_op op = {.run = touch};

    set_health(w, transact(w->db, &op) == WEIR_OK && op.result == WEIR_OK && replay(w));
}

static bool all_spilled(const struct write_op *ops)
{
    while (ops && ops->spilled)
        ops = ops->next;
    return !ops;
}

/* Give each operation its result. */
static void write_batch(struct writer *w, struct write_op *ops)
{
    bool healthy = atomic_load(&w->healthy), ok = !ops->after_settlements || replay(w);

    if (w->how.strategy != DURABILITY_REALTIME || !healthy)
        spill(w, ops, w->how.strategy != DURABILITY_ASYNC || !healthy);
    if (!ok)
        fail(ops);
    else if (!all_spilled(ops))
        ok = transact(w->db, ops) == WEIR_OK;
    else
        ok = healthy;                            /* nothing was learned */
    if (!ok)
        spill(w, ops, true);
    log_lost(ops);
    set_health(w, ok && (healthy || replay(w)));
}

/* BATCH and ASYNC: a group is full, or has waited long enough. A failure is borne for a while, as nothing is lost yet. */
static void replay_due(struct writer *w)
{
    int64_t waiting = atomic_load(&w->waiting), full = w->how.batch_size;

    if (full > w->how.batch_queue)
        full = w->how.batch_queue;
    if (waiting == 0 || !atomic_load(&w->healthy))
        return;
    if (clock_mono_us() < w->due_us && (w->failures || waiting < full))
        return;
    if (!replay(w) && (w->failures > w->how.batch_retries || waiting >= w->how.batch_queue))
        set_health(w, false);
}

/* Cut at most BATCH_MAX operations off the queue, and before one that waits for the settlements ahead of it. The lock
 * is held. */
static struct write_op *take_batch(struct writer *w)
{
    struct write_op *ops = w->first, *end = ops;

    for (int n = 1; end && end->next && !end->next->after_settlements && n < BATCH_MAX; n++)
        end = end->next;
    if (end) {
        w->first = end->next;
        end->next = NULL;
        if (!w->first)
            w->last = &w->first;
    }
    return ops;
}

/* Tell each operation its result; op is its owner's again the moment it knows. */
static void answer(struct writer *w, struct write_op *ops)
{
    bool called = false;

    while (ops) {
        struct write_op *op = ops;
        enum weir_err result = op->result;

        ops = op->next;
        if (op->done) {
            op->done(op, result);
            continue;
        }
        (void)pthread_mutex_lock(&w->lock);
        op->next = op;               /* writer_call's sign that the result stands */
        (void)pthread_mutex_unlock(&w->lock);
        called = true;
    }
    if (called)
        (void)pthread_cond_broadcast(&w->answered);
}

/* Wait for work, or until something is due without any. The lock is held. */
static void wait_for_work(struct writer *w)
{
    while (!w->first && !w->stopping) {
        int64_t until_us = atomic_load(&w->healthy) ? w->due_us : clock_mono_us() + PROBE_US;
        struct timespec until = {.tv_sec = until_us / USEC_PER_SEC, .tv_nsec = until_us % USEC_PER_SEC * 1000};

        if (!until_us)
            (void)pthread_cond_wait(&w->work, &w->lock);
        else if (pthread_cond_timedwait(&w->work, &w->lock, &until) != 0)
            return;
    }
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    bool stopping;

    (void)prctl(PR_SET_NAME, "writer");
    do {
        struct write_op *ops;

        (void)pthread_mutex_lock(&w->lock);
        wait_for_work(w);
        ops = take_batch(w);
        stopping = w->stopping && !ops;
        (void)pthread_mutex_unlock(&w->lock);
        if (ops) {
            write_batch(w, ops);
            answer(w, ops);
        } else if (!stopping && !atomic_load(&w->healthy)) {
            probe(w);
        }
        replay_due(w);
    } while (!stopping);
    if (!replay(w))
        log_warn("%ld settlements stay in the spill file; the next start takes them up", atomic_load(&w->waiting));
    return NULL;
}

/* pthread_cond_timedwait() by the clock that never jumps. */
static int init_work(pthread_cond_t *work)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);

    if (rc != 0)
        return rc;
    rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(work, &attr);
    (void)pthread_condattr_destroy(&attr);
    return rc;
}

/* --- for others --- */

struct writer *writer_start(struct db *db)
{
    struct writer *w = mem_zalloc(1, sizeof *w);

    w->db = db;
    w->last = &w->first;
    atomic_init(&w->healthy, true);
    if (pthread_mutex_init(&w->lock, NULL) != 0 || init_work(&w->work) != 0 ||
        pthread_cond_init(&w->answered, NULL) != 0 || pthread_create(&w->thread, NULL, writer_main, w) != 0) {
        log_error("writer: cannot start: memory or threads are missing");
        free(w);
        return NULL;
    }
    return w;
}

void writer_use_spill(struct writer *w, struct spill *spill, const struct durability_settings *how)
{
    (void)pthread_mutex_lock(&w->lock);
    w->spill = spill;
    w->how = *how;
    (void)pthread_mutex_unlock(&w->lock);
}

void writer_submit(struct writer *w, struct write_op *op)
{
    bool idle;

    op->next = NULL;
    op->spilled = false;
    op->result = PENDING;
    (void)pthread_mutex_lock(&w->lock);
    idle = !w->first;
    *w->last = op;
    w->last = &op->next;
    (void)pthread_mutex_unlock(&w->lock);
    if (idle)
        (void)pthread_cond_signal(&w->work);
}

enum weir_err writer_call(struct writer *w, struct write_op *op)
{
    op->done = NULL;
    writer_submit(w, op);
    (void)pthread_mutex_lock(&w->lock);
    while (op->next != op)
        (void)pthread_cond_wait(&w->answered, &w->lock);
    (void)pthread_mutex_unlock(&w->lock);
    return op->result;
}

static enum weir_err nothing(struct db *db, struct write_op *op)
{
    (void)db, (void)op;
    return WEIR_OK;
}

void writer_catch_up(struct writer *w)
{
    struct write_op op = {.run = nothing, .after_settlements = true};

    if (atomic_load(&w->waiting) > 0 && atomic_load(&w->healthy) && writer_call(w, &op) != WEIR_OK)
        log_warn("what was settled last cannot be shown yet");
}

int writer_healthy(const struct writer *w)
{
    return atomic_load(&w->healthy);
}

long writer_outages(const struct writer *w)
{
    return atomic_load(&w->outages);
}

void writer_stop(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_cond_signal(&w->work);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->answered);
    (void)pthread_cond_destroy(&w->work);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}
