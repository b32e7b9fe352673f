/* price.c - look-up and arithmetic. The table's text is price_load.c's work. */
#include "rules/price.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/price_table.h"

/* Hosts that speak for one provider only, at its public prices. */
static const struct {
    const char *host, *provider;
} hosts[] = {
    {"api.anthropic.com", "anthropic"},
    {"api.cerebras.ai", "cerebras"},
    {"api.deepseek.com", "deepseek"},
    {"api.fireworks.ai", "fireworks"},
    {"api.groq.com", "groq"},
    {"api.meta.ai", "meta"},
    {"api.minimax.io", "minimax"},
    {"api.mistral.ai", "mistral"},
    {"api.moonshot.ai", "moonshotai"},
    {"api.openai.com", "openai"},
    {"api.together.ai", "together"},
    {"api.together.xyz", "together"},
    {"api.x.ai", "xai"},
    {"api.z.ai", "zai"},
    {"generativelanguage.googleapis.com", "google"},
};

const char *price_match_name(enum price_match m)
{
    switch (m) {
    case PRICE_NONE: return "none";
    case PRICE_EXACT: return "exact";
    case PRICE_DATED: return "dated";
    case PRICE_ALIAS: return "alias";
    case PRICE_PREFIX: return "prefix";
    }
    return "none";
}

const char *price_table_version(const struct price_table *t)
{
    return t->version;
}

size_t price_table_count(const struct price_table *t)
{
    return t->n;
}

const struct price *price_table_at(const struct price_table *t, size_t i)
{
    return &t->price[i];
}

