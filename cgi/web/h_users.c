/* h_users.c - /admin/users: who there is, and what each may do.
 *
 * A change is written together with its line in the audit log, which has no names
 * and no passwords. It holds from the next request on; another role, an end or
 * a removal also ends what the user has running, within the same request. */
#include <stdio.h>
#include <string.h>

#include "base/password.h"
#include "web/people.h"
#include "web/route.h"

struct wish {
    const char *name, *role, *password;
    int disabled;
    struct people_wish rules;
};

static const struct field fields[] = {
    {"name", FIELD_TEXT, offsetof(struct wish, name), 1, 4 * ACCOUNT_NAME_MAX, false},
    {"role", FIELD_TEXT, offsetof(struct wish, role), 1, 16, false},
    {"password", FIELD_TEXT, offsetof(struct wish, password), 1, 4 * PASSWORD_MAX, false},
    {"disabled", FIELD_BOOL, offsetof(struct wish, disabled), 0, 0, false},
    PEOPLE_FIELDS(struct wish, rules), PEOPLE_WEIGHT_FIELD(struct wish, rules, QUEUE_WEIGHT_MIN),
};

/* What a request asks for, checked. */
struct change {
    char name[ACCOUNT_NAME_MAX + 1], hash[PASSWORD_HASH_SIZE];
    int role;                        /* -1: not said */
    int disabled;
    struct people_rules rules;
    const char *user_id;
};

static enum weir_err read_role(struct exchange *x, const char *role, int *out)
{
    for (int r = 0; role && r < ROLE_COUNT; r++) {
        if (strcmp(role, role_name((enum role)r)) == 0) {
            *out = r;
            return WEIR_OK;
        }
    }
    return web_refuse(x, role ? WEIR_E_INVALID_FIELD : WEIR_E_MISSING_FIELD, "role", "'role' must be \"user\", \"monitor\" or \"admin\".");
}

/* `name`: whose password it is, if the request does not say another. */
static enum weir_err read_change(struct exchange *x, const char *name, struct change *c)
{
    struct wish w = {.disabled = -1};
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, fields, sizeof fields / sizeof *fields, "", &w, &fault);

    *c = (struct change){.role = -1, .disabled = w.disabled};
    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if ((w.name && (e = people_name(x, w.name, c->name))) || (w.role && (e = read_role(x, w.role, &c->role)))
        || (e = people_rules_read(x, &w.rules, &c->rules)))
        return e;
    if (w.password)
        e = people_password(x, w.password, w.name ? c->name : name, c->hash);
    (void)json_object_del(x->json, "name");          /* the rest is what the audit log says */
    return e;
}

/* High, and with it the reserve, is given, not taken. */
static enum priority usual_priority(int role)
{
    return role == ROLE_ADMIN ? PRIORITY_HIGH : PRIORITY_MEDIUM;
}

static int64_t at_least_0(int64_t n)
{
    return n < 0 ? 0 : n;
}

static const char *or_null(const char *s)
{
    return *s ? s : NULL;
}

/* --- what is changed --- */

static enum weir_err make_add(struct db *db, const struct admin_change *a)
{
    const struct change *c = a->what;
    const struct account_user u = {
        .user_id = c->user_id, .name = c->name, .role = (enum role)c->role, .password_hash = or_null(c->hash),
        .max_priority = c->rules.max_priority < 0 ? usual_priority(c->role) : (enum priority)c->rules.max_priority,
        .limits = {at_least_0(c->rules.limits.requests_per_minute), at_least_0(c->rules.limits.tokens_per_minute)},
        .filters = c->rules.filters, .weight = c->rules.weight < 0 ? QUEUE_WEIGHT_ONE : c->rules.weight,
    };

    return account_user_add(db, &u, a->entry.at_ms);
}

static enum weir_err make_patch(struct db *db, const struct admin_change *a)
{
    const struct change *c = a->what;
    const struct account_user_patch p = {
        .name = or_null(c->name), .password_hash = or_null(c->hash), .filters = c->rules.filters, .role = c->role,
        .disabled = c->disabled, .limits = c->rules.limits, .weight = c->rules.weight,
        .max_priority = c->rules.max_priority < 0 && c->role >= 0 ? (int)usual_priority(c->role) : c->rules.max_priority,
    };

    return account_user_patch(db, c->user_id, &p, a->entry.at_ms);
}

static enum weir_err make_remove(struct db *db, const struct admin_change *a)
{
    return account_user_remove(db, a->entry.object, a->entry.at_ms);
}

/* --- the handlers --- */

static enum weir_err show(struct exchange *x, const char *user_id)
{
    enum weir_err e = account_user_json(x->db, user_id, &x->out.body);

    sb_putc(&x->out.body, '\n');
    return e;
}

enum weir_err h_users_list(struct exchange *x)
{
    struct admin_page page;
    enum weir_err e = admin_page_read(x, "", &page);

    if (!e)
        e = account_users_json(x->db, page.cursor, page.limit, &x->out.body);
    sb_putc(&x->out.body, '\n');
    return e;
}

enum weir_err h_user_get(struct exchange *x)
{
    return show(x, x->arg[0]);
}

enum weir_err h_user_create(struct exchange *x)
{
    char user_id[RAND_ID_SIZE];
    struct change c;
    enum weir_err e = read_change(x, NULL, &c);

    if (!e && !*c.name)
        e = web_refuse(x, WEIR_E_MISSING_FIELD, "name", "The field 'name' is missing.");
    if (!e && c.role < 0)
        e = read_role(x, NULL, &c.role);
    if (!e && c.disabled == 1)
        e = web_refuse(x, WEIR_E_INVALID_FIELD, "disabled", "A new user is not disabled.");
    rand_id(user_id, "usr");
    c.user_id = user_id;
    if (!e && (e = admin_apply(x, "user.create", user_id, make_add, &c)) == WEIR_E_CONFLICT)
        e = web_refuse(x, e, "name", "There is a user '%.100s' already.", c.name);
    if (!e)
        e = show(x, user_id);
    x->out.status = 201;
    people_rules_done(&c.rules);
    return e;
}

enum weir_err h_user_patch(struct exchange *x)
{
    struct account_state now;
    struct change c;
    enum weir_err e = account_user_state(x->db, x->arg[0], &now);

    if (e)
        return e;
    e = read_change(x, now.name, &c);
    c.user_id = x->arg[0];
    if (c.role == (int)now.role)
        c.role = -1;                 /* said again */
    if (c.disabled == (int)now.disabled)
        c.disabled = -1;
    if (!e && (e = admin_apply(x, "user.change", c.user_id, make_patch, &c)) == WEIR_E_CONFLICT)
        e = *c.name && strcmp(c.name, now.name) != 0
            ? web_refuse(x, e, "name", "There is a user '%.100s' already, or this is the last administrator.", c.name)
            : web_refuse(x, e, NULL, "This is the last administrator; make another one first.");
    if (!e && (c.role >= 0 || c.disabled == 1))
        people_end(x, c.user_id, NULL);
    else if (!e)
        people_changed(x);
    if (!e)
        e = show(x, c.user_id);
    people_rules_done(&c.rules);
    return e;
}

enum weir_err h_user_delete(struct exchange *x)
{
    enum weir_err e = admin_apply(x, "user.remove", x->arg[0], make_remove, NULL);

    if (e == WEIR_E_CONFLICT)
        return web_refuse(x, e, NULL, "This is the last administrator; make another one first.");
    if (!e)
        people_end(x, x->arg[0], NULL);
    x->out.status = 204;
    x->out.type = NULL;
    return e;
}
