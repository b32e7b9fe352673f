/* h_manage.c - the pages under /app/settings: of this browser, and those of
 * people, tokens, budgets, alerts, webhooks, prices, providers, retention, the audit log.
 *
 * Each but the first is one section of manage.h: the list that the HTTP interface gives, as a table, and a form.
 * The page itself is served whole; manage.js only sends the form. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "store/report.h"
#include "store/webhooks.h"
#include "web/manage.h"
#include "web/pages.h"
#include "web/view.h"

enum { LONG = 100 };             /* a list of more rows scrolls in its frame, under its headings */

struct reader {
    struct exchange *x;
    struct zone zone;            /* whose clocks times are told by */
};

/* --- what is shown --- */

/* 2026-11-26T10:51:02.963Z */
static bool is_time(const json_t *v)
{
    const char *s = json_string_value(v);

    return s && strlen(s) == 24 && s[4] == '-' && s[10] == 'T' && s[23] == 'Z' && strspn(s, "0123456789-:.TZ") == 24;
}

static json_t *text_of(const struct reader *to, const json_t *v);

/* What is set of it, as "requests per minute 60, tokens per minute 1000". */
static void put_members(struct sb *out, const struct reader *to, const json_t *v)
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
        text = text_of(to, value);
        sb_putc(out, ' ');
        sb_puts(out, json_string_value(text));
        json_decref(text);
    }
}

/* A moment as RFC 3339 has it, by the reader's clocks; "—": it is none. */
static json_t *moment(const struct reader *to, const json_t *at)
{
    int64_t at_ms;

    if (!json_is_string(at) || !report_time_parse(json_string_value(at), 0, &at_ms))
        return json_string("—");
    return view_moment(&to->zone, at_ms, VIEW_MINUTE);
}

static json_t *text_of(const struct reader *to, const json_t *v)
{
    struct sb out = sb_make(65536);
    json_t *text;

    if (is_time(v))
        return moment(to, v);
    if (json_is_string(v)) {
        sb_puts(&out, json_string_value(v));
    } else if (json_is_boolean(v)) {
        sb_puts(&out, json_is_true(v) ? "yes" : "no");
    } else if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            sb_putf(&out, "%s%s", i ? ", " : "", json_string_value(json_array_get(v, i)) ? json_string_value(json_array_get(v, i)) : "…");
    } else if (json_is_object(v)) {
        put_members(&out, to, v);
    } else if (v && !json_is_null(v)) {
        char *dump = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));

        sb_puts(&out, dump);
        free(dump);
    }
    text = json_string(out.len ? sb_str(&out) : "—");
    sb_done(&out);
    return text;
}

/* Dollars with two decimals at least, and as many as they have. */
static json_t *rate(double usd)
{
    double cents = usd * 100;

    if (isnan(usd))
        return json_string("—");
    return fabs(cents - round(cents)) < 1e-9 ? view_text("$%.2f", usd) : view_text("$%.12g", usd);
}

/* "at 21 % until 2026-11-26 20:31" while a provider recovers. */
static json_t *recovery(const struct reader *to, const json_t *v)
{
    json_t *rate, *until, *text;

    if (!json_is_true(json_object_get(v, "active")))
        return json_string("—");
    rate = view_percent(view_number(v, "rate_factor"));
    until = moment(to, json_object_get(v, "until"));
    text = view_text("at %s until %s", json_string_value(rate), json_string_value(until));
    json_decref(rate);
    json_decref(until);
    return text;
}

/* When a budget begins anew; with the zone whose day that is, where it is another. */
static json_t *reset(const struct reader *to, const json_t *b)
{
    json_t *at = moment(to, json_object_get(b, "resets_at")), *text;
    const char *tz = json_str(b, "tz", "UTC");

    if (strcmp(tz, to->zone.name) == 0 || !json_is_string(json_object_get(b, "resets_at")))
        return at;
    text = view_text("%s (midnight %s)", json_string_value(at), tz);
    json_decref(at);
    return text;
}

/* Everything, or which user or model. */
static json_t *whose(struct exchange *x, const json_t *r)
{
    const char *scope = json_str(r, "scope", ""), *key = json_str(r, "key", "");
    json_t *name, *text;

    if (!*key)
        return json_string("everything");
    name = strcmp(scope, "user") == 0 ? pages_person(x, key) : json_string(key);
    text = view_text("%s %s", scope, json_string_value(name));
    json_decref(name);
    return text;
}

