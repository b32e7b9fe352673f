/* engine.c - what other threads call: start, stop and the inbox.
 *
 * Everything asked of the engine is a letter. Jobs are letters themselves, in
 * when they arrive and again when the writer is through with their rows;
 * questions are letters on the asker's stack, who waits for the answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "flow/admission.h"
#include "flow/engine_impl.h"
#include "flow/gauge.h"

void engine_post(struct engine *e, struct mail *m)
{
    bool first;

    m->next = NULL;
    pthread_mutex_lock(&e->inbox_lock);
    first = e->inbox == NULL;
    *e->inbox_end = m;
    e->inbox_end = &m->next;
    pthread_mutex_unlock(&e->inbox_lock);
    if (first)
        (void)!write(e->wake_fd, &(uint64_t){1}, sizeof(uint64_t));   /* it can only fail by being awake already */
}

void engine_deliver(struct engine *e)
{
    struct mail *m;
    uint64_t ignored;

    (void)!read(e->wake_fd, &ignored, sizeof ignored);
    pthread_mutex_lock(&e->inbox_lock);
    m = e->inbox;
    e->inbox = NULL;
    e->inbox_end = &e->inbox;
    pthread_mutex_unlock(&e->inbox_lock);
    while (m) {
        struct mail *next = m->next;      /* a delivered letter belongs to its sender again */

        m->deliver(e, m);
        m = next;
    }
}

void engine_submit(struct engine *e, struct job *j)
{
    j->engine = e;
    j->mail.deliver = conduct_arrive;
    engine_post(e, &j->mail);
}

void engine_ask(struct engine *e, struct question *q, void (*deliver)(struct engine *, struct mail *))
{
    q->mail.deliver = deliver;
    sem_init(&q->answered, 0, 0);
    engine_post(e, &q->mail);
    while (sem_wait(&q->answered) < 0 && errno == EINTR) {
    }
    sem_destroy(&q->answered);
}

struct cancel_question {
    struct question q;
    const char *user_id, *request_id, *session_id;
    struct sb *out;
};

static bool given(const char *s)
{
    return s && *s;
}

static void on_cancel(struct engine *e, struct mail *m)
{
    struct cancel_question *c = OF(struct cancel_question, q.mail, m);
    bool any = false, all = c->user_id && !given(c->request_id) && !given(c->session_id);

    sb_putc(c->out, '[');
    for (struct job *j = e->jobs, *next; j; j = next) {
        next = j->next;
        if (!all && !(given(c->request_id) && strcmp(j->rec.request_id, c->request_id) == 0) &&
            !(given(c->session_id) && strcmp(j->rec.session_id, c->session_id) == 0))
            continue;
        if (j->ending || (c->user_id && strcmp(j->rec.user_id, c->user_id) != 0))
            continue;
        if (any)
            sb_putc(c->out, ',');
        any = true;
        sb_json(c->out, j->rec.request_id);
        conduct_cancel(e, j);
    }
    sb_putc(c->out, ']');
    sem_post(&c->q.answered);
}

void engine_cancel(struct engine *e, const char *user_id, const char *request_id, const char *session_id, struct sb *out)
{
    struct cancel_question c = {.user_id = user_id, .request_id = request_id, .session_id = session_id, .out = out};

    engine_ask(e, &c.q, on_cancel);
}

struct promote_question {
    struct question q;
    const char *request_id;
    enum priority priority;
    int64_t position;
    bool found;
};

static void on_promote(struct engine *e, struct mail *m)
{
    struct promote_question *p = OF(struct promote_question, q.mail, m);

    for (struct job *j = e->jobs; j && !p->found; j = j->next) {
        struct admit_place place;

        if (j->ending || !j->ticket || j->granted || strcmp(j->rec.request_id, p->request_id) != 0)
            continue;
        p->found = true;
        j->rec.priority = p->priority;
        admit_promote(e->admit, j->ticket, p->priority, e->now_us);
        admit_place(e->admit, j->ticket, e->now_us, &place);
        p->position = place.position;
        e->places_due = true;
    }
    engine_look_anew(e);
    sem_post(&p->q.answered);
}

bool engine_promote(struct engine *e, const char *request_id, enum priority priority, int64_t *position)
{
    struct promote_question p = {.request_id = request_id, .priority = priority};

    engine_ask(e, &p.q, on_promote);
    *position = p.position;
    return p.found;
}

