/* settings_budgets.c - the budgets of weir.json: the same fields as POST /admin/budgets has.
 *
 * That a time zone exists is for store/budgets to say, which loads it. Whether there is such a user, session or token
 * is not looked at: the file may be there before they are. */
#include "base/settings_options.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

enum { MILLION = 1000000 };

static const char *const not_options[] = {"warn", NULL};
static const int32_t usual_warn[] = {500000, 800000, 950000};

void settings_budget_name(const struct budget_settings *b, struct sb *out)
{
    struct cfg_bind bind = settings_bind_budget((struct budget_settings *)(uintptr_t)b);

    cfg_value_text(cfg_find(&bind, "scope"), b, out);
    if (b->key || b->each)
        sb_putf(out, ".%s", b->key ? b->key : "each");
    sb_putc(out, '.');
    cfg_value_text(cfg_find(&bind, "window"), b, out);
}

/* "weir.json: budgets[0]" */
static bool refuse(const struct settings *s, size_t at, const char *what, struct sb *why)
{
    sb_putf(why, "%s: budgets[%zu]%s", s->config, at, what);
    return false;
}

static bool read_warn(struct budget_settings *b, const json_t *list)
{
    int32_t before = 0;
    const json_t *level;
    size_t i;

    if (!list || json_is_null(list)) {
        b->warns = sizeof usual_warn / sizeof *usual_warn;
        memcpy(b->warn_ppm, usual_warn, sizeof usual_warn);
        return true;
    }
    if (!json_is_array(list) || json_array_size(list) > SETTINGS_WARNS)
        return false;
    json_array_foreach(list, i, level)
    {
        double share = json_number_value(level);

        if (!json_is_number(level) || !(share > 0 && share <= 1) || lround(share * MILLION) <= before)
            return false;
        before = b->warn_ppm[b->warns++] = (int32_t)lround(share * MILLION);
    }
    return true;
}

/* What no single option can check. */
static bool check(const struct settings *s, const struct budget_settings *b, const json_t *entry, size_t at, struct sb *why)
{
    static const char *const needed[] = {"scope", "window", "limit_usd"};
    struct sb name = sb_make(300), other = sb_make(300);
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof needed / sizeof *needed; i++)
        if (json_is_null(json_object_get(entry, needed[i])) || !json_object_get(entry, needed[i])) {
            (void)refuse(s, at, "", why);
            sb_putf(why, ".%s is missing; every budget needs scope, window and limit_usd.", needed[i]);
            ok = false;
        }
    if (ok && b->scope == 0 && (b->key || b->each))
        ok = refuse(s, at, " has the scope \"all\", which counts everything: it must have no key and no each.", why);
    else if (ok && b->scope != 0 && !b->key == !b->each)
        ok = refuse(s, at, " must say whose it is with key, or that each has its own with \"each\": true.", why);
    settings_budget_name(b, &name);
    for (size_t i = 0; ok && i < s->n_budgets; i++) {
        sb_reset(&other);
        settings_budget_name(&s->budgets[i], &other);
        if (s->budgets[i].each == b->each && strcmp(sb_str(&name), sb_str(&other)) == 0) {
            (void)refuse(s, at, "", why);
            sb_putf(why, " has the same scope, key and window as budgets[%zu]; give one of the two.", i);
            ok = false;
        }
    }
    sb_done(&name);
    sb_done(&other);
    return ok;
}

static bool add_budget(struct settings *s, const json_t *entry, size_t at, struct sb *why)
{
    struct budget_settings b = {0};
    struct cfg_bind bind = settings_bind_budget(&b);
    struct sb prefix = sb_make(100);
    bool ok;

    cfg_defaults(&bind);
    sb_putf(&prefix, "budgets[%zu].", at);
    ok = cfg_load_object(&bind, 1, entry, s->config, sb_str(&prefix), not_options, why);
    if (ok && !read_warn(&b, json_object_get(entry, "warn")))
        ok = refuse(s, at, ".warn must be a rising list of at most 8 shares of the limit, each above 0 and at most 1.", why);
    ok = ok && check(s, &b, entry, at, why);
    if (ok) {
        s->budgets = mem_grow(s->budgets, s->n_budgets + 1, sizeof *s->budgets);
        s->budgets[s->n_budgets++] = b;
    } else
        cfg_free(&bind);
    sb_done(&prefix);
    return ok;
}

bool settings_load_budgets(struct settings *s, const json_t *list, struct sb *why)
{
    if (!list || json_is_null(list))
        return true;
    if (!json_is_array(list) || json_array_size(list) > SETTINGS_BUDGETS) {
        sb_putf(why, "%s: budgets must be a list of at most %d objects.", s->config, SETTINGS_BUDGETS);
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_is_object(json_array_get(list, i)))
            return refuse(s, i, " must be an object, as in {\"scope\": …, \"window\": …, \"limit_usd\": …}.", why);
        if (!add_budget(s, json_array_get(list, i), i, why))
            return false;
    }
    return true;
}
