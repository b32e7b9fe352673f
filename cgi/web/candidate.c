/* candidate.c - see candidate.h. */
#include "web/candidate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "rules/context.h"
#include "web/filter.h"
#include "web/route.h"

enum { MODELS_MAX = 4 * 1024 * 1024 };        /* bytes of JSON about them */
enum { DEFAULT_MAX_TOKENS = 4096 };      /* where neither the caller nor the price table knows a cap */

/* --- who --- */

static const struct price *price_of(const struct web *w, const struct upstream_settings *u, const char *model)
{
    const struct price_table *t = w->prices;
    const struct price *p;
    enum price_match match;

    if (u->protocol == PROTOCOL_BUILTIN)
        return NULL;
    p = price_find(t, price_provider(t, u->name, u->base_url), model, &match);
    return p ? p : w->fallback_price;
}

/* A model's price is that of the first upstream that serves it, or its dearer tier's where one of them gives that unasked. */
static void add_model(const struct web *w, const char *model, int stage, const struct filters *f, struct candidate_list *l)
{
    uint64_t upstreams = filters_allow(f, model) ? engine_upstreams_for(w->engine, model) : 0;
    const struct settings *s = w->settings;              /* never older than what the engine goes by */
    const struct upstream_settings *first;
    const struct price *price;

    if (!upstreams || l->n == ASK_CANDIDATES_MAX)
        return;
    first = &s->upstreams[__builtin_ctzll(upstreams)];
    price = price_of(w, first, model);
    for (size_t i = 0; price && i < s->n_upstreams; i++)
        if ((upstreams >> i & 1) && s->upstreams[i].priority_tier)
            price = price_for(price, PRICE_PRIORITY);
    l->of[l->n++] = (struct candidate_model){.model = model, .upstreams = upstreams, .price = price,
                                             .builtin = first->protocol == PROTOCOL_BUILTIN, .stage = stage,
                                             .tokens = tokens_for(w->tokens, model), .context = price ? price->context : 0};
}

void candidates_default(struct exchange *x, char out[MODEL_NAME_SIZE])
{
    struct sb text = sb_make(MODELS_MAX);
    struct filters *f;
    json_t *list = NULL;

    engine_default_model(x->web->engine, out);
    if (filters_of(x, &f) == WEIR_OK && !filters_allow(f, out)) {
        engine_models_json(x->web->engine, &text);
        list = json_loadb(sb_str(&text), text.len, 0, NULL);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *id = json_str(json_array_get(list, i), "id", "");

        if (filters_allow(f, id)) {
            (void)snprintf(out, MODEL_NAME_SIZE, "%s", id);
            break;
        }
    }
    json_decref(list);
    sb_done(&text);
}

enum weir_err candidates_find(struct exchange *x, const char *model, struct candidate_list *out)
{
    const struct settings *s = x->web->settings;
    const struct cfg_list *others = settings_fallbacks(s, model);
    bool automatic = strcmp(model, MODEL_AUTO) == 0;
    struct filters *f;
    enum weir_err e = filters_of(x, &f);

    out->n = 0;
    if (e)
        return e;
    if (automatic && s->automatic.n == 0)
        return web_refuse(x, WEIR_E_MODEL_NOT_FOUND, "model", "There is no list of models for '%s' to choose from; the operator sets "
                          "one with auto in weir.json. GET /chat/models lists the models there are.", MODEL_AUTO);
    if (automatic)
        others = &s->automatic;
    else
        add_model(x->web, model, 0, f, out);
    for (size_t i = 0; others && i < others->n; i++)
        add_model(x->web, others->items[i], automatic ? 0 : (int)i + 1, f, out);
    if (out->n == 0 && !engine_models_known(x->web->engine))
        return web_refuse(x, WEIR_E_UNAVAILABLE, NULL, "The providers are being asked for their models; a moment later it is known.");
    if (!automatic && !filters_allow(f, model) && engine_upstreams_for(x->web->engine, model))
        return web_refuse(x, WEIR_E_MODEL_NOT_ALLOWED, "model", "You may not use the model '%.100s'; GET /chat/models lists those you may.", model);
    if (out->n == 0 && f && automatic)
        return web_refuse(x, WEIR_E_MODEL_NOT_ALLOWED, "model", "You may use none of the models that '%s' chooses from.", MODEL_AUTO);
    if (out->n == 0)
        return web_refuse(x, WEIR_E_MODEL_NOT_FOUND, "model", "There is no model '%.100s' here; GET /chat/models lists them.", model);
    return WEIR_OK;
}

bool candidates_speak(const struct exchange *x, const struct candidate_list *l, enum protocol p)
{
    const struct settings *s = x->web->settings;

    for (size_t i = 0; i < l->n; i++)
        for (size_t u = 0; u < s->n_upstreams; u++)
            if ((l->of[i].upstreams >> u & 1) && s->upstreams[u].protocol == p)
                return true;
    return false;
}

/* --- does it fit --- */

static int64_t at_most(int64_t n, int64_t bound)
{
    return bound > 0 && n > bound ? bound : n;
}