struct hurry_question {
    struct question q;
    const char *user_id, *request_id;
    bool found;
};

static void on_hurry(struct engine *e, struct mail *m)
{
    struct hurry_question *h = OF(struct hurry_question, q.mail, m);

    for (struct job *j = e->jobs; j && !h->found; j = j->next) {
        if (j->ending || !j->ticket || j->granted || strcmp(j->rec.request_id, h->request_id) != 0 ||
            (h->user_id && strcmp(j->rec.user_id, h->user_id) != 0))
            continue;
        h->found = admit_hurry(e->admit, j->ticket, e->now_us);
        e->places_due = true;
    }
    sem_post(&h->q.answered);
}

bool engine_hurry(struct engine *e, const char *user_id, const char *request_id)
{
    struct hurry_question h = {.user_id = user_id, .request_id = request_id};

    engine_ask(e, &h.q, on_hurry);
    return h.found;
}

struct request_question {
    struct question q;
    const char *request_id;
    struct report_open *out;
    bool found;
};

static void on_request(struct engine *e, struct mail *m)
{
    struct request_question *r = OF(struct request_question, q.mail, m);

    for (struct job *j = e->jobs; j && !r->found; j = j->next) {
        r->found = strcmp(j->rec.request_id, r->request_id) == 0;
        if (r->found)
            explain_job(e, j, r->out);
    }
    sem_post(&r->q.answered);
}

bool engine_request(struct engine *e, const char *request_id, struct report_open *out)
{
    struct request_question r = {.request_id = request_id, .out = out};

    engine_ask(e, &r.q, on_request);
    return r.found;
}

void engine_look_anew(struct engine *e)
{
    pthread_mutex_lock(&e->snapshot_lock);
    e->snapshot_keep_us = 0;
    pthread_mutex_unlock(&e->snapshot_lock);
}

struct reset_question {
    struct question q;
    const char *upstream;
    bool found;
};

static void on_reset(struct engine *e, struct mail *m)
{
    struct reset_question *r = OF(struct reset_question, q.mail, m);

    if (!r->upstream) {
        admit_reset(e->admit, -1, e->now_us);
        r->found = true;
    }
    for (size_t i = 0; i < e->up_count && !r->found; i++)
        if (strcmp(e->s->upstreams[i].name, r->upstream) == 0) {
            admit_reset(e->admit, (int)i, e->now_us);
            r->found = true;
        }
    engine_look_anew(e);
    sem_post(&r->q.answered);
}

bool engine_reset_limits(struct engine *e, const char *upstream)
{
    struct reset_question r = {.upstream = upstream};

    engine_ask(e, &r.q, on_reset);
    return r.found;
}

struct forecast_question {
    struct question q;
    const struct ask *ask;
    struct admit_prospect *out;
    enum weir_err result;
};

static void on_forecast(struct engine *e, struct mail *m)
{
    struct forecast_question *f = OF(struct forecast_question, q.mail, m);

    f->result = admit_forecast(e->admit, f->ask, e->now_us, f->out);
    sem_post(&f->q.answered);
}

enum weir_err engine_forecast(struct engine *e, const struct ask *a, struct admit_prospect *out)
{
    struct forecast_question f = {.ask = a, .out = out};

    engine_ask(e, &f.q, on_forecast);
    return f.result;
}

struct budget_question {
    struct question q;
    const struct budget_call *call;
    struct sb *out;
    int64_t left;
    bool sums_hidden, found;
};

static void on_budget(struct engine *e, struct mail *m)
{
    struct budget_question *b = OF(struct budget_question, q.mail, m);
    struct budget_view v;

    b->found = budget_least(e->book, b->call, &v);
    if (b->found) {
        b->left = v.left;
        gauge_budget_json(b->out, &v, !(b->sums_hidden && budget_is_shared(v.rule)));
    }
    sem_post(&b->q.answered);
}

bool engine_budget(struct engine *e, const struct budget_call *c, bool sums_hidden, int64_t *left, struct sb *out)
{
    struct budget_question b = {.call = c, .out = out, .sums_hidden = sums_hidden};

    engine_ask(e, &b.q, on_budget);
    *left = b.left;
    return b.found;
}

struct session_question {
    struct question q;
    const struct ask *ask;
    const struct session_tokens *known;
    struct allowance_refusal *no;
    bool may;
};

