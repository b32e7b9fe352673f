/* writer.c - group commit over one connection.
 *
 * A batch runs first without savepoints, as nearly every operation succeeds. If
 * one fails after it has written, the whole transaction is rolled back and the
 * batch runs again with a savepoint around each, so run() may be called twice;
 * both times it starts from the same database.
 * Two locks' worth of state: the queue (mutex, one condition for the thread, one
 * for writer_call), and the health flag, an atomic. */
#include "flow/writer.h"

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

enum { BATCH_MAX = 1024, PROBE_MS = 1000 };

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
};

/* --- one transaction --- */

/* Run each operation; true if one failed after it had written, so that its rows must go alone, or the disk failed. */
static bool run_bare(struct db *db, struct write_op *ops)
{
    for (struct write_op *op = ops; op; op = op->next) {
        int64_t before = db_changes(db);

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
    if (e) {
        for (struct write_op *op = ops; op; op = op->next)
            op->result = WEIR_E_STORAGE;
    }
    return e;
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

    set_health(w, transact(w->db, &op) == WEIR_OK && op.result == WEIR_OK);
}

/* Cut at most BATCH_MAX operations off the queue. The lock is held. */
static struct write_op *take_batch(struct writer *w)
{
    struct write_op *ops = w->first, *end = ops;

    for (int n = 1; end && end->next && n < BATCH_MAX; n++)
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

/* Wait for work; while unhealthy no longer than to the next probe. The lock is held. */
static void wait_for_work(struct writer *w)
{
    while (!w->first && !w->stopping) {
        int64_t until_ms = clock_utc_ms() + PROBE_MS;
        struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

        if (atomic_load(&w->healthy)) {
            (void)pthread_cond_wait(&w->work, &w->lock);
            continue;
        }
        if (pthread_cond_timedwait(&w->work, &w->lock, &until) != 0)
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
            set_health(w, transact(w->db, ops) == WEIR_OK);
            answer(w, ops);
        } else if (!stopping) {
            probe(w);
        }
    } while (!stopping);
    return NULL;
}

/* --- for others --- */

struct writer *writer_start(struct db *db)
{
    struct writer *w = mem_zalloc(1, sizeof *w);

    w->db = db;
    w->last = &w->first;
    atomic_init(&w->healthy, true);
    if (pthread_mutex_init(&w->lock, NULL) != 0 || pthread_cond_init(&w->work, NULL) != 0 ||
        pthread_cond_init(&w->answered, NULL) != 0 || pthread_create(&w->thread, NULL, writer_main, w) != 0) {
        log_error("the writer's thread could not be started");
        abort();
    }
    return w;
}

void writer_submit(struct writer *w, struct write_op *op)
{
    bool idle;

    op->next = NULL;
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

int writer_healthy(const struct writer *w)
{
    return atomic_load(&w->healthy);
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
