/* h_dashboard.c - the overview page: the reports of /monitoring and the engine's
 * snapshot in the words of templates/dashboard.mustache. The page counts
 * nothing itself: sums are the reports', so it shows what the endpoints say.
 * Acceptor threads. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "store/convo.h"
#include "store/report.h"
#include "store/verify.h"
#include "web/h_pages.h"
#include "web/pages.h"
#include "web/route.h"
#include "web/view.h"
#include "web/view_engine.h"

enum { REPORT_MAX = 16 * 1024 * 1024, TOP = 8, RECENT = 20, GROUPS_ASKED = TOP + 1 };

static const struct range { const char *key, *label, *name; int64_t ms; bool days; } ranges[] = {
    {"1h", "1 h", "hour", INT64_C(3600000), false},
    {"24h", "24 h", "day", INT64_C(86400000), false},
    {"7d", "7 d", "week", INT64_C(604800000), false},
    {"30d", "30 d", "month", INT64_C(2592000000), true},
};
enum { RANGE_COUNT = sizeof ranges / sizeof *ranges, RANGE_USUAL = 1 };

/* All the page is made from. */
struct sources {
    const struct range *range;
    const struct snapshot *now;
    json_t *usage, *before, *speed, *cost, *history;     /* NULL: could not be had */
};

static const struct range *range_of(const char *key)
{
    for (int i = 0; i < RANGE_COUNT; i++)
        if (strcmp(ranges[i].key, key) == 0)
            return &ranges[i];
    return &ranges[RANGE_USUAL];
}

typedef enum weir_err report_fn(struct db *ro, const struct report_filter *f, struct sb *out);

static json_t *ask(struct exchange *x, report_fn *report, const struct report_filter *f)
{
    struct sb text = sb_make(REPORT_MAX);

    return pages_parse(report(x->db, f, &text), &text);
}

static void sources_read(struct exchange *x, struct sources *s)
{
    struct report_filter f = report_filter_make(x->arrived_ms);

    f.owner_id = x->who.role == ROLE_USER ? x->who.user_id : NULL;
    f.from_ms = f.to_ms - s->range->ms;
    f.limit = GROUPS_ASKED;
    s->usage = ask(x, report_token_usage, &f);
    s->speed = ask(x, report_performance, &f);
    s->cost = ask(x, report_cost_breakdown, &f);
    f.limit = RECENT;
    s->history = ask(x, report_history, &f);
    f.to_ms = f.from_ms;
    f.from_ms -= s->range->ms;
    f.granularity = GRANULARITY_DAY;
    s->before = ask(x, report_token_usage, &f);
}

static void sources_done(struct sources *s)
{
    json_decref(s->usage);
    json_decref(s->before);
    json_decref(s->speed);
    json_decref(s->cost);
    json_decref(s->history);
}

/* --- figures of a report, in words; "—" where it has none --- */

static json_t *count_of(const json_t *report, const char *key) { return view_count(view_number(report, key)); }
static json_t *span_of(const json_t *report, const char *key) { return view_span(view_number(report, key)); }
static json_t *money_of(const json_t *report, const char *key) { return view_money(view_number(report, key)); }

/* Words around a figure, which is taken. */
static json_t *worded(const char *before, json_t *figure, const char *after)
{
    json_t *text = view_text("%s%s%s", before, json_string_value(figure), after);

    json_decref(figure);
    return text;
}

/* --- figures at the top --- */

/* `value` and `sub` are taken. */
static void kpi(json_t *list, const char *label, json_t *value, json_t *sub)
{
    json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "label", label, "value", value, "sub", sub));
}

static json_t *kpis(const struct sources *s)
{
    const json_t *sum = json_object_get(s->usage, "totals"), *was = json_object_get(s->before, "totals");
    const json_t *ttft = json_object_get(s->speed, "ttft_ms"), *queue = json_object_get(s->speed, "queue_wait_ms");
    double spent = view_number(sum, "cost_usd"), ok = view_number(s->speed, "success_rate");
    json_t *list = json_array(), *in = count_of(sum, "prompt_tokens"), *out = count_of(sum, "completion_tokens");

    kpi(list, "Spend", view_money(spent), view_change(spent, view_number(was, "cost_usd"), s->range->name));
    kpi(list, "Requests", count_of(sum, "requests"),
        isnan(ok) ? json_string("none finished") : worded("", view_percent(1 - ok), " failed"));
    kpi(list, "Tokens", count_of(sum, "total_tokens"), view_text("%s in · %s out", json_string_value(in), json_string_value(out)));
    kpi(list, "First token p95", span_of(ttft, "p95"), worded("p50 ", span_of(ttft, "p50"), ""));
    kpi(list, "Queue wait p95", span_of(queue, "p95"), worded("", view_count((double)view_waiting(s->now)), " waiting now"));
    kpi(list, "Efficiency", view_ratio(view_number(json_object_get(s->usage, "efficiency"), "chars_per_token")),
        json_string("characters per token"));
    json_decref(in);
    json_decref(out);
    return list;
}

