/* h_manage.c - the pages under /app/settings: people, tokens, budgets, alerts,
 * webhooks, prices, the audit log, and one's own tokens and browsers.
 *
 * Each is one line of a table: the list that the HTTP interface gives, which of
 * its members are columns, and the fields of the form that adds or changes one; rows NULL: the answer is the one row.
 * The page itself is served whole; manage.js only sends the form. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "web/pages.h"
#include "web/route.h"
#include "web/view.h"

/* A field of the form: name, label and type separated by |, dots in the name for members of members. Types: text, password,
 * number, check, list (separated by commas), json, or the choices separated by /. A star before the name: also of a change;
 * an exclamation mark: of a change alone. */
struct section {
    const char *name, *title, *path, *rows, *id;
    web_handler *list;
    bool admin, removable;
    const char *columns[8];         /* member|label */
    const char *fields[10];
    const char *hint;
};

static const struct section sections[] = {
    {"own-tokens", "My tokens", "/app/tokens", "items", "token_id", h_own_tokens_list, false, true,
     {"name|Name", "scopes|May", "max_priority|Priority", "expires_at|Expires", "last_used_at|Last used"},
     {"name|Name|text", "scopes|May: chat, monitor (nothing: both)|list", "expires_at|Expires, as 2027-01-31T00:00:00Z (nothing: in 90 days)|text"},
     "A token is shown once, when it is made."},
    {"browsers", "My browsers", "/app/browser-sessions", "items", "browser_session_id", h_own_sessions, false, true,
     {"signed_in_at|Signed in", "seen_at|Seen", "current|This one"}, {NULL}, NULL},
    {"users", "Users", "/admin/users", "items", "user_id", h_users_list, true, true,
     {"name|Name", "role|Role", "max_priority|Priority", "limits|Limits a minute", "has_password|Password", "disabled_at|Disabled", "user_id|Id"},
     {"*name|Name|text", "*role|Role|user/monitor/admin", "*password|Password, 12 characters or more|password", "*max_priority|Highest priority|/Low/Medium/High",
      "*limits.requests_per_minute|Requests a minute, 0: no limit|number", "*limits.tokens_per_minute|Tokens a minute, 0: no limit|number",
      "*filters|Filters, as JSON|json", "!disabled|Disabled|check"}, NULL},
    {"tokens", "Tokens", "/admin/tokens", "items", "token_id", h_tokens_list, true, true,
     {"name|Name", "user|User", "scopes|May", "max_priority|Priority", "limits|Limits a minute", "expires_at|Expires", "last_used_at|Last used"},
     {"user_id|User’s id|text", "*name|Name|text", "*scopes|May: chat, monitor, usage (nothing: all)|list", "*max_priority|Highest priority|/Low/Medium/High",
      "*expires_at|Expires, as 2027-01-31T00:00:00Z|text", "*limits.requests_per_minute|Requests a minute, 0: no limit|number",
      "*limits.tokens_per_minute|Tokens a minute, 0: no limit|number", "*filters|Filters, as JSON|json"}, "A token is shown once, when it is made."},
    {"budgets", "Budgets", "/admin/budgets", "items", "budget_id", h_budgets_list, true, true,
     {"scope|Of", "key|Whose", "each|Each", "window|Per", "limit_usd|Limit, $", "spent_usd|Spent, $", "resets_at|Resets"},
     {"scope|Of|all/user/session/token/model", "key|Whose: an id or a model|text", "each|Each has its own|check", "window|Per|day/week/month/total",
      "tz|Time zone|text", "*limit_usd|Limit, $|number"}, NULL},
    {"alerts", "Alerts", "/admin/alerts", "rules", "rule_id", h_alerts_list, true, true,
     {"kind|Kind", "scope|Of", "key|Whose", "window|Per", "limit_usd|Limit, $", "share|Share", "enabled|On"},
     {"kind|Kind|cost/budget/limit_use/error_rate/queue_wait/storage/upstream_down/ledger_check/anomaly/usage_suspect", "window|Per (cost)|/day/week/month",
      "*limit_usd|Limit, $ (cost)|number", "*share|Share, 0 to 1 (limit_use, error_rate)|number", "*wait_ms|Wait, ms (queue_wait)|number", "*enabled|On|check"}, NULL},
    {"webhooks", "Webhooks", "/admin/webhooks", "items", "webhook_id", h_webhooks_list, true, true,
     {"url|Address", "events|Events", "enabled|On", "created_at|Since"}, {"*url|Address|text", "*events|Events (nothing: all)|list", "!enabled|On|check"}, NULL},
    {"prices", "Prices", "/admin/prices", "items", "price_id", h_prices_list, true, true,
     {"provider|Provider", "model|Model", "input_per_million_usd|Input, $ a million", "output_per_million_usd|Output", "cached_per_million_usd|Cached", "version|Version"},
     {"provider|Provider, as openai|text", "model|Model|text", "*input_per_million_usd|Input, $ per million tokens|number",
      "*output_per_million_usd|Output, $ per million tokens|number", "*cached_per_million_usd|Cached input|number"},
     "They lie over the table Weir was built with, from the next call on."},
    {"providers", "Providers", "/monitoring/rate-limits", "upstreams", "name", h_rate_limits, true, false,
     {"name|Provider", "status|Status", "stabilization|Recovery", "cooldown|Pause", "provider_429s_24h|Refusals in 24 h"}, {NULL},
     "How each is doing. Keys are set in the configuration and shown nowhere."},
    {"retention", "Retention", "/admin/retention", NULL, "", h_retention, true, false,
     {"content_days|Texts, days", "content_bytes|Texts, bytes", "usage_days|Numbers, days", "anonymize_days|Names, days", "audit_days|Audit log, days",
      "next_run_at|Next clearing", "last_run|Last clearing"}, {NULL}, "What is kept, for how long, and what was taken out last. It is set in the configuration."},
    {"audit", "Audit", "/admin/audit", "items", "seq", h_audit_list, true, false,
     {"seq|No.", "at|At", "actor|Who", "action|Did", "object|To", "detail|Detail"}, {NULL}, NULL},
};

