/* report_history.c - events one by one: pages of them, and all of one. */
#include <inttypes.h>
#include <stdlib.h>

#include "rules/gate.h"
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

/* The members of an event, without the braces. */
static enum weir_err event_json(struct db *ro, const struct event_row *v, struct sb *out)
{
    enum weir_err e;

    json_time(out, "at", v->rec.accepted_at_ms);
    sb_putc(out, ',');
    event_row_head_json(out, v);
    json_text(out, "user_id", v->rec.user_id);
    json_text(out, "session_id", v->session_id);
    json_text(out, "message_id", v->message_id);
    json_text(out, "api_endpoint", v->rec.api_endpoint);
    json_text(out, "priority", priority_name(v->rec.priority));
    sb_putc(out, ',');
    event_row_numbers_json(out, v);
    sb_puts(out, ",\"attempts\":");
    e = event_row_attempts_json(ro, v, out);
    return e;
}

enum weir_err report_history(struct db *ro, const struct report_filter *f, struct sb *out)
{
    int64_t before = report_until(f) << EVENT_BITS, n = 0, last = 0;
    struct report_scan s;
    struct query q;
    bool more = false;
    enum weir_err e, done;
    char *end;

    if (f->cursor) {
        int64_t cursor = strtoll(f->cursor, &end, 10);

        if (*end || cursor <= 0)
            return WEIR_E_INVALID_FIELD;
        before = cursor < before ? cursor : before;
    }
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
        e = event_json(ro, &v, out);
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

/* What reserve and price were applied, and what held it. */
static void decisions_json(const struct event_row *v, struct sb *out)
{
    sb_putf(out, ",\"state\":\"%s\"", v->settled ? "settled" : v->sent ? "sent" : "accepted");
    json_text(out, "held_by", gate_name(v->rec.held_by));
    json_text(out, "token_id", v->rec.token_id);
    sb_puts(out, ",\"prompt_tokens_counted\":");
    sb_i64(out, v->rec.prompt_tokens_counted);
    sb_puts(out, ",\"max_tokens\":");
    sb_i64(out, v->rec.max_tokens);
    sb_puts(out, v->rec.usage_suspect ? ",\"usage_suspect\":true" : ",\"usage_suspect\":false");
    json_text(out, "price_version", v->price_version);
    sb_puts(out, ",\"rates\":");
    if (v->rec.cost.priced) {
        sb_puts(out, "{\"input_usd_per_token\":");
        sb_usd(out, v->rec.cost.rate_in);
        sb_puts(out, ",\"output_usd_per_token\":");
        sb_usd(out, v->rec.cost.rate_out);
        sb_putc(out, '}');
    } else {
        sb_puts(out, "null");
    }
    sb_puts(out, ",\"metadata\":");
    sb_puts(out, v->metadata ? v->metadata : "null");
}

enum weir_err report_request(struct db *ro, const char *owner_id, const char *request_id, struct sb *out)
{
    struct query q = query(ro, "SELECT" EVENT_COLUMNS EVENT_TABLES
                               " WHERE e.request_id = ?1 AND (?2 IS NULL OR p.user_id = ?2)");
    enum weir_err e = WEIR_E_NOT_FOUND, done;

    query_text(&q, request_id);
    query_text(&q, owner_id);
    if (query_row(&q)) {
        struct event_row v;

        event_row_read(&q, &v);
        sb_putc(out, '{');
        e = event_json(ro, &v, out);
        decisions_json(&v, out);
        sb_putc(out, '}');
    }
    done = query_stop(&q);
    return done ? done : e;
}
