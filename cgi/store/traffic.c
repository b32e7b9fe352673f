/* traffic.c - events of the ledger as requests to replay. */
#include "store/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/idmap.h"
#include "rules/queue.h"
#include "store/db.h"
#include "store/ledger.h"

enum { STEP = 1000 };

/* Numbers of the ledger as places in a list, in order of appearance. */
struct places {
    struct idmap of;
    int64_t *id;
    uint32_t n, cap;
};

static uint32_t place_of(struct places *p, int64_t id)
{
    uint32_t place = idmap_get(&p->of, (uint64_t)id);

    if (place != IDMAP_NONE)
        return place;
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 64;
        p->id = mem_grow(p->id, p->cap, sizeof *p->id);
    }
    idmap_set(&p->of, (uint64_t)id, p->n);
    p->id[p->n] = id;
    return p->n++;
}

static void places_done(struct places *p)
{
    idmap_done(&p->of);
    free(p->id);
}

/* Whom a share is for, in one number: 2 * a user, or 2 * a token with a share of its own + 1. Their names and weights: */
#define SHARERS(column, of_token)                                                                                          \
    "SELECT " column " FROM users WHERE ?1 % 2 = 0 AND id = ?1 / 2 UNION ALL"                                               \
    " SELECT " of_token " FROM tokens t JOIN users u ON u.id = t.user WHERE ?1 % 2 = 1 AND t.id = ?1 / 2"

struct loading {
    struct traffic *t;
    size_t cap;
    struct places users, models, upstreams, sessions;
    int64_t last;                  /* key of the event read last */
};

static void take_call(struct loading *l, const struct query *q)
{
    struct traffic *t = l->t;
    int64_t at_ms, upstream, session;
    struct traffic_call *c;

    if (t->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : STEP;
        t->call = mem_grow(t->call, l->cap, sizeof *t->call);
    }
    c = &t->call[t->n];
    l->last = query_col_i64(q, 0);
    at_ms = l->last >> EVENT_BITS;
    if (t->n++ == 0)
        t->from_ms = at_ms;
    upstream = query_col_i64(q, 4);
    session = query_col_i64(q, 2);
    *c = (struct traffic_call){
        .at_us = (at_ms - t->from_ms) * 1000,
        .user = place_of(&l->users, query_col_i64(q, 1)),
        .session = session ? place_of(&l->sessions, session) + 1 : 0,
        .model = place_of(&l->models, query_col_i64(q, 3)),
        .priority = (enum priority)query_col_i64(q, 5), .status = (enum call_status)query_col_i64(q, 6),
        .prompt = query_col_i64(q, 7), .max_tokens = query_col_i64(q, 8),
        .input = query_col_i64(q, 9), .output = query_col_i64(q, 10),
        .attempts = query_col_i64(q, 11), .refused = query_col_i64(q, 12),
        .wait_us = query_col_i64(q, 13), .first_us = query_col_i64(q, 14), .writing_us = query_col_i64(q, 15),
        .priced = query_col_i64(q, 16) != 0, .cost_in = query_col_i64(q, 17), .cost_out = query_col_i64(q, 18),
        .rate_in = query_col_i64(q, 19), .rate_out = query_col_i64(q, 20),
    };
    c->upstream = c->attempts > 0 && upstream ? place_of(&l->upstreams, upstream) : TRAFFIC_NONE;
}

