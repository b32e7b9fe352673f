/* queue.c - flows, lines, sessions: who comes before whom. */
#include "rules/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Users who wait for nothing now but whose past counts are kept up to about this many. */
enum { QUEUE_REMEMBERED = 4096 };

void queue_init(struct queue *q)
{
    memset(q, 0, sizeof *q);
    q->free_item = q->free_flow = q->free_share = QUEUE_NONE;
}

void queue_done(struct queue *q)
{
    for (uint32_t i = 0; i < q->lines; i++)
        heap_done(&q->line[i].flows);
    for (int p = 0; p < PRIORITY_COUNT; p++) {
        heap_done(&q->rank[p].oldest);
        heap_done(&q->rank[p].promised);
    }
    heap_done(&q->resting);
    idmap_done(&q->session_last);
    idmap_done(&q->flow_of);
    idmap_done(&q->share_of);
    free(q->item);
    free(q->rest_pos);
    free(q->promised_pos);
    free(q->flow);
    free(q->line_pos);
    free(q->oldest_pos);
    free(q->share);
    free(q->line);
    queue_init(q);
}

/* --- room in the arrays --- */

static void queue_room_items(struct queue *q, uint32_t n)
{
    if (n <= q->item_cap)
        return;
    q->item_cap = n < 64 ? 64 : n + n / 2;
    q->item = mem_grow(q->item, q->item_cap, sizeof *q->item);
    q->rest_pos = mem_grow(q->rest_pos, q->item_cap, sizeof *q->rest_pos);
    q->promised_pos = mem_grow(q->promised_pos, q->item_cap, sizeof *q->promised_pos);
}

static void queue_room_flows(struct queue *q, uint32_t n)
{
    if (n <= q->flow_cap)
        return;
    q->flow_cap = n < 64 ? 64 : n + n / 2;
    q->flow = mem_grow(q->flow, q->flow_cap, sizeof *q->flow);
    q->line_pos = mem_grow(q->line_pos, q->flow_cap, sizeof *q->line_pos);
    q->oldest_pos = mem_grow(q->oldest_pos, q->flow_cap, sizeof *q->oldest_pos);
}

static void queue_room_shares(struct queue *q, uint32_t n)
{
    if (n <= q->share_cap)
        return;
    q->share_cap = n < 64 ? 64 : n + n / 2;
    q->share = mem_grow(q->share, q->share_cap, sizeof *q->share);
}

static void queue_room_lines(struct queue *q, uint32_t n)
{
    if (n <= q->line_cap)
        return;
    q->line = mem_grow(q->line, n, sizeof *q->line);
    memset(q->line + q->line_cap, 0, (n - q->line_cap) * sizeof *q->line);
    q->line_cap = n;
}

static void copy_array(void *to, const void *from, size_t n, size_t size)
{
    if (n)
        memcpy(to, from, n * size);
}

void queue_copy(struct queue *to, const struct queue *from)
{
    queue_room_items(to, from->items);
    queue_room_flows(to, from->flows);
    queue_room_shares(to, from->shares);
    queue_room_lines(to, from->lines);
    copy_array(to->item, from->item, from->items, sizeof *to->item);
    copy_array(to->rest_pos, from->rest_pos, from->items, sizeof *to->rest_pos);
    copy_array(to->promised_pos, from->promised_pos, from->items, sizeof *to->promised_pos);
    copy_array(to->flow, from->flow, from->flows, sizeof *to->flow);
    copy_array(to->line_pos, from->line_pos, from->flows, sizeof *to->line_pos);
    copy_array(to->oldest_pos, from->oldest_pos, from->flows, sizeof *to->oldest_pos);
    copy_array(to->share, from->share, from->shares, sizeof *to->share);
    for (uint32_t i = 0; i < from->lines; i++) {
        struct heap flows = to->line[i].flows;

        heap_copy(&flows, &from->line[i].flows);
        to->line[i] = from->line[i];
        to->line[i].flows = flows;
    }
    for (int p = 0; p < PRIORITY_COUNT; p++) {
        struct heap oldest = to->rank[p].oldest, promised = to->rank[p].promised;

        heap_copy(&oldest, &from->rank[p].oldest);
        heap_copy(&promised, &from->rank[p].promised);
        to->rank[p] = from->rank[p];
        to->rank[p].oldest = oldest;
        to->rank[p].promised = promised;
        to->waiting[p] = from->waiting[p];
    }
    heap_copy(&to->resting, &from->resting);
    to->items = from->items;
    to->flows = from->flows;
    to->shares = from->shares;
    to->lines = from->lines;
    to->free_item = from->free_item;
    to->free_flow = from->free_flow;
    to->free_share = from->free_share;
    to->sharers = from->sharers;
    to->ages = from->ages;
    to->copy = true;
    idmap_clear(&to->flow_of);
    idmap_clear(&to->share_of);
}

