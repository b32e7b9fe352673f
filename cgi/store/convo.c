/* convo.c - sessions: listed, read, made, changed, deleted. Messages are in
 * convo_messages.c. */
#include "store/convo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/content.h"
#include "store/convo_tree.h"
#include "store/event_row.h"
#include "store/idempotency.h"

/* --- reading --- */

/* session_id, title, pinned, archived, created_ms, updated_ms, requests, prompt, completion, cost, unpriced, id, user */
#define SESSION_COLUMNS \
    " s.session_id, s.title, s.pinned, s.archived, s.created_ms, s.updated_ms, s.requests, s.prompt, s.completion," \
    " s.cost, s.unpriced, s.id, s.user"

static void title_json(struct sb *out, const struct query *q)
{
    struct sb title = sb_make(64 * 1024);

    if (content_title_get(query_col_i64(q, 12), query_col_text(q, 0), query_col_text(q, 1), &title))
        sb_reset(&title);                              /* logged; the session can be deleted all the same */
    sb_json(out, sb_str(&title));
    sb_done(&title);
}

static void session_members(struct sb *out, const struct query *q)
{
    int64_t requests = query_col_i64(q, 6), prompt = query_col_i64(q, 7), completion = query_col_i64(q, 8);

    sb_puts(out, "\"session_id\":");
    sb_json(out, query_col_text(q, 0));
    sb_puts(out, ",\"title\":");
    title_json(out, q);
    sb_puts(out, query_col_i64(q, 2) ? ",\"pinned\":true" : ",\"pinned\":false");
    sb_puts(out, query_col_i64(q, 3) ? ",\"archived\":true," : ",\"archived\":false,");
    json_time(out, "created_at", query_col_i64(q, 4));
    sb_putc(out, ',');
    json_time(out, "updated_at", query_col_i64(q, 5));
    sb_puts(out, ",\"totals\":{\"requests\":");
    sb_i64(out, requests);
    sb_puts(out, ",\"prompt_tokens\":");
    sb_i64(out, prompt);
    sb_puts(out, ",\"completion_tokens\":");
    sb_i64(out, completion);
    sb_puts(out, ",\"total_tokens\":");
    sb_i64(out, prompt + completion);
    sb_puts(out, ",\"cost_usd\":");
    if (requests && query_col_i64(q, 10) == requests)
        sb_puts(out, "null");
    else
        sb_usd(out, query_col_i64(q, 9));
    sb_putc(out, '}');
}

/* Where a page ended: what the list is ordered by. */
struct place {
    long long pinned, updated_ms, id;
};

static bool parse_place(const char *s, struct place *p)
{
    int used = 0;

    *p = (struct place){2, 0, 0};            /* before everything */
    if (!s)
        return true;
    return sscanf(s, "%1lld.%18lld.%18lld%n", &p->pinned, &p->updated_ms, &p->id, &used) == 3 && !s[used];
}

/* The words of `text` for the full-text index, each as the beginning of one: "wei"* "fal"*. */
static void match_put(struct sb *match, const char *text)
{
    while (*(text += strspn(text, " \t\r\n"))) {
        size_t n = strcspn(text, " \t\r\n");

        sb_puts(match, match->len ? " \"" : "\"");
        for (; n; n--, text++) {
            if (*text == '"')
                sb_putc(match, '"');
            sb_putc(match, *text);
        }
        sb_puts(match, "\"*");
    }
}

/* Where in a conversation what was looked for is said; nothing if it is in the title alone. */
static enum weir_err found_json(struct db *ro, int64_t session, const char *match, struct sb *out)
{
    struct query q = query(ro, "SELECT snippet(contents_words, 0, '', '', '…', 16) FROM contents_words WHERE contents_words MATCH ?1"
                               " AND rowid > ?2 << 20 AND rowid < (?2 + 1) << 20 ORDER BY rank LIMIT 1");

    query_text(&q, match);
    query_i64(&q, session);
    sb_puts(out, ",\"found\":");
    sb_json(out, query_row(&q) ? query_col_text(&q, 0) : NULL);
    return query_stop(&q);
}

enum weir_err convo_list(struct db *ro, const char *user_id, const struct convo_list *l, struct sb *out)
{
    static const char sql[] =
        "SELECT" SESSION_COLUMNS " FROM sessions s JOIN users u ON u.id = s.user"
        " WHERE u.user_id = ?1 AND s.deleted_ms IS NULL AND (s.pinned, s.updated_ms, s.id) < (?2, ?3, ?4)"
        " AND (?5 < 0 OR s.archived = ?5) AND (?6 IS NULL OR instr(lower(s.title), lower(?6)) > 0"
        " OR s.id IN (SELECT rowid >> 20 FROM contents_words WHERE contents_words MATCH ?8))"
        " ORDER BY s.pinned DESC, s.updated_ms DESC, s.id DESC LIMIT ?7";
    struct sb match = sb_make(4096);
    struct place from, last = {0, 0, 0};
    enum weir_err e = WEIR_OK, end;
    struct query q;
    int64_t n = 0;
    bool more = false;

