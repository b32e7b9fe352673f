/* anonymous.c - four hours of one person are moved to a pseudonym: the unit that
 * roll-ups of longer spans are made from, so that none of them is ever split. */
#include "store/anonymous.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/budgets.h"
#include "store/ledger.h"
#include "store/pseudonym.h"
#include "store/spans.h"
#include "store/upkeep.h"

#define DAY_MS INT64_C(86400000)
#define TO "retention.anonymous_to"

/* A number and the one it becomes: users, combinations, sessions. */
struct move {
    int64_t from, to;
};

struct unit {
    struct db *db;
    int64_t quarter, quarters;           /* the first, and how many */
    int64_t at_ms, now_ms;
    struct move user;
    struct move *session;
    size_t sessions;
    int64_t requests;
};

/* --- who is held --- */

static enum weir_err hold_user_of(struct db *db, const char *sql, const char *key, struct anonymous_held *out)
{
    struct query q = query(db, sql);

    query_text(&q, key);
    while (query_row(&q)) {
        out->user = mem_grow(out->user, out->n + 1, sizeof *out->user);
        out->user[out->n++] = query_col_i64(&q, 0);
    }
    return query_stop(&q);
}

enum weir_err anonymous_held(struct db *db, const struct settings *s, struct anonymous_held *out)
{
    static const char *const sql[BUDGET_SCOPES] = {
        [BUDGET_USER] = "SELECT id FROM users WHERE user_id = ?1",
        [BUDGET_SESSION] = "SELECT user FROM sessions WHERE session_id = ?1 UNION SELECT e.user FROM sessions s JOIN events e ON e.session = s.id"
                           " AND e.session > 0 WHERE s.session_id = ?1 AND s.handed_ms IS NOT NULL",
        [BUDGET_TOKEN] = "SELECT user FROM tokens WHERE token_id = ?1",
    };
    struct budget_set set;
    enum weir_err e = budgets_list(db, s, &set);

    *out = (struct anonymous_held){.n = 0};
    for (size_t i = 0; !e && i < set.rows; i++) {
        const struct budget_rule *r = &set.row[i].rule;

        if (r->window != BUDGET_TOTAL || !sql[r->scope])
            continue;
        out->everybody = out->everybody || r->each;
        if (!r->each)
            e = hold_user_of(db, sql[r->scope], r->key, out);
    }
    budget_set_done(&set);
    return e;
}

void anonymous_held_done(struct anonymous_held *h)
{
    free(h->user);
    *h = (struct anonymous_held){.n = 0};
}

static bool is_held(const struct anonymous_held *h, int64_t user)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->user[i] == user)
            return true;
    return h->everybody;
}

/* --- pseudonyms --- */

/* The row whose public id `id` is; 0: there is none. */
static enum weir_err row_of(struct db *db, const char *sql, const char *id, int64_t *row)
{
    struct query q = query(db, sql);

    query_text(&q, id);
    *row = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_stop(&q);
}

static enum weir_err make_user(struct unit *u, const char *pseudonym)
{
    struct query q = query(u->db, "INSERT INTO users(user_id, name, role, max_priority, created_ms, disabled_ms, removed_ms)"
                                  " VALUES (?1, 'anonymous ' || substr(?1, 5), 0, 0, ?2, ?2, ?2) RETURNING id");

    query_text(&q, pseudonym);
    query_i64(&q, u->at_ms);
    u->user.to = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_end(&q);
}

static enum weir_err find_pseudonym(struct unit *u, const char *user_id)
{
    char pseudonym[RAND_ID_SIZE];
    enum weir_err e = pseudonym_make(user_id, u->at_ms, pseudonym);

    if (!e)
        e = row_of(u->db, "SELECT id FROM users WHERE user_id = ?1", pseudonym, &u->user.to);
    return e || u->user.to ? e : make_user(u, pseudonym);
}

/* Out of the way of everybody's lists, like one that was deleted. */
static enum weir_err make_session(struct unit *u, const char *pseudonym, int64_t *row)
{
    struct query q = query(u->db, "INSERT INTO sessions(session_id, user, title, created_ms, updated_ms, archived, deleted_ms)"
                                  " VALUES (?1, ?2, '', ?3, ?3, 1, ?4) RETURNING id");

    query_text(&q, pseudonym);
    query_i64(&q, u->user.to);
    query_i64(&q, u->at_ms);
    query_i64(&q, u->now_ms);
    *row = query_row(&q) ? query_col_i64(&q, 0) : 0;
    return query_end(&q);
}

