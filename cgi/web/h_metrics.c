/* h_metrics.c - /metrics for Prometheus: how it stands (the engine's snapshot)
 * and what has happened (its tally).
 *
 * Names and labels of gen_ai_* are those of OpenTelemetry's conventions; Weir is
 * the client there, so a call's time begins when it is sent, after the line. */
#include <string.h>

#include "base/clock.h"
#include "web/metrics.h"
#include "web/prom.h"
#include "web/route.h"
#include "web/snapshot_json.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum { MILLIONTHS = 1000000 };
#define PICO_PER_USD INT64_C(1000000000000)

/* --- gen_ai_* --- */

static const char *const strategies[] = {
    [DURABILITY_REALTIME] = "realtime", [DURABILITY_BATCH] = "batch", [DURABILITY_ASYNC] = "async",
};

/* The host of an upstream's address, in `host`; NULL if it has none any more. */
static const char *server_of(const struct settings *s, const char *provider, char host[128])
{
    const struct upstream_settings *u = settings_upstream(s, provider);
    const char *at = u && u->base_url ? strstr(u->base_url, "://") : NULL;
    size_t n;

    if (!at)
        return NULL;
    at += 3;
    n = *at == '[' ? strcspn(at, "]") + 1 : strcspn(at, ":/");
    if (n > 127)
        return NULL;
    memcpy(host, at, n);
    host[n] = '\0';
    return host;
}

#define CALL(l) {"gen_ai_operation_name", "chat"}, {"gen_ai_provider_name", (l)->provider}, {"gen_ai_request_model", (l)->model}
#define SERVER(l) {"server_address", server_of(m->settings, (l)->provider, host)}

static void put_times(struct prom *p, const struct metrics *m)
{
    char host[128];

    prom_family(p, "gen_ai_client_operation_duration_seconds", "histogram",
                "Time of a call from its first being sent to its end, further attempts included, the queue not.");
    for (size_t i = 0; i < m->since->time_count; i++) {
        const struct tally_time *t = &m->since->times[i];
        const struct tally_line *l = &m->since->lines[t->line];

        prom_put_hist(p, PROM(CALL(l), SERVER(l), {"error_type", *t->error ? t->error : NULL}), &tally_seconds, &t->took);
    }
    prom_family(p, "gen_ai_client_operation_time_to_first_chunk_seconds", "histogram",
                "Time from sending to the first piece of an answer that is streamed.");
    for (size_t i = 0; i < m->since->line_count; i++) {
        const struct tally_line *l = &m->since->lines[i];

        if (l->first_chunk.count)
            prom_put_hist(p, PROM(CALL(l), SERVER(l)), &tally_seconds, &l->first_chunk);
    }
}

static int64_t used_input(const struct usage_tokens *u) { return u->prompt; }
static int64_t used_output(const struct usage_tokens *u) { return u->completion; }
static int64_t used_cache_read(const struct usage_tokens *u) { return u->cached; }
static int64_t used_cache_write(const struct usage_tokens *u) { return u->cache_write + u->cache_write_1h; }
static int64_t used_reasoning(const struct usage_tokens *u) { return u->reasoning; }

static const struct {
    const char *name, *help;
    int64_t (*value)(const struct usage_tokens *u);
} usage_counters[] = {
    {"gen_ai_client_inference_usage_input_tokens_total", "Input tokens billed, those from a cache included.", used_input},
    {"gen_ai_client_inference_usage_output_tokens_total", "Output tokens billed, reasoning included.", used_output},
    {"gen_ai_client_inference_usage_cache_read_input_tokens_total", "Input tokens read from a provider's cache.", used_cache_read},
    {"gen_ai_client_inference_usage_cache_write_input_tokens_total", "Input tokens written to a provider's cache.", used_cache_write},
    {"gen_ai_client_inference_usage_reasoning_output_tokens_total", "Output tokens used for reasoning.", used_reasoning},
};

/* Was anything sent that counts here? */
static bool is_called(const struct tally_line *l)
{
    return strcmp(l->provider, TALLY_NONE) != 0;
}

