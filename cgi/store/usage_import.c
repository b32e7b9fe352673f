/* usage_import.c - a call that was made elsewhere: accepted and settled at once, counted like any other. */
#include <stdio.h>
#include <string.h>

#include "store/db.h"
#include "store/event_key.h"
#include "store/ledger.h"
#include "store/usage_impl.h"

/* The session if it is there and this user's; made, out of the way, if there is none of that name. */
static enum weir_err find_or_make_session(struct db *db, const struct call_record *r, int64_t user, int64_t *session)
{
    struct query q = query(db, "SELECT id, user FROM sessions WHERE session_id = ?1");
    int64_t owner = user;
    enum weir_err e;

    query_text(&q, r->session_id);
    if (query_row(&q)) {
        *session = query_col_i64(&q, 0);
        owner = query_col_i64(&q, 1);
    }
    e = query_stop(&q);
    if (e || *session)
        return e ? e : owner == user ? WEIR_OK : WEIR_E_FORBIDDEN;
    q = query(db, "INSERT INTO sessions(session_id, user, title, created_ms, updated_ms, archived)"
                  " VALUES (?1, ?2, 'Usage made elsewhere', ?3, ?3, 1) RETURNING id");
    query_text(&q, r->session_id);
    query_i64(&q, user);
    query_i64(&q, r->accepted_at_ms);
    if (query_row(&q))
        *session = query_col_i64(&q, 0);
    return query_end(&q);
}

enum weir_err usage_import(struct db *db, struct call_record *r, bool *duplicate)
{
    int64_t user = 0, session = 0, event = 0;
    enum weir_err e = ledger_user(db, r->user_id, &user);

    if (!e)
        e = event_key_find(db, r->request_id, &event);
    *duplicate = event != 0;
    if (e || *duplicate)
        return e;
    if (r->session_id[0])
        e = find_or_make_session(db, r, user, &session);
    r->upstream = USAGE_IMPORTED;
    r->status = CALL_SUCCESS;
    r->new_session = false;
    r->attempt_count = 0;
    r->answer = NULL;
    r->prompt_tokens_counted = r->usage.prompt;
    if (!e)
        e = usage_accept_bare(db, r, session);
    return e ? e : usage_settle(db, r);
}
