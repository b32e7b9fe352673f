/* event_key.h - the ids of requests and messages as the tables keep them.
 *
 * An event's key begins with the time of its acceptance, and so does the id of a
 * request that Weir made. So only the random characters of such an id are kept,
 * and no index is needed to find it: it is one of the few events of its
 * millisecond. Ids that others made (imports), and those from before, are kept as
 * text with an index of their own. A message's id is a number, looked for among
 * the messages of one session; those from before are text. The columns request_id
 * and message_id show both as everybody else knows them. Internal to store/. */
#ifndef WEIR_EVENT_KEY_H
#define WEIR_EVENT_KEY_H

#include <stdint.h>

#include "base/rand.h"
#include "store/db.h"

/* Bind what is kept of an id; both are borrowed until query_end(). */
void event_key_request(struct query *q, const char *request_id, int64_t at_ms);
void event_key_message(struct query *q, const char *message_id);

/* The event of a request; 0: there is none. */
enum weir_err event_key_find(struct db *db, const char *request_id, int64_t *event) __attribute__((warn_unused_result));

/* The request's id from the column `request` of an event, where a row's worth of SQL would be too slow. NULL for NULL; is in
 * `room` or lives until the next row. */
const char *event_key_text(const struct query *q, int col, int64_t event, char room[RAND_ID_SIZE]);

#endif