static void put_usage(struct prom *p, const struct metrics *m)
{
    char host[128];

    for (size_t c = 0; c < COUNT(usage_counters); c++) {
        prom_family(p, usage_counters[c].name, "counter", usage_counters[c].help);
        for (size_t i = 0; i < m->since->line_count; i++) {
            const struct tally_line *l = &m->since->lines[i];

            if (is_called(l))
                prom_put(p, PROM(CALL(l), SERVER(l)), usage_counters[c].value(&l->used));
        }
    }
    if (!m->settings->metrics_token_usage)
        return;
    prom_family(p, "gen_ai_client_token_usage", "histogram", "Tokens of a call that succeeded.");
    for (size_t i = 0; i < m->since->line_count; i++) {
        const struct tally_line *l = &m->since->lines[i];

        if (!l->input.count)
            continue;
        prom_put_hist(p, PROM(CALL(l), SERVER(l), {"gen_ai_token_type", "input"}), &tally_tokens, &l->input);
        prom_put_hist(p, PROM(CALL(l), SERVER(l), {"gen_ai_token_type", "output"}), &tally_tokens, &l->output);
    }
}

/* --- requests and money --- */

static void put_line_requests(struct prom *p, const struct tally *t, const struct tally_line *l)
{
    for (int r = 0; r < t->route_count; r++)
        for (int o = 0; o < TALLY_OUTCOMES; o++)
            for (int k = 0; k < PRIORITY_COUNT; k++)
                if (l->requests[r][o][k])
                    prom_put(p, PROM({"route", t->routes[r]}, {"provider", l->provider}, {"model", l->model},
                                     {"outcome", tally_outcome_name((enum tally_outcome)o)},
                                     {"priority", priority_name((enum priority)k)}), l->requests[r][o][k]);
}

static void put_requests(struct prom *p, const struct tally *t)
{
    prom_family(p, "weir_requests_total", "counter", "Chat requests that ended; provider none: never sent.");
    for (size_t i = 0; i < t->line_count; i++)
        put_line_requests(p, t, &t->lines[i]);
    prom_family(p, "weir_cost_usd_total", "counter", "What calls cost, in US dollars.");
    for (size_t i = 0; i < t->line_count; i++)
        if (is_called(&t->lines[i]))
            prom_put_decimal(p, PROM({"provider", t->lines[i].provider}, {"model", t->lines[i].model}), t->lines[i].cost, PICO_PER_USD);
    prom_family(p, "weir_unpriced_requests_total", "counter", "Calls of a model without a price.");
    for (size_t i = 0; i < t->line_count; i++)
        if (is_called(&t->lines[i]))
            prom_put(p, PROM({"provider", t->lines[i].provider}, {"model", t->lines[i].model}), t->lines[i].unpriced);
    prom_family(p, "weir_token_estimate_error_ratio", "histogram", "Prompt tokens that a provider billed by those counted beforehand.");
    for (size_t i = 0; i < t->line_count; i++)
        if (t->lines[i].estimate.count)
            prom_put_hist(p, PROM({"provider", t->lines[i].provider}, {"model", t->lines[i].model}), &tally_ratios, &t->lines[i].estimate);
}

static void put_status(char text[16], int status)
{
    struct sb s = sb_make(15);

    sb_i64(&s, status);
    memccpy(text, status ? sb_str(&s) : TALLY_NONE, '\0', 16);
    sb_done(&s);
}

static void put_events(struct prom *p, const struct tally *t, enum tally_what what, const char *name, const char *help)
{
    prom_family(p, name, "counter", help);
    for (size_t i = 0; i < t->event_count; i++) {
        const struct tally_event *e = &t->events[i];
        char status[16];

        if (e->what != what)
            continue;
        put_status(status, e->status);
        if (what == TALLY_ANSWER)
            prom_put(p, PROM({"provider", e->provider}, {"code", status}, {"class", e->reason}), e->n);
        else
            prom_put(p, PROM({"provider", e->provider}, {"reason", e->reason}), e->n);
    }
}

