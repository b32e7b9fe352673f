/* snapshot_json.c - plain writing, one function per object. */
#include "web/snapshot_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "flow/gauge.h"

bool snapshot_shows(const struct admit_upstream_view *u)
{
    return !u->gone || u->running > 0;
}

void snapshot_limits_json(const struct snapshot *s, struct sb *out)
{
    const char *comma = "";

    sb_putc(out, '[');
    for (size_t i = 0; i < s->upstream_count; i++) {
        if (!snapshot_shows(&s->upstreams[i]))
            continue;
        sb_puts(out, comma);
        gauge_json(out, &s->upstreams[i], s->at_ms);
        comma = ",";
    }
    sb_putc(out, ']');
}

static void entry_json(const struct snapshot *s, const struct snapshot_entry *w, struct sb *out)
{
    sb_puts(out, "{\"request_id\":");
    sb_json(out, w->request_id);
    sb_puts(out, ",\"session_id\":");
    sb_json(out, *w->session_id ? w->session_id : NULL);
    sb_puts(out, ",\"user_id\":");
    sb_json(out, w->user_id);
    sb_puts(out, ",\"model\":");
    sb_json(out, w->model);
    sb_puts(out, ",\"upstream\":");
    sb_json(out, w->upstream >= 0 && (size_t)w->upstream < s->upstream_count ? s->upstreams[w->upstream].name : NULL);
    sb_putf(out, ",\"priority\":\"%s\",\"position\":%" PRId64 ",\"waited_ms\":%" PRId64 ",\"eta_ms\":", priority_name(w->priority),
            w->position, w->waited_ms);
    if (w->eta_ms < 0)
        sb_puts(out, "null");
    else
        sb_i64(out, w->eta_ms);
    sb_putf(out, ",\"reason\":\"%s\"", gate_name(w->reason));
    gauge_spread_json(out, &w->spread);
    sb_putc(out, '}');
}

void snapshot_level_json(int32_t ppm, struct sb *out)
{
    char text[16];
    size_t n;

    if (!ppm) {
        sb_puts(out, "null");
        return;
    }
    n = (size_t)snprintf(text, sizeof text, "%d.%06d", ppm / BUDGET_WARN_ALL, ppm % BUDGET_WARN_ALL);
    while (text[n - 1] == '0')
        n--;
    sb_put(out, text, text[n - 1] == '.' ? n - 1 : n);
}

bool snapshot_budget_is_of(const struct snapshot_budget *b, const char *user_id)
{
    return !user_id || (b->view.rule->scope == BUDGET_USER && strcmp(b->view.key, user_id) == 0);
}

void snapshot_budget_json(const struct budget_view *v, struct sb *out)
{
    gauge_budget_json(out, v, true);
    sb_puts(out, ",\"key\":");
    sb_json(out, *v->key ? v->key : NULL);
    sb_putf(out, ",\"each\":%s,\"left_usd\":", v->rule->each ? "true" : "false");
    sb_usd(out, v->left);
    sb_puts(out, ",\"warned\":");
    snapshot_level_json(v->warned, out);
}

void snapshot_budgets_json(const struct snapshot *s, const char *user_id, struct sb *out)
{
    const char *comma = "";

    sb_putc(out, '[');
    for (size_t i = 0; i < s->budget_count; i++) {
        if (!snapshot_budget_is_of(&s->budgets[i], user_id))
            continue;
        sb_putf(out, "%s{", comma);
        snapshot_budget_json(&s->budgets[i].view, out);
        sb_putc(out, '}');
        comma = ",";
    }
    sb_putc(out, ']');
}

static bool is_of(const struct snapshot_entry *w, const char *user_id)
{
    return !user_id || strcmp(w->user_id, user_id) == 0;
}

void snapshot_queue_json(const struct snapshot *s, const char *user_id, size_t entries, struct sb *out)
{
    int64_t waiting[PRIORITY_COUNT] = {0}, oldest = 0;
    size_t shown = 0;

    for (size_t i = 0; user_id && i < s->entry_count; i++) {
        const struct snapshot_entry *w = &s->entries[i];

        if (!is_of(w, user_id))
            continue;
        waiting[w->priority]++;
        oldest = w->waited_ms > oldest ? w->waited_ms : oldest;
    }
    if (!user_id) {
        memcpy(waiting, s->waiting, sizeof waiting);
        oldest = s->oldest_wait_ms;
    }
    sb_puts(out, "{\"depth\":{");
    for (int p = PRIORITY_HIGH; p >= PRIORITY_LOW; p--)
        sb_putf(out, "\"%s\":%" PRId64 "%s", priority_name((enum priority)p), waiting[p], p > PRIORITY_LOW ? "," : "}");
    sb_putf(out, ",\"running\":%" PRId64 ",\"max_concurrent\":%" PRId64 ",\"oldest_wait_ms\":%" PRId64, s->running, s->max_concurrent,
            oldest);
    if (entries) {
        sb_puts(out, ",\"entries\":[");
        for (size_t i = 0; i < s->entry_count && shown < entries; i++) {
            if (!is_of(&s->entries[i], user_id))
                continue;
            if (shown++)
                sb_putc(out, ',');
            entry_json(s, &s->entries[i], out);
        }
        sb_putc(out, ']');
    }
    sb_putc(out, '}');
}

void snapshot_health_json(const struct snapshot *s, struct sb *out)
{
    size_t all = 0, down = 0, paused = 0, stabilizing = 0, near = 0;

    for (size_t i = 0; i < s->upstream_count; i++) {
        const struct admit_upstream_view *u = &s->upstreams[i];

        if (u->gone)
            continue;
        all++;
        down += u->down;
        paused += !u->down && u->status == ADMIT_ERROR;
        stabilizing += u->stabilizing;
        near += u->status == ADMIT_WARNING;
    }
    if (s->draining)
        sb_puts(out, "{\"status\":\"down\",\"text\":\"Weir is being restarted.\"}");
    else if (down == all)
        sb_puts(out, "{\"status\":\"down\",\"text\":\"No provider can be used right now.\"}");
    else if (down || paused)
        sb_puts(out, "{\"status\":\"limited\",\"text\":\"A provider is paused or out of service.\"}");
    else if (stabilizing)
        sb_puts(out, "{\"status\":\"stabilizing\",\"text\":\"Going slowly after a provider's rate limit.\"}");
    else if (near)
        sb_puts(out, "{\"status\":\"warning\",\"text\":\"A limit is used to 80 % or more.\"}");
    else
        sb_puts(out, "{\"status\":\"healthy\",\"text\":\"Every provider answers and has room.\"}");
}
