/* report_request.c - one request explained: what held it, where it was sent, what
 * was set aside, used and paid for it, and where its time went. Whatever has a
 * sum adds up to it. */
#include <string.h>

#include "rules/gate.h"
#include "store/event_key.h"
#include "store/event_row.h"
#include "store/report.h"
#include "store/waited.h"

bool report_request_is_open(struct db *ro, const char *request_id)
{
    struct query q = query(ro, "SELECT 1 FROM events WHERE id = ?1 AND state < 2");
    int64_t event;
    bool found;

    if (event_key_find(ro, request_id, &event) != WEIR_OK)
        return false;
    query_i64(&q, event);
    found = query_row(&q);
    return query_stop(&q) == WEIR_OK && found;
}

/* Of a limit, the pace at which it is spread held it for `spread_us` of that; < 0: no limit. */
static void gate_json(struct sb *out, const char **comma, const char *key, int64_t held_us, int64_t spread_us, const char *text)
{
    if (held_us < 1000)
        return;
    sb_putf(out, "%s{\"gate\":\"%s\"", *comma, key);
    json_i64(out, "held_ms", held_us / 1000);
    if (spread_us >= 0)
        json_i64(out, "spread_ms", spread_us / 1000);
    json_text(out, "text", text);
    sb_putc(out, '}');
    *comma = ",";
}

/* What it waited for before it was sent the last time. Of what no gate did, failed attempts took `lost_us`. */
static void gates_json(struct sb *out, const struct call_record *r, int64_t lost_us)
{
    int64_t rest_us = r->queue_us + r->retry_wait_us;
    const char *comma = "";

    sb_puts(out, ",\"gates\":[");
    for (int g = 0; g < GATE_NONE; g++) {
        int64_t spread_us = g < DIM_COUNT ? r->held_us[GATE_SPREAD + g] : -1, held_us = r->held_us[g] + (spread_us > 0 ? spread_us : 0);

        gate_json(out, &comma, gate_key((enum gate)g), held_us, spread_us,
                  gate_text(2 * spread_us > held_us ? (enum gate)(GATE_SPREAD + g) : (enum gate)g));
        rest_us -= held_us;
    }
    lost_us = (lost_us < rest_us ? lost_us : rest_us) / 1000 * 1000;
    gate_json(out, &comma, "attempt", lost_us, -1, "Attempts that failed took this long.");
    gate_json(out, &comma, gate_key(GATE_NONE), rest_us - lost_us, -1, gate_text(GATE_NONE));
    sb_putc(out, ']');
}

static void tokens_json(struct sb *out, const char *name, int64_t input, int64_t output)
{
    sb_putf(out, ",\"%s\":{\"input_tokens\":", name);
    sb_i64(out, input);
    json_i64(out, "output_tokens", output);
    json_i64(out, "total_tokens", input + output);
    sb_putc(out, '}');
}

/* Why its last attempt went where it went, and what it had set aside; null for one that was never sent. */
static enum weir_err last_json(struct db *ro, const struct event_row *v, const struct call_record *open, struct sb *out)
{
    const struct call_attempt *last = open && open->attempt_count ? &open->attempts[open->attempt_count - 1] : NULL;
    struct query q;

    if (last) {
        json_text(out, "why_upstream", choice_text(last->reason));
        tokens_json(out, "reserved", last->reserved_input, last->reserved_output);
        return WEIR_OK;
    }
    q = query(ro, "SELECT reserved_in, reserved_out, reason FROM attempts WHERE event = ?1 ORDER BY n DESC LIMIT 1");
    query_i64(&q, v->id);
    if (query_row(&q)) {
        json_text(out, "why_upstream", query_col_null(&q, 2) ? NULL : choice_text((enum choice)query_col_i64(&q, 2)));
        tokens_json(out, "reserved", query_col_i64(&q, 0), query_col_i64(&q, 1));
    } else {
        sb_puts(out, ",\"why_upstream\":null,\"reserved\":null");
    }
    return query_stop(&q);
}

static void per_million(struct sb *out, const char *name, int64_t pico_per_token)
{
    sb_putf(out, ",\"%s\":", name);
    sb_usd(out, pico_per_token * 1000000);
}

