/* event_row.h - an event read back as the record it was written from, and the
 * JSON that history, request and session reports share. Internal to store/. */
#ifndef WEIR_EVENT_ROW_H
#define WEIR_EVENT_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sb.h"
#include "store/db.h"
#include "store/record.h"
#include "store/usage.h"

/* SELECT EVENT_COLUMNS EVENT_TABLES WHERE …; `e` is the event, `s` its session, `p` its user. */
#define EVENT_COLUMNS                                                                                             \
    " e.id, e.request_id, p.user_id, s.session_id, m.message_id, wm.text, wu.text, we.text, e.priority, e.state," \
    " e.status, wf.text, wx.text, e.counted, e.max_tokens, e.prompt, e.cached, e.cache_write,"         \
    " e.cache_write_1h, e.completion, e.reasoning, e.chars, e.estimated, e.suspect, e.rate, e.cost_in,"           \
    " e.cost_out, e.attempts, e.queue_us, e.retry_us, e.ttft_us, e.writing_us, r.rate_in, r.rate_out, wv.text,"   \
    " t.token_id, e.metadata, wa.text, e.held_by, e.waited, e.omitted, e.saved, e.units"
#define EVENT_TABLES                                                                              \
    " FROM events e JOIN users p ON p.id = e.user LEFT JOIN sessions s ON s.id = e.session"       \
    " LEFT JOIN messages m ON m.id = (e.session << 20 | e.answer) AND e.session > 0"              \
    " LEFT JOIN words wm ON wm.id = e.model LEFT JOIN words wu ON wu.id = e.upstream"             \
    " LEFT JOIN words we ON we.id = e.endpoint LEFT JOIN words wf ON wf.id = e.finish"            \
    " LEFT JOIN words wx ON wx.id = e.error LEFT JOIN rates r ON r.id = e.rate"                   \
    " LEFT JOIN words wv ON wv.id = r.version LEFT JOIN tokens t ON t.id = e.token"                \
    " LEFT JOIN words wa ON wa.id = e.asked"

struct event_row {
    int64_t id;
    bool settled, sent;
    const char *request_id, *session_id, *message_id;   /* the last two NULL where there is none */
    const char *price_version, *metadata;
    const char *waited;          /* waited_read() takes it */
    enum gate held_by;           /* the gate that held it longest */
    struct call_record rec;      /* numbers and borrowed strings; no ids in its arrays, no texts */
};

/* Columns as above; strings are borrowed until the query's next row. */
void event_row_read(const struct query *q, struct event_row *out);

/* "usage":{…},"cost":{…},"metrics":{…} */
void event_row_numbers_json(struct sb *out, const struct event_row *v);
/* "request_id":…,"model":…,"requested_model":… (where it is another),"upstream":…,"status":…,"finish_reason":…,"error_code":… */
void event_row_head_json(struct sb *out, const struct event_row *v);
/* "at":…, then both of the above and whose it was: what every event is shown with. */
void event_row_json(const struct event_row *v, struct sb *out);
/* [{n, upstream, at, …}] as record_attempt_json() has it. *lost_us, unless NULL: what attempts took that were tried again. */
enum weir_err event_row_attempts_json(struct db *ro, const struct event_row *v, struct sb *out, int64_t *lost_us);

#endif
