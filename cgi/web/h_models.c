/* h_models.c - GET /chat/models: what the engine knows of each model, with the
 * window and the prices of the table. */
#include <string.h>

#include "base/json.h"
#include "web/candidate.h"
#include "web/filter.h"
#include "web/route.h"

enum { MODELS_MAX = 4 * 1024 * 1024 };

static void rate_json(struct sb *out, const char *name, int64_t pico_per_token)
{
    sb_putf(out, "\"%s\":", name);
    if (pico_per_token < 0)
        sb_puts(out, "null");
    else
        sb_usd(out, pico_per_token * 1000000);
}

static void count_json(struct sb *out, const char *name, int64_t n)
{
    sb_putf(out, ",\"%s\":", name);
    if (n > 0)
        sb_i64(out, n);
    else
        sb_puts(out, "null");
}

static void model_json(const struct exchange *x, const json_t *m, const char *standard, struct sb *out)
{
    const struct price_table *t = x->web->prices;
    const char *id = json_str(m, "id", ""), *name = json_str(m, "upstream", "");
    const struct upstream_settings *u = settings_upstream(x->web->settings, name);
    enum price_match match;
    const struct price *p = price_find(t, price_provider(t, name, u ? u->base_url : NULL), id, &match);

    sb_puts(out, "{\"id\":");
    sb_json(out, id);
    sb_puts(out, ",\"upstream\":");
    sb_json(out, *name ? name : NULL);
    sb_putf(out, ",\"healthy\":%s,\"default\":%s", json_is_true(json_object_get(m, "healthy")) ? "true" : "false",
            strcmp(id, standard) == 0 ? "true" : "false");
    count_json(out, "context_window", p ? p->context : 0);
    count_json(out, "max_output_tokens", p ? p->max_out : 0);
    sb_putf(out, ",\"priced\":%s,\"price_match\":\"%s\",\"prices\":", p ? "true" : "false", price_match_name(match));
    if (p) {
        const struct price_rates *r = &p->tier[0];

        sb_putc(out, '{');
        rate_json(out, "input_per_million_usd", r->in);
        sb_putc(out, ',');
        rate_json(out, "cached_per_million_usd", r->cache_read < 0 ? r->in : r->cache_read);
        sb_putc(out, ',');
        rate_json(out, "output_per_million_usd", r->out);
        sb_putc(out, '}');
    } else
        sb_puts(out, "null");
    sb_putc(out, '}');
}

enum weir_err h_chat_models(struct exchange *x)
{
    struct sb known = sb_make(MODELS_MAX);
    char standard[MODEL_NAME_SIZE];
    struct filters *f;
    json_t *list;
    enum weir_err e = filters_of(x, &f);
    bool any = false;

    if (e)
        return e;
    engine_models_json(x->web->engine, &known);
    candidates_default(x, standard);
    list = json_loadb(sb_str(&known), known.len, 0, NULL);
    sb_puts(&x->out.body, "{\"items\":[");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!filters_allow(f, json_str(json_array_get(list, i), "id", "")))
            continue;
        sb_puts(&x->out.body, any ? "," : "");
        any = true;
        model_json(x, json_array_get(list, i), standard, &x->out.body);
    }
    sb_puts(&x->out.body, "],\"next_cursor\":null}\n");
    sb_done(&known);
    json_decref(list);
    return WEIR_OK;
}
