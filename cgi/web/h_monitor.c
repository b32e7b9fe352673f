/* h_monitor.c - /monitoring: figures from the roll-ups by store/report, the
 * state of now from the engine's snapshot. A user's own figures only, for role
 * user; nothing here shows text of a conversation. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "store/audit.h"
#include "store/report.h"
#include "web/field.h"
#include "web/monitor.h"
#include "web/route.h"
#include "web/session.h"
#include "web/snapshot_json.h"

enum { QUEUE_ENTRIES = 1000, SUGGESTIONS_MAX = 1024 * 1024, TREND_DAYS = 28, ANOMALIES_DAYS = 7, DETAIL_MAX = 4 * 1024 * 1024 };
#define DAY_MS INT64_C(86400000)

const char *monitor_owner(const struct exchange *x)
{
    return x->who.role == ROLE_USER ? x->who.user_id : NULL;
}

enum weir_err monitor_filter(struct exchange *x, int days, struct report_filter *f)
{
    bool from = false;
    const char *param;
    char why[160];
    enum weir_err e;

    *f = report_filter_make(x->arrived_ms);
    f->owner_id = monitor_owner(x);
    for (int i = 0; i < x->in.query_count; i++) {
        e = report_filter_set(f, x->in.query[i].name, x->in.query[i].value, why);
        if (e == WEIR_E_UNKNOWN_FIELD)       /* the handler's own: the route lets no other through */
            continue;
        if (e)
            return web_refuse(x, e, x->in.query[i].name, "%s", why);
        from = from || strcmp(x->in.query[i].name, "from") == 0;
    }
    if (!from)
        f->from_ms = f->to_ms - days * DAY_MS;
    e = session_find(x, f->user_id ? f->user_id : x->who.user_id, &f->session_id);
    if (e)
        return e;
    e = report_filter_check(f, &param, why);
    return e ? web_refuse(x, e, param, "%s", why) : WEIR_OK;
}

typedef enum weir_err report(struct db *ro, const struct report_filter *f, struct sb *out);

static enum weir_err answer(struct exchange *x, int days, report *make)
{
    struct report_filter f;
    char why[160];
    enum weir_err e = monitor_filter(x, days, &f);

    if (e)
        return e;
    e = report_sort_check(x->db, &f, why);
    if (e)
        return e == WEIR_E_OUT_OF_RANGE ? web_refuse(x, e, "sort", "%s", why) : e;
    e = make(x->db, &f, &x->out.body);
    sb_putc(&x->out.body, '\n');
    return e;
}

enum weir_err h_token_usage(struct exchange *x)
{
    return answer(x, 1, report_token_usage);
}

enum weir_err h_performance(struct exchange *x)
{
    enum weir_err e = answer(x, 1, report_performance);
    struct sb *out = &x->out.body, found = sb_make(SUGGESTIONS_MAX);

    if (e || monitor_owner(x))                         /* settings are no matter of single users */
        return e;
    keeper_suggestions(x->web->keeper, &found);
    sb_drop(out, strlen("]}\n"));
    if (found.len && out->p[out->len - 1] != '[')
        sb_putc(out, ',');
    sb_puts(out, sb_str(&found));
    sb_puts(out, "]}\n");
    sb_done(&found);
    return WEIR_OK;
}

enum weir_err h_cost_breakdown(struct exchange *x)
{
    enum weir_err e = answer(x, 1, report_cost_breakdown);
    const struct snapshot *s;

    if (e)
        return e;
    s = engine_snapshot(x->web->engine);
    sb_drop(&x->out.body, strlen("}\n"));      /* the report is of what was; budgets are the engine's */
    sb_puts(&x->out.body, ",\"budgets\":");
    snapshot_budgets_json(s, monitor_owner(x), &x->out.body);
    sb_puts(&x->out.body, "}\n");
    snapshot_put(s);
    return WEIR_OK;
}

enum weir_err h_history(struct exchange *x)
{
    return answer(x, 1, report_history);
}

enum weir_err h_trend(struct exchange *x)
{
    return answer(x, TREND_DAYS, report_trend);
}

enum weir_err h_anomalies(struct exchange *x)
{
    return answer(x, ANOMALIES_DAYS, report_anomalies);
}

enum weir_err h_session_usage(struct exchange *x)
{
    struct report_filter f = report_filter_make(x->arrived_ms);

    f.owner_id = monitor_owner(x);
    return report_session_usage(x->db, &f, x->arg[0], &x->out.body);
}

