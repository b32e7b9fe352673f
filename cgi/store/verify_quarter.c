/* verify_quarter.c - one quarter of an hour: its events and attempts, read once
 * in the order they lie, against their seal and all roll-ups of the quarter. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/hist.h"
#include "store/ledger.h"
#include "store/seal.h"
#include "store/usage.h"
#include "store/verify_impl.h"

#define QUARTER_IDS (QUARTER_MS << EVENT_BITS)
#define MINUTES_KEPT_MS (INT64_C(47) * 3600 * 1000)          /* of the 48 hours; the rest may just be going */

/* Columns of SEAL_EVENT_COLUMNS and SEAL_ATTEMPT_COLUMNS that are looked at. */
enum { E_ID, E_USER, E_MODEL, E_UPSTREAM, E_ENDPOINT, E_PRIORITY, E_STATUS, E_SESSION, E_ATTEMPTS, E_PROMPT, E_CACHED,
       E_CACHE_WRITE, E_CACHE_WRITE_1H, E_COMPLETION, E_REASONING, E_CHARS, E_COST_IN, E_COST_OUT, E_RATE, E_ESTIMATED,
       E_QUEUE_US, E_RETRY_US, E_TTFT_US, E_WRITING_US, E_REQUEST_ID = 35, E_HTTP_STATUS = 43 };
enum { A_EVENT, A_N, A_PROMPT, A_COMPLETION, A_COST_IN, A_COST_OUT };

enum rolled_key { BY_COMBO, BY_SESSION };

/* A table of roll-ups: what its ids are made of, and the columns after the id. Adding one is adding a line. */
struct rolled {
    enum verify_check check;
    const char *what;
    const char *next, *sql;          /* first id from ?1 on; rows of ids in [?1, ?2) */
    int64_t unit_ms;
    int bits;
    enum rolled_key key;
    bool recent;                     /* kept for 48 hours only */
    int sums;
    unsigned char sum[KEYSUM_SUMS];
};

static const struct rolled rolled[VERIFY_ROLLED] = {
    {VERIFY_ROLLUPS, "roll-up", "SELECT min(id) FROM rollups WHERE id >= ?1",
     "SELECT id, requests, prompt, cached, cache_write, completion, reasoning, chars, cost_in, cost_out, unpriced,"
     " unpriced_tokens, estimated, retries, queue_us, retry_us, ttft_us, writing_us, hist FROM rollups WHERE id >= ?1 AND id < ?2",
     QUARTER_MS, COMBO_BITS, BY_COMBO, false, 18,
     {KEYSUM_REQUESTS, KEYSUM_PROMPT, KEYSUM_CACHED, KEYSUM_CACHE_WRITE, KEYSUM_COMPLETION, KEYSUM_REASONING, KEYSUM_CHARS,
      KEYSUM_COST_IN, KEYSUM_COST_OUT, KEYSUM_UNPRICED, KEYSUM_UNPRICED_TOKENS, KEYSUM_ESTIMATED, KEYSUM_RETRIES, KEYSUM_QUEUE_US,
      KEYSUM_RETRY_US, KEYSUM_TTFT_US, KEYSUM_WRITING_US, KEYSUM_HIST}},
    {VERIFY_MINUTES, "minute's roll-up", "SELECT min(id) FROM minute_rollups WHERE id >= ?1",
     "SELECT id, requests, prompt, completion, reasoning, chars, cost, unpriced FROM minute_rollups WHERE id >= ?1 AND id < ?2",
     MINUTE_MS, COMBO_BITS, BY_COMBO, true, 7,
     {KEYSUM_REQUESTS, KEYSUM_PROMPT, KEYSUM_COMPLETION, KEYSUM_REASONING, KEYSUM_CHARS, KEYSUM_COST, KEYSUM_UNPRICED}},
    {VERIFY_SESSION_ROLLUPS, "session's roll-up", "SELECT min(id) FROM session_rollups WHERE id >= ?1",
     "SELECT id, requests, prompt, completion, cost, unpriced FROM session_rollups WHERE id >= ?1 AND id < ?2",
     QUARTER_MS, SESSION_BITS, BY_SESSION, false, 5,
     {KEYSUM_REQUESTS, KEYSUM_PROMPT, KEYSUM_COMPLETION, KEYSUM_COST, KEYSUM_UNPRICED}},
};