/* --- series --- */

static json_t *number_text(double n)
{
    return isnan(n) ? json_string("") : view_text("%.12g", n);
}

static json_t *series(const json_t *usage, const struct range *range)
{
    json_t *list = json_array(), *b;
    size_t i;

    json_array_foreach(json_object_get(usage, "series"), i, b) {
        double in = view_number(b, "prompt_tokens"), out = view_number(b, "completion_tokens"), usd = view_number(b, "cost_usd");
        int64_t at_ms = 0;

        if (!report_time_parse(json_str(b, "at", ""), 0, &at_ms))
            continue;
        json_array_append_new(list, json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "t", (json_int_t)(at_ms / 1000),
                                              "at", view_time(json_object_get(b, "at"), range->days ? VIEW_DAY : VIEW_MINUTE),
                                              "prompt_tokens", number_text(in), "completion_tokens", number_text(out),
                                              "cost_usd", number_text(usd),
                                              "tokens_in", view_count(in), "tokens_out", view_count(out),
                                              "requests", count_of(b, "requests"), "cost", view_money(usd)));
    }
    return list;
}

/* What each chart shows, in a sentence for who can't see it. */
static void put_summaries(json_t *ctx, const json_t *usage)
{
    const json_t *sum = json_object_get(usage, "totals"), *peak = NULL;
    json_t *in = count_of(sum, "prompt_tokens"), *out = count_of(sum, "completion_tokens"), *b;
    json_t *all = money_of(sum, "cost_usd");
    double most = 0;
    size_t i;

    json_array_foreach(json_object_get(usage, "series"), i, b)
        if (view_number(b, "cost_usd") > most) {
            most = view_number(b, "cost_usd");
            peak = b;
        }
    json_t *top = view_money(most), *when = view_time(json_object_get(peak, "at"), VIEW_MINUTE);
    json_object_set_new(ctx, "tokens_summary", view_text("%s in, %s out.", json_string_value(in), json_string_value(out)));
    json_object_set_new(ctx, "cost_summary", peak ? view_text("%s in all; the highest bar is %s at %s.", json_string_value(all),
                                                              json_string_value(top), json_string_value(when))
                                                  : view_text("%s in all.", json_string_value(all)));
    json_decref(in);
    json_decref(out);
    json_decref(all);
    json_decref(top);
    json_decref(when);
}

/* --- cost tables --- */

/* A row from {requests, prompt_tokens, completion_tokens, cost_usd}; `key` is taken. */
static json_t *cost_row(const json_t *e, json_t *key, double total_usd)
{
    double usd = view_number(e, "cost_usd");

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "key", key, "requests", count_of(e, "requests"),
                     "tokens", count_of(e, "total_tokens"),
                     "tokens_in", count_of(e, "prompt_tokens"),
                     "tokens_out", count_of(e, "completion_tokens"),
                     "cost", view_money(usd), "share_pct", view_length(total_usd > 0 ? usd / total_usd : 0));
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

/* The title and page of one of the user's own sessions; anybody else's is its id. Gives the key, new. */
static json_t *session_key(struct exchange *x, const char *id, json_t **href)
{
    struct sb text = sb_make(64 * 1024);
    json_t *session = *id ? pages_parse(convo_get(x->db, x->who.user_id, id, &text), &text) : NULL;
    json_t *key = json_string(session ? json_str(session, "title", id) : *id ? id : "no session");

    *href = session ? view_text("/app/c/%s", id) : NULL;
    json_decref(session);
    if (!*id)
        sb_done(&text);
    return key;
}

