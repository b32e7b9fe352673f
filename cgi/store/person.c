/* person.c - all that is keyed to one user, written out. */
#include "store/person.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/account.h"
#include "store/content.h"
#include "store/convo_tree.h"
#include "store/event_row.h"
#include "store/list.h"

enum { EXPORT_MS = 600 * 1000, CHUNK = 256 * 1024 };

enum weir_err person_find(struct db *db, const char *who, struct person *out)
{
    struct query q = query(db, "SELECT id, user_id FROM users WHERE user_id = ?1 OR name = ?1 ORDER BY user_id = ?1 DESC LIMIT 1");
    enum weir_err e;

    memset(out, 0, sizeof *out);
    query_text(&q, who);
    if (query_row(&q)) {
        out->user = query_col_i64(&q, 0);
        (void)snprintf(out->user_id, sizeof out->user_id, "%s", query_col_text(&q, 1));
    }
    e = query_stop(&q);
    return e ? e : out->user ? WEIR_OK : WEIR_E_NOT_FOUND;
}

struct export {
    struct db *ro;
    const struct person *p;
    struct sb *out;
    bool (*take)(struct sb *out, void *ctx);
    void *ctx;
    enum weir_err failed;
};

static void pass_on(struct export *x)
{
    if (x->take && x->out->len > CHUNK && !x->take(x->out, x->ctx))
        x->failed = WEIR_E_STORAGE;
}

/* ,"name":[rows of the query, one object each]; consumes the query. */
static void rows(struct export *x, const char *name, struct query *q, void (*row)(struct export *x, const struct query *q))
{
    const char *comma = "";
    enum weir_err e;

    sb_putf(x->out, ",\n\"%s\":[", name);
    while (!x->failed && query_row(q)) {
        sb_puts(x->out, comma);
        comma = ",\n";
        row(x, q);
        pass_on(x);
    }
    e = query_stop(q);
    if (!x->failed)
        x->failed = e;
    sb_putc(x->out, ']');
}

static struct query of_person(struct export *x, struct query q)
{
    query_i64(&q, x->p->user);
    return q;
}

/* --- JSON --- */

static void user_json(struct export *x)
{
    struct query q = of_person(x, query(x->ro, "SELECT user_id, name, role, max_priority, created_ms, disabled_ms, password_hash IS NOT NULL, show_monitoring"
                                               " FROM users WHERE id = ?1"));

    sb_puts(x->out, "{\"user\":{\"user_id\":");
    if (query_row(&q)) {
        sb_json(x->out, query_col_text(&q, 0));
        json_text(x->out, "name", query_col_text(&q, 1));
        json_text(x->out, "role", role_name((enum role)query_col_i64(&q, 2)));
        json_text(x->out, "max_priority", priority_name((enum priority)query_col_i64(&q, 3)));
        list_time(x->out, "created_at", &q, 4);
        list_time(x->out, "disabled_at", &q, 5);
        sb_puts(x->out, query_col_i64(&q, 6) ? ",\"has_password\":true" : ",\"has_password\":false");
        sb_puts(x->out, query_col_i64(&q, 7) ? ",\"show_monitoring\":true" : ",\"show_monitoring\":false");
    } else
        sb_puts(x->out, "null");
    sb_putc(x->out, '}');
    x->failed = query_stop(&q);
}

static void token_row(struct export *x, const struct query *q)
{
    sb_puts(x->out, "{\"token_id\":");
    sb_json(x->out, query_col_text(q, 0));
    json_text(x->out, "name", query_col_text(q, 1));
    json_text(x->out, "scopes", query_col_text(q, 2));
    list_time(x->out, "created_at", q, 3);
    list_time(x->out, "expires_at", q, 4);
    list_time(x->out, "used_at", q, 5);
    list_time(x->out, "revoked_at", q, 6);
    sb_putc(x->out, '}');
}

static void browser_row(struct export *x, const struct query *q)
{
    sb_putf(x->out, "{\"expires\":\"12 hours after seen_at\"");
    list_time(x->out, "created_at", q, 0);
    list_time(x->out, "seen_at", q, 1);
    sb_putc(x->out, '}');
}

static void session_row(struct export *x, const struct query *q)
{
    struct sb title = sb_make(64 * 1024);
    enum weir_err e = content_title_get(x->p->user, query_col_text(q, 0), query_col_text(q, 1), &title);

    if (!x->failed)
        x->failed = e;
    sb_puts(x->out, "{\"session_id\":");
    sb_json(x->out, query_col_text(q, 0));
    json_text(x->out, "title", sb_str(&title));
    sb_done(&title);
    list_time(x->out, "created_at", q, 2);
    list_time(x->out, "updated_at", q, 3);
    list_time(x->out, "deleted_at", q, 4);
    sb_putc(x->out, '}');
}