/* The first id of a moment; of times beyond all ids the last. */
static int64_t first_id(int64_t at_ms, int64_t unit_ms, int bits)
{
    int64_t n = at_ms / unit_ms;

    return n >= INT64_MAX >> bits ? INT64_MAX : n << bits;
}

/* --- which quarter is next --- */

static enum weir_err least(struct db *ro, const char *sql, int64_t from, int64_t unit, int64_t *quarter)
{
    struct query q = query(ro, sql);

    query_i64(&q, from);
    if (query_row(&q) && !query_col_null(&q, 0) && query_col_i64(&q, 0) / unit < *quarter)
        *quarter = query_col_i64(&q, 0) / unit;
    return query_stop(&q);
}

static enum weir_err next_quarter(struct verify *v, int64_t *quarter)
{
    int64_t at_ms = v->quarter * QUARTER_MS, recent_ms = v->s.now_ms - MINUTES_KEPT_MS;
    enum weir_err e;

    *quarter = INT64_MAX;
    if ((e = least(v->s.ro, "SELECT min(id) FROM events WHERE id >= ?1", first_id(at_ms, 1, EVENT_BITS), QUARTER_IDS, quarter)) ||
        (e = least(v->s.ro, "SELECT min(event) FROM attempt_rows WHERE event >= ?1", first_id(at_ms, 1, EVENT_BITS), QUARTER_IDS, quarter)) ||
        (e = least(v->s.ro, "SELECT min(id) FROM seals WHERE id >= ?1", v->quarter, 1, quarter)))
        return e;
    for (int i = 0; !e && i < VERIFY_ROLLED; i++) {
        const struct rolled *r = &rolled[i];
        int64_t from_ms = r->recent && recent_ms > at_ms ? recent_ms : at_ms;

        e = least(v->s.ro, r->next, first_id(from_ms, r->unit_ms, r->bits), (QUARTER_MS / r->unit_ms) << r->bits, quarter);
    }
    return e;
}

/* --- combinations --- */

static struct combo *combo_slot(const struct combo_map *m, const int64_t dim[6])
{
    uint64_t h = 0;
    size_t i;

    for (int k = 0; k < 6; k++)
        h = (h ^ (uint64_t)dim[k]) * UINT64_C(0x9e3779b97f4a7c15);
    i = (size_t)((h ^ (h >> 32)) & (m->slots - 1));
    while (m->slot[i].id && memcmp(m->slot[i].dim, dim, sizeof m->slot[i].dim) != 0)
        i = (i + 1) & (m->slots - 1);
    return &m->slot[i];
}

static enum weir_err combos_load(struct verify *v)
{
    struct combo_map *m = &v->combos;
    struct query q = query(v->s.ro, "SELECT count(*) FROM combos");
    int64_t n = query_row(&q) ? query_col_i64(&q, 0) : 0;
    enum weir_err e = query_stop(&q);

    if (e)
        return e;
    free(m->slot);
    for (m->slots = 64; m->slots < (size_t)n * 2; m->slots *= 2)
        ;
    m->slot = mem_zalloc(m->slots, sizeof *m->slot);
    q = query(v->s.ro, "SELECT id, user, model, upstream, endpoint, priority, status FROM combos");
    while (query_row(&q)) {
        struct combo c = {.id = query_col_i64(&q, 0)}, *at;

        for (int k = 0; k < 6; k++)
            c.dim[k] = query_col_i64(&q, k + 1);
        at = combo_slot(m, c.dim);
        *at = c;
    }
    return query_end(&q);
}

/* 0 if there is none: events that somebody changed have no roll-ups of their own. */
static enum weir_err combo_of(struct verify *v, const int64_t *event, int64_t *id)
{
    const int64_t dim[6] = {event[E_USER], event[E_MODEL], event[E_UPSTREAM], event[E_ENDPOINT], event[E_PRIORITY], event[E_STATUS]};
    enum weir_err e = v->combos.slots ? WEIR_OK : combos_load(v);

    *id = e ? 0 : combo_slot(&v->combos, dim)->id;
    if (e || *id)
        return e;
    e = combos_load(v);                      /* made since */
    *id = e ? 0 : combo_slot(&v->combos, dim)->id;
    return e;
}

/* --- events --- */

struct part {
    struct seal seal;
    bool recent;                             /* minutes are compared too */
    struct query events, attempts;           /* at their next rows */
    int64_t event[SEAL_EVENT_N];             /* the numbers of the row that is looked at */
    int64_t attempt[SEAL_ATTEMPT_N];
    bool is_attempt;                         /* there is one */
};

