/* h_requests.c - the pages of requests: all of a selection, page by page, and one
 * of them explained. Acceptor threads. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "web/board.h"
#include "web/pages.h"
#include "web/route.h"
#include "web/view_engine.h"

enum { A_PAGE = 50 };

enum weir_err h_page_requests(struct exchange *x)
{
    struct board b;
    struct report_filter f;
    enum weir_err e = board_open(x, &b);
    json_t *ctx, *history, *usage;
    const json_t *sum;
    char why[160] = "";

    if (e)
        return e;
    if (report_sort_check(x->db, &b.f, why)) {               /* said, and the page stays in the order of time */
        b.f.sort = SORT_AT;
        b.f.ascending = false;
        b.f.cursor = 0;
    }
    f = b.f;
    f.limit = A_PAGE;
    history = board_ask(&b, report_history, &f);
    usage = board_ask(&b, report_token_usage, &f);           /* of all that is chosen, whatever is on this page */
    sum = json_object_get(usage, "totals");
    ctx = board_context(&b, "requests", "Requests");
    board_put_requests(&b, ctx, "Requests", history);
    json_object_set_new(ctx, "unsorted", json_string(why));
    json_object_set_new(ctx, "totals", json_pack("{s:o, s:o, s:o, s:o}", "requests", board_count(sum, "requests"), "tokens_in",
                                                 board_count(sum, "prompt_tokens"), "tokens_out", board_count(sum, "completion_tokens"),
                                                 "cost", board_money(sum, "cost_usd")));
    json_object_set_new(ctx, "newest", json_boolean(b.f.cursor == 0));
    json_object_set_new(ctx, "by_time", json_boolean(b.f.sort == SORT_AT && !b.f.ascending));
    if (b.f.cursor)
        json_object_set_new(ctx, "first_href", board_href(&b, x->in.path, NULL, NULL));
    if (json_is_string(json_object_get(history, "next_cursor")))
        json_object_set_new(ctx, "older_href", board_href(&b, x->in.path, "cursor", json_str(history, "next_cursor", "")));
    json_decref(history);
    json_decref(usage);
    return pages_answer(x, "requests", ctx);
}

/* --- one, explained --- */

/* A bar of the waterfall, `ms` long from *at on. Nothing for what took no time, unless it failed. */
static void stretch(json_t *list, const char *label, const char *tone, double ms, double total, double *at)
{
    if (!(total > 0) || !(ms > 0 || strcmp(tone, "err") == 0))
        return;
    json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:o}", "label", label, "tone", tone, "span", view_span(ms), "x",
                                          view_length(*at / total), "width", view_length(fmax(ms / total, 0.004))));
    *at += ms;
}

/* How long after the request itself an attempt began. */
static double begun_ms(const json_t *r, const json_t *attempt)
{
    int64_t came = 0, began = 0;

    (void)report_time_parse(json_str(r, "at", ""), 0, &came);
    (void)report_time_parse(json_str(attempt, "at", ""), 0, &began);
    return (double)(began - came);
}

/* What was kept apart on purpose: the least pause between two, and limits spread over their minute or hour. */
static double paced_ms(const json_t *r)
{
    double ms = 0;
    json_t *g;
    size_t i;

    json_array_foreach(json_object_get(r, "gates"), i, g)
        ms += strcmp(json_str(g, "gate", ""), gate_name(GATE_PACING)) == 0 ? view_number(g, "held_ms")
                                                                            : json_number_value(json_object_get(g, "spread_ms"));
    return ms;
}

/* A wait of `ms`, the end of it as far as any is left of what is known of pacing. */
static void waited(json_t *list, const char *label, double ms, double total, double *paced, double *at)
{
    double part = fmin(*paced, fmax(ms, 0));

    stretch(list, label, "wait", ms - part, total, at);
    stretch(list, "Pacing", "pace", part, total, at);
    *paced -= part;
}

/* Waiting, pacing, attempts that failed, first token, writing: one after another, together the whole. */
static json_t *waterfall(const json_t *r)
{
    const json_t *t = json_object_get(r, "timings"), *attempts = json_object_get(r, "attempts");
    double first = view_number(t, "ttft_ms"), writing = view_number(t, "writing_ms"), total = view_number(t, "duration_ms"), at = 0, paced = paced_ms(r);
    size_t n = json_array_size(attempts), failed = 0;
    json_t *list = json_array();

    while (failed < n && *json_str(json_array_get(attempts, failed), "error_code", ""))
        failed++;
    for (size_t i = 0; i < failed; i++) {
        const json_t *a = json_array_get(attempts, i);
        double answered = view_number(a, "http_status");
        json_t *label = answered > 0 ? view_text("Attempt %zu (%.0f)", i + 1, answered) : view_text("Attempt %zu failed", i + 1);

        waited(list, i ? "Waiting to try again" : "Queued", fmin(begun_ms(r, a), total) - at, total, &paced, &at);
        stretch(list, json_string_value(label), "err", fmin(view_number(a, "duration_ms"), total - at), total, &at);
        json_decref(label);
    }
    waited(list, failed ? "Waiting to try again" : "Queued", total - at - first - writing, total, &paced, &at);
    stretch(list, "First token", "first", first, total, &at);
    stretch(list, "Writing", "ok", writing, total, &at);
    return list;
}