/* --- lines, shares, flows: found or made --- */

static uint32_t queue_line(struct queue *q, enum priority p, uint64_t upstreams)
{
    uint32_t i = 0;

    while (i < q->lines && (q->line[i].upstreams != upstreams || q->line[i].priority != p))
        i++;
    if (i == q->lines) {
        queue_room_lines(q, i + 1);
        q->lines++;
        q->line[i] = (struct line){.upstreams = upstreams, .priority = p, .why = GATE_NONE};
    }
    return i;
}

static void queue_share_drop(struct queue *q, uint32_t share)
{
    struct share *s = &q->share[share];

    idmap_remove(&q->share_of, s->key);
    s->key = 0;
    s->flow = q->free_share;
    q->free_share = share;
}

/* A user who has had more than those served now keeps the memory of it while anybody is here; others are forgotten. */
static bool share_idle(const struct queue *q, const struct share *s)
{
    const struct rank *r = &q->rank[s->priority];

    return s->key && s->flow == QUEUE_NONE && (s->counter <= r->virtual || r->items == 0);
}

/* Make room before the array grows; very many users are not all remembered. */
static void queue_share_sweep(struct queue *q)
{
    for (uint32_t i = 0; i < q->shares; i++) {
        const struct share *s = &q->share[i];

        if (share_idle(q, s) || (q->shares >= QUEUE_REMEMBERED && s->key && s->flow == QUEUE_NONE))
            queue_share_drop(q, i);
    }
}

static uint64_t share_key(enum priority p, uint64_t user)
{
    return idmap_mix(user, (uint64_t)p);
}

static uint32_t queue_share(struct queue *q, enum priority p, uint64_t user)
{
    uint64_t key = share_key(p, user);
    uint32_t i = idmap_get(&q->share_of, key);

    if (i != IDMAP_NONE)
        return i;
    if (q->free_share == QUEUE_NONE && q->shares == q->share_cap)
        queue_share_sweep(q);
    i = q->free_share;
    if (i != QUEUE_NONE) {
        q->free_share = q->share[i].flow;
    } else {
        queue_room_shares(q, q->shares + 1);
        i = q->shares++;
    }
    q->share[i] = (struct share){.counter = q->rank[p].virtual, .flow = QUEUE_NONE, .priority = p, .key = key};
    idmap_set(&q->share_of, key, i);
    return i;
}

static uint32_t queue_flow(struct queue *q, uint32_t line, uint32_t share)
{
    uint64_t key = idmap_mix(q->share[share].key, line);
    uint32_t i = idmap_get(&q->flow_of, key);

    if (i != IDMAP_NONE)
        return i;
    i = q->free_flow;
    if (i != QUEUE_NONE) {
        q->free_flow = q->flow[i].sibling;
    } else {
        queue_room_flows(q, q->flows + 1);
        i = q->flows++;
    }
    q->flow[i] = (struct flow){.head = QUEUE_NONE, .tail = QUEUE_NONE, .line = line, .share = share,
                               .sibling = q->share[share].flow, .key = key};
    q->line_pos[i] = q->oldest_pos[i] = HEAP_ABSENT;
    q->share[share].flow = i;
    idmap_set(&q->flow_of, key, i);
    return i;
}

static void queue_flow_drop(struct queue *q, uint32_t flow)
{
    struct flow *f = &q->flow[flow];
    uint32_t *link = &q->share[f->share].flow;

    while (*link != flow)
        link = &q->flow[*link].sibling;
    *link = f->sibling;
    idmap_remove(&q->flow_of, f->key);
    f->key = 0;
    f->sibling = q->free_flow;
    q->free_flow = flow;
    if (share_idle(q, &q->share[f->share]))
        queue_share_drop(q, f->share);
}

