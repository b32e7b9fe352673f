/* reload.c - another configuration while everything runs, and budgets that were changed.
 *
 * Both begin with the writer: it reads what the budgets have spent in between two settlements of this engine, and when
 * that comes back everything is put in force in one go. Upstreams stay where they are in the arrays; a call keeps the
 * connection it began with, which is freed when its last call has ended. */
#include <string.h>

#include "base/mem.h"
#include "flow/admission.h"
#include "flow/engine_impl.h"

_Static_assert((int)SETTINGS_UPSTREAMS == (int)ADMIT_UPSTREAMS_MAX, "a configuration has no more upstreams than admission");

struct reload_question {
    struct question q;
    struct write_op op;
    struct engine *engine;
    const struct settings *fresh;        /* NULL: budgets alone */
    const struct settings *s;            /* whose budgets are read */
    struct budget_set loaded;
    enum weir_err result;
};

/* --- upstreams --- */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool other_account(const struct upstream_settings *now, const struct upstream_settings *fresh)
{
    return !same(now->base_url, fresh->base_url) || !same(now->api_key, fresh->api_key) || !same(now->api_version, fresh->api_version)
           || now->auth != fresh->auth;
}

static bool other_connection(const struct upstream_settings *now, const struct upstream_settings *fresh)
{
    const struct tuning_settings *t = &now->tune, *u = &fresh->tune;

    return !now->enabled || other_account(now, fresh) || t->timeouts.connect_us != u->timeouts.connect_us ||
           t->timeouts.first_byte_us != u->timeouts.first_byte_us || t->timeouts.idle_us != u->timeouts.idle_us ||
           t->timeouts.total_us != u->timeouts.total_us;
}

static bool other_models(const struct upstream_settings *now, const struct upstream_settings *fresh)
{
    if (now->enabled != fresh->enabled || now->models.n != fresh->models.n || other_account(now, fresh))
        return true;
    for (size_t i = 0; i < now->models.n; i++)
        if (strcmp(now->models.items[i], fresh->models.items[i]) != 0)
            return true;
    return false;
}

/* The connections that `fresh` needs and the engine does not have; false: no memory, and there are none. */
static bool connect_new(const struct engine *e, const struct settings *fresh, struct upstream *made[SETTINGS_UPSTREAMS])
{
    bool ok = true;

    for (size_t i = 0; ok && i < fresh->n_upstreams; i++) {
        const struct upstream_settings *u = &fresh->upstreams[i];

        if (!u->enabled || !settings_is_called(u) ||
            (i < e->up_count && !other_connection(&e->s->upstreams[i], u)))
            continue;
        made[i] = upstream_new(u, fresh->ca_file);
        ok = made[i] != NULL;
    }
    for (size_t i = 0; !ok && i < fresh->n_upstreams; i++)
        upstream_free(made[i]);
    return ok;
}

/* Those who wait for what is not there any more, or for more than a limit allows now. */
static void end_stranded(struct engine *e)
{
    enum weir_err why;
    struct job *j;

    while ((j = admit_stranded(e->admit, e->now_us, &why))) {
        struct job_end end = {.err = why, .status = CALL_REJECTED, .retry_after_ms = -1};

        j->ticket = NULL;
        j->grant.wait = *admit_left(e->admit);
        end.message = mem_strdup(why == WEIR_E_NO_UPSTREAM
                                     ? "The provider this request waited for was taken out of the configuration. Nothing was charged for waiting; choose another model."
                                     : "The limits were lowered while this request waited, and it alone needs more than the whole limit now; shorten it or choose another model.");
        conduct_end(e, j, end);
    }
}

static enum weir_err apply(struct engine *e, const struct settings *fresh)
{
    struct upstream *made[SETTINGS_UPSTREAMS] = {NULL};
    struct admit_upstream u[SETTINGS_UPSTREAMS];
    struct admit_config config;
    uint64_t renewed = 0;

    if (!connect_new(e, fresh, made))
        return WEIR_E_OVERLOADED;
    for (size_t i = 0; i < fresh->n_upstreams; i++) {
        bool is_new = i >= e->up_count;

        if (is_new)
            e->gauge[i] = sb_make(ENGINE_GAUGE_MAX);
        else if (other_account(&e->s->upstreams[i], &fresh->upstreams[i]))
            renewed |= UINT64_C(1) << i;
        if (is_new || other_models(&e->s->upstreams[i], &fresh->upstreams[i]))
            models_change(e, i, &fresh->upstreams[i]);
        if (made[i]) {
            upstream_retire(e->up[i]);
            e->up[i] = made[i];
        }
    }
    allowance_change(e, fresh);
    pthread_mutex_lock(&e->models_lock);
    e->s = fresh;
    e->up_count = fresh->n_upstreams;
    pthread_mutex_unlock(&e->models_lock);
    config = admission_config(fresh, u);
    admit_change(e->admit, &config, renewed, e->now_us);
    end_stranded(e);
    e->places_due = true;
    return WEIR_OK;
}

/* --- the letter --- */

static enum weir_err run_load(struct db *db, struct write_op *op)
{
    struct reload_question *r = OF(struct reload_question, op, op);

    budget_set_done(&r->loaded);              /* of a first try */
    return budgets_load(db, r->s, clock_utc_ms(), &r->loaded);
}

static void on_reload(struct engine *e, struct mail *m);

static void on_loaded(struct engine *e, struct mail *m)
{
    struct reload_question *r = OF(struct reload_question, q.mail, m);

    if (!r->fresh && r->s != e->s) {          /* the configuration changed meanwhile, and its budgets with it */
        on_reload(e, m);
        return;
    }
    if (!r->result && r->fresh)
        r->result = apply(e, r->fresh);
    if (!r->result)
        purse_replace(e, &r->loaded);
    engine_look_anew(e);
    sem_post(&r->q.answered);
}

/* On the writer's thread. */
static void loaded(struct write_op *op, enum weir_err result)
{
    struct reload_question *r = OF(struct reload_question, op, op);

    r->result = result;
    r->q.mail.deliver = on_loaded;
    engine_post(r->engine, &r->q.mail);
}

/* The engine itself asks the writer, so that the reading has its place among the engine's settlements. */
static void on_reload(struct engine *e, struct mail *m)
{
    struct reload_question *r = OF(struct reload_question, q.mail, m);

    r->s = r->fresh ? r->fresh : e->s;
    r->op = (struct write_op){.run = run_load, .done = loaded, .after_settlements = true};
    writer_submit(e->w, &r->op);
}

enum weir_err engine_reload(struct engine *e, const struct settings *s)
{
    struct reload_question r = {.engine = e, .fresh = s};

    engine_ask(e, &r.q, on_reload);
    budget_set_done(&r.loaded);
    return r.result;
}

enum weir_err engine_reload_budgets(struct engine *e)
{
    return engine_reload(e, NULL);
}
