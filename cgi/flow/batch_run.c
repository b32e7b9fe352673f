/* batch_run.c - see batch_run.h. */
#include "flow/batch_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/idempotency.h"
#include "peer/weir_call.h"
#include "flow/batch_estimate.h"

enum {
    TRIES_MAX = 5, BACKOFF_MS = 1000, BACKOFF_MAX_MS = 60 * 1000, BUSY_MAX_MS = 5000, TICK_MS = 250, KEY_SIZE = 128,
    UNREACHED_MAX_S = 600, CHECKPOINT_S = 5, LIMITS_S = 2
};

enum stage { IDLE, ESTIMATING, CALLING, CHARGING, WAITING };   /* CHARGING: asking what the first, cut off call cost */

struct worker {
    struct weir_call call;
    enum stage stage, next;              /* next: what WAITING ends in */
    size_t item;
    int64_t due_us;                      /* end of WAITING */
    int64_t reserved;                    /* of the budget, picodollars */
    int tries, generation;               /* failed tries; how often the key was changed */
    char first_request_id[80];           /* of a call that died with Weir; "" none */
    int64_t first_cost;                  /* that call's */
};

struct run {
    const struct batch_setup *s;
    struct sb *why;
    CURLM *multi;
    struct worker *workers;
    struct rng rng;
    int64_t active;                      /* workers that may be busy: the window */
    int64_t started_us, reached_us, cut_us, saved_s;
    int64_t begun, busy, reserved;
    size_t next;
    struct weir_call limits;            /* asks how the limits stand, now and then */
    bool asking;
    int64_t asked_us, due_us;            /* when it asked last, and by when they let all through; due_us -1: nobody knows */
    bool over;                           /* nothing more is begun */
    enum batch_end end;
};

static int64_t seconds(const struct run *r)
{
    return (clock_mono_us() - r->started_us) / USEC_PER_SEC;
}

static void finish(struct run *r, enum batch_end end)
{
    if (!r->over)
        r->end = end;
    r->over = true;
}

__attribute__((format(printf, 3, 4))) static void finish_because(struct run *r, enum batch_end end, const char *fmt, ...)
{
    va_list ap;

    if (!r->over) {
        sb_reset(r->why);
        va_start(ap, fmt);
        sb_vputf(r->why, fmt, ap);
        va_end(ap);
    }
    finish(r, end);
}

static void release(struct run *r, struct worker *w)
{
    r->reserved -= w->reserved;
    w->reserved = 0;
    w->stage = IDLE;
    r->busy--;
}

/* --- requests --- */

static const struct batch_item *item_of(const struct run *r, const struct worker *w)
{
    return &r->s->in->items[w->item];
}

/* The batch's id and the item's own, so that the key does not change where lines are added to the file. */
static void make_key(const struct run *r, const struct worker *w, char key[KEY_SIZE])
{
    unsigned char digest[IDEMPOTENCY_DIGEST];
    const char *id = item_of(r, w)->custom_id;
    size_t at;

    idempotency_digest(id, strlen(id), digest);
    at = (size_t)snprintf(key, KEY_SIZE, "%s.", batch_log_id(r->s->log));
    for (size_t i = 0; i < IDEMPOTENCY_DIGEST / 2; i++)
        at += (size_t)snprintf(key + at, KEY_SIZE - at, "%02x", digest[i]);
    (void)snprintf(key + at, KEY_SIZE - at, ".%d", w->generation + 1);
}

static void send_item(struct run *r, struct worker *w, enum stage stage)
{
    const struct batch_item *it = item_of(r, w);
    struct weir_call *c = &w->call;
    struct sb path = sb_make(256);
    char key[KEY_SIZE];
    bool ok;

    make_key(r, w, key);
    sb_reset(&c->body);
    switch (stage) {
    case ESTIMATING:
        ok = batch_estimate_body(it, &c->body) && weir_call_set(c, r->s->url, r->s->token, "/chat/estimate", sb_str(&c->body), c->body.len, NULL, NULL);
        break;
    case CHARGING:
        sb_putf(&path, "/monitoring/requests/%s", w->first_request_id);
        ok = weir_call_set(c, r->s->url, r->s->token, sb_str(&path), NULL, 0, NULL, NULL);
        break;
    default:
        ok = weir_call_set(c, r->s->url, r->s->token, it->url, it->body, it->body_bytes, r->s->priority, key);
        break;
    }
    sb_done(&path);
    w->stage = stage;
    if (!ok || curl_multi_add_handle(r->multi, c->easy) != CURLM_OK) {
        finish_because(r, BATCH_END_FILE, "There is not enough memory.");
        release(r, w);
    }
}

