/* convo_name.h - sessions that programs name themselves.
 *
 * A name is its owner's alone: the id of a session follows from both, so that two users with one name have two sessions, and neither
 * learns of the other's. Ids alone are stored, and what comes in with a request is made an id before anything else looks at it. */
#ifndef WEIR_CONVO_NAME_H
#define WEIR_CONVO_NAME_H

#include "base/err.h"
#include "store/db.h"
#include "store/usage.h"

/* The id of the session that user_id calls `name`: `name` itself if it has the form of an id, or if a session of theirs has it for one,
 * as those made by older Weirs have; else the last one made under the name, or if that was deleted or given away, or there was none, the
 * one to be made next, which is no session yet. Acceptor threads. */
enum weir_err convo_named(struct db *ro, const char *user_id, const char *name, char id[CALL_ID_SIZE])
    __attribute__((warn_unused_result));

#endif