/* When a rule opens an alert, without how long it has to be so. */
static json_t *condition(struct exchange *x, const json_t *r)
{
    static const struct { const char *kind, *when; } plain[] = {
        {"budget", "A warn level of a budget is reached"},
        {"storage", "The database cannot be written"},
        {"upstream_down", "A provider refuses its key, or its quota is used up"},
        {"ledger_check", "The ledger does not add up"},
        {"anomaly", "An hour or a day is out of the ordinary"},
        {"usage_suspect", "A provider told usage that is not believed"},
    };
    const char *kind = json_str(r, "kind", "");
    json_t *figure, *of = NULL, *text;

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(kind, plain[i].kind) == 0)
            return json_string(plain[i].when);
    if (strcmp(kind, "cost") == 0) {
        of = whose(x, r);
        figure = view_money(view_number(r, "limit_usd"));
        text = view_text("A %s of %s costs more than %s", json_str(r, "window", ""), json_string_value(of), json_string_value(figure));
    } else if (strcmp(kind, "queue_wait") == 0) {
        figure = view_span(view_number(r, "wait_ms"));
        text = view_text("A request has waited for %s", json_string_value(figure));
    } else {
        figure = view_percent(view_number(r, "share"));
        text = strcmp(kind, "error_rate") == 0
                   ? view_text("%s of the requests of 15 minutes failed, of at least %lld", json_string_value(figure), (long long)json_int(r, "least_requests", 1))
                   : view_text("A limit is used to %s", json_string_value(figure));
    }
    json_decref(of);
    json_decref(figure);
    return text;
}

/* "A limit is used to 90 %, for 5 min". */
static json_t *rule(struct exchange *x, const json_t *r)
{
    json_t *when = condition(x, r), *span, *text;

    if (json_int(r, "for_ms", 0) == 0)
        return when;
    span = view_span(view_number(r, "for_ms"));
    text = view_text("%s, for %s", json_string_value(when), json_string_value(span));
    json_decref(when);
    json_decref(span);
    return text;
}

/* What a column shows of an item. */
static json_t *shown(const struct reader *to, const struct manage_column *c, const json_t *item)
{
    const json_t *v = json_object_get(item, c->member);
    double n = json_is_number(v) ? json_number_value(v) : (double)NAN;

    switch (c->show) {
    case SHOW_COUNT:
        return view_count(n);
    case SHOW_MONEY:
        return view_money(n);
    case SHOW_RATE:
        return rate(n);
    case SHOW_SHARE:
        return view_percent(n);
    case SHOW_ON:
        return json_string(json_is_true(v) ? "on" : "off");
    case SHOW_PERSON:
        return json_is_string(v) ? pages_person(to->x, json_string_value(v)) : json_string("—");
    case SHOW_CODE:
        return pages_spoken(json_is_string(v) ? json_string_value(v) : "—");
    case SHOW_RECOVERY:
        return recovery(to, v);
    case SHOW_RULE:
        return rule(to->x, item);
    case SHOW_RESET:
        return reset(to, item);
    case SHOW_PLAIN:
    case SHOW_TIME:
    case SHOW_ID:
        break;
    }
    return text_of(to, v);
}

static bool is_number(const struct manage_column *c)
{
    return c->show >= SHOW_COUNT && c->show <= SHOW_SHARE;
}

/* What can be done with `item` in its row; NULL: with what the form changes, whose id the page knows. */
static json_t *acts_of(const struct manage_section *s, const json_t *item)
{
    json_t *list = json_array();

    for (const struct manage_act *a = s->acts; a < s->acts + MANAGE_ACTS && a->label; a++)
        if (a->in_form == !item && (!a->state || strcmp(json_str(item, "state", ""), a->state) == 0))
            json_array_append_new(list, json_pack("{s:s, s:b, s:s*, s:s*, s:s, s:s*, s:s*, s:s*, s:s*, s:s}", "label", a->label, "is_link", !a->method,
                                                  "method", a->method, "before", a->before, "after", a->after, "body", a->body, "sure", a->sure,
                                                  "yes", a->yes, "said", a->said, "id", item ? json_str(item, s->id, "") : ""));
    return list;
}

