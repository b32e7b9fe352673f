/* convo.h - conversations: sessions and the tree of their messages.
 *
 * A session is a tree: each message names its parent, an edit or another answer
 * is a sibling, nothing is overwritten. Shown is one path: from a leaf up to the
 * root. Every function takes the owner and puts it into the WHERE; somebody
 * else's session is E_NOT_FOUND, like one that never was.
 * Functions that read take a read-only connection, those that write run on the
 * writer inside its transaction. JSON goes to `out` only on OK. */
#ifndef WEIR_CONVO_H
#define WEIR_CONVO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/sb.h"
#include "store/db.h"

/* --- reading --- */

struct convo_list {
    const char *query;       /* part of the title, any case, or beginnings of words of one message; NULL: all */
    const char *before;      /* next_cursor of the page before; NULL: the first */
    int archived;            /* 0: not archived, 1: archived, -1: both */
    int64_t limit;           /* 1 … 1000 */
};
/* {"items":[session…],"next_cursor":…}, pinned ones first, then by last use, newest first. A session is what
 * convo_get() writes, without leaf_id, messages and running_request_id; with a query also `found`: the words around what matches best in its
 * messages, or null.
 * E_INVALID_FIELD: `before` is no cursor of ours. */
enum weir_err convo_list(struct db *ro, const char *user_id, const struct convo_list *l, struct sb *out)
    __attribute__((warn_unused_result));
/* One session: {session_id, title, pinned, archived, created_at, updated_at, leaf_id, messages, totals:{requests,
 * prompt_tokens, completion_tokens, total_tokens, cost_usd}, running_request_id: of the newest request that has not ended, or null}. */
enum weir_err convo_get(struct db *ro, const char *user_id, const char *session_id, struct sb *out)
    __attribute__((warn_unused_result));
/* {"items":[message…],"next_cursor":…}: the path that ends in message `leaf` (NULL: the newest message), oldest
 * first, at most its last `limit`; next_cursor, given as `leaf`, continues towards the root. A message: {message_id,
 * parent_id, role, content, reasoning, at, state, siblings:[ids in order of creation, itself included]}; an
 * assistant's also {request_id, model, upstream, status, finish_reason, error_code, usage, cost, metrics}.
 * state: "complete", or for a question without an answer "pending" (it is waited for) or "failed" (the members from
 * request_id to error_code say why). */
enum weir_err convo_messages(struct db *ro, const char *user_id, const char *session_id, const char *leaf, int64_t limit,
                             struct sb *out) __attribute__((warn_unused_result));

/* The newest message that hangs on `message_id` or on what hangs on it, itself if nothing does: where a path through it ends. */
enum weir_err convo_newest_below(struct db *ro, const char *user_id, const char *session_id, const char *message_id,
                                 char leaf[RAND_ID_SIZE]) __attribute__((warn_unused_result));

/* What the next prompt is built from. */
struct convo_turn {
    const char *role;        /* "system" "user" "assistant" */
    char *content;
    int64_t content_bytes;
    char message_id[RAND_ID_SIZE];
};
struct convo_history {
    struct convo_turn *turns;    /* oldest first; system first if the session has one */
    size_t count;
    size_t messages;             /* on the path, whether among the turns or not; the system text is none */
    char leaf_id[RAND_ID_SIZE];  /* the last turn's message, "" if there is none: the parent of what comes next */
};
/* No message: what a session's first message hangs on. */
#define CONVO_ROOT "root"
/* The path that ends in `leaf` (NULL: the newest message; CONVO_ROOT: none). At most max_bytes of text: older turns are left out whole,
 * the system text never; so is a message whose text is not kept. Gives `h`, freed with convo_history_done(). */
enum weir_err convo_history(struct db *ro, const char *user_id, const char *session_id, const char *leaf,
                            int64_t max_bytes, struct convo_history *h) __attribute__((warn_unused_result));
void convo_history_done(struct convo_history *h);
/* True if the session is there and the user's. */
bool convo_owned(struct db *ro, const char *user_id, const char *session_id);
/* True if there is a session of that id, whoever's. */
bool convo_exists(struct db *ro, const char *session_id);

/* --- writing (in a write_op's run) --- */

/* A session without messages yet. `system_text` may be NULL. */
enum weir_err convo_create(struct db *db, const char *user_id, const char *session_id, const char *title,
                           const char *system_text, int64_t now_ms) __attribute__((warn_unused_result));
struct convo_patch {
    const char *title;       /* NULL: as it is */
    int pinned, archived;    /* -1: as it is */
};
enum weir_err convo_patch(struct db *db, const char *user_id, const char *session_id, const struct convo_patch *p)
    __attribute__((warn_unused_result));
/* The session and all text in it; the numbers of its requests stay. */
enum weir_err convo_delete(struct db *db, const char *user_id, const char *session_id)
    __attribute__((warn_unused_result));
/* A session of `owner` (NULL: of anybody's) is `to_user_id`'s from now on, with all in it; it is neither pinned nor archived. Its
 * requests stay those of who made them. Gives who had it. E_NOT_FOUND: `owner` has no such session; E_INVALID_FIELD: there is no such
 * receiver who may chat; E_CONFLICT: something in it waits or is being answered. */
enum weir_err convo_handoff(struct db *db, const char *owner, const char *session_id, const char *to_user_id, int64_t now_ms,
                            char from_user_id[RAND_ID_SIZE]) __attribute__((warn_unused_result));
/* One message and all that hangs on it; gives how many went. */
enum weir_err convo_delete_message(struct db *db, const char *user_id, const char *session_id, const char *message_id,
                                   int64_t *deleted) __attribute__((warn_unused_result));

#endif
