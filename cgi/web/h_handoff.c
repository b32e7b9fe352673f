/* h_handoff.c - POST /chat/sessions/{id}/handoff: a session goes to another user,
 * with its history, its budgets and its totals.
 *
 * Its owner gives it away, or an administrator does, who sees none of its text.
 * A line in the audit log is written with it. */
#include <string.h>

#include "store/audit.h"
#include "store/convo.h"
#include "web/field.h"
#include "web/route.h"

struct wish {
    const char *user_id, *token_id;
};

static const struct field fields[] = {
    {"user_id", FIELD_TEXT, offsetof(struct wish, user_id), 1, RAND_ID_SIZE - 1, false},
    {"token_id", FIELD_TEXT, offsetof(struct wish, token_id), 1, RAND_ID_SIZE - 1, false},
};

/* For the writer. */
struct handoff {
    struct write_op op;
    const char *owner;               /* NULL: whoever it is */
    char to[RAND_ID_SIZE], from[RAND_ID_SIZE];
    struct audit_entry entry;
};

static enum weir_err run(struct db *db, struct write_op *op)
{
    struct handoff *h = (struct handoff *)op;
    struct sb detail = sb_make(256);
    enum weir_err e = convo_handoff(db, h->owner, h->entry.object, h->to, h->entry.at_ms, h->from);

    if (!e) {
        sb_puts(&detail, "{\"from_user_id\":");
        sb_json(&detail, h->from);
        sb_puts(&detail, ",\"user_id\":");
        sb_json(&detail, h->to);
        sb_putc(&detail, '}');
        h->entry.detail = sb_str(&detail);
        e = audit_add(db, &h->entry);
    }
    sb_done(&detail);
    return e;
}

/* The user who is to have it; a token stands for its user, whose sessions all their tokens share. */
static enum weir_err read_receiver(struct exchange *x, char to[RAND_ID_SIZE])
{
    struct wish w = {NULL, NULL};
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, fields, sizeof fields / sizeof *fields, "", &w, &fault);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (!w.user_id == !w.token_id)
        return web_refuse(x, w.user_id ? WEIR_E_INVALID_FIELD : WEIR_E_MISSING_FIELD, "user_id", "Give one of 'user_id' and 'token_id': who is to have it.");
    if (w.token_id && account_token_user(x->db, w.token_id, x->arrived_ms, to) != WEIR_OK)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "token_id", "There is no such token that works.");
    if (w.user_id)
        memcpy(to, w.user_id, strlen(w.user_id) + 1);
    return WEIR_OK;
}

enum weir_err h_session_handoff(struct exchange *x)
{
    bool owned = convo_owned(x->db, x->who.user_id, x->arg[0]);
    struct handoff h = {.op = {.run = run, .after_settlements = true}, .owner = owned ? x->who.user_id : NULL,
                        .entry = {.at_ms = x->arrived_ms, .actor = x->who.user_id, .action = "session.handoff", .object = x->arg[0],
                                  .request_id = x->request_id}};
    enum weir_err e;

    if (!owned && x->who.role != ROLE_ADMIN)
        return WEIR_E_NOT_FOUND;
    if ((e = read_receiver(x, h.to)))
        return e;
    if (!owned && strcmp(h.to, x->who.user_id) == 0)
        return web_refuse(x, WEIR_E_FORBIDDEN, NULL, "An administrator hands over other people's sessions without reading them, and so not to themselves.");
    e = writer_call(x->web->writer, &h.op);
    if (e == WEIR_E_INVALID_FIELD)
        return web_refuse(x, e, "user_id", "There is no such user who may chat.");
    if (e == WEIR_E_CONFLICT)
        return web_refuse(x, e, NULL, "A message of this session waits or is being answered; hand it over when that has ended.");
    if (e)
        return e;
    sb_puts(&x->out.body, "{\"session_id\":");
    sb_json(&x->out.body, x->arg[0]);
    sb_puts(&x->out.body, ",\"from_user_id\":");
    sb_json(&x->out.body, h.from);
    sb_puts(&x->out.body, ",\"user_id\":");
    sb_json(&x->out.body, h.to);
    sb_puts(&x->out.body, "}\n");
    return WEIR_OK;
}