/* What attempts of one event add up to. */
struct attempted {
    int64_t n, prompt, completion, cost_in, cost_out;
    bool known;                              /* false: from before this was kept for each */
    bool within;                             /* one is in the event's own row, and has what that has */
};

static void next_attempt(struct part *p)
{
    p->is_attempt = query_row(&p->attempts);
    if (p->is_attempt)
        seal_row(&p->seal, &p->attempts, SEAL_ATTEMPT_N, SEAL_OF_ATTEMPT, p->attempt);
}

static void take_attempts(struct verify *v, struct part *p, int64_t event, struct attempted *sum)
{
    *sum = (struct attempted){.known = true, .within = event != INT64_MAX && !query_col_null(&p->events, E_HTTP_STATUS)};
    v->r.attempts += sum->within;
    for (; p->is_attempt && p->attempt[A_EVENT] <= event; next_attempt(p)) {
        const int64_t *a = p->attempt;

        v->r.attempts++;
        if (a[A_EVENT] < event) {
            char where[60];

            (void)snprintf(where, sizeof where, "attempt %" PRId64 " of event %" PRId64, a[A_N], a[A_EVENT]);
            verify_fail(v, VERIFY_ATTEMPTS, where, "An attempt without a settled event; it is counted nowhere.");
            continue;
        }
        sum->n++;
        sum->known = sum->known && !query_col_null(&p->attempts, A_PROMPT);
        sum->prompt += a[A_PROMPT];
        sum->completion += a[A_COMPLETION];
        sum->cost_in += a[A_COST_IN];
        sum->cost_out += a[A_COST_OUT];
    }
}

static const char *request_of(const struct part *p)
{
    const char *id = query_col_text(&p->events, E_REQUEST_ID);

    return id ? id : "";
}

static void compare_attempts(struct verify *v, const struct part *p, const struct attempted *a)
{
    const int64_t *e = p->event;

    v->r.compared[VERIFY_ATTEMPTS]++;
    if (a->n + a->within != e[E_ATTEMPTS]) {
        verify_fail(v, VERIFY_ATTEMPTS, request_of(p), "The event has %" PRId64 " attempts by its own count, %" PRId64 " by their rows.",
                    e[E_ATTEMPTS], a->n + a->within);
        return;
    }
    if (a->n && a->known && (a->prompt != e[E_PROMPT] || a->completion != e[E_COMPLETION] ||
                             a->cost_in != e[E_COST_IN] || a->cost_out != e[E_COST_OUT]))
        verify_fail(v, VERIFY_ATTEMPTS, request_of(p),
                    "Tokens in, out and cost are %" PRId64 ", %" PRId64 ", %" PRId64 " in the event and %" PRId64 ", %" PRId64 ", %" PRId64
                    " in its attempts.", e[E_PROMPT], e[E_COMPLETION],
                    e[E_COST_IN] + e[E_COST_OUT], a->prompt, a->completion, a->cost_in + a->cost_out);
}

static void compare_parts(struct verify *v, const struct part *p)
{
    const int64_t *e = p->event;
    int64_t prompt = e[E_PROMPT], cached = e[E_CACHED], written = e[E_CACHE_WRITE],
            written_1h = e[E_CACHE_WRITE_1H], completion = e[E_COMPLETION],
            reasoning = e[E_REASONING];

    v->r.compared[VERIFY_PARTS]++;
    if ((prompt | cached | written | written_1h | completion | reasoning) < 0 || cached > prompt || written > prompt - cached ||
        written_1h > prompt - cached - written || reasoning > completion)
        verify_fail(v, VERIFY_PARTS, request_of(p), "Parts of the usage are more than its totals, or negative.");
}

