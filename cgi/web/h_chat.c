/* h_chat.c - from a checked body to a job in the engine's hands.
 *
 * The acceptor does here all that may take a moment: history from the database,
 * counting tokens, the provider's request. The engine only decides and moves. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "peer/builtin.h"
#include "peer/openai.h"
#include "store/convo.h"
#include "web/ask.h"
#include "web/fcgi.h"
#include "web/route.h"
#include "web/title.h"

enum {
    HISTORY_MAX_BYTES = 2 * 1024 * 1024,
    BODY_MAX_BYTES = 32 * 1024 * 1024,
    DEFAULT_MAX_TOKENS = 4096,       /* where neither the caller nor the price table knows a cap */
};

/* What a chat request comes to. */
struct prompt {
    struct chat_ask ask;
    struct convo_history history;    /* turns of it are borrowed below */
    char model[MODEL_NAME_SIZE];
    uint64_t upstreams;              /* that serve it, by the settings' order */
    const struct upstream_settings *first;
    const struct price *price;
    struct tokens_model tokens;
    struct openai_turn *turns;       /* owned; the texts are borrowed from body and history */
    size_t count;
    const char *user_text;           /* of the last turn */
    int64_t prompt_tokens, context;  /* context 0: unknown */
    int64_t max_tokens;              /* lowered to what model and window leave */
    char *builtin_reply;             /* owned, or NULL */
};

static void prompt_done(struct prompt *p)
{
    convo_history_done(&p->history);
    free(p->turns);
    free(p->builtin_reply);
}

static enum weir_err find_model(struct exchange *x, struct prompt *p)
{
    struct web *w = x->web;
    enum price_match match;
    size_t i = 0;

    if (p->ask.model)
        (void)snprintf(p->model, sizeof p->model, "%s", p->ask.model);
    else
        engine_default_model(w->engine, p->model);
    p->upstreams = engine_upstreams_for(w->engine, p->model);
    if (!p->upstreams && !engine_models_known(w->engine))
        return web_refuse(x, WEIR_E_UNAVAILABLE, NULL, "The providers are being asked for their models; a moment later it is known.");
    if (!p->upstreams)
        return web_refuse(x, WEIR_E_MODEL_NOT_FOUND, "model", "There is no model '%.100s' here; GET /chat/models lists them.",
                          p->model);
    while (!(p->upstreams >> i & 1))
        i++;
    p->first = &w->settings->upstreams[i];
    p->price = price_find(w->prices, price_provider(w->prices, p->first->name, p->first->base_url), p->model, &match);
    if (!p->price && p->first->protocol != PROTOCOL_BUILTIN)
        p->price = w->fallback_price;
    p->tokens = tokens_for(w->tokens, p->model);
    p->context = p->price ? p->price->context : 0;
    return WEIR_OK;
}

static void add_turn(struct prompt *p, const char *role, const char *text)
{
    p->turns[p->count++] = (struct openai_turn){.role = role, .text = text};
}

static enum weir_err gather_turns(struct exchange *x, struct prompt *p)
{
    const struct chat_ask *a = &p->ask;
    size_t own = a->messages ? json_array_size(a->messages) : 1;
    enum weir_err e;

    if (a->session_id) {
        e = convo_history(x->db, x->who.user_id, a->session_id, NULL, a->message ? HISTORY_MAX_BYTES : 0, &p->history);
        if (e)
            return web_refuse(x, e, e == WEIR_E_NOT_FOUND ? "session_id" : NULL,
                              e == WEIR_E_NOT_FOUND ? "There is no session '%.40s' of yours." : "%.0sThe session cannot be read.",
                              a->session_id);
    }
    p->turns = mem_zalloc(p->history.count + own + 1, sizeof *p->turns);
    if (a->system)
        add_turn(p, "system", a->system);
    for (size_t i = 0; a->message && i < p->history.count; i++) {
        const struct convo_turn *t = &p->history.turns[i];

        if (!a->system || strcmp(t->role, "system") != 0)
            add_turn(p, t->role, t->content);
    }
    for (size_t i = 0; i < json_array_size(a->messages); i++) {
        const json_t *m = json_array_get(a->messages, i);

        add_turn(p, json_str(m, "role", ""), json_str(m, "content", ""));
    }
    if (a->message)
        add_turn(p, "user", a->message);
    p->user_text = p->turns[p->count - 1].text;
    return WEIR_OK;
}

static int64_t at_most(int64_t n, int64_t bound)
{
    return bound > 0 && n > bound ? bound : n;
}

