/* h_budgets.c - /admin/budgets: set, change, look at and remove budgets.
 *
 * A change is written together with its line in the audit log; then the engine
 * goes by it, before the answer is given. Those of the configuration file are
 * shown beside them and changed there alone. What is spent and reserved comes from
 * the engine's snapshot, which is made anew after a change. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "flow/gauge.h"
#include "store/budgets.h"
#include "web/admin.h"
#include "web/field.h"
#include "web/route.h"
#include "web/session.h"
#include "web/snapshot_json.h"

enum { LIMIT_MAX_THOUSANDTHS = 2000000000 };     /* $2,000,000: far below what int64 picodollars hold */

/* --- what is shown --- */

static void moment(struct sb *out, const char *name, int64_t at_ms, bool known)
{
    sb_putf(out, ",\"%s\":", name);
    if (!known) {
        sb_puts(out, "null");
        return;
    }
    sb_putc(out, '"');
    sb_time(out, at_ms);
    sb_putc(out, '"');
}

/* null where it is not known, because not all ledgers are shown. */
static void sum_json(struct sb *out, const char *name, int64_t sum, bool known)
{
    sb_putf(out, ",\"%s\":", name);
    if (known)
        sb_usd(out, sum);
    else
        sb_puts(out, "null");
}

/* Sums over its ledgers, of which only a budget with `each` has more than one, and the ledgers. */
static void ledgers_json(const struct snapshot *s, const struct budget_row *r, struct sb *out)
{
    const struct budget_view *any = NULL;
    struct sb list = sb_make(1024 * 1024);
    int64_t spent = 0, held = 0, lost = 0, until_ms = 0;
    bool whole = !r->rule.each || !s->budgets_cut;

    for (size_t i = 0; i < s->budget_count; i++) {
        const struct budget_view *v = &s->budgets[i].view;

        if (strcmp(v->rule->id, r->rule.id) != 0)
            continue;
        any = v;
        spent += v->spent;
        held += v->held;
        lost += v->lost;
        if (v->lost && v->lost_until_ms > until_ms)
            until_ms = v->lost_until_ms;
        sb_puts(&list, list.len ? ",{\"key\":" : "{\"key\":");
        sb_json(&list, *v->key ? v->key : NULL);
        sb_puts(&list, ",\"spent_usd\":");
        sb_usd(&list, v->spent);
        sb_puts(&list, ",\"reserved_usd\":");
        sb_usd(&list, v->held);
        sb_puts(&list, ",\"left_usd\":");
        sb_usd(&list, v->left);
        sb_puts(&list, ",\"warned\":");
        snapshot_level_json(v->warned, &list);
        sb_putc(&list, '}');
    }
    sum_json(out, "spent_usd", spent, whole);
    sum_json(out, "reserved_usd", held, whole);
    sum_json(out, "interrupted_usd", lost, whole);
    moment(out, "interrupted_until", until_ms, lost > 0);
    moment(out, "window_start", any ? any->span.from_ms : 0, any && r->rule.window != BUDGET_TOTAL);
    moment(out, "resets_at", any ? any->span.to_ms : 0, any && r->rule.window != BUDGET_TOTAL);
    sb_putf(out, ",\"ledgers\":[%s]", sb_str(&list));
    sb_done(&list);
}

static void row_json(const struct snapshot *s, const struct budget_row *r, struct sb *out)
{
    sb_puts(out, "{\"budget_id\":");
    sb_json(out, r->rule.id);
    sb_putf(out, ",\"scope\":\"%s\",\"key\":", budget_scope_name(r->rule.scope));
    sb_json(out, *r->rule.key ? r->rule.key : NULL);
    sb_putf(out, ",\"each\":%s,\"window\":\"%s\",\"tz\":", r->rule.each ? "true" : "false", budget_window_name(r->rule.window));
    sb_json(out, r->tz);
    sb_puts(out, ",\"limit_usd\":");
    sb_usd(out, r->rule.limit);
    sb_puts(out, ",\"warn\":[");
    for (int i = 0; i < r->rule.warns; i++) {
        sb_puts(out, i ? "," : "");
        snapshot_level_json(r->rule.warn[i], out);
    }
    sb_putc(out, ']');
    sb_putf(out, ",\"from_file\":%s", r->from_file ? "true" : "false");
    moment(out, "created_at", r->created_ms, !r->from_file);
    ledgers_json(s, r, out);
    sb_putc(out, '}');
}

