/* h_app.c - signing in and out of the browser, and who one is. */
#include <string.h>

#include "base/password.h"
#include "web/field.h"
#include "web/route.h"
#include "web/signin.h"

enum weir_err h_root(struct exchange *x)
{
    http_see_other(&x->out, "/app/");
    return WEIR_OK;
}

static void me_json(struct exchange *x, const char *csrf)
{
    struct sb *out = &x->out.body;

    sb_puts(out, "{\"user_id\":");
    sb_json(out, x->who.user_id);
    sb_puts(out, ",\"name\":");
    sb_json(out, x->who.name);
    sb_putf(out, ",\"role\":\"%s\",\"max_priority\":\"%s\",\"csrf_token\":", role_name(x->who.role), priority_name(x->who.max_priority));
    sb_json(out, csrf && *csrf ? csrf : NULL);
    sb_puts(out, "}\n");
}

enum weir_err h_me(struct exchange *x)
{
    me_json(x, x->who.csrf);
    return WEIR_OK;
}

/* --- signing in --- */

struct proof {
    const char *code, *token, *name, *password;
};

static const struct field proof_fields[] = {
    {"code", FIELD_TEXT, offsetof(struct proof, code), 1, ACCOUNT_TOKEN_LEN, false},
    {"token", FIELD_TEXT, offsetof(struct proof, token), 1, ACCOUNT_TOKEN_LEN, false},
    {"name", FIELD_TEXT, offsetof(struct proof, name), 1, ACCOUNT_NAME_MAX, false},
    {"password", FIELD_TEXT, offsetof(struct proof, password), 1, 4 * PASSWORD_MAX, false},
};

/* Who it is by what they show, unless that is a code, which is used up by the writer. */
static enum weir_err prove(struct exchange *x, const struct proof *p, struct signed_in *in)
{
    enum weir_err e;

    memset(in, 0, sizeof *in);
    if (p->name)
        return signin_by_password(x, p->name, p->password, in);
    if (!p->token)
        return WEIR_OK;
    if (!account_token_plausible(p->token))
        return WEIR_E_UNAUTHENTICATED;
    e = account_by_token(x->db, p->token, x->arrived_ms, &x->who);
    if (!e && x->who.narrowed)
        return web_refuse(x, WEIR_E_FORBIDDEN, NULL, "This token may do less than its user; sign in with another one.");
    memcpy(in->user_id, x->who.user_id, sizeof in->user_id);
    memcpy(in->token_id, x->who.token_id, sizeof in->token_id);
    return e;
}

enum weir_err h_login(struct exchange *x)
{
    struct signed_in in;
    struct proof p = {NULL, NULL, NULL, NULL};
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, proof_fields, sizeof proof_fields / sizeof *proof_fields, "", &p, &fault);
    int ways = (p.code != NULL) + (p.token != NULL) + (p.name != NULL);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (ways != 1 || !p.name != !p.password)
        return web_refuse(x, ways > 1 ? WEIR_E_INVALID_FIELD : WEIR_E_MISSING_FIELD, p.name && !p.password ? "password" : "token",
                          "Send 'token', or 'name' and 'password', or 'code'.");
    if (x->in.origin && !auth_origin_is_ours(&x->in))
        return web_refuse(x, WEIR_E_CSRF, NULL, NULL);
    if (!auth_cookie_allowed(&x->in))
        return web_refuse(x, WEIR_E_FORBIDDEN, NULL, "Signing in from another machine needs https.");
    e = prove(x, &p, &in);
    if (!e)
        e = signin_begin(x, p.code ? "code" : p.token ? "token" : "password", p.code, &in);
    if (!e)
        me_json(x, x->who.csrf);
    explicit_bzero(&in, sizeof in);
    return e;
}

/* --- signing out --- */

struct sign_out {
    struct write_op op;
    char cookie[ACCOUNT_SECRET_SIZE];
};

static enum weir_err run_sign_out(struct db *db, struct write_op *op)
{
    return account_session_end(db, ((struct sign_out *)op)->cookie);
}

enum weir_err h_logout(struct exchange *x)
{
    struct sign_out s = {.op = {.run = run_sign_out}};
    enum weir_err e = WEIR_OK;

    if (http_cookie(&x->in, auth_cookie_name(&x->in), s.cookie, sizeof s.cookie))
        e = writer_call(x->web->writer, &s.op);
    auth_forget(x->web->auth);
    signin_cookie(x, NULL);
    sb_puts(&x->out.body, "{}\n");
    return e == WEIR_E_NOT_FOUND || e == WEIR_E_UNAUTHENTICATED ? WEIR_OK : e;
}
