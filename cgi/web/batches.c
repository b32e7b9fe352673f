/* batches.c - see batches.h. One round after another: what batches there are and
 * what is to be done for each (batch_runs.c), what has been answered, what can be
 * asked next. */
#include "web/batches.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "web/batch_runs.h"

enum {
    FIRST_ACTIVE = 4,
    CROWD = 4,                           /* so many requests wait, and batches ask for less */
    LOOKED_AT_ONCE = 200,                /* lines, for one whose model is not held */
    LOOK_AGAIN_MS = 1000,
    REST_MS = 60 * 1000,
};
#define TIDY_US (60 * USEC_PER_SEC)

/* --- writing --- */

static enum weir_err run_cancel(struct db *db, struct write_op *op)
{
    const struct batch_write *w = (const struct batch_write *)op;
    enum weir_err e = batches_cancel(db, w->run->row.id, w->now_ms);

    return e == WEIR_E_CONFLICT ? WEIR_OK : e;
}

static enum weir_err run_hold(struct db *db, struct write_op *op)
{
    const struct batch_write *w = (const struct batch_write *)op;

    return batches_hold(db, w->run->row.id, w->held);
}

static enum weir_err run_use_up(struct db *db, struct write_op *op)
{
    const struct batch_write *w = (const struct batch_write *)op;

    return batches_use_up(db, w->run->row.id, w->run->row.budget);
}

/* All that ended in this round, in one transaction. */
static enum weir_err run_results(struct db *db, struct write_op *op)
{
    struct batch_write *w = (struct batch_write *)op;
    int64_t now = clock_mono_us();
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < SLOTS; i++)
        if (w->b->slots[i].stage == SLOT_ENDED) {
            w->b->slots[i].end.at_ms = w->now_ms;
            e = batch_items_end(db, &w->b->slots[i].end);
        }
    for (size_t i = 0; !e && i < w->b->run_count; i++)
        if (w->b->runs[i]->worked_us)
            e = batch_items_worked(db, w->b->runs[i]->row.id, (now - w->b->runs[i]->worked_us) / USEC_PER_MS);
    return e;
}

static enum weir_err run_tidy(struct db *db, struct write_op *op)
{
    struct batch_write *w = (struct batch_write *)op;
    int64_t kept_ms = w->b->w->settings->retention.files_us / USEC_PER_MS;
    enum weir_err e = files_expire(db, w->now_ms);

    if (!e)
        e = files_purge_some(db, 0, &w->left);
    if (!e && !w->left)
        e = batches_purge_some(db, 0, w->now_ms - kept_ms, &w->left);
    return e;
}

static enum weir_err run_first(struct db *db, struct write_op *op)
{
    (void)op;
    return files_drop_unfinished(db);
}

/* --- slots --- */

/* Its batch rests, and so does what it waits for. */
static bool is_paused(struct batches *b, const struct slot *s)
{
    const struct run *r = batches_run(b, s->batch);

    return r && r->row.paused;
}

static void drop(struct batches *b, struct slot *s)
{
    struct run *r = batches_run(b, s->batch);

    if (r) {
        r->slots--;
        batch_run_leave(r, s);
    }
    slot_release(s);
}

/* As many as there is room for: half as many, at most once a second, or one more. */
static void adapt(struct batches *b, bool crowded)
{
    int64_t now = clock_mono_us(), most = b->w->settings->batches.workers;

    if (!crowded)
        b->active++;
    else if (now - b->cut_us > USEC_PER_SEC) {
        b->cut_us = now;
        b->active /= 2;
    }
    b->active = b->active < 1 ? 1 : b->active > most ? most : b->active;
}

static bool crowd_waits(struct batches *b)
{
    const struct snapshot *s = engine_snapshot(b->w->engine);
    int64_t n = 0;

    for (int p = 0; p < PRIORITY_COUNT; p++)
        n += s->waiting[p];
    snapshot_put(s);
    return n > CROWD;
}

