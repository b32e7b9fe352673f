/* convo_messages.c - one path through a session's tree: as JSON for the page, as
 * turns for the next prompt. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/content.h"
#include "store/convo.h"
#include "store/convo_tree.h"
#include "store/event_row.h"

/* --- JSON --- */

static enum weir_err content_json(struct db *ro, const struct convo_tree *t, const struct convo_node *n, struct sb *out)
{
    struct content_found c;
    enum weir_err e = content_read(ro, t->session << SEQ_BITS | n->seq, &c);

    sb_puts(out, ",\"content\":");
    if (c.kept)
        sb_json_n(out, c.text, c.text_bytes);
    else
        sb_puts(out, "null");                                     /* kept no longer, or never */
    sb_puts(out, ",\"reasoning\":");
    if (c.reasoning)
        sb_json_n(out, c.reasoning, c.reasoning_bytes);
    else
        sb_puts(out, "null");
    content_done(&c);
    return e;
}

static void siblings_json(const struct convo_tree *t, const struct convo_node *n, struct sb *out)
{
    const char *comma = "";

    sb_puts(out, ",\"siblings\":[");
    for (size_t i = 0; i < t->count; i++) {
        if (t->node[i].parent != n->parent || t->node[i].role != n->role)
            continue;
        sb_puts(out, comma);
        sb_json(out, t->node[i].message_id);
        comma = ",";
    }
    sb_putc(out, ']');
}

static bool has_child(const struct convo_tree *t, const struct convo_node *n)
{
    for (const struct convo_node *c = n + 1; c < t->node + t->count; c++) {
        if (c->parent == n->seq)
            return true;
    }
    return false;
}

/* What became of a question without an answer: it is being answered, or the call failed. */
static enum weir_err question_json(struct db *ro, const struct convo_tree *t, const struct convo_node *n, struct sb *out)
{
    struct query q = query(ro, "SELECT" EVENT_COLUMNS EVENT_TABLES " WHERE e.session = ?1 AND e.session > 0"
                               " AND e.question = ?2 ORDER BY e.id DESC LIMIT 1");
    struct event_row v;

    query_i64(&q, t->session);
    query_i64(&q, n->seq);
    if (!query_row(&q)) {
        sb_puts(out, ",\"state\":\"complete\"");
        return query_stop(&q);
    }
    event_row_read(&q, &v);
    sb_puts(out, v.settled ? ",\"state\":\"failed\"," : ",\"state\":\"pending\",");
    event_row_head_json(out, &v);
    return query_stop(&q);
}

static enum weir_err answer_json(struct db *ro, const struct convo_tree *t, const struct convo_node *n, struct sb *out)
{
    struct query q = query(ro, "SELECT" EVENT_COLUMNS EVENT_TABLES " WHERE e.session = ?1 AND e.session > 0"
                               " AND e.answer = ?2");
    struct event_row v;

    query_i64(&q, t->session);
    query_i64(&q, n->seq);
    sb_puts(out, ",\"state\":\"complete\"");
    if (query_row(&q)) {
        event_row_read(&q, &v);
        sb_putc(out, ',');
        event_row_head_json(out, &v);
        sb_putc(out, ',');
        event_row_numbers_json(out, &v);
    }
    return query_stop(&q);
}

static enum weir_err message_json(struct db *ro, const struct convo_tree *t, const struct convo_node *n, struct sb *out)
{
    const struct convo_node *parent = convo_tree_at(t, n->parent);
    enum weir_err e;

    sb_puts(out, "{\"message_id\":");
    sb_json(out, n->message_id);
    sb_puts(out, ",\"parent_id\":");
    sb_json(out, parent ? parent->message_id : NULL);
    sb_puts(out, ",\"role\":");
    sb_json(out, convo_role_name(n->role));
    e = content_json(ro, t, n, out);
    siblings_json(t, n, out);
    sb_putc(out, ',');
    json_time(out, "at", n->at_ms);
    if (!e && n->role == CONVO_ASSISTANT)
        e = answer_json(ro, t, n, out);
    else if (!e && !has_child(t, n))
        e = question_json(ro, t, n, out);
    else
        sb_puts(out, ",\"state\":\"complete\"");
    sb_putc(out, '}');
    return e;
}

enum weir_err convo_messages(struct db *ro, const char *user_id, const char *session_id, const char *leaf, int64_t limit,
                             struct sb *out)
{
    const struct convo_node **path = NULL, *end;
    struct convo_tree t = {0};
    size_t n, from;
    int64_t session;
    enum weir_err e = convo_session(ro, user_id, session_id, &session);

    if (!e)
        e = convo_tree_load(ro, session, &t);
    if (e)
        goto out;
    end = convo_tree_find(&t, leaf);
    if (!end && leaf && *leaf) {
        e = WEIR_E_NOT_FOUND;
        goto out;
    }
    path = mem_zalloc(t.count, sizeof(*path));
    n = convo_tree_path(&t, end, path);
    from = n > (size_t)limit ? n - (size_t)limit : 0;
    sb_puts(out, "{\"items\":[");
    for (size_t i = from; !e && i < n; i++) {
        if (i > from)
            sb_putc(out, ',');
        e = message_json(ro, &t, path[i], out);
    }
    sb_puts(out, "],\"next_cursor\":");
    sb_json(out, from ? path[from - 1]->message_id : NULL);
    sb_putc(out, '}');
out:
    free(path);
    convo_tree_done(&t);
    return e;
}