static void message_row(struct export *x, const struct query *q)
{
    struct content_found c;
    enum weir_err e = content_read(x->ro, query_col_i64(q, 0), &c);

    if (!x->failed)
        x->failed = e;
    sb_puts(x->out, "{\"session_id\":");
    sb_json(x->out, query_col_text(q, 1));
    json_text(x->out, "message_id", query_col_text(q, 2));
    json_text(x->out, "parent_id", query_col_text(q, 3));
    json_text(x->out, "role", convo_role_name((enum convo_role)query_col_i64(q, 4)));
    list_time(x->out, "at", q, 5);
    json_text(x->out, "content", c.text);
    json_text(x->out, "reasoning", c.reasoning);
    sb_putc(x->out, '}');
    content_done(&c);
}

static struct query messages_of(struct export *x)
{
    return of_person(x, query(x->ro, "SELECT m.id, s.session_id, m.message_id, p.message_id, m.role, m.at_ms FROM sessions s"
                                     " JOIN messages m ON m.id >= s.id << 20 AND m.id < (s.id + 1) << 20"
                                     " LEFT JOIN messages p ON p.id = (s.id << 20 | m.parent) AND m.parent > 0"
                                     " WHERE s.user = ?1 ORDER BY m.id"));
}

static struct query requests_of(struct export *x)
{
    return of_person(x, query(x->ro, "SELECT" EVENT_COLUMNS EVENT_TABLES " WHERE e.user = ?1 ORDER BY e.id"));
}

static void request_row(struct export *x, const struct query *q)
{
    struct event_row v;

    event_row_read(q, &v);
    sb_putc(x->out, '{');
    event_row_head_json(x->out, &v);
    sb_putc(x->out, ',');
    json_time(x->out, "at", v.rec.accepted_at_ms);
    json_text(x->out, "session_id", v.session_id);
    json_text(x->out, "token_id", v.rec.token_id);
    json_text(x->out, "api_endpoint", v.rec.api_endpoint);
    sb_puts(x->out, ",\"metadata\":");
    sb_puts(x->out, v.metadata ? v.metadata : "null");
    sb_putc(x->out, ',');
    event_row_numbers_json(x->out, &v);
    sb_putc(x->out, '}');
}

static void id_row(struct export *x, const struct query *q)
{
    sb_json(x->out, query_col_text(q, 0));
}

static void audit_row(struct export *x, const struct query *q)
{
    sb_putf(x->out, "{\"seq\":%" PRId64, query_col_i64(q, 0));
    list_time(x->out, "at", q, 1);
    json_text(x->out, "actor", query_col_text(q, 2));
    json_text(x->out, "action", query_col_text(q, 3));
    json_text(x->out, "object", query_col_text(q, 4));
    sb_putc(x->out, '}');
}

/* Its bytes are to be had at /v1/files/{id}/content. */
static void file_row(struct export *x, const struct query *q)
{
    sb_puts(x->out, "{\"file_id\":");
    sb_json(x->out, query_col_text(q, 0));
    json_text(x->out, "name", query_col_text(q, 1));
    json_i64(x->out, "bytes", query_col_i64(q, 2));
    list_time(x->out, "created_at", q, 3);
    list_time(x->out, "expires_at", q, 4);
    sb_putc(x->out, '}');
}

static void batch_row(struct export *x, const struct query *q)
{
    sb_puts(x->out, "{\"batch_id\":");
    sb_json(x->out, query_col_text(q, 0));
    json_text(x->out, "input_file_id", query_col_text(q, 1));
    json_text(x->out, "endpoint", query_col_text(q, 2));
    list_time(x->out, "created_at", q, 3);
    list_time(x->out, "ended_at", q, 4);
    sb_puts(x->out, ",\"metadata\":");
    sb_puts(x->out, query_col_null(q, 5) ? "null" : query_col_text(q, 5));
    sb_putc(x->out, '}');
}

