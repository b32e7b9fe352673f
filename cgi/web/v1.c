/* v1.c - see v1.h. */
#include "web/v1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/convo_name.h"
#include "web/ask.h"
#include "web/filter.h"
#include "web/once.h"

enum { SESSION_NAME_MAX = CALL_ID_SIZE - 1 };

/* --- members --- */

enum weir_err v1_flag(struct exchange *x, const char *name, bool *out)
{
    const json_t *v = json_object_get(x->json, name);

    *out = json_is_true(v);
    if (!v || json_is_null(v) || json_is_boolean(v))
        return WEIR_OK;
    return web_refuse(x, WEIR_E_INVALID_FIELD, name, "'%s' must be true or false.", name);
}

enum weir_err v1_count(struct exchange *x, const char *name, int64_t max, int64_t *out)
{
    const json_t *v = json_object_get(x->json, name);

    if (!v || json_is_null(v))
        return WEIR_OK;
    if (!json_is_integer(v))
        return web_refuse(x, WEIR_E_INVALID_FIELD, name, "'%s' must be a whole number.", name);
    if (json_integer_value(v) < 1)
        return web_refuse(x, WEIR_E_OUT_OF_RANGE, name, "'%s' must be at least 1.", name);
    *out = json_integer_value(v) < max ? json_integer_value(v) : max;
    return WEIR_OK;
}

/* --- headers --- */

static enum weir_err read_priority(struct exchange *x, struct v1 *v)
{
    v->launch.priority = x->who.max_priority < PRIORITY_MEDIUM ? x->who.max_priority : PRIORITY_MEDIUM;
    if (!x->in.weir_priority)
        return WEIR_OK;
    if (!priority_parse(x->in.weir_priority, &v->launch.priority))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "X-Weir-Priority", "X-Weir-Priority must be Low, Medium or High.");
    if (v->launch.priority > x->who.max_priority)
        return web_refuse(x, WEIR_E_PRIORITY, "X-Weir-Priority", "You may not use priority %s; the highest for you is %s.",
                          priority_name(v->launch.priority), priority_name(x->who.max_priority));
    return WEIR_OK;
}

/* Only words are kept: else it says nothing. */
static enum weir_err read_cache(struct exchange *x, struct v1 *v)
{
    const char *said = x->in.weir_cache;
    bool on = said && strcmp(said, "on") == 0;

    if (said && !on && strcmp(said, "off") != 0)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "X-Weir-Cache", "X-Weir-Cache must be on or off.");
    if ((v->wire == WIRE_CHAT && !json_is_true(json_object_get(x->json, "logprobs"))) || v->wire == WIRE_MESSAGES)
        v->launch.cache = said ? on : -1;
    return WEIR_OK;
}

static enum weir_err read_metadata(struct exchange *x, struct v1 *v)
{
    const char *text = x->in.weir_metadata;
    struct field_fault fault = {.param = ""};
    char why[160];
    enum weir_err e;

    if (!text)
        return WEIR_OK;
    e = json_parse_object(text, strlen(text), &json_limits_own, &v->metadata, why);
    if (e)
        return web_refuse(x, e, "X-Weir-Metadata", "X-Weir-Metadata: %s", why);
    if (json_object_size(v->metadata) > ASK_METADATA_MAX)
        return web_refuse(x, WEIR_E_OUT_OF_RANGE, "X-Weir-Metadata", "X-Weir-Metadata has at most %d members.", ASK_METADATA_MAX);
    e = ask_check_metadata(v->metadata, &fault);
    if (e)
        return web_refuse(x, e, "X-Weir-Metadata", "%s", fault.why);
    v->launch.metadata = v->metadata;
    return WEIR_OK;
}

static enum weir_err read_session(struct exchange *x, struct v1 *v)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *name = x->in.weir_session;
    enum weir_err e;

    v->launch.alone = v->launch.may_be_new = true;
    v->launch.parent_id = "";
    if (!name)
        return WEIR_OK;
    if (strlen(name) > SESSION_NAME_MAX || strspn(name, allowed) != strlen(name))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "X-Weir-Session", "X-Weir-Session has at most %d of A-Z a-z 0-9 _ and -.", SESSION_NAME_MAX);
    writer_catch_up(x->web->writer);
    e = convo_named(x->db, x->who.user_id, name, x->session_id);
    if (!e)
        e = convo_history(x->db, x->who.user_id, x->session_id, NULL, 0, &v->history);
    if (e && e != WEIR_E_NOT_FOUND)
        return web_refuse(x, e, "X-Weir-Session", "The session cannot be read.");
    if (e && strcmp(x->session_id, name) == 0)       /* an id, not a name */
        return web_refuse(x, e, "X-Weir-Session", "There is no session '%.64s' of yours.", name);
    v->launch.session_id = x->session_id;
    v->launch.session_name = name;
    v->launch.parent_id = e ? "" : v->history.leaf_id;
    return launch_read_session(x, &v->launch);
}

