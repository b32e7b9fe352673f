/* retention.h - what has outlived its time is taken out once an hour, in small
 * steps through the writer so that nobody waits for it.
 *
 * The keeper's thread but for retention_json(). */
#ifndef WEIR_RETENTION_H
#define WEIR_RETENTION_H

#include <stdbool.h>

#include "base/sb.h"
#include "base/settings.h"
#include "flow/writer.h"
#include "store/db.h"

struct retention;

/* Both are borrowed until retention_free(). */
struct retention *retention_new(struct writer *w, struct db *ro);
void retention_free(struct retention *r);             /* NULL is fine */
/* A little of what is due; says the store whether text is kept at all. */
void retention_beat(struct retention *r, const struct settings *s);
/* {"content_days":90,…,"next_run_at":…,"last_run":{…}}: what is kept for how long, and what the runs did. Any thread. */
void retention_json(struct retention *r, const struct settings *s, struct sb *out);

/* What was deleted leaves the write-ahead log as well; false: somebody was reading, try again. Any thread but the engine and the writer. */
bool retention_truncate_log(struct writer *w);

#endif
