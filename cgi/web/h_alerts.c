/* h_alerts.c - /admin/alerts: the rules of alerts, and the alerts.
 *
 * GET gives both: {"rules":[…],"items":[…],"next_cursor":…}. POST, PATCH and DELETE
 * are about rules (rul_…), acknowledge about an alert (alt_…). Changes are written
 * together with their line in the audit log. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "store/alerts.h"
#include "store/audit.h"
#include "store/budgets.h"
#include "web/admin.h"
#include "web/field.h"
#include "web/route.h"

enum { COST_MAX_THOUSANDTHS = 2000000000, FOR_MAX_MS = 86400000, WAIT_MAX_MS = 3600000 };

enum weir_err h_alerts_list(struct exchange *x)
{
    struct sb *out = &x->out.body;
    struct admin_page page;
    struct alert_rules rules;
    struct sb list = sb_make(ADMIN_PAGE_BYTES);
    enum weir_err e = admin_page_read(x, "open acknowledged resolved", &page);

    if (e)
        return e;
    e = alert_rules_list(x->db, &rules);
    if (!e)
        e = alerts_json(x->db, page.state, page.cursor, page.limit, &list);
    sb_puts(out, "{\"rules\":[");
    for (size_t i = 0; i < rules.n; i++) {
        sb_puts(out, i ? "," : "");
        alert_rule_json(&rules.rule[i], out);
    }
    sb_puts(out, "],");
    sb_puts(out, list.len ? sb_str(&list) + 1 : "}");         /* without its opening brace */
    sb_putc(out, '\n');
    alert_rules_done(&rules);
    sb_done(&list);
    return e;
}

/* --- what is asked for --- */

struct wish {
    const char *kind, *scope, *key, *window, *tz;
    const json_t *limit_usd, *share;
    int64_t wait_ms, for_ms, least_requests;
    int enabled;
};

#define NONE (-1)
static const struct field fields[] = {
    {"kind", FIELD_TEXT, offsetof(struct wish, kind), 1, 32, false},
    {"scope", FIELD_TEXT, offsetof(struct wish, scope), 1, 16, false},
    {"key", FIELD_TEXT, offsetof(struct wish, key), 1, BUDGET_KEY_SIZE - 1, false},
    {"window", FIELD_TEXT, offsetof(struct wish, window), 1, 16, false},
    {"tz", FIELD_TEXT, offsetof(struct wish, tz), 1, ZONE_NAME_SIZE - 1, false},
    {"limit_usd", FIELD_NUMBER, offsetof(struct wish, limit_usd), 0, COST_MAX_THOUSANDTHS, false},
    {"share", FIELD_NUMBER, offsetof(struct wish, share), 0, 1000, false},
    {"wait_ms", FIELD_INT, offsetof(struct wish, wait_ms), 1, WAIT_MAX_MS, false},
    {"for_ms", FIELD_INT, offsetof(struct wish, for_ms), 0, FOR_MAX_MS, false},
    {"least_requests", FIELD_INT, offsetof(struct wish, least_requests), 1, 1000000, false},
    {"enabled", FIELD_BOOL, offsetof(struct wish, enabled), 0, 0, false},
};

static enum weir_err refuse(struct exchange *x, const char *param, const char *why)
{
    return web_refuse(x, WEIR_E_INVALID_FIELD, param, "%s", why);
}

/* What a kind does not know is refused, what it needs is asked for. */
static enum weir_err read_threshold(struct exchange *x, const struct wish *w, bool needed, struct alert_rule *r)
{
    const struct {
        const char *name;
        bool given, known, needed;
    } member[] = {
        {"limit_usd", w->limit_usd != NULL, r->kind == ALERT_COST, true},
        {"share", w->share != NULL, r->kind == ALERT_LIMIT_USE || r->kind == ALERT_ERROR_RATE, true},
        {"wait_ms", w->wait_ms != NONE, r->kind == ALERT_QUEUE_WAIT, true},
        {"least_requests", w->least_requests != NONE, r->kind == ALERT_ERROR_RATE, false},
    };

    for (size_t i = 0; i < sizeof member / sizeof *member; i++) {
        if (member[i].given && !member[i].known)
            return web_refuse(x, WEIR_E_UNKNOWN_FIELD, member[i].name, "An alert of kind \"%s\" has no '%s'.", alert_kind_name(r->kind),
                              member[i].name);
        if (needed && member[i].known && member[i].needed && !member[i].given)
            return web_refuse(x, WEIR_E_MISSING_FIELD, member[i].name, "An alert of kind \"%s\" needs '%s'.", alert_kind_name(r->kind),
                              member[i].name);
    }
    if (w->limit_usd)
        r->threshold = field_pico(w->limit_usd);
    if (w->share)
        r->threshold = lround(json_number_value(w->share) * 1e6);
    if (w->wait_ms != NONE)
        r->threshold = w->wait_ms;
    if (w->for_ms != NONE)
        r->for_ms = w->for_ms;
    if (w->least_requests != NONE)
        r->least = w->least_requests;
    if (w->enabled != NONE)
        r->enabled = w->enabled;
    return WEIR_OK;
}

static enum weir_err read_cost(struct exchange *x, const struct wish *w, struct alert_rule *r)
{
    struct zone zone;
    bool exists;
    enum weir_err e;