static enum weir_err count_and_cap(struct exchange *x, struct prompt *p)
{
    struct tokens_message *m = mem_zalloc(p->count, sizeof *m);
    int64_t model_max = p->price ? p->price->max_out : 0;

    for (size_t i = 0; i < p->count; i++)
        m[i] = (struct tokens_message){.role = p->turns[i].role, .content = p->turns[i].text,
                                       .content_bytes = strlen(p->turns[i].text)};
    p->prompt_tokens = tokens_count_chat(&p->tokens, m, p->count);
    free(m);
    p->max_tokens = p->ask.max_tokens ? p->ask.max_tokens : model_max > 0 ? model_max : DEFAULT_MAX_TOKENS;
    p->max_tokens = at_most(p->max_tokens, model_max);
    if (p->context > 0 && p->prompt_tokens >= p->context)
        return web_refuse(x, WEIR_E_CONTEXT_LENGTH, p->ask.message ? "message" : "messages",
                          "The conversation has %" PRId64 " tokens; %.100s takes %" PRId64
                          " with its answer. Shorten it, begin a new one, or choose a larger model.",
                          p->prompt_tokens, p->model, p->context);
    if (p->context > 0)
        p->max_tokens = at_most(p->max_tokens, p->context - p->prompt_tokens);
    return WEIR_OK;
}

/* Everything that can be refused before something is stored. On failure nothing is left to free. */
static enum weir_err prompt_make(struct exchange *x, struct prompt *p)
{
    struct field_fault fault = {.param = ""};
    enum weir_err e;

    memset(p, 0, sizeof *p);
    e = ask_read(x->json, &p->ask, &fault);
    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (x->in.idempotency_key && strlen(x->in.idempotency_key) > 255)
        return web_refuse(x, WEIR_E_OUT_OF_RANGE, "Idempotency-Key", "The key has at most 255 bytes.");
    if (p->ask.priority > x->who.max_priority)
        return web_refuse(x, WEIR_E_PRIORITY, "priority", "You may not use priority %s; the highest for you is %s.",
                          priority_name(p->ask.priority), priority_name(x->who.max_priority));
    if ((e = find_model(x, p)) || (e = gather_turns(x, p)) || (e = count_and_cap(x, p)))
        prompt_done(p);
    return e;
}

/* --- a job --- */

static uint64_t fnv1a(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return h ? h : 1;
}

/* Copy a text to *at and move it on; NULL stays NULL. */
static const char *pack(char **at, const char *s)
{
    size_t n = s ? strlen(s) + 1 : 0;
    char *to = *at;

    if (!s)
        return NULL;
    memcpy(to, s, n);
    *at += n;
    return to;
}

static size_t packed_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

/* What a crash would charge the call at; the built-in model is free, which is a price. */
static void fill_price(const struct exchange *x, const struct prompt *p, struct call_cost *to)
{
    const struct usage_tokens prompt = {.prompt = p->prompt_tokens};
    struct cost c;

    (void)snprintf(to->price_version, sizeof to->price_version, "%s",
                   p->price && p->price == x->web->fallback_price ? "fallback" : price_table_version(x->web->prices));
    if (p->price && price_cost(p->price, &prompt, PRICE_STANDARD, &c)) {
        to->rate_in = c.rate_in;
        to->rate_out = c.rate_out;
    }
    to->priced = p->price || p->first->protocol == PROTOCOL_BUILTIN;
}

