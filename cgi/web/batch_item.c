/* batch_item.c - one item of a batch: from its line in the input to the line that
 * says what became of it. The batches' thread. */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "peer/weir_call.h"
#include "web/batch_work.h"

enum { TRIES_MAX = 5, BACKOFF_MS = 500, BACKOFF_MAX_MS = 30000, BUSY_MAX_MS = 4000, HELD_MS = 10000, SHORT_MS = 500, ANSWER_MAX = 64 << 20, KEY_SIZE = 96,
       METADATA_MAX = 2048 };

void slot_release(struct slot *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    sb_done(&s->records.rest);
    sb_done(&s->answer);
    sb_done(&s->line);
    *s = (struct slot){.fd = -1};
}

int64_t slot_paid(const struct slot *s)
{
    return s->first_cost > s->charged ? s->first_cost : s->charged;
}

int64_t slot_takes(const struct slot *s)
{
    return s->stage == SLOT_ENDED ? s->end.cost : s->aside + slot_paid(s);
}

/* Full jitter (Brooker, "Exponential Backoff And Jitter", 2015), never earlier than the answer said. */
static void wait_for(struct slot *s, struct rng *rng, int64_t least_ms, int64_t most_ms)
{
    int64_t ceiling = BACKOFF_MS << (s->tries < 6 ? s->tries : 6);

    ceiling = ceiling < most_ms ? ceiling : most_ms;
    s->stage = SLOT_WAITING;
    s->due_us = clock_mono_us() + ((least_ms > 0 ? least_ms : 0) + 1 + rng_below(rng, ceiling)) * USEC_PER_MS;
}

/* --- the line that says what became of it --- */

static void ended(struct slot *s, enum item_state state, const struct batch_result *r)
{
    s->line = sb_make(BATCH_LINE_MAX);
    batch_line_put(&s->line, (size_t)s->place.n, s->custom_id, r);
    s->end = (struct batch_item_end){.batch = s->batch, .user = s->user, .n = s->place.n, .state = state, .line = sb_str(&s->line), .length = s->line.len,
                                     .cost = batch_result_paid(r), .tokens_in = r->tokens_in, .tokens_out = r->tokens_out,
                                     .repeated = r->first_request_id != NULL};
    s->stage = SLOT_ENDED;
}

static uint64_t model_of(const struct batch_line *l)
{
    const char *name = json_str(l->body, "model", "");
    uint64_t model;

    crypto_generichash((unsigned char *)&model, sizeof model, (const unsigned char *)name, strlen(name), NULL, 0);
    return model;
}

/* Its line of the input once more: what is large is not kept while it runs. */
static bool read_line(struct db *ro, const struct batch_row *b, const struct batch_item_place *p, struct batch_line *l)
{
    const struct file_row f = batch_input_of(b);
    struct batch_line_fault fault;
    struct sb text = sb_make((size_t)p->bytes);
    bool ok = files_read(ro, &f, p->start, p->bytes, &text) == WEIR_OK && batch_line_read(sb_str(&text), text.len, NULL, l, &fault);

    sb_done(&text);
    return ok;
}

uint64_t slot_model(struct db *ro, const struct batch_row *b, const struct batch_item_place *p)
{
    struct batch_line l;
    uint64_t model = 0;

    if (read_line(ro, b, p, &l)) {
        model = model_of(&l);
        json_decref(l.json);
    }
    return model;
}

static struct batch_result nothing(const char *code, const char *why)
{
    return (struct batch_result){.request_id = "", .model = "", .code = code, .error = why, .cost = -1, .first_cost = -1};
}

bool slot_never_line(struct db *ro, const struct batch_row *b, const struct batch_item_place *p, const char *code, const char *why, struct sb *out)
{
    const struct batch_result r = nothing(code, why);
    struct batch_line l;

    if (!read_line(ro, b, p, &l))
        return false;
    batch_line_put(out, (size_t)p->n, l.custom_id, &r);
    json_decref(l.json);
    return sb_ok(out);
}

/* --- what was answered --- */

/* The value of a header of an answer in CGI style; "" if it is not there. */
static void header(const char *answer, const char *name, char *value, size_t size)
{
    const char *end = strstr(answer, "\r\n\r\n"), *at = answer;
    size_t n = strlen(name);

    *value = '\0';
    while (end && at && at < end && !(strncmp(at, name, n) == 0 && at[n] == ':')) {
        at = strstr(at, "\r\n");
        at = at ? at + 2 : NULL;
    }
    if (end && at && at < end)
        (void)snprintf(value, size, "%.*s", (int)strcspn(at + n + 2, "\r\n"), at + n + 2);
}

/* A provider that cannot be had says nothing of the item, and other items of its model would fare alike. */
static const char *outage(const char *code)
{
    static const char *const codes[] = {"no_upstream", "upstream_quota", "upstream_auth", "upstream_connect", "upstream_dns", "upstream_tls",
                                        "upstream_rate_limited"};

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(code, codes[i]) == 0)
            return codes[i];
    return NULL;
}