enum { SECTIONS = sizeof sections / sizeof *sections };

/* --- what is shown --- */

/* 2026-11-26T10:51:02.963Z */
static bool is_time(const json_t *v)
{
    const char *s = json_string_value(v);

    return s && strlen(s) == 24 && s[4] == '-' && s[10] == 'T' && s[23] == 'Z' && strspn(s, "0123456789-:.TZ") == 24;
}

static json_t *text_of(const json_t *v);

/* What is set of it, as "requests per minute 60, tokens per minute 1000". */
static void put_members(struct sb *out, const json_t *v)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)v, name, value) {
        json_t *text;

        if (json_is_null(value))
            continue;
        if (out->len)
            sb_puts(out, ", ");
        for (const char *c = name; *c; c++)
            sb_putc(out, *c == '_' ? ' ' : *c);
        text = text_of(value);
        sb_putc(out, ' ');
        sb_puts(out, json_string_value(text));
        json_decref(text);
    }
}

static json_t *text_of(const json_t *v)
{
    struct sb out = sb_make(65536);
    json_t *text;

    if (is_time(v))
        return view_time(v, VIEW_MINUTE);
    if (json_is_string(v)) {
        sb_puts(&out, json_string_value(v));
    } else if (json_is_boolean(v)) {
        sb_puts(&out, json_is_true(v) ? "yes" : "no");
    } else if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            sb_putf(&out, "%s%s", i ? ", " : "", json_string_value(json_array_get(v, i)) ? json_string_value(json_array_get(v, i)) : "…");
    } else if (json_is_object(v)) {
        put_members(&out, v);
    } else if (v && !json_is_null(v)) {
        char *dump = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));

        sb_puts(&out, dump);
        free(dump);
    }
    text = json_string(out.len ? sb_str(&out) : "—");
    sb_done(&out);
    return text;
}

/* The part of "a|b|c" before the n-th |, new. */
static json_t *part(const char *s, int n)
{
    for (; n > 0; n--)
        s = s[strcspn(s, "|")] ? s + strcspn(s, "|") + 1 : "";
    return json_stringn(s, strcspn(s, "|"));
}

