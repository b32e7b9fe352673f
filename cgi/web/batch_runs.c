/* batch_runs.c - the batches that are under way: which there are, and what is to be done for each
 * as a whole, from its input to its end. The thread of batches.c alone enters it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "web/batch_runs.h"

enum { NEVER_AT_ONCE = 200 };

bool batches_resting(const struct batches *b)
{
    return atomic_load(&b->stop) || atomic_load(&b->w->draining);
}

enum weir_err batches_write(struct batches *b, struct batch_write *w, enum weir_err (*run)(struct db *, struct write_op *))
{
    w->op = (struct write_op){.run = run};
    w->b = b;
    w->now_ms = clock_utc_ms();
    return writer_call(b->w->writer, &w->op);
}

static enum weir_err run_finalize(struct db *db, struct write_op *op)
{
    const struct batch_write *w = (const struct batch_write *)op;

    return batches_finalize(db, w->run->row.id, w->ends_as, w->now_ms);
}

static enum weir_err run_end(struct db *db, struct write_op *op)
{
    const struct batch_write *w = (const struct batch_write *)op;

    return batches_end(db, &w->run->row, w->now_ms, w->now_ms + w->b->w->settings->retention.files_us / USEC_PER_MS);
}

struct run *batches_run(struct batches *b, int64_t batch)
{
    for (size_t i = 0; i < b->run_count; i++)
        if (b->runs[i]->row.id == batch)
            return b->runs[i];
    return NULL;
}

/* What is known of a batch that has gone is not that of another which was given its number. */
static void forget(struct batches *b, struct run *r)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (b->slots[i].stage != SLOT_IDLE && b->slots[i].batch == r->row.id)
            slot_release(&b->slots[i]);
    *r = (struct run){.slots = 0};
}

void batches_look(struct batches *b)
{
    struct batch_row *rows = mem_zalloc(RUNS + 1, sizeof *rows);
    size_t n = 0, left = 0;
    bool known = batches_open(b->ro, NULL, RUNS, rows, &n) == WEIR_OK;

    for (size_t i = 0; i < b->run_count; i++) {
        b->runs[i]->there = !known || b->runs[i]->slots > 0;
        if (known)
            b->runs[i]->row.status = BATCH_CANCELLED;        /* unless it is found below */
    }
    for (size_t i = 0; known && i < n; i++) {
        struct run *r = batches_run(b, rows[i].id);

        if (r && strcmp(r->row.batch_id, rows[i].batch_id) != 0)
            forget(b, r);
        if (!r && b->run_count < RUNS)
            r = b->runs[b->run_count++] = mem_zalloc(1, sizeof *r);
        if (!r)
            continue;
        r->row = rows[i];
        r->there = true;
        if (r->row.status != BATCH_IN_PROGRESS || r->row.paused)
            r->worked_us = 0;
        else if (!r->worked_us)
            r->worked_us = clock_mono_us();
    }
    for (size_t i = 0; i < b->run_count; i++) {
        if (b->runs[i]->there)
            b->runs[left++] = b->runs[i];
        else
            free(b->runs[i]);
    }
    b->run_count = left;
    free(rows);
}

/* --- what is to be done for one --- */

bool batch_run_over(const struct run *r)
{
    return r->row.status != BATCH_IN_PROGRESS || r->row.ends_as >= 0 || clock_utc_ms() >= r->row.expires_ms;
}

/* The slot that an item is in, or NULL. */
static struct slot *slot_of(struct batches *b, const struct run *r, int64_t n)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (b->slots[i].stage != SLOT_IDLE && b->slots[i].batch == r->row.id && b->slots[i].place.n == n)
            return &b->slots[i];
    return NULL;
}

/* What was charged before this Weir began, or before the batch had a budget. */
static bool know_charges(struct batches *b, struct run *r)
{
    size_t n = 0;

    if (r->charges_known)
        return true;
    if (batch_items_charged(b->ro, r->row.id, r->row.batch_id, r->row.user, CHARGED, r->charged, &n))
        return false;
    r->charges = 0;
    for (size_t i = 0; i < n; i++) {
        struct slot *s = slot_of(b, r, r->charged[i].n);

        if (s)
            s->charged = r->charged[i].cost;
        else
            r->charged[r->charges++] = r->charged[i];
    }
    r->charges_known = true;
    return true;
}

