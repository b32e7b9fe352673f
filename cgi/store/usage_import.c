/* usage_import.c - a call that was made elsewhere: accepted and settled at once, counted like any other. */
#include <stdio.h>
#include <string.h>

#include "store/content.h"
#include "store/db.h"
#include "store/event_key.h"
#include "store/ledger.h"
#include "store/usage_impl.h"

/* The session if it is there and this user's; made, out of the way, if it may be. */
static enum weir_err find_or_make_session(struct db *db, const struct call_record *r, int64_t user, int64_t *session)
{
    struct query q = query(db, "SELECT id, user FROM sessions WHERE session_id = ?1");
    struct sb title = sb_make(64 * 1024);
    int64_t owner = 0;
    enum weir_err e;

    query_text(&q, r->session_id);
    if (query_row(&q)) {
        *session = query_col_i64(&q, 0);
        owner = query_col_i64(&q, 1);
    }
    e = query_stop(&q);
    if (e || *session || !r->session_may_be_new)
        return e ? e : owner == user ? WEIR_OK : WEIR_E_FORBIDDEN;
    e = content_title_put(user, r->session_id, r->session_title, &title);
    if (!e) {
        q = query(db, "INSERT INTO sessions(session_id, user, title, created_ms, updated_ms, archived)"
                      " VALUES (?1, ?2, ?4, ?3, ?3, 1) RETURNING id");
        query_text(&q, r->session_id);
        query_i64(&q, user);
        query_i64(&q, r->accepted_at_ms);
        query_text(&q, sb_str(&title));
        if (query_row(&q))
            *session = query_col_i64(&q, 0);
        e = query_end(&q);
    }
    sb_done(&title);
    return e;
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