/* Another of its batch that is tried again and again for all of them, or for those of its model. */
static const struct slot *held_by(const struct batches *b, const struct slot *but, int64_t batch, uint64_t model)
{
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *s = &b->slots[i];

        if (s != but && s->stage != SLOT_IDLE && s->batch == batch && s->held && (s->holds_all || s->model == model))
            return s;
    }
    return NULL;
}

/* What the last answer of a slot's says of its batch. */
static void heed(struct batches *b, struct slot *s)
{
    struct run *r = batches_run(b, s->batch);
    struct batch_write w = {.run = r};

    if (s->busy)
        adapt(b, true);
    if (!r)
        return;
    r->freed = r->freed || s->freed;
    if (s->no_access && batches_write(b, &w, run_cancel) == WEIR_OK)
        batches_look(b);
    s->busy = s->no_access = s->freed = false;
    if (s->held && s->stage == SLOT_WAITING && held_by(b, s, s->batch, s->model)) {
        r->passed = true;
        drop(b, s);
    }
}

/* What all that is left of a batch waits for, or "". */
static const char *waits_for(const struct batches *b, const struct run *r)
{
    const char *held = "";
    bool others = r->at < r->n || !r->all;

    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *s = &b->slots[i];

        if (s->stage == SLOT_IDLE || s->batch != r->row.id)
            continue;
        if (s->held && s->holds_all)
            return s->held;
        others = others || !s->held;
        held = s->held ? s->held : held;
    }
    return others ? "" : held;
}

static void tell_holds(struct batches *b)
{
    for (size_t i = 0; i < b->run_count; i++) {
        struct run *r = b->runs[i];
        const char *held = batch_run_over(r) ? r->row.held : waits_for(b, r);
        struct batch_write w = {.run = r, .held = held};

        if (strcmp(r->row.held, held) != 0 && batches_write(b, &w, run_hold) == WEIR_OK)
            (void)snprintf(r->row.held, sizeof r->row.held, "%s", held);
    }
}

/* Another of its batch may give back some of what it takes. */
static bool others_run(const struct batches *b, const struct slot *but)
{
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *s = &b->slots[i];

        if (s != but && s->batch == but->batch && s->stage != SLOT_IDLE && (s->stage != SLOT_WAITING || s->aside > 0))
            return true;
    }
    return false;
}

/* Its batch rests until somebody raises the budget, if nothing is given back any more that may pay for it. */
static void use_up(struct batches *b, struct slot *s, struct run *r)
{
    struct batch_write w = {.run = r};

    if (s->short_of_budget && r->charges_known && !others_run(b, s) && batches_write(b, &w, run_use_up) == WEIR_OK)
        batches_look(b);
    s->short_of_budget = false;
}

static void send(struct batches *b, struct slot *s, struct run *r)
{
    slot_send(s, b->w, b->ro, &r->row, batch_run_room(b, r, s), &b->rng);
    use_up(b, s, r);
    heed(b, s);
}

/* What is ready or due again is sent; what belongs to a batch that is over, or rests, is let go: its item stays open. */
static void step_slots(struct batches *b)
{
    int64_t now = clock_mono_us();

    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &b->slots[i];
        struct run *r = s->stage == SLOT_READY || s->stage == SLOT_WAITING ? batches_run(b, s->batch) : NULL;

        if (s->stage != SLOT_READY && s->stage != SLOT_WAITING)
            continue;
        if (!r || batch_run_over(r) || batches_resting(b))
            drop(b, s);
        else if (s->stage == SLOT_READY || (s->due_us <= now && !r->row.paused))
            send(b, s, r);
    }
}

/* All that somebody's batches have. */
static int64_t slots_of(const struct batches *b, int64_t user)
{
    int64_t n = 0;

    for (size_t i = 0; i < b->run_count; i++)
        if (b->runs[i]->row.user == user)
            n += b->runs[i]->slots;
    return n;
}

