/* h_prices.c - /admin/prices: prices of one's own, over those Weir was built with; /admin/price-table: what each model costs
 * with both.
 *
 * They are dollars per million tokens. A new one counts for every call from then
 * on; what was recorded keeps the prices it was recorded with. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/own_prices.h"
#include "store/record.h"
#include "web/admin.h"
#include "web/field.h"
#include "web/prices.h"
#include "web/route.h"

enum { USD_MAX_THOUSANDTHS = 1000000 };          /* $1,000 per million tokens */

struct wish {
    const char *provider, *model;
    const json_t *in, *out, *cached, *write, *write_1h;
};

#define RATE(name, member, needed) {name "_per_million_usd", FIELD_NUMBER, offsetof(struct wish, member), 0, USD_MAX_THOUSANDTHS, needed}
#define RATES(needed)                                                                          \
    RATE("input", in, needed), RATE("output", out, needed), RATE("cached", cached, false),     \
    RATE("cache_write", write, false), RATE("cache_write_1h", write_1h, false)

static const struct field new_fields[] = {
    {"provider", FIELD_TEXT, offsetof(struct wish, provider), 1, OWN_PRICE_NAME_SIZE - 1, true},
    {"model", FIELD_TEXT, offsetof(struct wish, model), 1, OWN_PRICE_NAME_SIZE - 1, true},
    RATES(true),
};
static const struct field patch_fields[] = {RATES(false)};

/* Dollars per million tokens are millionths of a dollar per token; a picodollar is the least there is. */
static void set_rate(const json_t *usd, int64_t *pico)
{
    if (usd)
        *pico = llroundl((long double)json_number_value(usd) * 1e6L);
}

static enum weir_err read_wish(struct exchange *x, const struct field *fields, size_t n, struct own_price *p)
{
    struct field_fault fault = {.param = ""};
    struct wish w = {NULL};
    enum weir_err e = field_read(x->json, fields, n, "", &w, &fault);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (w.provider)
        (void)snprintf(p->provider, sizeof p->provider, "%s", w.provider);
    if (w.model)
        (void)snprintf(p->model, sizeof p->model, "%s", w.model);
    set_rate(w.in, &p->in);
    set_rate(w.out, &p->out);
    set_rate(w.cached, &p->cache_read);
    set_rate(w.write, &p->cache_write);
    set_rate(w.write_1h, &p->cache_write_1h);
    return WEIR_OK;
}

static enum weir_err make_set(struct db *db, const struct admin_change *c)
{
    return own_prices_set(db, c->what, c->entry.actor, c->entry.at_ms);
}

static enum weir_err make_end(struct db *db, const struct admin_change *c)
{
    return own_prices_end(db, c->entry.object, c->entry.at_ms);
}

/* Stored with its line in the audit log, then put into force. */
static enum weir_err apply(struct exchange *x, const char *action, const char *price_id,
                           enum weir_err (*make)(struct db *db, const struct admin_change *c), const struct own_price *p)
{
    enum weir_err e = admin_apply(x, action, price_id, make, p);

    if (e == WEIR_E_CONFLICT)
        return web_refuse(x, e, NULL, "There is a price of %.100s at %.100s already, or there are %d; change or remove one.", p->model, p->provider,
                          OWN_PRICES_MAX);
    if (!e && prices_reload(x->web->price_tables, x->db))
        e = web_refuse(x, WEIR_E_STORAGE, NULL, "The change is stored, but could not be put into force; it will be at the next change or start.");
    return e;
}

static enum weir_err show(struct exchange *x, const char *price_id)
{
    enum weir_err e = own_price_json(x->db, price_id, &x->out.body);

    sb_putc(&x->out.body, '\n');
    return e;
}

enum weir_err h_prices_list(struct exchange *x)
{
    const struct price_table *t = x->web->prices;
    struct sb list = sb_make(ADMIN_PAGE_BYTES), *out = &x->out.body;
    struct admin_page page;
    enum weir_err e = admin_page_read(x, "current all", &page);

    if (!e)
        e = own_prices_json(x->db, page.state && strcmp(page.state, "all") == 0, page.cursor, page.limit, &list);
    if (!e) {
        sb_puts(out, "{\"version\":");
        sb_json(out, price_table_version(t));
        sb_putf(out, ",\"models\":%zu,%s\n", price_table_count(t), sb_str(&list) + 1);      /* without its opening brace */
    }
    sb_done(&list);
    return e;
}

static void put_rate(struct sb *out, const char *name, int64_t pico_per_token)
{
    sb_putf(out, ",\"%s_per_million_usd\":", name);
    if (pico_per_token < 0)
        sb_puts(out, "null");
    else
        sb_usd(out, pico_per_token * 1000000);
}

enum weir_err h_price_table(struct exchange *x)
{
    const struct price_table *t = x->web->prices;
    struct sb *out = &x->out.body;

    sb_puts(out, "{\"version\":");
    sb_json(out, price_table_version(t));
    sb_putf(out, ",\"models\":%zu,\"items\":[", price_table_count(t));
    for (size_t i = 0; i < price_table_count(t); i++) {
        const struct price *p = price_table_at(t, i);
        const struct price_rates *r = &p->tier[0];

        sb_puts(out, i ? ",{\"provider\":" : "{\"provider\":");
        sb_json(out, p->provider);
        json_text(out, "model", p->id);
        put_rate(out, "input", r->in);
        put_rate(out, "output", r->out);
        put_rate(out, "cached", r->cache_read);
        put_rate(out, "cache_write", r->cache_write);
        sb_putf(out, ",\"tiers\":%d,\"source\":\"%s\"}", p->tiers, p->own ? "own" : "table");
    }
    sb_puts(out, "],\"next_cursor\":null}\n");
    return WEIR_OK;
}

enum weir_err h_price_get(struct exchange *x)
{
    return show(x, x->arg[0]);
}

enum weir_err h_price_create(struct exchange *x)
{
    struct own_price p = {.version = 1, .cache_read = -1, .cache_write = -1, .cache_write_1h = -1};
    enum weir_err e = read_wish(x, new_fields, sizeof new_fields / sizeof *new_fields, &p);

    if (e)
        return e;
    rand_id(p.price_id, "prc");
    e = apply(x, "price.create", p.price_id, make_set, &p);
    x->out.status = 201;
    return e ? e : show(x, p.price_id);
}

enum weir_err h_price_patch(struct exchange *x)
{
    struct own_price p;
    enum weir_err e = own_prices_find(x->db, x->arg[0], &p);

    if (e || (e = read_wish(x, patch_fields, sizeof patch_fields / sizeof *patch_fields, &p)))
        return e;
    p.version++;
    e = apply(x, "price.change", p.price_id, make_set, &p);
    return e ? e : show(x, p.price_id);
}

enum weir_err h_price_delete(struct exchange *x)
{
    enum weir_err e = apply(x, "price.remove", x->arg[0], make_end, NULL);

    x->out.status = 204;
    x->out.type = NULL;
    return e;
}
