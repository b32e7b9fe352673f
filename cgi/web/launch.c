/* launch.c - see launch.h. */
#include "web/launch.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/lease.h"
#include "flow/once.h"
#include "flow/trace.h"
#include "peer/builtin.h"
#include "store/session_use.h"
#include "web/filter.h"
#include "web/title.h"

/* --- what may still be refused --- */

enum weir_err launch_read_session(struct exchange *x, struct launch *l)
{
    const struct session_limit limit = allowance_limit(x->web->settings);

    if (!l->session_id || limit.max <= 0)
        return WEIR_OK;
    return session_use_read(x->db, l->session_id, &limit, x->arrived_ms, &l->session);
}

void launch_say_too_long(const struct exchange *x, const struct candidate_list *l, struct sb *why)
{
    int64_t max = x->web->settings->tokens.request_input_max, own = filters_prompt_max(x->filters), most = 0;

    for (size_t i = 0; i < l->n; i++)
        most = l->of[i].prompt_tokens > most ? l->of[i].prompt_tokens : most;
    if (own > 0 && most > own)
        sb_putf(why, "The conversation has %" PRId64 " tokens; a request of yours may have %" PRId64 ". Shorten it or begin a new one.", most, own);
    else if (max > 0 && most > max)
        sb_putf(why, "The conversation has %" PRId64 " tokens; a request may have %" PRId64
                " here (tokens.request_input_max). Shorten it or begin a new one.", most, max);
}

enum weir_err launch_check(struct exchange *x, const struct candidate_list *l, const char *param)
{
    struct sb too_long = sb_make(512);
    enum weir_err e = WEIR_OK;

    launch_say_too_long(x, l, &too_long);
    if (l->of[0].max_tokens == 0)
        e = candidates_too_small(x, l, param);
    else if (too_long.len)
        e = web_refuse(x, WEIR_E_OUT_OF_RANGE, param, "%s", sb_str(&too_long));
    else if (atomic_load(&x->web->draining))
        e = web_refuse(x, WEIR_E_DRAINING, NULL, NULL);
    else if (!writer_healthy(x->web->writer)) {
        x->retry_after_ms = WRITER_RETRY_MS;
        e = web_refuse(x, WEIR_E_STORAGE, NULL, NULL);
    }
    sb_done(&too_long);
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

static void fill_session(const struct launch *l, struct call_record *r)
{
    r->new_session = !l->session_id && !l->alone;
    r->session_may_be_new = l->may_be_new;
    if (r->new_session)
        rand_id(r->session_id, "ses");
    else if (l->session_id)
        (void)snprintf(r->session_id, sizeof r->session_id, "%s", l->session_id);
    (void)snprintf(r->parent_id, sizeof r->parent_id, "%s", l->parent_id);
    rand_short_id(r->user_message_id, "msg");
    rand_short_id(r->message_id, "msg");
}

static void fill_record(struct exchange *x, const struct launch *l, struct job *j)
{
    const struct candidate_list *list = l->candidates;
    const struct candidate_model *c = &list->of[0];
    const char *asked = list->n > 1 || strcmp(c->model, l->asked) != 0 ? l->asked : NULL;      /* if another may serve */
    struct call_record *r = &j->rec;
    struct sb title = sb_make(1024);
    char *metadata = l->metadata ? json_dumps(l->metadata, JSON_COMPACT) : NULL;
    const char *token_id = account_token_of(&x->who);
    char *at;

    if (l->session_name)
        sb_puts(&title, l->session_name);
    else if (l->user_text)
        title_put(&title, l->user_text, TITLE_FROM_MESSAGE_CHARS);
    at = j->strings = mem_zalloc(1, packed_size(x->who.user_id) + packed_size(token_id) + packed_size(x->in.path)
                                        + packed_size(asked) + packed_size(c->model)
                                        + packed_size(metadata) + packed_size(sb_str(&title))
                                        + packed_size(l->system) + packed_size(l->user_text));
    (void)snprintf(r->request_id, sizeof r->request_id, "%s", x->request_id);
    fill_session(l, r);
    r->user_id = pack(&at, x->who.user_id);
    r->token_id = pack(&at, token_id);
    r->api_endpoint = pack(&at, x->in.path);
    r->priority = l->priority;
    r->requested_model = pack(&at, asked);
    r->model = asked && list->n > 1 ? r->requested_model : pack(&at, c->model);
    r->metadata_json = pack(&at, metadata);
    if (r->new_session || r->session_may_be_new) {
        r->session_title = pack(&at, sb_str(&title));
        r->system_text = pack(&at, l->system);
    }
    r->user_text = pack(&at, l->user_text);
    r->accepted_at_ms = x->arrived_ms;
    r->prompt_tokens_counted = c->prompt_tokens;
    r->omitted_messages = l->omitted;
    r->max_tokens = c->max_tokens;
    candidate_cost(x, c, &r->cost);        /* what the call is charged should this process die in it */
    sb_done(&title);
    free(metadata);
}

void launch_ask(const struct exchange *x, const struct candidate_list *l, enum priority p, const char *session_id, struct ask *a)
{
    const struct candidate_model *c = &l->of[0];

    *a = (struct ask){
        .upstreams = c->upstreams,
        .priority = p,
        .user = fnv1a(x->who.own_share ? x->who.token_id : x->who.user_id),
        .weight = x->who.weight,
        .session = session_id && *session_id ? fnv1a(session_id) : 0,
        .model = fnv1a(c->model),
        .prompt_tokens = c->prompt_tokens,
        .max_tokens = c->max_tokens,
        .arrived_us = x->arrived_us,
        .deadline_us = x->arrived_us + x->web->settings->queue.max_wait_us,
    };
}

bool launch_hides_sums(const struct exchange *x)
{
    return x->web->settings->hide_budget_sums && x->who.role == ROLE_USER;
}

/* Limits of their own, and what they may be told of those of all. */
static void fill_callers(const struct exchange *x, struct job *j)
{
    const struct account_limits *u = &x->who.limits, *t = &x->who.token_limits;

    j->caller[CALLER_USER] = (struct caller){fnv1a(x->who.user_id), u->requests_per_minute, u->tokens_per_minute};
    j->caller[CALLER_TOKEN] = (struct caller){fnv1a(x->who.token_id), t->requests_per_minute, t->tokens_per_minute};
    j->sums_hidden = launch_hides_sums(x);
}

struct ask_candidate *launch_ask_candidates(const struct candidate_list *l)
{
    struct ask_candidate *a = mem_zalloc(l->n, sizeof *a);

