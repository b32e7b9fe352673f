/* h_board_now.c - the pages of what is now: limits with their keys and
 * stabilization, the queue, budgets, alerts, and the audit log. Acceptor threads. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "store/audit.h"
#include "web/board.h"
#include "web/pages.h"
#include "web/route.h"
#include "web/snapshot_json.h"
#include "web/view_engine.h"

enum { REFUSALS = 50, GOALS_DAYS = 56, LIST_MAX = 16 * 1024 * 1024 };
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)

/* --- limits --- */

/* One key at one provider: what it carries of all traffic of the day, and what room it has. The key itself is nowhere. */
static json_t *keys(const struct board *b, const struct snapshot *s, const json_t *carried)
{
    const json_t *list = json_object_get(carried, "by_upstream");
    double all = view_number(carried, "requests");
    json_t *rows = json_array();

    for (size_t i = 0; i < s->upstream_count; i++) {
        const struct admit_upstream_view *u = &s->upstreams[i];
        double requests = 0, fullest = 0;
        json_t *e;
        size_t n;

        if (!snapshot_shows(u))
            continue;
        json_array_foreach(list, n, e)
            if (strcmp(json_str(e, "key", ""), u->name) == 0)
                requests = view_number(e, "requests");
        for (int d = 0; d < DIM_COUNT; d++)
            if (u->dim[d].limit > 0)
                fullest = fmax(fullest, (double)(u->dim[d].used + u->dim[d].reserved) / (double)u->dim[d].limit);
        json_array_append_new(rows, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", u->name, "href",
                                              board_href(b, "/app/dashboard/requests", "upstream", u->name), "requests",
                                              view_count(requests), "share", view_percent(all > 0 ? requests / all : 0), "share_pct",
                                              view_length(all > 0 ? requests / all : 0), "room", view_percent(fmax(0, 1 - fullest)), "pause",
                                              u->cooldown_until_us > 0 ? view_span((double)u->cooldown_until_us / USEC_PER_MS) : json_string("—"),
                                              "refusals", view_count((double)u->provider_429s_24h)));
    }
    return rows;
}

/* The newest of the refusals by a provider, which is why it recovers; NULL: the request has not ended. */
static const json_t *refused_by(const json_t *carried, const char *upstream)
{
    json_t *a;
    size_t i;

    json_array_foreach(json_object_get(carried, "refused"), i, a)
        if (strcmp(json_str(a, "upstream", ""), upstream) == 0)
            return a;
    return NULL;
}

/* How far each provider that was refused lately is on its way back, and which request it was. */
static json_t *recovering(const struct board *b, const struct snapshot *s, const json_t *carried)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < s->upstream_count; i++) {
        const struct admit_upstream_view *u = &s->upstreams[i];

        if (!snapshot_shows(u) || !u->stabilizing)
            continue;
        const json_t *cause = refused_by(carried, u->name);
        json_t *row = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "name", u->name, "now", (json_int_t)(u->rate_ppm / 10000), "level",
                                view_percent((double)u->rate_ppm / 1e6), "level_pct", view_length((double)u->rate_ppm / 1e6), "left",
                                view_span((double)u->stabilizing_until_us / USEC_PER_MS), "until",
                                board_moment(b, s->at_ms + u->stabilizing_until_us / USEC_PER_MS, VIEW_SECONDS));

        if (cause)
            json_object_set_new(row, "cause", json_pack("{s:s, s:o}", "request_id", json_str(cause, "request_id", ""), "at",
                                                        board_time(b, json_object_get(cause, "at"), VIEW_SECONDS)));
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *refusals(const struct board *b, const json_t *carried)
{
    json_t *rows = json_array(), *a;
    size_t i;

    json_array_foreach(json_object_get(carried, "refused"), i, a) {
        int64_t at_ms = 0;

        (void)report_time_parse(json_str(a, "at", ""), 0, &at_ms);
        json_array_append_new(rows, json_pack("{s:o, s:o, s:s, s:s, s:s, s:s}", "time", board_moment(b, at_ms, VIEW_SHORT), "x",
                                              view_length(1 - (double)(b->f.now_ms - at_ms) / DAY_MS), "upstream", json_str(a, "upstream", ""),
                                              "model", json_str(a, "model", ""), "request_id", json_str(a, "request_id", ""), "status",
                                              json_str(a, "status", "")));
    }
    return rows;
}

enum weir_err h_page_limits(struct exchange *x)
{
    struct board b;
    const struct snapshot *s;
    enum weir_err e = board_open(x, &b);
    struct report_filter f;
    json_t *ctx, *carried, *back, *refused;

