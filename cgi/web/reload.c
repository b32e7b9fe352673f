/* reload.c - read, compare, publish, remember.
 *
 * A file that is wrong ends in the first step, before anything is touched. */
#include "web/reload.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/audit.h"
#include "web/cmd_config.h"
#include "web/prices.h"

enum { ANSWER_MAX = 4 << 20 };

/* One configuration that is or was in force. */
struct generation {
    struct settings *settings;
    struct price fallback;
    char hash[SETTINGS_HASH_SIZE];
    int64_t version;
    struct generation *older;
};

struct reload {
    struct web *web;
    pthread_mutex_t one;                 /* no leaf: see the header */
    struct generation *_Atomic now;
    atomic_int_least64_t succeeded, failed, success_ms;
};

static struct generation *generation_new(struct settings *s, struct generation *older)
{
    struct generation *g = mem_zalloc(1, sizeof *g);

    g->settings = s;
    g->fallback = (struct price){.provider = "", .id = "", .version = "fallback", .tiers = 1,
                                 .tier = {{.in = s->fallback_input, .out = s->fallback_output, .cache_read = -1,
                                           .cache_write = -1, .cache_write_1h = -1}}};
    settings_hash(s, g->hash);
    g->version = older ? older->version + 1 : 1;
    g->older = older;
    return g;
}

static void publish(struct reload *r, struct generation *g)
{
    const struct settings *s = g->settings;

    r->web->settings = s;
    r->web->fallback_price = s->fallback_input > 0 || s->fallback_output > 0 ? &g->fallback : NULL;
}

struct reload *reload_new(struct web *w, struct settings *first)
{
    struct reload *r = mem_zalloc(1, sizeof *r);
    struct generation *g = generation_new(first, NULL);

    r->web = w;
    pthread_mutex_init(&r->one, NULL);
    atomic_init(&r->now, g);
    atomic_init(&r->success_ms, clock_utc_ms());
    publish(r, g);
    return r;
}

void reload_free(struct reload *r)
{
    struct generation *g = r ? r->now : NULL;

    while (g) {
        struct generation *older = g->older;

        settings_free(g->settings);
        free(g);
        g = older;
    }
    if (r)
        pthread_mutex_destroy(&r->one);
    free(r);
}

void reload_look(struct reload *r, struct reload_state *out)
{
    const struct generation *g = r->now;

    memcpy(out->hash, g->hash, sizeof out->hash);
    out->version = g->version;
    out->succeeded = r->succeeded;
    out->failed = r->failed;
    out->success_ms = r->success_ms;
}

void reload_config_json(struct reload *r, struct sb *out)
{
    const struct generation *g = r->now;

    sb_puts(out, "\"config\":{\"file\":");
    sb_json(out, g->settings->config);
    sb_putf(out, ",\"hash\":\"%s\",\"version\":%" PRId64 "}", g->hash, g->version);
}

/* --- what is said --- */

static void changes_json(const struct settings_changes *c, bool restart, struct sb *out)
{
    const char *comma = "";

    sb_putc(out, '[');
    for (size_t i = 0; i < c->n; i++) {
        if (c->v[i].restart != restart)
            continue;
        sb_putf(out, "%s{\"key\":", comma);
        sb_json(out, c->v[i].key);
        sb_putf(out, ",\"old\":%s,\"new\":%s}", c->v[i].before, c->v[i].after);
        comma = ",";
    }
    sb_putc(out, ']');
}

/* "changed":[…],"needs_restart":[…] */
static void both_json(const struct settings_changes *c, struct sb *out)
{
    sb_puts(out, "\"changed\":");
    changes_json(c, false, out);
    sb_puts(out, ",\"needs_restart\":");
    changes_json(c, true, out);
}

static void prices_json(const struct reload *r, bool changed, struct sb *out)
{
    sb_puts(out, ",\"prices\":{\"version\":");
    sb_json(out, price_table_version(r->web->prices));
    sb_putf(out, ",\"changed\":%s}", changed ? "true" : "false");
}

