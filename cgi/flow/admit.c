/* admit.c - asks come, wait and start.
 *
 * The rules decide (pick.h); this file keeps a ticket for each ask and its
 * deadline. */
#include "flow/admit.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/admit_state.h"

enum {
    FORECAST_REST = 50,           /* microseconds without a forecast for each unit it cost: 1 % of the time */
    FORECAST_SMALL = 64           /* so few items are looked at anew whenever something changed */
};

#define FORECAST_OLD_US INT64_C(1000000)

/* --- made and freed --- */

struct admit *admit_new(const struct admit_config *config, uint64_t seed, int64_t now_us)
{
    struct admit *a = mem_zalloc(1, sizeof *a);

    pick_init(&a->pick, 0);
    forecast_init(&a->forecast, 0);
    learned_init(&a->learned);
    retry_budget_init(&a->retries, config->retry_budget_ppm, now_us);
    a->rng = rng_make(seed);
    a->told = mem_zalloc(ADMIT_UPSTREAMS_MAX, sizeof *a->told);
    admit_outlook_init(a, now_us);
    admit_change(a, config, 0, now_us);
    return a;
}

void admit_free(struct admit *a)
{
    if (!a)
        return;
    for (uint32_t i = 0; i < a->pick.queue.items; i++) {
        if (a->pick.queue.item[i].state != ITEM_FREE)
            free(a->pick.queue.item[i].owner);
    }
    pick_done(&a->pick);
    forecast_done(&a->forecast);
    learned_done(&a->learned);
    heap_done(&a->deadlines);
    free(a->deadline_pos);
    free(a->told);
    free(a->outlook);
    free(a);
}

int64_t admit_waiting(const struct admit *a)
{
    const uint32_t *w = a->pick.queue.waiting;

    return (int64_t)w[PRIORITY_LOW] + w[PRIORITY_MEDIUM] + w[PRIORITY_HIGH];
}

void admit_changed(struct admit *a)
{
    a->changed = a->stale = true;
}

/* --- looking ahead --- */

void admit_look_ahead(struct admit *a, bool anew, int64_t now_us)
{
    int64_t items = (int64_t)a->pick.queue.items;
    int64_t age = now_us - a->forecast.at_us;
    int64_t rest = anew && items <= FORECAST_SMALL ? 0 : a->forecast.cost * FORECAST_REST;

    if (age < (a->stale && rest < FORECAST_OLD_US ? rest : FORECAST_OLD_US))
        return;
    forecast_run(&a->forecast, &a->pick, &a->arrivals, a->config.queue_max, now_us);
    a->stale = false;
}

void admit_promise(struct admit *a, struct admit_ticket *t, const struct forecast_place *place, int64_t now_us)
{
    if (t->promised_us >= 0 || place->guessed || place->start_us == FORECAST_NEVER)
        return;
    t->promised_us = place->start_us;
    t->promised_position = place->position;
    t->promised_at_us = now_us;
    queue_promise(&a->pick.queue, t->item, place->start_us);
}

/* A promise is of the start that follows it; one after that is a retry. */
static void promise_came(struct admit *a, struct admit_ticket *t, int64_t now_us)
{
    if (t->promised_us < 0 || t->judged)
        return;
    promise_judge(&a->promise[item_of(a, t)->priority], t->promised_at_us, t->promised_us, now_us);
    t->judged = true;
}

void admit_promise_broken(struct admit *a, const struct admit_ticket *t, int64_t now_us)
{
    if (t->promised_us >= 0 && !t->judged)
        promise_broken(&a->promise[item_of(a, t)->priority], t->promised_at_us, t->promised_us, now_us);
}

