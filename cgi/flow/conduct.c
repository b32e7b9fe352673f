/* conduct.c - a job's way: arrival, line, grant, commit, end.
 *
 * Two things run side by side for each job and meet here: its place in
 * admission (ticket) and what the writer has in hand (writing). Whatever comes
 * while the writer reads the record waits in flags until it is through. */
#include <stdlib.h>
#include <sys/epoll.h>

#include "flow/engine_impl.h"

static const struct job_end end_cancelled = {.status = CALL_CANCELLED, .finish = "cancelled", .retry_after_ms = -1};

static struct job_end end_error(enum weir_err err, enum call_status status, int64_t retry_after_ms)
{
    return (struct job_end){.err = err, .status = status, .retry_after_ms = retry_after_ms};
}

/* --- what the writer does --- */

static enum weir_err take_key(struct db *db, const struct job *j)
{
    return j->once && !j->once->taken ? idempotency_take(db, &j->once->key, j->once->request_id, j->rec.accepted_at_ms) : WEIR_OK;
}

/* What is said of a lease is known before it is given: it is stored with it, so that a kill leaves both or neither. */
static enum weir_err keep_lease_answer(struct db *db, const struct job *j)
{
    const struct sb *said = j->once && j->lease && !j->lease->batch ? &j->once->said : NULL;

    return said ? idempotency_answer(db, j->once->request_id, sb_str(said), said->len) : WEIR_OK;
}

static enum weir_err run_accept(struct db *db, struct write_op *op)
{
    const struct job *j = OF(struct job, op, op);
    bool sent = j->writing == OP_ACCEPT_SENT;
    enum weir_err e = take_key(db, j);

    if (!e)
        e = usage_accept(db, &j->rec, sent);
    return e || !sent ? e : keep_lease_answer(db, j);
}

static enum weir_err run_sent(struct db *db, struct write_op *op)
{
    const struct job *j = OF(struct job, op, op);
    enum weir_err e = usage_sent(db, &j->rec);

    return e ? e : keep_lease_answer(db, j);
}

static enum weir_err run_settle(struct db *db, struct write_op *op)
{
    return usage_settle(db, &OF(struct job, op, op)->rec);
}

static void committed(struct engine *e, struct mail *m);

/* On the writer's thread. */
static void written(struct write_op *op, enum weir_err result)
{
    struct job *j = OF(struct job, op, op);

    op->result = result;
    if (j->writing == OP_SETTLE && j->engine->oplog)
        oplog_note(j->engine->oplog, &j->rec);
    j->mail.deliver = committed;
    engine_post(j->engine, &j->mail);
}

static void write_rows(struct engine *e, struct job *j, enum job_op what)
{
    static enum weir_err (*const runs[])(struct db *, struct write_op *) = {
        [OP_ACCEPT] = run_accept, [OP_ACCEPT_SENT] = run_accept, [OP_SENT] = run_sent, [OP_SETTLE] = run_settle,
    };

    j->writing = what;
    j->op = (struct write_op){.run = runs[what], .done = written, .settles = what == OP_SETTLE ? &j->rec : NULL};
    writer_submit(e->w, &j->op);
}

/* --- the last steps --- */

static void leave(struct engine *e, struct job *j)
{
    relay_forget(e, j);
    loop_forget(e, j->client.fd, &j->watch);
    client_close(&j->client);
    if (j->next)
        j->next->prev = j->prev;
    if (j->prev)
        j->prev->next = j->next;
    else
        e->jobs = j->next;
    e->job_count--;
    j->state = JOB_GONE;
    j->grave = e->dead;
    e->dead = j;
}

void conduct_bury(struct engine *e)
{
    while (e->dead) {
        struct job *j = e->dead;

        e->dead = j->grave;
        job_free(j);
    }
}

/* What it has come to is what everybody hears who sends it again; unless it came to nothing and cost nothing, so that it can
 * be tried again, as a lease that was not given can. */
static void end_once(struct engine *e, struct job *j)
{
    const struct call_record *r = &j->rec;
    bool nothing = j->lease || (j->end.err && r->usage.prompt + r->usage.completion + r->cost.total == 0);

    if (!j->once || !j->once->taken)
        return;
    once_end(j->once, e->w, !nothing);
    j->once = NULL;
}

