/* tally.c - find the line, add one. Lines are few, so they are searched one after another. */
#include "flow/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* --- histograms --- */

#define MS USEC_PER_MS
#define SEC USEC_PER_SEC
const struct tally_scale tally_seconds = {
    SEC, 14, {10 * MS, 20 * MS, 40 * MS, 80 * MS, 160 * MS, 320 * MS, 640 * MS, 1280 * MS, 2560 * MS, 5120 * MS, 10240 * MS,
              20480 * MS, 40960 * MS, 81920 * MS}};
const struct tally_scale tally_waits = {
    SEC, 14, {10 * MS, 50 * MS, 100 * MS, 500 * MS, SEC, 2 * SEC, 5 * SEC, 10 * SEC, 30 * SEC, 60 * SEC, 120 * SEC, 300 * SEC,
              600 * SEC, 900 * SEC}};
const struct tally_scale tally_tokens = {
    1, 14, {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}};
const struct tally_scale tally_ratios = {
    1000000, 12, {500000, 700000, 800000, 900000, 950000, 1000000, 1050000, 1100000, 1200000, 1500000, 2000000, 3000000}};

void tally_hist_add(struct tally_hist *h, const struct tally_scale *s, int64_t value)
{
    size_t i = 0;

    while (i < s->n && value > s->bound[i])
        i++;
    h->n[i]++;
    h->count++;
    h->sum += value;
}

/* --- names --- */

const char *tally_outcome_name(enum tally_outcome o)
{
    static const char *const names[] = {
        [TALLY_OK] = "ok", [TALLY_CLIENT_ERROR] = "client_error", [TALLY_RATE_LIMITED] = "rate_limited", [TALLY_QUOTA] = "quota",
        [TALLY_UPSTREAM_ERROR] = "upstream_error", [TALLY_CANCELLED] = "cancelled", [TALLY_QUEUE_TIMEOUT] = "queue_timeout",
        [TALLY_UNAVAILABLE] = "unavailable",
    };

    return names[o];
}

static bool same(const char *kept, size_t size, const char *name)
{
    return strncmp(kept, name, size - 1) == 0;
}

static void keep(char *to, size_t size, const char *name)
{
    memset(to, 0, size);
    memcpy(to, name, strnlen(name, size - 1));
}

/* One more of an array that grows by doubling. */
static void *one_more(void *p, size_t n, size_t size)
{
    char *all = p;

    if ((n & (n - 1)) == 0)
        all = mem_grow(all, n ? 2 * n : 1, size);
    memset(all + n * size, 0, size);
    return all;
}

/* --- counting --- */

struct tally_line *tally_line(struct tally *t, const char *provider, const char *model)
{
    struct tally_line *l;

    for (size_t i = 0; i < t->line_count; i++) {
        l = &t->lines[i];
        if (same(l->provider, sizeof l->provider, provider) && same(l->model, sizeof l->model, model))
            return l;
    }
    if (t->line_count >= TALLY_LINES - 1 && (strcmp(provider, TALLY_OTHER) != 0 || strcmp(model, TALLY_OTHER) != 0))
        return tally_line(t, TALLY_OTHER, TALLY_OTHER);      /* the last place is for this */
    t->lines = one_more(t->lines, t->line_count, sizeof *t->lines);
    l = &t->lines[t->line_count++];
    keep(l->provider, sizeof l->provider, provider);
    keep(l->model, sizeof l->model, model);
    return l;
}

static int route_of(struct tally *t, const char *route)
{
    for (int i = 0; i < t->route_count; i++)
        if (same(t->routes[i], sizeof t->routes[i], route))
            return i;
    if (t->route_count == TALLY_ROUTES)
        return TALLY_ROUTES - 1;
    keep(t->routes[t->route_count], sizeof t->routes[0], t->route_count < TALLY_ROUTES - 1 ? route : TALLY_OTHER);
    return t->route_count++;
}

