/* keeper.c - one loop that sleeps until the next duty or the stop. Everything it
 * writes goes through the writer like anybody's rows. */
#include "flow/keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/alarm.h"
#include "flow/retention.h"
#include "flow/tuner.h"
#include "store/account.h"
#include "store/demand.h"
#include "store/audit.h"
#include "store/report.h"
#include "store/spans.h"
#include "store/upkeep.h"
#include "store/verify.h"
#include "store/webhooks.h"

enum {
    SAVE_S = ENGINE_SAVE_US / 1000000,
    SWEEP_S = 60,
    RECALL_S = 3600,
    AUDIT_S = 3600,
    STATE_MAX = 16 * 1024 * 1024,
    SUGGESTIONS_MAX = 1024 * 1024,
    FINDINGS_LOGGED = 20,
    REPLAY_US = 250 * 1000,          /* of each beat, so a twentieth of the time, may go into replays */
    VERIFY_US = 250 * 1000,          /* and as much into the check of the ledger */
    STEP_MS = 2000                   /* the clock of the calendar moves that much against the other: it was set */
};

struct keeper {
    struct engine *engine;
    struct writer *writer;
    struct courier *courier;
    struct alarm *alarm;
    struct db *ro;
    struct retention *retention;
    pthread_t thread;
    int stop_fd;                     /* eventfd: readable once it is time to stop */
    uint64_t saved_version;          /* of the snapshot whose state was saved last */
    const struct settings *_Atomic *settings;
    struct tuner *tuner;             /* at work, or NULL */
    int64_t tuned_us;                /* when it began last; 0: never */
    int64_t tuned_version;           /* of the ledger then */
    struct verify *verify;           /* at work, or NULL */
    int64_t started_ms;              /* UTC */
    int64_t ahead_ms;                /* the calendar, of the monotonic clock */
    int64_t verified_us;             /* when it began last; 0: never */
    pthread_mutex_t lock;            /* leaf: over `found` */
    struct sb found;
    atomic_bool clean_due;           /* the files have something that was erased */
    atomic_int_fast64_t refused;     /* credentials, since this was written down */
    int64_t head_seq;                /* of the audit log, when it was said last */
};

struct chore {
    struct write_op op;
    const char *state;
    int64_t minutes, sign_ins;
    bool more;
};

static enum weir_err run_save(struct db *db, struct write_op *op)
{
    return upkeep_put(db, UPKEEP_ADMISSION, ((struct chore *)op)->state, clock_utc_ms());
}

/* Only if something changed: an idle Weir writes nothing. */
static void save(struct keeper *k)
{
    const struct snapshot *s = engine_snapshot(k->engine);
    uint64_t version = s->version;
    struct chore c = {.op = {.run = run_save}};
    struct sb state;

    snapshot_put(s);
    if (version == k->saved_version)
        return;
    state = sb_make(STATE_MAX);
    engine_save_state(k->engine, &state);
    c.state = sb_str(&state);
    if (!sb_ok(&state) || !state.len)
        log_error("keeper: the state of the limits is too large to be kept");
    else if (writer_call(k->writer, &c.op) == WEIR_OK)
        k->saved_version = version;
    sb_done(&state);
}

static enum weir_err run_sweep(struct db *db, struct write_op *op)
{
    struct chore *c = (struct chore *)op;
    int64_t now_ms = clock_utc_ms();
    enum weir_err e = upkeep_minutes(db, now_ms, &c->minutes);

    if (!e)
        e = webhooks_sweep(db, now_ms);
    return e ? e : account_sweep(db, now_ms, &c->sign_ins);
}

static void sweep(struct keeper *k)
{
    struct chore c = {.op = {.run = run_sweep}};

    if (writer_call(k->writer, &c.op) == WEIR_OK && c.minutes + c.sign_ins > 0)
        log_debug("keeper: %" PRId64 " minute roll-ups and %" PRId64 " sign-ins had expired", c.minutes, c.sign_ins);
}

/* --- the calendar --- */

struct step {
    struct write_op op;
    int64_t by_ms;
};

static enum weir_err run_step(struct db *db, struct write_op *op)
{
    char detail[40];
    const struct audit_entry a = {.at_ms = clock_utc_ms(), .actor = "weir", .action = "clock.step", .object = "", .detail = detail};

    (void)snprintf(detail, sizeof detail, "{\"by_ms\":%" PRId64 "}", ((struct step *)op)->by_ms);
    return audit_add(db, &a);
}

static int64_t calendar_ahead_ms(void)
{
    return clock_utc_ms() - clock_mono_us() / USEC_PER_MS;
}

