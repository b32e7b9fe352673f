/* pick.c - one sweep over what waits, in order, with claims. */
#include "rules/pick.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/pick_inside.h"
#include "rules/promise.h"

/* What one sweep knows so far. Masks have a bit for each upstream. */
struct sweep {
    int64_t now_us;
    struct pick_health health;
    uint64_t open;                           /* could start a call now, as far as calls in general go */
    uint64_t claimed;                        /* somebody ahead waits for it */
    uint64_t lenient;                        /* claimed, but something may still pass */
    uint64_t foreseen;                       /* when something may pass is known */
    int64_t (*slack)[DIM_COUNT];             /* by group: what may pass */
    uint32_t started;
    bool due;                                /* it is the turn of one that has waited too long */
};

/* An upstream that could start an item now, or the one that will first. */
struct option {
    int upstream;                            /* -1: none */
    bool failed;                             /* the item has failed there */
    int64_t cost, room, wait_us;
    struct limits_need need;
};

void pick_init(struct pick *p, uint32_t groups)
{
    memset(p, 0, sizeof *p);
    queue_init(&p->queue);
    p->groups = groups;
    p->limits = mem_zalloc(PICK_UPSTREAMS, sizeof *p->limits);
    p->turn = PRIORITY_HIGH;
}

void pick_done(struct pick *p)
{
    queue_done(&p->queue);
    free(p->limits);
    memset(p, 0, sizeof *p);
}

void pick_copy(struct pick *to, const struct pick *from)
{
    struct queue queue = to->queue;
    struct limits *limits = to->limits;

    queue_copy(&queue, &from->queue);
    memcpy(limits, from->limits, from->groups * sizeof *limits);
    *to = *from;
    to->queue = queue;
    to->limits = limits;
}

bool pick_need(const struct pick *p, const struct item *it, int upstream, int stage, struct limits_need *need)
{
    const struct candidate *c = it->candidates ? pick_candidate(it, upstream, stage) : NULL;
    const struct pick_upstream *u = &p->upstream[upstream];
    const struct limits *l = &p->limits[u->group];

    need->who = it->priority == PRIORITY_HIGH ? LIMITS_HIGH : it->priority == PRIORITY_LOW ? LIMITS_LOW : LIMITS_USUAL;
    need->output_at_start = u->output_at_start;
    need->input = c ? c->input : it->input;
    need->output = !u->output_at_start && !u->exact ? 1 : c ? c->max_output : it->max_output;
    if (limits_too_large(l, need))
        return false;
    if (!u->output_at_start && !u->exact)
        need->output = limits_fit_output(l, need->input, c ? c->want_output : it->want_output);
    return true;
}

int64_t pick_call_us(const struct pick_upstream *u, int64_t output)
{
    int64_t part = u->call_us / 4;

    /* A quarter of a call is its start; the rest grows with what it writes. */
    if (u->call_output <= 0)
        return u->call_us;
    return part + (u->call_us - part) * output / u->call_output;
}

void pick_high_asked(struct pick *p, uint64_t upstreams, int64_t now_us)
{
    for (uint64_t left = upstreams; left; left &= left - 1)
        limits_high_asked(&p->limits[p->upstream[__builtin_ctzll(left)].group], now_us);
}

static void wake_at(struct pick *p, int64_t at_us)
{
    if (at_us < p->wake_us)
        p->wake_us = at_us;
}

/* Bring limits up to now and see which upstreams take calls at all. */
static void sweep_open(struct pick *p, struct sweep *s)
{
    s->open = s->claimed = s->lenient = s->foreseen = 0;
    s->health = (struct pick_health){0, 0, 0};
    for (uint32_t g = 0; g < p->groups; g++)
        limits_tick(&p->limits[g], s->now_us);
    pick_spread(p, s->now_us);
    for (int i = 0; i < (int)p->upstreams; i++) {
        struct pick_upstream *u = &p->upstream[i];
        int64_t closed;

        u->why = GATE_NONE;
        pick_health_note(&s->health, p, i, s->now_us);
        if (u->doubt_us > s->now_us)
            wake_at(p, u->doubt_us);
        if (u->down) {
            u->why = GATE_BACKOFF;
            continue;
        }
        closed = limits_closed_us(&p->limits[u->group], &u->why);
        if (u->cooldown_us - s->now_us > closed) {
            closed = u->cooldown_us - s->now_us;
            u->why = GATE_BACKOFF;
        }
        if (u->running >= u->max_concurrent)
            u->why = GATE_CONCURRENCY;
        else if (closed > 0)
            wake_at(p, s->now_us + closed);
        else
            s->open |= pick_bit(i);
    }
}

