/* h_dashboard.c - the overview page: the reports of /monitoring and the engine's
 * snapshot in the words of templates/dashboard.mustache. The page counts
 * nothing itself: sums are the reports', so it shows what the endpoints say.
 * Acceptor threads. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "store/alerts.h"
#include "store/verify.h"
#include "web/board.h"
#include "web/h_pages.h"
#include "web/pages.h"
#include "web/route.h"
#include "web/view_engine.h"

enum { RECENT = 20, GROUPS_ASKED = BOARD_TOP + 1, ALERTS_SHOWN = 5, QUEUE_SHOWN = 6, ALERTS_BYTES = 64 * 1024 };

/* All the page is made from. */
struct sources {
    const struct snapshot *now;
    json_t *usage, *before, *speed, *cost, *history;     /* before: of a period as long; NULL: could not be had */
};

static void sources_read(const struct board *b, struct sources *s)
{
    struct report_filter f = b->f;

    f.limit = GROUPS_ASKED;
    s->usage = board_ask(b, report_token_usage, &f);
    s->speed = board_ask(b, report_performance, &f);
    s->cost = board_ask(b, report_cost_days, &f);
    f.limit = RECENT;
    s->history = board_ask(b, report_history, &f);
    f.to_ms = b->f.from_ms;
    f.from_ms = f.to_ms - (b->f.to_ms - b->f.from_ms);
    s->before = board_ask(b, report_brief, &f);
}

static void sources_done(struct sources *s)
{
    json_decref(s->usage);
    json_decref(s->before);
    json_decref(s->speed);
    json_decref(s->cost);
    json_decref(s->history);
    snapshot_put(s->now);
}

/* --- figures at the top --- */

/* What a figure is and what stands under it, both taken; `now` and `before` are compared. A click leads to `part`; `meaning`
 * is in short what the glossary says. */
static void kpi(const struct board *b, json_t *list, const char *label, const char *meaning, const char *part, json_t *value, json_t *sub, double now, double before)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "label", label, "meaning", meaning, "href", board_href(b, part, NULL, NULL), "value", value,
                                          "sub", sub, "change", view_change(now, before, board_range_name(b))));
}

/* A percentile of the phase `key` and what it was before. */
static void kpi_phase(const struct board *b, json_t *list, const char *label, const char *meaning, const char *part, const char *key, json_t *sub,
                      const struct sources *s)
{
    const json_t *now = json_object_get(s->speed, key), *before = json_object_get(s->before, key);

    kpi(b, list, label, meaning, part, board_span(now, "p95"), sub, view_number(now, "p95"), view_number(before, "p95"));
}

static json_t *kpis(const struct board *b, const struct sources *s)
{
    static const char requests[] = "/app/dashboard/requests", cost[] = "/app/dashboard/cost", speed[] = "/app/dashboard/performance";
    const json_t *sum = json_object_get(s->usage, "totals"), *was = json_object_get(s->before, "totals");
    double spent = view_number(sum, "cost_usd"), ok = view_number(s->speed, "success_rate");
    double chars = view_number(json_object_get(s->usage, "efficiency"), "chars_per_token");
    json_t *list = json_array(), *in = board_count(sum, "prompt_tokens"), *out = board_count(sum, "completion_tokens");
    json_t *per = view_money(spent / view_number(sum, "requests"));

    kpi(b, list, "Spend", "Tokens of each kind times their price; what has no price is not in it",
        cost, view_money(spent), board_worded("", per, " a request"), spent, view_number(was, "cost_usd"));
    kpi(b, list, "Requests", "All that ended; of those that failed, what was cancelled does not count",
        requests, board_count(sum, "requests"), isnan(ok) ? json_string("none ended") : board_worded("", view_percent(1 - ok), " failed"),
        view_number(sum, "requests"), view_number(was, "requests"));
    kpi(b, list, "Tokens", "As the provider counted them, reasoning and what was cached included",
        cost, board_count(sum, "total_tokens"), view_text("%s in · %s out", json_string_value(in), json_string_value(out)),
        view_number(sum, "total_tokens"), view_number(was, "total_tokens"));
    kpi_phase(b, list, "First token p95", "Nineteen of twenty had their first visible token within this time after they were sent",
        speed, "ttft_ms", board_worded("p50 ", board_span(json_object_get(s->speed, "ttft_ms"), "p50"), ""), s);
    kpi_phase(b, list, "Queue wait p95", "Nineteen of twenty waited no longer from accepted until sent",
        "/app/dashboard/queue", "queue_wait_ms", board_worded("", view_count((double)view_waiting(s->now)), " waiting now"), s);
    kpi(b, list, "Efficiency", "Visible characters of the answers per visible token of them",
        "/app/help/metrics", view_ratio(chars), json_string("characters per token"), chars,
        view_number(json_object_get(s->before, "efficiency"), "chars_per_token"));
    json_decref(in);
    json_decref(out);
    return list;
}

