/* board_parts.c - figures, charts and rows of the pages under /app/dashboard. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "store/account.h"
#include "store/convo.h"
#include "web/board.h"
#include "web/pages.h"
#include "web/view_engine.h"

enum { ONE_MAX = 64 * 1024 };

/* --- figures in words --- */

json_t *board_count(const json_t *report, const char *key) { return view_count(view_number(report, key)); }
json_t *board_money(const json_t *report, const char *key) { return view_money(view_number(report, key)); }
json_t *board_span(const json_t *report, const char *key) { return view_span(view_number(report, key)); }

json_t *board_moment(const struct board *b, int64_t utc_ms, enum view_time how)
{
    return view_moment(&b->f.zone, utc_ms, how);
}

json_t *board_time(const struct board *b, const json_t *at, enum view_time how)
{
    int64_t at_ms;

    if (!json_is_string(at) || !report_time_parse(json_string_value(at), 0, &at_ms))
        return view_time(NULL, how);
    return board_moment(b, at_ms, how);
}

json_t *board_worded(const char *before, json_t *figure, const char *after)
{
    json_t *text = view_text("%s%s%s", before, json_string_value(figure), after);

    json_decref(figure);
    return text;
}

const char *board_status_tone(const char *status)
{
    if (strcmp(status, "success") == 0)
        return "ok";
    return strcmp(status, "cancelled") == 0 ? "" : "err";
}

/* --- charts --- */

json_t *board_chart(const struct board *b, const char *id, const char *title, const char *kind, enum chart_unit unit,
                    const char *nothing, json_t *summary)
{
    static const char *const units[] = {[CHART_COUNT] = "count", [CHART_USD] = "usd", [CHART_MS] = "ms", [CHART_PERCENT] = "percent"};

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:[], s:[]}", "id", id, "title", title, "kind", kind, "unit", units[unit],
                     "nothing", nothing, "summary", summary, "zone", b->f.zone.name, "series", "rows");
}

void board_chart_series(json_t *chart, const char *label)
{
    json_t *series = json_object_get(chart, "series");

    json_array_append_new(series, json_pack("{s:s, s:I}", "label", label, "n", (json_int_t)json_array_size(series) + 1));
    if (json_array_size(series) == 2)                  /* one is told by the title; the legend has its place from the first */
        json_object_set(chart, "legend", series);
}

json_t *board_chart_row(const struct board *b, json_t *chart, const json_t *at, bool days)
{
    int64_t at_ms = 0;
    json_t *row;

    (void)report_time_parse(json_is_string(at) ? json_string_value(at) : "", 0, &at_ms);
    row = json_pack("{s:I, s:o, s:[]}", "t", (json_int_t)(at_ms / 1000), "at", board_time(b, at, days ? VIEW_DAY : VIEW_MINUTE), "cells");
    json_array_append_new(json_object_get(chart, "rows"), row);
    return row;
}

void board_chart_value(json_t *row, enum chart_unit unit, double n)
{
    json_t *text = unit == CHART_USD ? view_money(n) : unit == CHART_MS ? view_span(n) : unit == CHART_PERCENT ? view_percent(n) : view_count(n);

    json_array_append_new(json_object_get(row, "cells"),
                          json_pack("{s:o, s:o}", "v", isnan(n) ? json_string("") : view_text("%.12g", n), "text", text));
}

void board_chart_mark(json_t *row, json_t *text)
{
    json_object_set_new(row, "mark", text);
}

/* --- rows --- */

static json_t *latency(const json_t *speed)
{
    static const struct { const char *name, *key; } phases[] = {
        {"Queued", "queue_wait_ms"}, {"First token", "ttft_ms"}, {"Total", "latency_ms"},
    };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        const json_t *p = json_object_get(speed, phases[i].key);

        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", phases[i].name, "p50", board_span(p, "p50"), "p90",
                                              board_span(p, "p90"), "p95", board_span(p, "p95"), "p99", board_span(p, "p99")));
    }
    return list;
}

void board_put_speed(json_t *ctx, const json_t *speed)
{
    const json_t *retries = json_object_get(speed, "retries");
    json_t *errors = json_array(), *e;
    size_t i;

    json_array_foreach(json_object_get(speed, "error_rates"), i, e)
        json_array_append_new(errors, json_pack("{s:o, s:o, s:o}", "kind", pages_spoken(json_str(e, "type", "")), "count",
                                                board_count(e, "count"), "rate", view_percent(view_number(e, "rate"))));
    json_object_set_new(ctx, "latency", latency(speed));
    json_object_set_new(ctx, "outcome", json_pack("[{s:s, s:o}, {s:s, s:o}, {s:s, s:o}, {s:s, s:o}]",
                                                  "name", "Succeeded", "value", view_percent(view_number(speed, "success_rate")),
                                                  "name", "Cancelled", "value", board_count(speed, "cancelled"),
                                                  "name", "Retries", "value", board_count(retries, "total"),
                                                  "name", "Score", "value", board_worded("", board_count(speed, "score"), " of 100")));
    json_object_set_new(ctx, "has_errors", json_boolean(json_array_size(errors) > 0));
    json_object_set_new(ctx, "errors", errors);
}