static bool same_count(const struct tokens_model *a, const struct tokens_model *b)
{
    return a->encoding == b->encoding && a->permille == b->permille;
}

static struct tokens_message message_of(const struct openai_turn *t)
{
    return (struct tokens_message){.role = t->role, .content = t->text, .content_bytes = strlen(t->text)};
}

void candidates_count_by(struct candidate_list *l, candidate_count_fn *fn, const void *ctx)
{
    for (size_t i = 0; i < l->n; i++) {
        size_t k = 0;

        while (k < i && !same_count(&l->of[k].tokens, &l->of[i].tokens))
            k++;
        l->of[i].prompt_tokens = k < i ? l->of[k].prompt_tokens : fn(&l->of[i].tokens, l->of[i].model, ctx);
    }
}

struct chat {
    struct tokens_message *messages;
    size_t n;
};

static int64_t count_chat(const struct tokens_model *m, const char *model, const void *ctx)
{
    const struct chat *c = ctx;

    (void)model;
    return tokens_count_chat(m, c->messages, c->n);
}

void candidates_count(struct candidate_list *l, const struct openai_turn *turns, size_t n)
{
    const struct chat c = {mem_zalloc(n, sizeof *c.messages), n};

    for (size_t i = 0; i < n; i++)
        c.messages[i] = message_of(&turns[i]);
    candidates_count_by(l, count_chat, &c);
    free(c.messages);
}

static bool fits(struct candidate_model *c, int64_t asked, int64_t output_max)
{
    int64_t model_max = c->price ? c->price->max_out : 0;

    c->max_tokens = at_most(asked ? asked : model_max > 0 ? model_max : DEFAULT_MAX_TOKENS, model_max);
    c->max_tokens = at_most(c->max_tokens, output_max);
    if (c->context <= 0)
        return true;
    c->max_tokens = at_most(c->max_tokens, c->context - c->prompt_tokens);
    return c->prompt_tokens < c->context;
}

/* That with the largest window of those that may be asked first. */
static size_t largest_of(const struct candidate_list *l)
{
    size_t best = 0;

    for (size_t i = 1; i < l->n && l->of[i].stage == l->of[0].stage; i++)
        if (l->of[i].context >= l->of[best].context)
            best = i;
    return best;
}

size_t candidates_omit(const struct candidate_list *l, const struct openai_turn *turns, size_t n, size_t first, int64_t asked)
{
    const struct candidate_model *c = &l->of[largest_of(l)];
    int64_t fixed = c->prompt_tokens,
            room = context_room(c->context, at_most(asked ? asked : DEFAULT_MAX_TOKENS, c->price ? c->price->max_out : 0));
    struct context_turn *t;
    size_t omitted;

    if (c->context <= 0 || c->prompt_tokens <= room || n < first + 2)
        return 0;
    t = mem_zalloc(n, sizeof *t);
    for (size_t i = first; i + 1 < n; i++) {
        const struct tokens_message m = message_of(&turns[i]);

        t[i].tokens = tokens_count_chat(&c->tokens, &m, 1) - tokens_count_chat(&c->tokens, &m, 0);
        t[i].question = strcmp(turns[i].role, "user") == 0;
        fixed -= t[i].tokens;
    }
    omitted = context_omitted(t + first, n - 1 - first, fixed, room);
    free(t);
    return omitted;
}

void candidates_fit(struct candidate_list *l, int64_t asked, int64_t output_max)
{
    struct candidate_model largest = l->of[largest_of(l)];
    int first = l->of[0].stage;
    size_t left = 0;

    for (size_t i = 0; i < l->n; i++) {
        if (fits(&l->of[i], asked, output_max))
            l->of[left++] = l->of[i];
    }
    l->n = left;
    if (left > 0 && l->of[0].stage == first)
        return;
    l->of[0] = largest;
    l->of[0].max_tokens = 0;
    l->n = 1;
}

enum weir_err candidates_too_small(struct exchange *x, const struct candidate_list *l, const char *param)
{
    const struct candidate_model *largest = &l->of[0];

    return web_refuse(x, WEIR_E_CONTEXT_LENGTH, param,
                      "The conversation has %" PRId64 " tokens; %.100s takes %" PRId64
                      " with its answer. Shorten it, begin a new one, or choose a larger model.",
                      largest->prompt_tokens, largest->model, largest->context);
}

/* --- what it costs --- */

void candidate_cost(const struct exchange *x, const struct candidate_model *c, struct call_cost *to)
{
    const struct usage_tokens prompt = {.prompt = c->prompt_tokens};
    const struct web *w = x->web;
    struct cost cost;

    (void)snprintf(to->price_version, sizeof to->price_version, "%s",
                   c->price ? c->price->version : price_table_version(w->prices));
    to->priced = c->price || c->builtin;
    to->rate_in = to->rate_out = 0;
    if (c->price && price_cost(c->price, &prompt, &cost)) {
        to->rate_in = cost.rate_in;
        to->rate_out = cost.rate_out;
    }
}