static enum weir_err find_session(struct unit *u, const char *session_id, int64_t *row)
{
    char pseudonym[RAND_ID_SIZE];
    enum weir_err e = pseudonym_make(session_id, u->at_ms, pseudonym);

    if (!e)
        e = row_of(u->db, "SELECT id FROM sessions WHERE session_id = ?1", pseudonym, row);
    return e || *row ? e : make_session(u, pseudonym, row);
}

/* --- rows that are found first and moved then --- */

struct found {
    int64_t *id;
    size_t n;
};

/* The first column of all rows of the unit that are this person's: `sql` has [?1, ?2) and ?3. */
static enum weir_err find_rows(const struct unit *u, const char *sql, int bits, int64_t unit_ms, struct found *out)
{
    struct query q = query(u->db, sql);

    *out = (struct found){.n = 0};
    query_i64(&q, u->quarter * QUARTER_MS / unit_ms << bits);
    query_i64(&q, (u->quarter + u->quarters) * QUARTER_MS / unit_ms << bits);
    query_i64(&q, u->user.from);
    while (query_row(&q)) {
        out->id = mem_grow(out->id, out->n + 1, sizeof *out->id);
        out->id[out->n++] = query_col_i64(&q, 0);
    }
    return query_end(&q);
}

/* --- sums by combination --- */

static enum weir_err combo_to(struct unit *u, int64_t combo, int64_t *to)
{
    struct query q = query(u->db, "SELECT model, upstream, endpoint, priority, status FROM combos WHERE id = ?1");
    struct ledger_dims d = {.user = u->user.to};
    enum weir_err e;

    query_i64(&q, combo);
    if (query_row(&q)) {
        d.model = query_col_i64(&q, 0);
        d.upstream = query_col_i64(&q, 1);
        d.endpoint = query_col_i64(&q, 2);
        d.priority = query_col_i64(&q, 3);
        d.status = query_col_i64(&q, 4);
    }
    e = query_stop(&q);
    return e ? e : ledger_combo(u->db, &d, to);
}

static enum weir_err move_combos(struct unit *u)
{
    const int64_t mask = (1 << COMBO_BITS) - 1;
    struct found rows, combos = {.n = 0};
    enum weir_err e = find_rows(u, "SELECT r.id FROM rollups r JOIN combos c ON c.id = r.id & 16777215 WHERE r.id >= ?1 AND r.id < ?2 AND c.user = ?3",
                                COMBO_BITS, QUARTER_MS, &rows);

    for (size_t i = 0; !e && i < rows.n; i++) {
        int64_t combo = rows.id[i] & mask, to = 0;
        size_t k = 0;

        e = combo_to(u, combo, &to);
        if (!e)
            e = spans_move_quarter(u->db, rows.id[i] >> COMBO_BITS, combo, to);
        while (k < combos.n && combos.id[k] != combo)
            k += 2;
        if (k < combos.n)
            continue;
        combos.id = mem_grow(combos.id, combos.n + 2, sizeof *combos.id);
        combos.id[combos.n++] = combo;
        combos.id[combos.n++] = to;
    }
    for (size_t i = 0; !e && i < combos.n; i++)
        e = spans_remake(u->db, u->quarter, combos.id[i]);
    for (int64_t h = 0; !e && h < u->quarters / QUARTERS_AN_HOUR; h++)
        e = spans_move_hour(u->db, SPAN_USER, u->quarter / QUARTERS_AN_HOUR + h, u->user.from, u->user.to);
    free(rows.id);
    free(combos.id);
    return e;
}

/* --- sums by session --- */

static enum weir_err session_to(struct unit *u, int64_t session, int64_t *to)
{
    struct query q;
    char id[128] = "";
    enum weir_err e;

    for (size_t i = 0; i < u->sessions; i++)
        if (u->session[i].from == session) {
            *to = u->session[i].to;
            return WEIR_OK;
        }
    q = query(u->db, "SELECT session_id FROM sessions WHERE id = ?1");
    query_i64(&q, session);
    if (query_row(&q))
        (void)snprintf(id, sizeof id, "%s", query_col_text(&q, 0));
    e = query_stop(&q);
    if (!e)
        e = find_session(u, id, to);
    if (!e) {
        u->session = mem_grow(u->session, u->sessions + 1, sizeof *u->session);
        u->session[u->sessions++] = (struct move){session, *to};
    }
    return e;
}

/* requests, prompt, completion, cost, unpriced */
enum { SUMS = 5 };

