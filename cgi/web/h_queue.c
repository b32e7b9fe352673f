/* h_queue.c - POST /admin/queue/{id}/priority: an operator moves a request that
 * waits into another line. */
#include <inttypes.h>

#include "web/admin.h"
#include "web/field.h"
#include "web/route.h"

struct wish {
    const char *priority;
};

static const struct field fields[] = {
    {"priority", FIELD_TEXT, offsetof(struct wish, priority), 1, 16, true},
};

static enum weir_err nothing_else(struct db *db, const struct admin_change *c)
{
    (void)db, (void)c;
    return WEIR_OK;
}

enum weir_err h_queue_priority(struct exchange *x)
{
    struct wish w = {NULL};
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, fields, 1, "", &w, &fault);
    enum priority p;
    int64_t position;

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (!priority_parse(w.priority, &p))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "priority", "'%.20s' is no priority; Low, Medium and High are.", w.priority);
    if (!engine_promote(x->web->engine, x->arg[0], p, &position))
        return web_refuse(x, WEIR_E_NOT_FOUND, NULL, "No such request waits; it may have begun.");
    e = admin_apply(x, "queue.priority", x->arg[0], nothing_else, NULL);
    if (e)
        return web_refuse(x, e, NULL, "The priority is changed, but this could not be written to the audit log.");
    sb_puts(&x->out.body, "{\"request_id\":");
    sb_json(&x->out.body, x->arg[0]);
    sb_putf(&x->out.body, ",\"priority\":\"%s\",\"position\":%" PRId64 "}\n", priority_name(p), position);
    return WEIR_OK;
}
