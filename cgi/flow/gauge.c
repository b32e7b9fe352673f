/* gauge.c - limits and budgets as JSON. Shares of a limit are exact to six places, without floats. */
#include "flow/gauge.h"

#include <inttypes.h>

#include "base/clock.h"
#include "store/record.h"

void gauge_rebase(struct admit_upstream_view *v, int64_t now_us)
{
    if (v->stabilizing_until_us)
        v->stabilizing_until_us = v->stabilizing_until_us > now_us ? v->stabilizing_until_us - now_us : 0;
    if (v->cooldown_until_us)
        v->cooldown_until_us = v->cooldown_until_us > now_us ? v->cooldown_until_us - now_us : 0;
}

static void dimension(struct sb *out, const struct admit_dim_view *d)
{
    if (d->limit == 0) {
        sb_puts(out, "null");
        return;
    }
    sb_putf(out, "{\"limit\":%" PRId64 ",\"used\":%" PRId64 ",\"reserved\":%" PRId64 ",\"remaining\":%" PRId64 ",\"utilization\":",
            d->limit, d->used, d->reserved, d->remaining);
    record_ratio_json(out, d->used + d->reserved, d->limit, 6);
    sb_putf(out, ",\"resets_in_ms\":%" PRId64 ",\"bucket\":{\"left\":%" PRId64 ",\"capacity\":%" PRId64 "}}", (d->resets_in_us + 999) / USEC_PER_MS,
            d->left, d->capacity);
}

static void moment(struct sb *out, int64_t at_ms, int64_t in_us)
{
    if (!in_us) {
        sb_puts(out, "null");
        return;
    }
    sb_putc(out, '"');
    sb_time(out, at_ms + in_us / USEC_PER_MS);
    sb_putc(out, '"');
}

/* What its own headers last said, where they said anything. */
static void reported(struct sb *out, const struct admit_upstream_view *v, int64_t at_ms)
{
    bool any = false;

    for (int d = 0; d < DIM_COUNT; d++) {
        if (v->dim[d].provider_limit < 0 && v->dim[d].provider_remaining < 0)
            continue;
        sb_putf(out, "%s\"%s\":{\"limit\":", any ? "," : "{", dim_name((enum dim)d));
        any = true;
        if (v->dim[d].provider_limit < 0)
            sb_puts(out, "null");
        else
            sb_i64(out, v->dim[d].provider_limit);
        sb_puts(out, ",\"remaining\":");
        if (v->dim[d].provider_remaining < 0)
            sb_puts(out, "null");
        else
            sb_i64(out, v->dim[d].provider_remaining);
        sb_puts(out, ",\"at\":\"");
        sb_time(out, at_ms - v->dim[d].provider_ago_us / USEC_PER_MS);
        sb_puts(out, "\",\"drift\":");
        if (v->dim[d].limit)
            sb_i64(out, v->dim[d].drift);
        else
            sb_puts(out, "null");
        sb_putc(out, '}');
    }
    sb_puts(out, any ? "}" : "null");
}

/* What went there since the start, and how long it waited. */
static void calls(struct sb *out, const struct admit_upstream_view *v)
{
    sb_putf(out, ",\"running\":%" PRId64 ",\"max_concurrent\":%" PRId64 ",\"waiting\":%" PRId64 ",\"calls\":%" PRId64 ",\"waited_ms\":%" PRId64
            ",\"mean_wait_ms\":", v->running, v->max_concurrent, v->waiting, v->calls, v->wait_us / USEC_PER_MS);
    record_ratio_json(out, v->wait_us, v->calls * USEC_PER_MS, 3);
}

static void expected(struct sb *out, const char *what, int64_t n, int64_t error_ppm)
{
    sb_putf(out, ",\"%s\":{\"expected\":%" PRId64 ",\"error\":", what, n);
    if (error_ppm < 0)
        sb_puts(out, "null");
    else
        record_ratio_json(out, error_ppm, 1000000, 4);
    sb_putc(out, '}');
}

static void outlook(struct sb *out, const struct admit_outlook *o)
{
    if (!o->known) {
        sb_puts(out, "null");
        return;
    }
    sb_putf(out, "{\"horizon_ms\":%d", OUTLOOK_QUARTER * 60 * 1000);
    expected(out, "requests", o->requests, o->requests_error_ppm);
    expected(out, "tokens", o->tokens, o->tokens_error_ppm);
    sb_putf(out, ",\"low\":{\"requests\":%" PRId64 ",\"tokens\":%" PRId64 "},\"spread_low\":%s,\"low_held\":%s}", o->low_requests,
            o->low_tokens, o->spread_low ? "true" : "false", o->low_held ? "true" : "false");
}

void gauge_json(struct sb *out, const struct admit_upstream_view *v, int64_t at_ms)
{
    static const char *const statuses[] = {[ADMIT_HEALTHY] = "healthy", [ADMIT_WARNING] = "warning", [ADMIT_ERROR] = "error"};

    sb_puts(out, "{\"name\":");
    sb_json(out, v->name);
    sb_putf(out, ",\"status\":\"%s\",\"dimensions\":{", statuses[v->status]);
    for (int d = 0; d < DIM_COUNT; d++) {
        sb_putf(out, "%s\"%s\":", d ? "," : "", dim_name((enum dim)d));
        dimension(out, &v->dim[d]);
    }
    sb_putc(out, '}');
    calls(out, v);
    sb_putf(out, ",\"stabilization\":{\"active\":%s,\"until\":", v->stabilizing ? "true" : "false");
    moment(out, at_ms, v->stabilizing_until_us);
    sb_puts(out, ",\"rate_factor\":");
    record_ratio_json(out, v->rate_ppm, 1000000, 4);
    sb_puts(out, "},\"cooldown\":");
    if (v->cooldown_until_us) {
        sb_puts(out, "{\"until\":");
        moment(out, at_ms, v->cooldown_until_us);
        sb_putf(out, ",\"in_ms\":%" PRId64 "}", v->cooldown_until_us / USEC_PER_MS);
    } else {
        sb_puts(out, "null");
    }
    sb_puts(out, ",\"provider_reported\":");
    reported(out, v, at_ms);
    sb_putf(out, ",\"provider_429s_24h\":%" PRId64 ",\"outlook\":", v->provider_429s_24h);
    outlook(out, &v->outlook);
    sb_putc(out, '}');
}

void gauge_spread_json(struct sb *out, const struct admit_spread *s)
{
    if (s->limit == 0)
        sb_puts(out, ",\"spread\":null");
    else
        sb_putf(out, ",\"spread\":{\"limit\":%" PRId64 ",\"capacity\":%" PRId64 "}", s->limit, s->capacity);
}

void gauge_budget_json(struct sb *out, const struct budget_view *v, bool sums)
{
    sb_puts(out, "\"id\":");
    sb_json(out, v->rule->id);
    sb_putf(out, ",\"scope\":\"%s\",\"window\":\"%s\"", budget_scope_name(v->rule->scope), budget_window_name(v->rule->window));
    if (sums) {
        sb_puts(out, ",\"limit_usd\":");
        sb_usd(out, v->rule->limit);
        sb_puts(out, ",\"spent_usd\":");
        sb_usd(out, v->spent);
        sb_puts(out, ",\"reserved_usd\":");
        sb_usd(out, v->held);
    }
    sb_puts(out, ",\"resets_at\":");
    if (v->rule->window == BUDGET_TOTAL) {
        sb_puts(out, "null");
        return;
    }
    sb_putc(out, '"');
    sb_time(out, v->span.to_ms);
    sb_putc(out, '"');
}
