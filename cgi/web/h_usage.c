/* h_usage.c - POST /usage/events: usage made elsewhere, one or up to 1,000 at a time.
 *
 * All of a request is recorded or nothing. Each is counted once by its
 * request_id, priced by the table in force, and goes into the ledger, its
 * roll-ups and what budgets have spent, with upstream "imported". Admins record
 * for anybody; a token with the scope "usage" for its own user. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/convo_name.h"
#include "store/report.h"
#include "store/usage.h"
#include "web/field.h"
#include "web/route.h"

enum { EVENTS_MAX = 1000, NONE = -1 };
#define TOKENS_MAX INT64_C(1000000000)
#define AHEAD_MS INT64_C(300000)              /* clocks differ */

struct wish {
    const char *request_id, *at, *user_id, *session_id, *model, *api_endpoint, *priority, *service_tier;
    const json_t *usage;
};

struct tokens_wish {
    int64_t prompt, completion, total, cached, cache_write, reasoning;
};

static const struct field event_fields[] = {
    {"request_id", FIELD_TEXT, offsetof(struct wish, request_id), 1, CALL_ID_SIZE - 1, true},
    {"at", FIELD_TEXT, offsetof(struct wish, at), 1, 40, true},
    {"user_id", FIELD_TEXT, offsetof(struct wish, user_id), 1, RAND_ID_SIZE - 1, false},
    {"session_id", FIELD_TEXT, offsetof(struct wish, session_id), 1, CALL_ID_SIZE - 1, false},
    {"model", FIELD_TEXT, offsetof(struct wish, model), 1, 200, true},
    {"usage", FIELD_OBJECT, offsetof(struct wish, usage), 0, 16, true},
    {"api_endpoint", FIELD_TEXT, offsetof(struct wish, api_endpoint), 1, 100, false},
    {"priority", FIELD_TEXT, offsetof(struct wish, priority), 1, 16, false},
    {"service_tier", FIELD_TEXT, offsetof(struct wish, service_tier), 1, 16, false},
};

static const struct field usage_fields[] = {
    {"prompt_tokens", FIELD_INT, offsetof(struct tokens_wish, prompt), 0, TOKENS_MAX, true},
    {"completion_tokens", FIELD_INT, offsetof(struct tokens_wish, completion), 0, TOKENS_MAX, true},
    {"total_tokens", FIELD_INT, offsetof(struct tokens_wish, total), 0, 2 * TOKENS_MAX, false},
    {"cached_tokens", FIELD_INT, offsetof(struct tokens_wish, cached), 0, TOKENS_MAX, false},
    {"cache_write_tokens", FIELD_INT, offsetof(struct tokens_wish, cache_write), 0, TOKENS_MAX, false},
    {"reasoning_tokens", FIELD_INT, offsetof(struct tokens_wish, reasoning), 0, TOKENS_MAX, false},
};

struct import {
    struct write_op op;
    struct call_record *rec;
    bool *duplicate;
    size_t n, failed;                         /* failed: which, if the result is not OK */
    struct audit_entry entry;
};

static enum weir_err refuse(struct exchange *x, const char *prefix, const char *name, const char *why)
{
    char param[WEB_PARAM_MAX];

    (void)snprintf(param, sizeof param, "%s%s", prefix, name);
    return web_refuse(x, WEIR_E_INVALID_FIELD, param, "%s", why);
}

/* Ids stand in paths later on. */
static bool is_id(const char *s)
{
    return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] == '\0';
}

/* --- price --- */

static const struct price *price_of(const struct web *w, const struct settings *s, const char *model)
{
    static const char *const makers[] = {"openai", "anthropic"};
    const struct price_table *t = w->prices;
    const struct price *p = NULL;
    enum price_match match;

    for (size_t i = 0; !p && i < s->n_upstreams; i++)
        p = price_find(t, price_provider(t, s->upstreams[i].name, s->upstreams[i].base_url), model, &match);
    for (size_t i = 0; !p && i < sizeof makers / sizeof *makers; i++)
        p = price_find(t, makers[i], model, &match);
    return p ? p : w->fallback_price;
}