static void show(struct exchange *x, const struct budget_row *r)
{
    const struct snapshot *s = engine_snapshot(x->web->engine);

    row_json(s, r, &x->out.body);
    sb_putc(&x->out.body, '\n');
    snapshot_put(s);
}

enum weir_err h_budgets_list(struct exchange *x)
{
    const struct snapshot *s;
    struct budget_set set;
    enum weir_err e = budgets_list(x->db, x->web->settings, &set);

    if (e)
        return e;
    s = engine_snapshot(x->web->engine);
    sb_puts(&x->out.body, "{\"items\":[");
    for (size_t i = 0; i < set.rows; i++) {
        sb_puts(&x->out.body, i ? "," : "");
        row_json(s, &set.row[i], &x->out.body);
    }
    sb_puts(&x->out.body, "],\"next_cursor\":null}\n");
    snapshot_put(s);
    budget_set_done(&set);
    return WEIR_OK;
}

/* From the file or from the table. */
static enum weir_err find(struct exchange *x, struct budget_row *r)
{
    const struct settings *s = x->web->settings;

    for (size_t i = 0; i < s->n_budgets; i++) {
        budgets_from_file(&s->budgets[i], r);
        if (strcmp(r->rule.id, x->arg[0]) == 0)
            return WEIR_OK;
    }
    return budgets_find(x->db, x->arg[0], r);
}

/* The same, to be changed. */
static enum weir_err find_own(struct exchange *x, struct budget_row *r)
{
    enum weir_err e = find(x, r);

    if (e || !r->from_file)
        return e;
    return web_refuse(x, WEIR_E_CONFLICT, NULL, "This budget comes from %.600s: change or remove it there, then POST /admin/reload.",
                      x->web->settings->config);
}

enum weir_err h_budget_get(struct exchange *x)
{
    struct budget_row r;
    enum weir_err e = find(x, &r);

    if (!e)
        show(x, &r);
    return e;
}

/* --- what is asked for --- */

struct wish {
    const char *scope, *key, *window, *tz;
    int each;
    const json_t *limit_usd, *warn;
};

#define LIMIT_FIELD(needed) {"limit_usd", FIELD_NUMBER, offsetof(struct wish, limit_usd), 0, LIMIT_MAX_THOUSANDTHS, needed}
#define WARN_FIELD {"warn", FIELD_LIST, offsetof(struct wish, warn), 0, BUDGET_WARNS, false}

static const struct field new_fields[] = {
    {"scope", FIELD_TEXT, offsetof(struct wish, scope), 1, 16, true},
    {"key", FIELD_TEXT, offsetof(struct wish, key), 1, BUDGET_KEY_SIZE - 1, false},
    {"each", FIELD_BOOL, offsetof(struct wish, each), 0, 0, false},
    {"window", FIELD_TEXT, offsetof(struct wish, window), 1, 16, true},
    {"tz", FIELD_TEXT, offsetof(struct wish, tz), 1, ZONE_NAME_SIZE - 1, false},
    LIMIT_FIELD(true),
    WARN_FIELD,
};

static const struct field patch_fields[] = {LIMIT_FIELD(false), WARN_FIELD};

static enum weir_err refuse(struct exchange *x, const char *param, const char *why)
{
    return web_refuse(x, WEIR_E_INVALID_FIELD, param, "%s", why);
}

/* Limit and warn levels, where they are given. */
static enum weir_err read_levels(struct exchange *x, const struct wish *w, struct budget_rule *r)
{
    int32_t before = 0;

    if (w->limit_usd)
        r->limit = field_pico(w->limit_usd);
    if (!w->warn)
        return WEIR_OK;
    r->warns = 0;
    for (size_t i = 0; i < json_array_size(w->warn); i++) {
        const json_t *level = json_array_get(w->warn, i);
        double share = json_number_value(level);

        if (!json_is_number(level) || share <= 0 || share > 1 || lround(share * BUDGET_WARN_ALL) <= before)
            return refuse(x, "warn", "'warn' must be a rising list of shares of the limit, each above 0 and at most 1.");
        before = r->warn[r->warns++] = (int32_t)lround(share * BUDGET_WARN_ALL);
    }
    return WEIR_OK;
}

/* Whose: a key, each, or everything. */
static enum weir_err read_whose(struct exchange *x, struct wish *w, struct budget_rule *r)
{
    bool exists;
    enum weir_err e;

