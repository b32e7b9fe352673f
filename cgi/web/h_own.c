/* h_own.c - what everybody may change about themselves: the password, whether
 * the panel of monitoring is open, and where they are signed in. */
#include <stdio.h>
#include <string.h>

#include "base/password.h"
#include "web/people.h"
#include "web/route.h"
#include "web/signin.h"

/* --- the password, and the panel --- */

struct wish {
    const char *password, *current_password;
    int show_monitoring;
};

static const struct field fields[] = {
    {"password", FIELD_TEXT, offsetof(struct wish, password), 1, 4 * PASSWORD_MAX, false},
    {"current_password", FIELD_TEXT, offsetof(struct wish, current_password), 1, 4 * PASSWORD_MAX, false},
    {"show_monitoring", FIELD_BOOL, offsetof(struct wish, show_monitoring), 0, 0, false},
};

static enum weir_err make_password(struct db *db, const struct admin_change *a)
{
    return account_rehash(db, a->entry.actor, a->what);
}

struct others {
    struct write_op op;
    const char *user_id, *csrf;
};

static enum weir_err run_end_others(struct db *db, struct write_op *op)
{
    const struct others *o = (const struct others *)op;

    return account_session_remove(db, o->user_id, NULL, o->csrf);
}

/* Whoever sits at a browser that was left open does not know the password: it is asked for again, or one has just signed in. */
static enum weir_err prove(struct exchange *x, const struct wish *w)
{
    struct signed_in in;

    if (w->current_password)
        return signin_by_password(x, x->who.name, w->current_password, &in);
    return auth_is_fresh(&x->who, x->arrived_ms) ? WEIR_OK : web_refuse(x, WEIR_E_REAUTHENTICATE, "current_password", NULL);
}

static enum weir_err change_password(struct exchange *x, const struct wish *w)
{
    struct others o = {.op.run = run_end_others, .user_id = x->who.user_id, .csrf = x->who.csrf};
    char hash[PASSWORD_HASH_SIZE];
    enum weir_err e;

    if ((e = prove(x, w)) || (e = people_password(x, w->password, x->who.name, hash))
        || (e = admin_apply(x, "user.password", x->who.user_id, make_password, hash)) || (e = writer_call(x->web->writer, &o.op)))
        return e;
    people_changed(x);
    return WEIR_OK;
}

struct panel {
    struct write_op op;
    const char *user_id;
    bool show;
};

static enum weir_err run_panel(struct db *db, struct write_op *op)
{
    const struct panel *p = (const struct panel *)op;

    return account_show_monitoring(db, p->user_id, p->show);
}

enum weir_err h_own_change(struct exchange *x)
{
    struct field_fault fault = {.param = ""};
    struct wish w = {NULL, NULL, -1};
    struct panel p = {.op.run = run_panel, .user_id = x->who.user_id};
    enum weir_err e;

    if (*x->who.token_id)
        return web_refuse(x, WEIR_E_FORBIDDEN, NULL, "Change this in the browser; a password an administrator can change, too.");
    e = field_read(x->json, fields, sizeof fields / sizeof *fields, "", &w, &fault);
    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (!w.password && w.show_monitoring < 0)
        return web_refuse(x, WEIR_E_MISSING_FIELD, "password", "'password' is missing.");
    if (w.password)
        e = change_password(x, &w);
    p.show = w.show_monitoring > 0;
    if (!e && w.show_monitoring >= 0)
        e = writer_call(x->web->writer, &p.op);
    if (!e)
        sb_puts(&x->out.body, "{}\n");
    return e;
}

/* --- browsers --- */

enum weir_err h_own_sessions(struct exchange *x)
{
    enum weir_err e = account_sessions_json(x->db, x->who.user_id, x->who.csrf, x->arrived_ms, &x->out.body);

    sb_putc(&x->out.body, '\n');
    return e;
}

static enum weir_err make_end(struct db *db, const struct admin_change *a)
{
    return account_session_remove(db, a->entry.actor, a->entry.object, NULL);
}

enum weir_err h_own_session_end(struct exchange *x)
{
    enum weir_err e = admin_apply(x, "sign-in.end", x->arg[0], make_end, NULL);

    if (!e)
        people_changed(x);
    x->out.status = 204;
    x->out.type = NULL;
    return e;
}