enum weir_err convo_newest_below(struct db *ro, const char *user_id, const char *session_id, const char *message_id,
                                 char leaf[RAND_ID_SIZE])
{
    struct convo_tree t = {0};
    const struct convo_node *top = NULL, *newest;
    bool *below = NULL;
    int64_t session;
    enum weir_err e = convo_session(ro, user_id, session_id, &session);

    if (!e)
        e = convo_tree_load(ro, session, &t);
    if (!e && *message_id)
        top = convo_tree_find(&t, message_id);
    if (!e && !top)
        e = WEIR_E_NOT_FOUND;
    if (e)
        goto out;
    below = mem_zalloc(t.count, sizeof *below);
    below[top - t.node] = true;
    newest = top;
    for (size_t i = (size_t)(top - t.node) + 1; i < t.count; i++) {        /* children come after their parents */
        const struct convo_node *parent = convo_tree_at(&t, t.node[i].parent);

        below[i] = parent && below[parent - t.node];
        if (below[i])
            newest = &t.node[i];
    }
    memcpy(leaf, newest->message_id, RAND_ID_SIZE);
out:
    free(below);
    convo_tree_done(&t);
    return e;
}

/* --- turns --- */

/* The next turn of `h`; none if the text of the message is not kept. */
static enum weir_err read_turn(struct db *ro, int64_t id, const char *role, const char *message_id, struct convo_history *h)
{
    struct convo_turn *t = &h->turns[h->count];
    struct content_found c;
    enum weir_err e = content_read(ro, id, &c);

    if (!e && c.kept) {
        t->role = role;
        t->content = c.text;
        t->content_bytes = (int64_t)c.text_bytes;
        memcpy(t->message_id, message_id, sizeof t->message_id);
        h->count++;
        c.text = NULL;
    }
    content_done(&c);
    return e;
}

static enum weir_err read_system(struct db *ro, int64_t session, struct convo_history *h)
{
    struct query q = query(ro, "SELECT 1 FROM messages WHERE id = ?1");
    const char none[RAND_ID_SIZE] = "";
    bool there;
    enum weir_err e;

    query_i64(&q, session << SEQ_BITS);
    there = query_row(&q);
    e = query_stop(&q);
    return e || !there ? e : read_turn(ro, session << SEQ_BITS, "system", none, h);
}

/* How many of the path's last messages fit into max_bytes; the newest always does. */
static enum weir_err fitting(struct db *ro, const struct convo_tree *t, const struct convo_node **path, size_t n,
                             int64_t max_bytes, size_t *from)
{
    int64_t bytes = 0;

    for (*from = n; *from > 0; (*from)--) {
        struct query q = query(ro, "SELECT coalesce(length(sealed), length(CAST(text AS BLOB))) FROM contents"
                                   " WHERE id = ?1");
        enum weir_err e;

        query_i64(&q, t->session << SEQ_BITS | path[*from - 1]->seq);
        bytes += query_row(&q) ? query_col_i64(&q, 0) : 0;
        e = query_stop(&q);
        if (e)
            return e;
        if (bytes > max_bytes && *from < n)
            break;
    }
    return WEIR_OK;
}

enum weir_err convo_history(struct db *ro, const char *user_id, const char *session_id, const char *leaf,
                            int64_t max_bytes, struct convo_history *h)
{
    const struct convo_node **path = NULL, *end;
    struct convo_tree t = {0};
    size_t n, from = 0;
    int64_t session;
    bool root = leaf && strcmp(leaf, CONVO_ROOT) == 0;
    enum weir_err e = convo_session(ro, user_id, session_id, &session);

    memset(h, 0, sizeof *h);
    if (!e)
        e = convo_tree_load(ro, session, &t);
    end = !e && !root ? convo_tree_find(&t, leaf) : NULL;
    if (!e && !end && !root && leaf && *leaf)
        e = WEIR_E_NOT_FOUND;
    if (e)
        goto out;
    path = mem_zalloc(t.count, sizeof(*path));
    h->messages = n = root ? 0 : convo_tree_path(&t, end, path);
    h->turns = mem_zalloc(n + 1, sizeof *h->turns);
    e = read_system(ro, session, h);
    if (!e)
        e = fitting(ro, &t, path, n, max_bytes, &from);
    for (size_t i = from; !e && i < n; i++)
        e = read_turn(ro, session << SEQ_BITS | path[i]->seq, convo_role_name(path[i]->role), path[i]->message_id, h);
    if (end)
        memcpy(h->leaf_id, end->message_id, sizeof h->leaf_id);
out:
    if (e)
        convo_history_done(h);
    free(path);
    convo_tree_done(&t);
    return e;
}

void convo_history_done(struct convo_history *h)
{
    for (size_t i = 0; i < h->count; i++)
        free(h->turns[i].content);
    free(h->turns);
    memset(h, 0, sizeof *h);
}