static enum weir_err put_cost(struct exchange *x, const char *prefix, enum price_service service, struct call_record *r)
{
    const struct price *p = price_for(price_of(x->web, x->web->settings, r->model), service);
    struct cost c;

    if (!p)
        return WEIR_OK;
    if (!price_cost(p, &r->usage, &c))
        return refuse(x, prefix, "usage", "So many tokens cannot be priced.");
    r->cost = (struct call_cost){.priced = true, .input = c.input, .output = c.output, .total = c.total, .rate_in = c.rate_in, .rate_out = c.rate_out};
    (void)snprintf(r->cost.price_version, sizeof r->cost.price_version, "%s", p->version);
    return WEIR_OK;
}

/* --- one event --- */

static enum weir_err read_usage(struct exchange *x, const char *prefix, const struct wish *w, struct usage_tokens *u)
{
    struct tokens_wish t = {.total = NONE};
    struct field_fault fault = {.param = ""};
    char inner[40];
    enum weir_err e;

    (void)snprintf(inner, sizeof inner, "%susage.", prefix);
    e = field_read(w->usage, usage_fields, sizeof usage_fields / sizeof *usage_fields, inner, &t, &fault);
    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (t.total != NONE && t.total != t.prompt + t.completion)
        return refuse(x, inner, "total_tokens", "'total_tokens' must be the sum of 'prompt_tokens' and 'completion_tokens'.");
    if (t.cached + t.cache_write > t.prompt)
        return refuse(x, inner, t.cached > t.prompt ? "cached_tokens" : "cache_write_tokens", "'cached_tokens' and 'cache_write_tokens' are parts of 'prompt_tokens' and cannot be more.");
    if (t.reasoning > t.completion)
        return refuse(x, inner, "reasoning_tokens", "'reasoning_tokens' is a part of 'completion_tokens' and cannot be more.");
    *u = (struct usage_tokens){.prompt = t.prompt, .cached = t.cached, .cache_write = t.cache_write, .completion = t.completion, .reasoning = t.reasoning};
    return WEIR_OK;
}

static enum weir_err read_event(struct exchange *x, const json_t *obj, const char *prefix, struct call_record *r)
{
    struct wish w = {.user_id = x->who.user_id, .api_endpoint = "/usage/events", .service_tier = "standard"};
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(obj, event_fields, sizeof event_fields / sizeof *event_fields, prefix, &w, &fault);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (!is_id(w.request_id) || (w.session_id && !is_id(w.session_id)))
        return refuse(x, prefix, is_id(w.request_id) ? "session_id" : "request_id", "Ids are of A-Z, a-z, 0-9, _ and -.");
    if (x->who.role != ROLE_ADMIN && strcmp(w.user_id, x->who.user_id) != 0)
        return refuse(x, prefix, "user_id", "This token records usage of its own user only.");
    if (w.priority && !priority_parse(w.priority, &r->priority))
        return refuse(x, prefix, "priority", "'priority' must be \"Low\", \"Medium\" or \"High\".");
    if (price_service_of(w.service_tier, strlen(w.service_tier)) == PRICE_STANDARD && strcmp(w.service_tier, "standard") != 0 && strcmp(w.service_tier, "default") != 0)
        return refuse(x, prefix, "service_tier", "'service_tier' must be \"standard\", \"batch\", \"flex\" or \"priority\".");
    if (*w.at < '0' || *w.at > '9' || !report_time_parse(w.at, x->arrived_ms, &r->accepted_at_ms) || r->accepted_at_ms <= 0 || r->accepted_at_ms > x->arrived_ms + AHEAD_MS)
        return refuse(x, prefix, "at", "'at' must be a time that has passed, as 2026-11-22T06:20:00Z.");
    (void)snprintf(r->request_id, sizeof r->request_id, "%s", w.request_id);
    if (w.session_id && (e = convo_named(x->db, w.user_id, w.session_id, r->session_id)))
        return e;
    r->session_may_be_new = w.session_id && strcmp(r->session_id, w.session_id) != 0;
    r->session_title = w.session_id;
    r->user_id = w.user_id;
    r->model = w.model;
    r->api_endpoint = w.api_endpoint;
    r->ended_at_ms = r->accepted_at_ms;
    e = read_usage(x, prefix, &w, &r->usage);
    return e ? e : put_cost(x, prefix, price_service_of(w.service_tier, strlen(w.service_tier)), r);
}

