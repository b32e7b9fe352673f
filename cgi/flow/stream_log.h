/* stream_log.h - the events of one stream, kept so that it can be resumed.
 *
 * The text of the answer is kept anyway, so of a delta the log has its length
 * alone; other events are kept byte for byte. Events are numbered from 1 by
 * their order. Pure; one thread. */
#ifndef WEIR_STREAM_LOG_H
#define WEIR_STREAM_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"

/* GAUGE: it tells how something stands at the moment; the older ones may be left out of a replay. */
enum stream_event { STREAM_EVENT, STREAM_GAUGE, STREAM_TEXT, STREAM_REASONING };

struct stream_mark;
struct stream_log {
    struct stream_mark *marks;       /* of event i + 1 */
    size_t count, room;
    struct sb bytes;                 /* of those that are no deltas, back to back */
    size_t gauge_bytes;              /* of it */
};

struct stream_log stream_log_make(void);
void stream_log_done(struct stream_log *l);

/* One more event, as it is sent ("id: …\nevent: …\ndata: …\n\n"). */
void stream_log_event(struct stream_log *l, enum stream_event kind, const char *bytes, size_t n);
/* One more delta of n bytes of raw text or reasoning. */
void stream_log_delta(struct stream_log *l, enum stream_event kind, size_t n);
/* A delta event as it is sent; `raw` is the content of a JSON string. */
void stream_delta_put(struct sb *out, int64_t id, enum stream_event kind, const char *raw, size_t n);
/* Append every event after number `after`, as it was sent. `text` and `reasoning` are all that the deltas were of. */
void stream_log_replay(const struct stream_log *l, int64_t after, const struct sb *text, const struct sb *reasoning, struct sb *out);
/* Bytes of memory it holds. */
size_t stream_log_size(const struct stream_log *l);

#endif
