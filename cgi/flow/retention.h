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

/* What was deleted leaves the files as well: the write-ahead log is emptied, and with `rebuild` > 0 the database is written anew
 * before, unless it is larger than so many bytes. Others' writes wait meanwhile. Any thread but the engine and the writer. */
#define RETENTION_REBUILD_MAX (INT64_C(256) << 20)
enum cleaned {
    CLEANED,
    CLEANED_NOT_LOG,           /* somebody was reading: try again */
    CLEANED_NOT_WHOLE,         /* it is too large, or failed: unused parts of pages may have copies of what was deleted */
};
enum cleaned retention_clean(struct writer *w, int64_t rebuild);

#endif