static json_t *rows_of(const struct reader *to, const struct manage_section *s, const json_t *items)
{
    json_t *rows = json_array(), *item;
    size_t i;

    json_array_foreach(items, i, item) {
        json_t *cells = json_array();
        bool changes = s->admin && s->fields[0].name;
        char *whole = changes ? json_dumps(item, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;

        for (const struct manage_column *c = s->columns; c < s->columns + MANAGE_COLUMNS && c->member; c++) {
            json_t *text = shown(to, c, item);
            bool unknown = json_is_string(text) && strcmp(json_string_value(text), "—") == 0;

            json_array_append_new(cells, json_pack("{s:s, s:o, s:b, s:b, s:b}", "label", c->label, "text", text, "num", is_number(c),
                                                   "mono", c->show == SHOW_ID, "unknown", unknown));
        }
        json_array_append_new(rows, json_pack("{s:o, s:o, s:s*, s:b, s:b}", "cells", cells, "id", text_of(to, json_object_get(item, s->id)),
                                              "item", whole, "can_remove", s->removable, "can_change", changes));
        json_object_set_new(json_array_get(rows, i), "acts", acts_of(s, item));
        json_object_set_new(json_array_get(rows, i), "waits", json_boolean(strcmp(json_str(item, "state", ""), "waiting") == 0));
        free(whole);
    }
    return rows;
}

/* The members of the one item as lines. */
static json_t *lines_of(const struct reader *to, const struct manage_section *s, const json_t *item)
{
    json_t *lines = json_array();

    for (const struct manage_column *c = s->columns; c < s->columns + MANAGE_COLUMNS && c->member; c++)
        json_array_append_new(lines, json_pack("{s:s, s:o}", "label", c->label, "text", shown(to, c, item)));
    return lines;
}

/* Is there a time among what is shown? */
static bool tells_time(const struct manage_section *s, const json_t *item)
{
    for (const struct manage_column *c = s->columns; c < s->columns + MANAGE_COLUMNS && c->member; c++) {
        const json_t *v = json_object_get(item, c->member);

        if (((c->show == SHOW_TIME || c->show == SHOW_RESET) && json_is_string(v)) || (c->show == SHOW_RECOVERY && json_is_true(json_object_get(v, "active"))))
            return true;
    }
    return false;
}

static bool any_tells_time(const struct manage_section *s, const json_t *list)
{
    const json_t *items = s->rows ? json_object_get(list, s->rows) : NULL;
    bool any = !s->rows && tells_time(s, list);

    for (size_t i = 0; !any && i < json_array_size(items); i++)
        any = tells_time(s, json_array_get(items, i));
    return any;
}

static json_t *columns_of(const struct manage_section *s)
{
    json_t *columns = json_array();

    for (const struct manage_column *c = s->columns; c < s->columns + MANAGE_COLUMNS && c->member; c++)
        json_array_append_new(columns, json_pack("{s:s, s:b}", "label", c->label, "num", is_number(c)));
    return columns;
}

/* The words of "a/b/c"; an empty one is no choice. */
static json_t *choices_of(const char *words)
{
    json_t *choices = json_array();

    for (const char *s = words;; s += strcspn(s, "/") + 1) {
        json_t *choice = json_pack("{s:s%}", "value", s, strcspn(s, "/"));
        const char *value = json_str(choice, "value", "");

        json_object_set_new(choice, "label", *value ? pages_spoken(value) : json_string("—"));
        json_array_append_new(choices, choice);
        if (!s[strcspn(s, "/")])
            return choices;
    }
}

static json_t *field_of(const struct manage_field *f)
{
    static const char *const when[] = {[WHEN_ADD] = "add", [WHEN_CHANGE] = "change", [WHEN_BOTH] = "both"};
    /* type, what manage.js makes of its value, the browser's kind of input */
    static const struct { const char *type, *kind, *input; } inputs[] = {
        {"text", "text", "text"}, {"password", "text", "password"}, {"number", "number", "number"},
        {"time", "time", "datetime-local"}, {"list", "list", "text"}, {"user", "text", "text"},
    };
    json_t *field = json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "name", f->name, "label", f->label, "when", when[f->when], "help", f->help,
                              "only", f->only);

    if (strchr(f->type, '/'))
        json_object_set_new(field, "choices", choices_of(f->type));
    json_object_set_new(field, "is_select", json_boolean(strchr(f->type, '/')));
    json_object_set_new(field, "is_json", json_boolean(strcmp(f->type, "json") == 0));
    json_object_set_new(field, "is_check", json_boolean(strcmp(f->type, "check") == 0));
    json_object_set_new(field, "is_user", json_boolean(strcmp(f->type, "user") == 0));
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (strcmp(f->type, inputs[i].type) == 0)
            json_object_update_new(field, json_pack("{s:s, s:s, s:b}", "kind", inputs[i].kind, "input", inputs[i].input, "is_input", true));
    return field;
}

/* The answer of the list's handler as a value; NULL: it was refused with *e. */
static json_t *answer_of(struct exchange *x, web_handler *list, enum weir_err *e)
{
    json_t *value = NULL;

    x->in.query_count = 0;                     /* its query is not this page's */
    *e = list(x);
    if (!*e)
        value = json_loadb(sb_str(&x->out.body), x->out.body.len, 0, NULL);
    sb_reset(&x->out.body);
    return value;
}