/* Nothing is left but to say so. */
static void tell(struct engine *e, struct job *j)
{
    purse_release(e, j);
    access_release(e, j);
    allowance_release(e, j);
    meter_ended(e, j);
    trace_ended(j);
    j->state = JOB_FLUSHING;
    j->quiet_us = e->now_us;
    if (!j->lease || !lease_ended(e, j))
        relay_end(e, j);
    share_ended(e, j);
    follow_ended(e, j);
    end_once(e, j);
    if (j->client.fd < 0 || client_pending(&j->client) == 0)
        leave(e, j);
    else
        loop_want_out(e, j->client.fd, &j->watch, true);
}

static void settle(struct engine *e, struct job *j)
{
    settle_fill(e, j);
    purse_settle(e, j);
    access_settle(e, j);
    allowance_settle(e, j);
    j->state = JOB_COMMITTING;
    e->tally.records_pending++;
    write_rows(e, j, OP_SETTLE);
}

/* Of the prompt, what its provider's limits count: Anthropic's do not what the cache had. A unit counts as a token. */
static int64_t counted_input(const struct engine *e, const struct job *j)
{
    bool all = e->s->upstreams[j->grant.upstream].protocol != PROTOCOL_ANTHROPIC;

    return (all ? j->usage.prompt : j->usage.prompt - j->usage.cached) + j->usage.units;
}

/* The ticket goes back as what it is by now: a call that ran, one that may not have, or a place in line. */
static void give_back(struct engine *e, struct job *j)
{
    struct admit_ticket *t = j->ticket;

    j->ticket = NULL;
    if (!t)
        return;
    e->leases -= j->lease && j->lease->runs;
    if (!j->granted) {
        admit_cancel(e->admit, t, e->now_us);
        j->grant.wait = *admit_left(e->admit);
    } else if (j->state == JOB_CONNECTING || j->state == JOB_STREAMING)
        admit_settle(e->admit, t, counted_input(e, j), j->usage.completion, e->now_us);
    else
        admit_release(e->admit, t, e->now_us);
    e->places_due = true;
}

/* When it is worth trying again, where nobody knows better; -1: it is not by waiting. */
static int64_t usual_wait_ms(enum weir_err err)
{
    switch (err_status(err)) {
    case 429:
        return err == WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT ? -1 : 1000;
    case 503:
        if (err == WEIR_E_STORAGE)
            return WRITER_RETRY_MS;
        return err == WEIR_E_UPSTREAM_QUOTA || err == WEIR_E_NO_UPSTREAM ? 60000 : 5000;
    default:
        return -1;
    }
}

void conduct_end(struct engine *e, struct job *j, struct job_end end)
{
    if (j->ending) {
        free(end.message);
        free(end.extra);
        return;
    }
    j->ending = true;
    j->end = end;
    if (end.err && end.retry_after_ms <= 0)
        j->end.retry_after_ms = usual_wait_ms(end.err);
    j->ended_us = e->now_us;
    settle_usage(e, j);
    attempt_stop(e, j);
    pace_stop(e, j);
    if (j->lease && j->lease->runs)
        attempt_close_row(e, j, 0, end.err, "");
    give_back(e, j);
    if (j->writing != OP_NONE)
        return;                       /* committed() goes on */
    if (j->recorded)
        settle(e, j);
    else
        tell(e, j);
}

void conduct_cancel(struct engine *e, struct job *j)
{
    struct job_end end = end_cancelled;

    if (j->wire != WIRE_OWN || (j->kind == JOB_COMPLETE && !j->sent_us)) {
        end.err = WEIR_E_CANCELLED;
        end.finish = NULL;
    }
    conduct_end(e, j, end);
}

void conduct_client_gone(struct engine *e, struct job *j)
{
    (void)epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, j->client.fd, NULL);
    client_close(&j->client);
    relay_forget(e, j);
    if (j->state == JOB_FLUSHING)
        leave(e, j);
    else
        conduct_unread(e, j);
}

