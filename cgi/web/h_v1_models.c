/* h_v1_models.c - GET /v1/models and /v1/models/{model}: what the caller may use,
 * in OpenAI's shape, or in Anthropic's for those who send its version. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "web/filter.h"
#include "web/route.h"

enum { MODELS_MAX = 4 * 1024 * 1024 };

static const struct price *price_of(const struct exchange *x, const char *id, const char *upstream)
{
    const struct price_table *t = x->web->prices;
    const struct upstream_settings *u = settings_upstream(x->web->settings, upstream);
    enum price_match match;

    return price_find(t, price_provider(t, upstream, u ? u->base_url : NULL), id, &match);
}

/* A model's own date is known to nobody: that of Weir's start is at least always the same. */
static void openai_model(const struct exchange *x, const json_t *m, struct sb *out)
{
    const char *upstream = json_str(m, "upstream", "");

    sb_puts(out, "{\"id\":");
    sb_json(out, json_str(m, "id", ""));
    sb_putf(out, ",\"object\":\"model\",\"created\":%" PRId64 ",\"owned_by\":", x->web->started_ms / 1000);
    sb_json(out, *upstream ? upstream : "weir");
    sb_putc(out, '}');
}

static void anthropic_model(const struct exchange *x, const json_t *m, struct sb *out)
{
    const struct price *p = price_of(x, json_str(m, "id", ""), json_str(m, "upstream", ""));

    sb_puts(out, "{\"type\":\"model\",\"id\":");
    sb_json(out, json_str(m, "id", ""));
    sb_puts(out, ",\"display_name\":");
    sb_json(out, json_str(m, "id", ""));
    sb_puts(out, ",\"created_at\":\"");
    sb_time(out, x->web->started_ms / 1000 * 1000);
    sb_puts(out, "\"");
    if (p && p->context > 0)
        sb_putf(out, ",\"max_input_tokens\":%" PRId64, p->context);
    if (p && p->max_out > 0)
        sb_putf(out, ",\"max_tokens\":%" PRId64, p->max_out);
    sb_putc(out, '}');
}

static void put_model(const struct exchange *x, const json_t *m, struct sb *out)
{
    if (x->in.anthropic_version)
        anthropic_model(x, m, out);
    else
        openai_model(x, m, out);
}

/* One entry for each name, however many upstreams serve it. Gives a new reference. */
static enum weir_err list_models(struct exchange *x, json_t **out)
{
    struct sb known = sb_make(MODELS_MAX);
    json_t *all, *seen = json_object();
    struct filters *f;
    enum weir_err e = filters_of(x, &f);

    *out = json_array();
    engine_models_json(x->web->engine, &known);
    all = json_loadb(sb_str(&known), known.len, 0, NULL);
    for (size_t i = 0; !e && i < json_array_size(all); i++) {
        json_t *m = json_array_get(all, i);
        const char *id = json_str(m, "id", "");

        if (json_object_get(seen, id) || !filters_allow(f, id))
            continue;
        (void)json_object_set_new(seen, id, json_true());
        (void)json_array_append(*out, m);
    }
    sb_done(&known);
    json_decref(all);
    json_decref(seen);
    return e;
}

enum weir_err h_v1_models(struct exchange *x)
{
    struct sb *out = &x->out.body;
    json_t *list;
    enum weir_err e = list_models(x, &list);
    size_t n = json_array_size(list);

    sb_puts(out, x->in.anthropic_version ? "{\"data\":[" : "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            sb_putc(out, ',');
        put_model(x, json_array_get(list, i), out);
    }
    sb_putc(out, ']');
    if (x->in.anthropic_version) {
        sb_puts(out, ",\"has_more\":false,\"first_id\":");
        sb_json(out, n ? json_str(json_array_get(list, 0), "id", NULL) : NULL);
        sb_puts(out, ",\"last_id\":");
        sb_json(out, n ? json_str(json_array_get(list, n - 1), "id", NULL) : NULL);
    }
    sb_puts(out, "}\n");
    json_decref(list);
    return e;
}

enum weir_err h_v1_model(struct exchange *x)
{
    char id[HTTP_PATH_MAX + 1];
    const json_t *found = NULL;
    json_t *list = NULL;
    enum weir_err e = WEIR_OK;

    (void)snprintf(id, sizeof id, "%s", x->in.path + sizeof HTTP_ENCODED - 1);
    if (http_url_decode(id))
        e = list_models(x, &list);
    for (size_t i = 0; i < json_array_size(list) && !found; i++)
        if (strcmp(json_str(json_array_get(list, i), "id", ""), id) == 0)
            found = json_array_get(list, i);
    if (!e && !found)
        e = web_refuse(x, WEIR_E_MODEL_NOT_FOUND, "model", "There is no model '%.100s' here; GET /v1/models lists them.", id);
    if (!e) {
        put_model(x, found, &x->out.body);
        sb_putc(&x->out.body, '\n');
    }
    json_decref(list);
    return e;
}
