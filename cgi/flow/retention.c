/* retention.c - a run goes through its duties in order; each step is one write of
 * a bounded number of rows, and a beat ends after a moment wherever it is. */
#include "flow/retention.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/anonymous.h"
#include "store/audit.h"
#include "store/content.h"
#include "store/idempotency.h"
#include "store/retain.h"

enum {
    STEP_ROWS = 500,
    STEP_PAGES = 512,
    ALL_PAGES = 1 << 30,
    STEP_SESSIONS = 50,                      /* one may have thousands of messages */
    BEAT_US = 200 * 1000,                    /* of each beat */
    EVERY_MS = 3600 * 1000,
    DAY_MS = 24 * 3600 * 1000,
};

enum duty { TEXTS, TOO_MUCH_TEXT, KEYS, SESSIONS, NAMES, REQUESTS, AUDIT, WORDS, SPACE, LOG, DONE };

struct run {
    int64_t began_ms, ended_ms;              /* ended 0: under way; began 0: there was none */
    int64_t texts, text_bytes, keys, sessions, anonymized, requests, audit_rows;
};

struct retention {
    struct writer *writer;
    struct db *ro;
    enum duty duty;                          /* DONE: nothing is under way */
    int64_t next_ms;
    int64_t excess;                          /* of texts over their bound; < 0: not measured in this run */
    struct anonymous_held held;              /* of this run */
    int64_t person;                          /* where the next is looked for who is not anonymous yet; < 0: all are */
    struct run now;
    pthread_mutex_t lock;                    /* leaf: over what is shown */
    struct run shown;
    int64_t shown_next_ms, shown_anonymous_ms;
    bool shown_held;
};

struct retention *retention_new(struct writer *w, struct db *ro)
{
    struct retention *r = mem_zalloc(1, sizeof *r);

    r->writer = w;
    r->ro = ro;
    r->duty = DONE;
    (void)pthread_mutex_init(&r->lock, NULL);
    return r;
}