    for (size_t i = 0; i < l->n; i++) {
        const struct candidate_model *c = &l->of[i];

        a[i] = (struct ask_candidate){.upstreams = c->upstreams, .model = fnv1a(c->model), .price = c->price, .free = c->builtin,
                                      .stage = c->stage, .prompt_tokens = c->prompt_tokens, .max_tokens = c->max_tokens};
    }
    return a;
}

/* What is different from one candidate to the next. */
static void fill_candidates(const struct exchange *x, const struct candidate_list *l, struct job *j)
{
    j->ask_candidates = launch_ask_candidates(l);
    j->candidates = mem_zalloc(l->n, sizeof *j->candidates);
    j->ask.candidates = j->ask_candidates;
    j->ask.candidate_count = l->n;
    for (size_t i = 0; i < l->n; i++) {
        const struct candidate_model *c = &l->of[i];
        struct job_candidate *to = &j->candidates[i];

        *to = (struct job_candidate){.model = mem_strdup(c->model), .price = c->price, .tokens = c->tokens,
                                     .max_completion_tokens = openai_wants_completion_cap(c->model)};
        candidate_cost(x, c, &to->cost);
    }
}

/* Another's answer will do: the request says so, or the model's setting. */
static bool may_cache(const struct exchange *x, const struct launch *l)
{
    const struct cfg_list *models = &x->web->settings->cache.models;
    bool listed = false;

    for (size_t i = 0; i < models->n; i++)
        listed = listed || strcmp(models->items[i], l->asked) == 0;
    return l->cache < 0 ? listed : l->cache > 0;
}

struct job *launch_job(struct exchange *x, const struct launch *l)
{
    struct job *j = job_new();

    j->kind = l->kind;
    j->wire = l->wire;
    j->stream_upstream = l->kind == JOB_STREAM;
    j->price = l->candidates->of[0].price;
    j->tokens = l->candidates->of[0].tokens;
    j->max_completion_tokens = openai_wants_completion_cap(l->candidates->of[0].model);
    j->session_known = l->session;
    fill_record(x, l, j);
    launch_ask(x, l->candidates, l->priority, j->rec.session_id, &j->ask);
    fill_callers(x, j);
    j->cache = may_cache(x, l);
    if (x->has_key)
        j->once = once_new(&j->rec, &x->key);
    j->keep = x->has_key;                /* whoever can ask again for the answer shall find it */
    j->trace = trace_new(x->web->tracer, x->in.traceparent, x->arrived_us, x->arrived_ms);
    j->ask.job = j;
    if (l->candidates->n > 1)
        fill_candidates(x, l->candidates, j);
    return j;
}

static void fill_operation_record(const struct exchange *x, const struct launch_operation *o, struct job *j)
{
    struct call_record *r = &j->rec;
    const char *token_id = account_token_of(&x->who);
    char *at = j->strings = mem_zalloc(1, packed_size(x->who.user_id) + packed_size(token_id) + packed_size(o->name));

    rand_id_at(r->request_id, "req", x->arrived_ms);
    (void)snprintf(r->session_id, sizeof r->session_id, "%s", o->session_id ? o->session_id : "");
    r->user_id = pack(&at, x->who.user_id);
    r->token_id = pack(&at, token_id);
    r->model = pack(&at, o->name);
    r->api_endpoint = "/operations/acquire";
    r->operation = true;
    r->priority = o->priority;
    r->accepted_at_ms = x->arrived_ms;
    r->prompt_tokens_counted = o->estimate.prompt;
    r->max_tokens = o->estimate.completion;
    r->lease = (struct call_lease){.units = o->estimate.units, .unit_price = j->price->tier[0].unit};
    r->cost.priced = true;
    r->cost.rate_in = j->price->tier[0].in;
    r->cost.rate_out = j->price->tier[0].out;
}

struct job *launch_operation(struct exchange *x, const struct launch_operation *o)
{
    const struct settings *s = x->web->settings;
    struct job *j = job_new();
    struct cost cost;