/* Would this upstream start it this very moment? With others before it, only where nobody was held up just now. */
static bool upstream_takes(struct admit *a, const struct item *it, int upstream, int stage, int64_t before, int64_t now_us)
{
    const struct pick_upstream *u = &a->pick.upstream[upstream];
    struct limits *l = &a->pick.limits[u->group];
    struct limits_need need;
    enum gate why;

    if (u->down || u->cooldown_us > now_us || u->running + before >= u->max_concurrent)
        return false;
    if ((before > 0 && u->why != GATE_NONE) || !pick_need(&a->pick, it, upstream, stage, &need))
        return false;
    limits_tick(l, now_us);
    return limits_closed_us(l, &why) == 0 && limits_fits(l, &need);
}

/* Then nothing needs to be foretold, and it takes no place in the queue. */
static bool starts_now(struct admit *a, const struct item *it, int64_t before, int64_t now_us)
{
    struct pick_where w = pick_where(&a->pick, it, now_us);

    for (uint64_t left = w.upstreams; left; left &= left - 1) {
        if (upstream_takes(a, it, __builtin_ctzll(left), w.stage, before, now_us))
            return true;
    }
    return false;
}

/* --- in line --- */

/* Its line, with clocks that stand at now. */
static const struct line *line_of(struct admit *a, const struct admit_ticket *t, int64_t now_us)
{
    uint32_t line = a->pick.queue.flow[item_of(a, t)->flow].line;

    queue_blame(&a->pick.queue, line, a->pick.queue.line[line].why, now_us);
    return &a->pick.queue.line[line];
}

/* It became ready: what is added to the line's clocks from now on held this ask. */
static void clock_start(struct admit *a, struct admit_ticket *t, int64_t now_us)
{
    memcpy(t->clock_us, line_of(a, t, now_us)->held_us, sizeof t->clock_us);
}

static void clock_read(struct admit *a, const struct admit_ticket *t, int64_t now_us, int64_t held_us[GATE_COUNT])
{
    const struct line *l = line_of(a, t, now_us);

    for (int g = 0; g < GATE_COUNT; g++)
        held_us[g] += l->held_us[g] - t->clock_us[g];
}

static struct admit_wait wait_of(const struct admit_ticket *t)
{
    struct admit_wait w = {.promised_us = t->promised_us, .promised_position = t->promised_position};

    memcpy(w.held_us, t->held_us, sizeof w.held_us);
    return w;
}

void admit_waited(struct admit *a, const struct admit_ticket *t, int64_t now_us, struct admit_wait *out)
{
    *out = wait_of(t);
    switch (item_of(a, t)->state) {
    case ITEM_READY: clock_read(a, t, now_us, out->held_us); break;
    case ITEM_PARKED: out->held_us[GATE_SESSION] += now_us - t->waits_us; break;
    case ITEM_RESTING: out->held_us[GATE_BACKOFF] += now_us - t->waits_us; break;
    case ITEM_RUNNING:
    case ITEM_FREE: break;
    }
}

const struct admit_wait *admit_left(const struct admit *a)
{
    return &a->left;
}

/* Those whose rest is over. */
static void wake_resting(struct admit *a, int64_t now_us)
{
    uint32_t item;

    while ((item = queue_wake(&a->pick.queue, now_us)) != QUEUE_NONE) {
        struct admit_ticket *t = a->pick.queue.item[item].owner;

        t->held_us[GATE_BACKOFF] += now_us - t->waits_us;
        clock_start(a, t, now_us);
    }
}