/* --- a flow's place among others --- */

static void flow_place(struct queue *q, uint32_t flow)
{
    struct flow *f = &q->flow[flow];
    struct line *l = &q->line[f->line];
    struct heap *oldest = &q->rank[l->priority].oldest;
    int64_t counter = q->share[f->share].counter;
    uint64_t age;

    if (f->head == QUEUE_NONE) {
        if (q->line_pos[flow] != HEAP_ABSENT) {
            heap_remove(&l->flows, q->line_pos, q->line_pos[flow]);
            heap_remove(oldest, q->oldest_pos, q->oldest_pos[flow]);
        }
        return;
    }
    age = q->item[f->head].age;
    if (q->line_pos[flow] == HEAP_ABSENT) {
        heap_push(&l->flows, q->line_pos, counter, age, flow);
        heap_push(oldest, q->oldest_pos, (int64_t)age, 0, flow);
    } else {
        heap_rekey(&l->flows, q->line_pos, q->line_pos[flow], counter, age);
        heap_rekey(oldest, q->oldest_pos, q->oldest_pos[flow], (int64_t)age, 0);
    }
}

static void queue_count(struct queue *q, uint32_t share, int64_t weighed)
{
    q->share[share].counter += weighed;
    for (uint32_t f = q->share[share].flow; f != QUEUE_NONE; f = q->flow[f].sibling)
        flow_place(q, f);
}

/* --- ready or not --- */

static void queue_ready(struct queue *q, uint32_t item)
{
    struct item *it = &q->item[item];
    struct flow *f = &q->flow[it->flow];
    struct share *s = &q->share[f->share];
    uint32_t after = f->tail;

    it->state = ITEM_READY;
    /* A newcomer goes last; what comes back is old, and its place is near the head. */
    if (after != QUEUE_NONE && q->item[after].age > it->age) {
        after = QUEUE_NONE;
        for (uint32_t i = f->head; q->item[i].age < it->age; i = q->item[i].next)
            after = i;
    }
    it->prev = after;
    it->next = after == QUEUE_NONE ? f->head : q->item[after].next;
    if (it->prev == QUEUE_NONE)
        f->head = item;
    else
        q->item[it->prev].next = item;
    if (it->next == QUEUE_NONE)
        f->tail = item;
    else
        q->item[it->next].prev = item;
    q->rank[it->priority].ready++;
    if (it->promised_us != QUEUE_UNPROMISED)
        heap_push(&q->rank[it->priority].promised, q->promised_pos, it->promised_us, it->age, item);
    if (s->ready++ == 0 && s->counter < q->rank[it->priority].virtual)
        queue_count(q, f->share, q->rank[it->priority].virtual - s->counter);   /* idling saves nothing up */
    else
        flow_place(q, it->flow);
}

static void queue_unready(struct queue *q, uint32_t item)
{
    struct item *it = &q->item[item];
    struct flow *f = &q->flow[it->flow];

    if (it->prev == QUEUE_NONE)
        f->head = it->next;
    else
        q->item[it->prev].next = it->next;
    if (it->next == QUEUE_NONE)
        f->tail = it->prev;
    else
        q->item[it->next].prev = it->prev;
    q->rank[it->priority].ready--;
    if (q->promised_pos[item] != HEAP_ABSENT)
        heap_remove(&q->rank[it->priority].promised, q->promised_pos, q->promised_pos[item]);
    q->share[f->share].ready--;
    flow_place(q, it->flow);
}

/* --- what callers do --- */

/* Somebody joined those who wait (ready, parked, resting), or left them. */
static void queue_waits(struct queue *q, const struct item *it, int by)
{
    struct share *s = &q->share[q->flow[it->flow].share];

    q->waiting[it->priority] += (uint32_t)by;
    q->line[q->flow[it->flow].line].waiting += (uint32_t)by;
    q->sharers -= s->waiting > 0;
    s->waiting += (uint32_t)by;
    q->sharers += s->waiting > 0;
}