static void wait_for(struct worker *w, enum stage next, int64_t ms)
{
    w->stage = WAITING;
    w->next = next;
    w->due_us = clock_mono_us() + ms * USEC_PER_MS;
}

/* Full jitter (Brooker, "Exponential Backoff And Jitter", 2015), never earlier than the answer said. */
static int64_t backoff_ms(struct run *r, const struct worker *w, int64_t most)
{
    int64_t ceiling = BACKOFF_MS << (w->tries < 6 ? w->tries : 6), least = w->call.retry_after_ms > 0 ? w->call.retry_after_ms : 0;

    ceiling = ceiling < most ? ceiling : most;
    return least + 1 + rng_below(&r->rng, ceiling);
}

/* --- answers --- */

static void note(struct run *r, struct worker *w, const struct batch_result *res)
{
    if (!batch_log_answer(r->s->log, w->item, res, r->why))
        finish(r, BATCH_END_FILE);
    release(r, w);
}

static struct batch_result result_of(const struct worker *w)
{
    return (struct batch_result){.status = weir_call_status(&w->call), .request_id = w->call.request_id, .model = "", .cost = w->call.cost,
                                 .tries = w->tries + w->generation + 1, .first_request_id = *w->first_request_id ? w->first_request_id : NULL};
}

static void park(struct run *r, struct worker *w, const json_t *answer, const char *code, const char *why)
{
    struct batch_result res = result_of(w);
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

    res.body = text;
    res.body_bytes = text ? strlen(text) : 0;
    res.status = text ? res.status : 0;
    res.code = code;
    res.error = why;
    note(r, w, &res);
    free(text);
}

static void succeed(struct run *r, struct worker *w, const json_t *answer)
{
    struct batch_result res = result_of(w);
    char *text = json_dumps(answer, JSON_COMPACT);

    batch_result_take(&res, answer);
    res.body = text;
    res.body_bytes = strlen(text);
    res.first_cost = w->first_cost;
    if (r->active < r->s->workers)
        r->active++;
    note(r, w, &res);
    free(text);
}

/* Too many at once: half of them, at most once a second. */
static void be_slower(struct run *r)
{
    int64_t now = clock_mono_us();

    if (now - r->cut_us < USEC_PER_SEC)
        return;
    r->cut_us = now;
    r->active = r->active > 1 ? r->active / 2 : 1;
}

static void retry_or_park(struct run *r, struct worker *w, const json_t *answer, const char *code, const char *why)
{
    if (++w->tries < TRIES_MAX) {
        wait_for(w, CALLING, backoff_ms(r, w, BACKOFF_MAX_MS));
        return;
    }
    w->tries--;
    park(r, w, answer, code, why);
}

static void refused(struct run *r, struct worker *w, int status, const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    const char *code = json_str(error, "code", ""), *why = json_str(error, "message", "Weir refused it."), *first;

    switch (batch_judge(status, code)) {
    case BATCH_VERDICT_ACCESS:
        finish_because(r, BATCH_END_TOKEN, "%s", why);
        release(r, w);
        break;
    case BATCH_VERDICT_BUDGET:
        finish_because(r, BATCH_END_SERVER_BUDGET, "%s", why);
        release(r, w);
        break;
    case BATCH_VERDICT_AGAIN:
        first = json_str(error, "first_request_id", "");
        w->generation++;
        (void)snprintf(w->first_request_id, sizeof w->first_request_id, "%s", first);
        send_item(r, w, *first ? CHARGING : CALLING);
        break;
    case BATCH_VERDICT_PATIENCE:
        if (status == 429)
            be_slower(r);
        wait_for(w, CALLING, backoff_ms(r, w, BUSY_MAX_MS));
        break;
    case BATCH_VERDICT_RETRY:
        retry_or_park(r, w, answer, code, why);
        break;
    case BATCH_VERDICT_GIVE_UP:
    case BATCH_VERDICT_DONE:             /* answered() has seen to it */
        park(r, w, answer, code, why);
        break;
    }
}

/* What the call before came to is known, or not; on with its second. */
static void charged(struct run *r, struct worker *w, const json_t *answer)
{
    w->first_cost = weir_call_dollars_of(json_object_get(answer, "cost"), "total_usd");
    send_item(r, w, CALLING);
}

