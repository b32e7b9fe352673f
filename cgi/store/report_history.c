/* report_history.c - events one by one, in pages. */
#include <inttypes.h>
#include <stdlib.h>

#include "store/event_row.h"
#include "store/report_scan.h"

/* ?1 from, ?2 before (keys of events), ?3 user, ?4 model, ?5 upstream, ?6 endpoint, ?7 priority, ?8 status, ?9 limit */
#define HISTORY(which)                                                                                             \
    "SELECT" EVENT_COLUMNS EVENT_TABLES " WHERE " which " AND e.state = 2 AND e.id >= ?1 AND e.id < ?2"            \
    " AND (?3 = 0 OR e.user = ?3) AND (?4 = 0 OR e.model = ?4) AND (?5 = 0 OR e.upstream = ?5)"                    \
    " AND (?6 = 0 OR e.endpoint = ?6) AND (?7 < 0 OR e.priority = ?7) AND (?8 < 0 OR e.status = ?8)"               \
    " ORDER BY e.id DESC LIMIT ?9"

/* The index that fits: a session's events, failed events, or the order of time. */
static struct query select_page(struct db *ro, const struct report_scan *s, int64_t before)
{
    const struct report_filter *f = s->f;
    const struct report_keys *k = &s->keys;
    struct query q = query(ro, k->session ? HISTORY("e.session = ?10 AND e.session > 0")
                                : f->status > 0 ? HISTORY("e.status = ?8 AND e.status > 0")
                                                : HISTORY("1"));
    const int64_t args[] = {f->from_ms << EVENT_BITS, before, k->user, k->model, k->upstream, k->endpoint, f->priority,
                            f->status, f->limit + 1, k->session};
    size_t n = k->session ? 10 : 9;

    for (size_t i = 0; i < n; i++)
        query_i64(&q, args[i]);
    return q;
}

enum weir_err report_history(struct db *ro, const struct report_filter *f, struct sb *out)
{
    int64_t before = report_until(f) << EVENT_BITS, n = 0, last = 0;
    struct report_scan s;
    struct query q;
    bool more = false;
    enum weir_err e, done;

    if (f->cursor)
        before = f->cursor < before ? f->cursor : before;
    e = report_scan_init(&s, ro, f);
    if (e) {
        report_scan_done(&s, ro);
        return e;
    }
    q = select_page(ro, &s, before);
    sb_puts(out, "{\"items\":[");
    while (!e && query_row(&q)) {
        struct event_row v;

        more = n == f->limit;
        if (more)
            break;
        event_row_read(&q, &v);
        last = v.id;
        sb_puts(out, n++ ? ",{" : "{");
        event_row_json(&v, out);
        sb_puts(out, ",\"attempts\":");
        e = event_row_attempts_json(ro, &v, out, NULL);
        sb_putc(out, '}');
    }
    if (more)
        sb_putf(out, "],\"next_cursor\":\"%" PRId64 "\"}", last);
    else
        sb_puts(out, "],\"next_cursor\":null}");
    done = query_stop(&q);
    report_scan_done(&s, ro);
    return e ? e : done;
}