uint32_t queue_waiting_of(const struct queue *q, enum priority p, uint64_t user)
{
    uint32_t i = idmap_get(&q->share_of, share_key(p, user));

    return i == IDMAP_NONE ? 0 : q->share[i].waiting;
}

bool queue_session_busy(const struct queue *q, uint64_t session)
{
    return session && idmap_get(&q->session_last, session) != IDMAP_NONE;
}

static uint32_t queue_put(struct queue *q, const struct queue_entry *e, uint32_t flow)
{
    uint32_t i = q->free_item;
    uint32_t before = QUEUE_NONE;

    if (i != QUEUE_NONE) {
        q->free_item = q->item[i].next;
    } else {
        queue_room_items(q, q->items + 1);
        i = q->items++;
    }
    if (e->session) {
        before = idmap_get(&q->session_last, e->session);
        idmap_set(&q->session_last, e->session, i);
    }
    q->item[i] = (struct item){
        .state = ITEM_PARKED, .priority = e->priority, .flow = flow, .next = QUEUE_NONE, .prev = QUEUE_NONE,
        .before = before, .after = QUEUE_NONE, .upstream = -1, .age = q->ages++, .session = e->session,
        .upstreams = e->upstreams, .arrived_us = e->arrived_us, .input = e->input, .max_output = e->max_output,
        .want_output = e->want_output, .expect_output = e->expect_output, .owner = e->owner,
        .candidates = e->candidates, .candidate_count = e->candidate_count, .choice = CHOICE_ONLY,
        .promised_us = QUEUE_UNPROMISED, .weight = e->weight ? e->weight : QUEUE_WEIGHT_ONE,
    };
    q->rest_pos[i] = q->promised_pos[i] = HEAP_ABSENT;
    q->flow[flow].items++;
    q->rank[e->priority].items++;
    queue_waits(q, &q->item[i], 1);
    if (before == QUEUE_NONE)
        queue_ready(q, i);
    else
        q->item[before].after = i;
    return i;
}

uint32_t queue_add(struct queue *q, const struct queue_entry *e)
{
    uint32_t line = queue_line(q, e->priority, e->upstreams);

    return queue_put(q, e, queue_flow(q, line, queue_share(q, e->priority, e->user)));
}

struct queue_hint queue_hint(const struct queue *q, uint32_t item)
{
    uint32_t flow = q->item[item].flow;
    uint32_t share = q->flow[flow].share;

    return (struct queue_hint){flow, share, q->flow[flow].key, q->share[share].key};
}

uint32_t queue_add_like(struct queue *q, const struct queue_entry *e, const struct queue_hint *hint)
{
    uint32_t share = hint->share, line;

    if (hint->flow < q->flows && q->flow[hint->flow].key == hint->flow_key)
        return queue_put(q, e, hint->flow);
    line = queue_line(q, e->priority, e->upstreams);
    if (share >= q->shares || q->share[share].key != hint->share_key)
        share = queue_share(q, e->priority, e->user);
    return queue_put(q, e, queue_flow(q, line, share));
}

static void queue_session_leave(struct queue *q, uint32_t item)
{
    struct item *it = &q->item[item];

    if (it->before != QUEUE_NONE)
        q->item[it->before].after = it->after;
    if (it->after != QUEUE_NONE) {
        q->item[it->after].before = it->before;
        if (it->before == QUEUE_NONE)
            queue_ready(q, it->after);
    } else if (it->session && !q->copy) {
        if (it->before == QUEUE_NONE)
            idmap_remove(&q->session_last, it->session);
        else
            idmap_set(&q->session_last, it->session, it->before);
    }
}

void queue_remove(struct queue *q, uint32_t item)
{
    struct item *it = &q->item[item];
    uint32_t flow = it->flow;

    switch (it->state) {
    case ITEM_READY: queue_unready(q, item); break;
    case ITEM_RESTING: heap_remove(&q->resting, q->rest_pos, q->rest_pos[item]); break;
    case ITEM_PARKED:
    case ITEM_RUNNING:
    case ITEM_FREE: break;
    }
    if (it->state != ITEM_RUNNING)
        queue_waits(q, it, -1);
    it->state = ITEM_FREE;
    q->rank[it->priority].items--;
    queue_session_leave(q, item);
    it->next = q->free_item;
    q->free_item = item;
    if (--q->flow[flow].items == 0 && !q->copy)
        queue_flow_drop(q, flow);
}

