/* report_sessions.c - all sessions of a selection, from their own roll-ups or
 * from events; or the dearest, by trying them from the dearest of all on.
 *
 * In a part of its time a session costs no more than in all of it. So once as
 * many are found as are wanted, and the next costs less in all than the last of
 * them in the range, no dearer one can come (Fagin's threshold algorithm). */
#include "store/report_sessions.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* --- all of them --- */

#define EVENT_SUMS                                                                                                        \
    "SELECT e.session, 1, e.prompt, e.completion, e.cost_in + e.cost_out, e.rate = 0 FROM events e WHERE e.state = 2"      \
    " AND e.session > 0 AND e.id >= ?1 AND e.id < ?2 AND (?3 = 0 OR e.user = ?3) AND (?4 = 0 OR e.model = ?4)"            \
    " AND (?5 = 0 OR e.upstream = ?5) AND (?6 = 0 OR e.endpoint = ?6) AND (?7 < 0 OR e.priority = ?7)"                    \
    " AND (?8 < 0 OR e.status = ?8)"

static void bind_selection(struct query *q, const struct report_scan *s, int64_t from_ms, int64_t to_ms)
{
    const struct report_keys *k = &s->keys;
    const int64_t v[] = {from_ms << EVENT_BITS, to_ms << EVENT_BITS, k->user, k->model, k->upstream, k->endpoint,
                         s->f->priority, s->f->status};

    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        query_i64(q, v[i]);
}

static struct report_sums sums_of(const struct query *q)
{
    const struct report_sums one = {.requests = query_col_i64(q, 1), .prompt = query_col_i64(q, 2),
                                    .completion = query_col_i64(q, 3), .cost = query_col_i64(q, 4),
                                    .unpriced = query_col_i64(q, 5)};

    return one;
}

static enum weir_err add_rows(struct report_list *l, struct query *q)
{
    while (query_row(q)) {
        const struct report_sums one = sums_of(q);

        report_list_add(l, query_col_i64(q, 0), &one);
    }
    return query_end(q);
}

static enum weir_err add_events(struct report_list *l, struct db *ro, const struct report_scan *s, int64_t from_ms, int64_t to_ms)
{
    struct query q = query(ro, EVENT_SUMS);

    bind_selection(&q, s, from_ms, to_ms);
    return from_ms < to_ms ? add_rows(l, &q) : query_stop(&q);
}

static enum weir_err add_rollups(struct report_list *l, struct db *ro, const struct report_scan *s, const struct report_units *u)
{
    struct query q = query(ro, s->keys.user
                           ? "SELECT r.session, r.requests, r.prompt, r.completion, r.cost, r.unpriced FROM session_rollups r"
                             " CROSS JOIN sessions s ON s.id = r.session WHERE r.id >= ?1 AND r.id < ?2 AND s.user = ?3"
                           : "SELECT session, requests, prompt, completion, cost, unpriced FROM session_rollups"
                             " WHERE id >= ?1 AND id < ?2");

    query_i64(&q, u->first << SESSION_BITS);
    query_i64(&q, u->last << SESSION_BITS);
    if (s->keys.user)
        query_i64(&q, s->keys.user);
    return add_rows(l, &q);
}

static enum weir_err read_all(struct report_list *l, struct db *ro, const struct report_scan *s)
{
    const struct report_keys *k = &s->keys;
    const struct report_filter *f = s->f;
    struct report_units u = report_units(f, QUARTER_MS);
    enum weir_err e;

    if (k->model || k->upstream || k->endpoint || f->priority >= 0 || f->status >= 0 || u.first == u.last)
        return add_events(l, ro, s, f->from_ms, report_until(f));
    e = add_rollups(l, ro, s, &u);
    if (!e)
        e = add_events(l, ro, s, f->from_ms, u.first * QUARTER_MS);
    return e ? e : add_events(l, ro, s, u.last * QUARTER_MS, f->to_ms);
}

/* --- the dearest --- */

/* What one session was in the selection. */
static enum weir_err one_session(struct db *ro, const struct report_scan *s, int64_t session, struct report_sums *out)
{
    struct query q = query(ro, EVENT_SUMS " AND e.session = ?9");

    memset(out, 0, sizeof *out);
    bind_selection(&q, s, s->f->from_ms, report_until(s->f));
    query_i64(&q, session);
    while (query_row(&q)) {
        const struct report_sums one = sums_of(&q);

        report_sums_add(out, &one);
    }
    return query_end(&q);
}

/* The cheapest of the entries. */
static size_t least_of(const struct report_list *l)
{
    size_t least = 0;

    for (size_t i = 1; i < l->count; i++)
        if (l->entry[i].sums.cost < l->entry[least].sums.cost)
            least = i;
    return least;
}

static enum weir_err read_dearest(struct report_list *l, struct db *ro, const struct report_scan *s)
{
    struct query q = query(ro, "SELECT id, cost FROM sessions WHERE (?1 = 0 OR user = ?1) AND updated_ms >= ?2 ORDER BY cost DESC");
    size_t want = (size_t)s->f->limit, least = 0;
    enum weir_err e = WEIR_OK, done;

    query_i64(&q, s->keys.user);
    query_i64(&q, s->f->from_ms);
    while (!e && query_row(&q)) {
        struct report_sums sums;

        if (l->count == want && query_col_i64(&q, 1) <= l->entry[least].sums.cost)
            break;
        e = one_session(ro, s, query_col_i64(&q, 0), &sums);
        if (e || !sums.requests)
            continue;
        if (l->count < want)
            report_list_add(l, query_col_i64(&q, 0), &sums);
        else if (sums.cost > l->entry[least].sums.cost)
            report_list_replace(l, least, query_col_i64(&q, 0), &sums);
        if (l->count == want)
            least = least_of(l);
    }
    done = query_stop(&q);
    return e ? e : done;
}

/* --- which way --- */

/* Requests of anybody in the range, as far as the spans know. */
static enum weir_err requests_of_all(struct db *ro, const struct report_filter *f, int64_t *out)
{
    struct query q = query(ro, "SELECT coalesce(sum(requests), 0) FROM hour_rollups WHERE id >= ?1 AND id < ?2");

    query_i64(&q, f->from_ms / 3600000);
    query_i64(&q, f->to_ms / 3600000 + 1);
    *out = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_stop(&q);
}

/* Everything else, and the means. */
static void add_rest(struct report_sessions *l, const struct report_scan *s, bool all)
{
    struct report_sums rest = s->total;

    for (size_t i = 0; i < l->list.count; i++) {
        const struct report_sums *one = &l->list.entry[i].sums;

        rest.requests -= one->requests;
        rest.prompt -= one->prompt;
        rest.completion -= one->completion;
        rest.cost -= one->cost;
        rest.unpriced -= one->unpriced;
        if (all && one->requests > one->unpriced) {
            l->priced++;
            l->cost += one->cost;
        }
    }
    if (rest.requests > 0)
        report_list_add(&l->list, 0, &rest);
}

enum weir_err report_sessions_read(struct report_sessions *l, struct db *ro, const struct report_scan *s)
{
    int64_t requests = 0;
    bool all = s->keys.session;
    enum weir_err e = requests_of_all(ro, s->f, &requests);

    memset(l, 0, sizeof *l);
    if (all && s->total.requests)                  /* the selection is one session's */
        report_list_add(&l->list, s->keys.session, &s->total);
    if (!e && !all) {
        all = requests <= SESSIONS_ALL_REQUESTS;
        e = all ? read_all(&l->list, ro, s) : read_dearest(&l->list, ro, s);
    }
    if (!e)
        add_rest(l, s, all);
    return e;
}
