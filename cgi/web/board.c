/* board.c - the frame of the pages under /app/dashboard: query, links, tabs. */
#include "web/board.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "flow/engine.h"
#include "web/pages.h"
#include "web/route.h"
#include "web/session.h"
#include "web/snapshot_json.h"
#include "web/view_engine.h"

enum { REPORT_MAX = 16 * 1024 * 1024, LINK_MAX = 8192 };

struct board_range {
    const char *key, *label, *name;
    int64_t ms;
};

static const struct board_range ranges[] = {
    {"15m", "15 m", "quarter of an hour", INT64_C(900000)},
    {"1h", "1 h", "hour", INT64_C(3600000)},
    {"24h", "24 h", "day", INT64_C(86400000)},
    {"7d", "7 d", "week", INT64_C(604800000)},
    {"30d", "30 d", "month", INT64_C(2592000000)},
};
enum { RANGES = sizeof ranges / sizeof *ranges, RANGE_USUAL = 2 };

/* The pages, in their order. `filtered`: they show what was; `ranged`: in a range of one's choice. */
static const struct part {
    const char *name, *title;
    bool filtered, ranged;
    unsigned roles;
} parts[] = {
    {"", "Overview", true, true, PERM_ALL},
    {"requests", "Requests", true, true, PERM_ALL},
    {"limits", "Limits", false, false, PERM_ALL},
    {"queue", "Queue", false, false, PERM_ALL},
    {"batches", "Batches", false, false, PERM_CHAT},
    {"budgets", "Budgets", false, false, PERM_ALL},
    {"cost", "Cost", true, true, PERM_ALL},
    {"performance", "Performance", true, true, PERM_ALL},
    {"outlook", "Trend and forecast", true, false, PERM_ALL},
    {"alerts", "Alerts", false, false, PERM_OPERATE},
    {"audit", "Audit", false, false, PERM_ADMIN},
};

/* Filters of the form, with what is offered for each. */
static const struct { const char *name, *label, *offers; } filters[] = {
    {"model", "Model", NULL}, {"upstream", "Provider key", NULL}, {"user_id", "User", NULL}, {"session_id", "Session", NULL},
    {"api_endpoint", "Endpoint", "/chat/complete /chat/stream /v1/chat/completions /v1/responses /v1/embeddings /v1/messages"},
    {"priority", "Priority", "High Medium Low"},
    {"status", "Status", "success error cancelled timeout rejected"},
};
enum { FILTERS = sizeof filters / sizeof *filters };

/* --- the query --- */

/* A moment of the form, 2026-11-22T06:20 in the filter's zone, or what report_filter_set() takes. */
static enum weir_err set_moment(struct report_filter *f, const char *name, const char *value, char why[160])
{
    char utc[24];
    int64_t at_ms;

    if (strlen(value) == 16 && value[10] == 'T') {
        (void)snprintf(utc, sizeof utc, "%s:00Z", value);
        if (report_time_parse(utc, f->now_ms, &at_ms)) {
            at_ms -= zone_offset_s(&f->zone, at_ms) * INT64_C(1000);
            *(strcmp(name, "from") == 0 ? &f->from_ms : &f->to_ms) = at_ms;
            return WEIR_OK;
        }
    }
    return report_filter_set(f, name, value, why);
}

static const struct board_range *range_of(const char *key)
{
    for (int i = 0; i < RANGES; i++)
        if (strcmp(ranges[i].key, key) == 0)
            return &ranges[i];
    return &ranges[RANGE_USUAL];
}

enum weir_err board_open(struct exchange *x, struct board *b)
{
    static const char *const names[] = {"tz", "from", "to", "model", "upstream", "user_id", "session_id", "api_endpoint", "priority",
                                        "status", "sort", "cursor", "metric"};
    const char *name, *param, *from;
    char why[160];
    enum weir_err e;

    if (http_read_query(&x->in, NULL, &name) != WEIR_OK)
        return web_refuse(x, WEIR_E_INVALID_FIELD, name, NULL);
    *b = (struct board){.x = x, .f = report_filter_make(x->arrived_ms), .mine = x->who.role == ROLE_USER ? x->who.user_id : NULL};
    b->f.owner_id = b->mine;
    b->f.zone = pages_zone(x);
    from = http_query(&x->in, "from", "");
    b->range = *from ? NULL : range_of(http_query(&x->in, "range", ""));
    if (b->range)
        b->f.from_ms = b->f.to_ms - b->range->ms;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = http_query(&x->in, names[i], "");

        if (!*value || (b->range && strcmp(names[i], "to") == 0))
            continue;
        e = i == 1 || i == 2 ? set_moment(&b->f, names[i], value, why) : report_filter_set(&b->f, names[i], value, why);
        if (e)
            return web_refuse(x, e, names[i], "%s", why);
    }
    e = session_find(x, b->f.user_id ? b->f.user_id : x->who.user_id, &b->f.session_id);
    if (e)
        return e;
    e = report_filter_check(&b->f, &param, why);
    return e ? web_refuse(x, e, param, "%s", why) : WEIR_OK;
}