/* The first TOP of `list` and the rest as one row. Days are shown newest first. */
static json_t *cost_rows(struct exchange *x, const json_t *list, double total_usd, bool sessions, bool days)
{
    json_t *rows = json_array(), *other = json_object();
    size_t n = json_array_size(list);

    for (size_t i = 0; i < n; i++) {
        const json_t *e = json_array_get(list, days ? n - 1 - i : i);
        const char *key = json_str(e, "key", "");
        json_t *href = NULL;

        if (i >= TOP || !*key) {             /* what has no key is of the rest, or of no session */
            add_up(other, e);
            continue;
        }
        json_t *row = cost_row(e, sessions ? session_key(x, key, &href) : json_string(key), total_usd);
        if (href)
            json_object_set_new(row, "href", href);
        json_array_append_new(rows, row);
    }
    if (json_object_size(other))
        json_array_append_new(rows, cost_row(other, json_string(days ? "Earlier" : sessions ? "Other, or no session" : "Other"), total_usd));
    json_decref(other);
    return rows;
}

static json_t *cost_tables(struct exchange *x, const json_t *cost)
{
    static const struct { const char *list, *id, *caption, *what; bool sessions, days; } tables[] = {
        {"by_model", "by-model", "Cost by model", "Model", false, false},
        {"by_session", "by-session", "Cost by session", "Session", true, false},
        {"by_day", "by-day", "Cost by day", "Day (UTC)", false, true},
    };
    const json_t *sum = json_object_get(cost, "total");
    double total_usd = view_number(sum, "cost_usd");
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        json_t *rows = cost_rows(x, json_object_get(cost, tables[i].list), total_usd, tables[i].sessions, tables[i].days);

        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", tables[i].id, "caption", tables[i].caption,
                                              "what", tables[i].what, "rows", rows,
                                              "total", cost_row(sum, json_string("Total"), total_usd)));
    }
    return list;
}

/* --- latency, errors, requests --- */

static json_t *latency(const json_t *speed)
{
    static const struct { const char *name, *key; } phases[] = {
        {"Queued", "queue_wait_ms"}, {"First token", "ttft_ms"}, {"Total", "latency_ms"},
    };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        const json_t *p = json_object_get(speed, phases[i].key);

        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", phases[i].name,
                                              "p50", span_of(p, "p50"), "p90", span_of(p, "p90"),
                                              "p95", span_of(p, "p95"), "p99", span_of(p, "p99")));
    }
    return list;
}

/* A code as words: "upstream timeout". */
static json_t *spoken(const char *code)
{
    char words[100];

    (void)snprintf(words, sizeof words, "%s", code);
    for (char *c = words; (c = strchr(c, '_')); c++)
        *c = ' ';
    return json_string(words);
}

static void put_outcome(json_t *ctx, const json_t *speed)
{
    const json_t *retries = json_object_get(speed, "retries");
    json_t *errors = json_array(), *e, *score = count_of(speed, "score");
    size_t i;

    json_array_foreach(json_object_get(speed, "error_rates"), i, e)
        json_array_append_new(errors, json_pack("{s:o, s:o}", "kind", spoken(json_str(e, "type", "")),
                                                "count", count_of(e, "count")));
    json_object_set_new(ctx, "outcome", json_pack("[{s:s, s:o}, {s:s, s:o}, {s:s, s:o}]",
                                                  "name", "Succeeded", "value", view_percent(view_number(speed, "success_rate")),
                                                  "name", "Retries", "value", count_of(retries, "total"),
                                                  "name", "Score", "value", view_text("%s of 100", json_string_value(score))));
    json_object_set_new(ctx, "has_errors", json_boolean(json_array_size(errors) > 0));
    json_object_set_new(ctx, "errors", errors);
    json_decref(score);
}

static const char *status_tone(const char *status)
{
    if (strcmp(status, "success") == 0)
        return "ok";
    return strcmp(status, "cancelled") == 0 ? "" : "err";
}