static struct admit_ticket *ticket_new(struct admit *a, const struct ask *ask, const struct admit_candidates *c, int from_stage,
                                       int64_t now_us)
{
    struct admit_ticket *t = mem_zalloc(1, sizeof *t + (size_t)c->n * sizeof *t->candidate);
    struct queue_entry e = {
        .priority = ask->priority, .user = ask->user, .weight = ask->weight, .session = ask->session, .upstreams = ask->upstreams,
        .arrived_us = ask->arrived_us, .input = ask->prompt_tokens, .max_output = ask->max_tokens, .owner = t,
    };

    t->job = ask->job;
    t->user = ask->user;
    t->model = ask->model;
    t->deadline_us = ask->deadline_us;
    t->promised_us = -1;
    t->waits_us = now_us;
    if (c->n) {
        memcpy(t->candidate, c->of, (size_t)c->n * sizeof *t->candidate);
        e.candidates = t->candidate;
        e.candidate_count = c->n;
        e.upstreams = c->upstreams;
        e.input = c->of[0].input;
        e.max_output = c->of[0].max_output;
        e.want_output = c->of[0].want_output;
        e.expect_output = c->of[0].expect_output;
    } else {
        struct learned_guess guess = learned_guess(&a->learned, ask->model, ask->user, ask->max_tokens);

        e.want_output = guess.reserve;
        e.expect_output = guess.expect;
    }
    t->item = queue_add(&a->pick.queue, &e);
    item_of(a, t)->from_stage = from_stage;
    t->moved = CHOICE_FALLBACK_LATE;
    if (t->item >= a->deadline_cap) {
        a->deadline_cap = a->pick.queue.item_cap;
        a->deadline_pos = mem_grow(a->deadline_pos, a->deadline_cap, sizeof *a->deadline_pos);
    }
    heap_push(&a->deadlines, a->deadline_pos, t->deadline_us, t->item, t->item);
    clock_start(a, t, now_us);
    return t;
}

void admit_drop(struct admit *a, struct admit_ticket *t, int64_t now_us)
{
    const struct item *it = item_of(a, t);
    uint32_t next = it->before == QUEUE_NONE ? it->after : QUEUE_NONE;

    if (it->state != ITEM_RUNNING) {
        admit_waited(a, t, now_us, &a->left);
        heap_remove(&a->deadlines, a->deadline_pos, a->deadline_pos[t->item]);
    }
    queue_remove(&a->pick.queue, t->item);
    if (next != QUEUE_NONE) {
        struct admit_ticket *n = a->pick.queue.item[next].owner;

        n->held_us[GATE_SESSION] += now_us - n->waits_us;
        clock_start(a, n, now_us);
    }
    free(t);
    admit_changed(a);
}

/* What can start at once needs no place. And a full queue still has room for those who have less than half their part
 * of it waiting, or one user could shut all others out: a tenth more. */
static bool queue_full(struct admit *a, const struct ask *ask, const struct admit_candidates *c, int64_t now_us)
{
    const struct queue *q = &a->pick.queue;
    const struct item it = admit_item_like(ask, c);
    int64_t room = a->config.queue_max - admit_waiting(a);

    if (room > 0)
        return false;
    if (room > -(a->config.queue_max / 10) &&
        queue_waiting_of(q, ask->priority, ask->user) < a->config.queue_max / (2 * ((int64_t)q->sharers + 1)))
        return false;
    return queue_session_busy(q, ask->session) || !starts_now(a, &it, admit_waiting(a), now_us);
}

/* Expected wait of a ticket just put in line, -1: never. */
static int64_t expected_wait(struct admit *a, struct admit_ticket *t, int64_t deadline_us, int64_t now_us)
{
    struct forecast_place place;

    if (item_of(a, t)->state == ITEM_READY && starts_now(a, item_of(a, t), admit_waiting(a) - 1, now_us))
        return 0;
    admit_look_ahead(a, false, now_us);
    place = forecast_of(&a->forecast, &a->pick, t->item, now_us);
    if (place.guessed && place.start_us > deadline_us) {
        admit_look_ahead(a, true, now_us);               /* a guess is no reason to refuse, where to look costs little */
        place = forecast_of(&a->forecast, &a->pick, t->item, now_us);
    }
    admit_promise(a, t, &place, now_us);
    if (place.start_us == FORECAST_NEVER)
        return -1;
    return place.start_us > now_us ? place.start_us - now_us : 0;
}

/* Put in line with the first stage that begins in time, as far as can be foretold; if none does, with the last.
 * *wait_us is the shortest of the waits. */