const char *board_range_name(const struct board *b)
{
    return b->range ? b->range->name : "period";
}

json_t *board_href(const struct board *b, const char *path, const char *name, const char *value)
{
    const struct http_request *in = &b->x->in;
    bool range = name && strcmp(name, "range") == 0;
    bool by_time = name && strcmp(name, "cursor") == 0 && b->f.sort == SORT_AT && !b->f.ascending;      /* whatever was asked for */
    struct sb link = sb_make(LINK_MAX);
    char mark = '?';
    json_t *href;

    sb_puts(&link, path);
    for (int i = 0; i <= in->query_count; i++) {
        const char *n = i < in->query_count ? in->query[i].name : name;
        const char *v = i < in->query_count ? in->query[i].value : value;

        if (!n || !v || !*v)
            continue;
        if (i < in->query_count && (strcmp(n, "cursor") == 0 || (name && strcmp(n, name) == 0) || (by_time && strcmp(n, "sort") == 0) ||
                                    (range && (strcmp(n, "from") == 0 || strcmp(n, "to") == 0))))
            continue;
        sb_putc(&link, mark);
        sb_url(&link, n);
        sb_putc(&link, '=');
        sb_url(&link, v);
        mark = '&';
    }
    href = json_string(sb_ok(&link) ? sb_str(&link) : path);
    sb_done(&link);
    return href;
}

/* --- the frame --- */

static json_t *tabs(const struct board *b, const char *at)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char path[64];

        if (!(parts[i].roles & 1U << b->x->who.role))
            continue;
        (void)snprintf(path, sizeof path, "/app/dashboard%s%s", *parts[i].name ? "/" : "", parts[i].name);
        json_array_append_new(list, json_pack("{s:o, s:s, s:b}", "href", board_href(b, path, NULL, NULL), "title", parts[i].title,
                                              "here", strcmp(parts[i].name, at) == 0));
    }
    return list;
}

static json_t *range_links(const struct board *b)
{
    json_t *list = json_array();

    for (int i = 0; i < RANGES; i++)
        json_array_append_new(list, json_pack("{s:o, s:s, s:b}", "href", board_href(b, b->x->in.path, "range", ranges[i].key), "label",
                                              ranges[i].label, "current", &ranges[i] == b->range));
    return list;
}

static void offer(json_t *list, const char *value, size_t n, const char *chosen)
{
    json_array_append_new(list, json_pack("{s:s%, s:b}", "value", value, n, "chosen", strlen(chosen) == n && memcmp(value, chosen, n) == 0));
}

/* Names of models or providers that are there now. */
static json_t *known_names(const struct board *b, bool models)
{
    json_t *list = json_array();

    if (models) {
        struct sb text = sb_make(REPORT_MAX);
        json_t *all, *m;
        size_t i;

        engine_models_json(b->x->web->engine, &text);
        all = pages_parse(WEIR_OK, &text);
        json_array_foreach(all, i, m) {
            const char *id = json_str(m, "id", "");

            offer(list, id, strlen(id), "");
        }
        json_decref(all);
    } else {
        const struct snapshot *s = engine_snapshot(b->x->web->engine);

        for (size_t i = 0; i < s->upstream_count; i++)
            if (snapshot_shows(&s->upstreams[i]))
                offer(list, s->upstreams[i].name, strlen(s->upstreams[i].name), "");
        snapshot_put(s);
    }
    return list;
}

/* The field that is set to `value`, which a link may have taken from the books, has that among its offers: or Apply would lose it. */
static void offer_chosen(json_t *list, const char *value)
{
    json_t *o;
    size_t i;

    json_array_foreach(list, i, o)
        if (strcmp(json_str(o, "value", ""), value) == 0)
            return;
    offer(list, value, strlen(value), value);
}

