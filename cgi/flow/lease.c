/* lease.c - see lease.h. The engine's thread, but for engine_settle(). */
#include "flow/lease.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "base/mem.h"
#include "flow/engine_impl.h"

enum { BATCH_ITEM_MAX = 4096 };          /* bytes said of one of a batch */

void lease_price(const struct upstream_settings *u, struct price *out, char version[LEASE_VERSION_SIZE])
{
    struct sb text = sb_make(LEASE_VERSION_SIZE);

    *out = (struct price){.id = u->name, .tiers = 1};
    out->tier[0] = (struct price_rates){.in = u->price.input, .out = u->price.output, .unit = u->price.unit,
                                        .cache_read = -1, .cache_write = -1, .cache_write_1h = -1};
    sb_usd(&text, u->price.unit);
    sb_puts(&text, "/unit");
    (void)snprintf(version, LEASE_VERSION_SIZE, "%s", sb_str(&text));
    sb_done(&text);
}

struct lease_batch *lease_batch_new(struct job *const *job, size_t n)
{
    struct lease_batch *b = mem_zalloc(1, sizeof *b);

    b->job = mem_zalloc(n, sizeof *b->job);
    memcpy(b->job, job, n * sizeof *b->job);
    b->n = n;
    b->told = mem_zalloc(n, sizeof *b->told);
    b->said = sb_make(n * BATCH_ITEM_MAX + 64);
    return b;
}

static void batch_free(struct lease_batch *b)
{
    if (!b)
        return;
    for (size_t i = b->at + 1; i < b->n; i++)
        job_free(b->job[i]);
    free(b->job);
    free(b->told);
    sb_done(&b->said);
    free(b);
}

void lease_free(struct job_lease *l)
{
    if (!l)
        return;
    batch_free(l->batch);
    free(l->metadata);
    free(l);
}

static struct job *find(const struct engine *e, const char *lease_id)
{
    for (struct job *j = e->jobs; j; j = j->next)
        if (j->lease && j->lease->runs && strcmp(j->rec.request_id, lease_id) == 0)
            return j;
    return NULL;
}

bool lease_runs(const struct job *j)
{
    return j->lease && j->lease->runs && !j->ending;
}

/* --- a batch --- */

static void add_item(struct lease_batch *b)
{
    sb_puts(&b->said, b->said.len ? "," : "{\"operations\":[");
}

/* Whoever sends the key again is told the same of the leases that were given; if none was, it is free again. */
static void end_key(struct engine *e, struct job *j, const struct lease_batch *b)
{
    if (j->once && j->once->taken)
        once_end(j->once, e->w, b->told_count > 0);
    else
        once_free(j->once);
    j->once = NULL;
}

/* The next has its turn, with the client and the key; or there is none left and all is said. */
static void go_on(struct engine *e, struct job *j, struct lease_batch *b)
{
    struct job *next = b->at + 1 < b->n ? b->job[b->at + 1] : NULL;

    if (!next) {
        sb_puts(&b->said, "]}\n");
        relay_whole(e, j, &b->said);
        end_key(e, j, b);
        j->lease->batch = NULL;           /* from here on its last is a lease like any other */
        batch_free(b);
        return;
    }
    relay_forget(e, j);
    (void)epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, j->client.fd, NULL);
    next->client = j->client;
    j->client = (struct peer_client){.fd = -1};
    j->lease->batch = NULL;
    b->at++;
    next->lease->batch = b;
    next->engine = e;
    next->rec.accepted_at_ms = clock_utc_ms();
    rand_id_at(next->rec.request_id, "req", next->rec.accepted_at_ms);
    next->once = j->once;
    j->once = NULL;
    if (next->once)
        once_move(next->once, &next->rec);
    next->ask.arrived_us = e->now_us;
    next->ask.deadline_us = e->now_us + next->lease->wait_us;
    conduct_arrive(e, &next->mail);
}

/* Who asked has left, and was told nothing: what was granted is given back, and cost nothing. */
static void give_up(struct engine *e, struct lease_batch *b)
{
    for (size_t i = 0; i < b->told_count; i++) {
        struct job *j = find(e, b->told[i]);

        if (!j || j->ending)
            continue;
        j->lease->used = (struct usage_tokens){0};
        conduct_end(e, j, (struct job_end){.status = CALL_CANCELLED, .finish = "cancelled", .retry_after_ms = -1});
    }
}

/* --- its way --- */

static void put_lease(struct sb *out, const struct job *j)
{
    sb_puts(out, "{\"lease_id\":");
    sb_json(out, j->rec.request_id);
    sb_putf(out, ",\"waited_ms\":%" PRId64 ",\"expires_at\":\"", (j->first_sent_us - j->ask.arrived_us) / USEC_PER_MS);
    sb_time(out, j->rec.lease.expires_ms);
    sb_puts(out, "\"}");
}

