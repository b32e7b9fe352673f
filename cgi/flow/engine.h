/* engine.h - the one thread that owns the river: queue, limits, upstreams,
 * timers, every waiting and every streaming client.
 *
 * Others talk to it through its inbox (submit, cancel, reset) and look at it
 * through snapshots. All functions below may be called from any thread. */
#ifndef WEIR_ENGINE_H
#define WEIR_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "base/sb.h"
#include "base/settings.h"
#include "flow/admit.h"
#include "flow/job.h"
#include "flow/tally.h"
#include "rules/budget.h"
#include "rules/session_tokens.h"
#include "flow/writer.h"
#include "store/zone.h"

struct engine;

/* Start the thread. `s` is borrowed until engine_stop(); `saved_state` is what engine_stop() or the keeper saved
 * last (JSON, or NULL). Returns NULL with a logged sentence if descriptors or threads cannot be had. */
struct engine *engine_start(const struct settings *s, struct writer *w, const char *saved_state);

/* Give a job away; the engine answers its client in every case. Never blocks. */
void engine_submit(struct engine *e, struct job *j);

/* End queued and running work of one request or one session ("" or NULL: not by this; neither: all of the user's), only if
 * it belongs to `user_id` (NULL: anybody's). Waits for the engine (milliseconds). Gives the ids as a JSON array into `out`. */
void engine_cancel(struct engine *e, const char *user_id, const char *request_id, const char *session_id, struct sb *out);

/* A wish to read a request's stream of events, from one on. */
struct follow {
    struct mail mail;
    struct peer_client client;
    char request_id[CALL_ID_SIZE], user_id[RAND_ID_SIZE];
    int64_t after;                   /* the number of the last event it knows; 0: none */
    struct sb head;                  /* status and headers of the answer, CGI style; the events are put behind them */
    struct sb refusal;               /* the whole answer if there is no such stream of this user */
};
/* Takes a malloc'd wish and its client, who is answered in every case. Never blocks. */
void engine_follow(struct engine *e, struct follow *f);
/* The same, to read 20 pieces that come 100 ms apart, of no request and without a record. Refused while the user, or eight
 * others, read such a stream already. */
void engine_probe(struct engine *e, struct follow *f);

/* Somebody's access was changed or ended: all that runs with it, or waits, ends with E_ACCESS_ENDED, and so does what was let in
 * before this and arrives after. Of `user_id`, or with one token only (the other is NULL). */
void engine_end_access(struct engine *e, const char *user_id, const char *token_id);

/* A request that waits gets another priority: true, and its place in the queue (0: it has begun, or is about to). False: no
 * such request waits. Its record keeps the priority it was asked with. */
bool engine_promote(struct engine *e, const char *request_id, enum priority p, int64_t *position) __attribute__((warn_unused_result));

/* A request of `user_id` (NULL: anybody's) that rests after a failed attempt is tried again at once, or when its provider's
 * pause is over. False: no such request rests. */
bool engine_hurry(struct engine *e, const char *user_id, const char *request_id) __attribute__((warn_unused_result));

struct report_open;
/* Where a request stands that has not ended, into `out` (its builders made by the caller with sb_make). False: there is none. */
bool engine_request(struct engine *e, const char *request_id, struct report_open *out) __attribute__((warn_unused_result));

/* POST /monitoring/reset-rate-limits; `upstream` NULL = all. false: no such upstream. */
bool engine_reset_limits(struct engine *e, const char *upstream);

/* Index of an upstream in the settings' order that serves `model`, as a bit mask; 0: unknown model. Models learned
 * from a provider's /v1/models are included. */
uint64_t engine_upstreams_for(struct engine *e, const char *model);

/* The model of a request that names none: settings->default_model, else the first model known now of the first upstream
 * in the order of configuration,
 * the built-in one if there is no other. */
enum { MODEL_NAME_SIZE = 128 };
void engine_default_model(struct engine *e, char out[MODEL_NAME_SIZE]);

/* False until each provider that is to tell its models has answered or failed once, for a second at most: before that
 * a model may be unknown that is there. */
bool engine_models_known(struct engine *e);

/* {"models":[…]} part of GET /chat/models: id, upstream, healthy; written as a JSON array of {id, upstream, healthy}. */
void engine_models_json(struct engine *e, struct sb *out);

/* admit_forecast() */
enum weir_err engine_forecast(struct engine *e, const struct ask *ask, struct admit_prospect *out)
    __attribute__((warn_unused_result));