static json_t *rows_of(const struct section *s, const json_t *items)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        json_t *cells = json_array(), *row = json_object();
        char *whole = json_dumps(item, JSON_COMPACT | JSON_REAL_PRECISION(12));

        for (int c = 0; c < 8 && s->columns[c]; c++) {
            json_t *name = part(s->columns[c], 0);

            (void)json_array_append_new(cells, json_pack("{s:o}", "text", text_of(json_object_get(item, json_string_value(name)))));
            json_decref(name);
        }
        (void)json_object_set_new(row, "cells", cells);
        (void)json_object_set_new(row, "id", text_of(json_object_get(item, s->id)));
        (void)json_object_set_new(row, "item", json_string(whole));
        (void)json_object_set_new(row, "can_remove", json_boolean(s->removable));
        (void)json_object_set_new(row, "can_change", json_boolean(s->fields[0] && (s->admin)));
        (void)json_array_append_new(rows, row);
        free(whole);
    }
    return rows;
}

static json_t *field_of(const char *f)
{
    json_t *field = json_object(), *type;
    bool change = *f == '*' || *f == '!';
    const char *kind;

    (void)json_object_set_new(field, "when", json_string(*f == '*' ? "both" : *f == '!' ? "change" : "add"));
    f += change;
    (void)json_object_set_new(field, "name", part(f, 0));
    (void)json_object_set_new(field, "label", part(f, 1));
    type = part(f, 2);
    kind = json_string_value(type);
    if (strchr(kind, '/')) {
        json_t *choices = json_array();

        for (const char *s = kind;; s += strcspn(s, "/") + 1) {
            (void)json_array_append_new(choices, json_pack("{s:s%}", "value", s, strcspn(s, "/")));
            if (!s[strcspn(s, "/")])
                break;
        }
        (void)json_object_set_new(field, "choices", choices);
        (void)json_object_set_new(field, "is_select", json_true());
    } else if (strcmp(kind, "json") == 0) {
        (void)json_object_set_new(field, "is_json", json_true());
    } else {
        (void)json_object_set_new(field, "is_input", json_true());
        (void)json_object_set_new(field, "kind", json_string(kind));
        (void)json_object_set_new(field, "input", json_string(strcmp(kind, "check") == 0 ? "checkbox" : strcmp(kind, "list") == 0 ? "text" : kind));
    }
    json_decref(type);
    return field;
}

static json_t *tabs(const struct exchange *x, const struct section *at)
{
    json_t *list = json_array();

    for (size_t i = 0; i < SECTIONS; i++) {
        if (!sections[i].admin || x->who.role == ROLE_ADMIN)
            (void)json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "name", sections[i].name, "title", sections[i].title, "here", &sections[i] == at));
    }
    return list;
}

enum weir_err h_page_manage(struct exchange *x)
{
    const struct section *s = sections;
    json_t *ctx, *list, *items, *columns = json_array(), *fields = json_array();
    enum weir_err e;

    while (strcmp(s->name, strrchr(x->in.path, '/') + 1) != 0)        /* the table of routes has no others */
        s++;
    x->in.query_count = 0;
    e = s->list(x);
    if (e) {
        json_decref(columns);
        json_decref(fields);
        return e;
    }
    list = json_loadb(sb_str(&x->out.body), x->out.body.len, 0, NULL);
    sb_reset(&x->out.body);
    ctx = pages_context(x, s->title, "settings", NULL);
    for (int i = 0; i < 8 && s->columns[i]; i++)
        (void)json_array_append_new(columns, json_pack("{s:o}", "label", part(s->columns[i], 1)));
    for (int i = 0; i < 10 && s->fields[i]; i++)
        (void)json_array_append_new(fields, field_of(s->fields[i]));
    items = s->rows ? json_incref(json_object_get(list, s->rows)) : json_pack("[O]", list);
    (void)json_object_set_new(ctx, "heading", json_string(s->title));
    (void)json_object_set_new(ctx, "path", json_string(s->path));
    (void)json_object_set_new(ctx, "hint", s->hint ? json_string(s->hint) : json_null());
    (void)json_object_set_new(ctx, "sections", tabs(x, s));
    (void)json_object_set_new(ctx, "columns", columns);
    (void)json_object_set_new(ctx, "rows", rows_of(s, items));
    (void)json_object_set_new(ctx, "more", json_boolean(json_is_string(json_object_get(list, "next_cursor"))));
    (void)json_object_set_new(ctx, "has_form", json_boolean(s->fields[0] != NULL));
    (void)json_object_set_new(ctx, "fields", fields);
    json_decref(items);
    json_decref(list);
    return pages_answer(x, "manage", ctx);
}