static int64_t headroom_ppm(const struct pick *p, int upstream)
{
    const struct pick_upstream *u = &p->upstream[upstream];
    int64_t calls = (u->max_concurrent - u->running) * 1000000 / u->max_concurrent;
    int64_t limits = limits_headroom_ppm(&p->limits[u->group]);

    return calls < limits ? calls : limits;
}

static void sweep_claim(struct pick *p, struct sweep *s, int upstream, const struct limits_need *need, int64_t wait_us)
{
    uint32_t g = p->upstream[upstream].group;
    bool some = wait_us >= PICK_BACKFILL_US;

    limits_slack(&p->limits[g], need, wait_us, s->slack[g]);
    for (int d = 0; d < DIM_COUNT; d++)
        some = some && s->slack[g][d] > 0;
    s->claimed |= p->group_mask[g];
    if (some)
        s->lenient |= p->group_mask[g];
}

/* Why this one of all that the item might have gone to; `starts` of them could have begun now. */
static enum choice choice_of(const struct item *it, const struct pick_where *w, const struct option *chosen, int starts)
{
    bool cheaper = false, dearer = false;

    if ((w->upstreams & (w->upstreams - 1)) == 0)
        return CHOICE_ONLY;
    for (uint64_t left = it->candidates ? w->upstreams : 0; left; left &= left - 1) {
        int64_t cost = pick_candidate(it, __builtin_ctzll(left), w->stage)->cost;

        cheaper = cheaper || cost < chosen->cost;
        dearer = dearer || cost > chosen->cost;
    }
    if (cheaper)
        return CHOICE_SOONEST;
    if (dearer)
        return CHOICE_CHEAPEST;
    return starts > 1 ? CHOICE_MOST_HEADROOM : CHOICE_SOONEST;
}

static void pick_start(struct pick *p, uint32_t item, int stage, const struct option *to, int64_t now_us)
{
    struct pick_upstream *u = &p->upstream[to->upstream];
    struct item *it = &p->queue.item[item];
    const struct candidate *c = it->candidates ? pick_candidate(it, to->upstream, stage) : NULL;

    if (c) {
        it->input = c->input;
        it->max_output = c->max_output;
        it->want_output = c->want_output;
        it->expect_output = c->expect_output;
        it->stage = c->stage;
        it->number = c->number;
    }
    queue_start(&p->queue, item, it->input + it->expect_output);
    it->hold = limits_take(&p->limits[u->group], &to->need);
    if (it->priority == PRIORITY_LOW)
        limits_low_started(&p->limits[u->group]);
    it->upstream = to->upstream;
    it->began_us = now_us;
    it->ends_us = now_us + pick_call_us(u, it->expect_output);
    u->running++;
    p->grants++;
}

void pick_resume(struct pick *p, uint32_t item, int upstream, int64_t now_us)
{
    struct pick_upstream *u = &p->upstream[upstream];
    struct item *it = &p->queue.item[item];

    queue_start(&p->queue, item, it->input + it->max_output);
    it->hold = limits_resume(&p->limits[u->group], it->input, it->max_output);
    it->upstream = upstream;
    it->began_us = now_us;
    it->ends_us = now_us + pick_call_us(u, it->expect_output);
    u->running++;
}

static bool starts_better(const struct option *a, const struct option *b)
{
    if (b->upstream < 0 || a->failed != b->failed)
        return b->upstream < 0 || b->failed;
    return a->cost != b->cost ? a->cost < b->cost : a->room > b->room;
}

static bool opens_sooner(const struct option *a, const struct option *b)
{
    if (b->upstream < 0 || a->wait_us != b->wait_us)
        return b->upstream < 0 || a->wait_us < b->wait_us;
    return a->cost < b->cost;
}