/* The form's fields and, of those that are set, a chip each that takes it away; what else the page was asked for is kept. */
static void put_filters(struct board *b, json_t *ctx)
{
    static const char *const chosen[] = {"sort", "group", "metric"};
    json_t *fields = json_array(), *chips = json_array(), *kept = json_array();

    for (size_t i = 0; i < FILTERS; i++) {
        const char *value = http_query(&b->x->in, filters[i].name, "");
        json_t *field, *offers;

        if (b->mine && strcmp(filters[i].name, "user_id") == 0)
            continue;
        offers = i < 2 ? known_names(b, i == 0) : json_array();
        for (const char *s = filters[i].offers; s && *s; s += strcspn(s, " "), s += *s == ' ')
            offer(offers, s, strcspn(s, " "), value);
        if (*value && filters[i].offers)
            offer_chosen(offers, value);
        field = json_pack("{s:s, s:s, s:s, s:b, s:b, s:o}", "name", filters[i].name, "label", filters[i].label, "value", value, "select",
                          filters[i].offers != NULL, "listed", i < 2, "offers", offers);
        json_array_append_new(fields, field);
        if (*value)
            json_array_append_new(chips, json_pack("{s:s, s:o, s:o}", "label", filters[i].label, "value",
                                                   board_key(b, filters[i].name, value, NULL), "href",
                                                   board_href(b, b->x->in.path, filters[i].name, NULL)));
    }
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
        const char *value = http_query(&b->x->in, chosen[i], "");

        if (*value)
            json_array_append_new(kept, json_pack("{s:s, s:s}", "name", chosen[i], "value", value));
    }
    json_object_set_new(ctx, "fields", fields);
    json_object_set_new(ctx, "chips", chips);
    json_object_set_new(ctx, "kept", kept);
}

/* "2026-11-18 00:00 to now", in the filter's zone. */
static json_t *custom_range(const struct board *b)
{
    bool open = !*http_query(&b->x->in, "to", "");
    json_t *from = board_moment(b, b->f.from_ms, VIEW_MINUTE), *to = open ? json_string("now") : board_moment(b, b->f.to_ms, VIEW_MINUTE);
    json_t *text = view_text("%s to %s", json_string_value(from), json_string_value(to));

    json_decref(from);
    json_decref(to);
    return text;
}

/* A link to all records of what is shown. The range has its own names there. */
static json_t *export_href(const struct board *b, const char *format)
{
    struct sb link = sb_make(LINK_MAX);
    json_t *href;

    sb_putf(&link, "/monitoring/export?format=%s&from=", format);
    sb_time(&link, b->f.from_ms);
    if (!b->range) {
        sb_puts(&link, "&to=");
        sb_time(&link, b->f.to_ms);
    }
    for (size_t i = 0; i < FILTERS; i++) {
        const char *value = http_query(&b->x->in, filters[i].name, "");

        if (!*value)
            continue;
        sb_putf(&link, "&%s=", filters[i].name);
        sb_url(&link, value);
    }
    sb_puts(&link, "&tz=");
    sb_url(&link, b->f.zone.name);
    href = json_string(sb_str(&link));
    sb_done(&link);
    return href;
}

json_t *board_context(struct board *b, const char *part, const char *title)
{
    json_t *ctx = pages_context(b->x, title, "dashboard", NULL);
    const struct snapshot *now = engine_snapshot(b->x->web->engine);
    const struct part *p = parts;

    while (strcmp(p->name, part) != 0)
        p++;
    json_object_set_new(ctx, "heading", json_string(title));
    json_object_set_new(ctx, "health", view_health(now));
    snapshot_put(now);
    json_object_set_new(ctx, "tabs", tabs(b, part));
    json_object_set_new(ctx, "zone", json_string(b->f.zone.name));
    json_object_set_new(ctx, "updated", board_moment(b, b->x->arrived_ms, VIEW_SECONDS));
    json_object_set_new(ctx, "admin", json_boolean(b->x->who.role == ROLE_ADMIN));
    json_object_set_new(ctx, "everybody", json_boolean(!b->mine));
    json_object_set_new(ctx, "filtered", json_boolean(p->filtered));
    if (!p->filtered)
        return ctx;
    json_object_set_new(ctx, "ranged", json_boolean(p->ranged));
    if (p->ranged)
        json_object_set_new(ctx, "ranges", range_links(b));
    json_object_set_new(ctx, "usual_zone", json_string(pages_zone(b->x).name));
    put_filters(b, ctx);
    json_object_set_new(ctx, "from", json_string(b->range ? "" : http_query(&b->x->in, "from", "")));
    json_object_set_new(ctx, "to", json_string(b->range ? "" : http_query(&b->x->in, "to", "")));
    json_object_set_new(ctx, "range", json_string(b->range ? b->range->key : ""));
    json_object_set_new(ctx, "custom", p->ranged && !b->range ? custom_range(b) : json_false());
    json_object_set_new(ctx, "export_csv", export_href(b, "csv"));
    json_object_set_new(ctx, "export_json", export_href(b, "json"));
    return ctx;
}

/* --- reports --- */

json_t *board_ask(const struct board *b, board_report *report, const struct report_filter *f)
{
    struct sb text = sb_make(REPORT_MAX);

    return pages_parse(report(b->x->db, f, &text), &text);
}

json_t *board_answer_of(const struct board *b, web_handler *handler)
{
    struct exchange *x = b->x;
    json_t *value = NULL;

    x->in.query_count = 0;                     /* the other's query is not this page's */
    if (handler(x) == WEIR_OK)
        value = json_loadb(sb_str(&x->out.body), x->out.body.len, 0, NULL);
    sb_reset(&x->out.body);
    return value;
}