json_t *board_key(const struct board *b, const char *name, const char *key, json_t **href)
{
    struct sb text = sb_make(ONE_MAX);
    json_t *session, *called;

    if (strcmp(name, "user_id") == 0) {
        sb_done(&text);
        return pages_person(b->x, key);
    }
    if (strcmp(name, "session_id") != 0) {
        sb_done(&text);
        return json_string(key);
    }
    session = pages_parse(convo_get(b->x->db, b->x->who.user_id, key, &text), &text);
    called = json_string(json_str(session, "title", key));
    if (href && session)
        *href = view_text("/app/c/%s", key);
    json_decref(session);
    return called;
}

json_t *board_cost_row(const json_t *e, json_t *key, double total_usd)
{
    double usd = view_number(e, "cost_usd");

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "key", key, "requests", board_count(e, "requests"),
                     "tokens", board_count(e, "total_tokens"), "tokens_in", board_count(e, "prompt_tokens"),
                     "tokens_out", board_count(e, "completion_tokens"), "cost", view_money(usd),
                     "share_pct", view_length(total_usd > 0 ? usd / total_usd : 0));
}

/* Add e's sums to `other`. */
static void add_up(json_t *other, const json_t *e)
{
    static const char *const names[] = {"requests", "prompt_tokens", "completion_tokens", "total_tokens", "cost_usd"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        double more = view_number(e, names[i]), sum = view_number(other, names[i]);

        if (!isnan(more))
            json_object_set_new(other, names[i], json_real(isnan(sum) ? more : sum + more));
    }
}

json_t *board_cost_rows(const struct board *b, const json_t *list, const char *name, double total_usd, bool days)
{
    json_t *rows = json_array(), *other = json_object();
    bool sessions = name && strcmp(name, "session_id") == 0;
    size_t n = json_array_size(list);

    for (size_t i = 0; i < n; i++) {
        const json_t *e = json_array_get(list, days ? n - 1 - i : i);
        const char *key = json_str(e, "key", "");
        json_t *row;

        if (json_array_size(rows) == BOARD_TOP || !*key) {     /* what has no key, wherever it stands, is of the rest or of no session */
            add_up(other, e);
            continue;
        }
        row = board_cost_row(e, name ? board_key(b, name, key, NULL) : json_string(key), total_usd);
        if (name)
            json_object_set_new(row, "href", board_href(b, "/app/dashboard/requests", name, key));
        json_array_append_new(rows, row);
    }
    if (json_object_size(other))
        json_array_append_new(rows, board_cost_row(other, json_string(days ? "Earlier" : sessions ? "Other, or no session" : "Other"), total_usd));
    json_decref(other);
    return rows;
}