/* What of a session's roll-up is this person's: all, but for what others used in it before or after it changed hands. */
static enum weir_err sums_of(struct unit *u, int64_t id, int64_t session, int64_t sum[SUMS])
{
    static const char *const sql[] = {
        "SELECT requests, prompt, completion, cost, unpriced FROM session_rollups WHERE id = ?1",
        "SELECT -count(*), -sum(e.prompt), -sum(e.completion), -sum(e.cost_in + e.cost_out), -sum(e.rate = 0) FROM events e"
        " JOIN sessions s ON s.id = ?2 AND s.handed_ms IS NOT NULL WHERE e.session = ?2 AND e.session > 0 AND e.state = 2 AND e.user != ?3"
        " AND e.at_ms >= (?1 >> 32) * 900000 AND e.at_ms < ((?1 >> 32) + 1) * 900000",
    };
    enum weir_err e = WEIR_OK;

    memset(sum, 0, SUMS * sizeof *sum);
    for (int i = 0; !e && i < 2; i++) {
        struct query q = query(u->db, sql[i]);

        query_i64(&q, id);
        if (i == 1) {
            query_i64(&q, session);
            query_i64(&q, u->user.from);
        }
        if (query_row(&q))
            for (int k = 0; k < SUMS; k++)
                sum[k] += query_col_i64(&q, k);
        e = query_end(&q);
    }
    return e;
}

/* Add sums to the row of this id, times 1 or -1. */
static enum weir_err add_sums(struct unit *u, const char *sql, int64_t id, const int64_t sum[SUMS], int64_t sign)
{
    struct query q = query(u->db, sql);

    query_i64(&q, id);
    for (int k = 0; k < SUMS; k++)
        query_i64(&q, sign * sum[k]);
    return query_end(&q);
}

static enum weir_err move_session_rollup(struct unit *u, int64_t id)
{
    static const char totals[] = "UPDATE sessions SET requests = requests + ?2, prompt = prompt + ?3, completion = completion + ?4,"
                                 " cost = cost + ?5, unpriced = unpriced + ?6 WHERE id = ?1";
    static const char rollup[] = "INSERT INTO session_rollups(id, requests, prompt, completion, cost, unpriced) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                                 " ON CONFLICT(id) DO UPDATE SET requests = requests + ?2, prompt = prompt + ?3, completion = completion + ?4,"
                                 " cost = cost + ?5, unpriced = unpriced + ?6";
    int64_t session = id & ((INT64_C(1) << SESSION_BITS) - 1), to, sum[SUMS];
    enum weir_err e = sums_of(u, id, session, sum);
    struct query q;

    if (e || sum[0] == 0)
        return e;
    e = session_to(u, session, &to);
    if (!e)
        e = add_sums(u, totals, to, sum, 1);
    if (!e)
        e = add_sums(u, totals, session, sum, -1);
    if (!e)
        e = add_sums(u, rollup, id - session + to, sum, 1);
    if (!e)
        e = add_sums(u, rollup, id, sum, -1);
    if (e)
        return e;
    q = query(u->db, "DELETE FROM session_rollups WHERE id = ?1 AND requests = 0");
    query_i64(&q, id);
    return query_end(&q);
}

static enum weir_err move_sessions(struct unit *u)
{
    struct found rows;
    enum weir_err e = find_rows(u, "SELECT r.id FROM session_rollups r JOIN sessions s ON s.id = r.id & 4294967295"
                                   " WHERE r.id >= ?1 AND r.id < ?2 AND (s.user = ?3 OR (s.handed_ms IS NOT NULL AND EXISTS (SELECT 1 FROM events e"
                                   " WHERE e.session = s.id AND e.session > 0 AND e.state = 2 AND e.user = ?3"
                                   " AND e.at_ms >= (r.id >> 32) * 900000 AND e.at_ms < ((r.id >> 32) + 1) * 900000)))",
                                SESSION_BITS, QUARTER_MS, &rows);

    for (size_t i = 0; !e && i < rows.n; i++)
        e = move_session_rollup(u, rows.id[i]);
    free(rows.id);
    return e;
}

/* A deleted session that nothing names any more is a name alone. */
static enum weir_err drop_empty(struct unit *u)
{
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < u->sessions; i++) {
        struct query q = query(u->db, "DELETE FROM sessions WHERE id = ?1 AND deleted_ms IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events"
                                      " WHERE session = ?1 AND session > 0) AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.id >= ?1 << 20"
                                      " AND messages.id < (?1 + 1) << 20) AND requests = 0");

        query_i64(&q, u->session[i].from);
        e = query_end(&q);
    }
    return e;
}