/* Limits and waits do not follow a calendar that was set; budgets, retention and every time in the records do. */
static void watch_calendar(struct keeper *k)
{
    int64_t ahead_ms = calendar_ahead_ms();
    struct step s = {.op = {.run = run_step}, .by_ms = ahead_ms - k->ahead_ms};

    if (s.by_ms >= -STEP_MS && s.by_ms <= STEP_MS)
        return;
    log_warn("keeper: the system's clock was set by %" PRId64 " ms", s.by_ms);
    if (writer_call(k->writer, &s.op) == WEIR_OK)
        k->ahead_ms = ahead_ms;
}

/* --- the audit log --- */

struct refusals {
    struct write_op op;
    int64_t n;
};

static enum weir_err run_refusals(struct db *db, struct write_op *op)
{
    char detail[40];
    const struct audit_entry a = {.at_ms = clock_utc_ms(), .actor = "weir", .action = "sign-in.refused", .object = "", .detail = detail};

    (void)snprintf(detail, sizeof detail, "{\"count\":%" PRId64 "}", ((struct refusals *)op)->n);
    return audit_add(db, &a);
}

void keeper_refused(struct keeper *k)
{
    atomic_fetch_add(&k->refused, 1);
}

static void write_refusals(struct keeper *k)
{
    struct refusals r = {.op.run = run_refusals, .n = atomic_exchange(&k->refused, 0)};

    if (r.n && writer_call(k->writer, &r.op))
        atomic_fetch_add(&k->refused, r.n);
}

/* To the log, which is kept elsewhere: what is cut off the audit log's end later is found by it. */
static void say_head(struct keeper *k)
{
    struct audit_head head;
    char text[AUDIT_HEAD_SIZE];

    if (audit_head(k->ro, &head) || head.seq == k->head_seq)
        return;
    audit_head_text(&head, text);
    log_info("audit: head %s", text);
    k->head_seq = head.seq;
}

static void audit(struct keeper *k)
{
    write_refusals(k);
    say_head(k);
}

void keeper_retention(struct keeper *k, const struct settings *s, struct sb *out)
{
    retention_json(k->retention, s, out);
}

bool keeper_clean(struct keeper *k)
{
    enum cleaned how = retention_clean(k->writer, RETENTION_REBUILD_MAX);

    if (how == CLEANED_NOT_LOG)
        atomic_store(&k->clean_due, true);
    return how != CLEANED_NOT_WHOLE;
}

/* --- suggestions --- */

/* When it is time again, and something was settled since. */
static void begin_tuning(struct keeper *k)
{
    const struct settings *s = *k->settings;
    int64_t now_us = clock_mono_us(), version;

    if (!s->suggest_us || (k->tuned_us && now_us - k->tuned_us < s->suggest_us))
        return;
    version = report_version(k->ro);
    if (k->tuned_us && version == k->tuned_version)
        return;
    k->tuned_us = now_us;
    k->tuned_version = version;
    k->tuner = tuner_new(s, k->ro, clock_utc_ms());
}

static void publish(struct keeper *k)
{
    struct sb fresh = sb_make(SUGGESTIONS_MAX), old;

    tuner_json(k->tuner, &fresh);
    pthread_mutex_lock(&k->lock);
    old = k->found;
    k->found = fresh;
    pthread_mutex_unlock(&k->lock);
    sb_done(&old);
    tuner_free(k->tuner);
    k->tuner = NULL;
}

/* A little, so that the other duties do not wait. */
static void tune(struct keeper *k)
{
    int64_t until_us = clock_mono_us() + REPLAY_US;
    bool more = true;

    if (!k->tuner)
        begin_tuning(k);
    if (!k->tuner)
        return;
    while (more && clock_mono_us() < until_us)
        more = tuner_step(k->tuner);
    if (!more)
        publish(k);
}

void keeper_suggestions(struct keeper *k, struct sb *out)
{
    pthread_mutex_lock(&k->lock);
    sb_puts(out, sb_str(&k->found));
    pthread_mutex_unlock(&k->lock);
}

/* --- the outlook --- */

/* The minutes of the day are read once: from then on the engine knows them better. */
static void recall(struct keeper *k, bool minutes)
{
    struct outlook_past past;

    if (demand_load(k->ro, clock_utc_ms(), minutes, &past) != WEIR_OK)
        return;
    engine_recall(k->engine, &past);
    outlook_past_done(&past);
}

/* --- the check of the ledger --- */

static void begin_verify(struct keeper *k)
{
    const struct settings *s = *k->settings;
    int64_t now_us = clock_mono_us();
    const struct verify_setup setup = {.ro = k->ro, .settings = s, .now_ms = clock_utc_ms(), .running_since_ms = k->started_ms};

    if (!s->verify_us || (k->verified_us && now_us - k->verified_us < s->verify_us))
        return;
    k->verified_us = now_us;
    k->verify = verify_new(&setup);
}

struct verified {
    struct write_op op;
    const struct verify_result *result;
};

static enum weir_err run_keep(struct db *db, struct write_op *op)
{
    return verify_last_keep(db, ((struct verified *)op)->result, clock_utc_ms());
}