    j->lease = mem_zalloc(1, sizeof *j->lease);
    j->lease->used = o->estimate;
    j->lease->estimated = true;
    j->lease->wait_us = o->wait_us < s->queue.max_wait_us ? o->wait_us : s->queue.max_wait_us;
    j->lease->for_us = s->upstreams[o->upstream].lease_us;
    lease_price(&s->upstreams[o->upstream], &j->lease->price, j->rec.cost.price_version);
    j->price = &j->lease->price;
    if (!price_cost(j->price, &o->estimate, &cost)) {
        job_free(j);
        return NULL;
    }
    fill_operation_record(x, o, j);
    fill_callers(x, j);
    j->ask = (struct ask){
        .job = j, .upstreams = UINT64_C(1) << o->upstream, .priority = o->priority,
        .user = fnv1a(x->who.own_share ? x->who.token_id : x->who.user_id), .weight = x->who.weight, .model = fnv1a(o->name),
        .prompt_tokens = o->estimate.prompt + o->estimate.units, .max_tokens = o->estimate.completion,
        .arrived_us = x->arrived_us, .deadline_us = x->arrived_us + j->lease->wait_us,
    };
    return j;
}

void launch_builtin(struct job *j, const struct candidate_list *l, const struct openai_turn *turns, size_t n)
{
    struct builtin_turn *own = NULL;
    size_t i = 0, count = 0;

    while (i < l->n && !l->of[i].builtin)
        i++;
    if (i == l->n)
        return;
    own = mem_zalloc(n + 1, sizeof *own);
    for (size_t t = 0; t < n; t++) {
        if (strcmp(turns[t].role, "user") == 0)
            own[count++] = (struct builtin_turn){.text = turns[t].text, .bytes = strlen(turns[t].text)};
    }
    j->builtin_reply = builtin_reply(own, count);
    j->builtin_tokens = tokens_count_for(&l->of[i].tokens, j->builtin_reply, strlen(j->builtin_reply));
    free(own);
}

static void hash_text(crypto_generichash_state *h, const char *text)
{
    if (text)
        crypto_generichash_update(h, (const unsigned char *)text, strlen(text) + 1);
}

/* The length of a body without the member that asks for a stream, which is the last of it. */
static size_t without_stream(const struct job_body *b)
{
    static const char stream[] = ",\"stream\":true";
    size_t n = sizeof stream - 1;

    return b->text && b->len > n && memcmp(b->text + b->len - n, stream, n) == 0 ? b->len - n : b->len;
}

/* What is asked, by whom, and of which models: the same words from the same person. */
static void set_cache_key(const struct exchange *x, struct job *j)
{
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, sizeof j->cache_key);
    hash_text(&h, x->who.user_id);
    crypto_generichash_update(&h, (const unsigned char *)&j->wire, sizeof j->wire);
    hash_text(&h, j->rec.requested_model ? j->rec.requested_model : j->rec.model);
    for (size_t i = 0; j->candidates && i < j->ask.candidate_count; i++)
        hash_text(&h, j->candidates[i].tail);
    crypto_generichash_update(&h, (const unsigned char *)&j->rec.max_tokens, sizeof j->rec.max_tokens);
    for (int i = 0; i < JOB_HEADS && j->heads[i]; i++)
        hash_text(&h, j->heads[i]);
    for (int p = 0; p < JOB_PROTOCOLS; p++)
        crypto_generichash_update(&h, (const unsigned char *)j->body[p].text, without_stream(&j->body[p]));
    crypto_generichash_final(&h, j->cache_key, sizeof j->cache_key);
}

/* May it begin, under the request's cap? */
static bool is_within(struct web_cap *cap, struct job *j)
{
    if (!cap)
        return true;
    cap->asked = true;
    cap->worst = j->cost_most = engine_worst(j);
    cap->refused = cap->worst < 0 || cap->worst > cap->room;
    return !cap->refused;
}

void launch_go(struct exchange *x, struct job *j)
{
    bool sent = false;

    if (!is_within(x->cap, j)) {
        job_free(j);
        return;
    }
    for (int p = 0; p < JOB_PROTOCOLS; p++)
        sent = sent || j->body[p].text;
    j->cache = j->cache && sent && j->choices <= 1;      /* the built-in model's answers are as cheap */
    if (j->cache)
        set_cache_key(x, j);
    x->moved = true;                 /* also if the client has just left: nobody is there to be answered */
    if (web_move(x, &j->client))
        engine_submit(x->web->engine, j);
    else
        job_free(j);
}