/* Start this item if it may start; else claim for it, unless others have claims there already. */
static bool sweep_try(struct pick *p, struct sweep *s, uint32_t item)
{
    struct item *it = &p->queue.item[item];
    struct pick_where w = pick_where_of(it, &s->health);
    uint64_t where = w.upstreams & s->open & ~(s->claimed & ~s->lenient);
    struct option best, soon;
    int starts = 0;

    best.upstream = soon.upstream = -1;
    for (uint64_t left = where; left; left &= left - 1) {
        int i = __builtin_ctzll(left);
        struct option o;
        struct pick_upstream *u = &p->upstream[i];
        const struct limits *l = &p->limits[u->group];
        enum gate why = GATE_NONE;

        if (!pick_need(p, it, i, w.stage, &o.need))
            continue;
        if (s->due && o.need.who == LIMITS_LOW)
            o.need.who = LIMITS_USUAL;
        o.upstream = i;
        o.failed = it->failed_at >> i & 1;
        o.cost = it->candidates ? pick_candidate(it, i, w.stage)->cost : 0;
        if (s->claimed & pick_bit(i)) {
            /* Small enough, but not now: to know when, for the first of them, is enough. */
            if (!limits_within(l, &o.need, s->slack[u->group]) || ((s->foreseen & pick_bit(i)) && !limits_fits(l, &o.need)))
                continue;
            s->foreseen |= pick_bit(i);
        }
        o.wait_us = limits_wait_us(l, &o.need, &why);
        o.room = 0;
        if (o.wait_us == 0) {
            o.room = left == where && !(left & (left - 1)) ? 0 : headroom_ppm(p, i);
            starts++;
            if (starts_better(&o, &best))
                best = o;
            continue;
        }
        if (o.wait_us != LIMITS_NOT_BY_TIME)
            wake_at(p, s->now_us + o.wait_us);
        if (s->claimed & pick_bit(i))
            continue;
        u->why = why;
        if (opens_sooner(&o, &soon))
            soon = o;
    }
    if (best.upstream >= 0) {
        it->choice = choice_of(it, &w, &best, starts);
        pick_start(p, item, w.stage, &best, s->now_us);
        s->started = item;
        return true;
    }
    if (soon.upstream >= 0)
        sweep_claim(p, s, soon.upstream, &soon.need, soon.wait_us);
    return false;
}

/* Was it told a start so much later that to start now would break its promise? */
static bool told_later(const struct item *it, int64_t now_us)
{
    return it->promised_us != QUEUE_UNPROMISED && !promise_close(it->promised_us - now_us, it->promised_us - it->arrived_us);
}

/* Behind the head of a line that has to wait: somebody small enough. Where somebody waits everywhere, each user's come as
 * far as none of them was told a later start. */
static bool sweep_backfill(struct pick *p, struct sweep *s, const struct line *l)
{
    const struct queue *q = &p->queue;
    int looked = 0;

    for (uint32_t f = 0; f < l->flows.n; f++) {
        const struct flow *flow = &q->flow[l->flows.v[f].id];
        uint32_t i = f == 0 ? q->item[flow->head].next : flow->head;

        for (; i != QUEUE_NONE && looked < PICK_LOOK; i = q->item[i].next, looked++) {
            if (!(l->upstreams & s->open & ~s->claimed) && told_later(&q->item[i], s->now_us))
                break;
            if (sweep_try(p, s, i))
                return true;
        }
    }
    return false;
}

/* The gate a line waits at: that of the first of its upstreams that is not down. */
static enum gate line_gate(const struct pick *p, const struct line *l)
{
    enum gate why = GATE_BACKOFF;

    for (uint64_t left = l->upstreams; left; left &= left - 1) {
        const struct pick_upstream *u = &p->upstream[__builtin_ctzll(left)];

        if (!u->down)
            return u->why == GATE_NONE ? GATE_PACING : u->why;
    }
    return why;
}

static bool sweep_line(struct pick *p, struct sweep *s, uint32_t line)
{
    struct line *l = &p->queue.line[line];

    if (sweep_try(p, s, p->queue.flow[l->flows.v[0].id].head))
        return true;
    queue_blame(&p->queue, line, line_gate(p, l), s->now_us);
    /* Elsewhere, or beside the claimant: is there any room at all? */
    return (l->upstreams & s->open & (~s->claimed | s->lenient)) && sweep_backfill(p, s, l);
}

