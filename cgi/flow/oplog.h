/* oplog.h - the operations log: a line of JSON for each call that ended, for
 * whoever reads logs rather than a database. Numbers and ids, no text.
 *
 *     {"request_id":…,"user_id":…,"session_id":…,"model":…,"upstream":…,"api_endpoint":…,"priority":…,"start":…,"end":…,
 *      "delay_ms":…,"status":…,"finish_reason":…,"error":…,"attempts":…,"usage":{…},"cost":{…},"metrics":{…}}
 *
 * A file of `max_bytes` becomes .1, .1 becomes .2, and the last of `older` is
 * dropped. The ledger is the truth: what cannot be written here is said once in
 * Weir's log and holds nothing up. One thread: the writer. */
#ifndef WEIR_OPLOG_H
#define WEIR_OPLOG_H

#include <stdint.h>

#include "store/usage.h"

struct oplog;

/* Go on with `path`, made with mode 0600 if it is not there. Never NULL: what cannot be opened is tried again. */
struct oplog *oplog_open(const char *path, int64_t max_bytes, int older);
/* Write the line of a call that ended. */
void oplog_note(struct oplog *o, const struct call_record *r);
/* NULL is fine. */
void oplog_close(struct oplog *o);

#endif