static void on_session(struct engine *e, struct mail *m)
{
    struct session_question *s = OF(struct session_question, q.mail, m);

    s->may = allowance_may(e, s->ask, s->known, s->no);
    sem_post(&s->q.answered);
}

bool engine_session_may(struct engine *e, const struct ask *a, const struct session_tokens *known, struct allowance_refusal *no)
{
    struct session_question s = {.ask = a, .known = known, .no = no};

    engine_ask(e, &s.q, on_session);
    return s.may;
}

struct save_question {
    struct question q;
    struct sb *out;
};

static void on_save(struct engine *e, struct mail *m)
{
    struct save_question *s = OF(struct save_question, q.mail, m);

    admit_save_running(e->admit, ENGINE_SAVE_US + USEC_PER_SEC, e->now_us, clock_utc_ms(), s->out);
    sem_post(&s->q.answered);
}

void engine_save_state(struct engine *e, struct sb *out)
{
    struct save_question s = {.out = out};

    engine_ask(e, &s.q, on_save);
}

struct recall_question {
    struct question q;
    const struct outlook_past *past;
};

static void on_recall(struct engine *e, struct mail *m)
{
    struct recall_question *r = OF(struct recall_question, q.mail, m);

    admit_calendar(e->admit, e->now_us, clock_utc_ms());
    admit_recall(e->admit, r->past, e->now_us);
    engine_look_anew(e);
    sem_post(&r->q.answered);
}

void engine_recall(struct engine *e, const struct outlook_past *past)
{
    struct recall_question r = {.past = past};

    engine_ask(e, &r.q, on_recall);
}

struct look_question {
    struct question q;
};

static bool snapshot_is_old(const struct engine *e, int64_t now_us)
{
    return !e->snapshot || now_us - e->snapshot_us >= e->snapshot_keep_us;
}

static void on_look(struct engine *e, struct mail *m)
{
    int64_t begun_us = clock_mono_us(), keep_us;
    struct snapshot *fresh, *old;

    if (snapshot_is_old(e, begun_us)) {                   /* several may have asked at once */
        fresh = snapshot_build(e);
        keep_us = (clock_mono_us() - begun_us) * SNAPSHOT_COST;
        pthread_mutex_lock(&e->snapshot_lock);
        old = e->snapshot;
        e->snapshot = fresh;
        e->snapshot_us = begun_us;
        e->snapshot_keep_us = keep_us < SNAPSHOT_AGE_MAX_US ? keep_us : SNAPSHOT_AGE_MAX_US;
        pthread_mutex_unlock(&e->snapshot_lock);
        snapshot_put(old);
    }
    sem_post(&OF(struct look_question, q.mail, m)->q.answered);
}

const struct snapshot *engine_snapshot(struct engine *e)
{
    struct look_question l = {0};
    const struct snapshot *s;
    bool old;

    pthread_mutex_lock(&e->snapshot_lock);
    old = snapshot_is_old(e, clock_mono_us());
    pthread_mutex_unlock(&e->snapshot_lock);
    if (old)
        engine_ask(e, &l.q, on_look);
    pthread_mutex_lock(&e->snapshot_lock);
    s = e->snapshot;
    __atomic_add_fetch(&e->snapshot->refs, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&e->snapshot_lock);
    return s;
}

void snapshot_put(const struct snapshot *s)
{
    struct snapshot *own = (struct snapshot *)(uintptr_t)s;

    if (s && __atomic_sub_fetch(&own->refs, 1, __ATOMIC_ACQ_REL) == 0)
        snapshot_free(own);
}

struct tally_question {
    struct question q;
    struct tally *copy;
};

static void on_tally(struct engine *e, struct mail *m)
{
    struct tally_question *t = OF(struct tally_question, q.mail, m);

    t->copy = tally_copy(&e->tally);
    sem_post(&t->q.answered);
}

struct tally *engine_tally(struct engine *e)
{
    struct tally_question t = {0};

    engine_ask(e, &t.q, on_tally);
    return t.copy;
}

