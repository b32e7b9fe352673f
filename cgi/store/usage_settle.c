/* usage_settle.c - the end of a call, in the caller's transaction: the event,
 * its attempts, the answer, and what it adds to the roll-ups (ledger.c); and
 * marks of how far a running one has come. */
#include <string.h>

#include "base/broken.h"
#include "store/content.h"
#include "store/convo_tree.h"
#include "store/db.h"
#include "store/event_key.h"
#include "store/lease.h"
#include "store/ledger.h"
#include "store/usage_impl.h"
#include "store/waited.h"

/* What the event's row knows that the settlement needs. */
struct open_event {
    int64_t id;            /* 0: no such request */
    int64_t state, session, question, answer;
    bool answerable;       /* the session and the question are still there */
    struct ledger_dims dims;
};

static enum weir_err find_event(struct db *db, const char *request_id, struct open_event *v)
{
    static const char sql[] =
        "SELECT e.id, e.state, e.session, e.question, e.answer, s.id IS NOT NULL AND s.deleted_ms IS NULL"
        " AND (e.question = 0 OR EXISTS (SELECT 1 FROM messages m WHERE m.id = (e.session << 20 | e.question))),"
        " e.user, e.model, e.endpoint, e.priority"
        " FROM events e LEFT JOIN sessions s ON s.id = e.session WHERE e.id = ?1";
    int64_t event;
    enum weir_err e = event_key_find(db, request_id, &event);
    struct query q;

    memset(v, 0, sizeof *v);
    if (e || !event)
        return e;
    q = query(db, sql);
    query_i64(&q, event);
    if (query_row(&q)) {
        v->id = query_col_i64(&q, 0);
        v->state = query_col_i64(&q, 1);
        v->session = query_col_i64(&q, 2);
        v->question = query_col_i64(&q, 3);
        v->answer = query_col_i64(&q, 4);
        v->answerable = query_col_i64(&q, 5) != 0;
        v->dims.user = query_col_i64(&q, 6);
        v->dims.model = query_col_i64(&q, 7);
        v->dims.endpoint = query_col_i64(&q, 8);
        v->dims.priority = query_col_i64(&q, 9);
    }
    return query_stop(&q);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* True if there was one attempt and the event's row says all of it but what bind_attempt() adds. */
static bool in_event_row(const struct call_record *r)
{
    const struct call_attempt *a = &r->attempts[0];

    return r->attempt_count == 1 && same_text(a->upstream, r->upstream) && same_text(a->model, r->model) &&
           same_text(a->error_code, r->error_code) && a->usage.prompt == r->usage.prompt &&
           a->usage.completion == r->usage.completion && a->estimated == r->estimated && a->priced == r->cost.priced &&
           (!a->priced || (a->cost_in == r->cost.input && a->cost_out == r->cost.output));
}

enum { ATTEMPT_COLUMNS = 8 };

static void bind_attempt(struct query *q, int64_t event, const struct call_attempt *a)
{
    query_i64(q, a->started_at_ms - (event >> EVENT_BITS));
    query_i64(q, a->wait_us);
    query_i64(q, a->duration_us);
    query_i64(q, a->http_status);
    query_i64(q, a->reserved_input);
    query_i64(q, a->reserved_output);
    query_i64(q, a->reason);
    query_text(q, a->provider_request_id[0] ? a->provider_request_id : NULL);
}

static enum weir_err close_event(struct db *db, const struct call_record *r, const struct open_event *v)
{
    static const char sql[] =
        "UPDATE events SET state = 2, status = ?2, upstream = ?3, held_by = ?4, finish = ?5, error = ?6, prompt = ?7,"
        " cached = ?8, cache_write = ?9, cache_write_1h = ?10, completion = ?11, reasoning = ?12, chars = ?13,"
        " estimated = ?14, suspect = ?15, rate = ?16, cost_in = ?17, cost_out = ?18, attempts = ?19, queue_us = ?20,"
        " retry_us = ?21, ttft_us = ?22, writing_us = ?23, model = ?24, waited = ?25, saved = ?26, after_ms = ?27, wait_us = ?28,"
        " duration_us = ?29, http_status = ?30, reserved_in = ?31, reserved_out = ?32, reason = ?33, provider_request_id = ?34,"
        " units = ?35, metadata = coalesce(?36, metadata) WHERE id = ?1";
    int64_t finish = 0, error = 0, rate = 0;
    struct sb waited = sb_make(1024);
    enum weir_err e = ledger_word(db, r->finish_reason, &finish);
    struct query q;