    if (!budget_scope_parse(w->scope, &r->scope))
        return refuse(x, "scope", "'scope' must be \"all\", \"user\", \"session\", \"token\" or \"model\".");
    r->each = w->each;
    if (r->scope == BUDGET_ALL)
        return w->key || w->each ? refuse(x, w->key ? "key" : "each", "A budget of scope \"all\" counts everything: it has no 'key' and no 'each'.")
                                 : WEIR_OK;
    if (!w->key == !w->each)
        return web_refuse(x, w->key ? WEIR_E_INVALID_FIELD : WEIR_E_MISSING_FIELD, "key",
                          "Say whose budget it is with 'key', or give each its own with 'each': true.");
    if (!w->key)
        return WEIR_OK;
    if (r->scope == BUDGET_SESSION && (e = session_find(x, x->who.user_id, &w->key)))
        return e;
    (void)snprintf(r->key, sizeof r->key, "%s", w->key);
    e = budgets_key_exists(x->db, r->scope, w->key, &exists);
    if (!e && !exists)
        e = web_refuse(x, WEIR_E_INVALID_FIELD, "key", "There is no %s '%.100s'.", w->scope, w->key);
    return e;
}

static enum weir_err read_window(struct exchange *x, const struct wish *w, struct budget_row *r)
{
    struct zone zone;

    if (!budget_window_parse(w->window, &r->rule.window))
        return refuse(x, "window", "'window' must be \"day\", \"week\", \"month\" or \"total\".");
    (void)snprintf(r->tz, sizeof r->tz, "%s", w->tz ? w->tz : "UTC");
    return zone_load(r->tz, &zone) ? WEIR_OK : refuse(x, "tz", "'tz' must be the name of a time zone, as \"Europe/Berlin\".");
}

/* --- what is changed --- */

static enum weir_err make_add(struct db *db, const struct admin_change *c)
{
    return budgets_add(db, c->what);
}

static enum weir_err make_change(struct db *db, const struct admin_change *c)
{
    return budgets_change(db, c->what);
}

static enum weir_err make_remove(struct db *db, const struct admin_change *c)
{
    return budgets_remove(db, c->entry.object, c->entry.at_ms);
}

/* Stored with its line in the audit log, then put into force. */
static enum weir_err apply(struct exchange *x, const struct budget_row *r, const char *action,
                           enum weir_err (*make)(struct db *db, const struct admin_change *c))
{
    enum weir_err e = admin_apply(x, action, r->rule.id, make, r);

    if (e == WEIR_E_CONFLICT)
        return web_refuse(x, e, NULL, "There are %d budgets already; remove one first.", BUDGETS_MAX);
    if (!e && engine_reload_budgets(x->web->engine))
        e = web_refuse(x, WEIR_E_STORAGE, NULL, "The change is stored, but could not be put into force; it will be at the next change or start.");
    return e;
}

enum weir_err h_budget_create(struct exchange *x)
{
    struct budget_row r = {.rule = {.warn = {500000, 800000, 950000}, .warns = 3}, .created_ms = x->arrived_ms};
    struct field_fault fault = {.param = ""};
    struct wish w = {0};
    enum weir_err e = field_read(x->json, new_fields, sizeof new_fields / sizeof *new_fields, "", &w, &fault);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if ((e = read_whose(x, &w, &r.rule)) || (e = read_window(x, &w, &r)) || (e = read_levels(x, &w, &r.rule)))
        return e;
    rand_id(r.rule.id, "bud");
    e = apply(x, &r, "budget.create", make_add);
    if (e)
        return e;
    show(x, &r);
    x->out.status = 201;
    return WEIR_OK;
}

enum weir_err h_budget_patch(struct exchange *x)
{
    struct field_fault fault = {.param = ""};
    struct wish w = {0};
    struct budget_row r;
    enum weir_err e = field_read(x->json, patch_fields, sizeof patch_fields / sizeof *patch_fields, "", &w, &fault);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if ((e = find_own(x, &r)) || (e = read_levels(x, &w, &r.rule)) ||
        (e = apply(x, &r, "budget.change", make_change)))
        return e;
    show(x, &r);
    return WEIR_OK;
}

enum weir_err h_budget_delete(struct exchange *x)
{
    struct budget_row r;
    enum weir_err e = find_own(x, &r);

    if (!e)
        e = apply(x, &r, "budget.remove", make_remove);
    x->out.status = 204;
    x->out.type = NULL;
    return e;
}