static void log_changes(const struct settings_changes *c)
{
    for (size_t i = 0; i < c->n; i++)
        log_info("config: %s: %.300s -> %.300s%s", c->v[i].key, c->v[i].before, c->v[i].after,
                 c->v[i].restart ? " (needs a restart)" : "");
    if (c->n == 0)
        log_info("config: nothing has changed");
}

struct noted {
    struct write_op op;
    struct audit_entry entry;
};

static enum weir_err run_note(struct db *db, struct write_op *op)
{
    return audit_add(db, &((struct noted *)op)->entry);
}

static enum weir_err note(struct reload *r, const char *actor, const char *request_id, const struct settings_changes *c, bool repriced)
{
    const struct settings *s = r->web->settings;
    struct sb detail = sb_make(ANSWER_MAX);
    struct noted n = {.op.run = run_note,
                      .entry = {.at_ms = clock_utc_ms(), .actor = actor, .action = "config.reload",
                                .object = s->config ? s->config : "", .request_id = request_id}};
    enum weir_err e;

    sb_putc(&detail, '{');
    both_json(c, &detail);
    if (repriced)
        prices_json(r, repriced, &detail);
    sb_putc(&detail, '}');
    n.entry.detail = sb_str(&detail);
    e = writer_call(r->web->writer, &n.op);
    sb_done(&detail);
    return e;
}

/* --- what is done --- */

/* Read, check, compare. NULL: it is wrong. */
static struct settings *read_again(const struct settings *now, struct settings_changes *changes, struct sb *why)
{
    /* A file that was there at the start and is not now is a mistake, not a wish for none. */
    struct settings *fresh = config_load(now->config, why);

    if (fresh && !settings_follow(fresh, now, changes, why)) {
        settings_free(fresh);
        fresh = NULL;
    }
    return fresh;
}

/* Takes `fresh` if it comes into force, or ever did for an acceptor. */
static enum weir_err put_in_force(struct reload *r, struct settings *fresh)
{
    struct generation *old = r->now, *g = generation_new(fresh, old);
    enum weir_err e;

    publish(r, g);
    e = engine_reload(r->web->engine, fresh);
    if (!e) {
        r->now = g;
        courier_reload(r->web->courier, fresh);
        log_set_level(fresh->log_level);
        return WEIR_OK;
    }
    publish(r, old);
    g->older = old->older;               /* somebody may have it: kept as one that was in force */
    old->older = g;
    return e;
}

static enum weir_err reload_locked(struct reload *r, const char *actor, const char *request_id, struct sb *out)
{
    struct settings_changes changes = {0};
    struct settings *fresh = read_again(((struct generation *)r->now)->settings, &changes, out);
    struct prices_read *prices = fresh ? prices_read(r->web->price_tables, out) : NULL;
    enum weir_err e = prices ? WEIR_OK : WEIR_E_CONFIG;
    bool repriced = false;

    if (prices && settings_changes_apply(&changes)) {
        e = put_in_force(r, fresh);
        if (e)
            sb_puts(out, e == WEIR_E_STORAGE ? "What the budgets have spent cannot be read right now."
                                             : "There is no memory for the new configuration.");
    } else
        settings_free(fresh);
    if (e)
        prices_drop(prices);
    else
        repriced = prices_put(r->web->price_tables, prices);
    if (e) {
        r->failed++;
        log_error("config: %s The configuration before stays in force.", sb_str(out));
    } else {
        r->succeeded++;
        r->success_ms = clock_utc_ms();
        log_changes(&changes);
        if (repriced)
            log_info("prices: version %s is in force", price_table_version(r->web->prices));
        e = note(r, actor, request_id, &changes, repriced);
        if (e) {
            sb_puts(out, "The configuration is in force, but this could not be written to the audit log.");
        } else {
            sb_putc(out, '{');
            reload_config_json(r, out);
            sb_putc(out, ',');
            both_json(&changes, out);
            prices_json(r, repriced, out);
            sb_puts(out, "}\n");
        }
    }
    settings_changes_done(&changes);
    return e;
}

enum weir_err reload_now(struct reload *r, const char *actor, const char *request_id, struct sb *out)
{
    enum weir_err e;

    pthread_mutex_lock(&r->one);
    e = reload_locked(r, actor, request_id, out);
    pthread_mutex_unlock(&r->one);
    return e;
}
