/* h_queue.c - what is changed about a request that waits: an operator moves it into
 * another line, its owner has it tried again sooner. */
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

struct retry_wish {
    const char *request_id;
};

static const struct field retry_fields[] = {
    {"request_id", FIELD_TEXT, offsetof(struct retry_wish, request_id), 1, RAND_ID_SIZE - 1, true},
};

enum weir_err h_chat_retry(struct exchange *x)
{
    struct retry_wish w = {NULL};
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, retry_fields, 1, "", &w, &fault);
    bool rested;

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    rested = engine_hurry(x->web->engine, x->who.role == ROLE_ADMIN ? NULL : x->who.user_id, w.request_id);
    sb_putf(&x->out.body, "{\"retried\":%s}\n", rested ? "true" : "false");        /* false: it has begun, or is not theirs */
    return WEIR_OK;
}
