/* h_operations.c - /operations: leases for what is metered and called by others.
 *
 * Acquiring is the engine's, as a chat is; settling waits here for the commit,
 * and what was settled before is answered again from the ledger. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "flow/lease.h"
#include "flow/once.h"
#include "store/convo.h"
#include "store/record.h"
#include "web/field.h"
#include "web/filter.h"
#include "web/launch.h"
#include "web/once.h"
#include "web/route.h"
#include "web/session.h"

enum { BATCH_MAX = 100, ERROR_MAX = 500 };
#define AMOUNT_MAX INT64_C(1000000000)
#define WAIT_MAX_MS INT64_C(3600000)

/* --- acquire --- */

struct wish {
    const char *name, *upstream, *priority, *session_id;
    int64_t input, output, units, wait_ms;
};

static const struct field wish_fields[] = {
    {"name", FIELD_TEXT, offsetof(struct wish, name), 1, LEASE_NAME_SIZE - 1, true},
    {"upstream", FIELD_TEXT, offsetof(struct wish, upstream), 1, LEASE_UPSTREAM_SIZE - 1, true},
    {"input_tokens", FIELD_INT, offsetof(struct wish, input), 0, AMOUNT_MAX, false},
    {"output_tokens", FIELD_INT, offsetof(struct wish, output), 0, AMOUNT_MAX, false},
    {"units", FIELD_INT, offsetof(struct wish, units), 0, AMOUNT_MAX, false},
    {"priority", FIELD_TEXT, offsetof(struct wish, priority), 1, 16, false},
    {"wait_ms", FIELD_INT, offsetof(struct wish, wait_ms), 0, WAIT_MAX_MS, false},
    {"session_id", FIELD_TEXT, offsetof(struct wish, session_id), 1, CALL_ID_SIZE - 1, false},
};

/* Refuse member `name` of the operation that `prefix` stands before. */
static enum weir_err refuse(struct exchange *x, enum weir_err e, const char *prefix, const char *name, const char *why)
{
    char param[WEB_PARAM_MAX];

    (void)snprintf(param, sizeof param, "%s%s", prefix, name);
    return web_refuse(x, e, param, "%s", why);
}

/* Its place in the settings; where there is none of this name it is their number. */
static size_t find_upstream(const struct settings *s, const char *name)
{
    size_t i = 0;

    while (i < s->n_upstreams && !(s->upstreams[i].enabled && strcmp(s->upstreams[i].name, name) == 0))
        i++;
    return i;
}

static enum weir_err check_wish(struct exchange *x, const char *prefix, struct wish *w, struct launch_operation *o)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/";
    const struct settings *s = x->web->settings;
    struct filters *f;
    enum weir_err e = filters_of(x, &f);

    if (e)
        return e;
    if (strspn(w->name, letters) != strlen(w->name))
        return refuse(x, WEIR_E_INVALID_FIELD, prefix, "name", "'name' is made of letters, digits, '_', '-', '.', ':' and '/'.");
    if (w->priority && !priority_parse(w->priority, &o->priority))
        return refuse(x, WEIR_E_INVALID_FIELD, prefix, "priority", "'priority' must be \"Low\", \"Medium\" or \"High\".");
    if (o->priority > x->who.max_priority)
        return refuse(x, WEIR_E_PRIORITY, prefix, "priority", err_text(WEIR_E_PRIORITY));
    if (!filters_allow(f, w->name))
        return refuse(x, WEIR_E_MODEL_NOT_ALLOWED, prefix, "name", "You may not use operations of this name.");
    o->upstream = find_upstream(s, w->upstream);
    if (o->upstream == s->n_upstreams)
        return refuse(x, WEIR_E_NOT_FOUND, prefix, "upstream", "There is no upstream of this name.");
    if (s->upstreams[o->upstream].protocol != PROTOCOL_OPERATION)
        return refuse(x, WEIR_E_INVALID_FIELD, prefix, "upstream", "Weir itself calls this upstream; operations are of those whose protocol is \"operation\".");
    e = session_find(x, x->who.user_id, &w->session_id);
    if (e)
        return e;
    if (w->session_id && !convo_owned(x->db, x->who.user_id, w->session_id))
        return refuse(x, WEIR_E_NOT_FOUND, prefix, "session_id", "There is no such session of yours.");
    return WEIR_OK;
}

static enum weir_err make_job(struct exchange *x, const json_t *from, const char *prefix, struct job **out)
{
    struct wish w = {.wait_ms = x->web->settings->queue.max_wait_us / USEC_PER_MS};
    struct launch_operation o = {.priority = x->who.max_priority < PRIORITY_MEDIUM ? x->who.max_priority : PRIORITY_MEDIUM};
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(from, wish_fields, sizeof wish_fields / sizeof *wish_fields, prefix, &w, &fault);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    e = check_wish(x, prefix, &w, &o);
    if (e)
        return e;
    o.name = w.name;
    o.session_id = w.session_id;
    o.estimate = (struct usage_tokens){.prompt = w.input, .completion = w.output, .units = w.units};
    o.wait_us = w.wait_ms * USEC_PER_MS;
    *out = launch_operation(x, &o);
    return *out ? WEIR_OK : refuse(x, WEIR_E_OUT_OF_RANGE, prefix, "units", "At this price so much costs more than can be counted.");
}