/* --- the model --- */

/* Does this upstream take such a request, as it is or translated? */
static bool takes(const struct upstream_settings *u, enum wire w)
{
    if (u->protocol == PROTOCOL_BUILTIN)
        return w == WIRE_CHAT || w == WIRE_MESSAGES;
    return wire_at(u->protocol, w) != WIRE_OWN && (w != WIRE_RESPONSES || settings_has_responses(u));
}

bool v1_narrow(struct v1 *v, uint64_t upstreams)
{
    size_t left = 0;

    for (size_t i = 0; i < v->candidates.n; i++) {
        struct candidate_model c = v->candidates.of[i];

        c.upstreams &= upstreams;
        if (c.upstreams)
            v->candidates.of[left++] = c;
    }
    v->candidates.n = left;
    return left > 0;
}

static bool take_any(const struct v1 *v, uint64_t upstreams)
{
    for (size_t i = 0; i < v->candidates.n; i++)
        if (v->candidates.of[i].upstreams & upstreams)
            return true;
    return false;
}

/* Leave those upstreams that take it. */
static enum weir_err narrow(struct exchange *x, struct v1 *v)
{
    const struct settings *s = x->web->settings;
    uint64_t take = 0;

    for (size_t i = 0; i < s->n_upstreams; i++)
        take |= (uint64_t)takes(&s->upstreams[i], v->wire) << i;
    if (!take_any(v, take) && v->wire == WIRE_COUNT_TOKENS)
        return WEIR_OK;                              /* then it is counted here */
    if (v1_narrow(v, take))
        return WEIR_OK;
    return web_refuse(x, WEIR_E_MODEL_NOT_FOUND, "model", "No provider of the model '%.100s' here takes requests of %s.", v->model, x->in.path);
}

static enum weir_err read_model(struct exchange *x, struct v1 *v)
{
    const json_t *m = json_object_get(x->json, "model");
    const char *member = v->wire == WIRE_MESSAGES ? "speed" : "service_tier", *service = json_str(x->json, member, "");
    bool first = price_service_of(service, strlen(service)) == PRICE_PRIORITY;
    enum weir_err e;

    if (!m || json_is_null(m))
        return web_refuse(x, WEIR_E_MISSING_FIELD, "model", "'model' is missing; GET /v1/models lists the models there are.");
    if (!json_is_string(m) || json_string_length(m) == 0)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "model", "'model' must be the name of a model.");
    if (json_string_length(m) >= sizeof v->model)
        return web_refuse(x, WEIR_E_MODEL_NOT_FOUND, "model", "There is no model '%.100s' here; GET /v1/models lists them.", json_string_value(m));
    if (first && x->who.max_priority < PRIORITY_HIGH)
        return web_refuse(x, WEIR_E_PRIORITY, member, "'%s': \"%.16s\" is for who may use priority High; the highest for you is %s.", member, service,
                          priority_name(x->who.max_priority));
    (void)snprintf(v->model, sizeof v->model, "%s", json_string_value(m));
    e = candidates_find(x, v->model, &v->candidates);
    if (!e && first)
        for (size_t i = 0; i < v->candidates.n; i++)
            v->candidates.of[i].price = price_for(v->candidates.of[i].price, PRICE_PRIORITY);      /* what is set aside is enough */
    return e ? e : narrow(x, v);
}

/* --- texts --- */

/* What the filters change is changed in x->json, and the text made anew from that. */
static enum weir_err filter_body(struct exchange *x, struct v1 *v, const char *text_param)
{
    struct filters *f;
    enum weir_err e = filters_of(x, &f);

    if (e || !f)
        return e;
    e = filters_json(x, f, text_param, x->json);
    if (e)
        return e;
    v->rewritten = json_dumps(x->json, JSON_COMPACT);
    if (!v->rewritten)
        return web_refuse(x, WEIR_E_OVERLOADED, NULL, NULL);
    v->body = v->rewritten;
    v->body_len = strlen(v->rewritten);
    return WEIR_OK;
}

enum weir_err v1_begin(struct exchange *x, enum wire w, const char *text_param, struct v1 *v)
{
    bool stream = false;
    enum weir_err e;

    memset(v, 0, sizeof *v);
    v->wire = v->launch.wire = w;
    v->choices = 1;
    v->body = sb_str(&x->body);
    v->body_len = x->body.len;
    if ((e = read_model(x, v)) || (e = v1_flag(x, "stream", &stream)) || (e = read_priority(x, v)) || (e = read_cache(x, v)) || (e = read_metadata(x, v)) ||
        (e = read_session(x, v)) || (e = filter_body(x, v, text_param)))
        return e;
    v->launch.kind = stream ? JOB_STREAM : JOB_COMPLETE;
    v->launch.asked = v->model;
    v->launch.candidates = &v->candidates;
    return WEIR_OK;
}

