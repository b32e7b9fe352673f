/* h_board_past.c - the pages of what was, and of what follows from it: cost by
 * group, performance, trend and forecast. Acceptor threads. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "web/board.h"
#include "web/pages.h"
#include "web/route.h"

#define DAY_MS INT64_C(86400000)

static bool by_days(const struct board *b)
{
    return b->f.to_ms - b->f.from_ms > 7 * DAY_MS;
}

/* --- cost --- */

static const struct group { const char *key, *label, *list, *name; } groups[] = {
    {"model", "Model", "by_model", "model"}, {"provider", "Provider", "by_upstream", "upstream"}, {"user", "User", "by_user", "user_id"},
    {"session", "Session", "by_session", "session_id"}, {"endpoint", "Endpoint", "by_endpoint", "api_endpoint"},
    {"priority", "Priority", "by_priority", "priority"},
};
enum { GROUPS = sizeof groups / sizeof *groups };

static const struct group *group_of(const struct board *b)
{
    const char *key = http_query(&b->x->in, "group", "");

    for (int i = 0; i < GROUPS; i++)
        if (strcmp(groups[i].key, key) == 0 && !(b->mine && strcmp(key, "user") == 0))
            return &groups[i];
    return groups;
}

/* The usage of one key of the group alone, over the same buckets. NULL: it could not be had. */
static json_t *usage_of(const struct board *b, const struct group *g, const char *key)
{
    struct report_filter f = b->f;
    char why[160];

    return report_filter_set(&f, g->name, key, why) == WEIR_OK ? board_ask(b, report_series, &f) : NULL;
}

/* One series for each of the dearest keys, and what is left of the whole as "Other": the bars add up to it. */
static json_t *cost_chart(const struct board *b, const struct group *g, const json_t *list, const json_t *whole)
{
    json_t *chart = board_chart(b, "cost", "Cost over time", "bars", CHART_USD, "Nothing was spent in this time.",
                                board_worded("", board_money(json_object_get(whole, "totals"), "cost_usd"), " in all."));
    json_t *part[BOARD_TOP], *e;
    size_t n = 0, i;

    json_array_foreach(list, i, e) {
        const char *key = json_str(e, "key", "");

        if (n == BOARD_TOP || !*key || !(view_number(e, "cost_usd") > 0))
            continue;
        json_t *label = board_key(b, g->name, key, NULL);
        board_chart_series(chart, json_string_value(label));
        json_decref(label);
        part[n++] = json_array_size(list) == 1 ? json_deep_copy(whole) : usage_of(b, g, key);
    }
    if (n < json_array_size(list))
        board_chart_series(chart, "Other");
    json_array_foreach(json_object_get(whole, "series"), i, e) {
        json_t *row = board_chart_row(b, chart, json_object_get(e, "at"), by_days(b));
        double rest = view_number(e, "cost_usd");

        for (size_t k = 0; k < n; k++) {
            double usd = view_number(json_array_get(json_object_get(part[k], "series"), i), "cost_usd");

            board_chart_value(row, CHART_USD, usd);
            rest -= isnan(usd) ? 0 : usd;
        }
        if (n < json_array_size(list))
            board_chart_value(row, CHART_USD, rest > 1e-12 ? rest : isnan(rest) ? rest : 0);
    }
    for (size_t k = 0; k < n; k++)
        json_decref(part[k]);
    return chart;
}

enum weir_err h_page_cost(struct exchange *x)
{
    struct board b;
    struct report_filter f;
    enum weir_err e = board_open(x, &b);
    const struct group *g;
    const json_t *sum, *per;
    json_t *ctx, *cost, *usage, *choices = json_array();
    double total_usd;

    if (e) {
        json_decref(choices);
        return e;
    }
    g = group_of(&b);
    f = b.f;
    f.limit = BOARD_TOP + 1;
    cost = board_ask(&b, report_cost_days, &f);
    usage = board_ask(&b, report_token_usage, &f);
    sum = json_object_get(cost, "total");
    per = json_object_get(cost, "cost_per");
    total_usd = view_number(sum, "cost_usd");
    ctx = board_context(&b, "cost", "Cost");
    for (int i = 0; i < GROUPS; i++)
        if (!(b.mine && strcmp(groups[i].key, "user") == 0))
            json_array_append_new(choices, json_pack("{s:s, s:o, s:b}", "label", groups[i].label, "href",
                                                     board_href(&b, x->in.path, "group", groups[i].key), "current", &groups[i] == g));
    json_object_set_new(ctx, "groups", choices);
    json_object_set_new(ctx, "charts", json_pack("[o]", cost_chart(&b, g, json_object_get(cost, g->list), usage)));
    json_object_set_new(ctx, "caption", view_text("Cost by %s", g->key));
    json_object_set_new(ctx, "what", json_string(g->label));
    json_object_set_new(ctx, "rows", board_cost_rows(&b, json_object_get(cost, g->list), g->name, total_usd, false));
    json_object_set_new(ctx, "total", board_cost_row(sum, json_string("Total"), total_usd));
    json_object_set_new(ctx, "per", json_pack("[{s:s, s:o}, {s:s, s:o}, {s:s, s:o}]", "name", "A request", "value",
                                              board_money(per, "request_usd"), "name", "A session", "value", board_money(per, "session_usd"),
                                              "name", "A thousand tokens", "value", board_money(per, "thousand_tokens_usd")));
    json_object_set_new(ctx, "unpriced", board_count(json_object_get(cost, "unpriced"), "requests"));
    json_object_set_new(ctx, "days", board_cost_rows(&b, json_object_get(cost, "by_day"), NULL, total_usd, true));
    json_decref(cost);
    json_decref(usage);
    return pages_answer(x, "cost", ctx);
}

