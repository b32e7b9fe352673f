/* report_history.c - events one by one, in pages: in the order of time, or of one of their figures. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/event_row.h"
#include "store/report_scan.h"

enum { SORTED_MAX = 200000 };

/* The index that fits: a session's events, failed events, or the order of time. */
#define OF_SESSION "e.session = ?10 AND e.session > 0"
#define OF_FAILED "e.status = ?8 AND e.status > 0 AND ?10 = 0"
#define OF_ALL "?10 = 0"
#define FITTING(s, sql) ((s)->keys.session ? sql(OF_SESSION) : (s)->f->status > 0 ? sql(OF_FAILED) : sql(OF_ALL))

/* ?1 from, ?2 before (keys of events), ?3 user, ?4 model, ?5 upstream, ?6 endpoint, ?7 priority, ?8 status, ?9 limit, ?10 session */
#define CHOSEN(which)                                                                                              \
    " WHERE " which " AND e.state = 2 AND e.id >= ?1 AND e.id < ?2"                                                \
    " AND (?3 = 0 OR e.user = ?3) AND (?4 = 0 OR e.model = ?4) AND (?5 = 0 OR e.upstream = ?5)"                    \
    " AND (?6 = 0 OR e.endpoint = ?6) AND (?7 < 0 OR e.priority = ?7) AND (?8 < 0 OR e.status = ?8)"
#define NEWEST(which) "SELECT" EVENT_COLUMNS EVENT_TABLES CHOSEN(which) " ORDER BY e.id DESC LIMIT ?9"
#define OLDEST(which) "SELECT" EVENT_COLUMNS EVENT_TABLES CHOSEN(which) " ORDER BY e.id LIMIT ?9"

/* `sort` is the parameter that says which: an enum report_sort; `imported` the upstream of usage made elsewhere, of which
 * nobody knows how long it took. NULL where the figure is not known: last, in both directions. */
#define FIGURE(sort, imported)                                                                                     \
    "CASE " sort " WHEN 1 THEN e.prompt + e.completion"                                                            \
    " WHEN 2 THEN CASE WHEN e.rate AND (e.prompt + e.completion > 0 OR e.units > 0) THEN e.cost_in + e.cost_out END" \
    " ELSE CASE WHEN e.upstream <> " imported " THEN CASE " sort                                                   \
    " WHEN 3 THEN CASE WHEN e.completion > 0 THEN e.ttft_us END"                                                   \
    " WHEN 4 THEN e.queue_us + e.retry_us + e.ttft_us + e.writing_us WHEN 5 THEN e.queue_us ELSE max(e.attempts, 1) END END END"
/* ?11 enum report_sort; ?12 1 or, ascending, -1; ?13 behind this event, whose figure is ?14; 0: from the first on; ?15 the
 * word for usage made elsewhere. What is on the page is found before anything is joined to it. */
#define SORTED(which)                                                                                              \
    "SELECT" EVENT_COLUMNS EVENT_TABLES " WHERE e.id IN (SELECT id FROM (SELECT e.id, ?12 * " FIGURE("?11", "?15") \
    " AS figure FROM events e" CHOSEN(which)                                                                       \
    " AND (?13 = 0 OR figure < ?12 * ?14 OR (figure IS ?12 * ?14 AND e.id < ?13) OR (figure IS NULL AND ?14 IS NOT NULL))" \
    " ORDER BY figure DESC, e.id DESC LIMIT ?9)) ORDER BY ?12 * " FIGURE("?11", "?15") " DESC, e.id DESC"
enum { UNKNOWN = -1 };           /* such a figure in a cursor */

static struct query select_page(struct db *ro, const struct report_scan *s)
{
    const struct report_filter *f = s->f;
    const struct report_keys *k = &s->keys;
    bool sorted = f->sort != SORT_AT;
    struct query q = query(ro, sorted ? FITTING(s, SORTED) : f->ascending ? FITTING(s, OLDEST) : FITTING(s, NEWEST));
    int64_t from = f->from_ms << EVENT_BITS, before = report_until(f) << EVENT_BITS;

    if (f->cursor && !sorted && f->ascending)
        from = f->cursor >= from ? f->cursor + 1 : from;
    else if (f->cursor && !sorted)
        before = f->cursor < before ? f->cursor : before;
    const int64_t args[] = {from, before, k->user, k->model, k->upstream, k->endpoint, f->priority, f->status, f->limit + 1, k->session,
                            f->sort, f->ascending ? -1 : 1, f->cursor};

    for (size_t i = 0; i < (sorted ? 13 : 10); i++)
        query_i64(&q, args[i]);
    if (sorted) {
        query_opt_i64(&q, f->cursor_key);
        query_i64(&q, s->imported);
    }
    return q;
}

#define SOME(which) "SELECT count(*) FROM (SELECT 1 FROM events e WHERE " which " AND e.id >= ?1 AND e.id < ?2 LIMIT ?9)"

enum weir_err report_sort_check(struct db *ro, const struct report_filter *f, char why[160])
{
    struct report_scan s;
    enum weir_err e = WEIR_OK;

    if (f->sort == SORT_AT)
        return WEIR_OK;
    e = report_scan_init(&s, ro, f);
    if (!e) {
        struct query q = query(ro, FITTING(&s, SOME));
        const int64_t args[] = {f->from_ms << EVENT_BITS, report_until(f) << EVENT_BITS, 0, 0, 0, 0, 0, f->status, SORTED_MAX + 1, s.keys.session};

        for (size_t i = 0; i < sizeof args / sizeof *args; i++)
            query_i64(&q, args[i]);
        if (query_row(&q) && query_col_i64(&q, 0) > SORTED_MAX) {
            (void)snprintf(why, 160, "sort: there are more than 200,000 requests in this time; choose a shorter one, or one session.");
            e = WEIR_E_OUT_OF_RANGE;
        }
        enum weir_err done = query_stop(&q);
        e = e ? e : done;
    }
    report_scan_done(&s, ro);
    return e;
}

/* What the next page is asked for with: the last event of this one, behind its figure where that orders. */
static enum weir_err cursor_json(struct db *ro, const struct report_scan *s, int64_t last, struct sb *out)
{
    const struct report_filter *f = s->f;
    struct query q;

    if (f->sort == SORT_AT) {
        sb_putf(out, "\"%" PRId64 "\"", last);
        return WEIR_OK;
    }
    q = query(ro, "SELECT " FIGURE("?1", "?3") " FROM events e WHERE e.id = ?2");
    query_i64(&q, f->sort);
    query_i64(&q, last);
    query_i64(&q, s->imported);
    if (query_row(&q))
        sb_putf(out, "\"%" PRId64 ".%" PRId64 "\"", query_col_null(&q, 0) ? UNKNOWN : query_col_i64(&q, 0), last);
    return query_stop(&q);
}

enum weir_err report_history(struct db *ro, const struct report_filter *f, struct sb *out)
{
    int64_t n = 0, last = 0;
    struct report_scan s;
    struct query q;
    bool more = false;
    enum weir_err e, done;

    e = report_scan_init(&s, ro, f);
    if (e) {
        report_scan_done(&s, ro);
        return e;
    }
    q = select_page(ro, &s);
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
    done = query_stop(&q);
    e = e ? e : done;
    sb_puts(out, "],\"next_cursor\":");
    if (!more)
        sb_puts(out, "null");
    else if (!e)
        e = cursor_json(ro, &s, last, out);
    sb_putc(out, '}');
    report_scan_done(&s, ro);
    return e;
}
