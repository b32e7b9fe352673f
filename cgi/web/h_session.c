/* h_session.c - conversations: list, make, read, change, delete, export. The
 * owner stands in every statement of store/convo, so somebody else's session is
 * a 404 here like one that never was. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "store/content.h"
#include "store/content_key.h"
#include "store/convo.h"
#include "store/session_use.h"
#include "web/field.h"
#include "web/route.h"
#include "web/title.h"

enum { EXPORT_MOST = 100, LIST_LIMIT = 100, LIST_LIMIT_MAX = 1000, MESSAGES_LIMIT = 1000, EXPORT_LIMIT = 100000, SEARCH_MAX = 64, SYSTEM_MAX = 1 << 20 };

/* One change of a conversation, for the writer. */
struct change {
    struct write_op op;
    const char *user_id, *session_id, *message_id, *title, *system;
    struct convo_patch patch;
    int64_t now_ms, deleted;
};

static enum weir_err make(struct exchange *x, struct change *c, enum weir_err (*run)(struct db *db, struct write_op *op))
{
    c->op.run = run;
    c->op.after_settlements = true;              /* it may be about an answer */
    c->user_id = x->who.user_id;
    c->now_ms = x->arrived_ms;
    return writer_call(x->web->writer, &c->op);
}

static enum weir_err read_fields(struct exchange *x, const struct field *fields, size_t n, void *into)
{
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, fields, n, "", into, &fault);

    return e ? web_refuse(x, e, fault.param, "%s", fault.why) : WEIR_OK;
}

/* Clean a title that came in the body; refuses one of which nothing is left. */
static enum weir_err clean_title(struct exchange *x, const char *given, struct sb *title)
{
    if (!given)
        return WEIR_OK;
    title_put(title, given, TITLE_CHARS);
    return title->len ? WEIR_OK : web_refuse(x, WEIR_E_INVALID_FIELD, "title", "The title is blank.");
}

/* --- lists --- */

static enum weir_err read_limit(struct exchange *x, int64_t fallback, int64_t *out)
{
    const char *text = http_query(&x->in, "limit", NULL);
    char *end;

    *out = fallback;
    if (!text)
        return WEIR_OK;
    *out = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || *out < 1 || *out > LIST_LIMIT_MAX)
        return web_refuse(x, WEIR_E_OUT_OF_RANGE, "limit", "'limit' must be a whole number from 1 to %d.", LIST_LIMIT_MAX);
    return WEIR_OK;
}

enum weir_err h_sessions_list(struct exchange *x)
{
    struct convo_list list = {.query = http_query(&x->in, "query", NULL), .before = http_query(&x->in, "before", NULL)};
    const char *archived = http_query(&x->in, "archived", "0");
    enum weir_err e = read_limit(x, LIST_LIMIT, &list.limit);

    if (e)
        return e;
    if (strcmp(archived, "0") != 0 && strcmp(archived, "1") != 0)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "archived", "'archived' must be 0 or 1.");
    list.archived = *archived == '1';
    if (list.query && strlen(list.query) > SEARCH_MAX)
        return web_refuse(x, WEIR_E_OUT_OF_RANGE, "query", "'query' has at most %d bytes.", SEARCH_MAX);
    if (list.query && !*list.query)
        list.query = NULL;
    if (list.query && content_key_set())
        return web_refuse(x, WEIR_E_INVALID_FIELD, "query", "Titles and texts are encrypted here (content.key_file), so they cannot be searched.");
    if (list.before && !*list.before)
        list.before = NULL;
    e = convo_list(x->db, x->who.user_id, &list, &x->out.body);
    return e == WEIR_E_INVALID_FIELD ? web_refuse(x, e, "before", "'before' must be the next_cursor of an earlier page.") : e;
}

enum weir_err h_session_messages(struct exchange *x)
{
    const char *leaf = http_query(&x->in, "leaf", NULL);
    int64_t limit;
    enum weir_err e = read_limit(x, MESSAGES_LIMIT, &limit);

    if (e)
        return e;
    writer_catch_up(x->web->writer);
    return convo_messages(x->db, x->who.user_id, x->arg[0], leaf, limit, &x->out.body);
}

/* --- one session --- */