static void put_attempts(struct prom *p, const struct tally *t)
{
    put_events(p, t, TALLY_ANSWER, "weir_upstream_responses_total",
               "Attempts that ended, by HTTP status (none: no answer) and what it came to.");
    put_events(p, t, TALLY_RETRY, "weir_retries_total", "Attempts that failed and are followed by another.");
    put_events(p, t, TALLY_FAILOVER, "weir_failovers_total", "Attempts at another provider or model than before or asked for, by where they went.");
}

static int64_t budget_used_ppm(const struct budget_view *v)
{
    double used = (double)(v->spent + v->held);

    if (v->rule->limit <= 0)
        return used > 0 ? MILLIONTHS : 0;
    return (int64_t)(used / (double)v->rule->limit * MILLIONTHS);
}

/* One sample for each budget; of one that everybody has, whoever has used most of it. */
static void put_budgets(struct prom *p, const struct snapshot *s)
{
    prom_family(p, "weir_budget_used_ratio", "gauge", "Spent and held by the limit; of a budget that each has, the fullest.");
    for (size_t i = 0; i < s->budget_count; i++) {
        const struct budget_rule *r = &s->budgets[i].rule;
        int64_t most = 0;
        bool told = false;

        for (size_t k = 0; k < s->budget_count; k++) {
            if (strcmp(s->budgets[k].rule.id, r->id) != 0)
                continue;
            told = told || k < i;
            if (budget_used_ppm(&s->budgets[k].view) > most)
                most = budget_used_ppm(&s->budgets[k].view);
        }
        if (!told)
            prom_put_decimal(p, PROM({"budget", r->id}, {"scope", budget_scope_name(r->scope)},
                                     {"window", budget_window_name(r->window)}), most, MILLIONTHS);
    }
}

/* --- the line --- */

static const struct {
    const char *name, *help;
    size_t at;
} queue_counters[] = {
    {"weir_queue_enqueued_total", "Requests put in line.", offsetof(struct admit_counters, enqueued)},
    {"weir_queue_admitted_total", "Requests let through.", offsetof(struct admit_counters, admitted)},
    {"weir_queue_cancelled_total", "Requests whose client left or cancelled while they waited.", offsetof(struct admit_counters, cancelled)},
    {"weir_queue_timed_out_total", "Requests that waited longer than their deadline.", offsetof(struct admit_counters, timed_out)},
    {"weir_queue_rejected_total", "Requests refused at once.", offsetof(struct admit_counters, rejected)},
};

static void put_queue(struct prom *p, const struct metrics *m)
{
    prom_family(p, "weir_queue_depth", "gauge", "Requests that wait.");
    for (int k = 0; k < PRIORITY_COUNT; k++)
        prom_put(p, PROM({"priority", priority_name((enum priority)k)}), m->now->waiting[k]);
    prom_family(p, "weir_queue_wait_seconds", "histogram", "Time in line until the first attempt was let through.");
    for (int k = 0; k < PRIORITY_COUNT; k++)
        prom_put_hist(p, PROM({"priority", priority_name((enum priority)k)}), &tally_waits, &m->since->wait[k]);
    for (size_t i = 0; i < COUNT(queue_counters); i++) {
        prom_family(p, queue_counters[i].name, "counter", queue_counters[i].help);
        prom_put(p, PROM_NONE, *(const int64_t *)(const void *)((const char *)&m->now->counters + queue_counters[i].at));
    }
}

/* --- providers --- */

static int64_t inflight(const struct admit_upstream_view *u) { return u->running; }
static int64_t stabilizing(const struct admit_upstream_view *u) { return u->stabilizing; }
static int64_t cooling(const struct admit_upstream_view *u) { return u->cooldown_until_us > 0; }
static int64_t down(const struct admit_upstream_view *u) { return u->down; }

static const struct {
    const char *name, *help;
    int64_t (*value)(const struct admit_upstream_view *u);
} upstream_gauges[] = {
    {"weir_inflight", "Calls running at a provider.", inflight},
    {"weir_stabilizing", "1 while the allowed rate climbs back after a 429.", stabilizing},
    {"weir_cooldown", "1 while a provider is paused.", cooling},
    {"weir_upstream_down", "1 if a provider was taken out: key refused or quota gone.", down},
};