static void sums_of(const int64_t *e, int64_t sum[KEYSUM_SUMS])
{
    int64_t prompt = e[E_PROMPT], completion = e[E_COMPLETION], attempts = e[E_ATTEMPTS],
            queue = e[E_QUEUE_US], retry = e[E_RETRY_US], ttft = e[E_TTFT_US],
            writing = e[E_WRITING_US];
    bool priced = e[E_RATE] != 0;

    sum[KEYSUM_REQUESTS] = 1;
    sum[KEYSUM_PROMPT] = prompt;
    sum[KEYSUM_CACHED] = e[E_CACHED];
    sum[KEYSUM_CACHE_WRITE] = e[E_CACHE_WRITE] + e[E_CACHE_WRITE_1H];
    sum[KEYSUM_COMPLETION] = completion;
    sum[KEYSUM_REASONING] = e[E_REASONING];
    sum[KEYSUM_CHARS] = e[E_CHARS];
    sum[KEYSUM_COST_IN] = e[E_COST_IN];
    sum[KEYSUM_COST_OUT] = e[E_COST_OUT];
    sum[KEYSUM_COST] = sum[KEYSUM_COST_IN] + sum[KEYSUM_COST_OUT];
    sum[KEYSUM_UNPRICED] = !priced;
    sum[KEYSUM_UNPRICED_TOKENS] = priced ? 0 : prompt + completion;
    sum[KEYSUM_ESTIMATED] = e[E_ESTIMATED];
    sum[KEYSUM_RETRIES] = attempts > 1 ? attempts - 1 : 0;
    sum[KEYSUM_QUEUE_US] = queue;
    sum[KEYSUM_RETRY_US] = retry;
    sum[KEYSUM_TTFT_US] = ttft;
    sum[KEYSUM_WRITING_US] = writing;
    sum[KEYSUM_WAIT_US] = queue + retry;
    sum[KEYSUM_HIST] = (int64_t)(hist_mark(HIST_DURATION, queue + retry + ttft + writing) + hist_mark(HIST_WAIT, queue + retry) +
                                (completion > 0 ? hist_mark(HIST_TTFT, ttft) : 0));
}

static enum weir_err take_event(struct verify *v, struct part *p)
{
    int64_t sum[KEYSUM_SUMS], combo;
    struct attempted a;
    enum weir_err e;

    seal_row(&p->seal, &p->events, SEAL_EVENT_N, SEAL_OF_EVENT, p->event);
    e = combo_of(v, p->event, &combo);
    if (e)
        return e;
    take_attempts(v, p, p->event[E_ID], &a);
    compare_attempts(v, p, &a);
    compare_parts(v, p);
    sums_of(p->event, sum);
    for (int i = 0; i < VERIFY_ROLLED; i++) {
        const struct rolled *r = &rolled[i];
        int64_t key = r->key == BY_COMBO ? combo : p->event[E_SESSION];

        if ((!r->recent || p->recent) && (r->key == BY_COMBO || key))
            keysum_add(&v->keysum[i], (int64_t)((uint64_t)((p->event[E_ID] >> EVENT_BITS) / r->unit_ms) << r->bits) | key, sum);
    }
    v->r.events++;
    return WEIR_OK;
}

/* --- roll-ups --- */

static void say_row(char *where, size_t size, const struct rolled *r, int64_t id)
{
    char time[VERIFY_TIME_SIZE];

    (void)snprintf(where, size, "%s, %s %" PRId64, verify_time(time, (id >> r->bits) * r->unit_ms),
                   r->key == BY_COMBO ? "combination" : "session", id & ((INT64_C(1) << r->bits) - 1));
}

static void compare_row(struct verify *v, const struct rolled *r, const struct query *q, const int64_t sum[KEYSUM_SUMS])
{
    int i = verify_differs(q, r->sum, r->sums, sum);
    char where[120];

    if (i == r->sums)
        return;
    say_row(where, sizeof where, r, query_col_i64(q, 0));
    verify_fail_sum(v, r->check, where, r->what, "events", r->sum[i], query_col_i64(q, i + 1), sum);
}

static enum weir_err compare_rolled(struct verify *v, int i, int64_t quarter, bool pruned, int64_t *requests)
{
    const struct rolled *r = &rolled[i];
    static const int64_t nothing[KEYSUM_SUMS];
    struct query q = query(v->s.ro, r->sql);
    char where[120];
    enum weir_err e;

    query_i64(&q, first_id(quarter * QUARTER_MS, r->unit_ms, r->bits));
    query_i64(&q, first_id((quarter + 1) * QUARTER_MS, r->unit_ms, r->bits));
    while (query_row(&q)) {
        struct keysum_row *t = keysum_find(&v->keysum[i], query_col_i64(&q, 0));

        *requests += query_col_i64(&q, 1);
        v->r.compared[r->check]++;
        if (t)
            t->met = true;
        if (!pruned)
            compare_row(v, r, &q, t ? t->sum : nothing);
    }
    e = query_end(&q);
    for (size_t k = 0; !e && k < v->keysum[i].n; k++) {
        if (v->keysum[i].row[k].met)
            continue;
        say_row(where, sizeof where, r, v->keysum[i].row[k].key);
        verify_fail(v, r->check, where, "%" PRId64 " events have no %s.", v->keysum[i].row[k].sum[KEYSUM_REQUESTS], r->what);
    }
    return e;
}