    if (e)
        return e;
    f = b.f;
    f.from_ms = f.to_ms - DAY_MS;
    f.limit = REFUSALS;
    carried = board_ask(&b, report_upstreams, &f);
    s = engine_snapshot(x->web->engine);
    ctx = board_context(&b, "limits", "Limits");
    back = recovering(&b, s, carried);
    refused = refusals(&b, carried);
    json_object_set_new(ctx, "upstreams", view_limits(s, x->web->settings, NULL));
    json_object_set_new(ctx, "keys", keys(&b, s, carried));
    json_object_set_new(ctx, "is_recovering", json_boolean(json_array_size(back) > 0));
    json_object_set_new(ctx, "recovering", back);
    json_object_set_new(ctx, "was_refused", json_boolean(json_array_size(refused) > 0));
    json_object_set_new(ctx, "refusals", refused);
    snapshot_put(s);
    json_decref(carried);
    return pages_answer(x, "limits", ctx);
}

/* --- queue --- */

enum weir_err h_page_queue(struct exchange *x)
{
    struct board b;
    enum weir_err e = board_open(x, &b);
    const struct snapshot *s;
    json_t *ctx, *queue, *entry;
    size_t i;

    if (e)
        return e;
    s = engine_snapshot(x->web->engine);
    ctx = board_context(&b, "queue", "Queue");
    queue = view_queue(s, b.mine, NULL, SIZE_MAX);
    json_array_foreach(json_object_get(queue, "entries"), i, entry)
        json_object_set_new(entry, "user", pages_person(b.x, json_str(entry, "user_id", "")));
    json_object_set_new(ctx, "queue", queue);
    json_object_set_new(ctx, "may_act", json_boolean(x->who.role != ROLE_MONITOR));
    snapshot_put(s);
    return pages_answer(x, "queue", ctx);
}

/* --- budgets --- */

/* The gauge of the ledger `of` is about; NULL: there is none, they are of another moment. */
static json_t *gauge_of(const json_t *gauges, const json_t *of)
{
    json_t *g;
    size_t i;

    json_array_foreach(gauges, i, g)
        if (strcmp(json_str(g, "id", ""), json_str(of, "id", "")) == 0 && strcmp(json_str(g, "key", ""), json_str(of, "key", "")) == 0)
            return g;
    return NULL;
}

/* When each budget will be used up as things go, from /monitoring/forecast; marked in its gauge where that stands at the end. */
static json_t *foreseen(const struct board *b, json_t *gauges)
{
    json_t *forecast = board_answer_of(b, h_forecast), *rows = json_array(), *g;
    size_t i;

    json_array_foreach(json_object_get(forecast, "budgets"), i, g) {
        const json_t *at = json_object_get(g, "reached_at");
        const char *scope = json_str(g, "scope", ""), *key = json_str(g, "key", "");
        double expected = view_number(g, "expected_usd"), limit = view_number(g, "limit_usd");

        if (expected >= 0 && limit > 0)
            (void)json_object_set_new(gauge_of(gauges, g), "forecast_pct", view_length(fmin(expected / limit, 0.995)));
        json_array_append_new(rows, json_pack("{s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s}", "expected", view_money(expected), "scope", strcmp(scope, "all") == 0 ? "everything" : scope,
                                              "key", strcmp(scope, "user") == 0 ? pages_person(b->x, key) : json_string(*key ? key : "—"), "window",
                                              json_str(g, "window", ""), "limit", board_money(g, "limit_usd"), "spent",
                                              board_money(g, "spent_usd"), "held", board_money(g, "reserved_usd"), "left",
                                              board_money(g, "left_usd"), "reached", json_is_string(at) ? board_time(b, at, VIEW_MINUTE)
                                              : json_string("not in this window"), "tone", json_is_string(at) ? "warn" : ""));
    }
    json_decref(forecast);
    return rows;
}

enum weir_err h_page_budgets(struct exchange *x)
{
    struct board b;
    enum weir_err e = board_open(x, &b);
    const struct snapshot *s;
    json_t *ctx, *budgets;

    if (e)
        return e;
    s = engine_snapshot(x->web->engine);
    ctx = board_context(&b, "budgets", "Budgets");
    budgets = board_budgets(&b, s);
    snapshot_put(s);
    json_object_set_new(ctx, "has_budgets", json_boolean(json_array_size(budgets) > 0));
    json_object_set_new(ctx, "budgets", budgets);
    json_object_set_new(ctx, "rows", foreseen(&b, budgets));
    return pages_answer(x, "budgets", ctx);
}