static json_t *gates(const json_t *r)
{
    json_t *list = json_array(), *g;
    size_t i;

    json_array_foreach(json_object_get(r, "gates"), i, g)
        json_array_append_new(list, json_pack("{s:s, s:o}", "text", json_str(g, "text", ""), "held", board_span(g, "held_ms")));
    return list;
}

static json_t *attempts(const json_t *r)
{
    json_t *list = json_array(), *a;
    size_t i;

    json_array_foreach(json_object_get(r, "attempts"), i, a) {
        const char *error = json_str(a, "error_code", NULL);
        double status = view_number(a, "http_status");

        json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:s}", "n", (json_int_t)i + 1, "upstream",
                                              json_str(a, "upstream", "—"), "model", json_str(a, "model", "—"), "status",
                                              status > 0 ? view_text("%.0f", status) : json_string("—"), "said",
                                              error ? pages_spoken(error) : json_string("ok"), "took", board_span(a, "duration_ms"),
                                              "tone", error ? "err" : "ok"));
    }
    return list;
}

/* Two figures of the same name, set aside and used. */
static void compared(json_t *list, const char *name, json_t *reserved, json_t *used)
{
    json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "name", name, "reserved", reserved, "used", used));
}

static void fact(json_t *list, const char *name, json_t *value)
{
    json_array_append_new(list, json_pack("{s:s, s:o}", "name", name, "value", value));
}

static json_t *facts(const struct board *b, const json_t *r)
{
    const json_t *price = json_object_get(r, "price"), *promise = json_object_get(r, "promise");
    json_t *list = json_array();

    fact(list, "At", board_time(b, json_object_get(r, "at"), VIEW_MINUTE));
    if (!b->mine)
        fact(list, "User", pages_person(b->x, json_str(r, "user_id", "")));
    fact(list, "Session", *json_str(r, "session_id", "") ? board_key(b, "session_id", json_str(r, "session_id", ""), NULL) : json_string("—"));
    fact(list, "Model", json_string(json_str(r, "model", "—")));
    fact(list, "Endpoint", json_string(json_str(r, "api_endpoint", "—")));
    fact(list, "Priority", json_string(json_str(r, "priority", "—")));
    fact(list, "Cost", view_cost(json_object_get(r, "cost")));
    if (price) {
        json_t *in = board_money(price, "input_usd_per_million"), *out = board_money(price, "output_usd_per_million");

        fact(list, "Price per million tokens", view_text("%s in, %s out (table %s)", json_string_value(in), json_string_value(out),
                                                         json_str(price, "version", "—")));
        json_decref(in);
        json_decref(out);
    }
    if (json_is_object(promise)) {
        json_t *told = board_span(promise, "starts_in_ms"), *came = board_span(promise, "came_in_ms");

        fact(list, "Expected start", view_text("in %s from place %.0f; came after %s", json_string_value(told),
                                               view_number(promise, "position"), json_string_value(came)));
        json_decref(told);
        json_decref(came);
    }
    return list;
}

enum weir_err h_page_request(struct exchange *x)
{
    struct board b;
    enum weir_err e = board_open(x, &b);
    json_t *ctx = NULL, *r, *tokens = json_array();
    const json_t *reserved, *used;
    const char *status;

    if (!e) {
        ctx = board_context(&b, "requests", "Request");
        json_object_set_new(ctx, "back_href", board_href(&b, "/app/dashboard/requests", NULL, NULL));
        e = h_request(x);
    }
    if (e) {
        json_decref(ctx);
        json_decref(tokens);
        return e;
    }
    r = json_loadb(sb_str(&x->out.body), x->out.body.len, 0, NULL);
    sb_reset(&x->out.body);
    reserved = json_object_get(r, "reserved");
    used = json_object_get(r, "used");
    status = json_str(r, "status", "");
    compared(tokens, "Tokens in", board_count(reserved, "input_tokens"), board_count(used, "input_tokens"));
    compared(tokens, "Tokens out", board_count(reserved, "output_tokens"), board_count(used, "output_tokens"));
    json_object_set_new(ctx, "request_id", json_string(x->arg[0]));
    json_object_set_new(ctx, "running", json_boolean(strcmp(json_str(r, "state", ""), "settled") != 0));
    json_object_set_new(ctx, "status", json_string(status));
    json_object_set_new(ctx, "tone", json_string(board_status_tone(status)));
    json_object_set_new(ctx, "facts", facts(&b, r));
    json_object_set_new(ctx, "waterfall", waterfall(r));
    json_object_set_new(ctx, "total", board_span(json_object_get(r, "timings"), "duration_ms"));
    json_object_set_new(ctx, "gates", gates(r));
    json_object_set_new(ctx, "was_held", json_boolean(json_array_size(json_object_get(r, "gates")) > 0));
    json_object_set_new(ctx, "attempts", attempts(r));
    json_object_set_new(ctx, "why", json_string(json_str(r, "why_upstream", "")));
    json_object_set_new(ctx, "tokens", tokens);
    json_decref(r);
    return pages_answer(x, "request", ctx);
}
