/* h_outlook.c - the page of what is to come: trend, forecast and anomalies, as
 * the endpoints of the same names say them. A page of its own, so that the
 * overview need not wait for eight weeks of history. Acceptor threads. */
#include <string.h>

#include "base/json.h"
#include "store/report.h"
#include "web/pages.h"
#include "web/route.h"
#include "web/view.h"

enum { REPORT_MAX = 16 * 1024 * 1024, TREND_DAYS = 28, ANOMALY_DAYS = 7, ANOMALIES = 50, PAST_DAYS = 56, AHEAD_DAYS = 15 };
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

static json_t *forecast_rows(const json_t *forecast)
{
    json_t *list = json_array(), *b;
    size_t i;

    json_array_foreach(json_object_get(forecast, "series"), i, b)
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o}", "at", view_time(json_object_get(b, "at"), VIEW_DAY),
                                              "expected", view_money(view_number(b, "expected")),
                                              "low", view_money(view_number(b, "low")), "high", view_money(view_number(b, "high"))));
    return list;
}

static json_t *anomaly_rows(const json_t *anomalies)
{
    json_t *list = json_array(), *a;
    size_t i;

    json_array_foreach(json_object_get(anomalies, "items"), i, a) {
        const char *metric = json_str(a, "metric", "");

        json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o}",
                                              "at", view_time(json_object_get(a, "at"), VIEW_MINUTE),
                                              "bucket", json_str(a, "bucket", ""),
                                              "metric", strcmp(metric, "cost_usd") == 0 ? "cost" : metric,
                                              "value", metric_text(metric, view_number(a, "value")),
                                              "expected", metric_text(metric, view_number(a, "expected")),
                                              "low", metric_text(metric, view_number(a, "low")),
                                              "high", metric_text(metric, view_number(a, "high"))));
    }
    return list;
}

/* --- the page --- */

typedef enum weir_err report_fn(struct db *ro, const struct report_filter *f, struct sb *out);

static json_t *ask(struct exchange *x, report_fn *report, int days, int64_t limit)
{
    struct report_filter f = report_filter_make(x->arrived_ms);
    struct sb text = sb_make(REPORT_MAX);

    f.owner_id = x->who.role == ROLE_USER ? x->who.user_id : NULL;
    f.from_ms = f.to_ms - days * DAY_MS;
    f.limit = limit;
    f.metric = REPORT_COST;
    f.horizon_ms = AHEAD_DAYS * DAY_MS;                /* more than two weeks: by day */
    return pages_parse(report(x->db, &f, &text), &text);
}

static enum weir_err forecast_alone(struct db *ro, const struct report_filter *f, struct sb *out)
{
    return report_forecast(ro, f, NULL, 0, out);
}

enum weir_err h_page_outlook(struct exchange *x)
{
    json_t *trend = ask(x, report_trend, TREND_DAYS, 1), *forecast = ask(x, forecast_alone, PAST_DAYS, 1);
    json_t *anomalies = ask(x, report_anomalies, ANOMALY_DAYS, ANOMALIES), *found = anomaly_rows(anomalies);
    json_t *ctx = pages_context(x, "Trend and forecast", "dashboard", NULL);

    json_object_set_new(ctx, "trend", trend_rows(trend));
    json_object_set_new(ctx, "forecast", forecast_rows(forecast));
    json_object_set_new(ctx, "has_forecast", json_boolean(json_is_true(json_object_get(forecast, "enough_history"))));
    json_object_set_new(ctx, "no_forecast", json_string(json_str(forecast, "message", "No forecast could be made.")));
    json_object_set_new(ctx, "has_anomalies", json_boolean(json_array_size(found) > 0));
    json_object_set_new(ctx, "anomalies", found);
    json_decref(trend);
    json_decref(forecast);
    json_decref(anomalies);
    return pages_answer(x, "outlook", ctx);
}