/* "tokens": {used, max, cooling_until} of the session, in the object that ends `out`; max null: no maximum. */
static enum weir_err put_tokens(struct exchange *x, const char *session_id, struct sb *out)
{
    const struct session_limit l = allowance_limit(x->web->settings);
    struct session_tokens t;
    enum weir_err e = session_use_read(x->db, session_id, &l, x->arrived_ms, &t);

    if (e)
        return e;
    sb_drop(out, strlen("}"));
    sb_putf(out, ",\"tokens\":{\"used\":%" PRId64 ",\"max\":", t.used);
    if (l.max > 0)
        sb_i64(out, l.max);
    else
        sb_puts(out, "null");
    sb_puts(out, ",\"cooling_until\":");
    if (t.until_ms) {
        sb_putc(out, '"');
        sb_time(out, t.until_ms);
        sb_puts(out, "\"}}");
    } else {
        sb_puts(out, "null}}");
    }
    return WEIR_OK;
}

enum weir_err h_session_get(struct exchange *x)
{
    enum weir_err e;

    writer_catch_up(x->web->writer);
    e = convo_get(x->db, x->who.user_id, x->arg[0], &x->out.body);
    return e ? e : put_tokens(x, x->arg[0], &x->out.body);
}

struct new_session {
    const char *title, *system;
};

static const struct field new_fields[] = {
    {"title", FIELD_TEXT, offsetof(struct new_session, title), 0, 4096, false},
    {"system", FIELD_TEXT, offsetof(struct new_session, system), 0, SYSTEM_MAX, false},
};

static enum weir_err run_create(struct db *db, struct write_op *op)
{
    const struct change *c = (struct change *)op;

    return convo_create(db, c->user_id, c->session_id, c->title, c->system, c->now_ms);
}

enum weir_err h_session_create(struct exchange *x)
{
    struct new_session n = {NULL, NULL};
    struct sb title = sb_make(1024);
    char id[RAND_ID_SIZE];
    enum weir_err e;

    if ((e = read_fields(x, new_fields, 2, &n)) || (e = clean_title(x, n.title, &title)))
        goto out;
    if (n.system && *n.system && !content_kept()) {
        e = web_refuse(x, WEIR_E_INVALID_FIELD, "system", "No text is kept here (retention.content is 0), so a session cannot have a system "
                       "text; send it with each request.");
        goto out;
    }
    rand_id(id, "ses");
    e = make(x, &(struct change){.session_id = id, .title = title.len ? sb_str(&title) : "New chat", .system = n.system}, run_create);
    if (!e)
        e = convo_get(x->db, x->who.user_id, id, &x->out.body);
    x->out.status = 201;
out:
    sb_done(&title);
    return e;
}

struct session_patch {
    const char *title;
    int pinned, archived;
};

static const struct field patch_fields[] = {
    {"title", FIELD_TEXT, offsetof(struct session_patch, title), 0, 4096, false},
    {"pinned", FIELD_BOOL, offsetof(struct session_patch, pinned), 0, 1, false},
    {"archived", FIELD_BOOL, offsetof(struct session_patch, archived), 0, 1, false},
};

static enum weir_err run_patch(struct db *db, struct write_op *op)
{
    const struct change *c = (struct change *)op;

    return convo_patch(db, c->user_id, c->session_id, &c->patch);
}

enum weir_err h_session_patch(struct exchange *x)
{
    struct session_patch p = {NULL, -1, -1};
    struct sb title = sb_make(1024);
    enum weir_err e;

    if ((e = read_fields(x, patch_fields, 3, &p)) || (e = clean_title(x, p.title, &title)))
        goto out;
    e = make(x, &(struct change){.session_id = x->arg[0],
                                 .patch = {.title = p.title ? sb_str(&title) : NULL, .pinned = p.pinned, .archived = p.archived}},
             run_patch);
    if (!e)
        e = convo_get(x->db, x->who.user_id, x->arg[0], &x->out.body);
out:
    sb_done(&title);
    return e;
}

static enum weir_err run_delete(struct db *db, struct write_op *op)
{
    const struct change *c = (struct change *)op;

    return convo_delete(db, c->user_id, c->session_id);
}

enum weir_err h_session_delete(struct exchange *x)
{
    struct sb ids = sb_make(64 * 1024);
    enum weir_err e;

    if (!convo_owned(x->db, x->who.user_id, x->arg[0]))
        return WEIR_E_NOT_FOUND;
    engine_cancel(x->web->engine, x->who.user_id, NULL, x->arg[0], &ids);
    sb_done(&ids);
    e = make(x, &(struct change){.session_id = x->arg[0]}, run_delete);
    x->out.status = 204;
    x->out.type = NULL;
    return e;
}