static void engine_free(struct engine *e)
{
    if (!e)
        return;
    models_done(e);
    probe_done(e);
    follow_done(e);
    cache_done(&e->cache);
    for (size_t i = 0; i < e->up_count; i++) {
        upstream_free(e->up[i]);
        sb_done(&e->gauge[i]);
    }
    if (e->multi)
        curl_multi_cleanup(e->multi);
    if (e->admit)
        admit_free(e->admit);
    purse_done(e);
    session_book_done(&e->sessions);
    caller_book_done(&e->callers);
    oplog_close(e->oplog);
    tally_done(&e->tally);
    if (e->epoll_fd >= 0)
        close(e->epoll_fd);
    if (e->wake_fd >= 0)
        close(e->wake_fd);
    if (e->snapshot)
        snapshot_put(e->snapshot);
    pthread_mutex_destroy(&e->inbox_lock);
    pthread_mutex_destroy(&e->models_lock);
    pthread_mutex_destroy(&e->snapshot_lock);
    sb_done(&e->out);
    sb_done(&e->scratch);
    free(e->slots);
    free(e);
}

static struct oplog *oplog_of(const struct settings *s)
{
    struct sb path = sb_make(8192);
    struct oplog *o;

    if (!s->operations_log.on)
        return NULL;
    sb_putf(&path, "%s/operations.jsonl", s->state);
    o = oplog_open(sb_str(&path), s->operations_log.max_bytes, (int)s->operations_log.older);
    sb_done(&path);
    return o;
}

struct engine *engine_start(const struct settings *s, struct writer *w, const char *saved_state)
{
    enum { OUT_MAX = 32 * 1024 * 1024 };
    struct engine *e = mem_zalloc(1, sizeof *e);
    uint64_t seed;
    bool ok = true;

    e->s = s;
    e->w = w;
    e->up_count = s->n_upstreams;
    e->begun_us = e->now_us = clock_mono_us();
    e->inbox_end = &e->inbox;
    e->fresh_end = &e->fresh;
    e->pace_end = &e->pace;
    e->out = sb_make(OUT_MAX);
    e->scratch = sb_make(OUT_MAX);
    for (size_t i = 0; i < e->up_count; i++)
        e->gauge[i] = sb_make(ENGINE_GAUGE_MAX);
    pthread_mutex_init(&e->inbox_lock, NULL);
    pthread_mutex_init(&e->models_lock, NULL);
    pthread_mutex_init(&e->snapshot_lock, NULL);
    e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    e->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;       /* safe from any thread since 7.84, counted */
    e->multi = curl_multi_init();
    e->oplog = oplog_of(s);
    rand_bytes(&seed, sizeof seed);
    e->admit = admission_new(s, seed, e->now_us);
    admit_calendar(e->admit, e->now_us, clock_utc_ms());
    for (size_t i = 0; i < e->up_count; i++)
        if (settings_is_called(&s->upstreams[i]))
            ok = ok && (e->up[i] = upstream_new(&s->upstreams[i], s->ca_file)) != NULL;
    if (saved_state && !admit_load(e->admit, saved_state, strlen(saved_state), e->now_us, clock_utc_ms()))
        log_warn("engine: the saved state of the limits is damaged and was left out");
    if (!ok || e->epoll_fd < 0 || e->wake_fd < 0 || !e->multi || !models_init(e) || !purse_init(e) || !leases_init(e) ||
        pthread_create(&e->thread, NULL, loop_run, e) != 0) {
        log_error("engine: cannot start: descriptors, memory or threads are missing");
        engine_free(e);
        return NULL;
    }
    return e;
}

static void on_drain(struct engine *e, struct mail *m)
{
    e->drain_until_us = INT64_MAX;
    conduct_drain(e);
    sem_post(&OF(struct question, mail, m)->answered);
}

void engine_drain(struct engine *e)
{
    struct question q = {0};

    engine_ask(e, &q, on_drain);
}

struct stop_letter {
    struct mail mail;
    int64_t drain_us;
};

static void on_stop(struct engine *e, struct mail *m)
{
    e->stopping = true;
    e->drain_until_us = e->now_us + OF(struct stop_letter, mail, m)->drain_us;
    conduct_drain(e);
}

void engine_stop(struct engine *e, int64_t drain_ms, struct sb *saved_state)
{
    struct stop_letter s = {.mail = {.deliver = on_stop}, .drain_us = drain_ms * USEC_PER_MS};

    if (!e)
        return;
    engine_post(e, &s.mail);
    pthread_join(e->thread, NULL);
    if (saved_state)
        admit_save(e->admit, clock_mono_us(), clock_utc_ms(), saved_state);
    engine_free(e);
}