void conduct_unread(struct engine *e, struct job *j)
{
    if (j->client.fd >= 0 || (j->stream && j->stream->readers) || lease_runs(j))
        return;
    if (!j->keep) {
        conduct_end(e, j, end_cancelled);
        return;
    }
    j->unread_us = e->now_us;
    attempt_resume(e, j);             /* last: the answer may end in it */
}

void conduct_client_writable(struct engine *e, struct job *j)
{
    int left = client_flush(&j->client);

    if (left < 0) {
        conduct_client_gone(e, j);
        return;
    }
    j->quiet_us = e->now_us;
    if (left == 0) {
        loop_want_out(e, j->client.fd, &j->watch, false);
        if (j->state == JOB_FLUSHING)
            leave(e, j);
        else if (lease_runs(j))
            lease_heard(e, j);
    }
    if (client_pending(&j->client) < CLIENT_HIGH_WATER / 2)
        attempt_resume(e, j);         /* last: new bytes may wait after it, or the answer may have ended */
}

/* --- arrival and line --- */

/* May its session take more? Else `no` says why not. */
static bool session_may(struct engine *e, const struct job *j, struct job_end *no)
{
    struct allowance_refusal r;

    if (allowance_may(e, &j->ask, &j->session_known, &r))
        return true;
    no->err = WEIR_E_SESSION_COOLING;
    no->message = r.message;
    no->retry_after_ms = r.retry_after_ms;
    return false;
}

/* Why nothing new is begun for it, or OK. */
static enum weir_err closed_to(struct engine *e, const struct job *j)
{
    if (access_was_ended(e, j))
        return WEIR_E_ACCESS_ENDED;
    if (e->draining)
        return WEIR_E_DRAINING;
    return writer_healthy(e->w) ? WEIR_OK : WEIR_E_STORAGE;
}

/* Its caller's limits, its session's tokens, money, then a place in line: one step, as nothing comes between. Gives why not, or an end without an error. */
static struct job_end line_up(struct engine *e, struct job *j)
{
    struct job_end no = end_error(closed_to(e, j), CALL_REJECTED, -1);
    int64_t wait_us = -1;

    if (!no.err && access_may(e, j, &no) && session_may(e, j, &no) && purse_take(e, j, &no))
        no.err = admit_enqueue(e->admit, &j->ask, e->now_us, &j->ticket, &wait_us);
    if (j->ticket) {
        access_hold(e, j);
        allowance_hold(e, j);
    }
    if (wait_us >= 0)
        no.retry_after_ms = (wait_us + 999) / 1000;
    return no;
}

void conduct_line_up(struct engine *e, struct job *j)
{
    struct job_end no = line_up(e, j);

    j->shared = false;
    if (no.err)
        conduct_end(e, j, no);
}

void conduct_enlist(struct engine *e, struct job *j)
{
    j->next = e->jobs;
    if (e->jobs)
        e->jobs->prev = j;
    e->jobs = j;
    e->job_count++;
}

void conduct_arrive(struct engine *e, struct mail *m)
{
    struct job *j = OF(struct job, mail, m);

    j->state = JOB_ACCEPTING;
    j->ask.job = j;
    j->quiet_us = e->now_us;
    conduct_enlist(e, j);
    if (e->tick_us > e->now_us + ENGINE_TICK_US)
        e->tick_us = e->now_us + ENGINE_TICK_US;
    if (!loop_watch(e, j->client.fd, &j->watch, j, NULL)) {
        conduct_end(e, j, end_error(WEIR_E_OVERLOADED, CALL_REJECTED, -1));
        return;
    }
    if (closed_to(e, j) || !share_arrive(e, j))
        conduct_line_up(e, j);
    if (j->ending)
        return;
    j->chain = NULL;
    *e->fresh_end = j;
    e->fresh_end = &j->chain;
}

static void send_intent(struct engine *e, struct job *j)
{
    attempt_open_row(e, j);
    j->state = JOB_INTENT;
    write_rows(e, j, OP_SENT);
}

