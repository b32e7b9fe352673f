/* h_tokens.c - API tokens: anybody's for administrators (/admin/tokens), one's own
 * for everybody (/app/tokens). A token is shown once, in the answer to the
 * request that made it; what is kept is its hash.
 *
 * A token never opens more than its user may at the moment it is used. One that a
 * user makes is narrowed to chatting and to looking at figures, so that it
 * makes no other tokens and administers nothing; and one that was made with another
 * of the same user's ends when that is revoked. */
#include <stdio.h>
#include <string.h>

#include "store/budgets.h"
#include "store/report.h"
#include "web/people.h"
#include "web/route.h"

enum { EXPIRES_DAYS = 90, SCOPES_MAX = 8 };
#define DAY_MS (INT64_C(24) * 3600 * 1000)

struct wish {
    const char *user_id, *name, *expires_at;
    const json_t *scopes;
    struct people_wish rules;
};

#define NAME_FIELD {"name", FIELD_TEXT, offsetof(struct wish, name), 1, 4 * ACCOUNT_NAME_MAX, false}
#define SCOPES_FIELD {"scopes", FIELD_LIST, offsetof(struct wish, scopes), 0, SCOPES_MAX, false}
#define EXPIRES_FIELD {"expires_at", FIELD_TEXT, offsetof(struct wish, expires_at), 1, 40, false}

static const struct field new_fields[] = {
    {"user_id", FIELD_TEXT, offsetof(struct wish, user_id), 1, RAND_ID_SIZE - 1, true},
    NAME_FIELD, SCOPES_FIELD, EXPIRES_FIELD, PEOPLE_FIELDS(struct wish, rules), PEOPLE_WEIGHT_FIELD(struct wish, rules, 0),
};
static const struct field own_fields[] = {NAME_FIELD, SCOPES_FIELD, EXPIRES_FIELD, PEOPLE_FIELDS(struct wish, rules)};
static const struct field patch_fields[] = {NAME_FIELD, SCOPES_FIELD, EXPIRES_FIELD, PEOPLE_FIELDS(struct wish, rules),
                                           PEOPLE_WEIGHT_FIELD(struct wish, rules, 0)};

/* What a request asks for, checked. */
struct change {
    char token_id[RAND_ID_SIZE], user_id[RAND_ID_SIZE], name[ACCOUNT_NAME_MAX + 1], scopes[ACCOUNT_SCOPES_SIZE];
    char secret[ACCOUNT_TOKEN_SIZE];
    bool scoped;                     /* scopes were said */
    int64_t expires_ms;              /* -1: not said */
    struct people_rules rules;
    const char *made_by;             /* the token that asks, or NULL */
};

static enum weir_err read_scopes(struct exchange *x, const json_t *list, bool own, char out[ACCOUNT_SCOPES_SIZE])
{
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));

        if (!s || !route_scope_exists(s) || (own && strcmp(s, "usage") == 0))
            return web_refuse(x, WEIR_E_INVALID_FIELD, "scopes", own ? "'scopes' is a list of \"chat\" and \"monitor\"."
                              : "'scopes' is a list of \"chat\", \"monitor\" and \"usage\"; without one the token may do all that its user may.");
        if (strstr(out, s))
            continue;
        n += (size_t)snprintf(out + n, ACCOUNT_SCOPES_SIZE - n, "%s%s", n ? "," : "", s);
    }
    return WEIR_OK;
}

static enum weir_err read_change(struct exchange *x, const struct field *fields, size_t n, bool own, struct change *c)
{
    struct wish w = {NULL};
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, fields, n, "", &w, &fault);

    *c = (struct change){.expires_ms = -1, .scoped = w.scopes != NULL};
    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (w.user_id)
        (void)snprintf(c->user_id, sizeof c->user_id, "%s", w.user_id);
    if (w.expires_at && (!report_time_parse(w.expires_at, x->arrived_ms, &c->expires_ms) || c->expires_ms <= x->arrived_ms))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "expires_at", "'expires_at' must be a time to come, as 2027-01-31T00:00:00Z.");
    if ((w.name && (e = people_name(x, w.name, c->name))) || (e = read_scopes(x, w.scopes, own, c->scopes))
        || (e = people_rules_read(x, &w.rules, &c->rules)))
        return e;
    (void)json_object_del(x->json, "name");
    return WEIR_OK;
}

/* --- what is changed --- */

static enum weir_err make_add(struct db *db, const struct admin_change *a)
{
    const struct change *c = a->what;
    const struct account_limits *l = &c->rules.limits;
    const struct account_token t = {
        .token_id = c->token_id, .user_id = c->user_id, .name = c->name, .scopes = c->scopes, .secret = c->secret,
        .max_priority = c->rules.max_priority < 0 ? PRIORITY_HIGH : (enum priority)c->rules.max_priority,      /* the user's own counts too */
        .expires_at_ms = c->expires_ms < 0 ? a->entry.at_ms + EXPIRES_DAYS * DAY_MS : c->expires_ms,
        .limits = {l->requests_per_minute < 0 ? 0 : l->requests_per_minute, l->tokens_per_minute < 0 ? 0 : l->tokens_per_minute},
        .filters = c->rules.filters, .weight = c->rules.weight < 0 ? 0 : c->rules.weight, .made_by = c->made_by,
    };

    return account_token_add(db, &t, a->entry.at_ms);
}

static enum weir_err make_patch(struct db *db, const struct admin_change *a)
{
    const struct change *c = a->what;
    const struct account_token_patch p = {
        .name = *c->name ? c->name : NULL, .scopes = c->scoped ? c->scopes : NULL, .filters = c->rules.filters,
        .max_priority = c->rules.max_priority, .expires_at_ms = c->expires_ms, .limits = c->rules.limits,
        .weight = c->rules.weight,
    };

