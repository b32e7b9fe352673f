/* report_usage.c - tokens over time, of one session, of today. */
#include "store/convo_tree.h"
#include "store/event_row.h"
#include "store/record.h"
#include "store/report_list.h"
#include "store/report_scan.h"

static void series_json(const struct report_series *r, struct sb *out)
{
    sb_putc(out, '[');
    for (size_t i = 0; i < r->count; i++) {
        sb_puts(out, i ? ",{" : "{");
        json_time(out, "at", r->start_ms[i]);
        sb_putc(out, ',');
        report_sums_json(out, &r->sums[i]);
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
}

enum weir_err report_token_usage(struct db *ro, const struct report_filter *f, struct sb *out)
{
    struct report_list models = {0};
    struct report_scan s;
    enum weir_err e = report_scan_init(&s, ro, f);

    if (!e) {
        report_scan_buckets(&s, 0, report_granularity(f), false);
        e = report_scan_run(&s, ro);
    }
    if (!e) {
        sb_puts(out, "{\"totals\":{");
        report_sums_json(out, &s.total);
        sb_puts(out, "},\"series\":");
        series_json(&s.series[0], out);
        sb_puts(out, ",\"by_model\":");
        report_list_fold(&models, &s, BY_MODEL);
        e = report_list_json(&models, ro, BY_MODEL, f->limit, out);
        report_efficiency_json(&s, out);
        sb_putc(out, '}');
    }
    report_list_done(&models);
    report_scan_done(&s, ro);
    return e;
}

enum weir_err report_series(struct db *ro, const struct report_filter *f, struct sb *out)
{
    struct report_scan s;
    enum weir_err e = report_scan_init(&s, ro, f);

    if (!e) {
        s.series_only = true;
        report_scan_buckets(&s, 0, report_granularity(f), false);
        e = report_scan_run(&s, ro);
    }
    if (!e) {
        sb_puts(out, "{\"series\":");
        series_json(&s.series[0], out);
        sb_putc(out, '}');
    }
    report_scan_done(&s, ro);
    return e;
}

/* --- one session --- */

static enum weir_err session_of(struct db *ro, const char *owner_id, const char *session_id, int64_t *session)
{
    struct query q = query(ro, "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user"
                               " WHERE s.session_id = ?1 AND (?2 IS NULL OR u.user_id = ?2)");
    enum weir_err e;

    query_text(&q, session_id);
    query_text(&q, owner_id);
    *session = query_row(&q) ? query_col_i64(&q, 0) : 0;
    e = query_stop(&q);
    return e ? e : *session ? WEIR_OK : WEIR_E_NOT_FOUND;
}

static void add_event(struct report_sums *total, const struct call_record *r)
{
    const struct report_sums one = {.requests = 1, .prompt = r->usage.prompt, .completion = r->usage.completion,
                                    .cost = r->cost.total, .unpriced = !r->cost.priced};

    report_sums_add(total, &one);
}

enum weir_err report_session_usage(struct db *ro, const struct report_filter *f, const char *session_id, struct sb *out)
{
    struct report_sums total = {0};
    const char *comma = "";
    int64_t session;
    struct query q;
    enum weir_err e = session_of(ro, f->owner_id, session_id, &session);

    if (e)
        return e;
    sb_puts(out, "{\"session_id\":");
    sb_json(out, session_id);
    sb_puts(out, ",\"messages\":[");
    q = query(ro, "SELECT" EVENT_COLUMNS EVENT_TABLES " WHERE e.session = ?1 AND e.session > 0 AND e.state = 2"
                  " ORDER BY e.id");
    query_i64(&q, session);
    while (query_row(&q)) {
        struct event_row v;

        event_row_read(&q, &v);
        add_event(&total, &v.rec);
        sb_putf(out, "%s{\"message_id\":", comma);
        sb_json(out, v.message_id);
        sb_puts(out, ",\"role\":\"assistant\",");
        json_time(out, "at", v.rec.accepted_at_ms);
        sb_putc(out, ',');
        event_row_head_json(out, &v);
        sb_putc(out, ',');
        event_row_numbers_json(out, &v);
        sb_putc(out, '}');
        comma = ",";
    }
    sb_puts(out, "],\"totals\":{");
    report_sums_json(out, &total);
    sb_puts(out, "}}");
    return query_end(&q);
}

/* --- today --- */

enum weir_err report_today(struct db *ro, const char *owner_id, const struct zone *zone, int64_t now_ms, struct sb *out)
{
    struct report_filter f = report_filter_make(now_ms);
    int64_t of_status[CALL_REJECTED + 1] = {0};
    struct report_scan s;
    enum weir_err e;

    f.owner_id = owner_id;
    f.from_ms = zone_day_start(zone, now_ms);
    f.to_ms = now_ms + 1;                                    /* what was accepted this very millisecond, too */
    e = report_scan_init(&s, ro, &f);
    if (!e)
        e = report_scan_run(&s, ro);
    for (size_t i = 0; i < s.combo_count; i++)
        of_status[s.combo[i].dims.status] += s.combo[i].sums.requests;
    if (!e) {
        sb_putc(out, '{');
        report_sums_json(out, &s.total);
        sb_puts(out, ",\"errors\":");
        sb_i64(out, of_status[CALL_ERROR] + of_status[CALL_TIMEOUT]);
        sb_puts(out, ",\"unpriced_requests\":");
        sb_i64(out, s.total.unpriced);
        sb_puts(out, ",\"success_rate\":");
        record_ratio_json(out, of_status[CALL_SUCCESS], s.total.requests - of_status[CALL_CANCELLED], 4);
        sb_putc(out, '}');
    }
    report_scan_done(&s, ro);
    return e;
}

int64_t report_version(struct db *ro)
{
    struct query q = query(ro, "SELECT settled FROM ledger");
    int64_t n = query_row(&q) ? query_col_i64(&q, 0) : 0;

    return query_stop(&q) == WEIR_OK ? n : 0;
}
