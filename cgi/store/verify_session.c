/* verify_session.c - a page of sessions: totals and answers against their events.
 *
 * Sessions, events by (session, answer) and messages by (session, seq) come in
 * one order, so that each is read once. An answer is missed only if it was not
 * deleted: deletions are counted in the session. Whoever removes messages of a
 * session that stays (retention) either sets deleted_ms or counts them too.
 * Of requests that went to a pseudonym the messages stay where they were. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/anonymous.h"
#include "store/convo_tree.h"
#include "store/ledger.h"
#include "store/verify_impl.h"

enum { PAGE = 256 };

struct session {
    int64_t id, created_ms, requests, prompt, completion, cost, unpriced, removed;
    bool deleted;
    char name[64];
};

struct page {
    struct query events, messages;
    bool event, message;                 /* a row is there */
};

/* Columns of the queries below. */
enum { E_SESSION, E_ANSWER, E_STATE, E_STATUS, E_CHARS, E_PROMPT, E_COMPLETION, E_COST, E_RATE, E_REQUEST_ID };

static void next_event(struct page *p) { p->event = query_row(&p->events); }
static void next_message(struct page *p) { p->message = query_row(&p->messages); }

static enum weir_err read_page(struct db *ro, int64_t after, struct session *s, size_t *n)
{
    struct query q = query(ro, "SELECT id, session_id, created_ms, deleted_ms, requests, prompt, completion, cost, unpriced, removed"
                               " FROM sessions WHERE id > ?1 ORDER BY id LIMIT ?2");

    *n = 0;
    query_i64(&q, after);
    query_i64(&q, PAGE);
    while (query_row(&q)) {
        struct session *one = &s[(*n)++];

        *one = (struct session){.id = query_col_i64(&q, 0), .created_ms = query_col_i64(&q, 2), .deleted = !query_col_null(&q, 3),
                                .requests = query_col_i64(&q, 4), .prompt = query_col_i64(&q, 5), .completion = query_col_i64(&q, 6),
                                .cost = query_col_i64(&q, 7), .unpriced = query_col_i64(&q, 8), .removed = query_col_i64(&q, 9)};
        (void)snprintf(one->name, sizeof one->name, "%s", query_col_text(&q, 1));
    }
    return query_end(&q);
}

static const char *request_of(const struct page *p)
{
    const char *id = query_col_text(&p->events, E_REQUEST_ID);

    return id ? id : "";
}

/* A message that no event of its session answers with. */
static void stray_message(struct verify *v, const struct page *p)
{
    int64_t id = query_col_i64(&p->messages, 0);
    char where[60];

    (void)snprintf(where, sizeof where, "session %" PRId64 ", message %" PRId64, id >> SEQ_BITS, id & ((1 << SEQ_BITS) - 1));
    verify_fail(v, VERIFY_MESSAGES, where, "An answer that no settled event belongs to.");
}

/* Messages before `id` have no event; true if the next is that one, which is then passed. */
static bool pass_messages(struct verify *v, struct page *p, int64_t id, bool pruned)
{
    while (p->message && query_col_i64(&p->messages, 0) < id) {
        v->r.messages++;
        if (!pruned)
            stray_message(v, p);
        next_message(p);
    }
    if (!p->message || query_col_i64(&p->messages, 0) != id)
        return false;
    v->r.messages++;
    next_message(p);
    return true;
}

static void stray_event(struct verify *v, const struct page *p)
{
    verify_fail(v, VERIFY_SESSIONS, request_of(p), "The event names session %" PRId64 ", which is not there.", query_col_i64(&p->events, E_SESSION));
}

static void compare(struct verify *v, const struct session *s, const struct session *sum, bool pruned)
{
    const int64_t have[] = {s->requests, s->prompt, s->completion, s->cost, s->unpriced},
                  want[] = {sum->requests, sum->prompt, sum->completion, sum->cost, sum->unpriced};
    static const char *const name[] = {"requests", "prompt", "completion", "cost", "unpriced"};

    v->r.compared[VERIFY_SESSIONS]++;
    for (size_t i = 0; i < sizeof have / sizeof *have; i++) {
        if (pruned ? have[i] >= want[i] : have[i] == want[i])
            continue;
        verify_fail(v, VERIFY_SESSIONS, s->name, "The session has %s %" PRId64 "; its events sum to %" PRId64 ".", name[i], have[i], want[i]);
        break;
    }
    if (s->deleted || pruned)
        return;
    v->r.compared[VERIFY_MESSAGES]++;
    if (sum->removed != s->removed)
        verify_fail(v, VERIFY_MESSAGES, s->name, "%" PRId64 " answers of its events are not there; %" PRId64 " were deleted.", sum->removed, s->removed);
}

