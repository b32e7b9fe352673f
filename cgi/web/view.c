/* view.c - see view.h. */
#include "web/view.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define NONE "—"

double view_number(const json_t *obj, const char *key)
{
    const json_t *v = json_object_get(obj, key);

    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

json_t *view_text(const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return json_string(text);
}

/* Thousands are parted by commas. `n` is known. */
static void grouped(int64_t n, char out[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, n < 0 ? -n : n);
    char *w = out;

    if (n < 0)
        *w++ = '-';
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *w++ = ',';
        *w++ = digits[i];
    }
    *w = '\0';
}

/* Counts beyond this are no counts; it keeps the conversion defined. */
static bool known(double n)
{
    return isfinite(n) && fabs(n) < 9e15;
}

json_t *view_count(double n)
{
    char text[32];

    if (!known(n))
        return json_string(NONE);
    grouped(llround(n), text);
    return json_string(text);
}

json_t *view_money(double usd)
{
    char whole[32];

    if (!known(usd))
        return json_string(NONE);
    if (usd < 0.0000005)
        return json_string(usd > 0 ? "< $0.000001" : "$0.00");
    if (usd < 0.01)
        return view_text("$%.6f", usd);
    if (usd < 1)
        return view_text("$%.4f", usd);
    int64_t cents = llround(usd * 100);
    grouped(cents / 100, whole);
    return view_text("$%s.%02d", whole, (int)(cents % 100));
}

json_t *view_span(double ms)
{
    if (!known(ms))
        return json_string(NONE);
    double s = ms / 1000;
    if (s < 1)
        return view_text("%.2f s", s);
    if (s < 10)
        return view_text("%.1f s", s);
    int64_t whole = llround(s);
    if (whole < 60)
        return view_text("%" PRId64 " s", whole);
    int64_t min = whole / 60;
    if (min < 60)
        return whole % 60 ? view_text("%" PRId64 " min %" PRId64 " s", min, whole % 60) : view_text("%" PRId64 " min", min);
    return min % 60 ? view_text("%" PRId64 " h %" PRId64 " min", min / 60, min % 60) : view_text("%" PRId64 " h", min / 60);
}

json_t *view_ratio(double n)
{
    return known(n) ? view_text("%.1f", n) : json_string(NONE);
}

json_t *view_percent(double share)
{
    if (!known(share))
        return json_string(NONE);
    return view_text(share >= 0.1 || share <= 0 ? "%.0f %%" : "%.1f %%", share * 100);
}

json_t *view_change(double now, double before, const char *period)
{
    if (known(now) && known(before) && now == before)
        return view_text("as in the %s before", period);
    if (!known(now) || !known(before) || before <= 0)
        return view_text("nothing in the %s before", period);
    double change = (now - before) / before * 100;
    return change > 999 ? view_text("over ten times the %s before", period)
                        : view_text("%+.0f %% on the %s before", change, period);
}

json_t *view_length(double share)
{
    double in = known(share) ? fmin(1, fmax(0, share)) : 0;

    return view_text("%.2f%%", in * 100);
}

const char *view_level(double share)
{
    return !known(share) || share < 0.8 ? "ok" : share < 0.95 ? "warn" : "err";
}

json_t *view_cost(const json_t *cost)
{
    double usd = view_number(cost, "total_usd");

    if (!json_is_true(json_object_get(cost, "priced")) || !known(usd))
        return json_string(NONE);
    return usd > 0 ? view_money(usd) : json_string("free");
}

json_t *view_time(const json_t *at, enum view_time how)
{
    static const struct { size_t from, n; bool blank; } part[] = {
        [VIEW_CLOCK] = {11, 5, false}, [VIEW_SECONDS] = {11, 8, false}, [VIEW_DAY] = {0, 10, false},
        [VIEW_MINUTE] = {0, 16, true}, [VIEW_SHORT] = {5, 14, true},
    };
    const char *s = json_string_value(at);
    char text[24];

    if (!s || strlen(s) < 19 || s[10] != 'T')
        return json_string(NONE);
    memcpy(text, s + part[how].from, part[how].n);
    text[part[how].n] = '\0';
    if (part[how].blank)
        *strchr(text, 'T') = ' ';
    return json_string(text);
}

json_t *view_moment(const struct zone *z, int64_t utc_ms, enum view_time how)
{
    struct sb text = sb_make(32);
    json_t *at, *shown;

    sb_time(&text, utc_ms + zone_offset_s(z, utc_ms) * INT64_C(1000));
    at = json_string(sb_str(&text));
    shown = view_time(at, how);
    json_decref(at);
    sb_done(&text);
    return shown;
}

/* Add {label, value, meaning, long, dot} to the line; `value` and `meaning` are taken. */
static void metric(json_t *line, const char *label, json_t *value, json_t *meaning, bool in_short)
{
    json_t *last = json_array_get(line, json_array_size(line) - 1);

    if (last)
        json_object_set_new(last, "dot", json_true());
    json_array_append_new(line, json_pack("{s:s, s:o, s:o, s:b}", "label", label, "value", value, "meaning", meaning,
                                          "long", !in_short));
}