void queue_start(struct queue *q, uint32_t item, int64_t tokens)
{
    struct item *it = &q->item[item];
    uint32_t share = q->flow[it->flow].share;
    struct rank *r = &q->rank[it->priority];
    int64_t least = q->line[q->flow[it->flow].line].flows.v[0].key;    /* whoever goes out of turn takes nobody along */

    queue_unready(q, item);
    it->state = ITEM_RUNNING;
    queue_waits(q, it, -1);
    if (least > r->virtual)
        r->virtual = least;
    it->charged = tokens;
    queue_count(q, share, queue_weighed(it, tokens));
}

void queue_charge(struct queue *q, uint32_t item, int64_t tokens)
{
    struct item *it = &q->item[item];

    queue_count(q, q->flow[it->flow].share, queue_weighed(it, it->charged + tokens) - queue_weighed(it, it->charged));
    it->charged += tokens;
}

void queue_promote(struct queue *q, uint32_t item, uint64_t user, enum priority p)
{
    uint32_t from = q->item[item].flow, to = queue_flow(q, queue_line(q, p, q->item[item].upstreams), queue_share(q, p, user));
    struct item *it = &q->item[item];

    if (it->state == ITEM_READY)
        queue_unready(q, item);
    queue_waits(q, it, -1);
    q->rank[it->priority].items--;
    it->priority = p;
    it->promised_us = QUEUE_UNPROMISED;           /* it was told for another line */
    it->flow = to;
    q->rank[p].items++;
    q->flow[to].items++;
    queue_waits(q, it, 1);
    if (it->state == ITEM_READY)
        queue_ready(q, item);
    if (--q->flow[from].items == 0)
        queue_flow_drop(q, from);
}

void queue_rest(struct queue *q, uint32_t item, int64_t until_us)
{
    struct item *it = &q->item[item];

    it->state = ITEM_RESTING;
    it->rest_until_us = until_us;
    queue_waits(q, it, 1);
    heap_push(&q->resting, q->rest_pos, until_us, it->age, item);
}

void queue_hurry(struct queue *q, uint32_t item, int64_t now_us)
{
    heap_remove(&q->resting, q->rest_pos, q->rest_pos[item]);
    q->item[item].rest_until_us = now_us;
    heap_push(&q->resting, q->rest_pos, now_us, q->item[item].age, item);
}

uint32_t queue_wake(struct queue *q, int64_t now_us)
{
    uint32_t item;

    if (!q->resting.n || q->resting.v[0].key > now_us)
        return QUEUE_NONE;
    item = heap_pop(&q->resting, q->rest_pos).id;
    queue_ready(q, item);
    return item;
}

void queue_promise(struct queue *q, uint32_t item, int64_t start_us)
{
    struct item *it = &q->item[item];

    it->promised_us = start_us;
    if (it->state == ITEM_READY)
        heap_push(&q->rank[it->priority].promised, q->promised_pos, start_us, it->age, item);
}

uint32_t queue_promised(const struct queue *q, enum priority p)
{
    const struct heap *h = &q->rank[p].promised;

    return h->n ? h->v[0].id : QUEUE_NONE;
}

int64_t queue_weighed(const struct item *it, int64_t tokens)
{
    return tokens * QUEUE_WEIGHT_ONE / it->weight;
}

int64_t queue_ahead(const struct queue *q, uint32_t item)
{
    const struct item *it = &q->item[item];

    return q->share[q->flow[it->flow].share].counter - q->rank[it->priority].virtual;
}

uint32_t queue_oldest(const struct queue *q, enum priority p)
{
    const struct heap *h = &q->rank[p].oldest;

    return h->n ? q->flow[h->v[0].id].head : QUEUE_NONE;
}

void queue_blame(struct queue *q, uint32_t line, enum gate why, int64_t now_us)
{
    struct line *l = &q->line[line];

    if (now_us > l->since_us && l->why != GATE_NONE)
        l->held_us[l->why] += now_us - l->since_us;
    l->since_us = now_us;
    l->why = why;
}
