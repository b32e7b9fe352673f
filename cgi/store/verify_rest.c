/* verify_rest.c - names, the number of all events, budgets, and what crashes left. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/budgets.h"
#include "store/ledger.h"
#include "store/seal.h"
#include "store/verify_impl.h"

/* --- names --- */

static const struct names {
    int64_t seal;
    char kind;
    const char *table, *sql;
} tables[] = {
    {SEAL_WORDS, SEAL_OF_WORD, "words", "SELECT id, text FROM words"},
    {SEAL_RATES, SEAL_OF_RATE, "rates", "SELECT id, version, rate_in, rate_out FROM rates"},
    {SEAL_COMBOS, SEAL_OF_COMBO, "combos", "SELECT id, user, model, upstream, endpoint, priority, status FROM combos"},
};

static enum weir_err table_of_names(struct verify *v, const struct names *t)
{
    struct query q = query(v->s.ro, t->sql);
    struct seal is = {0};
    struct seal_stored was;
    enum weir_err e;

    while (query_row(&q))
        seal_row(&is, &q, sqlite3_column_count(q.st), t->kind, NULL);
    e = query_end(&q);
    if (!e)
        e = seal_read(v->s.ro, t->seal, &was);
    if (e)
        return e;
    v->r.compared[VERIFY_SEALS]++;
    if (is.events != was.seal.events)
        verify_fail(v, VERIFY_SEALS, t->table, "There are %" PRId64 " rows; %" PRId64 " were sealed.", is.events, was.seal.events);
    else if (was.hashed && (is.lane[0] != was.seal.lane[0] || is.lane[1] != was.seal.lane[1]))
        verify_fail(v, VERIFY_SEALS, t->table, "A row, or the seal, is not as it was written.");
    return WEIR_OK;
}

/* Rows that name what is not there: each query gives the row and what it misses. Adding one is adding a line. */
static const char *const dangling[] = {
    "SELECT 'combination ' || c.id, 'user ' || c.user FROM combos c WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = c.user)",
    "SELECT 'combination ' || c.id, 'word ' || w.n FROM combos c JOIN (SELECT id AS c, model AS n FROM combos UNION ALL"
    " SELECT id, upstream FROM combos UNION ALL SELECT id, endpoint FROM combos) w ON w.c = c.id"
    " WHERE w.n > 0 AND NOT EXISTS (SELECT 1 FROM words x WHERE x.id = w.n)",
    "SELECT 'rate ' || r.id, 'word ' || r.version FROM rates r WHERE NOT EXISTS (SELECT 1 FROM words x WHERE x.id = r.version)",
};

enum weir_err verify_names(struct verify *v)
{
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < sizeof tables / sizeof *tables; i++)
        e = table_of_names(v, &tables[i]);
    for (size_t i = 0; !e && i < sizeof dangling / sizeof *dangling; i++) {
        struct query q = query(v->s.ro, dangling[i]);

        v->r.compared[VERIFY_NAMES]++;
        while (query_row(&q))
            verify_fail(v, VERIFY_NAMES, query_col_text(&q, 0), "There is no %s.", query_col_text(&q, 1));
        e = query_end(&q);
    }
    return e;
}

/* --- the number of all events --- */

static enum weir_err settled(struct verify *v)
{
    struct query q = query(v->s.ro, "SELECT (SELECT settled FROM ledger), (SELECT coalesce(sum(events), 0) FROM seals WHERE id >= 0)");

    v->r.compared[VERIFY_SETTLED]++;
    if (query_row(&q) && query_col_i64(&q, 0) != query_col_i64(&q, 1))
        verify_fail(v, VERIFY_SETTLED, "ledger.settled", "%" PRId64 " events were settled by this count, %" PRId64 " by the seals of all quarters.",
                    query_col_i64(&q, 0), query_col_i64(&q, 1));
    return query_end(&q);
}

/* --- budgets --- */

static void budget_differs(void *ctx, const struct budget_row *r, const char *key, int64_t spent, int64_t events)
{
    struct verify *v = ctx;
    struct sb where = sb_make(300);

    sb_putf(&where, *key ? "%s %s" : "%s", r->rule.id, key);
    verify_fail(v, VERIFY_BUDGETS, sb_str(&where), "The budget's window has spent %" PRId64 " picodollars by its roll-ups; its events cost %" PRId64 ".",
                spent, events);
    sb_done(&where);
}

static enum weir_err budgets(struct verify *v)
{
    return budgets_compare(v->s.ro, v->s.settings, v->s.now_ms, v->pruned_to_ms, &v->r.compared[VERIFY_BUDGETS], budget_differs, v);
}

/* --- what crashes left --- */

static enum weir_err intents(struct verify *v)
{
    struct query q = query(v->s.ro, "SELECT request_id, at_ms, state FROM events WHERE state < 2 AND id < ?1"
                                    " AND NOT (state = 1 AND EXISTS (SELECT 1 FROM leases l WHERE l.event = events.id)) ORDER BY id");
    int64_t since_ms = v->s.running_since_ms;
    char time[VERIFY_TIME_SIZE];

    query_i64(&q, since_ms > INT64_MAX >> EVENT_BITS ? INT64_MAX : since_ms << EVENT_BITS);
    while (query_row(&q)) {
        const char *id = query_col_text(&q, 0);

        verify_fail(v, VERIFY_INTENTS, id ? id : "", "Open since %s, and the Weir that took it is gone; %s", verify_time(time, query_col_i64(&q, 1)),
                    query_col_i64(&q, 2) ? "the next start charges it at its estimate." : "it was never sent, and the next start closes it.");
    }
    v->r.compared[VERIFY_INTENTS]++;
    return query_end(&q);
}

static enum weir_err orphans(struct verify *v)
{
    struct query q = query(v->s.ro, "SELECT request_id, at_ms, status, prompt, cost_in + cost_out FROM events WHERE status > 0"
                                    " AND error = (SELECT id FROM words WHERE text = 'interrupted') AND state = 2 ORDER BY id DESC");

    while (query_row(&q)) {
        struct sb text = sb_make(200);
        const char *id = query_col_text(&q, 0);

        v->r.orphan_count++;
        if (v->r.orphans == VERIFY_ORPHANS_MAX)
            continue;
        if (query_col_i64(&q, 2) == 1) {
            sb_putf(&text, "cut off by a crash; charged at its estimate, %" PRId64 " tokens in, $", query_col_i64(&q, 3));
            sb_usd(&text, query_col_i64(&q, 4));
        } else {
            sb_puts(&text, "never sent when Weir ended; closed at no cost");
        }
        v->r.orphan = mem_grow(v->r.orphan, v->r.orphans + 1, sizeof *v->r.orphan);
        v->r.orphan[v->r.orphans++] = (struct verify_orphan){mem_strdup(id ? id : ""), sb_take(&text), query_col_i64(&q, 1)};
    }
    return query_end(&q);
}

enum weir_err verify_rest(struct verify *v, bool *more)
{
    static enum weir_err (*const step[])(struct verify *v) = {settled, budgets, intents, orphans};

    *more = v->rest + 1 < (int)(sizeof step / sizeof *step);
    return step[v->rest++](v);
}