struct snapshot_entry {                /* one waiting request */
    char request_id[RAND_ID_SIZE], session_id[RAND_ID_SIZE], user_id[RAND_ID_SIZE];
    char model[64];
    int upstream;
    enum priority priority;
    int64_t position, waited_ms, eta_ms;      /* eta_ms -1: unknown */
    int64_t tokens;                           /* expected, in and out */
    enum gate reason;
    struct admit_spread spread;
};

struct snapshot_budget {               /* one ledger of the windows of at_ms */
    struct budget_rule rule;
    char key[BUDGET_KEY_SIZE];         /* whose */
    char tz[ZONE_NAME_SIZE];           /* whose days its windows are made of */
    struct budget_view view;           /* its rule and key are the ones above */
};

struct snapshot {                      /* immutable once published */
    uint64_t version;                  /* changes when the content does */
    int64_t at_ms;                     /* UTC */
    size_t upstream_count;
    struct admit_upstream_view *upstreams;     /* times relative: *_until_us are re-based to microseconds from at_ms */
    size_t entry_count;                /* at most 1,000 shown */
    struct snapshot_entry *entries;
    size_t budget_count;               /* at most 1,000 shown; all that are not one of many come first */
    bool budgets_cut;                  /* there are more */
    struct snapshot_budget *budgets;
    int64_t waiting[PRIORITY_COUNT], running, max_concurrent, oldest_wait_ms;
    struct admit_counters counters;
    int64_t wait_ms_p50, wait_ms_p90, wait_ms_p95, wait_ms_p99;   /* of recent grants */
    int64_t leases;                    /* of those that run: operations, which outlive Weir */
    bool draining;
    int refs;                          /* the engine's */
};

/* The state at most 100 ms ago; give it back with snapshot_put(). Never NULL. */
const struct snapshot *engine_snapshot(struct engine *e);
void snapshot_put(const struct snapshot *s);

/* What has happened since the start, counted; caller frees with tally_free(). */
struct tally *engine_tally(struct engine *e);

/* The budget that has least left for such a call: *left picodollars, and its members (gauge_budget_json) appended to
 * `out`, with `sums_hidden` no sums of one that others' calls count in. False: none counts the call. */
bool engine_budget(struct engine *e, const struct budget_call *c, bool sums_hidden, int64_t *left, struct sb *out)
    __attribute__((warn_unused_result));

/* What a job that has not been submitted costs at most, whichever of its models serves it, in picodollars; -1: nobody knows, as one has no
 * price. Any thread. */
int64_t engine_worst(struct job *j);

/* May a call of this session begin as far as its tokens go? Else the sentence, owned by the caller, and when it may. `known`
 * is what session_use_read() says. */
struct allowance_refusal {
    char *message;
    int64_t retry_after_ms;
};
bool engine_session_may(struct engine *e, const struct ask *ask, const struct session_tokens *known, struct allowance_refusal *no)
    __attribute__((warn_unused_result));
/* The limit on a session's tokens. Pure. */
struct session_limit allowance_limit(const struct settings *s);

/* Budgets were changed in the database: go by them from now on, what runs already included. Waits for the writer and the
 * engine. E_STORAGE: they could not be read, and those before stay in force. */
enum weir_err engine_reload_budgets(struct engine *e) __attribute__((warn_unused_result));

/* Another configuration, which followed the one in force (settings_follow), takes its place together with its budgets,
 * in one step between two others of the engine: nothing that runs is dropped, and what has to be refused from now on is
 * told so. Borrowed until engine_stop(), as the ones before. Waits for the writer and the engine. E_STORAGE: budgets
 * could not be read; E_OVERLOADED: no memory; either way nothing changed. */
enum weir_err engine_reload(struct engine *e, const struct settings *s) __attribute__((warn_unused_result));
/* What the records say was asked for, for the outlook; borrowed. Waits for the engine. */
void engine_recall(struct engine *e, const struct outlook_past *past);

/* The keeper stores the state of the limits this often. */
#define ENGINE_SAVE_US (INT64_C(5) * 1000000)
/* State worth keeping over a restart (admit_save_running), for the keeper to store every ENGINE_SAVE_US. */
void engine_save_state(struct engine *e, struct sb *out);

/* What waits and has reached no provider, and all new work, is refused from now on (503 draining); what runs goes on.
 * engine_stop() is to follow. Waits for the engine. */
void engine_drain(struct engine *e);

/* The same, let running calls finish for at most `drain_ms`, then end them with an error event,
 * settle everything, end the thread and free. */
void engine_stop(struct engine *e, int64_t drain_ms, struct sb *saved_state);

#endif
