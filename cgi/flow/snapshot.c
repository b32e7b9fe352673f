/* snapshot.c - a picture of the engine for everybody else, made when somebody
 * looks. Its version changes only when something happened, so that pages which
 * ask again are told "unchanged". */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/engine_impl.h"
#include "flow/gauge.h"

enum { ENTRIES_MAX = 1000, BUDGETS_SHOWN = 1000 };

void snapshot_note_wait(struct engine *e, int64_t wait_us)
{
    e->waits_ms[e->waits++ % WAITS_KEPT] = wait_us / USEC_PER_MS;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* Nearest rank: the smallest wait that `percent` of all do not exceed. */
static int64_t percentile(const int64_t *sorted, size_t n, size_t percent)
{
    return n == 0 ? 0 : sorted[(n * percent + 99) / 100 - 1];
}

static void add_waits(struct engine *e, struct snapshot *s)
{
    int64_t sorted[WAITS_KEPT];
    size_t n = e->waits < WAITS_KEPT ? (size_t)e->waits : WAITS_KEPT;

    memcpy(sorted, e->waits_ms, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    s->wait_ms_p50 = percentile(sorted, n, 50);
    s->wait_ms_p90 = percentile(sorted, n, 90);
    s->wait_ms_p95 = percentile(sorted, n, 95);
    s->wait_ms_p99 = percentile(sorted, n, 99);
}

struct visit {
    struct engine *e;
    struct snapshot *s;
};

static void copy_text(char *to, size_t size, const char *from)
{
    size_t n = from ? strnlen(from, size - 1) : 0;

    memcpy(to, from ? from : "", n);
    to[n] = '\0';
}

static void add_entry(void *ctx, void *job, const struct admit_place *p)
{
    struct visit *v = ctx;
    struct job *j = job;
    struct snapshot_entry *t;
    int64_t waited_ms = (v->e->now_us - j->ask.arrived_us) / USEC_PER_MS;

    v->s->waiting[j->rec.priority]++;
    if (waited_ms > v->s->oldest_wait_ms)
        v->s->oldest_wait_ms = waited_ms;
    if (v->s->entry_count == ENTRIES_MAX)
        return;
    t = &v->s->entries[v->s->entry_count++];
    copy_text(t->request_id, sizeof t->request_id, j->rec.request_id);
    copy_text(t->session_id, sizeof t->session_id, j->rec.session_id);
    copy_text(t->user_id, sizeof t->user_id, j->rec.user_id);
    copy_text(t->model, sizeof t->model, j->rec.model);
    t->upstream = p->upstream;
    t->priority = j->rec.priority;
    t->position = p->position;
    t->waited_ms = waited_ms;
    t->eta_ms = p->eta_us < 0 ? -1 : p->eta_us / USEC_PER_MS;
    t->tokens = admit_expects(v->e->admit, j->ticket);
    t->reason = p->reason;
    t->spread = p->spread;
}

static void add_budget(void *ctx, const struct budget_view *v)
{
    struct snapshot *s = ctx;
    struct snapshot_budget *b;

    s->budgets = mem_grow(s->budgets, s->budget_count + 1, sizeof *s->budgets);
    b = &s->budgets[s->budget_count++];
    memset(b, 0, sizeof *b);
    b->rule = *v->rule;
    copy_text(b->key, sizeof b->key, v->key);
    b->view = *v;
}

static void add_budgets(struct engine *e, struct snapshot *s)
{
    s->budgets_cut = budget_each(e->book, s->at_ms, BUDGETS_SHOWN, add_budget, s) > BUDGETS_SHOWN;
    for (size_t i = 0; i < s->budget_count; i++) {        /* now that they stay where they are */
        s->budgets[i].view.rule = &s->budgets[i].rule;
        s->budgets[i].view.key = s->budgets[i].key;
        copy_text(s->budgets[i].tz, sizeof s->budgets[i].tz, e->budgets.row[s->budgets[i].view.number].tz);
    }
}

/* FNV-1a (Fowler, Noll, Vo), eight bytes at a time. */
static uint64_t mix(uint64_t h, int64_t value)
{
    for (int i = 0; i < 64; i += 8)
        h = (h ^ ((uint64_t)value >> i & 0xff)) * UINT64_C(1099511628211);
    return h;
}

static uint64_t mix_text(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    return h;
}

static uint64_t mix_upstream(uint64_t h, const struct admit_upstream_view *u)
{
    for (int d = 0; d < DIM_COUNT; d++) {
        h = mix(mix(mix(h, u->dim[d].limit), u->dim[d].used), u->dim[d].reserved);
        h = mix(mix(h, u->dim[d].provider_limit), u->dim[d].provider_remaining);
    }
    h = mix(mix(mix(h, u->status), u->stabilizing), u->cooldown_until_us > 0);
    h = mix(mix(mix(mix(h, u->down), u->gone), u->running), u->waiting);
    return mix(mix(h, u->provider_429s_24h), u->max_concurrent);
}

/* Of what happens. What only time moves (a wait that grows, a bucket that fills) is no change of its own. */
static uint64_t fingerprint(const struct snapshot *s)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s->upstream_count; i++)
        h = mix_upstream(h, &s->upstreams[i]);
    for (size_t i = 0; i < s->entry_count; i++)
        h = mix(mix(mix_text(h, s->entries[i].request_id), s->entries[i].position), s->entries[i].reason);
    for (size_t i = 0; i < s->budget_count; i++) {
        const struct budget_view *v = &s->budgets[i].view;

        h = mix(mix(mix_text(h, v->rule->id), v->spent), v->held);
        h = mix(mix(h, v->rule->limit), v->span.from_ms);
    }
    h = mix(mix(mix(h, s->counters.enqueued), s->counters.admitted), s->counters.cancelled);
    h = mix(mix(mix(h, s->counters.timed_out), s->counters.rejected), s->counters.retries);
    return mix(h, s->draining);
}

struct snapshot *snapshot_build(struct engine *e)
{
    struct snapshot *s = mem_zalloc(1, sizeof *s);
    struct visit v = {e, s};
    size_t waiting = 0;

    s->refs = 1;
    s->at_ms = clock_utc_ms();
    s->upstream_count = e->up_count;
    s->upstreams = mem_zalloc(e->up_count, sizeof *s->upstreams);
    for (size_t i = 0; i < e->up_count; i++) {
        admit_view(e->admit, (int)i, e->now_us, &s->upstreams[i]);
        gauge_rebase(&s->upstreams[i], e->now_us);
        s->running += s->upstreams[i].running;
        s->max_concurrent += s->upstreams[i].max_concurrent;
        waiting += (size_t)s->upstreams[i].waiting;
    }
    if (waiting > 0) {
        s->entries = mem_zalloc(ENTRIES_MAX, sizeof *s->entries);
        admit_each_waiting(e->admit, e->now_us, add_entry, &v);
    }
    admit_counters(e->admit, &s->counters);
    add_waits(e, s);
    add_budgets(e, s);
    s->leases = e->leases;
    s->draining = e->draining;
    s->version = fingerprint(s);
    return s;
}

void snapshot_free(struct snapshot *s)
{
    free(s->upstreams);
    free(s->entries);
    free(s->budgets);
    free(s);
}
