/* h_health.c - is Weir up, can it work, and its gauges for Prometheus. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "web/reload.h"
#include "web/route.h"
#include "web/snapshot_json.h"

enum weir_err h_healthz(struct exchange *x)
{
    sb_puts(&x->out.body, "{\"status\":\"ok\"}\n");
    return WEIR_OK;
}

enum weir_err h_readyz(struct exchange *x)
{
    const struct snapshot *s;
    size_t up = 0;

    if (atomic_load(&x->web->draining))
        return web_refuse(x, WEIR_E_DRAINING, NULL, NULL);
    if (!writer_healthy(x->web->writer))
        return web_refuse(x, WEIR_E_STORAGE, NULL, NULL);
    if (!engine_models_known(x->web->engine))
        return web_refuse(x, WEIR_E_UNAVAILABLE, NULL, "The providers are being asked for their models.");
    s = engine_snapshot(x->web->engine);
    for (size_t i = 0; i < s->upstream_count; i++)
        up += !s->upstreams[i].down;
    snapshot_put(s);
    if (!up)
        return web_refuse(x, WEIR_E_NO_UPSTREAM, NULL, "Every provider is out of service.");
    sb_puts(&x->out.body, "{\"status\":\"ready\"}\n");
    return WEIR_OK;
}

/* --- /metrics: Prometheus text format 0.0.4 --- */

static void family(struct sb *out, const char *name, const char *type, const char *help)
{
    sb_putf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label value: names of upstreams come from the configuration. */
static void label(struct sb *out, const char *name, const char *value)
{
    sb_putf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            sb_putc(out, '\\');
        sb_putc(out, *value);
    }
    sb_putc(out, '"');
}

struct gauge {
    const char *name, *help;
    int64_t (*value)(const struct admit_upstream_view *u);
};

static int64_t inflight(const struct admit_upstream_view *u) { return u->running; }
static int64_t stabilizing(const struct admit_upstream_view *u) { return u->stabilizing; }
static int64_t cooling(const struct admit_upstream_view *u) { return u->cooldown_until_us > 0; }
static int64_t down(const struct admit_upstream_view *u) { return u->down; }

static const struct gauge gauges[] = {
    {"weir_inflight", "Calls running at a provider.", inflight},
    {"weir_stabilizing", "1 while the allowed rate climbs back after a 429.", stabilizing},
    {"weir_cooldown", "1 while a provider is paused.", cooling},
    {"weir_upstream_down", "1 if a provider was taken out: key refused or quota gone.", down},
};

struct dim_gauge {
    const char *name, *help;
    int64_t (*value)(const struct admit_dim_view *d);
};

static int64_t dim_limit(const struct admit_dim_view *d) { return d->limit; }
static int64_t dim_used(const struct admit_dim_view *d) { return d->used; }
static int64_t dim_reserved(const struct admit_dim_view *d) { return d->reserved; }
static int64_t dim_remaining(const struct admit_dim_view *d) { return d->remaining; }

static const struct dim_gauge dim_gauges[] = {
    {"weir_ratelimit_limit", "A limit.", dim_limit},
    {"weir_ratelimit_used", "What its window holds.", dim_used},
    {"weir_ratelimit_reserved", "Set aside for running calls.", dim_reserved},
    {"weir_ratelimit_remaining", "What is left of it.", dim_remaining},
};

static const struct {
    const char *name, *help;
    size_t at;
} counters[] = {
    {"weir_queue_enqueued_total", "Requests put in line.", offsetof(struct admit_counters, enqueued)},
    {"weir_queue_admitted_total", "Requests let through.", offsetof(struct admit_counters, admitted)},
    {"weir_queue_cancelled_total", "Requests whose client left or cancelled while they waited.", offsetof(struct admit_counters, cancelled)},
    {"weir_queue_timed_out_total", "Requests that waited longer than their deadline.", offsetof(struct admit_counters, timed_out)},
    {"weir_queue_rejected_total", "Requests refused at once.", offsetof(struct admit_counters, rejected)},
    {"weir_retries_total", "Further attempts after a failed one.", offsetof(struct admit_counters, retries)},
};

