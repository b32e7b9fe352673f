/* batch_estimate.c - see batch_estimate.h. */
#include "flow/batch_estimate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "peer/weir_call.h"

enum { ESTIMATE_TEXT = 900 * 1000 };

bool batch_estimate_body(const struct batch_item *it, struct sb *out)
{
    json_t *body = json_loads(it->body, 0, NULL);
    json_t *input = json_object_get(body, "messages");
    json_t *cap = json_object_get(body, "max_completion_tokens");
    char *text;

    input = input ? input : json_object_get(body, "input");
    cap = cap ? cap : json_object_get(body, "max_tokens");
    cap = cap ? cap : json_object_get(body, "max_output_tokens");
    text = input ? json_dumps(input, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    sb_puts(out, "{\"model\":");
    sb_json(out, json_str(body, "model", ""));
    sb_puts(out, ",\"message\":");
    sb_json_n(out, text ? text : "-", text ? strnlen(text, ESTIMATE_TEXT) : 1);
    if (json_integer_value(cap) > 0)
        sb_putf(out, ",\"max_tokens\":%" JSON_INTEGER_FORMAT, json_integer_value(cap));
    sb_putc(out, '}');
    free(text);
    json_decref(body);
    return sb_ok(out);
}

static enum batch_end ask_now(struct weir_call *c, const struct batch_setup *s, const char *path, const struct sb *body, json_t **out, struct sb *why)
{
    CURLcode code;
    char reason[160];

    *out = NULL;
    if (!weir_call_set(c, s->url, s->token, path, body ? sb_str(body) : NULL, body ? body->len : 0, NULL, NULL))
        return BATCH_END_UNREACHABLE;
    code = curl_easy_perform(c->easy);
    if (code != CURLE_OK || weir_call_status(c) >= 500) {
        sb_putf(why, "Weir at %s cannot be reached: %s. Is it running? --url or WEIR_URL say where it is.", s->url,
                code != CURLE_OK ? curl_easy_strerror(code) : err_reason(weir_call_status(c)));
        return BATCH_END_UNREACHABLE;
    }
    if (json_parse_object(sb_str(&c->answer), c->answer.len, &json_limits_compat, out, reason))
        *out = NULL;
    if (weir_call_status(c) != 401)
        return BATCH_END_ALL;
    sb_puts(why, json_str(json_object_get(*out, "error"), "message", "Weir does not take the token."));
    return BATCH_END_TOKEN;
}

static void add_estimate(struct batch_estimate *out, const json_t *j)
{
    int64_t low = weir_call_dollars_of(j, "cost_low_usd"), high = weir_call_dollars_of(j, "cost_high_usd");

    out->sampled++;
    out->unpriced += low < 0;
    out->tokens_in += json_int(j, "prompt_tokens", 0);
    out->cost_low += low > 0 ? low : 0;
    out->cost_high += high > 0 ? high : 0;
}

/* `owned_by` of the model in the list of /v1/models. */
static void find_upstream(const struct batch_setup *s, const json_t *models, char *out, size_t size)
{
    const json_t *list = json_object_get(models, "data");
    size_t first = 0;
    json_t *body;

    while (first < s->in->n && batch_log_state(s->log, first) != BATCH_OPEN)
        first++;
    body = first < s->in->n ? json_loads(s->in->items[first].body, 0, NULL) : NULL;
    for (size_t i = 0; body && i < json_array_size(list); i++)
        if (strcmp(json_str(json_array_get(list, i), "id", ""), json_str(body, "model", "")) == 0)
            (void)snprintf(out, size, "%s", json_str(json_array_get(list, i), "owned_by", ""));
    json_decref(body);
}

static int64_t scaled(int64_t sum, const struct batch_estimate *e)
{
    return e->sampled > 0 ? (int64_t)((double)sum / (double)e->sampled * (double)e->items) : 0;
}

enum batch_end batch_estimate(const struct batch_setup *s, int64_t samples, struct batch_estimate *out, struct sb *why)
{
    struct weir_call c;
    enum batch_end end = BATCH_END_UNREACHABLE;
    json_t *j = NULL;
    size_t step;

    *out = (struct batch_estimate){0};
    for (size_t i = 0; i < s->in->n; i++)
        out->items += batch_log_state(s->log, i) == BATCH_OPEN;
    step = samples > 0 && s->in->n > (size_t)samples ? s->in->n / (size_t)samples : 1;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && weir_call_open(&c)) {
        end = ask_now(&c, s, "/v1/models", NULL, &j, why);
        find_upstream(s, j, out->upstream, sizeof out->upstream);
        json_decref(j);
        for (size_t i = 0; samples > 0 && end == BATCH_END_ALL && i < s->in->n; i += step) {
            if (batch_log_state(s->log, i) != BATCH_OPEN)
                continue;
            sb_reset(&c.body);
            if (!batch_estimate_body(&s->in->items[i], &c.body))
                continue;
            end = ask_now(&c, s, "/chat/estimate", &c.body, &j, why);
            if (end == BATCH_END_ALL && weir_call_status(&c) == 200)
                add_estimate(out, j);
            json_decref(j);
        }
        weir_call_close(&c);
        curl_global_cleanup();
    }
    out->tokens_in = scaled(out->tokens_in, out);
    out->cost_low = scaled(out->cost_low, out);
    out->cost_high = scaled(out->cost_high, out);
    return end;
}

/* At once goes a sixth of a limit, as far as the window's use has left of it; then its rate. */
static double dimension_s(const json_t *d, double window_s, double rate_factor, int64_t need)
{
    double limit = json_number_value(json_object_get(d, "limit")), used = limit - json_number_value(json_object_get(d, "remaining"));
    double at_once = limit / 6 > used ? limit / 6 - used : 0;

    return limit > 0 && (double)need > at_once ? ((double)need - at_once) * window_s / (limit * rate_factor) : 0;
}

int64_t batch_limits_s(const json_t *told, const char *upstream, const struct batch_need *n)
{
    const struct {
        const char *dim;
        double window_s;
        int64_t need;
    } dims[] = {
        {"requests_per_minute", 60, n->requests}, {"requests_per_hour", 3600, n->requests},
        {"tokens_per_minute", 60, n->tokens_in + n->tokens_out}, {"tokens_per_hour", 3600, n->tokens_in + n->tokens_out},
        {"input_tokens_per_minute", 60, n->tokens_in}, {"output_tokens_per_minute", 60, n->tokens_out},
    };
    const json_t *list = json_object_get(told, "upstreams"), *u = NULL, *s;
    double most = 0, factor = 1;

    for (size_t i = 0; i < json_array_size(list) && !u; i++)
        if (strcmp(json_str(json_array_get(list, i), "name", ""), upstream) == 0)
            u = json_array_get(list, i);
    if (!u)
        return -1;
    s = json_object_get(u, "stabilization");
    if (json_is_true(json_object_get(s, "active")) && json_number_value(json_object_get(s, "rate_factor")) > 0)
        factor = json_number_value(json_object_get(s, "rate_factor"));
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        double takes = dimension_s(json_object_get(json_object_get(u, "dimensions"), dims[i].dim), dims[i].window_s, factor, dims[i].need);

        most = takes > most ? takes : most;
    }
    return most < (double)INT32_MAX ? (int64_t)(most + 0.5) : INT32_MAX;
}