static json_t *recent(struct exchange *x, const json_t *history)
{
    json_t *list = json_array(), *h;
    size_t i;

    json_array_foreach(json_object_get(history, "items"), i, h) {
        const json_t *usage = json_object_get(h, "usage"), *m = json_object_get(h, "metrics");
        const char *status = json_str(h, "status", "");
        json_t *href = NULL, *key = session_key(x, json_str(h, "session_id", ""), &href);

        json_array_append_new(list, json_pack(
            "{s:s, s:s, s:o, s:s, s:o, s:o*, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
            "request_id", json_str(h, "request_id", ""), "at", json_str(h, "at", ""),
            "time", view_time(json_object_get(h, "at"), VIEW_SHORT),
            "model", json_str(h, "model", ""), "session", key, "href", href, "priority", json_str(h, "priority", ""),
            "status", status, "tone", status_tone(status), "tokens_in", count_of(usage, "prompt_tokens"),
            "tokens_out", count_of(usage, "completion_tokens"), "cost", view_cost(json_object_get(h, "cost")),
            "ttft", span_of(m, "ttft_ms"), "total", span_of(m, "duration_ms"),
            "queued", span_of(m, "queue_ms"), "retries", count_of(m, "retries")));
    }
    return list;
}

/* --- the page --- */

static json_t *range_links(const struct range *chosen)
{
    json_t *list = json_array();

    for (int i = 0; i < RANGE_COUNT; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "key", ranges[i].key, "label", ranges[i].label,
                                              "current", &ranges[i] == chosen));
    return list;
}

static json_t *time_of(int64_t utc_ms, enum view_time how)
{
    struct sb b = sb_make(32);

    sb_time(&b, utc_ms);
    json_t *at = json_string(sb_str(&b)), *text = view_time(at, how);
    json_decref(at);
    sb_done(&b);
    return text;
}

/* {tone, word, text} of the last check of the ledger; NULL: none has ended, or it is not theirs to see. */
static json_t *ledger_of(struct exchange *x)
{
    struct verify_last last;

    if (x->who.role == ROLE_USER || verify_last_read(x->db, &last) || !last.complete)
        return NULL;
    json_t *at = time_of(last.held_ms, VIEW_MINUTE), *checked = time_of(last.checked_ms, VIEW_MINUTE), *text;

    if (!last.failures)
        text = view_text("All %lld records were compared at %s UTC and add up.", (long long)last.events, json_string_value(checked));
    else if (last.held_ms)
        text = view_text("%lld findings at %s UTC; it last added up at %s UTC. weir verify lists them.", (long long)last.failures,
                         json_string_value(checked), json_string_value(at));
    else
        text = view_text("%lld findings at %s UTC. weir verify lists them.", (long long)last.failures, json_string_value(checked));
    json_decref(at);
    json_decref(checked);
    return json_pack("{s:s, s:s, s:o}", "tone", last.failures ? "err" : "ok", "word", last.failures ? "Does not add up" : "Adds up", "text", text);
}

enum weir_err h_page_dashboard(struct exchange *x)
{
    const char *name, *mine = x->who.role == ROLE_USER ? x->who.user_id : NULL;

    if (http_read_query(&x->in, NULL, &name) != WEIR_OK)
        return web_refuse(x, WEIR_E_INVALID_FIELD, name, NULL);
    struct sources s = {.range = range_of(http_query(&x->in, "range", "")), .now = engine_snapshot(x->web->engine)};
    sources_read(x, &s);

    json_t *ctx = pages_context(x, "Dashboard", "dashboard", NULL);
    json_object_set_new(ctx, "health", view_health(s.now));
    json_object_set_new(ctx, "ranges", range_links(s.range));
    json_object_set_new(ctx, "updated", time_of(x->arrived_ms, VIEW_SECONDS));
    json_object_set_new(ctx, "kpis", kpis(&s));
    json_object_set_new(ctx, "upstreams", view_limits(s.now, x->web->settings));
    json_object_set_new(ctx, "queue", view_queue(s.now, mine));
    json_object_set_new(ctx, "budgets", view_budgets(s.now, mine));
    json_object_set_new(ctx, "has_budgets", json_boolean(json_array_size(json_object_get(ctx, "budgets")) > 0));
    json_object_set_new(ctx, "series", series(s.usage, s.range));
    put_summaries(ctx, s.usage);
    json_object_set_new(ctx, "cost_tables", cost_tables(x, s.cost));
    json_object_set_new(ctx, "latency", latency(s.speed));
    put_outcome(ctx, s.speed);
    json_t *ledger = ledger_of(x);
    json_object_set_new(ctx, "ledger", ledger ? ledger : json_false());
    json_object_set_new(ctx, "recent", recent(x, s.history));
    snapshot_put(s.now);
    sources_done(&s);
    return pages_answer(x, "dashboard", ctx);
}