/* Under a new key: what the one before was charged is shown. */
static void again(struct slot *s, struct db *ro, const char *first_request_id)
{
    int64_t cost = -1;

    s->generation++;
    s->stage = SLOT_READY;
    if (!*first_request_id)
        return;
    (void)snprintf(s->first_request_id, sizeof s->first_request_id, "%s", first_request_id);
    if (batch_items_charge(ro, first_request_id, &cost) == WEIR_OK && cost >= 0)
        s->first_cost = cost + (s->first_cost > 0 ? s->first_cost : 0);
}

struct said {
    int status;
    char request_id[80], cost[64], retry_after[32], replayed[8];
    const char *body;
    size_t body_bytes;
    json_t *json;                        /* owned; NULL: it is no object */
    const char *code, *message;
};

/* A body of several lines becomes one: in JSON, line ends stand between values alone. */
static void take_apart(char *answer, struct said *a)
{
    char *blank = strstr(answer, "\r\n\r\n"), status[16], why[160];

    header(answer, "Status", status, sizeof status);
    a->status = (int)strtol(status, NULL, 10);
    header(answer, "X-Request-Id", a->request_id, sizeof a->request_id);
    header(answer, "X-Weir-Cost-Usd", a->cost, sizeof a->cost);
    header(answer, "Retry-After", a->retry_after, sizeof a->retry_after);
    header(answer, "Idempotent-Replayed", a->replayed, sizeof a->replayed);
    a->body = blank ? blank + 4 : "";
    for (char *c = blank ? blank + 4 : NULL; c && *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    a->body_bytes = strlen(a->body);
    while (a->body_bytes > 0 && strchr(" \t", a->body[a->body_bytes - 1]))
        a->body_bytes--;
    if (json_parse_object(a->body, a->body_bytes, &json_limits_compat, &a->json, why))
        a->json = NULL;
    a->code = json_str(json_object_get(a->json, "error"), "code", "");
    a->message = json_str(json_object_get(a->json, "error"), "message", "Weir refused it.");
}

static void settle(struct slot *s, const struct said *a, bool good)
{
    struct batch_result r = {.status = a->json ? a->status : 0, .body = a->body, .body_bytes = a->json ? a->body_bytes : 0,
                             .request_id = a->request_id, .model = "", .cost = weir_call_dollars(a->cost), .tries = s->tries + s->generation + 1,
                             .first_request_id = *s->first_request_id ? s->first_request_id : NULL, .first_cost = s->first_cost};

    if (good)
        batch_result_take(&r, a->json);
    else {
        r.code = a->json ? a->code : "invalid_answer";
        r.error = a->json ? a->message : "The answer is no JSON object.";
    }
    ended(s, good ? ITEM_ANSWERED : ITEM_FAILED, &r);
}

static void judge(struct slot *s, struct db *ro, struct rng *rng)
{
    struct said a;
    int64_t after_ms, cost;
    bool kept;
    enum batch_verdict v;

    sb_putc(&s->answer, '\n');           /* so that there is one */
    take_apart(s->answer.p, &a);
    after_ms = strtoll(a.retry_after, NULL, 10) * 1000;
    v = batch_judge(a.status, a.code);
    if (v == BATCH_VERDICT_DONE && !a.json)
        v = BATCH_VERDICT_RETRY;
    kept = *a.replayed && (v == BATCH_VERDICT_RETRY || v == BATCH_VERDICT_PATIENCE);      /* the same failure would be told for ever */
    s->freed = s->held != NULL;
    s->held = NULL;
    s->holds_all = false;
    s->aside = 0;
    if (v != BATCH_VERDICT_DONE && !*a.replayed && batch_items_charge(ro, a.request_id, &cost) == WEIR_OK && cost > 0)
        s->charged += cost;              /* the budget counts it at once, not only when it is asked for again */
    switch (kept ? BATCH_VERDICT_AGAIN : v) {
    case BATCH_VERDICT_DONE:
        settle(s, &a, true);
        break;
    case BATCH_VERDICT_GIVE_UP:
        settle(s, &a, false);
        break;
    case BATCH_VERDICT_RETRY:
        s->held = outage(a.code);
        if (s->held)
            wait_for(s, rng, after_ms > HELD_MS ? after_ms : HELD_MS, BUSY_MAX_MS);
        else if (++s->tries < TRIES_MAX)
            wait_for(s, rng, after_ms, BACKOFF_MAX_MS);
        else
            settle(s, &a, false);
        break;
    case BATCH_VERDICT_PATIENCE:
        s->busy = a.status == 429;
        wait_for(s, rng, after_ms, BUSY_MAX_MS);
        break;
    case BATCH_VERDICT_AGAIN:
        again(s, ro, kept ? a.request_id : json_str(json_object_get(a.json, "error"), "first_request_id", ""));
        break;
    case BATCH_VERDICT_BUDGET:
        s->held = "budget_exceeded";
        s->holds_all = true;
        wait_for(s, rng, HELD_MS, BUSY_MAX_MS);
        break;
    case BATCH_VERDICT_ACCESS:
        s->no_access = true;
        wait_for(s, rng, 0, BUSY_MAX_MS);
        break;
    }
    s->freed = s->freed && !s->held;
    json_decref(a.json);
    sb_done(&s->answer);
}

/* --- asking --- */

/* Its batch's budget did not let it go: it is tried again when others have ended, unless nobody knows what it costs. */
static void capped(struct slot *s, const struct web_cap *cap, struct rng *rng)
{
    const struct batch_result unpriced = nothing(err_code(WEIR_E_UNPRICED), "This model has no price, and the batch has a budget.");

    if (cap->worst < 0) {
        ended(s, ITEM_FAILED, &unpriced);
        return;
    }
    s->short_of_budget = true;
    s->held = BATCH_BUDGET;
    s->holds_all = true;
    wait_for(s, rng, SHORT_MS, BACKOFF_MS);
}

static void ask(struct slot *s, struct web *w, struct db *ro, const struct batch_row *b, const struct identity *who, const struct batch_line *l,
                int64_t room, struct rng *rng)
{
    enum priority p = b->priority < who->max_priority ? b->priority : who->max_priority;
    char *body = json_dumps(l->body, JSON_COMPACT), key[KEY_SIZE], request_id[RAND_ID_SIZE];
    struct sb metadata = sb_make(METADATA_MAX);
    struct web_cap cap = {.room = room};
    struct web_own q = {.who = who, .path = l->url, .key = key, .priority = priority_name(p), .body = body, .body_bytes = strlen(body),
                        .cap = b->budget < 0 ? NULL : &cap};

    (void)snprintf(key, sizeof key, "%s.%" PRId64 ".%d", b->batch_id, s->place.n + 1, s->generation + 1);
    (void)snprintf(s->custom_id, sizeof s->custom_id, "%s", l->custom_id);
    sb_puts(&metadata, "{\"batch_id\":");
    sb_json(&metadata, b->batch_id);
    sb_puts(&metadata, ",\"custom_id\":");
    sb_json(&metadata, l->custom_id);
    sb_putc(&metadata, '}');
    q.metadata = sb_ok(&metadata) ? sb_str(&metadata) : NULL;
    s->answer = sb_make(ANSWER_MAX);
    s->model = model_of(l);
    web_ask(w, ro, &q, request_id, &s->fd, &s->answer);
    s->stage = SLOT_IN_FLIGHT;
    s->records = (struct fcgi_answer){.rest = sb_make(FCGI_ANSWER_REST)};
    if (cap.asked)
        s->aside = cap.refused ? 0 : cap.worst;
    if (cap.asked && s->held && strcmp(s->held, BATCH_BUDGET) == 0) {
        s->held = NULL;
        s->holds_all = false;
        s->freed = !cap.refused;
    }
    if (cap.refused) {
        sb_done(&s->answer);
        capped(s, &cap, rng);
    } else if (s->fd < 0)
        judge(s, ro, rng);
    sb_done(&metadata);
    free(body);
}

void slot_send(struct slot *s, struct web *w, struct db *ro, const struct batch_row *b, int64_t room, struct rng *rng)
{
    const struct batch_result gone = nothing("input_gone", "The line of this request cannot be read any more.");
    struct identity who;
    struct batch_line l;
    enum weir_err e = batches_owner(ro, b, clock_utc_ms(), &who);

    s->batch = b->id;
    s->user = b->user;
    if (e) {
        s->no_access = e == WEIR_E_UNAUTHENTICATED;
        wait_for(s, rng, 0, BUSY_MAX_MS);
    } else if (read_line(ro, b, &s->place, &l)) {
        ask(s, w, ro, b, &who, &l, room, rng);
        json_decref(l.json);
    } else
        ended(s, ITEM_FAILED, &gone);
}

void slot_receive(struct slot *s, struct db *ro, struct rng *rng)
{
    char piece[FCGI_ANSWER_REST / 4];
    ssize_t n = 1;
    bool ok = true;

    while (ok && n > 0 && !s->records.ended) {
        n = recv(s->fd, piece, sizeof piece, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        ok = n > 0 && fcgi_answer_take(&s->records, piece, (size_t)n, &s->answer);
    }
    (void)close(s->fd);
    s->fd = -1;
    sb_done(&s->records.rest);
    if (ok)
        judge(s, ro, rng);
    else {                               /* broken off, or too large: its key tells the next time */
        sb_done(&s->answer);
        s->tries++;
        wait_for(s, rng, 0, BACKOFF_MAX_MS);
    }
}
