/* h_pages.c - the HTML pages but dashboard and settings: chat, sign-in, help,
 * and what a refusal looks like in a browser. Acceptor threads. */
#include "web/h_pages.h"

#include <string.h>

#include "base/json.h"
#include "store/convo.h"
#include "web/candidate.h"
#include "web/filter.h"
#include "web/pages.h"
#include "web/route.h"
#include "web/signin.h"
#include "web/view_chat.h"
#include "web/view_engine.h"

enum {
    LIST_MAX = 4 * 1024 * 1024,         /* bytes of JSON about sessions or models */
    MESSAGES_MAX = 64 * 1024 * 1024,    /* bytes of JSON with a session's messages */
    SESSIONS_SHOWN = 50,
    MESSAGES_SHOWN = 50,
    MESSAGES_ALL = 1000,                /* with ?earlier=1 */
};

/* Whom a proxy in front has signed in comes here by signing out, or because Weir refused them. */
enum weir_err h_page_login(struct exchange *x)
{
    json_t *ctx = pages_context(x, "Sign in", NULL, NULL);
    const char *name;
    bool refused = http_read_query(&x->in, NULL, &name) == WEIR_OK && strcmp(http_query(&x->in, "proxy", ""), "refused") == 0;

    if (x->in.proxy_user)
        json_object_set_new(ctx, refused ? "refused" : "proxy", json_string(x->in.proxy_user));
    return pages_answer(x, "login", ctx);
}

enum weir_err h_page_help(struct exchange *x)
{
    return pages_answer(x, "help", pages_context(x, "Help", "help", NULL));
}

/* The newest sessions by day, and as `more` where the next page of them begins, or null. */
static json_t *session_groups(struct exchange *x, const char *current, json_t **more)
{
    const struct convo_list all = {NULL, NULL, 0, SESSIONS_SHOWN};
    struct sb text = sb_make(LIST_MAX);
    json_t *list = pages_parse(convo_list(x->db, x->who.user_id, &all, &text), &text);
    json_t *groups = view_sessions(json_object_get(list, "items"), current, x->arrived_ms);

    *more = json_incref(json_object_get(list, "next_cursor"));
    json_decref(list);
    return groups;
}

static json_t *models(struct exchange *x)
{
    struct sb text = sb_make(LIST_MAX);
    char standard[MODEL_NAME_SIZE];

    engine_models_json(x->web->engine, &text);
    candidates_default(x, standard);
    json_t *list = pages_parse(WEIR_OK, &text), *m;
    struct filters *f;
    size_t i = 0;
    if (filters_of(x, &f) == WEIR_OK)
        while ((m = json_array_get(list, i))) {
            if (filters_allow(f, json_str(m, "id", "")))
                i++;
            else
                json_array_remove(list, i);
        }
    json_t *view = view_models(list, standard, x->web->settings, x->web->prices);
    json_decref(list);
    return view;
}

/* What the empty page offers to ask. */
static json_t *examples(const struct exchange *x)
{
    static const char own[] = "What should I think about before changing a system that works?|I feel stuck with my project.|Tell me how you work.";
    const char *s = x->web->settings->pages.examples ? x->web->settings->pages.examples : own;
    json_t *list = json_array();

    for (size_t n; *s; s += n + (s[n] == '|')) {
        n = strcspn(s, "|");
        if (n)
            json_array_append_new(list, json_pack("{s:s%}", "text", s, n));
    }
    return list;
}

/* Put a session's title and messages into `ctx`. E_NOT_FOUND: it is not this user's. */
static enum weir_err put_session(struct exchange *x, json_t *ctx, const char *id)
{
    struct sb about = sb_make(LIST_MAX), text = sb_make(MESSAGES_MAX);
    const char *at = http_query(&x->in, "at", "");
    char leaf[RAND_ID_SIZE] = "";
    int64_t limit = *http_query(&x->in, "earlier", "") ? MESSAGES_ALL : MESSAGES_SHOWN;
    enum weir_err e;

