/* sse.h - text/event-stream taken apart as it arrives, however it is cut.
 *
 * WHATWG HTML 9.2.6: lines end in LF, CR or CRLF; `data` lines of one event are
 * joined by LF; lines that begin with a colon are comments; a blank line ends
 * the event. Ids are of no use to Weir and are skipped. An event that
 * lies whole in one piece is handed on without being copied. */
#ifndef WEIR_SSE_H
#define WEIR_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
    SSE_EVENT_MAX = 1024 * 1024,     /* bytes of one line, and of one event's data */
    SSE_NAME_MAX = 63,               /* of an event's name; a longer one is cut */
};

struct sse {
    char *line;              /* the beginning of a line whose end has not come */
    size_t line_len, line_cap;
    char *data;              /* data lines of the event so far, joined */
    size_t data_len, data_cap;
    char name[SSE_NAME_MAX + 1];   /* of the event that is read, or handed on; "" if it has none */
    bool has_data;           /* an event without any data line is none */
    bool after_cr;           /* a LF that comes next belongs to the line before */
};

/* One event's data, borrowed for the call. Anything but WEIR_OK stops the feeding and is returned by it. */
typedef enum weir_err sse_event_fn(void *ctx, const char *data, size_t n);

/* Take n more bytes. E_UPSTREAM_TOO_LARGE beyond SSE_EVENT_MAX; else what the callback said. A zeroed struct begins. */
enum weir_err sse_feed(struct sse *s, const char *p, size_t n, sse_event_fn *fn, void *ctx)
    __attribute__((warn_unused_result));
/* The stream ended: an event whose blank line is missing but whose data lines are whole is handed on. */
enum weir_err sse_end(struct sse *s, sse_event_fn *fn, void *ctx) __attribute__((warn_unused_result));
/* Free the buffers; the splitter is as new. */
void sse_done(struct sse *s);

#endif
