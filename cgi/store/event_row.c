/* event_row.c - columns to record, record to JSON. */
#include "store/event_row.h"

#include <stdio.h>
#include <string.h>

#include "store/ledger.h"
#include "store/record.h"

/* Takes the columns one after another, in the order of EVENT_COLUMNS. */
struct reader {
    const struct query *q;
    int col;
};

static int64_t next_i64(struct reader *r) { return query_col_i64(r->q, r->col++); }
static const char *next_text(struct reader *r) { return query_col_text(r->q, r->col++); }

void event_row_read(const struct query *q, struct event_row *out)
{
    struct reader r = {q, 0};
    struct call_record *c = &out->rec;
    int64_t state;

    memset(out, 0, sizeof *out);
    out->id = next_i64(&r);
    out->request_id = next_text(&r);
    c->user_id = next_text(&r);
    out->session_id = next_text(&r);
    out->message_id = next_text(&r);
    c->model = next_text(&r);
    c->upstream = next_text(&r);
    c->api_endpoint = next_text(&r);
    c->priority = (enum priority)next_i64(&r);
    state = next_i64(&r);
    out->settled = state == 2;
    out->sent = state >= 1;
    c->status = (enum call_status)next_i64(&r);
    c->finish_reason = next_text(&r);
    c->error_code = next_text(&r);
    c->prompt_tokens_counted = next_i64(&r);
    c->max_tokens = next_i64(&r);
    c->usage.prompt = next_i64(&r);
    c->usage.cached = next_i64(&r);
    c->usage.cache_write = next_i64(&r);
    c->usage.cache_write_1h = next_i64(&r);
    c->usage.completion = next_i64(&r);
    c->usage.reasoning = next_i64(&r);
    c->answer_chars = next_i64(&r);
    c->estimated = next_i64(&r) != 0;
    c->usage_suspect = next_i64(&r) != 0;
    c->cost.priced = next_i64(&r) != 0;
    c->cost.input = next_i64(&r);
    c->cost.output = next_i64(&r);
    c->cost.total = c->cost.input + c->cost.output;
    c->attempt_count = (int32_t)next_i64(&r);
    c->queue_us = next_i64(&r);
    c->retry_wait_us = next_i64(&r);
    c->ttft_us = next_i64(&r);
    c->writing_us = next_i64(&r);
    c->duration_us = c->queue_us + c->retry_wait_us + c->ttft_us + c->writing_us;
    c->cost.rate_in = next_i64(&r);
    c->cost.rate_out = next_i64(&r);
    out->price_version = next_text(&r);
    c->token_id = next_text(&r);
    out->metadata = next_text(&r);
    c->requested_model = next_text(&r);
    out->held_by = (enum gate)next_i64(&r);
    out->waited = next_text(&r);
    c->omitted_messages = next_i64(&r);
    c->from_cache = !query_col_null(q, r.col);
    c->saved = next_i64(&r);
    c->saved_priced = c->saved >= 0;
    c->operation = !query_col_null(q, r.col);
    c->usage.units = next_i64(&r);
    c->accepted_at_ms = out->id >> EVENT_BITS;
}

void event_row_numbers_json(struct sb *out, const struct event_row *v)
{
    sb_puts(out, "\"usage\":");
    record_usage_json(out, &v->rec);
    sb_puts(out, ",\"cost\":");
    record_cost_json(out, &v->rec);
    sb_puts(out, ",\"metrics\":");
    record_metrics_json(out, &v->rec);
}

void event_row_head_json(struct sb *out, const struct event_row *v)
{
    sb_puts(out, "\"request_id\":");
    sb_json(out, v->request_id);
    json_text(out, "model", v->rec.model);
    if (v->rec.requested_model && strcmp(v->rec.requested_model, v->rec.model ? v->rec.model : "") != 0)
        json_text(out, "requested_model", v->rec.requested_model);
    json_text(out, "upstream", v->rec.upstream);
    json_text(out, "status", v->settled ? call_status_name(v->rec.status) : NULL);
    json_text(out, "finish_reason", v->rec.finish_reason);
    json_text(out, "error_code", v->rec.error_code);
}

void event_row_json(const struct event_row *v, struct sb *out)
{
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
}

enum weir_err event_row_attempts_json(struct db *ro, const struct event_row *v, struct sb *out, int64_t *lost_us)
{
    struct query q = query(ro, "SELECT a.n, u.text, a.after_ms, a.wait_us, a.duration_us, a.http_status, x.text,"
                               " a.reserved_in, a.reserved_out, a.provider_request_id, m.text, a.reason, a.prompt,"
                               " a.completion, a.estimated, a.cost_in, a.cost_out FROM attempts a"
                               " LEFT JOIN words u ON u.id = a.upstream LEFT JOIN words x ON x.id = a.error"
                               " LEFT JOIN words m ON m.id = a.model"
                               " WHERE a.event = ?1 ORDER BY a.n");
    int64_t took_us = 0, n = 0;

    query_i64(&q, v->id);
    sb_putc(out, '[');
    while (query_row(&q)) {
        const char *id = query_col_text(&q, 9);
        struct call_attempt a = {
            .upstream = query_col_text(&q, 1), .started_at_ms = v->rec.accepted_at_ms + query_col_i64(&q, 2),
            .wait_us = query_col_i64(&q, 3), .duration_us = query_col_i64(&q, 4),
            .http_status = (int32_t)query_col_i64(&q, 5), .error_code = query_col_text(&q, 6),
            .reserved_input = query_col_i64(&q, 7), .reserved_output = query_col_i64(&q, 8),
            .model = query_col_text(&q, 10), .reason = (enum choice)query_col_i64(&q, 11),
            .usage = {.prompt = query_col_i64(&q, 12), .completion = query_col_i64(&q, 13)},
            .estimated = query_col_i64(&q, 14) != 0,
            .priced = !query_col_null(&q, 15), .cost_in = query_col_i64(&q, 15), .cost_out = query_col_i64(&q, 16),
        };

        if (n)
            sb_putc(out, ',');
        n = query_col_i64(&q, 0);
        if (n < v->rec.attempt_count || v->rec.ttft_us + v->rec.writing_us == 0)
            took_us += a.duration_us;
        if (id)
            (void)snprintf(a.provider_request_id, sizeof a.provider_request_id, "%s", id);
        record_attempt_json(out, &v->rec, n, &a);
    }
    sb_putc(out, ']');
    if (lost_us)
        *lost_us = took_us;
    return query_end(&q);
}