static void estimated(struct run *r, struct worker *w, const json_t *answer)
{
    int64_t cost = weir_call_dollars_of(answer, "cost_high_usd"), spent = batch_log_counts(r->s->log)->cost;

    if (cost < 0) {
        finish_because(r, BATCH_END_BUDGET, "What the item '%.100s' could cost is not known (%s), so --budget cannot be kept.",
                       item_of(r, w)->custom_id, answer ? "its model has no price" : "Weir has no estimate of it");
        release(r, w);
    } else if (spent + r->reserved + cost > r->s->budget) {
        if (r->reserved > 0) {           /* what is in flight may come to less */
            wait_for(w, ESTIMATING, TICK_MS);
            return;
        }
        finish_because(r, BATCH_END_BUDGET, "The next call could pass the budget.");
        release(r, w);
    } else {
        w->reserved = cost;
        r->reserved += cost;
        send_item(r, w, CALLING);
    }
}

static void answered(struct run *r, struct worker *w, CURLcode code)
{
    int status = weir_call_status(&w->call);
    enum stage stage = w->stage;
    json_t *j = NULL;
    char why[160];

    if (code != CURLE_OK || !status) {
        if (r->over && r->end != BATCH_END_LIMIT)
            release(r, w);
        else
            wait_for(w, stage, backoff_ms(r, w, BUSY_MAX_MS));
        if (clock_mono_us() - r->reached_us > UNREACHED_MAX_S * USEC_PER_SEC)
            finish_because(r, BATCH_END_UNREACHABLE, "Weir at %s has not been reached for ten minutes: %s.", r->s->url, curl_easy_strerror(code));
        return;
    }
    r->reached_us = clock_mono_us();
    if (json_parse_object(sb_str(&w->call.answer), w->call.answer.len, &json_limits_compat, &j, why))
        j = NULL;
    if (stage == CHARGING)
        charged(r, w, j);
    else if (stage == ESTIMATING && (status == 200 || status == 400 || status == 404))
        estimated(r, w, status == 200 ? j : NULL);
    else if (stage == ESTIMATING && status != 401)
        wait_for(w, ESTIMATING, backoff_ms(r, w, BUSY_MAX_MS));
    else if (status == 200 && j)
        succeed(r, w, j);
    else if (status == 200)
        retry_or_park(r, w, NULL, "invalid_answer", "The answer is no JSON object.");
    else
        refused(r, w, status, j);
    json_decref(j);
}

/* --- the loop --- */

static void begin(struct run *r, struct worker *w)
{
    const struct batch_input *in = r->s->in;

    while (r->next < in->n && batch_log_state(r->s->log, r->next) != BATCH_OPEN)
        r->next++;
    if (r->next == in->n) {
        finish(r, BATCH_END_ALL);
        return;
    }
    if (r->s->limit > 0 && r->begun == r->s->limit) {
        finish(r, BATCH_END_LIMIT);
        return;
    }
    r->begun++;
    r->busy++;
    w->item = r->next++;
    w->tries = w->generation = 0;
    w->first_request_id[0] = '\0';
    w->first_cost = -1;
    send_item(r, w, r->s->budget >= 0 ? ESTIMATING : CALLING);
}

static void step_workers(struct run *r)
{
    int64_t now = clock_mono_us();

    for (int64_t i = 0; i < r->s->workers; i++) {
        struct worker *w = &r->workers[i];

        if (w->stage == WAITING && r->over && r->end != BATCH_END_ALL && r->end != BATCH_END_LIMIT)
            release(r, w);               /* nothing of it is under way; its key brings the same again */
        else if (w->stage == WAITING && w->due_us <= now)
            send_item(r, w, w->next);
        if (w->stage == IDLE && !r->over && r->busy < r->active)
            begin(r, w);
    }
}

/* --- how the limits stand --- */

static void ask_limits(struct run *r)
{
    int64_t now = clock_mono_us();

    if (!*r->s->upstream || r->asking || r->over || (r->asked_us && now - r->asked_us < LIMITS_S * USEC_PER_SEC))
        return;
    r->asked_us = now;
    r->asking = weir_call_set(&r->limits, r->s->url, r->s->token, "/monitoring/rate-limits", NULL, 0, NULL, NULL) &&
                curl_multi_add_handle(r->multi, r->limits.easy) == CURLM_OK;
}