    if (!parse_place(l->before, &from))
        return WEIR_E_INVALID_FIELD;
    if (l->query)
        match_put(&match, l->query);
    q = query(ro, sql);
    query_text(&q, user_id);
    query_i64(&q, from.pinned);
    query_i64(&q, from.updated_ms);
    query_i64(&q, from.id);
    query_i64(&q, l->archived);
    query_text(&q, l->query);
    query_i64(&q, l->limit + 1);
    query_text(&q, match.len ? sb_str(&match) : "\"\"");
    sb_puts(out, "{\"items\":[");
    while (!e && query_row(&q)) {
        more = n == l->limit;
        if (more)
            break;
        last = (struct place){query_col_i64(&q, 2), query_col_i64(&q, 5), query_col_i64(&q, 11)};
        sb_puts(out, n++ ? ",{" : "{");
        session_members(out, &q);
        if (match.len)
            e = found_json(ro, last.id, sb_str(&match), out);
        sb_putc(out, '}');
    }
    if (more)
        sb_putf(out, "],\"next_cursor\":\"%lld.%lld.%lld\"}", last.pinned, last.updated_ms, last.id);
    else
        sb_puts(out, "],\"next_cursor\":null}");
    sb_done(&match);
    end = query_stop(&q);
    return e ? e : end;
}

enum weir_err convo_get(struct db *ro, const char *user_id, const char *session_id, struct sb *out)
{
    static const char sql[] =
        "SELECT" SESSION_COLUMNS ","
        " (SELECT message_id FROM messages WHERE id > s.id << 20 AND id < (s.id + 1) << 20 ORDER BY id DESC LIMIT 1),"
        " (SELECT count(*) FROM messages WHERE id > s.id << 20 AND id < (s.id + 1) << 20),"
        " (SELECT e.request_id FROM events e WHERE e.state < 2 AND e.session = s.id ORDER BY e.id DESC LIMIT 1)"
        " FROM sessions s JOIN users u ON u.id = s.user"
        " WHERE s.session_id = ?1 AND u.user_id = ?2 AND s.deleted_ms IS NULL";
    struct query q = query(ro, sql);
    enum weir_err e;
    bool found;

    query_text(&q, session_id);
    query_text(&q, user_id);
    found = query_row(&q);
    if (found) {
        sb_putc(out, '{');
        session_members(out, &q);
        sb_puts(out, ",\"leaf_id\":");
        sb_json(out, query_col_text(&q, 13));
        sb_puts(out, ",\"messages\":");
        sb_i64(out, query_col_i64(&q, 14));
        sb_puts(out, ",\"running_request_id\":");
        sb_json(out, query_col_text(&q, 15));
        sb_putc(out, '}');
    }
    e = query_stop(&q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}

bool convo_owned(struct db *ro, const char *user_id, const char *session_id)
{
    int64_t session;

    return convo_session(ro, user_id, session_id, &session) == WEIR_OK;
}

bool convo_exists(struct db *ro, const char *session_id)
{
    struct query q = query(ro, "SELECT 1 FROM sessions WHERE session_id = ?1");
    bool found;

    query_text(&q, session_id);
    found = query_row(&q);
    return query_stop(&q) == WEIR_OK && found;
}

/* --- writing --- */

static enum weir_err owner(struct db *db, const char *user_id, int64_t *user)
{
    struct query q = query(db, "SELECT id FROM users WHERE user_id = ?1");
    enum weir_err e;

