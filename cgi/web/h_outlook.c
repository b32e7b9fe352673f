/* h_outlook.c - the page of what is to come: trend, forecast and anomalies, as
 * the endpoints of the same names say them. A page of its own, so that the
 * overview need not wait for eight weeks of history. Acceptor threads. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "web/board.h"
#include "web/pages.h"
#include "web/route.h"

enum { TREND_DAYS = 28, ANOMALIES = 50, PAST_DAYS = 56, AHEAD_DAYS = 15 };
#define DAY_MS INT64_C(86400000)

/* A figure of a metric in its own form. */
static json_t *metric_text(const char *metric, double n)
{
    return strcmp(metric, "cost_usd") == 0 ? view_money(n) : view_count(n);
}

static json_t *trend_rows(const json_t *trend)
{
    static const struct { const char *key, *name; } metrics[] = {{"requests", "Requests"}, {"tokens", "Tokens"}, {"cost_usd", "Cost"}};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        const json_t *m = json_object_get(trend, metrics[i].key);

        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", metrics[i].name,
                                              "total", metric_text(metrics[i].key, view_number(m, "total")),
                                              "slope", metric_text(metrics[i].key, view_number(m, "slope_per_day")),
                                              "low", metric_text(metrics[i].key, view_number(m, "low")),
                                              "high", metric_text(metrics[i].key, view_number(m, "high")),
                                              "change", view_change(view_number(m, "total"), view_number(m, "previous"), "28 days")));
    }
    return list;
}

static json_t *anomaly_rows(const struct board *b, const json_t *anomalies)
{
    json_t *list = json_array(), *a;
    size_t i;

    json_array_foreach(json_object_get(anomalies, "items"), i, a) {
        const char *metric = json_str(a, "metric", "");

        json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o}",
                                              "at", board_time(b, json_object_get(a, "at"), VIEW_MINUTE),
                                              "bucket", json_str(a, "bucket", ""),
                                              "metric", strcmp(metric, "cost_usd") == 0 ? "cost" : metric,
                                              "value", metric_text(metric, view_number(a, "value")),
                                              "expected", metric_text(metric, view_number(a, "expected")),
                                              "low", metric_text(metric, view_number(a, "low")),
                                              "high", metric_text(metric, view_number(a, "high"))));
    }
    return list;
}

/* --- the chart: what was, what is expected, and what was out of bounds --- */

static const struct metric { const char *key, *label, *member; enum chart_unit unit; } metrics[REPORT_METRICS] = {
    [REPORT_REQUESTS] = {"requests", "Requests", "requests", CHART_COUNT},
    [REPORT_TOKENS] = {"tokens", "Tokens", "total_tokens", CHART_COUNT},
    [REPORT_COST] = {"cost_usd", "Cost", "cost_usd", CHART_USD},
};

/* The anomaly of the day that begins at `at`, in words; NULL: there is none. */
static json_t *mark_of(const struct metric *m, const json_t *anomalies, const char *at)
{
    json_t *a, *text = NULL;
    size_t i;

    json_array_foreach(json_object_get(anomalies, "items"), i, a) {
        json_t *low, *high, *was;

        if (text || strcmp(json_str(a, "bucket", ""), "day") != 0 || strcmp(json_str(a, "metric", ""), m->key) != 0 ||
            strcmp(json_str(a, "at", ""), at) != 0)
            continue;
        low = metric_text(m->key, view_number(a, "low"));
        high = metric_text(m->key, view_number(a, "high"));
        was = metric_text(m->key, view_number(a, "value"));
        text = view_text("expected %s–%s, was %s", json_string_value(low), json_string_value(high), json_string_value(was));
        json_decref(low);
        json_decref(high);
        json_decref(was);
    }
    return text;
}

static json_t *chart(const struct board *b, const struct metric *m, const json_t *usage, const json_t *forecast, const json_t *anomalies)
{
    static const char *const names[] = {"Was", "Expected", "Low", "High"}, *const members[] = {"expected", "low", "high"};
    json_t *sum = metric_text(m->key, view_number(json_object_get(usage, "totals"), m->member)), *e, *row;
    json_t *c = board_chart(b, "outlook", m->label, "band", m->unit, "Nothing in the last 28 days.",
                            view_text("%s in the last 28 days; dashed what is expected, with an 80 %% band.", json_string_value(sum)));
    size_t i;

    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        board_chart_series(c, names[k]);
    json_array_foreach(json_object_get(usage, "series"), i, e) {
        json_t *mark = mark_of(m, anomalies, json_str(e, "at", ""));

        row = board_chart_row(b, c, json_object_get(e, "at"), true);
        board_chart_value(row, m->unit, view_number(e, m->member));
        for (size_t k = 0; k < sizeof members / sizeof *members; k++)
            board_chart_value(row, m->unit, (double)NAN);
        if (mark)
            board_chart_mark(row, mark);
    }
    json_array_foreach(json_object_get(forecast, "series"), i, e) {
        row = board_chart_row(b, c, json_object_get(e, "at"), true);
        board_chart_value(row, m->unit, (double)NAN);
        for (size_t k = 0; k < sizeof members / sizeof *members; k++)
            board_chart_value(row, m->unit, view_number(e, members[k]));
    }
    json_decref(sum);
    return c;
}

/* --- the page --- */

static enum weir_err forecast_alone(struct db *ro, const struct report_filter *f, struct sb *out)
{
    return report_forecast(ro, f, NULL, 0, out);
}

enum weir_err h_page_outlook(struct exchange *x)
{
    struct board b;
    struct report_filter f;
    enum weir_err e = board_open(x, &b);
    json_t *ctx, *trend, *forecast, *anomalies, *usage, *found, *choices = json_array();

    if (e) {
        json_decref(choices);
        return e;
    }
    f = b.f;
    f.to_ms = f.now_ms;
    f.from_ms = f.now_ms - TREND_DAYS * DAY_MS;
    f.limit = ANOMALIES;
    f.granularity = GRANULARITY_DAY;
    trend = board_ask(&b, report_trend, &f);
    usage = board_ask(&b, report_token_usage, &f);
    f.granularity = GRANULARITY_AUTO;
    anomalies = board_ask(&b, report_anomalies, &f);
    f.from_ms = f.now_ms - PAST_DAYS * DAY_MS;
    f.horizon_ms = AHEAD_DAYS * DAY_MS;                /* more than two weeks: by day */
    forecast = board_ask(&b, forecast_alone, &f);
    found = anomaly_rows(&b, anomalies);
    ctx = board_context(&b, "outlook", "Trend and forecast");
    for (int m = 0; m < REPORT_METRICS; m++)
        json_array_append_new(choices, json_pack("{s:s, s:o, s:b}", "label", metrics[m].label, "href",
                                                 board_href(&b, x->in.path, "metric", metrics[m].key), "current", m == (int)b.f.metric));
    json_object_set_new(ctx, "metrics", choices);
    json_object_set_new(ctx, "charts", json_pack("[o]", chart(&b, &metrics[b.f.metric], usage, forecast, anomalies)));
    json_object_set_new(ctx, "trend", trend_rows(trend));
    if (!json_is_true(json_object_get(forecast, "enough_history")))
        json_object_set_new(ctx, "no_forecast", json_string(json_str(forecast, "message", "No forecast could be made.")));
    json_object_set_new(ctx, "has_anomalies", json_boolean(json_array_size(found) > 0));
    json_object_set_new(ctx, "anomalies", found);
    json_decref(trend);
    json_decref(forecast);
    json_decref(anomalies);
    json_decref(usage);
    return pages_answer(x, "outlook", ctx);
}
