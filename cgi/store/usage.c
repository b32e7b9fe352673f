/* usage.c - acceptance and intent of a call, in the caller's transaction: the
 * session, its question, the event. Its end is usage_settle.c's. */
#include "store/usage.h"

#include <string.h>

#include "store/content.h"
#include "store/convo_tree.h"
#include "store/db.h"
#include "store/event_key.h"
#include "store/lease.h"
#include "store/ledger.h"
#include "store/usage_impl.h"

static const char *const statuses[] = {"success", "error", "cancelled", "timeout", "rejected"};

const char *call_status_name(enum call_status s)
{
    return statuses[s];
}

bool call_status_parse(const char *s, enum call_status *out)
{
    for (int i = 0; i <= CALL_REJECTED; i++) {
        if (strcmp(s, statuses[i]) == 0) {
            *out = (enum call_status)i;
            return true;
        }
    }
    return false;
}

/* --- acceptance --- */

/* Where a request stands in its session. */
struct place {
    int64_t session;       /* 0: none */
    int64_t last_seq;      /* of the session before this request */
    int64_t parent;        /* seq the question hangs on */
    int64_t question, answer;
};

static enum weir_err find_session(struct db *db, const char *session_id, int64_t user, struct place *p)
{
    struct query q = query(db, "SELECT id, last_seq FROM sessions WHERE session_id = ?1 AND user = ?2"
                               " AND deleted_ms IS NULL");
    enum weir_err e;

    query_text(&q, session_id);
    query_i64(&q, user);
    if (query_row(&q)) {
        p->session = query_col_i64(&q, 0);
        p->last_seq = query_col_i64(&q, 1);
    }
    e = query_stop(&q);
    return e ? e : p->session ? WEIR_OK : WEIR_E_NOT_FOUND;
}

/* Newest first, because what is answered is nearly always the newest message. */
static enum weir_err find_parent(struct db *db, const char *message_id, struct place *p)
{
    struct query q = query(db, "SELECT seq FROM messages WHERE id BETWEEN ?1 AND ?2 AND message = ?3"
                               " ORDER BY id DESC LIMIT 1");
    bool found;
    enum weir_err e;

    query_i64(&q, p->session << SEQ_BITS);
    query_i64(&q, p->session << SEQ_BITS | p->last_seq);
    event_key_message(&q, message_id);
    found = query_row(&q);
    if (found)
        p->parent = query_col_i64(&q, 0);
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

/* Set numbers aside: the question's if it is stored, and the answer's. */
static void number_messages(const struct call_record *r, struct place *p)
{
    p->question = r->user_text ? p->last_seq + 1 : p->parent;
    p->answer = (r->user_text ? p->question : p->last_seq) + 1;
}

static enum weir_err new_session(struct db *db, const struct call_record *r, int64_t user, struct place *p)
{
    struct sb title = sb_make(64 * 1024);
    enum weir_err e = content_title_put(user, r->session_id, content_title(r->session_title), &title);
    struct query q;

    number_messages(r, p);
    if (!e) {
        q = query(db, "INSERT INTO sessions(session_id, user, title, created_ms, updated_ms, last_seq)"
                      " VALUES (?1, ?2, ?3, ?4, ?4, ?5) RETURNING id");
        query_text(&q, r->session_id);
        query_i64(&q, user);
        query_text(&q, sb_str(&title));
        query_i64(&q, r->accepted_at_ms);
        query_i64(&q, p->answer);
        if (query_row(&q))
            p->session = query_col_i64(&q, 0);
        e = query_end(&q);
    }
    sb_done(&title);
    return e;
}

static enum weir_err continue_session(struct db *db, const struct call_record *r, int64_t user, struct place *p)
{
    enum weir_err e = find_session(db, r->session_id, user, p);
    struct query q;

    if (!e && r->parent_id[0])
        e = find_parent(db, r->parent_id, p);
    if (e)
        return e;
    number_messages(r, p);
    q = query(db, "UPDATE sessions SET last_seq = ?2, updated_ms = max(updated_ms, ?3) WHERE id = ?1");
    query_i64(&q, p->session);
    query_i64(&q, p->answer);
    query_i64(&q, r->accepted_at_ms);
    return query_end(&q);
}

enum weir_err usage_add_message(struct db *db, const struct usage_message *m)
{
    struct query q = query(db, "INSERT INTO messages(id, message, parent, role, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)");
    enum weir_err e;