/* --- charts --- */

static json_t *cost_summary(const struct board *b, const json_t *usage, bool days)
{
    json_t *all = board_money(json_object_get(usage, "totals"), "cost_usd"), *text, *top, *when, *e;
    const json_t *peak = NULL;
    double most = 0;
    size_t i;

    json_array_foreach(json_object_get(usage, "series"), i, e)
        if (view_number(e, "cost_usd") > most) {
            most = view_number(e, "cost_usd");
            peak = e;
        }
    top = view_money(most);
    when = board_time(b, json_object_get(peak, "at"), days ? VIEW_DAY : VIEW_MINUTE);
    text = peak ? view_text("%s in all; the highest bar is %s at %s.", json_string_value(all), json_string_value(top), json_string_value(when))
                : view_text("%s in all.", json_string_value(all));
    json_decref(all);
    json_decref(top);
    json_decref(when);
    return text;
}

static json_t *charts(const struct board *b, const json_t *usage)
{
    const json_t *sum = json_object_get(usage, "totals");
    bool days = b->f.to_ms - b->f.from_ms > INT64_C(604800000);
    json_t *in = board_count(sum, "prompt_tokens"), *out = board_count(sum, "completion_tokens"), *e;
    json_t *tokens = board_chart(b, "tokens", "Tokens", "bars", CHART_COUNT, "No tokens in this time.",
                                 view_text("%s in, %s out.", json_string_value(in), json_string_value(out)));
    json_t *cost = board_chart(b, "cost", "Cost", "bars", CHART_USD, "Nothing was spent in this time.", cost_summary(b, usage, days));
    size_t i;

    board_chart_series(tokens, "Tokens in");
    board_chart_series(tokens, "Tokens out");
    board_chart_series(cost, "Cost");
    json_array_foreach(json_object_get(usage, "series"), i, e) {
        json_t *row = board_chart_row(b, tokens, json_object_get(e, "at"), days);

        board_chart_value(row, CHART_COUNT, view_number(e, "prompt_tokens"));
        board_chart_value(row, CHART_COUNT, view_number(e, "completion_tokens"));
        board_chart_value(board_chart_row(b, cost, json_object_get(e, "at"), days), CHART_USD, view_number(e, "cost_usd"));
    }
    json_decref(in);
    json_decref(out);
    return json_pack("[o, o]", tokens, cost);
}

static json_t *cost_tables(const struct board *b, const json_t *cost)
{
    static const struct { const char *list, *id, *caption, *what, *name; bool days; } tables[] = {
        {"by_model", "by-model", "Cost by model", "Model", "model", false},
        {"by_session", "by-session", "Cost by session", "Session", "session_id", false},
        {"by_day", "by-day", "Cost by day", "Day", NULL, true},
    };
    const json_t *sum = json_object_get(cost, "total");
    double total_usd = view_number(sum, "cost_usd");
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        json_t *rows = board_cost_rows(b, json_object_get(cost, tables[i].list), tables[i].name, total_usd, tables[i].days);

        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", tables[i].id, "caption", tables[i].caption,
                                              "what", tables[i].what, "rows", rows,
                                              "total", board_cost_row(sum, json_string("Total"), total_usd)));
    }
    return list;
}

/* --- what needs attention --- */