int64_t batch_run_room(struct batches *b, struct run *r, const struct slot *s)
{
    int64_t room = r->row.budget - r->row.cost;

    if (r->row.budget < 0)
        return INT64_MAX;
    if (!know_charges(b, r))
        return -1;
    room -= slot_paid(s);
    for (size_t i = 0; i < r->charges; i++)
        room -= r->charged[i].cost;
    for (size_t i = 0; i < SLOTS; i++)
        if (&b->slots[i] != s && b->slots[i].stage != SLOT_IDLE && b->slots[i].batch == r->row.id)
            room -= slot_takes(&b->slots[i]);
    return room;
}

void batch_run_enter(struct batches *b, struct run *r, struct slot *s)
{
    if (r->row.budget >= 0)
        (void)know_charges(b, r);            /* else there is no room for it */
    for (size_t i = 0; i < r->charges; i++)
        if (r->charged[i].n == s->place.n) {
            s->charged = r->charged[i].cost;
            r->charged[i] = r->charged[--r->charges];
            return;
        }
}

void batch_run_leave(struct run *r, const struct slot *s)
{
    int64_t cost = slot_paid(s);

    if (s->stage != SLOT_ENDED && cost > 0 && r->charges < CHARGED)
        r->charged[r->charges++] = (struct batch_item_charge){s->place.n, cost};
}

static void from_the_beginning(struct run *r)
{
    r->next = 0;
    r->all = r->passed = r->freed = false;
}

void batch_run_fetch(struct batches *b, struct run *r)
{
    if (r->at == r->n && r->all && r->passed && r->freed)
        from_the_beginning(r);
    while (r->at == r->n && !r->all) {
        size_t n = 0;

        r->at = r->n = 0;
        if (batch_items_open(b->ro, r->row.id, r->next, FETCH, r->fetched, &n))
            return;
        r->all = n < FETCH;
        if (n > 0)
            r->next = r->fetched[n - 1].n + 1;
        for (size_t i = 0; i < n; i++)
            if (!slot_of(b, r, r->fetched[i].n))
                r->fetched[r->n++] = r->fetched[i];
    }
}

/* What will never be sent is written down as that, a step at a time. True: there is none left. */
static bool write_never(struct batches *b, struct run *r)
{
    static const char expired[] = "This request could not be executed before the completion window expired.";
    struct batch_item_place p[NEVER_AT_ONCE];
    size_t n = 0, used = 0;
    bool cancelled = r->row.ends_as == BATCH_CANCELLED;

    if (batch_items_open(b->ro, r->row.id, 0, NEVER_AT_ONCE, p, &n))
        return false;
    for (size_t i = 0; i < SLOTS && used < n; i++) {
        struct slot *s = &b->slots[i];

        if (s->stage != SLOT_IDLE)
            continue;
        s->line = sb_make(BATCH_LINE_MAX);
        if (!slot_never_line(b->ro, &r->row, &p[used], cancelled ? "batch_cancelled" : "batch_expired",
                             cancelled ? "This request was not executed: the batch was cancelled." : expired, &s->line))
            sb_reset(&s->line);
        s->end = (struct batch_item_end){.batch = r->row.id, .user = r->row.user, .n = p[used].n, .state = ITEM_NEVER, .line = sb_str(&s->line),
                                         .length = s->line.len};
        s->batch = r->row.id;
        s->stage = SLOT_ENDED;
        r->slots++;
        used++;
    }
    return n == 0;
}

/* A step nearer to its end; true if there was one. */
static bool step(struct batches *b, struct run *r)
{
    struct batch_write w = {.run = r};

    if (r->row.status == BATCH_VALIDATING)
        return batch_check(b->w, b->ro, &r->row) == WEIR_OK;
    if (r->slots > 0)
        return false;
    if (r->row.ends_as >= 0)
        return write_never(b, r) ? batches_write(b, &w, run_end) == WEIR_OK : r->slots > 0;
    if (r->row.status == BATCH_CANCELLING)
        w.ends_as = BATCH_CANCELLED;
    else if (r->row.completed + r->row.failed >= r->row.total)
        w.ends_as = BATCH_COMPLETED;
    else if (batch_run_over(r))
        w.ends_as = BATCH_EXPIRED;
    else {
        if (r->all && r->at == r->n)                 /* some were let go before they ended */
            from_the_beginning(r);
        return false;
    }
    return batches_write(b, &w, run_finalize) == WEIR_OK;
}

/* Of inputs, which take their time, only one is checked, so that what is under way goes on between them. */
bool batches_step(struct batches *b)
{
    bool changed = false, checked = false;

    for (size_t i = 0; i < b->run_count && !batches_resting(b); i++) {
        bool checks = b->runs[i]->row.status == BATCH_VALIDATING, done = !(checks && checked) && step(b, b->runs[i]);

        checked = checked || (checks && done);
        changed = changed || done;
    }
    return changed;
}