static json_t *tokens_value(const json_t *usage)
{
    json_t *in = view_count(view_number(usage, "prompt_tokens"));
    json_t *out = view_count(view_number(usage, "completion_tokens"));
    json_t *text = view_text("%s%s in / %s out", json_is_true(json_object_get(usage, "estimated")) ? "≈ " : "",
                             json_string_value(in), json_string_value(out));

    json_decref(in);
    json_decref(out);
    return text;
}

static json_t *tokens_meaning(const json_t *usage)
{
    return view_text("%" PRId64 " of the input cached, %" PRId64 " of the output reasoning", json_int(usage, "cached_tokens", 0),
                     json_int(usage, "reasoning_tokens", 0));
}

static json_t *cost_meaning(const json_t *cost)
{
    double usd = view_number(cost, "total_usd");

    if (!json_is_true(json_object_get(cost, "priced")))
        return json_string("No price is set for this model");
    if (json_object_get(cost, "saved_usd"))
        return json_string("Nothing was sent to the provider");
    return usd > 0 ? view_text("%.12f US dollars", usd) : json_string("This model is free");
}

static json_t *with_unit(json_t *figure, const char *unit)
{
    json_t *text = view_text("%s %s", json_string_value(figure), unit);

    json_decref(figure);
    return text;
}

static json_t *saved_value(const json_t *usd)
{
    json_t *money = json_is_number(usd) ? view_money(json_number_value(usd)) : NULL, *text;

    if (!money)
        return json_string("no call");
    text = view_text("saved %s", json_string_value(money));
    json_decref(money);
    return text;
}

json_t *view_metrics(const json_t *m)
{
    const json_t *usage = json_object_get(m, "usage"), *cost = json_object_get(m, "cost");
    const json_t *metrics = json_object_get(m, "metrics");
    double efficiency = view_number(metrics, "chars_per_token"), speed = view_number(metrics, "tokens_per_second");
    double waited = view_number(metrics, "retry_wait_ms"), omitted = view_number(metrics, "omitted_messages");

    if (!json_is_object(usage))
        return NULL;
    json_t *line = json_array();
    metric(line, "Tokens", tokens_value(usage), tokens_meaning(usage), true);
    metric(line, "Cost", view_cost(cost), cost_meaning(cost), true);
    metric(line, "Efficiency", known(efficiency) ? with_unit(view_ratio(efficiency), "chars/tok") : json_string(NONE),
           json_string("Visible answer characters per visible answer token"), false);
    metric(line, "First token", view_span(view_number(metrics, "ttft_ms")),
           json_string("From sending to the provider until its first visible token"), false);
    if (known(speed))
        metric(line, "Speed", with_unit(speed < 10 ? view_ratio(speed) : view_count(speed), "tok/s"),
               json_string("Output tokens per second between the first and the last"), false);
    metric(line, "Queued", view_span(view_number(metrics, "queue_ms")), json_string("From accepted to sent"), false);
    metric(line, "Retries", view_count(view_number(metrics, "retries")),
           waited > 0 ? with_unit(view_span(waited), "waited between attempts") : json_string("Attempts beyond the first"), false);
    if (json_is_true(json_object_get(metrics, "from_cache")))
        metric(line, "Cached", saved_value(json_object_get(cost, "saved_usd")),
               json_string("Given again from the cache: nothing was sent to the provider"), true);
    if (omitted > 0)
        metric(line, "Left out", with_unit(view_count(omitted), "messages"),
               json_string("The oldest of this conversation: the model did not see them, as its window is full"), true);
    return line;
}

const char *view_dim_label(enum dim d)
{
    switch (d) {
    case DIM_REQUESTS_PER_MINUTE: return "Requests per minute";
    case DIM_REQUESTS_PER_HOUR: return "Requests per hour";
    case DIM_TOKENS_PER_MINUTE: return "Tokens per minute";
    case DIM_TOKENS_PER_HOUR: return "Tokens per hour";
    case DIM_INPUT_TOKENS_PER_MINUTE: return "Input tokens per minute";
    case DIM_OUTPUT_TOKENS_PER_MINUTE: return "Output tokens per minute";
    case DIM_COUNT: break;
    }
    return "";
}

const char *view_gate_label(enum gate g)
{
    static const char *const spread[DIM_COUNT] = {
        "Requests per minute, spread", "Requests per hour, spread", "Tokens per minute, spread", "Tokens per hour, spread",
        "Input tokens per minute, spread", "Output tokens per minute, spread",
    };
    enum dim d;

    if ((int)g < DIM_COUNT)
        return view_dim_label((enum dim)(int)g);
    if (gate_spreads(g, &d))
        return spread[d];
    switch (g) {
    case GATE_CONCURRENCY: return "A free place";
    case GATE_BUDGET: return "The budget";
    case GATE_PACING: return "Even spacing";
    case GATE_STABILIZING: return "The provider’s recovery";
    case GATE_BACKOFF: return "The next attempt";
    case GATE_SESSION: return "The message before it";
    case GATE_NONE:
    case GATE_SPREAD:
    case GATE_COUNT: break;
    }
    return "Its turn";
}