/* --- alerts and the audit log --- */

/* The chart in which what an alert is about is to be seen, around the moment it opened: by minutes while those are kept. */
static json_t *chart_href(const struct board *b, const json_t *alert)
{
    static const struct { const char *kind, *page; } pages[] = {
        {"cost", "/cost"}, {"budget", "/cost"}, {"error_rate", "/performance"}, {"queue_wait", "/performance"},
    };
    const char *kind = json_str(alert, "kind", ""), *page = "";
    int64_t at_ms = 0, fresh = b->f.now_ms - 2 * DAY_MS + 2 * HOUR_MS;
    struct sb link = sb_make(256);
    json_t *href;

    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(kind, pages[i].kind) == 0)
            page = pages[i].page;
    if (!report_time_parse(json_str(alert, "opened_at", ""), b->f.now_ms, &at_ms))
        at_ms = b->f.now_ms;
    sb_putf(&link, "/app/dashboard%s?from=", page);
    sb_time(&link, at_ms - (at_ms > fresh ? 3 * HOUR_MS / 2 : DAY_MS / 2));
    sb_puts(&link, "&to=");
    sb_time(&link, at_ms + (at_ms > fresh ? HOUR_MS / 2 : DAY_MS / 2));
    href = json_string(sb_str(&link));
    sb_done(&link);
    return href;
}

enum weir_err h_page_alerts(struct exchange *x)
{
    struct board b;
    enum weir_err e = board_open(x, &b);
    json_t *ctx, *list, *open = json_array(), *past = json_array(), *a;
    size_t i;

    if (e) {
        json_decref(open);
        json_decref(past);
        return e;
    }
    ctx = board_context(&b, "alerts", "Alerts");
    list = board_answer_of(&b, h_alerts_list);
    json_array_foreach(json_object_get(list, "items"), i, a) {
        bool resolved = json_is_string(json_object_get(a, "resolved_at"));
        bool seen = json_is_string(json_object_get(a, "acknowledged_at"));

        json_array_append_new(resolved ? past : open,
                              json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:b, s:s, s:s}", "id", json_str(a, "alert_id", ""), "href",
                                        chart_href(&b, a), "kind",
                                        pages_spoken(json_str(a, "kind", "")), "text", json_str(a, "text", ""), "opened",
                                        board_time(&b, json_object_get(a, "opened_at"), VIEW_MINUTE), "resolved",
                                        board_time(&b, json_object_get(a, "resolved_at"), VIEW_MINUTE), "seen", seen, "state",
                                        seen ? "seen" : "open", "tone", seen ? "" : "err"));
    }
    json_object_set_new(ctx, "has_open", json_boolean(json_array_size(open) > 0));
    json_object_set_new(ctx, "open", open);
    json_object_set_new(ctx, "has_past", json_boolean(json_array_size(past) > 0));
    json_object_set_new(ctx, "past", past);
    json_decref(list);
    return pages_answer(x, "alerts", ctx);
}

enum weir_err h_page_audit(struct exchange *x)
{
    struct board b;
    enum weir_err e = board_open(x, &b);
    struct sb text = sb_make(LIST_MAX);
    json_t *ctx, *list, *rows = json_array(), *a;
    char cursor[24];
    size_t i;

    if (e) {
        json_decref(rows);
        sb_done(&text);
        return e;
    }
    (void)snprintf(cursor, sizeof cursor, "%lld", (long long)b.f.cursor);
    list = pages_parse(audit_json(x->db, b.f.cursor ? cursor : NULL, b.f.limit, &text), &text);
    ctx = board_context(&b, "audit", "Audit");
    json_array_foreach(json_object_get(list, "items"), i, a) {
        const json_t *detail = json_object_get(a, "detail");
        char *dump = detail && json_object_size(detail) ? json_dumps(detail, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;

        json_array_append_new(rows, json_pack("{s:o, s:o, s:o, s:s, s:s, s:s}", "seq", board_count(a, "seq"), "time",
                                              board_time(&b, json_object_get(a, "at"), VIEW_SHORT), "actor",
                                              pages_person(b.x, json_str(a, "actor", "")), "action", json_str(a, "action", ""), "object",
                                              json_str(a, "object", ""), "detail", dump ? dump : ""));
        free(dump);
    }
    json_object_set_new(ctx, "rows", rows);
    if (json_is_string(json_object_get(list, "next_cursor")))
        json_object_set_new(ctx, "older_href", board_href(&b, x->in.path, "cursor", json_str(list, "next_cursor", "")));
    json_decref(list);
    return pages_answer(x, "audit", ctx);
}
