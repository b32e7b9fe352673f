/* h_live.c - GET /monitoring/live: one small snapshot for pages that refresh.
 *
 * Its ETag is made of what it is made of: the engine's snapshot, the versions
 * of the records and the alerts, the last check of the ledger, the batches under way, and the quarter of an hour (days end). What role user sees is
 * rendered each time; what monitor and admin see is the same for all of them and
 * kept until one of these changes. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/alerts.h"
#include "store/record.h"
#include "store/report.h"
#include "store/verify.h"
#include "web/batch_json.h"
#include "web/live.h"
#include "web/pages.h"
#include "web/route.h"
#include "web/snapshot_json.h"

enum { LIVE_MAX = 256 * 1024, ERRORS_SHOWN = 3, ALERTS_SHOWN = 20, BATCHES_SHOWN = 20, TAG_SIZE = 160 };
#define QUARTER_MS INT64_C(900000)

struct live_cache {
    pthread_mutex_t lock;        /* leaf: copies only */
    char tag[TAG_SIZE];
    struct sb body;
};

struct live_cache *live_cache_new(void)
{
    struct live_cache *c = mem_zalloc(1, sizeof *c);

    (void)pthread_mutex_init(&c->lock, NULL);
    c->body = sb_make(LIVE_MAX);
    return c;
}

void live_cache_free(struct live_cache *c)
{
    if (!c)
        return;
    (void)pthread_mutex_destroy(&c->lock);
    sb_done(&c->body);
    free(c);
}

/* True if the body of `tag` is there; it is then appended to `out`. */
static bool recall(struct live_cache *c, const char *tag, struct sb *out)
{
    bool hit;

    (void)pthread_mutex_lock(&c->lock);
    hit = strcmp(c->tag, tag) == 0;
    if (hit)
        sb_put(out, sb_str(&c->body), c->body.len);
    (void)pthread_mutex_unlock(&c->lock);
    return hit;
}

static void keep(struct live_cache *c, const char *tag, const struct sb *body)
{
    (void)pthread_mutex_lock(&c->lock);
    sb_reset(&c->body);
    sb_put(&c->body, sb_str(body), body->len);
    (void)snprintf(c->tag, sizeof c->tag, "%s", sb_ok(&c->body) ? tag : "");
    (void)pthread_mutex_unlock(&c->lock);
}

/* Batches under way as [{batch_id, status, total, completed, failed, cost_usd, eta_ms, paused}]. */
static enum weir_err batches_json(struct exchange *x, const char *owner, struct sb *out)
{
    struct batch_row *rows = mem_zalloc(BATCHES_SHOWN + 1, sizeof *rows);
    size_t n = 0;
    enum weir_err e = batches_open(x->db, owner, BATCHES_SHOWN, rows, &n);

    sb_putc(out, '[');
    for (size_t i = 0; !e && i < n && i < BATCHES_SHOWN; i++) {
        const struct batch_row *b = &rows[i];

        sb_puts(out, i ? ",{\"batch_id\":" : "{\"batch_id\":");
        sb_json(out, b->batch_id);
        json_text(out, "status", batch_status_name(b->status));
        json_i64(out, "total", b->total);
        json_i64(out, "completed", b->completed);
        json_i64(out, "failed", b->failed);
        batch_progress_json(b, out);
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
    free(rows);
    return e;
}

/* The newest failures as [{at, request_id, code, message}]. */
static enum weir_err errors_json(struct exchange *x, const char *owner, struct sb *out)
{
    struct report_filter f = report_filter_make(x->arrived_ms);
    struct sb text = sb_make(LIVE_MAX);
    json_t *history, *items;
    enum weir_err e;

    f.owner_id = owner;
    f.status = CALL_ERROR;
    f.limit = ERRORS_SHOWN;
    e = report_history(x->db, &f, &text);
    history = e ? NULL : json_loadb(sb_str(&text), text.len, 0, NULL);
    items = json_object_get(history, "items");
    sb_putc(out, '[');
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *code = json_str(item, "error_code", "error");
        enum weir_err known = err_by_code(code);

