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
#include "peer/anthropic.h"
#include "store/convo.h"
#include "web/ask.h"
#include "web/filter.h"
#include "web/launch.h"
#include "web/once.h"
#include "web/route.h"
#include "web/session.h"

enum {
    HISTORY_MAX_BYTES = 2 * 1024 * 1024,
    BODY_MAX_BYTES = 32 * 1024 * 1024,
};

/* What a chat request comes to. */
struct prompt {
    struct chat_ask ask;
    struct convo_history history;    /* turns of it are borrowed below */
    char model[MODEL_NAME_SIZE];     /* asked for */
    struct candidate_list candidates;
    struct openai_turn *turns;       /* owned; the texts are borrowed from body and history */
    size_t count;
    size_t omitted;                  /* of the session's messages, the oldest */
    const char *user_text;           /* of the last turn */
    char **redacted;                 /* owned: texts as the provider may see them */
    size_t redacted_count;
    struct launch launch;
};

static void prompt_done(struct prompt *p)
{
    convo_history_done(&p->history);
    for (size_t i = 0; i < p->redacted_count; i++)
        free(p->redacted[i]);
    free(p->redacted);
    free(p->turns);
}

static enum weir_err find_model(struct exchange *x, struct prompt *p)
{
    if (p->ask.model)
        (void)snprintf(p->model, sizeof p->model, "%s", p->ask.model);
    else
        candidates_default(x, p->model);
    return candidates_find(x, p->model, &p->candidates);
}

static void add_turn(struct prompt *p, const char *role, const char *text)
{
    p->turns[p->count++] = (struct openai_turn){.role = role, .text = text};
}

/* Is another answer asked for, to a question that is there? */
static bool again(const struct chat_ask *a)
{
    return !a->message && !a->messages;
}

static enum weir_err gather_turns(struct exchange *x, struct prompt *p)
{
    const struct chat_ask *a = &p->ask;
    size_t own = a->messages ? json_array_size(a->messages) : 1;
    enum weir_err e;