static void fill_record(struct exchange *x, const struct prompt *p, struct job *j)
{
    struct call_record *r = &j->rec;
    struct sb title = sb_make(1024);
    char *metadata = p->ask.metadata ? json_dumps(p->ask.metadata, JSON_COMPACT) : NULL;
    const char *token_id = *x->who.token_id ? x->who.token_id : NULL;
    char *at;

    title_put(&title, p->user_text, TITLE_FROM_MESSAGE_CHARS);
    at = j->strings = mem_zalloc(1, packed_size(x->who.user_id) + packed_size(token_id) + packed_size(x->in.path)
                                        + packed_size(p->model) + packed_size(metadata) + packed_size(sb_str(&title))
                                        + packed_size(p->ask.system) + packed_size(p->user_text));
    (void)snprintf(r->request_id, sizeof r->request_id, "%s", x->request_id);
    r->new_session = !p->ask.session_id;
    if (r->new_session)
        rand_id(r->session_id, "ses");
    else
        (void)snprintf(r->session_id, sizeof r->session_id, "%s", p->ask.session_id);
    rand_id(r->user_message_id, "msg");
    rand_id(r->message_id, "msg");
    (void)snprintf(r->parent_id, sizeof r->parent_id, "%s", p->history.leaf_id);
    r->user_id = pack(&at, x->who.user_id);
    r->token_id = pack(&at, token_id);
    r->api_endpoint = pack(&at, x->in.path);
    r->priority = p->ask.priority;
    r->model = pack(&at, p->model);
    r->metadata_json = pack(&at, metadata);
    if (r->new_session) {
        r->session_title = pack(&at, sb_str(&title));
        r->system_text = pack(&at, p->ask.system);
    }
    r->user_text = pack(&at, p->user_text);
    r->accepted_at_ms = x->arrived_ms;
    r->prompt_tokens_counted = p->prompt_tokens;
    r->max_tokens = p->max_tokens;
    fill_price(x, p, &r->cost);
    r->cost.priced = p->price || p->first->protocol == PROTOCOL_BUILTIN;
    if (p->price) {                        /* what the call is charged should this process die in it */
        r->cost.rate_in = p->price->tier[0].in;
        r->cost.rate_out = p->price->tier[0].out;
    }
    sb_done(&title);
    free(metadata);
}

static void fill_ask(const struct exchange *x, const struct prompt *p, const char *session_id, struct ask *a)
{
    *a = (struct ask){
        .upstreams = p->upstreams,
        .priority = p->ask.priority,
        .user = fnv1a(x->who.user_id),
        .session = session_id ? fnv1a(session_id) : 0,
        .model = fnv1a(p->model),
        .prompt_tokens = p->prompt_tokens,
        .max_tokens = p->max_tokens,
        .arrived_us = x->arrived_us,
        .deadline_us = x->arrived_us + x->web->settings->queue.max_wait_us,
    };
}

/* What the provider is sent, or what the built-in model says. */
static enum weir_err fill_call(struct exchange *x, struct prompt *p, struct job *j)
{
    struct openai_options o = {
        .stream = j->stream_upstream,
        .no_temperature = p->price && p->price->no_temperature,
        .temperature = p->ask.temperature, .top_p = p->ask.top_p, .stop = p->ask.stop,
    };
    struct sb body = sb_make(BODY_MAX_BYTES);

    if (p->first->protocol == PROTOCOL_BUILTIN) {
        struct builtin_turn *turns = mem_zalloc(p->count, sizeof *turns);
        size_t n = 0;

        for (size_t i = 0; i < p->count; i++) {
            if (strcmp(p->turns[i].role, "user") == 0)
                turns[n++] = (struct builtin_turn){.text = p->turns[i].text, .bytes = strlen(p->turns[i].text)};
        }
        j->builtin_reply = builtin_reply(turns, n);
        j->builtin_tokens = tokens_count_for(&p->tokens, j->builtin_reply, strlen(j->builtin_reply));
        free(turns);
        return WEIR_OK;
    }
    openai_request(&body, p->model, p->turns, p->count, &o);
    if (!sb_ok(&body)) {
        sb_done(&body);
        return web_refuse(x, WEIR_E_BODY_TOO_LARGE, NULL, "The conversation has become too large to be sent.");
    }
    j->body_len = body.len;
    j->body = sb_take(&body);
    j->max_completion_tokens = openai_wants_completion_cap(p->model);
    return WEIR_OK;
}

static enum weir_err chat(struct exchange *x, enum job_kind kind)
{
    struct prompt p;
    struct job *j = NULL;
    enum weir_err e = prompt_make(x, &p);

    if (e)
        return e;
    if (atomic_load(&x->web->draining))
        e = web_refuse(x, WEIR_E_DRAINING, NULL, NULL);
    else if (!writer_healthy(x->web->writer))
        e = web_refuse(x, WEIR_E_STORAGE, NULL, NULL);
    if (e)
        goto out;
    j = job_new();
    j->kind = kind;
    j->client.fd = -1;
    j->stream_upstream = kind == JOB_STREAM;
    j->price = p.price;
    j->tokens = p.tokens;
    fill_record(x, &p, j);
    fill_ask(x, &p, j->rec.session_id, &j->ask);
    j->ask.job = j;
    e = fill_call(x, &p, j);
    if (e)
        goto out;
    x->moved = true;                 /* also if the client has just left: nobody is there to be answered */
    if (fcgi_move(x->conn, &j->client)) {
        engine_submit(x->web->engine, j);
        j = NULL;
    }
out:
    if (j)
        job_free(j);
    prompt_done(&p);
    return e;
}