static void put_upstreams(struct prom *p, const struct snapshot *s)
{
    for (size_t g = 0; g < COUNT(upstream_gauges); g++) {
        prom_family(p, upstream_gauges[g].name, "gauge", upstream_gauges[g].help);
        for (size_t i = 0; i < s->upstream_count; i++)
            if (snapshot_shows(&s->upstreams[i]))
                prom_put(p, PROM({"provider", s->upstreams[i].name}), upstream_gauges[g].value(&s->upstreams[i]));
    }
    prom_family(p, "weir_stabilizing_until_timestamp_seconds", "gauge", "When the rate will be whole again; absent while it is.");
    for (size_t i = 0; i < s->upstream_count; i++) {
        const struct admit_upstream_view *u = &s->upstreams[i];

        if (snapshot_shows(u) && u->stabilizing)
            prom_put(p, PROM({"provider", u->name}), (s->at_ms + u->stabilizing_until_us / USEC_PER_MS) / 1000);
    }
}

static const char *const dims[DIM_COUNT] = {
    [DIM_REQUESTS_PER_MINUTE] = "rpm", [DIM_REQUESTS_PER_HOUR] = "rph", [DIM_TOKENS_PER_MINUTE] = "tpm",
    [DIM_TOKENS_PER_HOUR] = "tph", [DIM_INPUT_TOKENS_PER_MINUTE] = "itpm", [DIM_OUTPUT_TOKENS_PER_MINUTE] = "otpm",
};

static int64_t dim_limit(const struct admit_dim_view *d) { return d->limit; }
static int64_t dim_used(const struct admit_dim_view *d) { return d->used; }
static int64_t dim_reserved(const struct admit_dim_view *d) { return d->reserved; }
static int64_t dim_remaining(const struct admit_dim_view *d) { return d->remaining; }
static int64_t told_limit(const struct admit_dim_view *d) { return d->provider_limit; }
static int64_t told_remaining(const struct admit_dim_view *d) { return d->provider_remaining; }

/* `told`: the same as the provider's headers last said it, or NULL; it is -1 where they did not. */
static const struct {
    const char *name, *help;
    int64_t (*value)(const struct admit_dim_view *d), (*told)(const struct admit_dim_view *d);
} dim_gauges[] = {
    {"weir_ratelimit_limit", "A limit.", dim_limit, told_limit},
    {"weir_ratelimit_remaining", "What is left of it.", dim_remaining, told_remaining},
    {"weir_ratelimit_used", "What its window holds.", dim_used, NULL},
    {"weir_ratelimit_reserved", "Set aside for running calls.", dim_reserved, NULL},
};

static void put_limits(struct prom *p, const struct metrics *m)
{
    const struct snapshot *s = m->now;

#define EACH_DIM(u, d)                                                                 \
    for (const struct admit_upstream_view *u = s->upstreams; u < s->upstreams + s->upstream_count; u++) \
        for (int d = 0; d < DIM_COUNT; d++)                                            \
            if (snapshot_shows(u))
    for (size_t g = 0; g < COUNT(dim_gauges); g++) {
        prom_family(p, dim_gauges[g].name, "gauge", dim_gauges[g].help);
        EACH_DIM(u, d) {
            if (u->dim[d].limit > 0)
                prom_put(p, PROM({"provider", u->name}, {"dim", dims[d]}, {"source", "config"}), dim_gauges[g].value(&u->dim[d]));
            if (dim_gauges[g].told && dim_gauges[g].told(&u->dim[d]) >= 0)
                prom_put(p, PROM({"provider", u->name}, {"dim", dims[d]}, {"source", "header"}), dim_gauges[g].told(&u->dim[d]));
        }
    }
    prom_family(p, "weir_ratelimit_utilization_ratio", "gauge", "Used and reserved by the limit.");
    EACH_DIM(u, d)
        if (u->dim[d].limit > 0)
            prom_put_decimal(p, PROM({"provider", u->name}, {"dim", dims[d]}, {"source", "config"}),
                             (int64_t)((double)(u->dim[d].used + u->dim[d].reserved) / (double)u->dim[d].limit * MILLIONTHS), MILLIONTHS);
#undef EACH_DIM
    prom_family(p, "weir_ratelimit_throttled_seconds_total", "counter",
                "Time that requests which ended had waited for a limit, of their last provider.");
    for (size_t i = 0; i < m->since->throttle_count; i++)
        for (int d = 0; d < DIM_COUNT; d++)
            if (m->since->throttles[i].us[d])
                prom_put_decimal(p, PROM({"provider", m->since->throttles[i].provider}, {"dim", dims[d]}, {"source", "config"}),
                                 m->since->throttles[i].us[d], USEC_PER_SEC);
}

