/* forecast.c - the event loop of a future that may come. */
#include "rules/forecast.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* These bound what a forecast costs: arrivals expected, and instants looked at in all and for each who waits. */
enum { FORECAST_ARRIVALS = 400, FORECAST_STEPS_LEAST = 2000, FORECAST_STEPS_EACH = 4 };
/* As many futures as cost no more than this together, up to FORECAST_FUTURES. */
enum { FORECAST_COST = 1200, MILLION = 1000000 };

void forecast_init(struct forecast *f, uint32_t groups)
{
    memset(f, 0, sizeof *f);
    pick_init(&f->ahead, groups);
    f->at_us = INT64_MIN / 2;
}

void forecast_done(struct forecast *f)
{
    pick_done(&f->ahead);
    heap_done(&f->ends);
    free(f->place);
    free(f->order);
    free(f->starts);
    for (int i = 0; i < PICK_UPSTREAMS; i++)
        free(f->upstream[i].start_us);
    memset(f, 0, sizeof *f);
}

static void forecast_room(struct forecast *f, uint32_t n)
{
    uint32_t old = f->cap;

    if (n <= f->cap)
        return;
    f->cap = n < 64 ? 64 : n + n / 2;
    f->place = mem_grow(f->place, f->cap, sizeof *f->place);
    f->order = mem_grow(f->order, f->cap, sizeof *f->order);
    f->starts = mem_grow(f->starts, f->cap, sizeof *f->starts);
    for (; old < f->cap; old++)
        f->place[old] = (struct forecast_place){.age = UINT64_MAX};
}

static void forecast_place(struct forecast *f, uint32_t item, uint64_t age, int upstream, int64_t start_us)
{
    struct forecast_place *place = &f->place[item];

    *place = (struct forecast_place){.age = age, .run = f->run, .start_us = start_us,
                                     .position = f->upstream[upstream].n + 1, .upstream = upstream};
    if (f->upstream[upstream].n == f->upstream[upstream].cap) {
        uint32_t cap = f->upstream[upstream].cap * 2 + 64;

        f->upstream[upstream].start_us = mem_grow(f->upstream[upstream].start_us, cap, sizeof(int64_t));
        f->upstream[upstream].cap = cap;
    }
    f->upstream[upstream].start_us[f->upstream[upstream].n++] = start_us;
}

static void forecast_note(struct forecast *f, uint32_t item, int upstream, int64_t start_us)
{
    f->order[f->count++] = item;
    f->left--;
    forecast_place(f, item, f->ahead.queue.item[item].age, upstream, start_us);
}

/* A call is expected to end when others of its kind did; one that is already late, after half as long again. */
static int64_t expected_end(const struct item *it, int64_t now_us)
{
    int64_t late = now_us - it->ends_us;

    return late < 0 ? it->ends_us : now_us + (now_us - it->began_us) / 2 + 1;
}

static void forecast_end(struct forecast *f, uint32_t item)
{
    const struct item *it = &f->ahead.queue.item[item];
    int64_t output = it->expect_output > it->hold.produced ? it->expect_output : it->hold.produced;

    pick_settle(&f->ahead, item, it->input, output);
    queue_remove(&f->ahead.queue, item);
}

/* When the n-th to start at an upstream will, if the spacing of the last run goes on. */
static int64_t start_of(const struct forecast *f, int upstream, int64_t position, int64_t now_us)
{
    const int64_t *start = f->upstream[upstream].start_us;
    uint32_t n = f->upstream[upstream].n;

    while (n && start[n - 1] == FORECAST_NEVER)
        n--;
    if (position <= n)
        return start[position - 1] > now_us ? start[position - 1] : now_us;
    if (n == 0)
        return f->upstream[upstream].n ? FORECAST_NEVER : now_us;
    return start[n - 1] + (start[n - 1] - start[0]) / n * (position - n);
}

/* By priority, then by age. */
static int by_rank(const void *a, const void *b, void *items)
{
    const struct item *x = (const struct item *)items + *(const uint32_t *)a;
    const struct item *y = (const struct item *)items + *(const uint32_t *)b;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return x->age < y->age ? -1 : 1;
}

