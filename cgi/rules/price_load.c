/* price_load.c - JSON to table. Base and own prices are first laid over one
 * another as JSON, by "provider/id", then each model is checked member by member:
 * a misspelt or fractional price is refused, never skipped. */
#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "rules/price_table.h"

enum { RATE_MAX = 1000000000, TOKENS_MAX = 1000000000, SERVICE_MAX = 10000 };   /* $1,000 per million tokens */

static const struct json_limits limits = {8, 200000};

/* Members that are prices; the rest describe the model. */
static const char *const rate_members[] = {"in", "out", "cache_read", "cache_write", "cache_write_1h", "tiers", "services"};
static const char *const other_members[] = {"provider", "id", "aliases", "ctx", "max_out", "reasoning", "vision",
                                            "no_temperature"};

struct loader {
    struct price_table *t;
    char *why;
    const char *model;       /* "provider/id" being read, for messages */
};

__attribute__((format(printf, 2, 3)))
static enum weir_err fail(const struct loader *l, const char *fmt, ...)
{
    char what[PRICE_WHY - 60];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    (void)snprintf(l->why, PRICE_WHY, "prices: %.48s: %s", l->model, what);
    return WEIR_E_INVALID_FIELD;
}

static bool is_one_of(const char *key, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(key, list[i]))
            return true;
    return false;
}

static bool is_rate(const char *key)
{
    return is_one_of(key, rate_members, sizeof rate_members / sizeof *rate_members);
}

/* Lay `model` over the entry of its key in `all`; the operator's own is marked, by a member that no table may have. */
static enum weir_err lay_over(struct loader *l, json_t *all, const json_t *model, bool own)
{
    const char *provider = json_str(model, "provider", ""), *id = json_str(model, "id", ""), *key;
    char name[2 * PRICE_NAME_MAX + 2];
    json_t *entry, *member;
    bool prices = false;
    void *next;

    if (!*provider || !*id || strlen(provider) > PRICE_NAME_MAX || strlen(id) > PRICE_NAME_MAX)
        return fail(l, "each model has a provider and an id of at most %d characters", PRICE_NAME_MAX);
    (void)snprintf(name, sizeof name, "%s/%s", provider, id);
    l->model = name;
    json_object_foreach((json_t *)model, key, member) {
        prices |= is_rate(key);
        if (!is_rate(key) && !is_one_of(key, other_members, sizeof other_members / sizeof *other_members))
            return fail(l, "has no member \"%.40s\"", key);
    }
    entry = json_object_get(all, name);
    if (!entry) {
        entry = json_object();
        if (json_object_set_new(all, name, entry))
            return WEIR_E_INTERNAL;
    }
    json_object_foreach_safe(entry, next, key, member)
        if (prices && is_rate(key))
            (void)json_object_del(entry, key);
    return json_object_update(entry, (json_t *)model) || (own && json_object_set_new(entry, "own", json_true())) ? WEIR_E_INTERNAL : WEIR_OK;
}

static enum weir_err lay_all_over(struct loader *l, json_t *all, const json_t *doc, bool own)
{
    const json_t *models = json_object_get(doc, "models");
    enum weir_err e = WEIR_OK;
    json_t *model;
    size_t i;

    l->model = "table";
    if (!json_is_array(models))
        return fail(l, "there is no list \"models\"");
    if (strcmp(json_str(doc, "currency", "USD"), "USD") != 0)
        return fail(l, "prices are in USD");
    json_array_foreach(models, i, model) {
        e = lay_over(l, all, model, own);
        l->model = "table";
        if (e)
            break;
    }
    return e;
}

/* A whole number from 0 to `max`; `fallback` if the member is absent. */
static enum weir_err read_number(const struct loader *l, const json_t *obj, const char *key, int64_t max,
                                 int64_t fallback, int64_t *out)
{
    const json_t *v = json_object_get(obj, key);

    *out = v ? json_integer_value(v) : fallback;
    if (v && (!json_is_integer(v) || *out < 0 || *out > max))
        return fail(l, "%s must be a whole number from 0 to %lld", key, (long long)max);
    return WEIR_OK;
}

static enum weir_err read_rates(const struct loader *l, const json_t *obj, struct price_rates *r)
{
    const struct {
        const char *key;
        int64_t *to;
    } rates[] = {{"in", &r->in},
                 {"out", &r->out},
                 {"cache_read", &r->cache_read},
                 {"cache_write", &r->cache_write},
                 {"cache_write_1h", &r->cache_write_1h}};
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; i < sizeof rates / sizeof *rates && !e; i++)
        e = read_number(l, obj, rates[i].key, RATE_MAX, -1, rates[i].to);
    if (!e && (r->in < 0 || r->out < 0))
        e = fail(l, "\"in\" and \"out\" (picodollars per token) are needed");
    return e;
}