static void person_json(struct export *x)
{
    struct query q;

    user_json(x);
    q = of_person(x, query(x->ro, "SELECT token_id, name, scopes, created_ms, expires_ms, used_ms, revoked_ms FROM tokens WHERE user = ?1"));
    rows(x, "tokens", &q, token_row);
    q = of_person(x, query(x->ro, "SELECT created_ms, seen_ms FROM web_sessions WHERE user = ?1"));
    rows(x, "browser_sessions", &q, browser_row);
    q = of_person(x, query(x->ro, "SELECT session_id, title, created_ms, updated_ms, deleted_ms FROM sessions WHERE user = ?1"));
    rows(x, "sessions", &q, session_row);
    q = messages_of(x);
    rows(x, "messages", &q, message_row);
    q = requests_of(x);
    rows(x, "requests", &q, request_row);
    q = of_person(x, query(x->ro, "SELECT file_id, name, bytes, created_ms, expires_ms FROM files WHERE user = ?1 AND state = 1"));
    rows(x, "files", &q, file_row);
    q = of_person(x, query(x->ro, "SELECT batch_id, input_file, endpoint, created_ms, ended_ms, metadata FROM batches WHERE user = ?1"));
    rows(x, "batches", &q, batch_row);
    q = query(x->ro, "SELECT budget_id FROM budgets WHERE scope = 1 AND key = ?1");
    query_text(&q, x->p->user_id);
    rows(x, "budgets", &q, id_row);
    q = query(x->ro, "SELECT seq, at_ms, actor, action, object FROM audit WHERE actor = ?1 OR object = ?1 ORDER BY seq");
    query_text(&q, x->p->user_id);
    rows(x, "audit", &q, audit_row);
    sb_puts(x->out, "}\n");
}

/* --- CSV --- */

/* One cell; a spreadsheet would calculate what begins like a formula. */
static void cell(struct sb *out, const char *s, size_t n)
{
    sb_putc(out, '"');
    if (n && memchr("=+-@\t\r\n", *s, 7))
        sb_putc(out, '\'');
    for (; n; s++, n--) {
        if (*s == '"')
            sb_putc(out, '"');
        sb_putc(out, *s);
    }
    sb_putc(out, '"');
}

static void text_cell(struct sb *out, const char *s)
{
    sb_putc(out, ',');
    if (s)
        cell(out, s, strlen(s));
}

static void usage_line(struct export *x, const struct query *q)
{
    struct event_row v;

    event_row_read(q, &v);
    cell(x->out, v.request_id, strlen(v.request_id));
    sb_putc(x->out, ',');
    sb_time(x->out, v.rec.accepted_at_ms);
    text_cell(x->out, v.session_id);
    text_cell(x->out, v.rec.token_id);
    text_cell(x->out, v.rec.model);
    text_cell(x->out, v.rec.upstream);
    text_cell(x->out, v.rec.api_endpoint);
    text_cell(x->out, priority_name(v.rec.priority));
    text_cell(x->out, v.settled ? call_status_name(v.rec.status) : NULL);
    sb_putf(x->out, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",", v.rec.usage.prompt, v.rec.usage.completion, v.rec.usage.reasoning);
    if (v.rec.cost.priced)
        sb_usd(x->out, v.rec.cost.total);
    sb_puts(x->out, "\r\n");
}

static void message_line(struct export *x, const struct query *q)
{
    struct content_found c;
    enum weir_err e = content_read(x->ro, query_col_i64(q, 0), &c);

    if (!x->failed)
        x->failed = e;
    cell(x->out, query_col_text(q, 1), strlen(query_col_text(q, 1)));
    text_cell(x->out, query_col_text(q, 2));
    text_cell(x->out, query_col_text(q, 3));
    text_cell(x->out, convo_role_name((enum convo_role)query_col_i64(q, 4)));
    sb_putc(x->out, ',');
    sb_time(x->out, query_col_i64(q, 5));
    text_cell(x->out, c.text);
    text_cell(x->out, c.reasoning);
    sb_puts(x->out, "\r\n");
    content_done(&c);
}

static void lines(struct export *x, const char *names, struct query q, void (*line)(struct export *x, const struct query *q))
{
    sb_puts(x->out, names);
    while (!x->failed && query_row(&q)) {
        line(x, &q);
        pass_on(x);
    }
    if (query_stop(&q) && !x->failed)
        x->failed = WEIR_E_STORAGE;
}

enum weir_err person_export(struct db *ro, const struct person *p, enum person_form form, struct sb *out,
                            bool (*take)(struct sb *out, void *ctx), void *ctx)
{
    struct export x = {.ro = ro, .p = p, .out = out, .take = take, .ctx = ctx};

    x.failed = db_read_begin(ro, EXPORT_MS);
    if (x.failed)
        return x.failed;
    switch (form) {
    case PERSON_JSON:
        person_json(&x);
        break;
    case PERSON_USAGE_CSV:
        lines(&x, "request_id,at,session_id,token_id,model,upstream,api_endpoint,priority,status,prompt_tokens,completion_tokens,"
              "reasoning_tokens,cost_usd\r\n", requests_of(&x), usage_line);
        break;
    case PERSON_MESSAGES_CSV:
        lines(&x, "session_id,message_id,parent_id,role,at,content,reasoning\r\n", messages_of(&x), message_line);
        break;
    }
    db_read_end(ro);
    if (!x.failed && take && !take(out, ctx))
        x.failed = WEIR_E_STORAGE;
    return x.failed;
}