/* Who did not start in the copy: never, as far as can be seen, as the upstream is down or nothing ends; or after more
 * steps than are worth it, and then the spacing so far goes on. */
static void forecast_rest(struct forecast *f, bool cut_short)
{
    struct queue *q = &f->ahead.queue;
    uint32_t first = f->count;

    for (uint32_t i = 0; i < q->items && f->left; i++) {
        const struct item *it = &q->item[i];

        if (it->owner && (it->state == ITEM_READY || it->state == ITEM_PARKED || it->state == ITEM_RESTING)) {
            f->order[f->count++] = i;
            f->left--;
        }
    }
    qsort_r(f->order + first, f->count - first, sizeof *f->order, by_rank, q->item);
    for (uint32_t n = first, end = f->count; n < end; n++) {
        int upstream = __builtin_ctzll(q->item[f->order[n]].upstreams);
        int64_t position = (int64_t)f->upstream[upstream].n + 1;

        forecast_place(f, f->order[n], q->item[f->order[n]].age, upstream,
                       cut_short ? start_of(f, upstream, position, f->at_us) : FORECAST_NEVER);
    }
}

static uint32_t waiting(const struct queue *q)
{
    return q->waiting[PRIORITY_LOW] + q->waiting[PRIORITY_MEDIUM] + q->waiting[PRIORITY_HIGH];
}

/* Somebody like this one comes. */
static void forecast_arrive(struct forecast *f, const struct arrival *like, int64_t t)
{
    struct queue_entry e = {
        .priority = like->priority, .user = like->user, .upstreams = like->upstreams, .arrived_us = t, .input = like->input,
        .max_output = like->max_output, .want_output = like->want_output, .expect_output = like->expect_output,
        .weight = like->weight,
    };

    if (like->priority == PRIORITY_HIGH)
        pick_high_asked(&f->ahead, like->upstreams, t);
    (void)queue_add_like(&f->ahead.queue, &e, &like->hint);
}

/* All that may start at t, starts. */
static void forecast_start(struct forecast *f, int64_t t)
{
    uint32_t item;

    while (f->left && pick_next(&f->ahead, t, &item)) {
        const struct item *it = &f->ahead.queue.item[item];

        if (it->owner)
            forecast_note(f, item, it->upstream, t);
        heap_push(&f->ends, NULL, it->ends_us, 0, item);
    }
}

static void forecast_begin(struct forecast *f, const struct pick *p, int64_t now_us)
{
    const struct queue *q = &f->ahead.queue;

    forecast_room(f, p->queue.items);
    pick_copy(&f->ahead, p);
    f->count = 0;
    f->left = waiting(q);
    f->ends.n = 0;
    f->at_us = now_us;
    f->run++;
    for (int i = 0; i < PICK_UPSTREAMS; i++)
        f->upstream[i].n = 0;
    for (uint32_t i = 0; i < q->items; i++) {
        if (q->item[i].state == ITEM_RUNNING)
            heap_push(&f->ends, NULL, expected_end(&q->item[i], now_us), 0, i);
    }
}