/* Does it have one to begin? What is held is passed over, at most *looks of its lines. */
static bool has_next(struct batches *b, struct run *r, int64_t *looks)
{
    bool any_held = false;

    for (size_t i = 0; i < SLOTS; i++)
        any_held = any_held || (b->slots[i].stage != SLOT_IDLE && b->slots[i].batch == r->row.id && b->slots[i].held);
    batch_run_fetch(b, r);
    while (any_held && r->at < r->n) {
        if ((*looks)-- <= 0)
            return false;
        if (!held_by(b, NULL, r->row.id, slot_model(b->ro, &r->row, &r->fetched[r->at])))
            return true;
        r->passed = true;
        r->at++;
        batch_run_fetch(b, r);
    }
    return r->at < r->n;
}

/* The batch that is to get the next slot: the highest priority, then whose owner has the fewest, then the one that was there first. */
static struct run *next_run(struct batches *b, int64_t *looks)
{
    struct run *best = NULL;

    for (size_t i = 0; i < b->run_count; i++) {
        struct run *r = b->runs[i];

        if (batch_run_over(r) || r->row.paused || !has_next(b, r, looks))
            continue;
        if (!best || r->row.priority > best->row.priority ||
            (r->row.priority == best->row.priority && slots_of(b, r->row.user) < slots_of(b, best->row.user)))
            best = r;
    }
    return best;
}

/* Slots that work, or will in a moment. */
static int64_t in_use(struct batches *b)
{
    int64_t n = 0;

    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *s = &b->slots[i];
        const struct run *r = s->stage == SLOT_WAITING && !s->held ? batches_run(b, s->batch) : NULL;

        n += s->stage == SLOT_IN_FLIGHT || (r && !r->row.paused);
    }
    return n;
}

/* True: there may be more to begin that was not looked at. */
static bool fill(struct batches *b)
{
    int64_t used = in_use(b), looks = LOOKED_AT_ONCE;
    struct run *r;

    for (size_t i = 0; i < SLOTS && used < b->active && !batches_resting(b); i++) {
        if (b->slots[i].stage != SLOT_IDLE)
            continue;
        if (!(r = next_run(b, &looks)))
            break;
        b->slots[i].place = r->fetched[r->at++];
        b->slots[i].first_cost = -1;
        b->slots[i].batch = r->row.id;
        batch_run_enter(b, r, &b->slots[i]);
        r->slots++;
        used++;
        send(b, &b->slots[i], r);
    }
    return looks < 0;
}

/* True: something ended, and is written. */
static bool save(struct batches *b)
{
    struct batch_write w = {.run = NULL};
    int64_t now = clock_mono_us();
    bool any = false, answered = false;

    for (size_t i = 0; i < SLOTS; i++) {
        any = any || b->slots[i].stage == SLOT_ENDED;
        answered = answered || (b->slots[i].stage == SLOT_ENDED && b->slots[i].end.state == ITEM_ANSWERED);
    }
    if (!any || batches_write(b, &w, run_results) != WEIR_OK)
        return false;
    for (size_t i = 0; i < b->run_count; i++)
        if (b->runs[i]->worked_us)
            b->runs[i]->worked_us = now;
    for (size_t i = 0; i < SLOTS; i++)
        if (b->slots[i].stage == SLOT_ENDED) {
            struct run *r = batches_run(b, b->slots[i].batch);

            if (r)
                r->row.cost += b->slots[i].end.cost;     /* until it is read again */
            drop(b, &b->slots[i]);
        }
    if (answered)
        adapt(b, crowd_waits(b));
    return true;
}