/* All that is open takes as many tokens each as what was answered so far. */
static void take_limits(struct run *r, CURLcode code)
{
    const struct batch_counts *c = batch_log_counts(r->s->log);
    int64_t left = (int64_t)r->s->in->n - c->succeeded - c->parked, takes_s;
    struct batch_need need;
    json_t *j = NULL;
    char why[160];

    r->asking = false;
    if (r->s->limit > 0 && r->s->limit - r->begun + r->busy < left)
        left = r->s->limit - r->begun + r->busy;
    need = (struct batch_need){left, c->succeeded ? left * c->tokens_in / c->succeeded : 0, c->succeeded ? left * c->tokens_out / c->succeeded : 0};
    if (code != CURLE_OK || weir_call_status(&r->limits) != 200
        || json_parse_object(sb_str(&r->limits.answer), r->limits.answer.len, &json_limits_compat, &j, why))
        return;
    takes_s = batch_limits_s(j, r->s->upstream, &need);
    r->due_us = takes_s < 0 ? -1 : clock_mono_us() + takes_s * USEC_PER_SEC;
    json_decref(j);
}

static int64_t limits_left_s(const struct run *r)
{
    int64_t left_us = r->due_us - clock_mono_us();

    return r->due_us < 0 ? -1 : left_us > 0 ? left_us / USEC_PER_SEC : 0;
}

static void take_answers(struct run *r)
{
    const CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(r->multi, &left))) {
        CURL *easy = m->easy_handle;
        CURLcode code = m->data.result;
        char *call = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
        (void)curl_multi_remove_handle(r->multi, easy);
        if ((char *)&r->limits == call)
            take_limits(r, code);
        for (int64_t i = 0; i < r->s->workers; i++)
            if ((char *)&r->workers[i].call == call)
                answered(r, &r->workers[i], code);
    }
}

static void save(struct run *r)
{
    int64_t s = seconds(r);

    if (s - r->saved_s < CHECKPOINT_S)
        return;
    r->saved_s = s;
    if (!batch_log_checkpoint(r->s->log, s, r->why))
        finish(r, BATCH_END_FILE);
}

static void loop(struct run *r)
{
    int64_t ticked_us = 0;

    while ((!r->over || r->busy > 0) && *r->s->stop < 2) {
        int running;

        if (*r->s->stop && (!r->over || r->end == BATCH_END_ALL || r->end == BATCH_END_LIMIT)) {
            r->over = true;
            r->end = BATCH_END_STOPPED;
        }
        (void)curl_multi_perform(r->multi, &running);
        take_answers(r);
        ask_limits(r);
        step_workers(r);                 /* what it begins makes the poll below return at once */
        save(r);
        if (clock_mono_us() - ticked_us >= TICK_MS * USEC_PER_MS) {
            ticked_us = clock_mono_us();
            r->s->tick(r->s->ctx, seconds(r), r->busy, limits_left_s(r));
        }
        if (running > 0 || r->busy > 0)
            (void)curl_multi_poll(r->multi, NULL, 0, TICK_MS / 5, NULL);
    }
}

enum batch_end batch_run(const struct batch_setup *s, struct sb *why)
{
    struct run r = {.s = s, .why = why, .workers = mem_zalloc((size_t)s->workers, sizeof *r.workers), .active = s->workers,
                    .started_us = clock_mono_us(), .reached_us = clock_mono_us(), .due_us = -1};
    uint64_t seed;
    bool ok;

    rand_bytes(&seed, sizeof seed);
    r.rng = rng_make(seed);
    ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && (r.multi = curl_multi_init()) != NULL;
    ok = weir_call_open(&r.limits) && ok;
    for (int64_t i = 0; i < s->workers; i++)
        ok = weir_call_open(&r.workers[i].call) && ok;
    if (ok)
        loop(&r);
    else
        finish_because(&r, BATCH_END_FILE, "There is not enough memory.");
    if (r.multi && r.asking)
        (void)curl_multi_remove_handle(r.multi, r.limits.easy);
    weir_call_close(&r.limits);
    for (int64_t i = 0; i < s->workers; i++) {
        if (r.multi)
            (void)curl_multi_remove_handle(r.multi, r.workers[i].call.easy);
        weir_call_close(&r.workers[i].call);
    }
    (void)curl_multi_cleanup(r.multi);
    free(r.workers);
    s->tick(s->ctx, seconds(&r), -1, -1);
    if (r.end != BATCH_END_FILE && !batch_log_checkpoint(s->log, seconds(&r), why))
        r.end = BATCH_END_FILE;
    curl_global_cleanup();
    return r.end;
}