    if (!e)
        e = ledger_word(db, r->error_code, &error);
    if (!e && r->cost.priced)
        e = ledger_rate(db, r->cost.price_version, r->cost.rate_in, r->cost.rate_out, &rate);
    if (e)
        return e;
    q = query(db, sql);
    query_i64(&q, v->id);
    query_i64(&q, r->status);
    query_i64(&q, v->dims.upstream);
    query_i64(&q, gate_longest(r->held_us));
    query_i64(&q, finish);
    query_i64(&q, error);
    query_i64(&q, r->usage.prompt);
    query_i64(&q, r->usage.cached);
    query_i64(&q, r->usage.cache_write);
    query_i64(&q, r->usage.cache_write_1h);
    query_i64(&q, r->usage.completion);
    query_i64(&q, r->usage.reasoning);
    query_i64(&q, r->answer_chars);
    query_i64(&q, r->estimated);
    query_i64(&q, r->usage_suspect);
    query_i64(&q, rate);
    query_i64(&q, r->cost.input);
    query_i64(&q, r->cost.output);
    query_i64(&q, r->attempt_count);
    query_i64(&q, r->queue_us);
    query_i64(&q, r->retry_wait_us);
    query_i64(&q, r->ttft_us);
    query_i64(&q, r->writing_us);
    query_i64(&q, v->dims.model);
    waited_write(r, &waited);
    query_text(&q, waited.len ? sb_str(&waited) : NULL);
    if (r->from_cache)
        query_i64(&q, r->saved_priced ? r->saved : -1);
    else
        query_null(&q);
    if (in_event_row(r))
        bind_attempt(&q, v->id, &r->attempts[0]);
    else
        for (int i = 0; i < ATTEMPT_COLUMNS; i++)
            query_null(&q);
    if (r->operation)
        query_i64(&q, r->usage.units);
    else
        query_null(&q);
    query_text(&q, r->end_metadata);
    e = query_end(&q);
    sb_done(&waited);
    return e;
}

static enum weir_err add_attempt(struct db *db, int64_t event, int n, const struct call_attempt *a)
{
    int64_t upstream = 0, error = 0, model = 0;
    enum weir_err e = ledger_word(db, a->upstream, &upstream);
    struct query q;

    if (!e)
        e = ledger_word(db, a->error_code, &error);
    if (!e)
        e = ledger_word(db, a->model, &model);
    if (e)
        return e;
    q = query(db, "INSERT INTO attempt_rows(event, n, upstream, error, model, after_ms, wait_us, duration_us, http_status, reserved_in,"
                  " reserved_out, reason, provider_request_id, prompt, completion, estimated, cost_in, cost_out)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)");
    query_i64(&q, event);
    query_i64(&q, n);
    query_i64(&q, upstream);
    query_i64(&q, error);
    query_i64(&q, model);
    bind_attempt(&q, event, a);
    query_i64(&q, a->usage.prompt);
    query_i64(&q, a->usage.completion);
    query_i64(&q, a->estimated);
    if (a->priced) {
        query_i64(&q, a->cost_in);
        query_i64(&q, a->cost_out);
    } else {
        query_null(&q);
        query_null(&q);
    }
    return query_end(&q);
}

static enum weir_err add_to_session(struct db *db, const struct call_record *r, const struct open_event *v)
{
    struct query q = query(db, "UPDATE sessions SET requests = requests + 1, prompt = prompt + ?2,"
                               " completion = completion + ?3, cost = cost + ?4, unpriced = unpriced + ?5,"
                               " removed = removed + ?6 WHERE id = ?1");

    query_i64(&q, v->session);
    query_i64(&q, r->usage.prompt);
    query_i64(&q, r->usage.completion);
    query_i64(&q, r->cost.input + r->cost.output);
    query_i64(&q, !r->cost.priced);
    query_i64(&q, r->answer && v->answer && !v->answerable && (r->status == CALL_SUCCESS || r->answer_chars > 0));
    return query_end(&q);
}

static enum weir_err add_answer(struct db *db, const struct call_record *r, const struct open_event *v)
{
    struct usage_message m = {.session = v->session, .seq = v->answer, .parent = v->question, .role = CONVO_ASSISTANT,
                        .message_id = r->message_id, .at_ms = r->ended_at_ms,
                        .content = {.text = r->answer, .text_bytes = r->answer_bytes,
                                    .reasoning = r->reasoning, .reasoning_bytes = r->reasoning_bytes}};