/* The lines of one priority, least-served first. */
static bool sweep_rank(struct pick *p, struct sweep *s, enum priority rank)
{
    const struct queue *q = &p->queue;
    const struct heap_entry *last = NULL;
    uint32_t last_line = 0;

    for (;;) {
        const struct heap_entry *next = NULL;
        uint32_t next_line = 0;

        for (uint32_t i = 0; i < q->lines; i++) {
            const struct heap_entry *e = q->line[i].flows.v;

            if (q->line[i].priority != rank || q->line[i].flows.n == 0)
                continue;
            if (last && (e->key < last->key || (e->key == last->key && i <= last_line)))
                continue;
            if (!next || e->key < next->key) {
                next = e;
                next_line = i;
            }
        }
        if (!next)
            return false;
        if (sweep_line(p, s, next_line))
            return true;
        last = next;
        last_line = next_line;
    }
}

/* The item whose turn it is because it has waited too long, or QUEUE_NONE. */
static uint32_t pick_overdue(struct pick *p, int64_t now_us)
{
    for (int i = 0; i < PRIORITY_COUNT; i++) {
        int rank = (p->turn + PRIORITY_COUNT - i) % PRIORITY_COUNT;
        uint32_t oldest = queue_oldest(&p->queue, (enum priority)rank);

        if (oldest != QUEUE_NONE && now_us - p->queue.item[oldest].arrived_us >= PICK_OVERDUE_US) {
            p->turn = rank;
            return oldest;
        }
    }
    p->grants = 0;
    return QUEUE_NONE;
}

/* Start the item of a priority that was told to have started by now, if it may go before the others. */
static bool sweep_promised(struct pick *p, struct sweep *s, enum priority rank)
{
    uint32_t item = queue_promised(&p->queue, rank);
    const struct item *it;

    if (item == QUEUE_NONE)
        return false;
    it = &p->queue.item[item];
    if (it->promised_us >= s->now_us || p->kept[rank] >= PICK_KEPT)
        return false;
    if (queue_ahead(&p->queue, item) > PICK_CREDIT * queue_weighed(it, it->input + it->expect_output) || !sweep_try(p, s, item))
        return false;
    p->kept[rank]++;
    return true;
}

/* In the order of the priority, as far as no promise has come due. */
static bool sweep_ordered(struct pick *p, struct sweep *s, enum priority rank)
{
    if (!sweep_rank(p, s, rank))
        return false;
    p->kept[rank] = 0;
    return true;
}

bool pick_next(struct pick *p, int64_t now_us, uint32_t *item)
{
    int64_t slack[PICK_UPSTREAMS][DIM_COUNT];
    struct sweep s = {.now_us = now_us, .slack = slack};
    uint32_t overdue;

    p->wake_us = INT64_MAX;
    while (queue_wake(&p->queue, now_us) != QUEUE_NONE) {
    }
    sweep_open(p, &s);
    overdue = pick_overdue(p, now_us);
    s.due = overdue != QUEUE_NONE && p->grants >= PICK_TURN - 1;
    if (s.due && sweep_try(p, &s, overdue)) {
        p->grants = 0;
        p->turn = (p->turn + PRIORITY_COUNT - 1) % PRIORITY_COUNT;
        *item = overdue;
        return true;
    }
    s.due = false;
    for (int rank = PRIORITY_HIGH; rank >= PRIORITY_LOW; rank--) {
        if (!p->queue.rank[rank].ready)
            continue;
        if (sweep_promised(p, &s, (enum priority)rank) || sweep_ordered(p, &s, (enum priority)rank)) {
            *item = s.started;
            return true;
        }
    }
    if (p->queue.resting.n)
        wake_at(p, p->queue.resting.v[0].key);
    for (uint32_t g = 0; g < p->groups; g++)
        wake_at(p, limits_change_us(&p->limits[g]));
    return false;
}

void pick_settle(struct pick *p, uint32_t item, int64_t input, int64_t output)
{
    const struct item *it = &p->queue.item[item];
    struct pick_upstream *u = &p->upstream[it->upstream];

    limits_settle(&p->limits[u->group], &it->hold, input, output);
    queue_charge(&p->queue, item, input + output - it->charged);
    u->running--;
}

void pick_release(struct pick *p, uint32_t item, bool reached)
{
    const struct item *it = &p->queue.item[item];
    struct pick_upstream *u = &p->upstream[it->upstream];

    limits_release(&p->limits[u->group], &it->hold, reached);
    queue_charge(&p->queue, item, -it->charged);
    u->running--;
}