/* --- the seal --- */

static void compare_seal(struct verify *v, int64_t quarter, const struct seal *is, const struct seal_stored *was)
{
    char where[VERIFY_TIME_SIZE];

    (void)verify_time(where, quarter * QUARTER_MS);
    v->r.compared[VERIFY_SEALS]++;
    if (was->pruned) {
        if (is->events > was->seal.events || is->attempts > was->seal.attempts)      /* fewer: they go step by step */
            verify_fail(v, VERIFY_SEALS, where, "Its events are being removed, yet there are %" PRId64 " events and %" PRId64
                        " attempts; %" PRId64 " and %" PRId64 " were sealed.", is->events, is->attempts, was->seal.events, was->seal.attempts);
    } else if (is->events != was->seal.events || is->attempts != was->seal.attempts) {
        verify_fail(v, VERIFY_SEALS, where, "There are %" PRId64 " events and %" PRId64 " attempts; %" PRId64 " and %" PRId64 " were sealed.",
                    is->events, is->attempts, was->seal.events, was->seal.attempts);
    } else if (was->hashed && (is->lane[0] != was->seal.lane[0] || is->lane[1] != was->seal.lane[1])) {
        verify_fail(v, VERIFY_SEALS, where, "A row of its %" PRId64 " events and %" PRId64 " attempts, or their seal, is not as it was written.",
                    is->events, is->attempts);
    }
}

static enum weir_err look(struct verify *v, int64_t quarter)
{
    struct part p = {.recent = quarter * QUARTER_MS >= v->s.now_ms - MINUTES_KEPT_MS};
    int64_t from = first_id(quarter * QUARTER_MS, 1, EVENT_BITS), to = first_id((quarter + 1) * QUARTER_MS, 1, EVENT_BITS), rolled_up = 0, other = 0;
    struct seal_stored stored;
    struct attempted left;
    enum weir_err e = seal_read(v->s.ro, quarter, &stored), ended;

    if (e)
        return e;
    p.attempts = query(v->s.ro, "SELECT " SEAL_ATTEMPT_COLUMNS " FROM attempt_rows WHERE event >= ?1 AND event < ?2 ORDER BY event, n");
    query_i64(&p.attempts, from);
    query_i64(&p.attempts, to);
    next_attempt(&p);
    p.events = query(v->s.ro, "SELECT " SEAL_EVENT_COLUMNS " FROM events WHERE id >= ?1 AND id < ?2 AND state = 2 ORDER BY id");
    query_i64(&p.events, from);
    query_i64(&p.events, to);
    while (!e && query_row(&p.events))
        e = take_event(v, &p);
    take_attempts(v, &p, INT64_MAX, &left);
    ended = e ? query_stop(&p.events) : query_end(&p.events);
    e = e ? e : ended;
    ended = query_end(&p.attempts);
    e = e ? e : ended;
    if (e)
        return e;
    compare_seal(v, quarter, &p.seal, &stored);
    v->r.unsealed += stored.there && !stored.hashed && !stored.pruned;
    v->r.pruned += stored.pruned;
    for (int i = 0; !e && i < VERIFY_ROLLED; i++) {
        if (!rolled[i].recent || p.recent)
            e = compare_rolled(v, i, quarter, stored.pruned, i == 0 ? &rolled_up : &other);
    }
    if (!e && stored.pruned && rolled_up && rolled_up != stored.seal.events) {
        char where[VERIFY_TIME_SIZE];

        verify_fail(v, VERIFY_ROLLUPS, verify_time(where, quarter * QUARTER_MS),
                    "The roll-ups count %" PRId64 " requests; %" PRId64 " events were sealed before they were removed.", rolled_up, stored.seal.events);
    }
    return e;
}

enum weir_err verify_quarter(struct verify *v, bool *more)
{
    int64_t quarter;
    enum weir_err e = next_quarter(v, &quarter);

    *more = !e && quarter != INT64_MAX && quarter >= v->quarter;
    if (!e && quarter < v->quarter)
        verify_fail_order(v, "events, attempts, seals or roll-ups");
    if (!*more)
        return e;
    e = look(v, quarter);
    for (int i = 0; i < VERIFY_ROLLED; i++)
        keysum_clear(&v->keysum[i]);
    v->r.quarters++;
    v->quarter = quarter + 1;
    return e;
}