    query_i64(&q, m->session << SEQ_BITS | m->seq);
    event_key_message(&q, m->message_id);
    query_i64(&q, m->parent);
    query_i64(&q, m->role);
    query_i64(&q, m->at_ms);
    e = query_end(&q);
    if (e)
        return e;
    return content_add(db, m->session << SEQ_BITS | m->seq, m->at_ms, &m->content);
}

static enum weir_err add_texts(struct db *db, const struct call_record *r, const struct place *p, bool made)
{
    enum weir_err e = WEIR_OK;

    if (made && r->system_text) {
        struct usage_message m = {.session = p->session, .seq = 0, .role = CONVO_SYSTEM, .message_id = "",
                            .content = {.text = r->system_text, .text_bytes = (int64_t)strlen(r->system_text)},
                            .at_ms = r->accepted_at_ms};

        e = usage_add_message(db, &m);
    }
    if (!e && r->user_text) {
        struct usage_message m = {.session = p->session, .seq = p->question, .parent = p->parent, .role = CONVO_USER,
                            .message_id = r->user_message_id, .at_ms = r->accepted_at_ms,
                            .content = {.text = r->user_text, .text_bytes = (int64_t)strlen(r->user_text)}};

        e = usage_add_message(db, &m);
    }
    return e;
}

/* Twenty bits of the request's id: requests of one millisecond get different keys. */
static int64_t low_bits(const char *request_id)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *request_id; request_id++)
        h = (h ^ (unsigned char)*request_id) * UINT64_C(0x100000001b3);
    return (int64_t)((h ^ (h >> 31)) & ((1U << EVENT_BITS) - 1));
}

struct event_keys {
    int64_t user, token, model, asked, upstream, endpoint, rate;
};

static enum weir_err keys_of(struct db *db, const struct call_record *r, struct event_keys *k)
{
    const char *upstream = r->attempt_count > 0 && r->attempt_count <= CALL_ATTEMPTS_MAX
                               ? r->attempts[r->attempt_count - 1].upstream : r->upstream;
    enum weir_err e = ledger_user(db, r->user_id, &k->user);

    if (!e)
        e = ledger_token(db, r->token_id, &k->token);
    if (!e)
        e = ledger_word(db, r->model, &k->model);
    if (!e)
        e = ledger_word(db, r->requested_model, &k->asked);
    if (!e)
        e = ledger_word(db, upstream, &k->upstream);
    if (!e)
        e = ledger_word(db, r->api_endpoint, &k->endpoint);
    if (!e && r->cost.priced)
        e = ledger_rate(db, r->cost.price_version, r->cost.rate_in, r->cost.rate_out, &k->rate);
    return e;
}

/* One try to insert under a key; SQLITE_CONSTRAINT_PRIMARYKEY means the key, not the request, was there. */
static enum weir_err insert_event(struct db *db, int64_t id, const struct call_record *r, const struct event_keys *k,
                                  const struct place *p, int state, int *rc)
{
    static const char sql[] =
        "INSERT INTO events(id, request, user, token, session, question, answer, model, upstream, endpoint,"
        " priority, state, status, held_by, finish, error, counted, max_tokens, prompt, cached, cache_write,"
        " cache_write_1h, completion, reasoning, chars, estimated, suspect, rate, cost_in, cost_out, attempts,"
        " queue_us, retry_us, ttft_us, writing_us, metadata, asked, omitted)"
        " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,0,?13,0,0,?14,?15,0,0,0,0,0,0,0,0,0,?16,0,0,0,0,0,0,0,?17,?18,?19)";
    struct query q = query(db, sql);
    enum weir_err e;

    query_i64(&q, id);
    event_key_request(&q, r->request_id, r->accepted_at_ms);
    query_i64(&q, k->user);
    query_i64(&q, k->token);
    query_i64(&q, p->session);
    query_i64(&q, p->question);
    query_i64(&q, p->answer);
    query_i64(&q, k->model);
    query_i64(&q, k->upstream);
    query_i64(&q, k->endpoint);
    query_i64(&q, r->priority);
    query_i64(&q, state);
    query_i64(&q, GATE_NONE);
    query_i64(&q, r->prompt_tokens_counted);
    query_i64(&q, r->max_tokens);
    query_i64(&q, k->rate);
    query_text(&q, r->metadata_json);
    query_i64(&q, k->asked);
    if (r->omitted_messages > 0)
        query_i64(&q, r->omitted_messages);
    else
        query_null(&q);
    e = query_end(&q);
    *rc = q.rc;
    return e;
}