/* {tone, word, text} of the last check of the ledger; NULL: none has ended, or it is not theirs to see. */
static json_t *ledger_of(const struct board *b)
{
    struct verify_last last;

    if (b->mine || verify_last_read(b->x->db, &last) || !last.complete)
        return NULL;
    json_t *at = board_moment(b, last.held_ms, VIEW_MINUTE), *checked = board_moment(b, last.checked_ms, VIEW_MINUTE), *text;

    if (!last.failures)
        text = view_text("All %lld records were compared at %s and add up.", (long long)last.events, json_string_value(checked));
    else if (last.held_ms)
        text = view_text("%lld findings at %s; it last added up at %s. weir verify lists them.", (long long)last.failures,
                         json_string_value(checked), json_string_value(at));
    else
        text = view_text("%lld findings at %s. weir verify lists them.", (long long)last.failures, json_string_value(checked));
    json_decref(at);
    json_decref(checked);
    return json_pack("{s:s, s:s, s:o}", "tone", last.failures ? "err" : "ok", "word", last.failures ? "Does not add up" : "Adds up", "text", text);
}

/* The newest alerts that are not resolved; only for those who may see everybody's work. */
static json_t *alerts_of(const struct board *b)
{
    struct sb text = sb_make(ALERTS_BYTES);
    json_t *list = b->mine ? NULL : pages_parse(alerts_live_json(b->x->db, ALERTS_SHOWN, &text), &text), *rows = json_array(), *a;
    size_t i;

    json_array_foreach(list, i, a)
        json_array_append_new(rows, json_pack("{s:s, s:o}", "text", json_str(a, "text", ""), "at",
                                              board_time(b, json_object_get(a, "opened_at"), VIEW_MINUTE)));
    json_decref(list);
    if (b->mine)
        sb_done(&text);
    return rows;
}

static json_t *unpriced_of(const json_t *cost)
{
    double requests = view_number(json_object_get(cost, "unpriced"), "requests");
    json_t *n;

    if (!(requests > 0))
        return json_false();
    n = view_count(requests);
    return board_worded("", n, " requests went to a model without a price; what they cost is not in these sums.");
}

enum weir_err h_page_dashboard(struct exchange *x)
{
    struct board b;
    struct sources s;
    enum weir_err e = board_open(x, &b);
    json_t *ctx, *ledger;

    if (e)
        return e;
    b.f.sort = SORT_AT;                    /* the newest, whatever order a link to the page of requests carries along */
    b.f.ascending = false;
    b.f.cursor = 0;
    s.now = engine_snapshot(x->web->engine);
    sources_read(&b, &s);
    ctx = board_context(&b, "", "Dashboard");
    json_object_set_new(ctx, "kpis", kpis(&b, &s));
    json_object_set_new(ctx, "alerts", alerts_of(&b));
    json_object_set_new(ctx, "unpriced", unpriced_of(s.cost));
    json_object_set_new(ctx, "upstreams", view_limits(s.now, x->web->settings, b.f.upstream));
    json_object_set_new(ctx, "queue", view_queue(s.now, b.mine, &b.f, QUEUE_SHOWN));
    json_object_set_new(ctx, "budgets", board_budgets(&b, s.now));
    json_object_set_new(ctx, "has_budgets", json_boolean(json_array_size(json_object_get(ctx, "budgets")) > 0));
    json_object_set_new(ctx, "charts", charts(&b, s.usage));
    json_object_set_new(ctx, "cost_tables", cost_tables(&b, s.cost));
    board_put_speed(ctx, s.speed);
    ledger = ledger_of(&b);
    json_object_set_new(ctx, "ledger", ledger ? ledger : json_false());
    board_put_requests(&b, ctx, "Recent requests", s.history);
    json_object_set_new(ctx, "more_of", json_pack("{s:o, s:o, s:o, s:o, s:o}", "requests", board_href(&b, "/app/dashboard/requests", NULL, NULL),
                                                  "limits", board_href(&b, "/app/dashboard/limits", NULL, NULL), "queue",
                                                  board_href(&b, "/app/dashboard/queue", NULL, NULL), "budgets",
                                                  board_href(&b, "/app/dashboard/budgets", NULL, NULL), "performance",
                                                  board_href(&b, "/app/dashboard/performance", NULL, NULL)));
    sources_done(&s);
    return pages_answer(x, "dashboard", ctx);
}