/* --- requests --- */

/* A settled event is in its quarter's seal as it is: it is taken out, changed, and put in again. */
static enum weir_err move_event(struct unit *u, int64_t event)
{
    struct query q = query(u->db, "SELECT session FROM events WHERE id = ?1");
    int64_t session = 0, to = 0;
    enum weir_err e;

    query_i64(&q, event);
    if (query_row(&q))
        session = query_col_i64(&q, 0);
    e = query_stop(&q);
    if (!e && session)
        e = session_to(u, session, &to);
    if (!e)
        e = seal_lift(u->db, event);
    if (e)
        return e;
    q = query(u->db, "UPDATE events SET user = ?2, session = ?3, token = 0, metadata = NULL WHERE id = ?1");
    query_i64(&q, event);
    query_i64(&q, u->user.to);
    query_i64(&q, to);
    e = query_end(&q);
    return e ? e : seal_event(u->db, event);
}

static enum weir_err move_events(struct unit *u)
{
    struct found rows;
    enum weir_err e = find_rows(u, "SELECT id FROM events WHERE id >= ?1 AND id < ?2 AND user = ?3 AND state = 2", EVENT_BITS, 1, &rows);

    for (size_t i = 0; !e && i < rows.n; i++)
        e = move_event(u, rows.id[i]);
    u->requests = (int64_t)rows.n;
    free(rows.id);
    return e;
}

/* --- one unit --- */

enum weir_err anonymous_to(struct db *db, int64_t *to_ms)
{
    return upkeep_moment(db, TO, to_ms);
}

/* The first hour that a person from `*user` on has sums of, before `hour`. Pseudonyms have been through. *user < 0: nobody. */
static enum weir_err next_person(struct db *db, const struct anonymous_held *held, int64_t hour, int64_t *user, int64_t *at, char id[RAND_ID_SIZE])
{
    struct query q = query(db, "SELECT u.id, u.user_id, (SELECT min(h.id) & 16777215 FROM hour_rollups h WHERE h.id >= (1 << 60) + (u.id << 24)"
                               " AND h.id < (1 << 60) + (u.id << 24) + ?2) AS at FROM users u WHERE u.id >= ?1 AND at IS NOT NULL"
                               " AND substr(u.user_id, 1, 4) != '" PSEUDONYM_PREFIX "' ORDER BY u.id");

    query_i64(&q, *user);
    query_i64(&q, hour);
    *user = -1;
    while (*user < 0 && query_row(&q)) {
        if (is_held(held, query_col_i64(&q, 0)))
            continue;
        *user = query_col_i64(&q, 0);
        (void)snprintf(id, RAND_ID_SIZE, "%s", query_col_text(&q, 1));
        *at = query_col_i64(&q, 2);
    }
    return query_stop(&q);
}

static enum weir_err move_unit(struct unit *u, const char *user_id)
{
    enum weir_err e = find_pseudonym(u, user_id);

    if (!e)
        e = move_combos(u);
    if (!e)
        e = move_sessions(u);
    if (!e)
        e = move_events(u);
    return e ? e : drop_empty(u);
}

enum weir_err anonymous_some(struct db *db, int64_t before_ms, int64_t now_ms, const struct anonymous_held *held, int64_t *user, int64_t *requests)
{
    struct unit u = {.db = db, .now_ms = now_ms, .quarters = span_quarters[1]};
    int64_t edge_ms = before_ms - before_ms % DAY_MS, mark, hour = 0;
    char user_id[RAND_ID_SIZE];
    enum weir_err e = spans_mark(db, &mark);

    *requests = 0;
    if (!e)
        e = ledger_write(db);                              /* what this transaction has settled so far */
    if (mark * QUARTER_MS < edge_ms)
        edge_ms = mark * QUARTER_MS - mark * QUARTER_MS % DAY_MS;
    if (!e)
        e = next_person(db, held, edge_ms / QUARTER_MS / QUARTERS_AN_HOUR, user, &hour, user_id);
    if (e || *user < 0)
        return e;
    u.user.from = *user;
    u.quarter = hour * QUARTERS_AN_HOUR / u.quarters * u.quarters;
    u.at_ms = u.quarter * QUARTER_MS;
    e = upkeep_forward(db, TO, edge_ms, now_ms);
    if (!e)
        e = move_unit(&u, user_id);
    *requests = u.requests;
    free(u.session);
    return e;
}