static void end_verify(struct keeper *k)
{
    const struct verify_result *r = verify_result(k->verify);
    struct verified v = {.op = {.run = run_keep}, .result = r};

    for (size_t i = 0; i < r->findings && i < FINDINGS_LOGGED; i++)
        log_error("ledger: %s: %s: %s", verify_check_name(r->finding[i].check), r->finding[i].where, r->finding[i].text);
    if (r->failures)
        log_error("ledger: it does not add up: %" PRId64 " findings; `weir verify` lists them", r->failures);
    else
        log_info("ledger: %" PRId64 " events add up", r->events);
    alarm_ledger(k->alarm, r->failures);
    if (writer_call(k->writer, &v.op))
        log_warn("keeper: what the check of the ledger came to could not be kept");
    verify_free(k->verify);
    k->verify = NULL;
}

/* A little, so that the other duties do not wait. */
static void verify(struct keeper *k)
{
    int64_t until_us = clock_mono_us() + VERIFY_US;
    bool more = true;

    if (!k->verify)
        begin_verify(k);
    if (!k->verify)
        return;
    while (more && clock_mono_us() < until_us)
        more = verify_step(k->verify);
    if (!more)
        end_verify(k);
}

/* What the run before found is true until this one has looked. */
static void recall_verify(struct keeper *k)
{
    struct verify_last last;

    if (verify_last_read(k->ro, &last) == WEIR_OK)
        alarm_ledger(k->alarm, last.failures);
}

/* --- the thread --- */

/* Sleep for `s` seconds; false once it is time to stop. */
static bool rest(struct keeper *k, int s)
{
    struct pollfd stop = {.fd = k->stop_fd, .events = POLLIN};

    return poll(&stop, 1, s * 1000) == 0;
}

static enum weir_err run_fold(struct db *db, struct write_op *op)
{
    struct chore *c = (struct chore *)op;

    return spans_fold(db, clock_utc_ms(), &c->more);
}

/* Four hours at a time, so that nobody waits for the writer long. */
static void fold(struct keeper *k)
{
    struct chore c = {.op = {.run = run_fold}, .more = true};

    while (c.more && rest(k, 0))
        if (writer_call(k->writer, &c.op) != WEIR_OK)
            return;
}

static void *keeper(void *arg)
{
    struct keeper *k = arg;

    (void)prctl(PR_SET_NAME, "keeper");
    save(k);                         /* at once: one that is killed before the first beat is known to have run */
    recall(k, true);
    sweep(k);
    fold(k);
    retention_beat(k->retention, *k->settings);
    recall_verify(k);
    for (int s = SAVE_S; rest(k, SAVE_S); s += SAVE_S) {
        save(k);
        watch_calendar(k);
        if (alarm_look(k->alarm))
            courier_nudge(k->courier);
        if (s % SWEEP_S == 0) {
            sweep(k);
            fold(k);
        }
        if (s % RECALL_S == 0)
            recall(k, false);
        if (s % AUDIT_S == 0)
            audit(k);
        retention_beat(k->retention, *k->settings);
        if (atomic_exchange(&k->clean_due, false))
            (void)keeper_clean(k);
        tune(k);
        verify(k);
    }
    write_refusals(k);
    return NULL;
}

static void keeper_free(struct keeper *k)
{
    if (k->stop_fd >= 0)
        (void)close(k->stop_fd);
    alarm_free(k->alarm);
    retention_free(k->retention);
    tuner_free(k->tuner);
    verify_free(k->verify);
    sb_done(&k->found);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

struct keeper *keeper_start(struct engine *e, struct writer *w, struct courier *c, struct db *ro, const struct settings *_Atomic *s)
{
    struct keeper *k = mem_zalloc(1, sizeof *k);
    int rc;

    k->engine = e;
    k->writer = w;
    k->courier = c;
    k->alarm = alarm_new(e, w, ro);
    k->settings = s;
    k->retention = retention_new(w, ro);
    k->ro = ro;
    k->started_ms = clock_utc_ms();
    k->ahead_ms = calendar_ahead_ms();
    k->found = sb_make(SUGGESTIONS_MAX);
    (void)pthread_mutex_init(&k->lock, NULL);
    k->stop_fd = eventfd(0, EFD_CLOEXEC);
    rc = k->stop_fd < 0 ? errno : pthread_create(&k->thread, NULL, keeper, k);
    if (!rc)
        return k;
    log_error("keeper: cannot start: %s", strerror(rc));
    keeper_free(k);
    return NULL;
}

void keeper_stop(struct keeper *k)
{
    uint64_t one = 1;

    if (!k)
        return;
    if (write(k->stop_fd, &one, sizeof one) != (ssize_t)sizeof one)
        log_error("keeper: cannot be stopped: %s", strerror(errno));
    (void)pthread_join(k->thread, NULL);
    keeper_free(k);
}