/* A tier has a beginning and prices, nothing else. */
static enum weir_err check_tier(const struct loader *l, json_t *tier)
{
    const char *key;
    json_t *member;

    json_object_foreach(tier, key, member)
        if (strcmp(key, "above") != 0 && (!is_rate(key) || !strcmp(key, "tiers") || !strcmp(key, "services")))
            return fail(l, "a tier has no member \"%.40s\"", key);
    return WEIR_OK;
}

static enum weir_err read_tiers(const struct loader *l, const json_t *model, struct price *p)
{
    const json_t *tiers = json_object_get(model, "tiers");
    enum weir_err e = read_rates(l, model, &p->tier[0]);
    json_t *tier;
    size_t i;

    p->tiers = 1;
    if (!e && tiers && (!json_is_array(tiers) || json_array_size(tiers) >= PRICE_TIERS_MAX))
        return fail(l, "\"tiers\" is a list of at most %d", PRICE_TIERS_MAX - 1);
    json_array_foreach(tiers, i, tier) {
        struct price_rates *r = &p->tier[p->tiers];

        if (!e)
            e = check_tier(l, tier);
        if (!e)
            e = read_number(l, tier, "above", TOKENS_MAX, 0, &r->above);
        if (!e && r->above <= p->tier[p->tiers - 1].above)
            e = fail(l, "each tier begins \"above\" the one before");
        if (!e)
            e = read_rates(l, tier, r);
        if (e)
            break;
        p->tiers++;
    }
    return e;
}

/* {"batch":500,"flex":500,"priority":2000}: thousandths of the rates. */
static enum weir_err read_services(const struct loader *l, const json_t *model, struct price *p)
{
    json_t *services = json_object_get(model, "services"), *v;
    const char *name;

    if (services && !json_is_object(services))
        return fail(l, "\"services\" is an object");
    json_object_foreach(services, name, v) {
        enum price_service s = price_service_of(name, strlen(name));

        if (s == PRICE_STANDARD || !json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > SERVICE_MAX)
            return fail(l, "services.%.20s: batch, flex and priority have thousandths of the price, 1 to %d", name, SERVICE_MAX);
        p->permille[s] = (int32_t)json_integer_value(v);
    }
    return WEIR_OK;
}

static const char *keep(struct price_table *t, const char *s)
{
    t->string = mem_grow(t->string, t->strings + 1, sizeof *t->string);
    t->string[t->strings] = mem_strdup(s);
    return t->string[t->strings++];
}

static void add_name(struct price_table *t, const char *name, const struct price *p, bool alias)
{
    t->name = mem_grow(t->name, t->names + 1, sizeof *t->name);
    t->name[t->names++] = (struct price_name){name, p, alias};
}

static enum weir_err read_model(const struct loader *l, const json_t *model, struct price *p)
{
    struct price_table *t = l->t;
    const json_t *aliases = json_object_get(model, "aliases");
    enum weir_err e = read_tiers(l, model, p);
    json_t *alias;
    size_t i;

    if (!e)
        e = read_services(l, model, p);
    if (!e)
        e = read_number(l, model, "ctx", TOKENS_MAX, 0, &p->context);
    if (!e)
        e = read_number(l, model, "max_out", TOKENS_MAX, 0, &p->max_out);
    if (e)
        return e;
    p->provider = keep(t, json_str(model, "provider", ""));
    p->id = keep(t, json_str(model, "id", ""));
    p->reasoning = json_is_true(json_object_get(model, "reasoning"));
    p->own = json_object_get(model, "own") != NULL;
    p->vision = json_is_true(json_object_get(model, "vision"));
    p->no_temperature = json_is_true(json_object_get(model, "no_temperature"));
    add_name(t, p->id, p, false);
    json_array_foreach(aliases, i, alias) {
        if (!json_is_string(alias))
            return fail(l, "\"aliases\" are names");
        add_name(t, keep(t, json_string_value(alias)), p, true);
    }
    return WEIR_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct price *x = a, *y = b;
    int order = strcmp(x->provider, y->provider);

    return order ? order : strcmp(x->id, y->id);
}

/* By provider and name; an id before an alias of the same spelling. */
static int by_name(const void *a, const void *b)
{
    const struct price_name *x = a, *y = b;
    int order = strcmp(x->price->provider, y->price->provider);

    if (!order)
        order = strcmp(x->name, y->name);
    return order ? order : x->alias - y->alias;
}