static struct admit_ticket *line_up(struct admit *a, const struct ask *ask, const struct admit_candidates *c, int64_t now_us,
                                    int64_t *wait_us)
{
    int64_t least_us = INT64_MAX;

    for (int stage = 0;;) {
        struct admit_ticket *t = ticket_new(a, ask, c, stage, now_us);
        int next = admit_stage_after(c->of, c->n, pick_where(&a->pick, item_of(a, t), now_us).stage);

        admit_changed(a);
        *wait_us = expected_wait(a, t, ask->deadline_us, now_us);
        if (*wait_us <= 0 || now_us + *wait_us <= ask->deadline_us)
            return t;
        if (*wait_us < least_us)
            least_us = *wait_us;
        if (next < 0) {
            *wait_us = least_us;
            return t;
        }
        admit_drop(a, t, now_us);
        stage = next;
    }
}

/* Does its wait hang on how long calls take where hardly one has ended yet? */
static bool wait_guessed(struct admit *a, const struct admit_ticket *t)
{
    for (uint64_t left = item_of(a, t)->upstreams; left; left &= left - 1) {
        int i = __builtin_ctzll(left);
        const struct pick_upstream *u = &a->pick.upstream[i];

        if (!u->down && u->calls < PICK_CALLS_ENOUGH && u->running + admit_waiting_for(a, i) > u->max_concurrent)
            return true;
    }
    return false;
}

/* Where it may go, and why it cannot be taken at all. What is too large may be so for a limit that was told too long ago. */
static enum weir_err consider(struct admit *a, const struct ask *ask, int64_t now_us, struct admit_candidates *c)
{
    enum weir_err e;

    admit_candidates(a, ask, c);
    e = admit_refused_outright(a, ask, c);
    if (e != WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT)
        return e;
    for (uint32_t g = 0; g < a->pick.groups; g++)
        limits_tick(&a->pick.limits[g], now_us);
    admit_candidates(a, ask, c);
    return admit_refused_outright(a, ask, c);
}

enum weir_err admit_enqueue(struct admit *a, const struct ask *ask, int64_t now_us, struct admit_ticket **ticket,
                            int64_t *wait_us)
{
    struct admit_candidates c;
    enum weir_err e;

    e = consider(a, ask, now_us, &c);
    *wait_us = -1;
    if (!e && queue_full(a, ask, &c, now_us))
        e = WEIR_E_QUEUE_FULL;
    if (e) {
        a->counters.rejected++;
        return e;
    }
    *ticket = line_up(a, ask, &c, now_us, wait_us);
    if (*wait_us > 0 && now_us + *wait_us > ask->deadline_us && !wait_guessed(a, *ticket)) {
        admit_drop(a, *ticket, now_us);
        *ticket = NULL;
        a->counters.rejected++;
        return WEIR_E_QUEUE_TIMEOUT;
    }
    if (ask->priority == PRIORITY_HIGH) {                /* not before: who is refused takes no reserve from others */
        pick_high_asked(&a->pick, c.n ? c.upstreams : ask->upstreams, now_us);
        admit_changed(a);
    }
    admit_outlook_note(a, (*ticket)->item, now_us);
    arrivals_note(&a->arrivals, &a->pick.queue, (*ticket)->item, ask->user, now_us);
    a->counters.enqueued++;
    return WEIR_OK;
}

enum weir_err admit_forecast(struct admit *a, const struct ask *ask, int64_t now_us, struct admit_prospect *out)
{
    struct admit_candidates c;
    enum weir_err e;

    e = consider(a, ask, now_us, &c);
    out->wait_us = -1;
    out->least_output[0] = learned_guess(&a->learned, ask->model, ask->user, ask->max_tokens).least;
    for (size_t i = 0; i < ask->candidate_count && i < ASK_CANDIDATES_MAX; i++)
        out->least_output[i] = learned_guess(&a->learned, ask->candidates[i].model, ask->user, ask->candidates[i].max_tokens).least;
    if (e)
        return e;
    a->stale = true;
    admit_drop(a, line_up(a, ask, &c, now_us, &out->wait_us), now_us);
    return WEIR_OK;
}

/* Why it goes where pick_next() put it: what happened before says more than the choice itself. */
static enum choice why_there(struct admit_ticket *t, const struct item *it)
{
    int before = t->stage;