void retention_free(struct retention *r)
{
    if (!r)
        return;
    anonymous_held_done(&r->held);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

/* --- one step --- */

struct step {
    struct write_op op;
    struct retention *r;
    const struct settings *s;
    int64_t now_ms;
    int64_t gone, bytes, person;
};

/* The row that says what went is one too: once a day is often enough. */
static int64_t whole_days(int64_t ms)
{
    return ms - ms % DAY_MS;
}

static enum weir_err run_step(struct db *db, struct write_op *op)
{
    struct step *p = (struct step *)op;
    int64_t content_ms = p->s->retention.content_us / USEC_PER_MS;
    enum weir_err e;
    bool left;

    switch (p->r->duty) {
    case TEXTS:
        return retain_texts(db, p->now_ms - content_ms, INT64_MAX, STEP_ROWS, &p->gone, &p->bytes);
    case TOO_MUCH_TEXT:
        return retain_texts(db, INT64_MAX, p->r->excess, STEP_ROWS, &p->gone, &p->bytes);
    case KEYS:
        return idempotency_prune(db, p->now_ms, STEP_ROWS, &p->gone);
    case SESSIONS:
        return retain_sessions(db, p->now_ms - (content_ms < DAY_MS ? DAY_MS : content_ms), STEP_SESSIONS, &p->gone);
    case NAMES:
        p->person = p->r->person;
        return anonymous_some(db, p->now_ms - p->s->retention.named_us / USEC_PER_MS, p->now_ms, &p->r->held, &p->person, &p->gone);
    case REQUESTS:
        return retain_requests(db, p->now_ms - p->s->retention.usage_us / USEC_PER_MS, p->now_ms, STEP_ROWS, &p->gone);
    case AUDIT:
        return audit_prune(db, whole_days(p->now_ms - p->s->retention.audit_us / USEC_PER_MS), p->now_ms, STEP_ROWS, &p->gone);
    case WORDS:
        e = content_merge_words(db, STEP_PAGES, &left);
        p->gone = left;
        return e;
    case SPACE:
        return db_give_back(db, STEP_PAGES, &p->gone);
    case LOG:
    case DONE:
        break;
    }
    return WEIR_OK;
}

static void count(struct run *n, enum duty duty, const struct step *p)
{
    switch (duty) {
    case TEXTS:
    case TOO_MUCH_TEXT:
        n->texts += p->gone;
        n->text_bytes += p->bytes;
        break;
    case KEYS: n->keys += p->gone; break;
    case SESSIONS: n->sessions += p->gone; break;
    case NAMES: n->anonymized += p->gone; break;
    case REQUESTS: n->requests += p->gone; break;
    case AUDIT: n->audit_rows += p->gone; break;
    case WORDS:
    case SPACE:
    case LOG:
    case DONE: break;
    }
}

/* How much text there is over its bound; measured once in a run, on our own connection. */
static bool too_much(struct retention *r, const struct settings *s)
{
    int64_t bytes;

    if (!s->retention.content_bytes)
        return false;
    if (r->excess < 0 && retain_text_bytes(r->ro, &bytes) == WEIR_OK)
        r->excess = bytes > s->retention.content_bytes ? bytes - s->retention.content_bytes : 0;
    return r->excess > 0;
}

/* --- names --- */

static bool names_due(struct retention *r, const struct settings *s)
{
    if (!s->retention.named_us || r->person < 0)
        return false;
    anonymous_held_done(&r->held);
    return anonymous_held(r->ro, s, &r->held) == WEIR_OK;
}

/* Once a run, for all of it. */
static enum weir_err run_note(struct db *db, struct write_op *op)
{
    const struct step *p = (const struct step *)op;
    char detail[64];
    const struct audit_entry a = {.at_ms = p->now_ms, .actor = "weir", .action = "usage.anonymized", .object = "", .detail = detail};

    (void)snprintf(detail, sizeof detail, "{\"requests\":%" PRId64 "}", p->r->now.anonymized);
    return audit_add(db, &a);
}

static void note_names(struct retention *r)
{
    struct step p = {.op.run = run_note, .r = r, .now_ms = clock_utc_ms()};

    if (r->now.anonymized && writer_call(r->writer, &p.op))
        log_warn("retention: that usage was anonymized could not be written into the audit log");
}

/* False: this duty is done with, or cannot be done now. */
static bool step(struct retention *r, const struct settings *s)
{
    struct step p = {.op.run = run_step, .r = r, .s = s, .now_ms = clock_utc_ms()};

    if (r->duty == TOO_MUCH_TEXT && !too_much(r, s))
        return false;
    if (r->duty == NAMES && !names_due(r, s))
        return false;
    if (r->duty == WORDS && !(r->now.texts + r->now.sessions))
        return false;
    if (r->duty >= SPACE && !(r->now.texts + r->now.keys + r->now.sessions + r->now.anonymized + r->now.requests))
        return false;
    if (r->duty == LOG) {
        if (retention_clean(r->writer, 0) == CLEANED_NOT_LOG)
            log_debug("retention: the write-ahead log is in use; it is emptied at a later run");
        return false;
    }
    if (writer_call(r->writer, &p.op) != WEIR_OK)
        return false;
    count(&r->now, r->duty, &p);
    if (r->duty == TOO_MUCH_TEXT)
        r->excess -= p.bytes;
    if (r->duty == NAMES)
        r->person = p.person;
    return r->duty == NAMES ? r->person >= 0 : p.gone > 0;
}

/* --- a run --- */

static void show(struct retention *r)
{
    int64_t anonymous_ms = 0;

    if (anonymous_to(r->ro, &anonymous_ms))
        anonymous_ms = 0;
    (void)pthread_mutex_lock(&r->lock);
    r->shown = r->now;
    r->shown_next_ms = r->next_ms;
    r->shown_held = r->held.everybody || r->held.n;
    r->shown_anonymous_ms = anonymous_ms;
    (void)pthread_mutex_unlock(&r->lock);
}

static void begin(struct retention *r)
{
    r->now = (struct run){.began_ms = clock_utc_ms()};
    r->next_ms = r->now.began_ms + EVERY_MS;
    r->excess = -1;
    r->person = 0;
    anonymous_held_done(&r->held);
    r->duty = TEXTS;
}

static void end(struct retention *r)
{
    struct run *n = &r->now;

    n->ended_ms = clock_utc_ms();
    note_names(r);
    if (n->anonymized)
        log_info("retention: %" PRId64 " requests are anonymous now", n->anonymized);
    if (n->texts + n->sessions + n->requests + n->audit_rows > 0)
        log_info("retention: %" PRId64 " texts (%" PRId64 " bytes), %" PRId64 " sessions, %" PRId64 " requests and %" PRId64
                 " rows of the audit log had outlived their time", n->texts, n->text_bytes, n->sessions, n->requests, n->audit_rows);
}

void retention_beat(struct retention *r, const struct settings *s)
{
    int64_t until_us = clock_mono_us() + BEAT_US;

    content_keep(s->retention.content_us > 0);
    if (r->duty == DONE && clock_utc_ms() >= r->next_ms)
        begin(r);
    else if (r->duty == DONE)
        return;
    while (r->duty != DONE && clock_mono_us() < until_us) {
        if (!step(r, s) && ++r->duty == DONE)
            end(r);
    }
    show(r);
}

/* --- the files --- */

struct cleaning {
    struct write_op op;
    struct db *db;
    int64_t rebuild;
    enum cleaned how;
    sem_t over;
};

static enum weir_err run_nothing(struct db *db, struct write_op *op)
{
    ((struct cleaning *)op)->db = db;
    return WEIR_OK;
}

/* On the writer's thread with the transaction closed: the one place where this can be done. */
static void clean(struct write_op *op, enum weir_err result)
{
    struct cleaning *c = (struct cleaning *)op;
    bool left;
    bool whole = result == WEIR_OK && (!c->rebuild || (content_merge_words(c->db, ALL_PAGES, &left) == WEIR_OK &&
                                                       db_rebuild(c->db, c->rebuild) == WEIR_OK));
    bool log = result == WEIR_OK && db_truncate_log(c->db);

    c->how = !log ? CLEANED_NOT_LOG : whole ? CLEANED : CLEANED_NOT_WHOLE;
    (void)sem_post(&c->over);
}

enum cleaned retention_clean(struct writer *w, int64_t rebuild)
{
    struct cleaning c = {.op = {.run = run_nothing, .done = clean}, .rebuild = rebuild};

    (void)sem_init(&c.over, 0, 0);
    writer_submit(w, &c.op);
    while (sem_wait(&c.over) != 0)
        ;
    (void)sem_destroy(&c.over);
    return c.how;
}

/* --- shown --- */

static void days(struct sb *out, const char *name, int64_t us)
{
    sb_putf(out, "\"%s\":%.6g", name, (double)us / (double)(DAY_MS * USEC_PER_MS));
}

static void moment(struct sb *out, const char *name, int64_t at_ms)
{
    sb_putf(out, ",\"%s\":", name);
    if (at_ms) {
        sb_putc(out, '"');
        sb_time(out, at_ms);
        sb_putc(out, '"');
    } else
        sb_puts(out, "null");
}

void retention_json(struct retention *r, const struct settings *s, struct sb *out)
{
    struct run n;
    int64_t next_ms, anonymous_ms;
    bool held;

    (void)pthread_mutex_lock(&r->lock);
    n = r->shown;
    next_ms = r->shown_next_ms;
    anonymous_ms = r->shown_anonymous_ms;
    held = r->shown_held;
    (void)pthread_mutex_unlock(&r->lock);
    sb_putc(out, '{');
    days(out, "content_days", s->retention.content_us);
    sb_putf(out, ",\"content_bytes\":%" PRId64 ",", s->retention.content_bytes);
    days(out, "usage_days", s->retention.usage_us);
    sb_putc(out, ',');
    days(out, "anonymize_days", s->retention.named_us);
    moment(out, "anonymous_before", anonymous_ms);
    sb_puts(out, held ? ",\"names_held_by_budgets\":true," : ",\"names_held_by_budgets\":false,");
    days(out, "audit_days", s->retention.audit_us);
    moment(out, "next_run_at", next_ms);
    sb_puts(out, ",\"last_run\":");
    if (!n.began_ms) {
        sb_puts(out, "null}");
        return;
    }
    sb_putf(out, "{\"texts\":%" PRId64 ",\"text_bytes\":%" PRId64 ",\"sessions\":%" PRId64 ",\"anonymized\":%" PRId64 ",\"requests\":%" PRId64 ",\"audit_rows\":%" PRId64,
            n.texts, n.text_bytes, n.sessions, n.anonymized, n.requests, n.audit_rows);
    moment(out, "began_at", n.began_ms);
    moment(out, "ended_at", n.ended_ms);
    sb_puts(out, "}}");
}