    return usage_add_message(db, &m);
}

enum weir_err usage_mark(struct db *db, const struct usage_mark *m)
{
    struct content c = {m->text ? m->text : "", m->reasoning, m->text ? m->text_bytes : 0, m->reasoning_bytes};
    struct open_event v;
    enum weir_err e = find_event(db, m->request_id, &v);
    struct query q;

    if (e || !v.id || v.state != STATE_SENT)
        return e;
    q = query(db, "UPDATE events SET completion = ?2, cost_out = ?3 WHERE id = ?1");
    query_i64(&q, v.id);
    query_i64(&q, m->completion);
    query_i64(&q, m->cost_out);
    e = query_end(&q);
    if (!e && (m->text || m->reasoning) && v.session && v.answer && v.answerable)
        e = content_mark(db, v.session << SEQ_BITS | v.answer, v.id >> EVENT_BITS, &c);
    return e;
}

static struct ledger_delta delta_of(const struct call_record *r, const struct open_event *v, int64_t combo)
{
    int64_t at_ms = v->id >> EVENT_BITS;
    const struct ledger_delta d = {
        .quarter = at_ms / QUARTER_MS, .minute = at_ms / MINUTE_MS, .combo = combo, .session = v->session,
        .prompt = r->usage.prompt, .cached = r->usage.cached,
        .cache_write = r->usage.cache_write + r->usage.cache_write_1h,
        .completion = r->usage.completion, .reasoning = r->usage.reasoning, .chars = r->answer_chars,
        .cost_in = r->cost.input, .cost_out = r->cost.output, .unpriced = !r->cost.priced,
        .unpriced_tokens = r->cost.priced ? 0 : r->usage.prompt + r->usage.completion,
        .estimated = r->estimated, .retries = r->attempt_count > 1 ? r->attempt_count - 1 : 0,
        .queue_us = r->queue_us, .retry_us = r->retry_wait_us, .ttft_us = r->ttft_us, .writing_us = r->writing_us,
        .duration_us = r->queue_us + r->retry_wait_us + r->ttft_us + r->writing_us,
    };

    return d;
}

enum weir_err usage_settle(struct db *db, const struct call_record *r)
{
    int attempts = r->attempt_count < CALL_ATTEMPTS_MAX ? r->attempt_count : CALL_ATTEMPTS_MAX;
    struct ledger_delta d;
    struct open_event v;
    int64_t combo = 0;
    enum weir_err e = find_event(db, r->request_id, &v);

    if (BROKEN("lost-settlement"))
        return WEIR_OK;
    if (e || !v.id || v.state == STATE_SETTLED)
        return e ? e : v.id ? WEIR_OK : WEIR_E_NOT_FOUND;
    v.dims.status = r->status;
    e = ledger_word(db, r->upstream, &v.dims.upstream);
    if (!e && r->model)
        e = ledger_word(db, r->model, &v.dims.model);
    if (!e)
        e = ledger_combo(db, &v.dims, &combo);
    if (!e)
        e = close_event(db, r, &v);
    if (!e && r->operation)
        e = lease_drop(db, v.id);
    for (int i = 0; !e && i < attempts && !in_event_row(r); i++)
        e = add_attempt(db, v.id, i + 1, &r->attempts[i]);
    if (!e && v.session)
        e = add_to_session(db, r, &v);
    if (!e && v.session && v.answer)         /* what was marked of the answer is no more than that */
        e = content_forget(db, v.session << SEQ_BITS | v.answer, v.session << SEQ_BITS | v.answer);
    if (!e && r->answer && v.session && v.answer && v.answerable)
        e = add_answer(db, r, &v);
    if (e)
        return e;
    d = delta_of(r, &v, combo);
    e = seal_of_event(db, v.id, &d.seal);
    if (e)
        return e;
    ledger_add(db, &d);
    return WEIR_OK;
}
