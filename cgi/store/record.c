/* record.c - usage, cost and metrics of a call as JSON. */
#include "store/record.h"

static void amount(struct sb *out, const char *name, bool priced, int64_t pico)
{
    sb_putf(out, "\"%s\":", name);
    if (priced)
        sb_usd(out, pico);
    else
        sb_puts(out, "null");
}

void record_usage_json(struct sb *out, const struct call_record *r)
{
    const struct usage_tokens *u = &r->usage;

    sb_puts(out, "{\"prompt_tokens\":");
    sb_i64(out, u->prompt);
    sb_puts(out, ",\"cached_tokens\":");
    sb_i64(out, u->cached);
    sb_puts(out, ",\"completion_tokens\":");
    sb_i64(out, u->completion);
    sb_puts(out, ",\"reasoning_tokens\":");
    sb_i64(out, u->reasoning);
    sb_puts(out, ",\"total_tokens\":");
    sb_i64(out, u->prompt + u->completion);
    if (r->operation)
        json_i64(out, "units", u->units);
    sb_puts(out, r->estimated ? ",\"estimated\":true}" : ",\"estimated\":false}");
}

void record_cost_json(struct sb *out, const struct call_record *r)
{
    const struct call_cost *c = &r->cost;

    sb_putc(out, '{');
    amount(out, "input_usd", c->priced, c->input);
    sb_putc(out, ',');
    amount(out, "output_usd", c->priced, c->output);
    sb_putc(out, ',');
    amount(out, "total_usd", c->priced, c->total);
    sb_puts(out, c->priced ? ",\"priced\":true" : ",\"priced\":false");
    if (r->from_cache) {
        sb_putc(out, ',');
        amount(out, "saved_usd", r->saved_priced, r->saved);
    }
    sb_putc(out, '}');
}

/* Their members, without the braces. */
static void timings(struct sb *out, const struct call_record *r)
{
    const struct { const char *name; int64_t us; } part[] = {
        {"queue_ms", r->queue_us}, {"retry_wait_ms", r->retry_wait_us},
        {"ttft_ms", r->ttft_us}, {"writing_ms", r->writing_us},
    };
    int64_t sum_us = 0, shown_ms = 0;

    for (int i = 0; i < 4; i++) {          /* each part ends where the rounded running sum says */
        sum_us += part[i].us;
        sb_putf(out, "\"%s\":", part[i].name);
        sb_i64(out, sum_us / 1000 - shown_ms);
        sb_putc(out, ',');
        shown_ms = sum_us / 1000;
    }
    sb_puts(out, "\"duration_ms\":");
    sb_i64(out, shown_ms);
}

void record_timings_json(struct sb *out, const struct call_record *r)
{
    sb_putc(out, '{');
    timings(out, r);
    sb_putc(out, '}');
}

void record_metrics_json(struct sb *out, const struct call_record *r)
{
    sb_putc(out, '{');
    timings(out, r);
    sb_puts(out, ",\"retries\":");
    sb_i64(out, r->attempt_count > 1 ? r->attempt_count - 1 : 0);
    sb_puts(out, ",\"attempts\":");
    sb_i64(out, r->attempt_count);
    sb_puts(out, ",\"tokens_per_second\":");
    record_ratio_json(out, r->usage.completion * INT64_C(1000000), r->writing_us, 1);
    sb_puts(out, ",\"chars_per_token\":");
    record_ratio_json(out, r->answer_chars, r->usage.completion - r->usage.reasoning, 2);
    if (r->from_cache)
        sb_puts(out, ",\"from_cache\":true");
    if (r->omitted_messages > 0) {
        sb_puts(out, ",\"omitted_messages\":");
        sb_i64(out, r->omitted_messages);
    }
    sb_puts(out, ",\"priority\":");
    sb_json(out, priority_name(r->priority));
    sb_putc(out, '}');
}

void json_text(struct sb *out, const char *name, const char *value)
{
    sb_putf(out, ",\"%s\":", name);
    sb_json(out, value);
}

void json_i64(struct sb *out, const char *name, int64_t n)
{
    sb_putf(out, ",\"%s\":", name);
    sb_i64(out, n);
}

void json_time(struct sb *out, const char *name, int64_t utc_ms)
{
    sb_putf(out, "\"%s\":\"", name);
    sb_time(out, utc_ms);
    sb_putc(out, '"');
}

/* What an attempt used and cost; null before that was kept. */
static void attempt_numbers(struct sb *out, const struct call_attempt *a)
{
    const struct call_record r = {.cost = {.priced = a->priced, .input = a->cost_in, .output = a->cost_out,
                                           .total = a->cost_in + a->cost_out}};

    if (!a->model) {
        sb_puts(out, ",\"usage\":null,\"cost\":null");
        return;
    }
    sb_puts(out, ",\"usage\":{\"prompt_tokens\":");
    sb_i64(out, a->usage.prompt);
    json_i64(out, "completion_tokens", a->usage.completion);
    sb_puts(out, a->estimated ? ",\"estimated\":true}" : ",\"estimated\":false}");
    sb_puts(out, ",\"cost\":");
    record_cost_json(out, &r);
}

void record_attempt_json(struct sb *out, const struct call_record *r, int64_t n, const struct call_attempt *a)
{
    sb_puts(out, "{\"n\":");
    sb_i64(out, n);
    json_text(out, "model", a->model ? a->model : r->model);
    json_text(out, "upstream", a->upstream);
    json_text(out, "reason", a->model ? choice_name(a->reason) : NULL);
    sb_putc(out, ',');
    json_time(out, "at", a->started_at_ms);
    json_i64(out, "wait_ms", a->wait_us / 1000);
    json_i64(out, "duration_ms", a->duration_us / 1000);
    if (a->http_status)
        json_i64(out, "http_status", a->http_status);
    else
        json_text(out, "http_status", NULL);
    json_text(out, "error_code", a->error_code);
    json_i64(out, "reserved_input_tokens", a->reserved_input);
    json_i64(out, "reserved_output_tokens", a->reserved_output);
    json_text(out, "provider_request_id", *a->provider_request_id ? a->provider_request_id : NULL);
    attempt_numbers(out, a);
    sb_putc(out, '}');
}

void record_ratio_json(struct sb *out, int64_t num, int64_t den, int places)
{
    static const int64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    __int128 scaled;
    int64_t whole, part;

    if (den <= 0) {
        sb_puts(out, "null");
        return;
    }
    scaled = ((__int128)num * tens[places] * 2 + den) / ((__int128)den * 2);     /* rounded half up */
    whole = (int64_t)(scaled / tens[places]);
    part = (int64_t)(scaled % tens[places]);
    while (places && part % 10 == 0)
        part /= 10, places--;
    sb_i64(out, whole);
    if (places)
        sb_putf(out, ".%0*d", places, (int)part);
}