    t->stage = it->stage;
    if (it->stage > before)
        return it->stage == it->from_stage ? t->moved : CHOICE_FALLBACK_UNHEALTHY;
    return t->retried ? CHOICE_RETRY : it->choice;
}

bool admit_next(struct admit *a, int64_t now_us, struct admit_grant *out)
{
    struct admit_ticket *t;
    const struct item *it;
    uint32_t item;

    admit_outlook_turn(a, now_us);
    if (!a->changed && now_us < a->pick.wake_us)
        return false;
    wake_resting(a, now_us);
    if (!pick_next(&a->pick, now_us, &item)) {
        a->changed = false;
        return false;
    }
    it = &a->pick.queue.item[item];
    t = it->owner;
    heap_remove(&a->deadlines, a->deadline_pos, a->deadline_pos[item]);
    admit_changed(a);
    a->counters.admitted++;
    if (!t->retried)
        retry_budget_request(&a->retries, now_us);
    if (it->candidates)
        t->model = pick_candidate(it, it->upstream, it->stage)->model;
    promise_came(a, t, now_us);
    a->granted[it->upstream].calls++;
    a->granted[it->upstream].wait_us += now_us - t->waits_us;
    clock_read(a, t, now_us, t->held_us);
    *out = (struct admit_grant){.ticket = t, .job = t->job, .upstream = it->upstream, .candidate = it->number,
                                .choice = why_there(t, it), .reserved_input = it->hold.input,
                                .reserved_output = it->hold.output, .wait = wait_of(t)};
    return true;
}

struct admit_ticket *admit_resume(struct admit *a, const struct ask *ask, int upstream, int64_t now_us)
{
    const struct admit_candidates none = {.n = 0};
    struct admit_ticket *t = ticket_new(a, ask, &none, 0, now_us);

    heap_remove(&a->deadlines, a->deadline_pos, a->deadline_pos[t->item]);
    limits_tick(&a->pick.limits[a->pick.upstream[upstream].group], now_us);
    pick_resume(&a->pick, t->item, upstream, now_us);
    admit_changed(a);
    return t;
}

void *admit_expire(struct admit *a, int64_t now_us)
{
    struct admit_ticket *t;
    void *job;

    if (!a->deadlines.n || a->deadlines.v[0].key > now_us)
        return NULL;
    t = a->pick.queue.item[a->deadlines.v[0].id].owner;
    job = t->job;
    admit_promise_broken(a, t, now_us);
    admit_drop(a, t, now_us);
    a->counters.timed_out++;
    return job;
}

int64_t admit_wake_us(const struct admit *a, int64_t now_us)
{
    int64_t wake = admit_waiting(a) ? a->pick.wake_us : INT64_MAX;

    if (a->changed)
        return now_us;
    return a->deadlines.n && a->deadlines.v[0].key < wake ? a->deadlines.v[0].key : wake;
}

void admit_cancel(struct admit *a, struct admit_ticket *t, int64_t now_us)
{
    admit_drop(a, t, now_us);
    a->counters.cancelled++;
}

void admit_promote(struct admit *a, struct admit_ticket *t, enum priority p, int64_t now_us)
{
    bool ready = item_of(a, t)->state == ITEM_READY;

    if (ready)
        clock_read(a, t, now_us, t->held_us);         /* of the line it leaves */
    queue_promote(&a->pick.queue, t->item, t->user, p);
    if (ready)
        clock_start(a, t, now_us);
    if (p == PRIORITY_HIGH)
        pick_high_asked(&a->pick, item_of(a, t)->upstreams, now_us);
    t->promised_us = -1;                              /* it was told for another line */
    admit_changed(a);
}

bool admit_hurry(struct admit *a, struct admit_ticket *t, int64_t now_us)
{
    if (item_of(a, t)->state != ITEM_RESTING)
        return false;
    queue_hurry(&a->pick.queue, t->item, now_us);
    admit_changed(a);
    return true;
}