enum weir_err h_request(struct exchange *x)
{
    struct report_open open = {.now = sb_make(4096), .attempts = sb_make(64 * 1024)};
    bool known = report_request_is_open(x->db, x->arg[0]) && engine_request(x->web->engine, x->arg[0], &open);
    enum weir_err e = report_request(x->db, x->who.user_id, monitor_owner(x) != NULL, x->arg[0], known ? &open : NULL, &x->out.body);

    sb_putc(&x->out.body, '\n');
    sb_done(&open.now);
    sb_done(&open.attempts);
    return e;
}

enum weir_err h_queue_status(struct exchange *x)
{
    const struct snapshot *s = engine_snapshot(x->web->engine);
    const struct admit_counters *c = &s->counters;
    struct sb *out = &x->out.body;

    sb_puts(out, "{\"now\":");
    snapshot_queue_json(s, monitor_owner(x), QUEUE_ENTRIES, out);
    sb_putf(out, ",\"lifetime\":{\"enqueued\":%" PRId64 ",\"admitted\":%" PRId64 ",\"cancelled\":%" PRId64 ",\"timed_out\":%" PRId64
            ",\"rejected\":%" PRId64 ",\"retries\":%" PRId64 "}", c->enqueued, c->admitted, c->cancelled, c->timed_out, c->rejected,
            c->retries);
    sb_putf(out, ",\"wait_ms\":{\"p50\":%" PRId64 ",\"p90\":%" PRId64 ",\"p95\":%" PRId64 ",\"p99\":%" PRId64 "}", s->wait_ms_p50,
            s->wait_ms_p90, s->wait_ms_p95, s->wait_ms_p99);
    sb_putf(out, ",\"promises\":{\"made\":%" PRId64 ",\"kept\":%" PRId64 ",\"error_ms\":%" PRId64 "}}\n", c->promises, c->promises_kept,
            c->promise_error_us / 1000);
    snapshot_put(s);
    return WEIR_OK;
}

static void limits_json(struct web *w, struct sb *out)
{
    const struct snapshot *s = engine_snapshot(w->engine);

    snapshot_limits_json(s, out);
    snapshot_put(s);
}

enum weir_err h_rate_limits(struct exchange *x)
{
    sb_puts(&x->out.body, "{\"upstreams\":");
    limits_json(x->web, &x->out.body);
    sb_puts(&x->out.body, "}\n");
    return WEIR_OK;
}

/* --- POST /monitoring/reset-rate-limits --- */

struct reset {
    const char *upstream, *reason;
};

static const struct field reset_fields[] = {
    {"upstream", FIELD_TEXT, offsetof(struct reset, upstream), 1, 128, false},
    {"reason", FIELD_TEXT, offsetof(struct reset, reason), 1, 400, false},
};

struct noted {
    struct write_op op;
    struct audit_entry entry;
};

static enum weir_err run_note(struct db *db, struct write_op *op)
{
    return audit_add(db, &((struct noted *)op)->entry);
}

/* The reset is done; its states before and after go into the audit log. */
static enum weir_err note_reset(struct exchange *x, const char *upstream, const char *reason)
{
    struct sb detail = sb_make(DETAIL_MAX);
    enum weir_err e;

    if (reason) {                            /* before the states: {"reason":…,"before":… */
        sb_puts(&detail, "{\"reason\":");
        sb_json(&detail, reason);
        sb_putc(&detail, ',');
    }
    sb_puts(&detail, sb_str(&x->out.body) + (reason ? 1 : 0));
    struct noted n = {.op.run = run_note,
                      .entry = {.at_ms = x->arrived_ms, .actor = x->who.user_id, .action = "limits.reset",
                                .object = upstream ? upstream : "", .detail = sb_str(&detail), .request_id = x->request_id}};
    e = writer_call(x->web->writer, &n.op);
    sb_done(&detail);
    return e == WEIR_OK ? WEIR_OK
           : web_refuse(x, WEIR_E_STORAGE, NULL, "The limits were reset, but this could not be written to the audit log.");
}

enum weir_err h_reset_rate_limits(struct exchange *x)
{
    struct reset which = {NULL, NULL};
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, reset_fields, 2, "", &which, &fault);
    struct sb *out = &x->out.body;

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    sb_puts(out, "{\"before\":");
    limits_json(x->web, out);
    if (!engine_reset_limits(x->web->engine, which.upstream))
        return web_refuse(x, WEIR_E_NOT_FOUND, "upstream", "There is no upstream '%.100s'.", which.upstream);
    sb_puts(out, ",\"after\":");
    limits_json(x->web, out);
    sb_puts(out, "}\n");
    return note_reset(x, which.upstream, which.reason);
}