/* Of one spelling the first stays, so that look-up cannot depend on chance. */
static void drop_doubles(struct price_table *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->names; i++) {
        const struct price_name *e = &t->name[i], *last = kept ? &t->name[kept - 1] : NULL;

        if (!last || strcmp(last->name, e->name) != 0 || strcmp(last->price->provider, e->price->provider) != 0)
            t->name[kept++] = *e;
    }
    t->names = kept;
}

static enum weir_err build(struct loader *l, json_t *all)
{
    struct price_table *t = l->t;
    enum weir_err e = WEIR_OK;
    const char *key;
    json_t *model;

    t->price = mem_zalloc(json_object_size(all), sizeof *t->price);
    json_object_foreach(all, key, model) {
        l->model = key;
        e = read_model(l, model, &t->price[t->n]);
        if (e)
            return e;
        t->n++;
    }
    return WEIR_OK;
}

/* Sorting moves prices, so names are pointed at them again by provider and id. */
static void sort(struct price_table *t)
{
    struct price *from = t->price, *to;

    if (!t->n)
        return;
    to = mem_zalloc(t->n, sizeof *to);
    memcpy(to, from, t->n * sizeof *to);
    qsort(to, t->n, sizeof *to, by_id);
    for (size_t i = 0; i < t->names; i++)
        t->name[i].price = bsearch(t->name[i].price, to, t->n, sizeof *to, by_id);
    t->price = to;
    free(from);
    qsort(t->name, t->names, sizeof *t->name, by_name);
    drop_doubles(t);
}

static int64_t scaled(int64_t rate, int32_t permille)
{
    return rate < 0 ? rate : (rate * permille + 500) / 1000;
}

/* A model's services are prices of their own, beside the table. */
static void make_services(struct price_table *t)
{
    t->variant = mem_zalloc(t->n * (PRICE_SERVICES - 1) + 1, sizeof *t->variant);
    for (size_t i = 0; i < t->n; i++) {
        struct price *p = &t->price[i];

        p->service[PRICE_STANDARD] = p;
        for (int s = PRICE_BATCH; s < PRICE_SERVICES; s++) {
            struct price *v = &t->variant[i * (PRICE_SERVICES - 1) + (size_t)s - 1];

            if (!p->permille[s])
                continue;
            *v = *p;
            for (int k = 0; k < p->tiers; k++) {
                struct price_rates *r = &v->tier[k];

                r->in = scaled(r->in, p->permille[s]);
                r->out = scaled(r->out, p->permille[s]);
                r->cache_read = scaled(r->cache_read, p->permille[s]);
                r->cache_write = scaled(r->cache_write, p->permille[s]);
                r->cache_write_1h = scaled(r->cache_write_1h, p->permille[s]);
            }
            p->service[s] = v;
        }
    }
}

static void set_version(struct price_table *t, const json_t *doc, const char *text, size_t n, const char *own, size_t own_n)
{
    crypto_hash_sha256_state state;
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1] = "";

    if (own) {
        crypto_hash_sha256_init(&state);
        crypto_hash_sha256_update(&state, (const unsigned char *)text, n);
        crypto_hash_sha256_update(&state, (const unsigned char *)own, own_n);
        crypto_hash_sha256_final(&state, hash);
        (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    }
    (void)snprintf(t->version, sizeof t->version, "%.10s%s%.8s", json_str(doc, "as_of", "undated"), own ? "+" : "", hex);
}

enum weir_err price_table_load(const char *text, size_t n, const char *own, size_t own_n, struct price_table **out,
                               char why[PRICE_WHY])
{
    struct loader l = {.t = mem_zalloc(1, sizeof *l.t), .why = why};
    json_t *all = json_object(), *doc = NULL, *own_doc = NULL;
    enum weir_err e = json_parse_object(text, n, &limits, &doc, why);

    *out = NULL;
    if (!e && own)
        e = json_parse_object(own, own_n, &limits, &own_doc, why);
    if (e) {
        e = WEIR_E_INVALID_JSON;
        goto out;
    }
    e = lay_all_over(&l, all, doc, false);
    if (!e && own)
        e = lay_all_over(&l, all, own_doc, true);
    if (!e)
        e = build(&l, all);
    if (e)
        goto out;
    sort(l.t);
    set_version(l.t, doc, text, n, own, own_n);
    for (size_t i = 0; i < l.t->n; i++)
        l.t->price[i].version = l.t->version;
    make_services(l.t);
    *out = l.t;
    l.t = NULL;
out:
    json_decref(all);
    json_decref(doc);
    json_decref(own_doc);
    price_table_free(l.t);
    return e;
}

void price_table_free(struct price_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->strings; i++)
        free(t->string[i]);
    free(t->string);
    free(t->price);
    free(t->variant);
    free(t->name);
    free(t);
}