/* The form, and the users to choose from where it asks for one. */
static void put_form(struct exchange *x, const struct manage_section *s, json_t *ctx)
{
    json_t *fields = json_array(), *users = NULL;
    enum weir_err ignored;

    for (const struct manage_field *f = s->fields; f < s->fields + MANAGE_FIELDS && f->name; f++) {
        json_array_append_new(fields, field_of(f));
        if (strcmp(f->type, "user") == 0 && !users)
            users = answer_of(x, h_users_list, &ignored);
    }
    json_object_set_new(ctx, "has_form", json_boolean(json_array_size(fields) > 0));
    json_object_set_new(ctx, "fields", fields);
    json_object_set(ctx, "users", json_object_get(users, "items"));
    json_object_set_new(ctx, "one", s->one ? json_string(s->one) : json_null());
    json_decref(users);
}

/* The pages of one's own, and for an administrator those of all. `at` NULL: the page of this browser. */
static void put_sections(const struct exchange *x, const struct manage_section *at, json_t *ctx)
{
    json_t *own = json_array(), *all = json_array();

    for (const struct manage_section *s = manage_sections; s < manage_sections + manage_sections_n; s++)
        if (!s->of && (!s->admin || x->who.role == ROLE_ADMIN))
            json_array_append_new(s->admin ? all : own, json_pack("{s:s, s:s, s:b}", "name", s->name, "title", s->title, "here",
                                                                  s == at || (at && at->of && strcmp(at->of, s->name) == 0)));
    json_object_set_new(ctx, "this_browser", json_boolean(!at));
    json_object_set_new(ctx, "own", own);
    json_object_set_new(ctx, "admin", json_boolean(json_array_size(all) > 0));
    json_object_set_new(ctx, "all", all);
}

enum weir_err h_page_settings(struct exchange *x)
{
    json_t *ctx = pages_context(x, "Settings", "settings", NULL);

    put_sections(x, NULL, ctx);
    json_object_set_new(ctx, "user_id", json_string(x->who.user_id));
    return pages_answer(x, "settings", ctx);
}

static const struct manage_section *section(const char *name)
{
    const struct manage_section *s = manage_sections;

    while (strcmp(s->name, name) != 0)         /* the table of routes has no others */
        s++;
    return s;
}

static enum weir_err page_of(struct exchange *x, const struct manage_section *s, const char *path, const char *lead)
{
    const struct reader to = {x, pages_zone(x)};
    json_t *ctx, *list;
    const json_t *items;
    enum weir_err e;

    list = answer_of(x, s->list, &e);
    if (e)
        return e;
    ctx = pages_context(x, s->title, "settings", NULL);
    items = s->rows ? json_object_get(list, s->rows) : NULL;
    json_object_update_new(ctx, json_pack("{s:s, s:s, s:s, s:s}", "heading", s->title, "path", path, "lead", lead, "none", s->none));
    json_object_set(ctx, "version", json_object_get(list, "version"));
    json_object_set(ctx, "models", json_object_get(list, "models"));
    if (any_tells_time(s, list))
        json_object_set_new(ctx, "zone", json_string(to.zone.name));
    put_sections(x, s, ctx);
    put_form(x, s, ctx);
    json_object_set_new(ctx, "form_acts", acts_of(s, NULL));
    json_object_set_new(ctx, "of", s->of ? json_string(s->of) : json_null());
    json_object_set_new(ctx, "columns", columns_of(s));
    json_object_set_new(ctx, "rows", rows_of(&to, s, items));
    json_object_set_new(ctx, "has_rows", json_boolean(json_array_size(items) > 0));
    json_object_set_new(ctx, "long", json_boolean(json_array_size(items) > LONG));
    json_object_set_new(ctx, "nothing", json_boolean(s->rows && json_array_size(items) == 0));
    json_object_set_new(ctx, "facts", s->rows ? json_null() : json_pack("{s:o}", "lines", lines_of(&to, s, list)));
    json_object_set_new(ctx, "more", json_boolean(json_is_string(json_object_get(list, "next_cursor"))));
    json_decref(list);
    return pages_answer(x, "manage", ctx);
}

enum weir_err h_page_manage(struct exchange *x)
{
    const struct manage_section *s = section(strrchr(x->in.path, '/') + 1);

    return page_of(x, s, s->path, s->lead);
}

enum weir_err h_page_deliveries(struct exchange *x)
{
    const struct manage_section *s = section("deliveries");
    struct sb path = sb_make(256), lead = sb_make(WEBHOOK_URL_SIZE + 128);
    struct webhook w;
    enum weir_err e = webhooks_find(x->db, x->arg[0], &w);

    if (!e) {
        sb_putf(&path, "/admin/webhooks/%s/deliveries", w.id);
        sb_putf(&lead, "What %s was told, the newest first.", w.url);
        e = page_of(x, s, sb_str(&path), sb_str(&lead));
    }
    sb_done(&path);
    sb_done(&lead);
    return e;
}