/* --- performance --- */

enum { MODELS_SHOWN = 8 };

static json_t *latency_chart(const struct board *b, const json_t *speed)
{
    const json_t *all = json_object_get(speed, "latency_ms");
    json_t *p50 = board_span(all, "p50"), *p95 = board_span(all, "p95"), *s;
    json_t *chart = board_chart(b, "latency", "Latency over time", "lines", CHART_MS, "Nothing was answered in this time.",
                                view_text("Half of all answers took %s or less, 95 %% took %s or less.", json_string_value(p50),
                                          json_string_value(p95)));
    static const struct { const char *label, *key; } lines[] = {{"p50", "p50"}, {"p90", "p90"}, {"p95", "p95"}, {"p99", "p99"}};
    size_t i;

    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
        board_chart_series(chart, lines[k].label);
    json_array_foreach(json_object_get(speed, "series"), i, s) {
        json_t *row = board_chart_row(b, chart, json_object_get(s, "at"), by_days(b));

        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
            board_chart_value(row, CHART_MS, view_number(s, lines[k].key));
    }
    json_decref(p50);
    json_decref(p95);
    return chart;
}

/* Requests that did not end well, by how they ended: the same buckets as the latency's. */
static json_t *error_chart(const struct board *b, const json_t *speed)
{
    static const struct { enum call_status status; const char *label; } kinds[] = {
        {CALL_ERROR, "Error"}, {CALL_TIMEOUT, "Timeout"}, {CALL_REJECTED, "Rejected"}};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    double ok = view_number(speed, "success_rate");
    json_t *chart = board_chart(b, "errors", "Requests that failed", "bars", CHART_COUNT, "Nothing failed in this time.",
                                board_worded("", view_percent(1 - ok), " of all that were not cancelled."));
    json_t *usage[KINDS], *e;
    const json_t *any = NULL;
    size_t i;

    for (int k = 0; k < KINDS; k++) {
        struct report_filter f = b->f;

        f.status = (int)kinds[k].status;               /* with another one chosen there is none of these */
        usage[k] = b->f.status < 0 || b->f.status == f.status ? board_ask(b, report_series, &f) : NULL;
        board_chart_series(chart, kinds[k].label);
    }
    for (size_t k = 0; k < KINDS && !any; k++)
        any = usage[k];
    json_array_foreach(json_object_get(any, "series"), i, e) {
        json_t *row = board_chart_row(b, chart, json_object_get(e, "at"), by_days(b));

        for (int k = 0; k < KINDS; k++)
            board_chart_value(row, CHART_COUNT, view_number(json_array_get(json_object_get(usage[k], "series"), i), "requests"));
    }
    for (int k = 0; k < KINDS; k++)
        json_decref(usage[k]);
    return chart;
}

/* The dearest models, each with its own percentiles. */
static json_t *by_model(const struct board *b)
{
    struct report_filter f = b->f;
    json_t *rows = json_array(), *speed, *m;
    size_t i;

    f.limit = MODELS_SHOWN + 1;
    speed = board_ask(b, report_models, &f);
    json_array_foreach(json_object_get(speed, "models"), i, m)
        json_array_append_new(rows, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "model", json_str(m, "key", ""), "requests",
                                              board_count(m, "requests"), "queued", board_span(json_object_get(m, "queue_wait_ms"), "p95"),
                                              "first", board_span(json_object_get(m, "ttft_ms"), "p95"), "total",
                                              board_span(json_object_get(m, "latency_ms"), "p95"), "speed",
                                              view_ratio(view_number(m, "tokens_per_second")), "ok",
                                              view_percent(view_number(m, "success_rate"))));
    json_decref(speed);
    return rows;
}

static json_t *score_parts(const json_t *speed)
{
    json_t *list = json_array(), *p;
    size_t i;

    json_array_foreach(json_object_get(speed, "score_parts"), i, p)
        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "name", pages_spoken(json_str(p, "name", "")), "value",
                                              view_percent(view_number(p, "value")), "weight", board_count(p, "weight")));
    return list;
}

/* "5 of 6": of the requests that were tried again, those that ended well. */
static json_t *retried(const struct board *b)
{
    json_t *told = board_ask(b, report_retried, &b->f), *n = board_count(told, "requests"), *well = board_count(told, "succeeded");
    json_t *text = view_text("%s of %s", json_string_value(well), json_string_value(n));

    json_decref(told);
    json_decref(n);
    json_decref(well);
    return text;
}

enum weir_err h_page_performance(struct exchange *x)
{
    struct board b;
    enum weir_err e = board_open(x, &b);
    json_t *ctx, *speed, *advice;

    if (e)
        return e;
    speed = board_ask(&b, report_performance, &b.f);
    ctx = board_context(&b, "performance", "Performance");
    board_put_speed(ctx, speed);
    json_array_append_new(json_object_get(ctx, "outcome"), json_pack("{s:s, s:o}", "name", "Succeeded after a retry", "value", retried(&b)));
    json_object_set_new(ctx, "charts", json_pack("[o, o]", latency_chart(&b, speed), error_chart(&b, speed)));
    json_object_set_new(ctx, "models", by_model(&b));
    json_object_set_new(ctx, "parts", score_parts(speed));
    advice = json_incref(json_object_get(speed, "suggestions"));
    json_object_set_new(ctx, "has_advice", json_boolean(json_array_size(advice) > 0));
    json_object_set_new(ctx, "advice", advice ? advice : json_array());
    json_decref(speed);
    return pages_answer(x, "performance", ctx);
}