    if (!w->window || !budget_window_parse(w->window, &r->window) || r->window == BUDGET_TOTAL)
        return refuse(x, "window", "'window' must be \"day\", \"week\" or \"month\".");
    r->scope = BUDGET_ALL;
    if (w->scope && (!budget_scope_parse(w->scope, &r->scope) || r->scope == BUDGET_SESSION || r->scope == BUDGET_TOKEN))
        return refuse(x, "scope", "'scope' must be \"all\", \"user\" or \"model\".");
    if (!w->key == (r->scope != BUDGET_ALL))
        return refuse(x, "key", w->key ? "Scope \"all\" has no 'key'." : "Say which user or model with 'key'.");
    (void)snprintf(r->key, sizeof r->key, "%s", w->key ? w->key : "");
    (void)snprintf(r->tz, sizeof r->tz, "%s", w->tz ? w->tz : "UTC");
    if (!zone_load(r->tz, &zone))
        return refuse(x, "tz", "'tz' must be the name of a time zone, as \"Europe/Berlin\".");
    e = budgets_key_exists(x->db, r->scope, r->key, &exists);
    return e || exists ? e : web_refuse(x, WEIR_E_INVALID_FIELD, "key", "There is no %s '%.100s'.", w->scope, r->key);
}

static enum weir_err read_new(struct exchange *x, const struct wish *w, struct alert_rule *r)
{
    enum weir_err e;

    if (!w->kind || !alert_kind_parse(w->kind, &r->kind))
        return refuse(x, "kind", "'kind' must be \"cost\", \"budget\", \"limit_use\", \"error_rate\", \"queue_wait\", \"storage\", \"upstream_down\", \"ledger_check\", \"anomaly\" or \"usage_suspect\".");
    if (r->kind != ALERT_COST && (w->scope || w->key || w->window || w->tz))
        return refuse(x, w->scope ? "scope" : w->key ? "key" : w->window ? "window" : "tz", "Only an alert of kind \"cost\" has this field.");
    e = r->kind == ALERT_COST ? read_cost(x, w, r) : WEIR_OK;
    return e ? e : read_threshold(x, w, true, r);
}

static enum weir_err read_wish(struct exchange *x, struct wish *w)
{
    struct field_fault fault = {.param = ""};
    enum weir_err e;

    *w = (struct wish){.wait_ms = NONE, .for_ms = NONE, .least_requests = NONE, .enabled = NONE};
    e = field_read(x->json, fields, sizeof fields / sizeof *fields, "", w, &fault);
    return e ? web_refuse(x, e, fault.param, "%s", fault.why) : WEIR_OK;
}

/* --- what is changed --- */

static enum weir_err add_rule(struct db *db, const struct admin_change *c)
{
    return alert_rules_add(db, c->what);
}

static enum weir_err change_rule(struct db *db, const struct admin_change *c)
{
    return alert_rules_change(db, c->what);
}

static enum weir_err remove_rule(struct db *db, const struct admin_change *c)
{
    return alert_rules_remove(db, c->entry.object, c->entry.at_ms);
}

static enum weir_err acknowledge(struct db *db, const struct admin_change *c)
{
    return alerts_acknowledge(db, c->entry.object, c->entry.actor, c->entry.at_ms);
}

static void show(struct exchange *x, const struct alert_rule *r)
{
    alert_rule_json(r, &x->out.body);
    sb_putc(&x->out.body, '\n');
}

enum weir_err h_alert_create(struct exchange *x)
{
    struct alert_rule r = {.tz = "UTC", .least = 20, .enabled = true, .created_ms = x->arrived_ms};
    struct wish w;
    enum weir_err e = read_wish(x, &w);

    if (e || (e = read_new(x, &w, &r)))
        return e;
    rand_id(r.id, "rul");
    e = admin_apply(x, "alert.create", r.id, add_rule, &r);
    if (e == WEIR_E_CONFLICT)
        return web_refuse(x, e, NULL, "There are %d rules already; remove one first.", ALERT_RULES_MAX);
    if (!e)
        show(x, &r);
    x->out.status = 201;
    return e;
}

enum weir_err h_alert_patch(struct exchange *x)
{
    struct alert_rule r;
    struct wish w;
    enum weir_err e = read_wish(x, &w);

    if (e)
        return e;
    if (w.kind || w.scope || w.key || w.window || w.tz)
        return web_refuse(x, WEIR_E_UNKNOWN_FIELD, w.kind ? "kind" : w.scope ? "scope" : w.key ? "key" : w.window ? "window" : "tz",
                          "What an alert is about does not change; remove it and set another.");
    if ((e = alert_rules_find(x->db, x->arg[0], &r)) || (e = read_threshold(x, &w, false, &r)) ||
        (e = admin_apply(x, "alert.change", r.id, change_rule, &r)))
        return e;
    show(x, &r);
    return WEIR_OK;
}

enum weir_err h_alert_delete(struct exchange *x)
{
    enum weir_err e = admin_apply(x, "alert.remove", x->arg[0], remove_rule, NULL);

    x->out.status = 204;
    x->out.type = NULL;
    return e;
}

enum weir_err h_alert_acknowledge(struct exchange *x)
{
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, NULL, 0, "", NULL, &fault);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    e = admin_apply(x, "alert.acknowledge", x->arg[0], acknowledge, NULL);
    if (!e)
        e = alerts_one_json(x->db, x->arg[0], &x->out.body);
    sb_putc(&x->out.body, '\n');
    return e;
}