/* Wait at most so long for answers, or a nudge; take what has come. True: a nudge. */
static bool wait_and_take(struct batches *b, int ms)
{
    struct pollfd p[SLOTS + 1] = {{.fd = b->wake, .events = POLLIN}};
    struct slot *of[SLOTS + 1];
    nfds_t n = 1;
    uint64_t count;
    bool nudged;

    for (size_t i = 0; i < SLOTS; i++)
        if (b->slots[i].stage == SLOT_IN_FLIGHT) {
            of[n] = &b->slots[i];
            p[n++] = (struct pollfd){.fd = b->slots[i].fd, .events = POLLIN};
        }
    if (poll(p, n, ms) < 0)
        return false;
    nudged = p[0].revents && read(b->wake, &count, sizeof count) == (ssize_t)sizeof count;
    for (nfds_t i = 1; i < n; i++)
        if (p[i].revents) {
            slot_receive(of[i], b->ro, &b->rng);
            if (of[i]->stage != SLOT_IN_FLIGHT)
                heed(b, of[i]);
        }
    return nudged;
}

/* How long nothing has to be done unless something comes. */
static int patience_ms(struct batches *b)
{
    int64_t now = clock_mono_us(), until = now + (b->run_count ? LOOK_AGAIN_MS : REST_MS) * USEC_PER_MS;

    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *s = &b->slots[i];

        if (s->stage == SLOT_READY)
            return 0;
        if (s->stage == SLOT_WAITING && s->due_us < until && !is_paused(b, s))
            until = s->due_us;
    }
    return until > now ? (int)((until - now) / USEC_PER_MS) + 1 : 0;
}

static void tidy(struct batches *b)
{
    struct batch_write w = {.left = true};
    enum weir_err e = WEIR_OK;

    while (!e && w.left && !batches_resting(b))
        e = batches_write(b, &w, run_tidy);
    b->tidy_us = clock_mono_us() + TIDY_US;
}

static void *work(void *arg)
{
    struct batches *b = arg;
    bool changed, nudged = false;

    (void)prctl(PR_SET_NAME, "batches");
    while (!atomic_load(&b->stop)) {
        batches_look(b);
        if (nudged || clock_mono_us() >= b->tidy_us)
            tidy(b);
        changed = batches_step(b);
        step_slots(b);
        changed = fill(b) || changed;
        changed = save(b) || changed;
        tell_holds(b);
        nudged = wait_and_take(b, changed ? 0 : patience_ms(b));
    }
    (void)wait_and_take(b, 0);
    (void)save(b);
    return NULL;
}

struct batches *batches_start(struct web *w, struct db *ro)
{
    struct batches *b = mem_zalloc(1, sizeof *b);
    struct batch_write first = {.run = NULL};
    sigset_t all, old;
    int rc = 0;

    b->w = w;
    b->ro = ro;
    b->active = FIRST_ACTIVE;
    b->rng = rng_make((uint64_t)clock_utc_ms());
    for (size_t i = 0; i < SLOTS; i++)
        b->slots[i].fd = -1;
    if (batches_write(b, &first, run_first))             /* here, where no upload can have begun */
        log_warn("batches: uploads that were cut off stay until the next start");
    b->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    if (b->wake < 0 || (rc = pthread_create(&b->thread, NULL, work, b))) {
        log_error("batches: cannot start: %s", strerror(rc ? rc : errno));
        if (b->wake >= 0)
            (void)close(b->wake);
        free(b);
        b = NULL;
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return b;
}

void batches_nudge(struct batches *b)
{
    uint64_t one = 1;

    if (b && write(b->wake, &one, sizeof one) != (ssize_t)sizeof one)
        log_warn("batches: a change is seen a little later: %s", strerror(errno));
}

void batches_stop(struct batches *b)
{
    if (!b)
        return;
    atomic_store(&b->stop, true);
    batches_nudge(b);
    (void)pthread_join(b->thread, NULL);
    for (size_t i = 0; i < SLOTS; i++)
        slot_release(&b->slots[i]);
    for (size_t i = 0; i < b->run_count; i++)
        free(b->runs[i]);
    (void)close(b->wake);
    free(b);
}
