/* settings_models.c - models that stand in for others: what "auto" chooses from,
 * and who takes a model's place when it cannot be had. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/settings_options.h"

const struct cfg_list *settings_fallbacks(const struct settings *s, const char *model)
{
    for (size_t i = 0; i < s->fallbacks.n; i++)
        if (strcmp(s->fallbacks.names[i], model) == 0)
            return &s->fallbacks.lists[i];
    return NULL;
}

static bool in_list(const struct cfg_list *l, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(l->items[i], name) == 0)
            return true;
    return false;
}

/* Each name once, few enough, and none is "auto". `at` names the list in sentences. */
static bool check_models(const struct cfg_list *l, size_t max, const char *at, struct sb *why)
{
    if (l->n > max) {
        sb_putf(why, "%s has %zu models; it may have at most %zu.", at, l->n, max);
        return false;
    }
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->items[i], MODEL_AUTO) == 0) {
            sb_putf(why, "%s names \"" MODEL_AUTO "\", which is no model but the choice among those of auto.", at);
            return false;
        }
        if (in_list(l, i, l->items[i])) {
            sb_putf(why, "%s names \"%s\" twice.", at, l->items[i]);
            return false;
        }
    }
    return true;
}

static void mark(const struct settings *s, bool *seen, const char *model, bool *more)
{
    for (size_t i = 0; i < s->fallbacks.n; i++)
        if (!seen[i] && strcmp(s->fallbacks.names[i], model) == 0)
            seen[i] = *more = true;
}

/* Does this one fall back on itself, at however many removes? */
static bool leads_back(const struct settings *s, size_t from)
{
    bool *seen = mem_zalloc(s->fallbacks.n, sizeof *seen);
    bool more = true, back = false;

    seen[from] = true;
    while (more && !back) {
        more = false;
        for (size_t i = 0; i < s->fallbacks.n; i++) {
            const struct cfg_list *l = &s->fallbacks.lists[i];

            if (!seen[i])
                continue;
            back = back || in_list(l, l->n, s->fallbacks.names[from]);
            for (size_t k = 0; k < l->n; k++)
                mark(s, seen, l->items[k], &more);
        }
    }
    free(seen);
    return back;
}

bool settings_check_models(const struct settings *s, struct sb *why)
{
    struct sb at = sb_make(5000);
    size_t place;
    bool ok;

    if (s->config)
        sb_putf(&at, "%s: ", s->config);
    place = at.len;
    sb_puts(&at, "auto");
    ok = check_models(&s->automatic, FALLBACKS_MAX + 1, sb_str(&at), why);
    for (size_t i = 0; ok && i < s->fallbacks.n; i++) {
        const char *model = s->fallbacks.names[i];

        sb_drop(&at, at.len - place);
        sb_putf(&at, "fallbacks.%s", model);
        ok = check_models(&s->fallbacks.lists[i], FALLBACKS_MAX, sb_str(&at), why);
        if (ok && strcmp(model, MODEL_AUTO) == 0) {
            sb_putf(why, "%s: \"" MODEL_AUTO "\" needs no fallbacks; the models of auto stand in for each other.", sb_str(&at));
            ok = false;
        }
        if (ok && leads_back(s, i)) {
            sb_putf(why, "%s leads back to \"%s\"; a model cannot stand in for itself.", sb_str(&at), model);
            ok = false;
        }
    }
    for (size_t i = 0; ok && i < s->n_upstreams; i++)
        if (in_list(&s->upstreams[i].models, s->upstreams[i].models.n, MODEL_AUTO)) {
            sb_putf(why, "%.*supstreams: %s.models names \"" MODEL_AUTO "\", which is Weir's own name for a choice of models.",
                    (int)place, sb_str(&at), s->upstreams[i].name);
            ok = false;
        }
    if (ok && s->automatic.n == 0 && s->default_model && strcmp(s->default_model, MODEL_AUTO) == 0) {
        sb_putf(why, "%.*sdefault_model is \"" MODEL_AUTO "\", but auto lists no models to choose from.", (int)place, sb_str(&at));
        ok = false;
    }
    sb_done(&at);
    return ok;
}