/* Under the first key of its millisecond that is free; WEIR_E_CONFLICT if the request is there already. */
static enum weir_err add_event(struct db *db, const struct call_record *r, const struct event_keys *k, const struct place *p, int state)
{
    int64_t n = low_bits(r->request_id), there;
    enum weir_err e = event_key_find(db, r->request_id, &there);
    int rc;

    if (e || there)
        return e ? e : WEIR_E_CONFLICT;
    do {
        e = insert_event(db, r->accepted_at_ms << EVENT_BITS | n, r, k, p, state, &rc);
        n = (n + 1) & ((1 << EVENT_BITS) - 1);
    } while (rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_ROWID);
    return e;
}

enum weir_err usage_accept_bare(struct db *db, const struct call_record *r, int64_t session)
{
    const struct place p = {.session = session};
    struct event_keys k = {0};
    enum weir_err e = keys_of(db, r, &k);

    return e ? e : add_event(db, r, &k, &p, STATE_SENT);
}

static enum weir_err accept_operation(struct db *db, const struct call_record *r, const struct event_keys *k, bool sent)
{
    struct place p = {0};
    enum weir_err e = r->session_id[0] ? find_session(db, r->session_id, k->user, &p) : WEIR_OK;

    if (!e)
        e = add_event(db, r, k, &p, sent ? STATE_SENT : STATE_ACCEPTED);
    return e ? e : lease_put(db, r);
}

enum weir_err usage_accept(struct db *db, const struct call_record *r, bool sent)
{
    struct event_keys k = {0};
    struct place p = {0};
    enum weir_err e = keys_of(db, r, &k);
    bool made = r->new_session;

    if (e)
        return e;
    if (r->operation)
        return accept_operation(db, r, &k, sent);
    if (!made && r->session_id[0]) {
        e = continue_session(db, r, k.user, &p);
        made = e == WEIR_E_NOT_FOUND && !p.session && r->session_may_be_new;
    }
    if (made)
        e = new_session(db, r, k.user, &p);
    if (e)
        return e;
    e = add_event(db, r, &k, &p, sent ? STATE_SENT : STATE_ACCEPTED);
    if (!e && p.session)
        e = add_texts(db, r, &p, made);
    return e;
}

enum weir_err usage_sent(struct db *db, const struct call_record *r)
{
    struct event_keys k = {0};
    enum weir_err e = keys_of(db, r, &k);
    int64_t event = 0, before = db_changes(db);
    struct query q;

    if (!e)
        e = event_key_find(db, r->request_id, &event);
    if (e)
        return e;
    q = query(db, "UPDATE events SET state = 1, upstream = ?2, attempts = ?3, held_by = ?4, model = ?5, rate = ?6,"
                  " counted = ?7, max_tokens = ?8, prompt = ?9, completion = ?10, cost_in = ?11, cost_out = ?12"
                  " WHERE id = ?1 AND state < 2");
    query_i64(&q, event);
    query_i64(&q, k.upstream);
    query_i64(&q, r->attempt_count);
    query_i64(&q, gate_longest(r->held_us));
    query_i64(&q, k.model);
    query_i64(&q, k.rate);
    query_i64(&q, r->prompt_tokens_counted);
    query_i64(&q, r->max_tokens);
    query_i64(&q, r->usage.prompt);
    query_i64(&q, r->usage.completion);
    query_i64(&q, r->cost.input);
    query_i64(&q, r->cost.output);
    e = query_end(&q);
    if (!e && db_changes(db) == before)
        e = WEIR_E_NOT_FOUND;
    return e || !r->operation ? e : lease_put(db, r);
}

bool usage_was_streamed(struct db *ro, const char *user_id, const char *request_id)
{
    struct query q = query(ro, "SELECT 1 FROM events e JOIN users p ON p.id = e.user JOIN words w ON w.id = e.endpoint"
                               " WHERE e.id = ?1 AND p.user_id = ?2 AND w.text = '/chat/stream'");
    int64_t event = 0;
    bool was;

    if (event_key_find(ro, request_id, &event) != WEIR_OK)
        return false;
    query_i64(&q, event);
    query_text(&q, user_id);
    was = query_row(&q);
    return query_stop(&q) == WEIR_OK && was;
}