    query_text(&q, user_id);
    *user = query_row(&q) ? query_col_i64(&q, 0) : 0;
    e = query_stop(&q);
    return e ? e : *user ? WEIR_OK : WEIR_E_NOT_FOUND;
}

enum weir_err convo_create(struct db *db, const char *user_id, const char *session_id, const char *title,
                           const char *system_text, int64_t now_ms)
{
    struct sb stored = sb_make(64 * 1024);
    int64_t user, session = 0;
    enum weir_err e = owner(db, user_id, &user);
    struct query q;

    if (!e)
        e = content_title_put(user, session_id, title, &stored);
    if (!e) {
        q = query(db, "INSERT INTO sessions(session_id, user, title, created_ms, updated_ms) VALUES (?1, ?2, ?3, ?4, ?4) RETURNING id");
        query_text(&q, session_id);
        query_i64(&q, user);
        query_text(&q, sb_str(&stored));
        query_i64(&q, now_ms);
        session = query_row(&q) ? query_col_i64(&q, 0) : 0;
        e = query_end(&q);
    }
    sb_done(&stored);
    if (e || !system_text)
        return e;
    q = query(db, "INSERT INTO messages(id, message, parent, role, at_ms) VALUES (?1, '', 0, 0, ?2)");
    query_i64(&q, session << SEQ_BITS);
    query_i64(&q, now_ms);
    e = query_end(&q);
    if (e)
        return e;
    return content_add(db, session << SEQ_BITS, now_ms, &(struct content){.text = system_text, .text_bytes = (int64_t)strlen(system_text)});
}

enum weir_err convo_patch(struct db *db, const char *user_id, const char *session_id, const struct convo_patch *p)
{
    struct sb stored = sb_make(64 * 1024);
    int64_t session, user;
    enum weir_err e = convo_session(db, user_id, session_id, &session);
    struct query q;

    if (!e && p->title && !(e = owner(db, user_id, &user)))
        e = content_title_put(user, session_id, p->title, &stored);
    if (e)
        goto out;
    q = query(db, "UPDATE sessions SET title = coalesce(?2, title), pinned = coalesce(?3, pinned),"
                  " archived = coalesce(?4, archived) WHERE id = ?1");
    query_i64(&q, session);
    query_text(&q, p->title ? sb_str(&stored) : NULL);
    query_opt_i64(&q, p->pinned);
    query_opt_i64(&q, p->archived);
    e = query_end(&q);
out:
    sb_done(&stored);
    return e;
}

/* Messages and their text with ids in [from, to]. */
static enum weir_err erase(struct db *db, int64_t from, int64_t to)
{
    enum weir_err e = content_forget(db, from, to);
    struct query q;

    if (e)
        return e;
    q = query(db, "DELETE FROM messages WHERE id BETWEEN ?1 AND ?2");
    query_i64(&q, from);
    query_i64(&q, to);
    return query_end(&q);
}

/* An answer that is deleted is counted, so that one which is lost can be told from it. */
static enum weir_err count_removed(struct db *db, int64_t session, int64_t seq)
{
    struct query q = query(db, "UPDATE sessions SET removed = removed + 1 WHERE id = ?1 AND EXISTS (SELECT 1 FROM events e"
                               " WHERE e.session = ?1 AND e.session > 0 AND e.answer = ?2 AND e.answer > 0 AND e.state = 2"
                               " AND (e.status = 0 OR e.chars > 0))");

    query_i64(&q, session);
    query_i64(&q, seq);
    return query_end(&q);
}

enum weir_err convo_erase(struct db *db, int64_t session)
{
    enum weir_err e = erase(db, session << SEQ_BITS, ((session + 1) << SEQ_BITS) - 1);
    struct query q;

    if (!e)
        e = idempotency_erase(db, session);
    if (e)
        return e;
    q = query(db, "UPDATE sessions SET deleted_ms = ?2, title = '', pinned = 0 WHERE id = ?1");
    query_i64(&q, session);
    query_i64(&q, clock_utc_ms());
    return query_end(&q);
}

enum weir_err convo_delete(struct db *db, const char *user_id, const char *session_id)
{
    int64_t session;
    enum weir_err e = convo_session(db, user_id, session_id, &session);

    return e ? e : convo_erase(db, session);
}

enum weir_err convo_delete_message(struct db *db, const char *user_id, const char *session_id, const char *message_id,
                                   int64_t *deleted)
{
    struct convo_tree t = {0};
    const struct convo_node *top;
    int64_t session;
    enum weir_err e = convo_session(db, user_id, session_id, &session);
    char *gone = NULL;

    *deleted = 0;
    if (!e)
        e = convo_tree_load(db, session, &t);
    top = !e && *message_id ? convo_tree_find(&t, message_id) : NULL;
    if (!e && !top)
        e = WEIR_E_NOT_FOUND;
    if (e)
        goto out;
    gone = mem_zalloc(t.count, 1);
    for (size_t i = (size_t)(top - t.node); !e && i < t.count; i++) {      /* children come after their parents */
        const struct convo_node *parent = convo_tree_at(&t, t.node[i].parent);
        int64_t id = session << SEQ_BITS | t.node[i].seq;

        if (&t.node[i] != top && (!parent || !gone[parent - t.node]))
            continue;
        gone[i] = 1;
        (*deleted)++;
        e = count_removed(db, session, t.node[i].seq);
        if (!e)
            e = erase(db, id, id);
    }
    if (!e)
        e = idempotency_erase(db, session);
out:
    free(gone);
    convo_tree_done(&t);
    return e;
}