static void take_session(struct verify *v, struct page *p, const struct session *s)
{
    struct session sum = {0};
    bool pruned = s->created_ms < v->pruned_to_ms || s->created_ms < v->anonymous_to_ms;

    while (p->event && query_col_i64(&p->events, E_SESSION) < s->id) {
        stray_event(v, p);
        next_event(p);
    }
    while (p->event && query_col_i64(&p->events, E_SESSION) == s->id) {
        const struct query *q = &p->events;
        int64_t answer = query_col_i64(q, E_ANSWER);
        bool settled = query_col_i64(q, E_STATE) == 2, there = answer > 0 && pass_messages(v, p, s->id << SEQ_BITS | answer, pruned);

        if (there && !settled)
            verify_fail(v, VERIFY_MESSAGES, request_of(p), "The call is open, yet its answer is there.");
        if (settled) {
            sum.requests++;
            sum.prompt += query_col_i64(q, E_PROMPT);
            sum.completion += query_col_i64(q, E_COMPLETION);
            sum.cost += query_col_i64(q, E_COST);
            sum.unpriced += query_col_i64(q, E_RATE) == 0;
            sum.removed += answer > 0 && !there && (query_col_i64(q, E_STATUS) == 0 || query_col_i64(q, E_CHARS) > 0);
        }
        next_event(p);
    }
    (void)pass_messages(v, p, (s->id + 1) << SEQ_BITS, pruned);
    compare(v, s, &sum, pruned);
    v->r.sessions++;
}

/* Events before may be gone on purpose. */
static enum weir_err pruned_to(struct db *ro, int64_t *at_ms)
{
    struct query q = query(ro, "SELECT max(id) FROM seals WHERE id >= 0 AND pruned_ms IS NOT NULL");

    if (query_row(&q) && !query_col_null(&q, 0))
        *at_ms = (query_col_i64(&q, 0) + 1) * QUARTER_MS;
    return query_end(&q);
}

enum weir_err verify_sessions(struct verify *v, bool *more)
{
    struct session page[PAGE];
    struct page p = {.event = false};
    size_t n;
    enum weir_err e = read_page(v->s.ro, v->session, page, &n), ended;
    int64_t last;

    if (!e && v->session == 0)
        e = pruned_to(v->s.ro, &v->pruned_to_ms);
    if (!e)
        e = anonymous_to(v->s.ro, &v->anonymous_to_ms);

    *more = !e && n == PAGE && page[n - 1].id > v->session;
    if (!e && n == PAGE && !*more)
        verify_fail_order(v, "sessions");
    if (e || (n == PAGE && !*more))
        return e;
    last = n == PAGE ? page[n - 1].id : (INT64_MAX >> SEQ_BITS) - 1;         /* what names a later one is astray */
    /* Of the two lower bounds SQLite searches by the first; the second makes the partial index fit. */
    p.events = query(v->s.ro, "SELECT session, answer, state, status, chars, prompt, completion, cost_in + cost_out, rate, request_id"
                              " FROM events WHERE session > ?1 AND session <= ?2 AND session > 0 ORDER BY session, answer");
    query_i64(&p.events, v->session);
    query_i64(&p.events, last);
    p.messages = query(v->s.ro, "SELECT id FROM messages WHERE id >= ?1 AND id < ?2 AND role = ?3 ORDER BY id");
    query_i64(&p.messages, (v->session + 1) << SEQ_BITS);
    query_i64(&p.messages, (last + 1) << SEQ_BITS);
    query_i64(&p.messages, CONVO_ASSISTANT);
    next_event(&p);
    next_message(&p);
    for (size_t i = 0; i < n; i++)
        take_session(v, &p, &page[i]);
    for (; p.event; next_event(&p))
        stray_event(v, &p);
    for (; p.message; next_message(&p))
        stray_message(v, &p);
    v->session = last;
    e = query_end(&p.events);
    ended = query_end(&p.messages);
    return e ? e : ended;
}