enum weir_err h_operation_acquire(struct exchange *x)
{
    struct job *j = NULL;
    bool answered;
    enum weir_err e = once_check(x, NULL, &answered);

    if (e || answered)
        return e;
    e = make_job(x, x->json, "", &j);
    if (!j)
        return e;
    if (x->has_key)
        j->once = once_new(&j->rec, &x->key);
    launch_go(x, j);
    return WEIR_OK;
}

struct many {
    const json_t *operations;
};

static const struct field many_fields[] = {
    {"operations", FIELD_LIST, offsetof(struct many, operations), 1, BATCH_MAX, true},
};

/* All are looked at before the first has its turn. */
enum weir_err h_operation_batch(struct exchange *x)
{
    struct many m = {NULL};
    struct field_fault fault = {.param = ""};
    struct job *job[BATCH_MAX] = {NULL};
    char prefix[40];
    size_t n, made = 0;
    bool answered;
    enum weir_err e = once_check(x, NULL, &answered);

    if (e || answered)
        return e;
    e = field_read(x->json, many_fields, 1, "", &m, &fault);
    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    n = json_array_size(m.operations);
    if (n == 0)
        return web_refuse(x, WEIR_E_OUT_OF_RANGE, "operations", "'operations' must be a list of 1 to %d operations.", BATCH_MAX);
    for (; !e && made < n; made += !e) {
        const json_t *one = json_array_get(m.operations, made);

        (void)snprintf(prefix, sizeof prefix, "operations[%zu].", made);
        e = json_is_object(one) ? make_job(x, one, prefix, &job[made])
                                : web_refuse(x, WEIR_E_INVALID_FIELD, "operations", "Each of 'operations' must be an object.");
    }
    if (!e) {
        job[0]->lease->batch = lease_batch_new(job, n);
        if (x->has_key) {                /* it is of this path, though each is recorded as an acquisition */
            job[0]->once = once_new(&job[0]->rec, &x->key);
            job[0]->once->key.endpoint = "/operations/batch";
        }
        launch_go(x, job[0]);
        return WEIR_OK;
    }
    for (size_t i = 0; i < made; i++)
        job_free(job[i]);
    return e;
}

/* --- settle --- */

struct said {
    const char *status, *error;
    int64_t input, output, units;
};

static const struct field said_fields[] = {
    {"status", FIELD_TEXT, offsetof(struct said, status), 1, 16, true},
    {"input_tokens", FIELD_INT, offsetof(struct said, input), 0, AMOUNT_MAX, false},
    {"output_tokens", FIELD_INT, offsetof(struct said, output), 0, AMOUNT_MAX, false},
    {"units", FIELD_INT, offsetof(struct said, units), 0, AMOUNT_MAX, false},
    {"error", FIELD_TEXT, offsetof(struct said, error), 0, ERROR_MAX, false},
};

static const char *status_of(const struct lease_end *e)
{
    switch (e->status) {
    case CALL_SUCCESS: return "success";
    case CALL_TIMEOUT: return "expired";
    case CALL_CANCELLED: return "cancelled";
    case CALL_ERROR:
    case CALL_REJECTED: break;
    }
    return "failed";
}

static void answer(const char *lease_id, const struct lease_end *e, struct sb *out)
{
    sb_puts(out, "{\"lease_id\":");
    sb_json(out, lease_id);
    json_text(out, "name", e->name);
    json_text(out, "upstream", e->upstream);
    json_text(out, "status", status_of(e));
    json_i64(out, "input_tokens", e->used.prompt);
    json_i64(out, "output_tokens", e->used.completion);
    json_i64(out, "units", e->used.units);
    sb_puts(out, e->estimated ? ",\"estimated\":true,\"cost_usd\":" : ",\"estimated\":false,\"cost_usd\":");
    sb_usd(out, e->cost);
    json_i64(out, "waited_ms", e->wait_us / USEC_PER_MS);
    json_i64(out, "duration_ms", e->duration_us / USEC_PER_MS);
    sb_puts(out, "}\n");
}

enum weir_err h_operation_settle(struct exchange *x)
{
    struct said s = {.input = -1, .output = -1, .units = -1};
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, said_fields, sizeof said_fields / sizeof *said_fields, "", &s, &fault);
    struct lease_report r = {.input = s.input, .output = s.output, .units = s.units, .error = s.error};
    struct lease_end end;

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    r.failed = strcmp(s.status, "failed") == 0;
    if (!r.failed && strcmp(s.status, "success") != 0)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "status", "'status' must be \"success\" or \"failed\".");
    e = engine_settle(x->web->engine, x->who.user_id, x->arg[0], &r, &end);
    if (e == WEIR_E_OUT_OF_RANGE)
        return web_refuse(x, e, "units", "At this price so much costs more than can be counted; the lease is not settled.");
    if (e == WEIR_E_NOT_FOUND) {
        writer_catch_up(x->web->writer);
        e = lease_read_end(x->db, x->who.user_id, x->arg[0], &end);
    }
    if (e)
        return web_refuse(x, e, NULL, e == WEIR_E_NOT_FOUND ? "There is no such lease of yours." : NULL);
    if (!end.settled)
        return web_refuse(x, WEIR_E_UNAVAILABLE, NULL, "The lease cannot be settled this moment, as Weir is being restarted or cannot write its "
                          "records. Settle it again in a few seconds.");
    answer(x->arg[0], &end, &x->out.body);
    return WEIR_OK;
}