enum weir_err h_chat_complete(struct exchange *x)
{
    return chat(x, JOB_COMPLETE);
}

enum weir_err h_chat_stream(struct exchange *x)
{
    return chat(x, JOB_STREAM);
}

/* --- without sending anything --- */

/* What the budgets say: max_tokens lowered to what the one with least left pays for, and its object into `out`, or null.
 * False: not even one token is paid for. */
static bool estimate_budget(struct exchange *x, struct prompt *p, struct sb *out)
{
    struct budget_call c = {.user = x->who.user_id, .session = p->ask.session_id, .token = x->who.token_id, .model = p->model,
                            .at_ms = x->arrived_ms};
    struct sb members = sb_make(1024);
    int64_t left, output;
    bool fits = true;

    if (p->first->protocol == PROTOCOL_BUILTIN || !engine_budget(x->web->engine, &c, &left, &members)) {
        sb_puts(out, "null");
    } else {
        sb_putf(out, "{%s}", sb_str(&members));
        output = p->price ? budget_output_for(p->price, budget_prompt(p->prompt_tokens, p->tokens.exact), left) : -1;
        fits = output > 0;
        if (fits && output < p->max_tokens)
            p->max_tokens = output;
    }
    sb_done(&members);
    return fits;
}

enum weir_err h_chat_estimate(struct exchange *x)
{
    struct sb *out = &x->out.body;
    struct usage_tokens low;
    struct cost cost;
    struct prompt p;
    struct sb budget = sb_make(2048);
    struct ask ask;
    int64_t wait_us;
    bool fits;
    enum weir_err e = prompt_make(x, &p);

    if (e)
        return e;
    fits = estimate_budget(x, &p, &budget);
    fill_ask(x, &p, p.ask.session_id, &ask);
    wait_us = engine_forecast(x->web->engine, &ask);
    low = (struct usage_tokens){.prompt = p.prompt_tokens};
    sb_putf(out, "{\"model\":");
    sb_json(out, p.model);
    sb_putf(out, ",\"prompt_tokens\":%" PRId64 ",\"max_completion_tokens\":%" PRId64, p.prompt_tokens, p.max_tokens);
    sb_puts(out, ",\"cost_low_usd\":");
    if (p.price && price_cost(p.price, &low, PRICE_STANDARD, &cost)) {
        sb_usd(out, cost.total);
        sb_puts(out, ",\"cost_high_usd\":");
        sb_usd(out, price_worst_case(p.price, p.prompt_tokens, p.max_tokens));
    } else
        sb_puts(out, "null,\"cost_high_usd\":null");
    sb_puts(out, ",\"starts_in_ms\":");
    if (wait_us < 0)
        sb_puts(out, "null");
    else
        sb_i64(out, wait_us / USEC_PER_MS);
    sb_puts(out, ",\"context_window\":");
    if (p.context > 0)
        sb_i64(out, p.context);
    else
        sb_puts(out, "null");
    sb_putf(out, ",\"fits\":%s,\"budget\":%s}\n", fits ? "true" : "false", sb_str(&budget));
    sb_done(&budget);
    prompt_done(&p);
    return WEIR_OK;
}

/* --- ending work --- */

struct cancel {
    const char *request_id, *session_id;
};

static const struct field cancel_fields[] = {
    {"request_id", FIELD_TEXT, offsetof(struct cancel, request_id), 1, RAND_ID_SIZE - 1, false},
    {"session_id", FIELD_TEXT, offsetof(struct cancel, session_id), 1, RAND_ID_SIZE - 1, false},
};

enum weir_err h_chat_cancel(struct exchange *x)
{
    struct cancel which = {NULL, NULL};
    struct field_fault fault = {.param = ""};
    struct sb ids = sb_make(1024 * 1024);
    enum weir_err e = field_read(x->json, cancel_fields, 2, "", &which, &fault);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (!which.request_id == !which.session_id)
        return web_refuse(x, which.request_id ? WEIR_E_INVALID_FIELD : WEIR_E_MISSING_FIELD, "request_id",
                          "Send either 'request_id' or 'session_id'.");
    engine_cancel(x->web->engine, x->who.role == ROLE_ADMIN ? NULL : x->who.user_id, which.request_id, which.session_id, &ids);
    sb_putf(&x->out.body, "{\"cancelled\":%s}\n", ids.len ? sb_str(&ids) : "[]");
    sb_done(&ids);
    return WEIR_OK;
}