/* The rates it was charged, as they were; that of cached input follows from what was charged. */
static void price_json(struct sb *out, const struct event_row *v)
{
    const struct call_cost *c = &v->rec.cost;
    const struct usage_tokens *u = &v->rec.usage;
    int64_t cached_pico = c->input - (u->prompt - u->cached) * c->rate_in;

    if (!c->priced) {
        json_text(out, "price", NULL);
        return;
    }
    sb_puts(out, ",\"price\":{\"version\":");
    sb_json(out, v->price_version);
    per_million(out, "input_usd_per_million", c->rate_in);
    per_million(out, "output_usd_per_million", c->rate_out);
    if (u->cached > 0 && u->cache_write + u->cache_write_1h == 0 && cached_pico >= 0 && cached_pico % u->cached == 0)
        per_million(out, "cached_usd_per_million", cached_pico / u->cached);
    else
        json_text(out, "cached_usd_per_million", NULL);
    sb_putc(out, '}');
}

/* The start it was told first, against when it came. */
static void promise_json(struct sb *out, const struct call_record *r, bool started)
{
    int64_t came_ms = r->queue_us / 1000;

    if (r->promised_position == 0) {
        json_text(out, "promise", NULL);
        return;
    }
    sb_puts(out, ",\"promise\":{\"position\":");
    sb_i64(out, r->promised_position);
    json_i64(out, "starts_in_ms", r->promised_ms);
    if (started) {
        json_i64(out, "came_in_ms", came_ms);
        json_i64(out, "error_ms", came_ms - r->promised_ms);
    } else {
        sb_puts(out, ",\"came_in_ms\":null,\"error_ms\":null");
    }
    sb_putc(out, '}');
}

static enum weir_err attempts_json(struct db *ro, const struct event_row *v, const struct report_open *open, struct sb *out,
                                   int64_t *lost_us)
{
    sb_puts(out, ",\"attempts\":");
    if (!open)
        return event_row_attempts_json(ro, v, out, lost_us);
    for (int32_t i = 0; i < open->rec.attempt_count; i++)      /* of the one that runs it is 0 */
        *lost_us += open->rec.attempts[i].duration_us;
    sb_puts(out, sb_str(&open->attempts));
    return WEIR_OK;
}

static enum weir_err explain(struct db *ro, struct event_row *v, const struct report_open *open, struct sb *out)
{
    struct call_record *r = &v->rec;
    const struct call_record *now = open && !v->settled ? &open->rec : NULL;
    int64_t lost_us = 0;
    enum weir_err e;

    waited_read(v->waited, r);
    if (now) {
        memcpy(r->held_us, now->held_us, sizeof r->held_us);
        r->promised_ms = now->promised_ms;
        r->promised_position = now->promised_position;
        r->queue_us = now->queue_us;
        r->retry_wait_us = now->retry_wait_us;
        r->ttft_us = now->ttft_us;
        r->writing_us = now->writing_us;
        r->attempt_count = now->attempt_count;
    }
    event_row_json(v, out);
    sb_putf(out, ",\"state\":\"%s\"", v->settled ? "settled" : v->sent ? "sent" : "accepted");
    sb_puts(out, ",\"now\":");
    sb_puts(out, now ? sb_str(&open->now) : "null");
    json_text(out, "held_by", gate_name(v->held_by));
    e = attempts_json(ro, v, now ? open : NULL, out, &lost_us);
    gates_json(out, r, lost_us);
    if (!e)
        e = last_json(ro, v, now, out);
    tokens_json(out, "used", r->usage.prompt, r->usage.completion);
    price_json(out, v);
    sb_puts(out, ",\"timings\":");
    record_timings_json(out, r);
    promise_json(out, r, r->attempt_count > 0);
    json_text(out, "token_id", r->token_id);
    json_i64(out, "prompt_tokens_counted", r->prompt_tokens_counted);
    json_i64(out, "max_tokens", r->max_tokens);
    sb_puts(out, r->usage_suspect ? ",\"usage_suspect\":true" : ",\"usage_suspect\":false");
    sb_puts(out, ",\"metadata\":");
    sb_puts(out, v->metadata ? v->metadata : "null");
    return e;
}

enum weir_err report_request(struct db *ro, const char *viewer_id, bool own, const char *request_id,
                             const struct report_open *open, struct sb *out)
{
    struct query q = query(ro, "SELECT" EVENT_COLUMNS EVENT_TABLES
                               " WHERE e.id = ?1 AND (?2 IS NULL OR p.user_id = ?2)");
    int64_t event;
    enum weir_err e = event_key_find(ro, request_id, &event), done;

    if (e)
        return e;
    e = WEIR_E_NOT_FOUND;
    query_i64(&q, event);
    query_text(&q, own ? viewer_id : NULL);
    if (query_row(&q)) {
        struct event_row v;

        event_row_read(&q, &v);
        if (strcmp(v.rec.user_id, viewer_id) != 0)
            v.metadata = NULL;
        sb_putc(out, '{');
        e = explain(ro, &v, open, out);
        sb_putc(out, '}');
    }
    done = query_stop(&q);
    return done ? done : e;
}