static void grant(struct engine *e, const struct admit_grant *g)
{
    struct job *j = g->job;

    j->grant = *g;
    j->granted = true;
    e->places_due = true;
    if (!j->first_sent_us)
        snapshot_note_wait(e, e->now_us - j->ask.arrived_us);
    meter_granted(e, j);
    trace_granted(j, e->now_us);
    if (j->state == JOB_QUEUED)
        send_intent(e, j);
}

/* Jobs that arrived in this turn: those that may start at once need one commit instead of two. */
static void accept_fresh(struct engine *e)
{
    struct job *j = e->fresh;

    e->fresh = NULL;
    e->fresh_end = &e->fresh;
    while (j) {
        struct job *next = j->chain;

        if (!j->ending) {
            if (j->granted)
                attempt_open_row(e, j);
            write_rows(e, j, j->granted ? OP_ACCEPT_SENT : OP_ACCEPT);
        }
        j = next;
    }
}

static void visit_place(void *ctx, void *job, const struct admit_place *p)
{
    struct job *j = job;

    if (j->state == JOB_QUEUED && !j->granted)
        relay_place(ctx, j, p);
}

/* One forecast tells everybody who waits where they stand: at every tick, and at once when somebody new waits or the
 * line has moved, but never for more than a twentieth of the time. */
static void tell_places(struct engine *e)
{
    int64_t begun_us;

    if (!e->places_due || e->now_us < e->places_us)
        return;
    begun_us = clock_mono_us();
    e->places_due = false;
    admit_each_waiting(e->admit, e->now_us, visit_place, e);
    e->places_us = e->now_us + (clock_mono_us() - begun_us) * 20;
}

void conduct_turn(struct engine *e)
{
    struct admit_grant g;
    struct job *j;

    while (admit_next(e->admit, e->now_us, &g))
        grant(e, &g);
    while ((j = admit_expire(e->admit, e->now_us))) {
        j->ticket = NULL;
        j->grant.wait = *admit_left(e->admit);
        conduct_end(e, j, end_error(WEIR_E_QUEUE_TIMEOUT, CALL_TIMEOUT, -1));
    }
    accept_fresh(e);
    tell_places(e);
}

void conduct_retry(struct engine *e, struct job *j)
{
    j->state = JOB_QUEUED;
    j->granted = false;
    j->usage = (struct usage_tokens){0};
    j->estimated = false;
    j->marked = 0;
    settle_sum(j);
    j->told.position = 0;
    e->places_due = true;
}

/* --- after a commit --- */

static void committed(struct engine *e, struct mail *m)
{
    struct job *j = OF(struct job, mail, m);
    enum job_op what = j->writing;
    enum weir_err result = j->op.result;

    j->writing = OP_NONE;
    if (what == OP_SETTLE) {
        e->tally.records_pending--;
        e->tally.records_lost += result != WEIR_OK;
        tell(e, j);                   /* whatever came of it: the writer has said what was lost */
        return;
    }
    if (!result && what != OP_SENT) {
        j->recorded = true;
        if (j->once)
            j->once->taken = true;
    }
    if (j->ending) {
        if (j->recorded)
            settle(e, j);
        else
            tell(e, j);
        return;
    }
    if (result) {
        conduct_end(e, j, end_error(result, CALL_ERROR, -1));
        return;
    }
    if (what != OP_SENT)
        relay_accepted(e, j);
    if (what != OP_ACCEPT) {
        attempt_start(e, j);
    } else {
        j->state = JOB_QUEUED;
        e->places_due = true;
        if (j->granted)
            send_intent(e, j);
        else if (j->shared)
            share_recorded(e, j);
    }
}

void conduct_drain(struct engine *e)
{
    bool all = e->now_us >= e->drain_until_us;

    e->draining = true;
    for (struct job *j = e->jobs, *next; j; j = next) {
        next = j->next;
        if (lease_runs(j)) {          /* it runs on; the next start takes it up, and holds its money again */
            if (e->stopping) {
                purse_release(e, j);
                leave(e, j);
            }
            continue;
        }
        if (all || !j->sent_us)
            conduct_end(e, j, end_error(WEIR_E_DRAINING, j->sent_us ? CALL_ERROR : CALL_REJECTED, -1));
        if (all && j->state == JOB_FLUSHING)
            leave(e, j);
    }
}