static const struct column {
    const char *name, *label;
    int sort;                    /* enum report_sort, or -1: words are filtered, not sorted */
    const char *meaning;         /* of a figure, in short what the glossary says; NULL: the label says it */
} columns[] = {
    {"time", "Time", SORT_AT, NULL}, {"user", "User", -1, NULL}, {"session", "Session", -1, NULL}, {"model", "Model", -1, NULL},
    {"endpoint", "Endpoint", -1, NULL}, {"priority", "Priority", -1, NULL}, {"status", "Status", -1, NULL},
    {"tokens", "Tokens in / out", SORT_TOKENS, "As the provider counted them; after ≈ an estimate"},
    {"cost", "Cost", SORT_COST, "Tokens of each kind times their price; — where none is set"},
    {"first", "First token", SORT_FIRST_TOKEN, "From sending the attempt that succeeded until its first visible token"},
    {"total", "Total", SORT_TOTAL, "From accepted until done"}, {"queued", "Queued", SORT_QUEUED, "From accepted until sent to the provider"},
    {"retries", "Retries", SORT_RETRIES, "Attempts at the provider beyond the first"},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* A press on the heading of a figure: the largest first, then the smallest; of time the newest, then the oldest. */
static void put_sort(const struct board *b, json_t *head, enum report_sort sort)
{
    bool here = b->f.sort == sort, usual = sort == SORT_AT;
    char value[32];

    (void)snprintf(value, sizeof value, "%s%s", here && !b->f.ascending ? "" : "-", report_sort_name(sort));
    json_object_set_new(head, "sort", json_string(!here ? "none" : b->f.ascending ? "ascending" : "descending"));
    json_object_set_new(head, "href", board_href(b, "/app/dashboard/requests", "sort", usual && *value == '-' ? NULL : value));
}

static json_t *heads(const struct board *b)
{
    json_t *list = json_array();

    for (int i = 0; i < COLUMNS; i++) {
        json_t *head;

        if (b->mine && strcmp(columns[i].name, "user") == 0)
            continue;
        head = json_pack("{s:s, s:b}", "name", columns[i].name, "num", columns[i].sort > SORT_AT);
        if (columns[i].meaning)
            json_object_set_new(head, "meaning", json_string(columns[i].meaning));
        json_object_set_new(head, "label", i ? json_string(columns[i].label) : view_text("%s (%s)", columns[i].label, b->f.zone.name));
        if (columns[i].sort >= 0)
            put_sort(b, head, (enum report_sort)columns[i].sort);
        json_array_append_new(list, head);
    }
    return list;
}

/* The columns this browser does without, as the table's classes: " no-user no-session". */
static json_t *without(const struct board *b)
{
    char chosen[128], *rest = NULL;
    struct sb classes = sb_make(256);
    json_t *text;

    if (http_cookie(&b->x->in, "weir_columns", chosen, sizeof chosen))
        for (const char *name = strtok_r(chosen, ".", &rest); name; name = strtok_r(NULL, ".", &rest))
            for (int i = 1; i < COLUMNS; i++)
                if (strcmp(columns[i].name, name) == 0)
                    sb_putf(&classes, " no-%s", name);
    text = json_string(sb_str(&classes));
    sb_done(&classes);
    return text;
}

static json_t *request_rows(const struct board *b, const json_t *history)
{
    json_t *list = json_array(), *h;
    size_t i;

    json_array_foreach(json_object_get(history, "items"), i, h) {
        const json_t *usage = json_object_get(h, "usage"), *m = json_object_get(h, "metrics");
        const char *status = json_str(h, "status", ""), *session = json_str(h, "session_id", ""), *approx;
        json_t *row = json_object(), *href = NULL;
        bool used = json_int(usage, "total_tokens", 0) > 0 || json_int(usage, "units", 0) > 0, answered = json_int(usage, "completion_tokens", 0) > 0;
        bool elsewhere = strcmp(json_str(h, "upstream", ""), USAGE_IMPORTED) == 0;       /* nobody knows how long that took */

        approx = json_is_true(json_object_get(usage, "estimated")) ? "≈ " : "";
        json_object_set_new(row, "session", *session ? board_key(b, "session_id", session, &href) : json_string("—"));
        if (href)
            json_object_set_new(row, "href", href);
        if (!b->mine)
            json_object_set_new(row, "user", pages_person(b->x, json_str(h, "user_id", "")));
        json_object_update_new(row, json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s}", "request_id", json_str(h, "request_id", ""), "at",
                                              json_str(h, "at", ""), "time", board_time(b, json_object_get(h, "at"), VIEW_SHORT), "model",
                                              json_str(h, "model", ""), "endpoint", json_str(h, "api_endpoint", ""), "priority",
                                              json_str(h, "priority", ""), "status", status, "tone", board_status_tone(status)));
        json_object_update_new(row, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "tokens_in",
                                              board_worded(approx, board_count(usage, "prompt_tokens"), ""), "tokens_out",
                                              board_worded(approx, board_count(usage, "completion_tokens"), ""), "cost",
                                              used ? view_cost(json_object_get(h, "cost")) : json_string("—"), "ttft",
                                              answered && !elsewhere ? board_span(m, "ttft_ms") : json_string("—"), "total",
                                              board_span(elsewhere ? NULL : m, "duration_ms"), "queued",
                                              board_span(elsewhere ? NULL : m, "queue_ms"), "retries",
                                              board_count(elsewhere ? NULL : m, "retries")));
        json_array_append_new(list, row);
    }
    return list;
}

void board_put_requests(const struct board *b, json_t *ctx, const char *caption, const json_t *history)
{
    json_object_set_new(ctx, "caption", json_string(caption));
    json_object_set_new(ctx, "heads", heads(b));
    json_object_set_new(ctx, "without", without(b));
    json_object_set_new(ctx, "requests", request_rows(b, history));
}

json_t *board_budgets(const struct board *b, const struct snapshot *s)
{
    json_t *list = view_budgets(s, b->mine, &b->f.zone), *g;
    size_t i;

    json_array_foreach(list, i, g) {
        const char *id = json_str(g, "user_id", ""), *name = json_str(g, "name", "");
        json_t *person;

        if (!*id)
            continue;
        person = pages_person(b->x, id);
        json_object_set_new(g, "name", view_text("%.*s%s", (int)(strlen(name) - strlen(id)), name, json_string_value(person)));
        json_decref(person);
    }
    return list;
}