/* --- Weir itself --- */

static void put_weir(struct prom *p, const struct metrics *m)
{
    const struct reload_state *c = m->config;
    struct sb v = sb_make(24);

    prom_family(p, "weir_build_info", "gauge", "What runs here.");
    prom_put(p, PROM({"version", m->version}, {"prices_as_of", m->prices_as_of}), 1);
    prom_family(p, "weir_uptime_seconds", "gauge", "Since the start.");
    prom_put(p, PROM_NONE, m->uptime_s);
    sb_i64(&v, c->version);
    prom_family(p, "weir_config_info", "gauge", "The configuration in force: the same hash, the same settings.");
    prom_put(p, PROM({"hash", c->hash}, {"version", sb_str(&v)}), 1);
    sb_done(&v);
    prom_family(p, "weir_config_reloads_total", "counter", "Times the configuration was read again and found right.");
    prom_put(p, PROM_NONE, c->succeeded);
    prom_family(p, "weir_config_reload_failed_total", "counter", "Times it was wrong, or could not be put in force.");
    prom_put(p, PROM_NONE, c->failed);
    prom_family(p, "weir_config_last_reload_success_timestamp_seconds", "gauge", "When it was last read and found right.");
    prom_put(p, PROM_NONE, c->success_ms / 1000);
    prom_family(p, "weir_usage_log_pending", "gauge", "Calls that ended and whose record is on its way to the database.");
    prom_put(p, PROM({"strategy", strategies[m->settings->durability.strategy]}), m->since->records_pending);
    prom_family(p, "weir_usage_log_dropped_total", "counter", "Calls that ended and whose record could not be stored.");
    prom_put(p, PROM({"strategy", strategies[m->settings->durability.strategy]}), m->since->records_lost);
    prom_family(p, "weir_traces_pending", "gauge", "Traces that wait to be exported (otlp.endpoint).");
    prom_put(p, PROM_NONE, m->traces.pending);
    prom_family(p, "weir_traces_exported_total", "counter", "Traces that a receiver took.");
    prom_put(p, PROM_NONE, m->traces.sent);
    prom_family(p, "weir_traces_dropped_total", "counter", "Traces that were not exported: too many waited, or the receiver did not take them.");
    prom_put(p, PROM({"reason", "queue_full"}), m->traces.dropped_full);
    prom_put(p, PROM({"reason", "failed"}), m->traces.dropped_failed);
}

void metrics_put(struct sb *out, const struct metrics *m)
{
    struct prom p = {.out = out};

    put_weir(&p, m);
    put_requests(&p, m->since);
    put_times(&p, m);
    put_usage(&p, m);
    put_attempts(&p, m->since);
    put_queue(&p, m);
    put_upstreams(&p, m->now);
    put_limits(&p, m);
    put_budgets(&p, m->now);
}

enum weir_err h_metrics(struct exchange *x)
{
    struct tally *since = engine_tally(x->web->engine);
    const struct snapshot *now = engine_snapshot(x->web->engine);
    struct reload_state config;
    struct metrics m = {.now = now, .since = since, .settings = x->web->settings, .config = &config, .version = PACKAGE_VERSION,
                        .prices_as_of = price_table_version(x->web->prices),
                        .uptime_s = (x->arrived_ms - x->web->started_ms) / 1000};

    reload_look(x->web->reload, &config);
    tracer_look(x->web->tracer, &m.traces);
    x->out.type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_put(&x->out.body, &m);
    snapshot_put(now);
    tally_free(since);
    return WEIR_OK;
}