    return account_token_patch(db, c->token_id, &p);
}

static enum weir_err make_revoke(struct db *db, const struct admin_change *a)
{
    return account_token_revoke(db, a->what, a->entry.object, a->entry.at_ms);
}

/* --- the handlers: of a user, NULL for anybody --- */

static enum weir_err list(struct exchange *x, const char *user_id)
{
    struct admin_page page;
    enum weir_err e = admin_page_read(x, "active all", &page);

    if (!e)
        e = account_tokens_json(x->db, user_id, page.state && strcmp(page.state, "all") == 0, x->arrived_ms, page.cursor, page.limit,
                                &x->out.body);
    sb_putc(&x->out.body, '\n');
    return e;
}

static enum weir_err create(struct exchange *x, struct change *c)
{
    struct sb item = sb_make(FILTER_JSON_MAX + 4096);
    enum weir_err e;

    if (!*c->name)
        return web_refuse(x, WEIR_E_MISSING_FIELD, "name", "The field 'name' is missing.");
    rand_id(c->token_id, "tok");
    account_token_make(c->secret);
    c->made_by = account_token_of(&x->who);
    e = admin_apply(x, "token.create", c->token_id, make_add, c);
    if (e == WEIR_E_NOT_FOUND)
        e = web_refuse(x, WEIR_E_INVALID_FIELD, "user_id", "There is no user '%.40s' who may have a token.", c->user_id);
    if (!e)
        e = account_token_json(x->db, NULL, c->token_id, &item);
    if (!e) {
        sb_drop(&item, 1);           /* the closing brace */
        sb_putf(&x->out.body, "%s,\"token\":\"%s\"}\n", sb_str(&item), c->secret);
    }
    explicit_bzero(c->secret, sizeof c->secret);
    sb_done(&item);
    x->out.status = 201;
    return e;
}

static void end(void *ctx, const char *token_id)
{
    people_end(ctx, NULL, token_id);
}

static enum weir_err revoke(struct exchange *x, const char *user_id)
{
    enum weir_err e = admin_apply(x, "token.revoke", x->arg[0], make_revoke, user_id);

    if (!e)
        e = account_token_family(x->db, x->arg[0], end, x);
    x->out.status = 204;
    x->out.type = NULL;
    return e;
}

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum weir_err h_tokens_list(struct exchange *x)
{
    return list(x, NULL);
}

enum weir_err h_token_get(struct exchange *x)
{
    enum weir_err e = account_token_json(x->db, NULL, x->arg[0], &x->out.body);

    sb_putc(&x->out.body, '\n');
    return e;
}

enum weir_err h_token_create(struct exchange *x)
{
    struct change c;
    enum weir_err e = read_change(x, new_fields, COUNT(new_fields), false, &c);

    if (!e)
        e = create(x, &c);
    people_rules_done(&c.rules);
    return e;
}

enum weir_err h_token_patch(struct exchange *x)
{
    struct change c;
    enum weir_err e = read_change(x, patch_fields, COUNT(patch_fields), false, &c);

    (void)snprintf(c.token_id, sizeof c.token_id, "%.*s", RAND_ID_SIZE - 1, x->arg[0]);
    if (!e)
        e = strcmp(c.token_id, x->arg[0]) == 0 ? admin_apply(x, "token.change", c.token_id, make_patch, &c) : WEIR_E_NOT_FOUND;
    if (!e) {
        people_changed(x);
        e = account_token_json(x->db, NULL, c.token_id, &x->out.body);
        sb_putc(&x->out.body, '\n');
    }
    people_rules_done(&c.rules);
    return e;
}

enum weir_err h_token_revoke(struct exchange *x)
{
    return revoke(x, NULL);
}

enum weir_err h_own_tokens_list(struct exchange *x)
{
    return list(x, x->who.user_id);
}

/* It does not outlive the token that it is made with. False: it should. */
static bool until(const struct exchange *x, struct change *c)
{
    if (x->who.until_ms == 0)
        return true;
    if (c->expires_ms < 0 && x->arrived_ms + EXPIRES_DAYS * DAY_MS > x->who.until_ms)
        c->expires_ms = x->who.until_ms;
    return c->expires_ms <= x->who.until_ms;
}

enum weir_err h_own_token_create(struct exchange *x)
{
    const char *with = account_token_of(&x->who);
    struct change c;
    enum weir_err e;
    bool counted = false;

    if (x->who.narrowed)
        return web_refuse(x, WEIR_E_FORBIDDEN, NULL, "A token that may do less than you makes no others; sign in and make it there.");
    if (with && (e = budgets_count_token(x->db, x->web->settings, with, &counted)))
        return e;
    if (counted)
        return web_refuse(x, WEIR_E_FORBIDDEN, NULL, "A token with a budget of its own makes no others, which it would not count.");
    e = read_change(x, own_fields, COUNT(own_fields), true, &c);
    memcpy(c.user_id, x->who.user_id, sizeof c.user_id);
    if (!*c.scopes)
        (void)snprintf(c.scopes, sizeof c.scopes, "%s", x->who.role == ROLE_MONITOR ? "monitor" : "chat,monitor");
    if (!e && !until(x, &c))
        e = web_refuse(x, WEIR_E_OUT_OF_RANGE, "expires_at", "The token you use expires before that, and makes none that lives longer.");
    if (!e && c.rules.max_priority > (int)x->who.max_priority)
        e = web_refuse(x, WEIR_E_PRIORITY, "max_priority", "The highest priority for you is %s.", priority_name(x->who.max_priority));
    if (!e)
        e = create(x, &c);
    people_rules_done(&c.rules);
    return e;
}

enum weir_err h_own_token_revoke(struct exchange *x)
{
    return revoke(x, x->who.user_id);
}
