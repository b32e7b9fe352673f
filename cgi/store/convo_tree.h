/* convo_tree.h - one session's messages as a tree in memory, without their
 * text: what paths and siblings are found in. Internal to store/. */
#ifndef WEIR_CONVO_TREE_H
#define WEIR_CONVO_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "store/db.h"

enum { SEQ_BITS = 20 };
enum convo_role { CONVO_SYSTEM, CONVO_USER, CONVO_ASSISTANT };
const char *convo_role_name(enum convo_role r);

struct convo_node {
    int64_t seq, parent, at_ms;      /* parent 0: the root */
    enum convo_role role;
    char message_id[RAND_ID_SIZE];
};

struct convo_tree {
    int64_t session;
    struct convo_node *node;         /* by seq, ascending; without the system text */
    size_t count;
};

/* The number of a session of this user; E_NOT_FOUND if it is not there, deleted or somebody else's. */
enum weir_err convo_session(struct db *db, const char *user_id, const char *session_id, int64_t *session);
/* The text of a session of anybody's goes, its row stays. Writer only. */
enum weir_err convo_erase(struct db *db, int64_t session) __attribute__((warn_unused_result));
enum weir_err convo_tree_load(struct db *db, int64_t session, struct convo_tree *t);
void convo_tree_done(struct convo_tree *t);
/* NULL if there is none. */
const struct convo_node *convo_tree_at(const struct convo_tree *t, int64_t seq);
/* By id; NULL or "" gives the newest. NULL if there is none. */
const struct convo_node *convo_tree_find(const struct convo_tree *t, const char *message_id);
/* The path from the root to `leaf`; gives its length. `path` has room for t->count. */
size_t convo_tree_path(const struct convo_tree *t, const struct convo_node *leaf, const struct convo_node **path);

#endif