void v1_done(struct v1 *v)
{
    for (size_t i = 0; i < v->turn_count; i++)
        free((char *)(uintptr_t)v->turns[i].text);
    free(v->turns);
    free(v->rewritten);
    json_decref(v->translated);
    json_decref(v->metadata);
    convo_history_done(&v->history);
}

void v1_keep_texts(struct v1 *v)
{
    const struct openai_turn *last = v->turn_count ? &v->turns[v->turn_count - 1] : NULL;

    if (!v->launch.session_id || !last)
        return;
    if (strcmp(last->role, "user") == 0)
        v->launch.user_text = last->text;
    if (strcmp(v->turns[0].role, "system") == 0 || strcmp(v->turns[0].role, "developer") == 0)
        v->launch.system = v->turns[0].text;
}

/* A content's text: a string, or the texts of its parts. Owned. */
static char *text_of(const json_t *content)
{
    enum { TEXT_MAX = 64 * 1024 * 1024 };
    struct sb out = sb_make(TEXT_MAX);

    if (json_is_string(content))
        return mem_strdup(json_string_value(content));
    for (size_t i = 0; i < json_array_size(content); i++) {
        const char *part = json_str(json_array_get(content, i), "text", NULL);

        if (part && out.len)
            sb_puts(&out, "\n");
        sb_puts(&out, part);
    }
    return out.len ? sb_take(&out) : mem_strdup("");
}

void v1_gather_turns(const struct exchange *x, struct v1 *v)
{
    const json_t *messages = json_object_get(x->json, "messages");
    const json_t *system = v->wire == WIRE_MESSAGES ? json_object_get(x->json, "system") : NULL;
    bool needed = v->launch.session_id != NULL;

    for (size_t i = 0; i < v->candidates.n; i++)
        needed = needed || v->candidates.of[i].builtin;
    if (!needed)
        return;
    v->turns = mem_zalloc(json_array_size(messages) + 1, sizeof *v->turns);
    if (system)
        v->turns[v->turn_count++] = (struct openai_turn){"system", text_of(system)};
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *m = json_array_get(messages, i);

        v->turns[v->turn_count++] = (struct openai_turn){json_str(m, "role", ""), text_of(json_object_get(m, "content"))};
    }
    v1_keep_texts(v);
}

enum weir_err v1_check_messages(struct exchange *x)
{
    const json_t *messages = json_object_get(x->json, "messages");

    if (!messages)
        return web_refuse(x, WEIR_E_MISSING_FIELD, "messages", "'messages' is missing.");
    if (!json_is_array(messages) || json_array_size(messages) == 0)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "messages", "'messages' must be a list of at least one message.");
    for (size_t i = 0; i < json_array_size(messages); i++)
        if (!json_is_object(json_array_get(messages, i)))
            return web_refuse(x, WEIR_E_INVALID_FIELD, "messages", "Each of 'messages' must be an object.");
    return WEIR_OK;
}

/* --- the job --- */

enum weir_err v1_fit(struct exchange *x, struct v1 *v, candidate_count_fn *count, const char *text_param)
{
    enum weir_err e = v1_translate(x, v);

    if (e)
        return e;
    candidates_count_by(&v->candidates, count, x->json);
    candidates_fit(&v->candidates, v->max_tokens, x->web->settings->tokens.request_output_max);
    e = launch_check(x, &v->candidates, text_param);
    for (size_t i = 0; i < v->candidates.n; i++)
        v->candidates.of[i].max_tokens *= v->choices;
    return e;
}

struct job *v1_job(struct exchange *x, struct v1 *v)
{
    struct job *j = launch_job(x, &v->launch);

    j->choices = v->choices;
    j->no_answer = v->no_answer;
    j->uncapped = !v->max_tokens && x->web->settings->tokens.request_output_max == 0;
    launch_builtin(j, &v->candidates, v->turns, v->turn_count);
    for (size_t i = 0; j->candidates && i < v->candidates.n; i++) {
        struct sb tail = sb_make(1024);

        if (v->candidates.of[i].builtin)
            continue;
        sb_puts(&tail, ",\"model\":");
        sb_json(&tail, v->candidates.of[i].model);
        j->candidates[i].tail = sb_take(&tail);
    }
    return j;
}

enum weir_err v1_serve(struct exchange *x, enum weir_err (*make)(struct exchange *, struct v1 *))
{
    struct v1 v;
    bool answered;
    enum weir_err e = once_check(x, NULL, &answered);

    if (e || answered)
        return e;
    e = make(x, &v);
    v1_done(&v);
    return e;
}
