/* report_upstreams.c - what each provider carried, and what it refused. */
#include "store/event_row.h"
#include "store/ledger.h"
#include "store/report_list.h"
#include "store/report_scan.h"

/* Attempts that were answered 429: those of requests that had several have rows of their own, and a request whose only one
 * was refused is among those that failed. */
#define REFUSED                                                                                                          \
    "SELECT a.event, a.after_ms, wu.text, wm.text, e.request_id, e.status FROM ("                                         \
    "SELECT event, n, after_ms, upstream, model FROM attempt_rows WHERE event >= ?1 AND event < ?2 AND http_status = 429" \
    " UNION ALL SELECT id, 1, after_ms, upstream, model FROM events WHERE status IN (1, 2, 3, 4) AND status > 0"          \
    " AND id >= ?1 AND id < ?2 AND http_status = 429) a JOIN events e ON e.id = a.event"                                  \
    " LEFT JOIN words wu ON wu.id = a.upstream LEFT JOIN words wm ON wm.id = a.model"                                     \
    " WHERE e.state = 2 AND (?3 = 0 OR e.user = ?3) ORDER BY a.event DESC, a.n DESC LIMIT ?4"

static enum weir_err refused_json(struct db *ro, const struct report_scan *s, struct sb *out)
{
    struct query q = query(ro, REFUSED);
    const char *comma = "";

    query_i64(&q, s->f->from_ms << EVENT_BITS);
    query_i64(&q, report_until(s->f) << EVENT_BITS);
    query_i64(&q, s->keys.user);
    query_i64(&q, s->f->limit);
    sb_puts(out, ",\"refused\":[");
    while (query_row(&q)) {
        sb_puts(out, comma);
        sb_putc(out, '{');
        json_time(out, "at", (query_col_i64(&q, 0) >> EVENT_BITS) + query_col_i64(&q, 1));
        json_text(out, "upstream", query_col_text(&q, 2));
        json_text(out, "model", query_col_text(&q, 3));
        json_text(out, "request_id", query_col_text(&q, 4));
        json_text(out, "status", call_status_name((enum call_status)query_col_i64(&q, 5)));
        sb_putc(out, '}');
        comma = ",";
    }
    sb_putc(out, ']');
    return query_end(&q);
}

enum weir_err report_upstreams(struct db *ro, const struct report_filter *f, struct sb *out)
{
    struct report_list l = {0};
    struct report_scan s;
    enum weir_err e = report_scan_init(&s, ro, f);

    if (!e)
        e = report_scan_run(&s, ro);
    if (!e) {
        report_list_fold(&l, &s, BY_UPSTREAM);
        sb_puts(out, "{\"requests\":");
        sb_i64(out, s.total.requests);
        sb_puts(out, ",\"by_upstream\":");
        e = report_list_json(&l, ro, BY_UPSTREAM, (int64_t)l.count, out);
    }
    if (!e)
        e = refused_json(ro, &s, out);
    if (!e)
        sb_putc(out, '}');
    report_list_done(&l);
    report_scan_done(&s, ro);
    return e;
}
