/* budgets_load.c - what the windows of now have spent, from the records.
 *
 * Windows begin at quarters of an hour in every zone of today, so roll-ups are
 * enough; only tokens, which have none, are added up call by call. Calls that a
 * crash interrupted are recorded at an estimate; the rest of what they may have
 * cost stays held for an hour, while their providers may be writing still. */
#include "store/budgets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/budgets_row.h"
#include "store/ledger.h"
#include "store/period.h"

/* How a scope's costs are found: key and sum, of ids in [?1, ?2), of all keys or of ?3. */
struct source {
    const char *spent;
    int64_t unit_ms;             /* an id is a time in this unit, shifted left */
    int bits;
    const char *lost;            /* the same of events that were interrupted */
    const char *events;          /* the same of all events; NULL: it is that already */
};

/* From when a call was accepted. */
#define LOST_HELD_MS INT64_C(3600000)

/* Of max_tokens those are in the record that were marked; where attempts had failed before it has theirs too, and they
 * cannot be told apart. Never less than nothing: a record with more than that is no room for others. */
#define LOST(key, join)                                                                                               \
    "SELECT " key " AS k, sum(max(e.max_tokens * r.rate_out - iif(e.cost_in = e.counted * r.rate_in, e.cost_out, 0), 0))," \
    " max(e.id) FROM events e JOIN rates r ON r.id = e.rate " join                                                     \
    " WHERE e.status > 0 AND e.status = 1 AND e.error = (SELECT id FROM words WHERE text = 'interrupted')"             \
    " AND e.estimated = 1 AND e.id >= ?1 AND e.id < ?2 AND (?3 = '' OR k = ?3) GROUP BY k"

#define EVENTS(key, join)                                                                                             \
    "SELECT " key " AS k, sum(e.cost_in + e.cost_out) FROM events e " join                                             \
    " WHERE e.state = 2 AND e.id >= ?1 AND e.id < ?2 AND (?3 = '' OR k = ?3) GROUP BY k"

#define ROLLUPS(key, join)                                                                                            \
    "SELECT " key " AS k, sum(r.cost_in + r.cost_out) FROM rollups r " join                                            \
    " WHERE r.id >= ?1 AND r.id < ?2 AND (?3 = '' OR k = ?3) GROUP BY k"

#define COMBO "JOIN combos c ON c.id = r.combo "

static const struct source sources[BUDGET_SCOPES] = {
    [BUDGET_ALL] = {ROLLUPS("''", ""), QUARTER_MS, COMBO_BITS, LOST("''", ""), EVENTS("''", "")},
    [BUDGET_USER] = {ROLLUPS("u.user_id", COMBO "JOIN users u ON u.id = c.user"), QUARTER_MS, COMBO_BITS,
                     LOST("u.user_id", "JOIN users u ON u.id = e.user"),
                     EVENTS("u.user_id", "JOIN users u ON u.id = e.user")},
    [BUDGET_MODEL] = {ROLLUPS("w.text", COMBO "JOIN words w ON w.id = c.model"), QUARTER_MS, COMBO_BITS,
                      LOST("w.text", "JOIN words w ON w.id = e.model"),
                      EVENTS("w.text", "JOIN words w ON w.id = e.model")},
    [BUDGET_SESSION] = {"SELECT s.session_id AS k, sum(r.cost) FROM session_rollups r JOIN sessions s ON s.id = r.session"
                        " WHERE r.id >= ?1 AND r.id < ?2 AND (?3 = '' OR k = ?3) GROUP BY k", QUARTER_MS, SESSION_BITS,
                        LOST("s.session_id", "JOIN sessions s ON s.id = e.session"),
                        EVENTS("s.session_id", "JOIN sessions s ON s.id = e.session")},
    [BUDGET_TOKEN] = {"SELECT t.token_id AS k, sum(e.cost_in + e.cost_out) FROM events e JOIN tokens t ON t.id = e.token"
                      " WHERE e.state = 2 AND e.id >= ?1 AND e.id < ?2 AND (?3 = '' OR k = ?3) GROUP BY k", 1, EVENT_BITS,
                      LOST("t.token_id", "JOIN tokens t ON t.id = e.token"), NULL},
};

/* The first id of a moment; of times beyond all ids the last. */
static int64_t id_of(int64_t at_ms, int64_t unit_ms, int bits)
{
    int64_t n = at_ms / unit_ms;

    if (n < 0)
        return 0;
    return n >= INT64_MAX >> bits ? INT64_MAX : n << bits;
}

static void add_row(struct budget_set *s, const struct budget_row *r)
{
    s->row = mem_grow(s->row, s->rows + 1, sizeof *s->row);
    s->zone = mem_grow(s->zone, s->rows + 1, sizeof *s->zone);
    s->row[s->rows] = *r;
    if (!zone_load(r->tz, &s->zone[s->rows]))
        log_error("budget %s: there is no time zone %s here any more; its windows are those of UTC", r->rule.id, r->tz);
    s->rows++;
}

enum weir_err budgets_list(struct db *db, const struct settings *s, struct budget_set *out)
{
    struct budget_row r;
    enum weir_err e;
    struct query q;

    memset(out, 0, sizeof *out);
    q = query(db, "SELECT " BUDGETS_COLUMNS " FROM budgets WHERE deleted_ms IS NULL ORDER BY id");
    while (query_row(&q)) {
        budgets_row_read(&q, &r);
        add_row(out, &r);
    }
    e = query_end(&q);
    for (size_t i = 0; !e && s && i < s->n_budgets; i++) {
        budgets_from_file(&s->budgets[i], &r);
        add_row(out, &r);
    }
    if (e)
        budget_set_done(out);
    return e;
}