/* The table's own spelling of a provider of `n` bytes, NULL if it has none. */
static const char *known_provider(const struct price_table *t, const char *name, size_t n)
{
    size_t lo = 0, hi = t->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const char *p = t->price[mid].provider;
        int order = strncmp(p, name, n);

        if (!order && !p[n])
            return p;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const char *price_provider(const struct price_table *t, const char *upstream, const char *base_url)
{
    const char *host = base_url ? strstr(base_url, "://") : NULL;
    size_t n;

    if (host) {
        host += 3;
        n = strcspn(host, ":/?#");
        for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
            if (strlen(hosts[i].host) == n && !strncasecmp(hosts[i].host, host, n))
                return known_provider(t, hosts[i].provider, strlen(hosts[i].provider));
    }
    return upstream ? known_provider(t, upstream, strlen(upstream)) : NULL;
}

/* The entry of the first `n` bytes of `name` at `provider`; NULL if there is none. */
static const struct price_name *find_name(const struct price_table *t, const char *provider, const char *name, size_t n)
{
    size_t lo = 0, hi = t->names;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct price_name *e = &t->name[mid];
        int order = strcmp(e->price->provider, provider);

        if (!order)
            order = strncmp(e->name, name, n);
        if (!order && e->name[n])
            order = 1;
        if (!order)
            return e;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* Does `s` end, at s[n], in this pattern? 'd' is a digit, others are themselves. */
static bool ends_like(const char *s, size_t n, const char *pattern)
{
    size_t k = strlen(pattern);

    if (n <= k)
        return false;
    for (s += n - k; *pattern; s++, pattern++)
        if (*pattern == 'd' ? *s < '0' || *s > '9' : *s != *pattern)
            return false;
    return true;
}

size_t price_name_undated(const char *model)
{
    static const char *const dates[] = {"-dddd-dd-dd", "-dddddddd", "@dddd-dd-dd", "@dddddddd"};
    size_t n = strlen(model);

    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
        if (ends_like(model, n, dates[i]))
            return n - strlen(dates[i]);
    return n;
}

static const struct price *find_at(const struct price_table *t, const char *provider, const char *name,
                                   enum price_match *match)
{
    size_t n = strlen(name), bare = price_name_undated(name);
    const struct price_name *e = find_name(t, provider, name, n);

    *match = PRICE_EXACT;
    if (!e && bare < n) {
        e = find_name(t, provider, name, bare);
        *match = PRICE_DATED;
    }
    if (e && e->alias)
        *match = PRICE_ALIAS;
    for (n = bare; !e && n > 1; n--)
        if (strchr("-:.", name[n - 1])) {
            e = find_name(t, provider, name, n - 1);
            *match = PRICE_PREFIX;
        }
    if (!e)
        *match = PRICE_NONE;
    return e ? e->price : NULL;
}

const struct price *price_find(const struct price_table *t, const char *provider, const char *model,
                               enum price_match *match)
{
    const char *slash = strchr(model, '/');
    const char *named = slash ? known_provider(t, model, (size_t)(slash - model)) : NULL;
    const struct price *p = NULL;

    *match = PRICE_NONE;
    if (strlen(model) > PRICE_NAME_MAX)
        return NULL;
    if (provider)
        p = find_at(t, provider, model, match);
    if (!p && named && (!provider || !strcmp(provider, named)))
        p = find_at(t, named, slash + 1, match);
    return p;
}

enum price_service price_service_of(const char *name, size_t n)
{
    static const struct {
        const char *name;
        enum price_service service;
    } services[] = {{"batch", PRICE_BATCH}, {"flex", PRICE_FLEX}, {"priority", PRICE_PRIORITY}, {"fast", PRICE_PRIORITY}};

    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (strlen(services[i].name) == n && memcmp(services[i].name, name, n) == 0)
            return services[i].service;
    return PRICE_STANDARD;
}

const struct price *price_for(const struct price *p, enum price_service s)
{
    const struct price *standard = p && p->service[PRICE_STANDARD] ? p->service[PRICE_STANDARD] : p;

    return standard && standard->service[s] ? standard->service[s] : standard;
}

bool price_is_free(const struct price *p)
{
    for (int i = 0; i < p->tiers; i++) {
        const struct price_rates *r = &p->tier[i];

        if (r->in || r->out || r->cache_read > 0 || r->cache_write > 0 || r->cache_write_1h > 0)
            return false;
    }
    return true;
}

/* The rates for a prompt of this length. */
static const struct price_rates *tier_for(const struct price *p, int64_t prompt)
{
    int i = p->tiers - 1;

    while (i > 0 && prompt <= p->tier[i].above)
        i--;
    return &p->tier[i];
}

static int64_t rate_or(int64_t rate, int64_t fallback)
{
    return rate < 0 ? fallback : rate;
}

static int64_t rate_write_1h(const struct price_rates *r)
{
    return rate_or(r->cache_write_1h, r->cache_write < 0 ? r->in : 2 * r->in);
}

/* tokens * rate, added to *sum and given in *part. */
static bool add_part(int64_t tokens, int64_t rate, int64_t *part, int64_t *sum)
{
    return !__builtin_mul_overflow(tokens, rate, part) && !__builtin_add_overflow(*sum, *part, sum);
}

static bool cost_of(const struct price_rates *r, const struct usage_tokens *u, struct cost *c)
{
    int64_t reasoning = u->reasoning < u->completion ? u->reasoning : u->completion;
    int64_t read_rate = rate_or(r->cache_read, r->in), parts, fresh, write, write_1h, none = 0;

    if (__builtin_add_overflow(u->cached, u->cache_write, &parts) ||
        __builtin_add_overflow(parts, u->cache_write_1h, &parts))
        return false;
    fresh = u->prompt > parts ? u->prompt - parts : 0;
    if (!add_part(fresh, r->in, &c->fresh, &c->input) ||
        !add_part(u->cached, read_rate, &c->cached, &c->input) ||
        !add_part(u->cache_write, rate_or(r->cache_write, r->in), &write, &c->input) ||
        !add_part(u->cache_write_1h, rate_write_1h(r), &write_1h, &c->input) ||
        !add_part(u->units, r->unit, &c->units, &c->input) || !add_part(u->completion - reasoning, r->out, &c->visible, &c->output) ||
        !add_part(reasoning, r->out, &c->reasoning, &c->output) ||
        !add_part(u->cached, r->in - read_rate, &c->saved, &none))
        return false;
    c->cache_write = write + write_1h;
    c->rate_in = r->in;
    c->rate_out = r->out;
    return !__builtin_add_overflow(c->input, c->output, &c->total);
}

bool price_cost(const struct price *p, const struct usage_tokens *u, struct cost *out)
{
    *out = (struct cost){0};
    if (u->prompt < 0 || u->cached < 0 || u->cache_write < 0 || u->cache_write_1h < 0 || u->completion < 0 ||
        u->reasoning < 0 || u->units < 0)
        return false;
    if (cost_of(tier_for(p, u->prompt), u, out))
        return true;
    *out = (struct cost){0};
    return false;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t price_worst_case(const struct price *p, int64_t prompt, int64_t max_out)
{
    int64_t in = 0, out = 0, sum, part;

    for (int i = 0; i < p->tiers && (i == 0 || prompt > p->tier[i].above); i++) {
        const struct price_rates *r = &p->tier[i];

        in = larger(in, larger(r->in, larger(r->cache_read, larger(r->cache_write, rate_write_1h(r)))));
        out = larger(out, r->out);
    }
    if (__builtin_mul_overflow(prompt, in, &sum) || __builtin_mul_overflow(max_out, out, &part) ||
        __builtin_add_overflow(sum, part, &sum))
        return INT64_MAX;
    return sum;
}
