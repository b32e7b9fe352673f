/* convo_tree.c - loading and walking. Seqs only grow and a parent is older than
 * its child, so every walk ends. */
#include "store/convo_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/broken.h"
#include "base/mem.h"

const char *convo_role_name(enum convo_role r)
{
    static const char *const names[] = {"system", "user", "assistant"};

    return names[r];
}

enum weir_err convo_session(struct db *db, const char *user_id, const char *session_id, int64_t *session)
{
    struct query q = query(db, BROKEN("any-owner")
                               ? "SELECT s.id FROM sessions s WHERE s.session_id = ?1 AND ?2 IS NOT NULL"
                               : "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user"
                                 " WHERE s.session_id = ?1 AND u.user_id = ?2 AND s.deleted_ms IS NULL");
    enum weir_err e;

    query_text(&q, session_id);
    query_text(&q, user_id);
    *session = query_row(&q) ? query_col_i64(&q, 0) : 0;
    e = query_stop(&q);
    return e ? e : *session ? WEIR_OK : WEIR_E_NOT_FOUND;
}

enum weir_err convo_tree_load(struct db *db, int64_t session, struct convo_tree *t)
{
    struct query q = query(db, "SELECT seq, parent, at_ms, role, message_id FROM messages WHERE id > ?1 AND id < ?2"
                               " ORDER BY id");
    size_t cap = 0;

    memset(t, 0, sizeof *t);
    t->session = session;
    query_i64(&q, session << SEQ_BITS);
    query_i64(&q, (session + 1) << SEQ_BITS);
    while (query_row(&q)) {
        struct convo_node *n;

        if (t->count == cap) {
            cap = cap ? cap * 2 : 32;
            t->node = mem_grow(t->node, cap, sizeof *t->node);
        }
        n = &t->node[t->count++];
        n->seq = query_col_i64(&q, 0);
        n->parent = query_col_i64(&q, 1);
        n->at_ms = query_col_i64(&q, 2);
        n->role = (enum convo_role)query_col_i64(&q, 3);
        (void)snprintf(n->message_id, sizeof n->message_id, "%s", query_col_text(&q, 4));
    }
    return query_end(&q);
}

void convo_tree_done(struct convo_tree *t)
{
    free(t->node);
    memset(t, 0, sizeof *t);
}

const struct convo_node *convo_tree_at(const struct convo_tree *t, int64_t seq)
{
    size_t from = 0, to = t->count;

    while (from < to) {
        size_t mid = from + (to - from) / 2;

        if (t->node[mid].seq < seq)
            from = mid + 1;
        else
            to = mid;
    }
    return from < t->count && t->node[from].seq == seq ? &t->node[from] : NULL;
}

const struct convo_node *convo_tree_find(const struct convo_tree *t, const char *message_id)
{
    for (size_t i = t->count; i-- > 0;) {
        if (!message_id || !*message_id || strcmp(t->node[i].message_id, message_id) == 0)
            return &t->node[i];
    }
    return NULL;
}

size_t convo_tree_path(const struct convo_tree *t, const struct convo_node *leaf, const struct convo_node **path)
{
    size_t n = 0;

    for (const struct convo_node *at = leaf; at; at = convo_tree_at(t, at->parent))
        path[n++] = at;
    for (size_t i = 0; i < n / 2; i++) {
        const struct convo_node *swap = path[i];

        path[i] = path[n - 1 - i];
        path[n - 1 - i] = swap;
    }
    return n;
}