    writer_catch_up(x->web->writer);
    e = convo_get(x->db, x->who.user_id, id, &about);
    if (e == WEIR_OK && *at)
        e = convo_newest_below(x->db, x->who.user_id, id, at, leaf);
    if (e == WEIR_OK)
        e = convo_messages(x->db, x->who.user_id, id, leaf, limit, &text);
    json_t *session = pages_parse(e, &about), *messages = pages_parse(e, &text);
    if (session && messages) {
        const char *title = json_str(session, "title", "");

        json_object_set_new(ctx, "title", json_string(title));
        json_object_set_new(ctx, "heading", json_string(title));
        json_object_set_new(ctx, "has_session", json_true());
        json_object_set_new(ctx, "leaf", json_string(leaf));
        json_object_set_new(ctx, "pinned", json_incref(json_object_get(session, "pinned")));
        json_object_set_new(ctx, "archived", json_incref(json_object_get(session, "archived")));
        json_object_set_new(ctx, "messages", view_messages(json_object_get(messages, "items")));
        json_object_set_new(ctx, "earlier", json_boolean(json_is_string(json_object_get(messages, "next_cursor"))));
    } else if (e == WEIR_OK)
        e = WEIR_E_INTERNAL;
    json_decref(session);
    json_decref(messages);
    return e;
}

enum weir_err h_page_chat(struct exchange *x)
{
    const char *id = x->arg[0], *name;

    if (x->who.role == ROLE_MONITOR) {
        http_see_other(&x->out, "/app/dashboard");
        return WEIR_OK;
    }
    if (http_read_query(&x->in, NULL, &name) != WEIR_OK)
        return web_refuse(x, WEIR_E_INVALID_FIELD, name, NULL);

    const struct snapshot *s = engine_snapshot(x->web->engine);
    json_t *ctx = pages_context(x, "New chat", NULL, id), *more = NULL;
    json_object_set_new(ctx, "heading", json_string("New chat"));
    json_object_set_new(ctx, "health", view_health(s));
    json_object_set_new(ctx, "groups", session_groups(x, id, &more));
    json_object_set_new(ctx, "more", more);
    json_object_set_new(ctx, "models", models(x));
    json_object_set_new(ctx, "examples", examples(x));
    json_object_set_new(ctx, "monitoring", json_boolean(account_shows_monitoring(x->db, x->who.user_id)));
    json_object_set_new(ctx, "no_high", json_boolean(x->who.max_priority < PRIORITY_HIGH));
    snapshot_put(s);

    enum weir_err e = *id ? put_session(x, ctx, id) : WEIR_OK;
    if (e == WEIR_OK)
        return pages_answer(x, "chat", ctx);
    json_decref(ctx);
    return e;
}

/* To the sign-in page, and from there back to where one wanted to go. */
static void send_to_sign_in(struct exchange *x)
{
    struct sb to = sb_make(1024);

    sb_puts(&to, "/app/login");
    if (strcmp(x->in.path, "/app/") != 0) {
        sb_puts(&to, "?next=");
        sb_url(&to, x->in.path);
    }
    if (x->in.proxy_user)                       /* signin_by_proxy() has been tried */
        sb_puts(&to, strcmp(x->in.path, "/app/") != 0 ? "&proxy=refused" : "?proxy=refused");
    http_see_other(&x->out, sb_str(&to));
    sb_done(&to);
}

static const char *refusal_heading(enum weir_err e)
{
    int status = err_status(e);

    return status == 404 ? "Not found" : status == 403 ? "Not allowed" : status >= 500 ? "Weir could not do this" : "This did not work";
}

bool page_refuse(struct exchange *x, enum weir_err e, const struct err_detail *d)
{
    const char *message = d && d->message ? d->message : err_text(e);

    if (e == WEIR_E_UNAUTHENTICATED && signin_by_proxy(x)) {
        http_see_other(&x->out, x->in.path);
        return true;
    }
    if (e == WEIR_E_UNAUTHENTICATED) {
        send_to_sign_in(x);
        return true;
    }
    json_t *ctx = pages_context(x, "Not possible", NULL, NULL);
    json_object_set_new(ctx, "heading", json_string(refusal_heading(e)));
    json_object_set_new(ctx, "chats", json_boolean(x->who.role != ROLE_MONITOR));
    json_object_set_new(ctx, "again", err_status(e) >= 500 ? json_string(x->in.path) : json_null());
    json_object_set_new(ctx, "message", json_string(message));
    json_object_set_new(ctx, "request_id", json_string(x->request_id));
    sb_reset(&x->out.body);
    if (pages_answer(x, "problem", ctx) != WEIR_OK)
        return false;
    x->out.status = err_status(e);
    return true;
}