/* --- all of them --- */

static enum weir_err run_import(struct db *db, struct write_op *op)
{
    struct import *im = (struct import *)op;
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < im->n; i++) {
        im->failed = i;
        e = usage_import(db, &im->rec[i], &im->duplicate[i]);
    }
    return e ? e : audit_add(db, &im->entry);
}

static void answer(struct exchange *x, const struct import *im)
{
    struct sb *out = &x->out.body;
    size_t duplicates = 0;

    for (size_t i = 0; i < im->n; i++)
        duplicates += im->duplicate[i];
    sb_putf(out, "{\"accepted\":%zu,\"duplicates\":%zu,\"items\":[", im->n - duplicates, duplicates);
    for (size_t i = 0; i < im->n; i++) {
        sb_puts(out, i ? ",{\"request_id\":" : "{\"request_id\":");
        sb_json(out, im->rec[i].request_id);
        sb_putf(out, ",\"status\":\"%s\"}", im->duplicate[i] ? "duplicate" : "accepted");
    }
    sb_puts(out, "]}\n");
}

static enum weir_err import(struct exchange *x, const json_t *list, struct import *im)
{
    char prefix[32] = "", detail[60];
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < im->n; i++) {
        if (list)
            (void)snprintf(prefix, sizeof prefix, "events[%zu].", i);
        im->rec[i].priority = PRIORITY_MEDIUM;
        e = read_event(x, list ? json_array_get(list, i) : x->json, prefix, &im->rec[i]);
    }
    if (e)
        return e;
    (void)snprintf(detail, sizeof detail, "{\"events\":%zu}", im->n);
    im->entry.detail = detail;
    e = writer_call(x->web->writer, &im->op);
    if (list)
        (void)snprintf(prefix, sizeof prefix, "events[%zu].", im->failed);
    if (e == WEIR_E_NOT_FOUND)
        return refuse(x, prefix, "user_id", "There is no such user; nothing was recorded.");
    if (e == WEIR_E_FORBIDDEN)
        return refuse(x, prefix, "session_id", "This user has no such session; nothing was recorded.");
    if (!e && engine_reload_budgets(x->web->engine))
        e = web_refuse(x, WEIR_E_STORAGE, NULL, "The usage is recorded, but budgets could not be told; they will be at the next change or start.");
    if (!e)
        answer(x, im);
    return e;
}

enum weir_err h_usage_events(struct exchange *x)
{
    const json_t *list = json_object_get(x->json, "events");
    struct import im = {.op.run = run_import, .n = list ? json_array_size(list) : 1,
                        .entry = {.at_ms = x->arrived_ms, .actor = x->who.user_id, .action = "usage.import", .object = x->request_id, .request_id = x->request_id}};
    enum weir_err e;

    if (x->who.role != ROLE_ADMIN && !*x->who.scopes)
        return web_refuse(x, WEIR_E_FORBIDDEN, NULL, "Only an administrator, or a token with the scope \"usage\", may record usage.");
    if (list && (json_object_size(x->json) > 1 || !json_is_array(list) || im.n < 1 || im.n > EVENTS_MAX))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "events", "'events' must be a list of 1 to %d events, and nothing else beside it.", EVENTS_MAX);
    im.rec = mem_zalloc(im.n, sizeof *im.rec);
    im.duplicate = mem_zalloc(im.n, sizeof *im.duplicate);
    e = import(x, list, &im);
    free(im.rec);
    free(im.duplicate);
    return e;
}