/* What whoever asks for it alone is told. */
static struct sb lease_said(const struct job *j)
{
    struct sb said = sb_make(512);

    put_lease(&said, j);
    sb_putc(&said, '\n');
    return said;
}

void lease_granted(struct engine *e, struct job *j)
{
    struct sb said;

    j->first_sent_us = e->now_us;
    j->rec.lease.granted_ms = clock_utc_ms();
    j->rec.lease.expires_ms = j->rec.lease.granted_ms + j->lease->for_us / USEC_PER_MS;
    if (!j->once || j->lease->batch)
        return;
    said = lease_said(j);
    relay_response(&j->once->said, j, 200, &said);
    sb_done(&said);
}

void lease_begin(struct engine *e, struct job *j)
{
    struct lease_batch *b = j->lease->batch;

    j->sent_us = j->first_sent_us;        /* it runs from when it was granted, and so do its times */

    j->lease->runs = true;
    j->lease->expires_us = e->now_us + j->lease->for_us;
    e->leases++;
    if (b) {
        add_item(b);
        put_lease(&b->said, j);
        memcpy(b->told[b->told_count++], j->rec.request_id, sizeof *b->told);
        go_on(e, j, b);
    } else {
        struct sb said = lease_said(j);

        once_free(j->once);               /* whoever asks again is told of this lease, running or ended: that is stored with it */
        j->once = NULL;
        relay_whole(e, j, &said);
        sb_done(&said);
    }
    if (j->client.fd >= 0 && client_pending(&j->client) == 0)
        lease_heard(e, j);
}

void lease_heard(struct engine *e, struct job *j)
{
    (void)epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, j->client.fd, NULL);
    client_close(&j->client);
}

void lease_tick(struct engine *e, struct job *j)
{
    if (lease_runs(j) && e->now_us >= j->lease->expires_us)
        conduct_end(e, j, (struct job_end){.err = WEIR_E_LEASE_EXPIRED, .status = CALL_TIMEOUT, .retry_after_ms = -1});
}

/* --- its end --- */

struct lease_letter {
    struct question q;
    const char *user_id, *lease_id;
    const struct lease_report *report;
    struct lease_end *out;
    enum weir_err result;
    struct lease_letter *next;
};

static void answer_settlers(struct job *j)
{
    while (j->lease->settlers) {
        struct lease_letter *l = j->lease->settlers;

        j->lease->settlers = l->next;
        lease_end_of(&j->rec, l->out);
        sem_post(&l->q.answered);
    }
}

bool lease_ended(struct engine *e, struct job *j)
{
    struct lease_batch *b = j->lease->batch;

    answer_settlers(j);
    if (!b)
        return false;
    if (j->end.err == WEIR_E_IDEMPOTENCY_RUNNING) {      /* the whole batch was sent twice; nothing was granted to this one */
        j->lease->batch = NULL;
        batch_free(b);
        return false;
    }
    if (j->client.fd < 0) {
        give_up(e, b);
        return true;
    }
    add_item(b);
    relay_refusal_json(&b->said, j);
    go_on(e, j, b);
    return true;
}

/* What was used, as far as the report says. */
static bool take_report(struct job *j, const struct lease_report *r)
{
    struct usage_tokens used = j->lease->used;
    struct sb metadata = sb_make(4096);
    struct cost cost;

    used.prompt = r->input < 0 ? used.prompt : r->input;
    used.completion = r->output < 0 ? used.completion : r->output;
    used.units = r->units < 0 ? used.units : r->units;
    if (!price_cost(&j->lease->price, &used, &cost))
        return false;
    j->lease->used = used;
    j->lease->estimated = false;
    if (r->error) {
        sb_puts(&metadata, "{\"error\":");
        sb_json(&metadata, r->error);
        sb_putc(&metadata, '}');
        j->lease->metadata = sb_take(&metadata);
    }
    sb_done(&metadata);
    return true;
}

static void on_settle(struct engine *e, struct mail *m)
{
    struct lease_letter *l = OF(struct lease_letter, q.mail, m);
    struct job *j = find(e, l->lease_id);

    if (!j || j->state == JOB_FLUSHING || strcmp(j->rec.user_id, l->user_id) != 0)       /* flushing: its end is in the ledger */
        l->result = WEIR_E_NOT_FOUND;
    else if (!j->ending && !take_report(j, l->report))
        l->result = WEIR_E_OUT_OF_RANGE;
    if (l->result) {
        sem_post(&l->q.answered);
        return;
    }
    l->next = j->lease->settlers;         /* before it ends, as it may be gone then */
    j->lease->settlers = l;
    conduct_end(e, j, (struct job_end){.err = l->report->failed ? WEIR_E_OPERATION_FAILED : WEIR_OK, .finish = l->report->failed ? NULL : "stop",
                                       .status = l->report->failed ? CALL_ERROR : CALL_SUCCESS, .retry_after_ms = -1});
}