    if (a->session_id) {
        writer_catch_up(x->web->writer);
        e = convo_history(x->db, x->who.user_id, a->session_id, a->parent_id, a->messages ? 0 : HISTORY_MAX_BYTES, &p->history);
        if (e == WEIR_E_NOT_FOUND && a->parent_id && convo_owned(x->db, x->who.user_id, a->session_id))
            return web_refuse(x, e, "parent_id", "There is no message '%.40s' in this session.", a->parent_id);
        if (e)
            return web_refuse(x, e, e == WEIR_E_NOT_FOUND ? "session_id" : NULL,
                              e == WEIR_E_NOT_FOUND ? "There is no session '%.40s' of yours." : "%.0sThe session cannot be read.",
                              json_str(x->json, "session_id", ""));
        if (again(a) && (!p->history.count || strcmp(p->history.turns[p->history.count - 1].role, "user") != 0))
            return web_refuse(x, WEIR_E_INVALID_FIELD, "parent_id", "Another answer is given to a message of yours whose text is kept; "
                              "'%.40s' is none.", a->parent_id);
    }
    p->turns = mem_zalloc(p->history.count + own + 1, sizeof *p->turns);
    if (a->system)
        add_turn(p, "system", a->system);
    for (size_t i = 0; !a->messages && i < p->history.count; i++) {
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

/* What was kept of a session was let through once, but rules change. What the session keeps stays as it was written. */
static enum weir_err filter_turns(struct exchange *x, struct prompt *p)
{
    const char *param = p->ask.messages ? "messages" : "message";
    struct filters *f;
    enum weir_err e = filters_of(x, &f);

    if (e || !f)
        return e;
    p->redacted = mem_zalloc(p->count, sizeof *p->redacted);
    for (size_t i = 0; !e && i < p->count; i++) {
        bool own = !p->ask.messages && strcmp(p->turns[i].role, "assistant") == 0;
        char *text;

        e = filters_text(x, f, param, p->turns[i].text, own, &text);
        if (text)
            p->turns[i].text = p->redacted[p->redacted_count++] = text;
    }
    return e ? e : filters_json(x, f, "stop", (json_t *)(uintptr_t)p->ask.stop);
}

/* Count it; what a session has outgrown its model's window by is left out. */
static void fit_turns(const struct exchange *x, struct prompt *p)
{
    size_t first = strcmp(p->turns[0].role, "system") == 0, out;

    candidates_count(&p->candidates, p->turns, p->count);
    out = !p->ask.messages ? candidates_omit(&p->candidates, p->turns, p->count, first, p->ask.max_tokens) : 0;
    if (out > 0) {
        p->count -= out;
        memmove(p->turns + first, p->turns + first + out, (p->count - first) * sizeof *p->turns);
        candidates_count(&p->candidates, p->turns, p->count);
    }
    if (!p->ask.messages)
        p->omitted = p->history.messages + (again(&p->ask) ? 0 : 1) - (p->count - first);
    candidates_fit(&p->candidates, p->ask.max_tokens, x->web->settings->tokens.request_output_max);
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
    if (p->ask.priority > x->who.max_priority)
        return web_refuse(x, WEIR_E_PRIORITY, "priority", "You may not use priority %s; the highest for you is %s.",
                          priority_name(p->ask.priority), priority_name(x->who.max_priority));
    if ((e = session_find(x, x->who.user_id, &p->ask.session_id)))
        return e;
    p->launch.session_id = p->ask.session_id;
    if ((e = find_model(x, p)) || (e = gather_turns(x, p)) || (e = filter_turns(x, p)) || (e = launch_read_session(x, &p->launch))) {
        prompt_done(p);
        return e;
    }
    fit_turns(x, p);
    p->launch.asked = p->model;
    p->launch.candidates = &p->candidates;
    p->launch.priority = p->ask.priority;
    p->launch.cache = again(&p->ask) ? 0 : p->ask.cache;
    p->launch.parent_id = p->history.leaf_id;
    p->launch.system = p->ask.system;
    p->launch.user_text = again(&p->ask) ? NULL : p->user_text;
    p->launch.omitted = (int64_t)p->omitted;
    p->launch.metadata = p->ask.metadata;
    return WEIR_OK;
}

/* --- a job --- */

static struct openai_options options_of(const struct prompt *p, const struct candidate_model *c, bool stream)
{
    return (struct openai_options){
        .stream = stream,
        .no_temperature = c->price && c->price->no_temperature,
        .temperature = p->ask.temperature, .top_p = p->ask.top_p, .stop = p->ask.stop,
    };
}

/* What a provider is sent, and what the built-in model says. */
static enum weir_err fill_call(struct exchange *x, struct prompt *p, struct job *j)
{
    static void (*const write[JOB_PROTOCOLS])(struct sb *, const char *, const struct openai_turn *, size_t, const struct openai_options *) = {
        [PROTOCOL_OPENAI] = openai_request, [PROTOCOL_ANTHROPIC] = anthropic_request,
    };
    const struct candidate_list *l = &p->candidates;
    struct openai_options o = options_of(p, &l->of[0], j->stream_upstream);
    bool tails = true, starved = false, fits = true;

    launch_builtin(j, l, p->turns, p->count);
    for (size_t i = 0; j->candidates && i < l->n; i++) {
        struct openai_options own = options_of(p, &l->of[i], j->stream_upstream);
        struct sb tail = sb_make(BODY_MAX_BYTES);

        if (l->of[i].builtin)
            continue;
        openai_request_model(&tail, l->of[i].model, &own);
        tails = tails && sb_ok(&tail);
        j->candidates[i].tail = sb_take(&tail);
    }
    for (int k = 0; k < JOB_PROTOCOLS; k++) {
        struct sb body = sb_make(BODY_MAX_BYTES);

        if (!candidates_speak(x, l, (enum protocol)k))
            continue;
        write[k](&body, l->n > 1 ? NULL : l->of[0].model, p->turns, p->count, &o);
        fits = fits && sb_ok(&body);
        starved = starved || body.starved;
        j->body[k].len = body.len;
        j->body[k].text = sb_take(&body);
        sb_done(&body);
    }
    if (starved || !tails)
        return web_refuse(x, WEIR_E_OVERLOADED, NULL, NULL);
    return fits ? WEIR_OK : web_refuse(x, WEIR_E_BODY_TOO_LARGE, NULL, "The conversation has become too large to be sent.");
}

static enum weir_err chat(struct exchange *x, enum job_kind kind)
{
    struct prompt p;
    struct job *j;
    bool answered;
    enum weir_err e = once_check(x, json_str(x->json, "idempotency_key", NULL), &answered);

    if (e || answered)
        return e;
    e = prompt_make(x, &p);
    if (e)
        return e;
    p.launch.kind = kind;
    e = launch_check(x, &p.candidates, p.ask.messages ? "messages" : "message");
    if (!e) {
        j = launch_job(x, &p.launch);
        j->keep = j->keep || (kind == JOB_STREAM && p.ask.keep);
        e = fill_call(x, &p, j);
        if (!e)
            launch_go(x, j);
        else
            job_free(j);
    }
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

/* What the budgets say about one candidate: its max_tokens lowered to what the one with least left pays for, and its
 * object into `out`, or null. False: not even one token is paid for. */
static bool estimate_budget(struct exchange *x, const struct prompt *p, struct candidate_model *m, struct sb *out)
{
    struct budget_call c = {.user = x->who.user_id, .session = p->ask.session_id, .token = account_token_of(&x->who), .model = m->model,
                            .at_ms = x->arrived_ms};
    struct sb members = sb_make(1024);
    int64_t left, output;
    bool fits = true;

    sb_reset(out);
    if (m->builtin || !engine_budget(x->web->engine, &c, launch_hides_sums(x), &left, &members)) {
        sb_puts(out, "null");
    } else {
        sb_putf(out, "{%s}", sb_str(&members));
        output = m->price ? budget_output_for(m->price, budget_prompt(m->prompt_tokens, m->tokens.exact), left) : -1;
        fits = output > 0;
        if (fits && output < m->max_tokens)
            m->max_tokens = output;
    }
    sb_done(&members);
    return fits;
}

/* From a short answer of the cheapest, as nine of ten are no shorter, to the longest of the dearest, of all that may serve
 * it; false: of one nobody knows, or none fits. */
static bool estimate_cost(const struct prompt *p, const struct admit_prospect *prospect, int64_t *low, int64_t *high)
{
    *low = INT64_MAX;
    *high = 0;
    for (size_t i = 0; i < p->candidates.n; i++) {
        const struct candidate_model *m = &p->candidates.of[i];
        const struct usage_tokens shortest = {.prompt = m->prompt_tokens, .completion = prospect->least_output[i]};
        int64_t worst = m->price ? price_worst_case(m->price, m->prompt_tokens, m->max_tokens) : 0;
        struct cost cost = {0};

        if (m->max_tokens == 0 || !(m->price || m->builtin) ||
            (m->price && !price_cost(m->price, &shortest, &cost)))
            return false;
        *low = cost.total < *low ? cost.total : *low;
        *high = worst > *high ? worst : *high;
    }
    return true;
}

/* The one whose worst case is least: what is said of a choice of several. */
static struct candidate_model *estimate_of(struct prompt *p)
{
    struct candidate_model *best = &p->candidates.of[0];
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < p->candidates.n && p->candidates.of[i].stage == p->candidates.of[0].stage; i++) {
        struct candidate_model *m = &p->candidates.of[i];
        int64_t worst = m->builtin ? 0 : m->price ? price_worst_case(m->price, m->prompt_tokens, m->max_tokens) : INT64_MAX;

        if (worst < least) {
            best = m;
            least = worst;
        }
    }
    return best;
}

/* {"code","message","retry_after_ms"} of the first reason why it would be refused, or null. False: there is one. */
static bool estimate_why(struct exchange *x, const struct prompt *p, const struct ask *ask, enum weir_err too_large, bool paid,
                         struct sb *out)
{
    struct allowance_refusal no = {NULL, -1};
    enum weir_err e = WEIR_OK;
    struct sb text = sb_make(1024);

    launch_say_too_long(x, &p->candidates, &text);
    if (too_large) {
        e = too_large;
        sb_reset(&text);
        sb_puts(&text, err_text(e));
    } else if (text.len) {
        e = WEIR_E_OUT_OF_RANGE;
    } else if (!engine_session_may(x->web->engine, ask, &p->launch.session, &no)) {
        e = WEIR_E_SESSION_COOLING;
        sb_puts(&text, no.message);
    } else if (!paid) {
        e = WEIR_E_BUDGET;
        sb_puts(&text, err_text(e));
    }
    free(no.message);
    if (e) {
        sb_putf(out, "{\"code\":\"%s\",\"message\":", err_code(e));
        sb_json(out, sb_str(&text));
        sb_puts(out, ",\"retry_after_ms\":");
        if (no.retry_after_ms >= 0)
            sb_i64(out, no.retry_after_ms);
        else
            sb_puts(out, "null");
        sb_putc(out, '}');
    } else {
        sb_puts(out, "null");
    }
    sb_done(&text);
    return e == WEIR_OK;
}

enum weir_err h_chat_estimate(struct exchange *x)
{
    struct admit_prospect prospect = {.wait_us = -1};
    struct sb *out = &x->out.body;
    struct prompt p;
    struct sb budget = sb_make(2048), why = sb_make(2048);
    struct ask_candidate *candidates = NULL;
    struct candidate_model *m;
    struct ask ask;
    int64_t low, high;
    bool fits, paid;
    enum weir_err e = prompt_make(x, &p);

    if (e)
        return e;
    for (size_t i = 0; i < p.candidates.n; i++)
        (void)estimate_budget(x, &p, &p.candidates.of[i], &budget);
    m = estimate_of(&p);
    paid = estimate_budget(x, &p, m, &budget);
    launch_ask(x, &p.candidates, p.ask.priority, p.ask.session_id, &ask);
    if (p.candidates.n > 1) {
        ask.candidates = candidates = launch_ask_candidates(&p.candidates);
        ask.candidate_count = p.candidates.n;
    }
    if (m->max_tokens == 0)
        e = WEIR_E_CONTEXT_LENGTH;
    else if (engine_forecast(x->web->engine, &ask, &prospect) == WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT)
        e = WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT;
    fits = estimate_why(x, &p, &ask, e, paid, &why);
    sb_puts(out, "{\"model\":");
    sb_json(out, p.model);
    sb_putf(out, ",\"prompt_tokens\":%" PRId64 ",\"max_completion_tokens\":%" PRId64, m->prompt_tokens, m->max_tokens);
    sb_puts(out, ",\"cost_low_usd\":");
    if (estimate_cost(&p, &prospect, &low, &high)) {
        sb_usd(out, low);
        sb_puts(out, ",\"cost_high_usd\":");
        sb_usd(out, high);
    } else
        sb_puts(out, "null,\"cost_high_usd\":null");
    sb_puts(out, ",\"starts_in_ms\":");
    if (prospect.wait_us < 0)
        sb_puts(out, "null");
    else
        sb_i64(out, prospect.wait_us / USEC_PER_MS);
    sb_puts(out, ",\"context_window\":");
    if (m->context > 0)
        sb_i64(out, m->context);
    else
        sb_puts(out, "null");
    sb_putf(out, ",\"fits\":%s,\"why\":%s,\"budget\":%s", fits ? "true" : "false", sb_str(&why), sb_str(&budget));
    if (p.omitted > 0)
        sb_putf(out, ",\"omitted_messages\":%zu", p.omitted);
    sb_puts(out, "}\n");
    sb_done(&why);
    free(candidates);
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
    {"session_id", FIELD_TEXT, offsetof(struct cancel, session_id), 1, CALL_ID_SIZE - 1, false},
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
    e = session_find(x, x->who.user_id, &which.session_id);
    if (e)
        return e;
    engine_cancel(x->web->engine, x->who.role == ROLE_ADMIN ? NULL : x->who.user_id, which.request_id, which.session_id, &ids);
    sb_putf(&x->out.body, "{\"cancelled\":%s}\n", ids.len ? sb_str(&ids) : "[]");
    sb_done(&ids);
    return WEIR_OK;
}