/* Append what the query finds in the window of at_ms, as `spent` or as `lost`. */
static enum weir_err add_sums(struct db *db, struct budget_set *s, size_t row, int64_t at_ms, bool lost)
{
    const struct budget_rule *rule = &s->row[row].rule;
    const struct source *from = &sources[rule->scope];
    struct budget_span span = period_at(&s->zone[row], rule->window, at_ms);
    int64_t unit_ms = lost ? 1 : from->unit_ms, from_ms = span.from_ms;
    int bits = lost ? EVENT_BITS : from->bits;
    struct query q = query(db, lost ? from->lost : from->spent);

    if (lost && from_ms < s->at_ms - LOST_HELD_MS)
        from_ms = s->at_ms - LOST_HELD_MS;
    query_i64(&q, id_of(from_ms, unit_ms, bits));
    query_i64(&q, id_of(span.to_ms, unit_ms, bits));
    query_text(&q, rule->key);
    while (query_row(&q)) {
        struct budget_sum sum = {.row = row, .at_ms = at_ms};

        if (lost) {
            sum.lost = query_col_i64(&q, 1);
            sum.lost_until_ms = (query_col_i64(&q, 2) >> EVENT_BITS) + LOST_HELD_MS;
        } else {
            sum.spent = query_col_i64(&q, 1);
        }
        if (rule->each)
            (void)snprintf(sum.key, sizeof sum.key, "%s", query_col_text(&q, 0));
        s->sum = mem_grow(s->sum, s->sums + 1, sizeof *s->sum);
        s->sum[s->sums++] = sum;
    }
    return query_end(&q);
}

static enum weir_err load_sums(struct db *db, struct budget_set *s, size_t row)
{
    struct budget_span now = period_at(&s->zone[row], s->row[row].rule.window, s->at_ms);
    int64_t at_ms[] = {s->at_ms, now.from_ms > INT64_MIN ? now.from_ms - 1 : INT64_MIN};
    enum weir_err e = WEIR_OK;

    for (int i = 0; !e && i < (s->row[row].rule.window == BUDGET_TOTAL ? 1 : 2); i++) {
        e = add_sums(db, s, row, at_ms[i], false);
        if (!e)
            e = add_sums(db, s, row, at_ms[i], true);
    }
    return e;
}

enum weir_err budgets_load(struct db *db, const struct settings *s, int64_t now_ms, struct budget_set *out)
{
    enum weir_err e = ledger_write(db);

    memset(out, 0, sizeof *out);
    if (!e)
        e = budgets_list(db, s, out);
    out->at_ms = now_ms;
    for (size_t i = 0; !e && i < out->rows; i++)
        e = load_sums(db, out, i);
    if (!e)
        return WEIR_OK;
    budget_set_done(out);
    return WEIR_E_STORAGE;
}

/* The window as ids of the rows that a source reads. */
static void bind_window(struct query *q, const struct budget_span *span, int64_t unit_ms, int bits, const char *key)
{
    query_i64(q, id_of(span->from_ms, unit_ms, bits));
    query_i64(q, id_of(span->to_ms, unit_ms, bits));
    query_text(q, key);
}

/* Both queries give their keys in order, GROUP BY sees to that. */
static enum weir_err compare_row(struct db *ro, const struct budget_row *r, const struct budget_span *span, int64_t *compared,
                                 budget_differs_fn *differs, void *ctx)
{
    const struct source *from = &sources[r->rule.scope];
    struct query spent = query(ro, from->spent), events = query(ro, from->events);
    bool more_spent, more_events;
    enum weir_err e, ended;

    bind_window(&spent, span, from->unit_ms, from->bits, r->rule.key);
    bind_window(&events, span, 1, EVENT_BITS, r->rule.key);
    more_spent = query_row(&spent);
    more_events = query_row(&events);
    while (more_spent || more_events) {
        const char *a = more_spent ? query_col_text(&spent, 0) : NULL, *b = more_events ? query_col_text(&events, 0) : NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a, b);
        int64_t have = order <= 0 ? query_col_i64(&spent, 1) : 0, is = order >= 0 ? query_col_i64(&events, 1) : 0;

        ++*compared;
        if (have != is)
            differs(ctx, r, order <= 0 ? a : b, have, is);
        more_spent = order <= 0 ? query_row(&spent) : more_spent;
        more_events = order >= 0 ? query_row(&events) : more_events;
    }
    e = query_end(&spent);
    ended = query_end(&events);
    return e ? e : ended;
}

enum weir_err budgets_compare(struct db *ro, const struct settings *s, int64_t now_ms, int64_t from_ms, int64_t *compared,
                              budget_differs_fn *differs, void *ctx)
{
    struct budget_set set;
    enum weir_err e = budgets_list(ro, s, &set);

    for (size_t i = 0; !e && i < set.rows; i++) {
        struct budget_span span = period_at(&set.zone[i], set.row[i].rule.window, now_ms);

        if ((!from_ms || span.from_ms >= from_ms) && sources[set.row[i].rule.scope].events)
            e = compare_row(ro, &set.row[i], &span, compared, differs, ctx);
    }
    budget_set_done(&set);
    return e;
}

void budget_set_done(struct budget_set *s)
{
    free(s->row);
    free(s->zone);
    free(s->sum);
    memset(s, 0, sizeof *s);
}
