/* convo_handoff.c - a session changes hands: its row, and its text, which is
 * sealed with the key of whom it belongs to. What was used in it stays on the
 * account of who used it; the session's own totals and budgets go along. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/account.h"
#include "store/content.h"
#include "store/convo.h"
#include "store/convo_tree.h"

struct hands {
    int64_t session, from, to;
    const char *session_id;
};

/* Whose it is now. */
static enum weir_err find(struct db *db, const char *owner, struct hands *h, char from_user_id[RAND_ID_SIZE])
{
    struct query q = query(db, "SELECT s.id, s.user, u.user_id FROM sessions s JOIN users u ON u.id = s.user"
                               " WHERE s.session_id = ?1 AND (?2 IS NULL OR u.user_id = ?2) AND s.deleted_ms IS NULL");
    enum weir_err e;

    query_text(&q, h->session_id);
    query_text(&q, owner);
    if (query_row(&q)) {
        h->session = query_col_i64(&q, 0);
        h->from = query_col_i64(&q, 1);
        (void)snprintf(from_user_id, RAND_ID_SIZE, "%s", query_col_text(&q, 2));
    }
    e = query_stop(&q);
    return e ? e : h->session ? WEIR_OK : WEIR_E_NOT_FOUND;
}

/* Who is there, may sign in and may chat. */
static enum weir_err find_receiver(struct db *db, const char *user_id, int64_t *to)
{
    struct query q = query(db, "SELECT id FROM users WHERE user_id = ?1 AND role != ?2 AND disabled_ms IS NULL");
    enum weir_err e;

    query_text(&q, user_id);
    query_i64(&q, ROLE_MONITOR);
    *to = query_row(&q) ? query_col_i64(&q, 0) : 0;
    e = query_stop(&q);
    return e ? e : *to ? WEIR_OK : WEIR_E_INVALID_FIELD;
}

static enum weir_err is_idle(struct db *db, int64_t session)
{
    struct query q = query(db, "SELECT 1 FROM events WHERE state < 2 AND session = ?1 LIMIT 1");
    enum weir_err e;
    bool busy;

    query_i64(&q, session);
    busy = query_row(&q);
    e = query_stop(&q);
    return e ? e : busy ? WEIR_E_CONFLICT : WEIR_OK;
}

/* The ids of its texts. */
static enum weir_err texts_of(struct db *db, int64_t session, int64_t **id, size_t *n)
{
    struct query q = query(db, "SELECT id FROM contents WHERE id >= ?1 << 20 AND id < (?1 + 1) << 20 AND sealed IS NOT NULL");

    *id = NULL;
    *n = 0;
    query_i64(&q, session);
    while (query_row(&q)) {
        *id = mem_grow(*id, *n + 1, sizeof **id);
        (*id)[(*n)++] = query_col_i64(&q, 0);
    }
    return query_end(&q);
}

static enum weir_err move_texts(struct db *db, const struct hands *h)
{
    int64_t *id;
    size_t n;
    enum weir_err e = texts_of(db, h->session, &id, &n);

    for (size_t i = 0; !e && i < n; i++)
        e = content_reseal(db, id[i], h->from, h->to);
    free(id);
    return e;
}

static enum weir_err move_row(struct db *db, const struct hands *h, int64_t now_ms)
{
    struct query q = query(db, "SELECT title FROM sessions WHERE id = ?1");
    struct sb title = sb_make(64 * 1024), stored = sb_make(64 * 1024);
    enum weir_err e = WEIR_OK, ended;

    query_i64(&q, h->session);
    if (query_row(&q))
        e = content_title_get(h->from, h->session_id, query_col_text(&q, 0), &title);
    ended = query_stop(&q);
    if (!e && !(e = ended) && !(e = content_title_put(h->to, h->session_id, sb_str(&title), &stored))) {
        q = query(db, "UPDATE sessions SET user = ?2, title = ?3, pinned = 0, archived = 0, updated_ms = max(updated_ms, ?4), handed_ms = ?4"
                      " WHERE id = ?1");
        query_i64(&q, h->session);
        query_i64(&q, h->to);
        query_text(&q, sb_str(&stored));
        query_i64(&q, now_ms);
        e = query_end(&q);
    }
    sb_done(&title);
    sb_done(&stored);
    return e;
}

enum weir_err convo_handoff(struct db *db, const char *owner, const char *session_id, const char *to_user_id, int64_t now_ms,
                            char from_user_id[RAND_ID_SIZE])
{
    struct hands h = {.session_id = session_id};
    enum weir_err e = find(db, owner, &h, from_user_id);

    if (!e)
        e = find_receiver(db, to_user_id, &h.to);
    if (!e)
        e = is_idle(db, h.session);
    if (e || h.from == h.to)
        return e;
    e = move_texts(db, &h);
    return e ? e : move_row(db, &h, now_ms);
}
