/* h_webhooks.c - /admin/webhooks: who is told of alerts, and what became of it.
 *
 * A webhook's secret is shown once, when it is made or renewed. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "peer/webhook.h"
#include "store/webhooks.h"
#include "web/admin.h"
#include "web/field.h"
#include "web/route.h"

struct wish {
    const char *url;
    int enabled, renew_secret;
};

static const struct field new_fields[] = {
    {"url", FIELD_TEXT, offsetof(struct wish, url), 1, WEBHOOK_URL_SIZE - 1, true},
};
static const struct field patch_fields[] = {
    {"url", FIELD_TEXT, offsetof(struct wish, url), 1, WEBHOOK_URL_SIZE - 1, false},
    {"enabled", FIELD_BOOL, offsetof(struct wish, enabled), 0, 0, false},
    {"renew_secret", FIELD_BOOL, offsetof(struct wish, renew_secret), 0, 0, false},
};

static enum weir_err read_wish(struct exchange *x, const struct field *fields, size_t n, struct wish *w)
{
    struct field_fault fault = {.param = ""};
    char why[WEBHOOK_WHY];
    enum weir_err e;

    *w = (struct wish){NULL, -1, 0};
    e = field_read(x->json, fields, n, "", w, &fault);
    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    e = w->url ? webhook_url_check(w->url, &x->web->settings->webhook_addresses, why) : WEIR_OK;
    return e ? web_refuse(x, e, "url", "%s", why) : WEIR_OK;
}

/* The webhook; with its secret if it is new. */
static void show(struct exchange *x, const struct webhook *w, bool secret)
{
    struct sb *out = &x->out.body;
    char text[WEBHOOK_SECRET_SIZE];

    sb_putc(out, '{');
    webhook_json(w, out);
    if (secret) {
        webhook_secret(x->web->webhook_key, w->id, w->turn, text);
        sb_puts(out, ",\"secret\":");
        sb_json(out, text);
        explicit_bzero(text, sizeof text);
    }
    sb_puts(out, "}\n");
}

static enum weir_err add(struct db *db, const struct admin_change *c)
{
    return webhooks_add(db, c->what);
}

static enum weir_err change(struct db *db, const struct admin_change *c)
{
    return webhooks_change(db, c->what);
}

static enum weir_err take_out(struct db *db, const struct admin_change *c)
{
    return webhooks_remove(db, c->entry.object, c->entry.at_ms);
}

static enum weir_err tell_test(struct db *db, const struct admin_change *c)
{
    return webhooks_tell(db, c->entry.object, "webhook.test", "{\"text\":\"Weir can reach this receiver.\"}", c->entry.at_ms);
}

static enum weir_err again(struct db *db, const struct admin_change *c)
{
    return webhooks_again(db, c->what, c->entry.object, c->entry.at_ms);
}

enum weir_err h_webhooks_list(struct exchange *x)
{
    enum weir_err e = webhooks_json(x->db, &x->out.body);

    sb_putc(&x->out.body, '\n');
    return e;
}

enum weir_err h_webhook_get(struct exchange *x)
{
    struct webhook w;
    enum weir_err e = webhooks_find(x->db, x->arg[0], &w);

    if (!e)
        show(x, &w, false);
    return e;
}

enum weir_err h_webhook_create(struct exchange *x)
{
    struct webhook w = {.turn = 1, .enabled = true, .created_ms = x->arrived_ms};
    struct wish wish;
    enum weir_err e = read_wish(x, new_fields, 1, &wish);

    if (e)
        return e;
    rand_id(w.id, "whk");
    (void)snprintf(w.url, sizeof w.url, "%s", wish.url);
    e = admin_apply(x, "webhook.create", w.id, add, &w);
    if (e == WEIR_E_CONFLICT)
        return web_refuse(x, e, NULL, "There are %d webhooks already; remove one first.", WEBHOOKS_MAX);
    if (!e)
        show(x, &w, true);
    x->out.status = 201;
    return e;
}

enum weir_err h_webhook_patch(struct exchange *x)
{
    struct webhook w;
    struct wish wish;
    enum weir_err e = read_wish(x, patch_fields, sizeof patch_fields / sizeof *patch_fields, &wish);

    if (e || (e = webhooks_find(x->db, x->arg[0], &w)))
        return e;
    if (wish.url)
        (void)snprintf(w.url, sizeof w.url, "%s", wish.url);
    if (wish.enabled >= 0)
        w.enabled = wish.enabled;
    w.turn += wish.renew_secret;
    e = admin_apply(x, "webhook.change", w.id, change, &w);
    if (e)
        return e;
    courier_nudge(x->web->courier);
    show(x, &w, wish.renew_secret);
    return WEIR_OK;
}

enum weir_err h_webhook_delete(struct exchange *x)
{
    enum weir_err e = admin_apply(x, "webhook.remove", x->arg[0], take_out, NULL);

    x->out.status = 204;
    x->out.type = NULL;
    return e;
}

/* Something was put in the list of deliveries: 202, it will be tried at once. */
static enum weir_err under_way(struct exchange *x, enum weir_err e)
{
    if (e)
        return e;
    courier_nudge(x->web->courier);
    x->out.status = 202;
    sb_puts(&x->out.body, "{\"status\":\"waiting\"}\n");
    return WEIR_OK;
}

static enum weir_err no_fields(struct exchange *x)
{
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, NULL, 0, "", NULL, &fault);

    return e ? web_refuse(x, e, fault.param, "%s", fault.why) : WEIR_OK;
}

enum weir_err h_webhook_test(struct exchange *x)
{
    struct webhook w;
    enum weir_err e = no_fields(x);

    if (e || (e = webhooks_find(x->db, x->arg[0], &w)))
        return e;
    return under_way(x, admin_apply(x, "webhook.test", w.id, tell_test, NULL));
}

enum weir_err h_deliveries_list(struct exchange *x)
{
    struct admin_page page;
    enum weir_err e = admin_page_read(x, "waiting delivered failed", &page);

    if (!e)
        e = webhooks_deliveries_json(x->db, x->arg[0], page.state, page.cursor, page.limit, &x->out.body);
    sb_putc(&x->out.body, '\n');
    return e;
}

enum weir_err h_delivery_again(struct exchange *x)
{
    enum weir_err e = no_fields(x);

    if (e)
        return e;
    e = admin_apply(x, "webhook.send_again", x->arg[1], again, x->arg[0]);
    if (e == WEIR_E_CONFLICT)
        return web_refuse(x, e, NULL, "This delivery still waits, or was delivered.");
    return under_way(x, e);
}