        sb_puts(out, i ? ",{\"at\":" : "{\"at\":");
        sb_json(out, json_str(item, "at", NULL));
        sb_puts(out, ",\"request_id\":");
        sb_json(out, json_str(item, "request_id", NULL));
        sb_puts(out, ",\"code\":");
        sb_json(out, code);
        sb_puts(out, ",\"message\":");
        sb_json(out, known ? err_text(known) : code);
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
    json_decref(history);
    sb_done(&text);
    return e;
}

/* The ledgers of budgets as snapshot_budgets_json() has them, each with the name of the user it is kept for, or null. */
static void budgets_json(struct exchange *x, const struct snapshot *s, const char *owner, struct sb *out)
{
    const char *comma = "";

    sb_putc(out, '[');
    for (size_t i = 0; i < s->budget_count; i++) {
        const struct budget_view *v = &s->budgets[i].view;
        json_t *name;

        if (!snapshot_budget_is_of(&s->budgets[i], owner))
            continue;
        name = v->rule->scope == BUDGET_USER ? pages_person(x, v->key) : NULL;
        sb_putf(out, "%s{", comma);
        snapshot_budget_json(v, out);
        json_text(out, "name", json_string_value(name));
        sb_putc(out, '}');
        json_decref(name);
        comma = ",";
    }
    sb_putc(out, ']');
}

static enum weir_err render(struct exchange *x, const struct snapshot *s, const struct verify_last *ledger, const char *owner, struct sb *out)
{
    struct zone utc = zone_utc();
    enum weir_err e;

    sb_puts(out, "{\"at\":\"");
    sb_time(out, s->at_ms);
    sb_puts(out, "\",\"health\":");
    snapshot_health_json(s, out);
    sb_puts(out, ",\"limits\":");
    snapshot_limits_json(s, out);
    sb_puts(out, ",\"queue\":");
    snapshot_queue_json(s, owner, 0, out);
    sb_puts(out, ",\"today\":");
    e = report_today(x->db, owner, &utc, x->arrived_ms, out);
    if (e)
        return e;
    sb_puts(out, ",\"errors\":");
    e = errors_json(x, owner, out);
    sb_puts(out, ",\"budgets\":");
    budgets_json(x, s, owner, out);
    sb_puts(out, ",\"alerts\":");
    if (owner)
        sb_puts(out, "[]");                  /* they speak of everybody's work */
    else if (!e)
        e = alerts_live_json(x->db, ALERTS_SHOWN, out);
    sb_puts(out, ",\"ledger\":");
    if (owner)
        sb_puts(out, "null");
    else
        verify_last_json(ledger, out);
    sb_puts(out, ",\"batches\":");
    if (!e)
        e = batches_json(x, owner, out);
    sb_puts(out, "}\n");
    return e;
}

enum weir_err h_live(struct exchange *x)
{
    const char *owner = x->who.role == ROLE_USER ? x->who.user_id : NULL;
    const struct snapshot *s = engine_snapshot(x->web->engine);
    struct verify_last ledger;
    enum weir_err e = verify_last_read(x->db, &ledger);
    char tag[TAG_SIZE];

    if (e) {
        snapshot_put(s);
        return e;
    }
    (void)snprintf(tag, sizeof tag, "%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%s", (uint64_t)x->web->started_ms,
                   s->version, (uint64_t)report_version(x->db), (uint64_t)alerts_version(x->db),
                   (uint64_t)(x->arrived_ms / QUARTER_MS), (uint64_t)ledger.checked_ms,
                   (uint64_t)batches_version(x->db), owner ? owner : "all");
    if (!http_etag(&x->in, &x->out, tag) && (owner || !recall(x->web->live, tag, &x->out.body))) {
        e = render(x, s, &ledger, owner, &x->out.body);
        if (!e && !owner && sb_ok(&x->out.body))
            keep(x->web->live, tag, &x->out.body);
    }
    snapshot_put(s);
    return e;
}