enum weir_err engine_settle(struct engine *e, const char *user_id, const char *lease_id, const struct lease_report *r, struct lease_end *out)
{
    struct lease_letter l = {.user_id = user_id, .lease_id = lease_id, .report = r, .out = out};

    engine_ask(e, &l.q, on_settle);
    return l.result;
}

/* --- after a restart --- */

static char *pack(char **at, const char *from)
{
    char *to = *at;
    size_t n = strlen(from) + 1;

    if (n == 1)
        return NULL;
    memcpy(to, from, n);
    *at += n;
    return to;
}

/* Where it runs; -1: its upstream is not configured any more, and only its money is held. */
static int upstream_of(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->n_upstreams; i++)
        if (s->upstreams[i].enabled && s->upstreams[i].protocol == PROTOCOL_OPERATION && strcmp(s->upstreams[i].name, name) == 0)
            return (int)i;
    return -1;
}

static struct job *job_of(struct engine *e, const struct lease_row *r)
{
    int64_t now_ms = clock_utc_ms(), ago_ms = now_ms > r->lease.granted_ms ? now_ms - r->lease.granted_ms : 0;
    struct job *j = job_new();
    struct job_lease *l = mem_zalloc(1, sizeof *l);
    struct call_attempt *row = &j->rec.attempts[0];
    char *at;

    j->strings = at = mem_zalloc(1, sizeof *r);
    memcpy(j->rec.request_id, r->request_id, sizeof j->rec.request_id);
    memcpy(j->rec.session_id, r->session_id, sizeof j->rec.session_id);
    j->rec.user_id = pack(&at, r->user_id);
    j->rec.token_id = pack(&at, r->token_id);
    j->rec.model = pack(&at, r->name);
    j->rec.upstream = pack(&at, r->upstream);
    j->rec.api_endpoint = pack(&at, r->endpoint);
    j->rec.priority = r->priority;
    j->rec.operation = true;
    j->rec.accepted_at_ms = r->accepted_at_ms;
    j->rec.prompt_tokens_counted = r->input;
    j->rec.max_tokens = r->output;
    j->rec.lease = r->lease;
    j->rec.cost = r->cost;
    j->rec.promised_ms = -1;
    j->rec.attempt_count = 1;
    *row = (struct call_attempt){.upstream = j->rec.upstream, .model = j->rec.model, .priced = true, .started_at_ms = r->lease.granted_ms,
                                 .reserved_input = r->input + r->lease.units, .reserved_output = r->output,
                                 .wait_us = (r->lease.granted_ms - r->accepted_at_ms) * USEC_PER_MS};
    *l = (struct job_lease){.used = {.prompt = r->input, .completion = r->output, .units = r->lease.units}, .estimated = true, .runs = true,
                            .expires_us = e->now_us + (r->lease.expires_ms - now_ms) * USEC_PER_MS};
    l->price = (struct price){.id = j->rec.upstream, .tiers = 1};
    l->price.tier[0] = (struct price_rates){.in = r->cost.rate_in, .out = r->cost.rate_out, .unit = r->lease.unit_price,
                                            .cache_read = -1, .cache_write = -1, .cache_write_1h = -1};
    j->lease = l;
    j->price = &l->price;
    j->engine = e;
    j->sent_us = j->first_sent_us = e->now_us - ago_ms * USEC_PER_MS;
    j->ask = (struct ask){.job = j, .priority = r->priority, .prompt_tokens = r->input + r->lease.units, .max_tokens = r->output,
                          .arrived_us = j->sent_us - row->wait_us};
    j->state = JOB_CONNECTING;
    j->recorded = j->granted = true;
    return j;
}

struct reading {
    struct write_op op;
    struct lease_row *row;
    size_t n;
};

static enum weir_err run_read(struct db *db, struct write_op *op)
{
    struct reading *r = (struct reading *)op;

    free(r->row);                     /* of a first try */
    return lease_read_all(db, &r->row, &r->n);
}

bool leases_init(struct engine *e)
{
    struct reading r = {.op.run = run_read};
    enum weir_err err = writer_call(e->w, &r.op);

    if (err)
        log_error("engine: the leases cannot be read (%s)", err_code(err));
    for (size_t i = 0; !err && i < r.n; i++) {
        struct job *j = job_of(e, &r.row[i]);
        int upstream = upstream_of(e->s, r.row[i].upstream);

        conduct_enlist(e, j);
        (void)!loop_watch(e, -1, &j->watch, j, NULL);       /* a place that it gives back, but no descriptor */
        purse_hold(e, j);
        if (upstream < 0)
            continue;
        j->ask.upstreams = UINT64_C(1) << upstream;
        j->grant.upstream = upstream;
        j->ticket = admit_resume(e->admit, &j->ask, upstream, e->now_us);
        e->leases++;
    }
    free(r.row);
    return !err;
}