static enum weir_err run_delete_message(struct db *db, struct write_op *op)
{
    struct change *c = (struct change *)op;

    return convo_delete_message(db, c->user_id, c->session_id, c->message_id, &c->deleted);
}

enum weir_err h_message_delete(struct exchange *x)
{
    struct change c = {.session_id = x->arg[0], .message_id = x->arg[1]};
    enum weir_err e = make(x, &c, run_delete_message);

    sb_putf(&x->out.body, "{\"deleted\":%" PRId64 "}\n", c.deleted);
    return e;
}

/* --- export --- */

/* A fence longer than any in the text is not needed: content stands as it is, only headings part the turns. */
static void markdown(const json_t *session, const json_t *messages, struct sb *out)
{
    sb_putf(out, "# %s\n", json_str(session, "title", ""));
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *m = json_array_get(messages, i);
        const char *role = json_str(m, "role", "");
        const char *who = strcmp(role, "user") == 0 ? "You" : strcmp(role, "system") == 0 ? "System" : json_str(m, "model", "Assistant");

        sb_putf(out, "\n## %s · %s\n\n", who, json_str(m, "at", ""));
        sb_puts(out, json_str(m, "content", ""));
        sb_putc(out, '\n');
    }
}

/* One conversation of the file. */
static enum weir_err export_one(struct exchange *x, const char *id, bool md)
{
    struct sb session = sb_make(64 * 1024), messages = sb_make(64 * 1024 * 1024);
    enum weir_err e;

    if ((e = convo_get(x->db, x->who.user_id, id, &session))
        || (e = convo_messages(x->db, x->who.user_id, id, NULL, EXPORT_LIMIT, &messages)))
        goto out;
    if (md) {
        json_t *s = json_loadb(sb_str(&session), session.len, 0, NULL);
        json_t *m = json_loadb(sb_str(&messages), messages.len, 0, NULL);

        markdown(s, json_object_get(m, "items"), &x->out.body);
        json_decref(s);
        json_decref(m);
    } else
        sb_putf(&x->out.body, "{\"session\":%s,\"messages\":%s}", sb_str(&session), sb_str(&messages));
out:
    sb_done(&session);
    sb_done(&messages);
    return e;
}

/* The conversation of the path, and those that 'also' names, in one file: JSON of several is a list. */
enum weir_err h_session_export(struct exchange *x)
{
    const char *format = http_query(&x->in, "format", "json"), *also = http_query(&x->in, "also", "");
    bool md = strcmp(format, "md") == 0, list = !md && *also;
    struct sb name = sb_make(128);
    enum weir_err e;
    int count = 1;

    if (!md && strcmp(format, "json") != 0)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "format", "'format' must be json or md.");
    writer_catch_up(x->web->writer);
    sb_puts(&x->out.body, list ? "{\"items\":[" : "");
    e = export_one(x, x->arg[0], md);
    while (!e && *also && sb_ok(&x->out.body)) {
        char id[65];
        size_t n = strcspn(also, ",");

        if (n == 0 || n >= sizeof id || ++count > EXPORT_MOST) {
            e = web_refuse(x, WEIR_E_INVALID_FIELD, "also", "'also' must be ids of conversations with a comma between them, at most 99.");
            break;
        }
        memcpy(id, also, n);
        id[n] = '\0';
        also += n + (also[n] == ',');
        sb_puts(&x->out.body, md ? "\n" : ",\n");
        e = export_one(x, id, md);
    }
    if (!e && count > 1 && !sb_ok(&x->out.body))
        e = web_refuse(x, WEIR_E_OUT_OF_RANGE, "also", "Together they are larger than a file may be; export fewer at a time.");
    if (e)
        return e;
    sb_puts(&x->out.body, md ? "" : list ? "]}\n" : "\n");
    if (md)
        x->out.type = "text/markdown; charset=utf-8";
    if (count == 1)
        sb_putf(&name, "attachment; filename=\"weir-%s.%s\"", x->arg[0], md ? "md" : "json");
    else
        sb_putf(&name, "attachment; filename=\"weir-%d-conversations.%s\"", count, md ? "md" : "json");
    http_header(&x->out, "Content-Disposition", sb_str(&name));
    sb_done(&name);
    return WEIR_OK;
}