void tally_request(struct tally *t, struct tally_line *l, const char *route, enum tally_outcome o, enum priority p)
{
    l->requests[route_of(t, route)][o][p]++;
}

static struct tally_time *time_of(struct tally *t, size_t line, const char *error)
{
    for (size_t i = 0; i < t->time_count; i++)
        if (t->times[i].line == line && strcmp(t->times[i].error, error) == 0)
            return &t->times[i];
    return NULL;
}

void tally_took(struct tally *t, const struct tally_line *l, const char *error, int64_t us)
{
    size_t line = (size_t)(l - t->lines);
    struct tally_time *at = time_of(t, line, error);

    if (!at && t->time_count >= TALLY_TIMES - 1) {            /* the last place is for what has none */
        line = (size_t)(tally_line(t, TALLY_OTHER, TALLY_OTHER) - t->lines);
        error = TALLY_OTHER;
        at = time_of(t, line, error);
    }
    if (!at) {
        t->times = one_more(t->times, t->time_count, sizeof *t->times);
        at = &t->times[t->time_count++];
        at->line = line;
        at->error = error;
    }
    tally_hist_add(&at->took, &tally_seconds, us);
}

static struct tally_event *event_of(struct tally *t, enum tally_what what, const char *provider, int status, const char *reason)
{
    for (size_t i = 0; i < t->event_count; i++) {
        struct tally_event *e = &t->events[i];

        if (e->what == what && e->status == status && strcmp(e->reason, reason) == 0 && same(e->provider, sizeof e->provider, provider))
            return e;
    }
    return NULL;
}

void tally_event(struct tally *t, enum tally_what what, const char *provider, int status, const char *reason)
{
    enum { KINDS = TALLY_FAILOVER + 1 };
    struct tally_event *e = event_of(t, what, provider, status, reason);

    if (!e && t->event_count >= TALLY_EVENTS - KINDS) {       /* the last places are for what has none */
        provider = reason = TALLY_OTHER;
        status = 0;
        e = event_of(t, what, provider, status, reason);
    }
    if (!e) {
        t->events = one_more(t->events, t->event_count, sizeof *t->events);
        e = &t->events[t->event_count++];
        e->what = what;
        keep(e->provider, sizeof e->provider, provider);
        e->status = status;
        e->reason = reason;
    }
    e->n++;
}

void tally_throttled(struct tally *t, const char *provider, enum dim d, int64_t us)
{
    struct tally_throttle *at = NULL;

    for (size_t i = 0; i < t->throttle_count && !at; i++)
        if (same(t->throttles[i].provider, sizeof t->throttles[i].provider, provider))
            at = &t->throttles[i];
    if (!at) {                        /* as many as the configuration ever had upstreams */
        t->throttles = one_more(t->throttles, t->throttle_count, sizeof *t->throttles);
        at = &t->throttles[t->throttle_count++];
        keep(at->provider, sizeof at->provider, provider);
    }
    at->us[d] += us;
}

/* --- copies --- */

static void *copy_of(const void *p, size_t n, size_t size)
{
    void *copy = n ? mem_zalloc(n, size) : NULL;

    if (copy)
        memcpy(copy, p, n * size);
    return copy;
}

struct tally *tally_copy(const struct tally *t)
{
    struct tally *c = mem_zalloc(1, sizeof *c);

    *c = *t;
    c->lines = copy_of(t->lines, t->line_count, sizeof *t->lines);
    c->times = copy_of(t->times, t->time_count, sizeof *t->times);
    c->events = copy_of(t->events, t->event_count, sizeof *t->events);
    c->throttles = copy_of(t->throttles, t->throttle_count, sizeof *t->throttles);
    return c;
}

void tally_done(struct tally *t)
{
    free(t->lines);
    free(t->times);
    free(t->events);
    free(t->throttles);
}

void tally_free(struct tally *t)
{
    if (!t)
        return;
    tally_done(t);
    free(t);
}