/* Which configuration is in force, and how reading it again went. */
static void config_metrics(struct reload *r, struct sb *out)
{
    struct reload_state s;

    reload_look(r, &s);
    family(out, "weir_config_info", "gauge", "The configuration in force: the same hash, the same settings.");
    sb_putf(out, "weir_config_info{hash=\"%s\",version=\"%" PRId64 "\"} 1\n", s.hash, s.version);
    family(out, "weir_config_reloads_total", "counter", "Times the configuration was read again and found right.");
    sb_putf(out, "weir_config_reloads_total %" PRId64 "\n", s.succeeded);
    family(out, "weir_config_reload_failed_total", "counter", "Times it was wrong, or could not be put in force.");
    sb_putf(out, "weir_config_reload_failed_total %" PRId64 "\n", s.failed);
    family(out, "weir_config_last_reload_success_timestamp_seconds", "gauge", "When it was last read and found right.");
    sb_putf(out, "weir_config_last_reload_success_timestamp_seconds %" PRId64 "\n", s.success_ms / 1000);
}

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum weir_err h_metrics(struct exchange *x)
{
    const struct snapshot *s = engine_snapshot(x->web->engine);
    struct sb *out = &x->out.body;

    x->out.type = "text/plain; version=0.0.4; charset=utf-8";
    family(out, "weir_build_info", "gauge", "What runs here.");
    sb_putf(out, "weir_build_info{version=\"%s\",prices_as_of=\"%s\"} 1\n", PACKAGE_VERSION, price_table_version(x->web->prices));
    family(out, "weir_uptime_seconds", "gauge", "Since the start.");
    sb_putf(out, "weir_uptime_seconds %" PRId64 "\n", (x->arrived_ms - x->web->started_ms) / 1000);
    config_metrics(x->web->reload, out);
    family(out, "weir_queue_depth", "gauge", "Requests that wait.");
    for (int p = 0; p < PRIORITY_COUNT; p++)
        sb_putf(out, "weir_queue_depth{priority=\"%s\"} %" PRId64 "\n", priority_name((enum priority)p), s->waiting[p]);
    for (size_t i = 0; i < COUNT(counters); i++) {
        family(out, counters[i].name, "counter", counters[i].help);
        sb_putf(out, "%s %" PRId64 "\n", counters[i].name,
                *(const int64_t *)(const void *)((const char *)&s->counters + counters[i].at));
    }
    for (size_t g = 0; g < COUNT(gauges); g++) {
        family(out, gauges[g].name, "gauge", gauges[g].help);
        for (size_t i = 0; i < s->upstream_count; i++) {
            if (!snapshot_shows(&s->upstreams[i]))
                continue;
            sb_putf(out, "%s{", gauges[g].name);
            label(out, "provider", s->upstreams[i].name);
            sb_putf(out, "} %" PRId64 "\n", gauges[g].value(&s->upstreams[i]));
        }
    }
    for (size_t g = 0; g < COUNT(dim_gauges); g++) {
        family(out, dim_gauges[g].name, "gauge", dim_gauges[g].help);
        for (size_t i = 0; i < s->upstream_count; i++) {
            for (int d = 0; d < DIM_COUNT; d++) {
                const struct admit_dim_view *v = &s->upstreams[i].dim[d];

                if (v->limit == 0 || !snapshot_shows(&s->upstreams[i]))
                    continue;
                sb_putf(out, "%s{", dim_gauges[g].name);
                label(out, "provider", s->upstreams[i].name);
                sb_putf(out, ",dim=\"%s\"} %" PRId64 "\n", dim_name((enum dim)d), dim_gauges[g].value(v));
            }
        }
    }
    snapshot_put(s);
    return WEIR_OK;
}