/* One future: what came lately comes again, from from_ppm on. */
static void forecast_future(struct forecast *f, const struct pick *p, const struct arrivals *like, int32_t from_ppm,
                            int64_t queue_max, int64_t now_us)
{
    struct arrivals_walk walk = arrivals_expect(like, from_ppm, now_us);
    int64_t t = now_us;
    int64_t steps = FORECAST_STEPS_LEAST, begun;
    int expected = 0;

    forecast_begin(f, p, now_us);
    begun = steps += (int64_t)f->left * FORECAST_STEPS_EACH;
    forecast_start(f, t);
    while (f->left && steps-- > 0) {
        int64_t comes = expected < FORECAST_ARRIVALS ? arrivals_next_us(&walk) : INT64_MAX;
        int64_t next = f->ahead.wake_us;

        if (f->ends.n && f->ends.v[0].key < next)
            next = f->ends.v[0].key;
        if (next == INT64_MAX)
            break;
        if (comes < next)
            next = comes;
        t = next > t ? next : t + 1;
        while (f->ends.n && f->ends.v[0].key <= t)
            forecast_end(f, heap_pop(&f->ends, NULL).id);
        for (; expected < FORECAST_ARRIVALS && arrivals_next_us(&walk) <= t; expected++) {
            const struct arrival *a = arrivals_take(&walk);

            if ((int64_t)waiting(&f->ahead.queue) < queue_max)
                forecast_arrive(f, a, t);
        }
        forecast_start(f, t);
    }
    f->cost = (int64_t)p->queue.items + begun - steps;
    forecast_rest(f, steps < 0);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int by_start(const void *a, const void *b, void *places)
{
    const struct forecast_place *x = (const struct forecast_place *)places + *(const uint32_t *)a;
    const struct forecast_place *y = (const struct forecast_place *)places + *(const uint32_t *)b;

    if (x->start_us != y->start_us)
        return x->start_us < y->start_us ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

/* The start to tell of each in `futures` of them, and the order that makes. Starts lie wide apart on the late side and close
 * together on the early one: most come true near the lower quarter. */
static void forecast_merge(struct forecast *f, int futures)
{
    for (uint32_t i = 0; i < f->count; i++) {
        int64_t *starts = f->starts[f->order[i]];

        qsort(starts, (size_t)futures, sizeof *starts, by_time);
        f->place[f->order[i]].start_us = starts[futures / 4];
    }
    qsort_r(f->order, f->count, sizeof *f->order, by_start, f->place);
    for (int i = 0; i < PICK_UPSTREAMS; i++)
        f->upstream[i].n = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct forecast_place *place = &f->place[f->order[i]];

        forecast_place(f, f->order[i], place->age, place->upstream, place->start_us);
    }
}

void forecast_run(struct forecast *f, const struct pick *p, const struct arrivals *like, int64_t queue_max, int64_t now_us)
{
    uint64_t first = f->run * 618034;              /* the golden section: never the same ones twice, and all of them */
    int64_t cost = 0;
    int n = 0;

    for (bool more = true; more; n++) {
        forecast_future(f, p, like, (int32_t)((first + (uint64_t)n * MILLION / FORECAST_FUTURES) % MILLION), queue_max, now_us);
        cost += f->cost;
        more = n + 1 < FORECAST_FUTURES && like->n > 0 && f->count > 0 && cost + f->cost < FORECAST_COST;
        if (n == 0 && !more)
            return;
        for (uint32_t i = 0; i < f->count; i++)
            f->starts[f->order[i]][n] = f->place[f->order[i]].start_us;
    }
    f->cost = cost;
    forecast_merge(f, n);
}

static int64_t waiting_at_least(const struct pick *p, enum priority from)
{
    int64_t n = 0;

    for (int rank = from; rank < PRIORITY_COUNT; rank++)
        n += p->queue.waiting[rank];
    return n;
}

bool forecast_knows(const struct forecast *f, const struct pick *p, uint32_t item)
{
    return item < f->cap && f->place[item].run == f->run && f->place[item].age == p->queue.item[item].age;
}

struct forecast_place forecast_of(struct forecast *f, const struct pick *p, uint32_t item, int64_t now_us)
{
    const struct queue *q = &p->queue;
    const struct item *it = &q->item[item];
    const struct line *l = &q->line[q->flow[it->flow].line];
    struct forecast_place place;
    int64_t last;

    forecast_room(f, q->items);
    if (forecast_knows(f, p, item))
        return f->place[item];
    /* Behind its own user's last, one round of all users later; or at the end of the first round of its priority. */
    last = waiting_at_least(p, it->priority);
    place = (struct forecast_place){.age = it->age, .run = f->run, .guessed = true,
                                    .position = waiting_at_least(p, it->priority + 1) + l->flows.n,
                                    .upstream = __builtin_ctzll(it->upstreams)};
    if (it->prev != QUEUE_NONE && it->state == ITEM_READY && forecast_knows(f, p, it->prev)) {
        place.position = f->place[it->prev].position + l->flows.n;
        place.upstream = f->place[it->prev].upstream;
    }
    if (place.position > last)
        place.position = last;
    if (place.position < 1)
        place.position = 1;
    place.start_us = start_of(f, place.upstream, place.position, now_us);
    f->place[item] = place;
    return place;
}