/* One step: what follows the last event read. */
static enum weir_err take_some(struct loading *l, struct db *ro, int64_t until, int64_t *got)
{
    static const char sql[] =
        "SELECT e.id, CASE WHEN t.weight IS NULL THEN 2 * e.user ELSE 2 * t.id + 1 END, e.session, e.model, e.upstream, e.priority, e.status, e.counted, e.max_tokens, e.prompt,"
        " e.completion, e.attempts, CASE WHEN e.attempts > 1 OR e.status = 1 THEN (e.http_status IS 429) + (SELECT count(*)"
        " FROM attempt_rows a WHERE a.event = e.id AND a.http_status = 429) ELSE 0 END, e.queue_us + e.retry_us, e.ttft_us, e.writing_us,"
        " e.rate, e.cost_in, e.cost_out, coalesce(r.rate_in, 0), coalesce(r.rate_out, 0)"
        " FROM events e LEFT JOIN rates r ON r.id = e.rate LEFT JOIN tokens t ON t.id = e.token"
        " WHERE e.id > ?1 AND e.id < ?2 AND e.state = 2 AND e.units IS NULL ORDER BY e.id LIMIT ?3";
    struct query q = query(ro, sql);

    query_i64(&q, l->last);
    query_i64(&q, until);
    query_i64(&q, STEP);
    for (*got = 0; query_row(&q); ++*got)
        take_call(l, &q);
    return query_end(&q);
}

/* The key before that of the oldest one wanted. */
static enum weir_err find_start(struct db *ro, int64_t from, int64_t until, int64_t most, int64_t *start)
{
    struct query q = query(ro, "SELECT id FROM events WHERE id >= ?1 AND id < ?2 AND state = 2 ORDER BY id DESC LIMIT 1 OFFSET ?3");

    query_i64(&q, from);
    query_i64(&q, until);
    query_i64(&q, most - 1);
    *start = query_row(&q) ? query_col_i64(&q, 0) - 1 : from - 1;
    return query_stop(&q);
}

static enum weir_err name(struct db *ro, const char *sql, const struct places *p, struct traffic_names *out)
{
    enum weir_err e = WEIR_OK;

    out->v = mem_zalloc(p->n, sizeof *out->v);
    out->n = p->n;
    for (uint32_t i = 0; !e && i < p->n; i++) {
        struct query q = query(ro, sql);

        query_i64(&q, p->id[i]);
        out->v[i] = mem_strdup(query_row(&q) ? query_col_text(&q, 0) : "?");
        e = query_stop(&q);
    }
    return e;
}

static enum weir_err weigh(struct db *ro, const struct places *users, int32_t **out)
{
    enum weir_err e = WEIR_OK;

    *out = mem_zalloc(users->n, sizeof **out);
    for (uint32_t i = 0; !e && i < users->n; i++) {
        struct query q = query(ro, SHARERS("weight", "t.weight"));

        query_i64(&q, users->id[i]);
        (*out)[i] = query_row(&q) ? (int32_t)query_col_i64(&q, 0) : QUEUE_WEIGHT_ONE;
        e = query_stop(&q);
    }
    return e;
}

enum weir_err traffic_load(struct db *ro, int64_t from_ms, int64_t to_ms, int64_t most, struct traffic *out)
{
    int64_t until = to_ms << EVENT_BITS, got = STEP;
    struct loading l = {.t = out};
    enum weir_err e;

    *out = (struct traffic){0};
    e = find_start(ro, from_ms << EVENT_BITS, until, most, &l.last);
    while (!e && got == STEP)
        e = take_some(&l, ro, until, &got);
    if (!e)
        e = name(ro, SHARERS("name", "u.name || '/' || t.name"), &l.users, &out->users);
    if (!e)
        e = weigh(ro, &l.users, &out->weight);
    if (!e)
        e = name(ro, "SELECT text FROM words WHERE id = ?1", &l.models, &out->models);
    if (!e)
        e = name(ro, "SELECT text FROM words WHERE id = ?1", &l.upstreams, &out->upstreams);
    places_done(&l.users);
    places_done(&l.models);
    places_done(&l.upstreams);
    places_done(&l.sessions);
    if (e)
        traffic_done(out);
    return e;
}

static void names_done(struct traffic_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    free(names->v);
}

void traffic_done(struct traffic *t)
{
    free(t->call);
    free(t->weight);
    names_done(&t->users);
    names_done(&t->models);
    names_done(&t->upstreams);
    *t = (struct traffic){0};
}
