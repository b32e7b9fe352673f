/* engine_impl.h - the engine's state and the verbs of the files that make it
 * up. Nobody else includes this. Unless a line says otherwise everything here
 * is entered by the engine's thread alone, and nothing blocks.
 *
 *   engine.c    start, stop, inbox: what other threads call
 *   loop.c      epoll, libcurl's sockets and timers, one turn after another
 *   conduct.c   arrival, line, grant, commit, end: a job's way from state to state
 *   access.c    limits of users and tokens, and whose access was ended
 *   attempt.c   one call at a provider, from the first byte sent to the verdict
 *   pace.c      the same for the built-in model, word by word
 *   relay.c     what clients are told
 *   share.c     one answer for all who ask the same
 *   follow.c    who else reads a stream, and streams that can be resumed
 *   probe.c     a stream that tests the way to its reader
 *   relay_wire.c    the same for clients of /v1, in their own words
 *   settle.c    what a call used, cost and took
 *   marks.c     how far running answers have come, for the start after a kill
 *   explain.c   where one request stands
 *   meter.c     what is counted of it for /metrics
 *   purse.c     budgets: what may be spent, is held and was spent
 *   allowance.c tokens of sessions: what may be taken before one cools
 *   lease.c     operations: what somebody else calls under a lease
 *   models.c    which upstream serves which model
 *   reload.c    another configuration, and budgets as they are by now
 *   snapshot.c  what others see
 * and, for all of Weir: job.c, gauge.c (limits as JSON).
 */
#ifndef WEIR_ENGINE_IMPL_H
#define WEIR_ENGINE_IMPL_H

#include <curl/curl.h>
#include <pthread.h>
#include <semaphore.h>

#include "base/clock.h"
#include "flow/engine.h"
#include "flow/job.h"
#include "flow/lease.h"
#include "flow/once.h"
#include "flow/oplog.h"
#include "flow/stream_log.h"
#include "flow/tally.h"
#include "flow/trace.h"
#include "peer/head.h"
#include "peer/sse.h"
#include "peer/upstream.h"
#include "peer/wire.h"
#include "rules/budget.h"
#include "store/budgets.h"
#include "store/report.h"

enum {
    ENGINE_TICK_US = 250 * 1000,             /* time-outs, pings and queue events are looked at so often … */
    ENGINE_IDLE_TICK_US = 1000 * 1000,       /* … and with nobody there only what runs out by itself */
    PING_US = 15 * 1000 * 1000 - ENGINE_TICK_US - 50 * 1000,      /* never more than 15 s of silence, however late the tick is */
    STUCK_US = 60 * 1000 * 1000,             /* a client that takes nothing for so long is given up */
    WAITS_KEPT = 1024,
    CLOSED_KEPT = 64,                         /* accesses: a request is let in and arrives within moments */
    SNAPSHOT_COST = 20,                      /* making snapshots may take a twentieth of the time … */
    SNAPSHOT_AGE_MAX_US = 100 * 1000,        /* … and more where one would be older than this */
};

#define TRACEPARENT "traceparent: "

/* The struct that a member is in: of a letter, its question; of an operation, its job. */
#define OF(type, member, p) ((type *)(void *)((char *)(p) - offsetof(type, member)))

/* One call at a provider. */
struct job_attempt {
    struct engine *engine;
    struct job *job;
    struct upstream *upstream;
    CURL *easy;
    struct provider_head head;
    struct sse sse;
    enum wire wire;                /* what is spoken with the provider … */
    const struct wire_reader *reader;
    struct provider_reply reply;
    struct sb body;                /* of an answer that is no stream */
    enum weir_err failed;          /* decided before the transfer ended */
    bool paused;
    bool penniless;                /* cut off, because the provider went on beyond what the budgets pay for */
    struct curl_slist own[JOB_HEADS + 1];       /* headers of this call alone: those of its client, and … */
    char traceparent[sizeof TRACEPARENT - 1 + TRACE_PARENT_SIZE];
    int64_t started_us, last_us;   /* last: a byte came */
    int64_t body_bytes;
};

/* Somebody who reads a stream beside the client that asked for it. */
struct reader {
    struct peer_client client;
    struct watch watch;
    struct stream *stream;
    struct reader *next;           /* of the same stream */
    struct reader *grave;          /* freed at the end of the turn, as jobs are */
    size_t allowed;                /* bytes that may wait for it */
    int64_t quiet_us;              /* it took something last */
    bool last;                     /* it has been told the end */
};

struct stream {
    char request_id[CALL_ID_SIZE], user_id[RAND_ID_SIZE];
    struct job *job;               /* NULL: it has ended */
    struct stream_log log;
    struct reader *readers;
    /* once it has ended */
    struct sb text, reasoning;
    int64_t ended_us;
    size_t kept_bytes;
    struct stream *next;           /* ended later */
};

/* An access that was ended a moment ago. */
struct closed {
    char id[RAND_ID_SIZE];         /* of a user or a token */
    int64_t at_us;
};

struct marks;          /* marks.c: what the writer has in hand of them */

struct slot {
    struct job *job;               /* both NULL: free */
    struct reader *reader;
    uint32_t generation;
    uint32_t next_free;
};

struct model_list {
    char **id;
    size_t n;
    bool learned;                  /* asked for, not configured */
    bool heard;                    /* the first question was answered, or failed */
    bool healthy;
    CURL *easy;                    /* the question that runs, or NULL … */
    struct upstream *asked;        /* … and by which connection */
    struct sb body;
    int64_t ask_us;                /* when to ask next */
    int64_t backoff_us;
};

struct engine {
    const struct settings *s;      /* changed under models_lock, as is up_count: others read both there */
    struct writer *w;
    struct oplog *oplog;           /* the writer's; NULL: off */
    struct admit *admit;
    struct budget_set budgets;     /* as read last, with their zones */
    struct budget_book *book;
    struct session_book sessions;  /* where their tokens are limited */
    struct caller_book callers;    /* users and tokens with limits of their own */
    struct upstream *up[ADMIT_UPSTREAMS_MAX];   /* NULL: nothing to connect to */
    size_t up_count;
    pthread_t thread;
    int epoll_fd, wake_fd;
    CURLM *multi;
    int64_t curl_due_us;           /* libcurl's timer; INT64_MAX: none */
    int64_t begun_us;
    int64_t now_us;                /* read once a turn */
    int64_t tick_us;               /* the next tick */

    pthread_mutex_t inbox_lock;    /* leaf: over inbox alone */
    struct mail *inbox, **inbox_end;

    struct slot *slots;
    uint32_t slot_count, slot_free;
    struct job *jobs;              /* all of them */
    size_t job_count;
    int64_t leases;                      /* jobs with a ticket that run under a lease */
    struct job *fresh, **fresh_end;      /* arrived in this turn, not yet given to the writer */
    struct job *dead;                    /* freed at the end of the turn: stale events may still name them */
    struct cache cache;                  /* answers that may be given again */
    size_t reader_count;                 /* of all streams */
    struct reader *dead_readers;         /* likewise */
    struct probe *probes;                /* streams that test the way to their reader */
    struct stream *ended, *ended_last;   /* streams that can still be resumed, oldest first … */
    size_t ended_bytes;                  /* … and the memory they hold */
    struct job *pace, **pace_end;        /* the built-in model's answers, by due time */
    bool places_due;                     /* those who wait are to be told where they stand */
    int64_t places_us;                   /* not before */
    bool draining, stopping;
    int64_t drain_until_us;
    struct marks *marks;           /* NULL: none are being written */
    int64_t marked_us;             /* all of them, last */
    struct closed closed[CLOSED_KEPT];      /* a ring */
    uint64_t closed_count;
    struct sb out;                 /* what is being said to one client */
    size_t event_at;               /* where the event begins that is being put together */
    struct job *out_job;           /* which one, or NULL: nothing is being said */
    struct sb scratch;
    struct sb gauge[ADMIT_UPSTREAMS_MAX];        /* each upstream's limits as JSON … */
    int64_t gauge_us[ADMIT_UPSTREAMS_MAX];       /* … as they were then */

    pthread_mutex_t models_lock;   /* leaf: over the lists of models, s and up_count */
    struct model_list models[ADMIT_UPSTREAMS_MAX];

    pthread_mutex_t snapshot_lock; /* leaf: over the pointer and its count */
    struct snapshot *snapshot;
    int64_t snapshot_us, snapshot_keep_us;      /* when it was made, how long it is shown */
    int64_t waits_ms[WAITS_KEPT];  /* of recent grants, a ring */
    uint64_t waits;
    struct tally tally;            /* since the start */
};

/* engine.c: any thread. */
void engine_post(struct engine *e, struct mail *m);
/* Deliver what has come. */
void engine_deliver(struct engine *e);
/* A question that waits for its answer: each kind has this first, and posts `answered` when it is through. */
struct question {
    struct mail mail;
    sem_t answered;
};
void engine_ask(struct engine *e, struct question *q, void (*deliver)(struct engine *, struct mail *));
/* Whoever looks next sees what was just changed. */
void engine_look_anew(struct engine *e);
enum { ENGINE_GAUGE_MAX = 16 * 1024 };       /* of one upstream's limits as JSON */

/* loop.c */
void *loop_run(void *engine);
/* A descriptor's leaving and, if wanted, its readiness, for a job or a reader (the other is NULL). False: no memory for it;
 * it is to be forgotten all the same. */
bool loop_watch(struct engine *e, int fd, struct watch *w, struct job *j, struct reader *r) __attribute__((warn_unused_result));
void loop_want_out(struct engine *e, int fd, struct watch *w, bool on);
void loop_forget(struct engine *e, int fd, struct watch *w);   /* before it is closed */

/* conduct.c */
void conduct_enlist(struct engine *e, struct job *j);          /* among all jobs */
void conduct_arrive(struct engine *e, struct mail *m);
void conduct_turn(struct engine *e);                           /* grants, expiries, new jobs, queue events */
void conduct_client_gone(struct engine *e, struct job *j);
void conduct_client_writable(struct engine *e, struct job *j);
void conduct_unread(struct engine *e, struct job *j);          /* somebody who read it left: it ends, goes on for a while, or others read it */
/* Decide how it ends (takes end.message), stop what runs, give the ticket back, settle, tell. Ending twice changes nothing. */
void conduct_end(struct engine *e, struct job *j, struct job_end end);
void conduct_line_up(struct engine *e, struct job *j);         /* nobody else's answer will serve it: it takes a place in line, or ends */
void conduct_cancel(struct engine *e, struct job *j);          /* by request of its owner */
void conduct_retry(struct engine *e, struct job *j);           /* its ticket waits again */
void conduct_drain(struct engine *e);
void conduct_bury(struct engine *e);

/* access.c */
/* Was it let in by an access that has been ended since? */
bool access_was_ended(const struct engine *e, const struct job *j);
/* Do its user's and its token's own limits let it in now? Else *no says why not. Nothing changed. */
bool access_may(struct engine *e, const struct job *j, struct job_end *no) __attribute__((warn_unused_result));
void access_hold(struct engine *e, struct job *j);              /* it has a place in line */
void access_settle(struct engine *e, struct job *j);            /* it ended; its record says what it took */
void access_release(struct engine *e, struct job *j);           /* it ended before it had a record */

/* attempt.c */
void attempt_start(struct engine *e, struct job *j);
void attempt_finished(struct engine *e, CURL *easy, CURLcode code);   /* from libcurl, out of the multi's own calls */
void attempt_stop(struct engine *e, struct job *j);                   /* the connection is closed at once */
void attempt_resume(struct engine *e, struct job *j);                 /* the client took enough */
void attempt_tick(struct engine *e, struct job *j);                   /* time-outs; and admission is told what came */
/* The row of the attempt about to be sent, and its end. */
void attempt_open_row(struct engine *e, struct job *j);
void attempt_close_row(struct engine *e, struct job *j, int http_status, enum weir_err err, const char *provider_request_id);

/* pace.c */
void pace_start(struct engine *e, struct job *j);
void pace_turn(struct engine *e);
int64_t pace_due_us(const struct engine *e);
void pace_stop(struct engine *e, struct job *j);

/* relay.c: what is said to a client is gathered and leaves with relay_flush(), or when another client is spoken to. */
void relay_accepted(struct engine *e, struct job *j);
void relay_place(struct engine *e, struct job *j, const struct admit_place *p);
void relay_start(struct engine *e, struct job *j);
/* limit: the one a 429 named, or DIM_COUNT. */
void relay_retry(struct engine *e, struct job *j, int http_status, enum weir_err err, enum dim limit, int64_t delay_us);
void relay_delta(struct engine *e, struct job *j, enum stream_event kind, const char *raw, size_t n);
void relay_call(struct engine *e, struct job *j, const struct wire_piece *p);     /* of a tool call; only to clients of /v1 */
void relay_flush(struct engine *e);
void relay_forget(struct engine *e, struct job *j);             /* its client is gone: what was not sent yet is dropped */
void relay_tick(struct engine *e, struct job *j);               /* pings */
void relay_end(struct engine *e, struct job *j);                /* the last words, then the connection is ended */

void relay_read(struct engine *e, struct job *j);               /* before somebody else begins to read it */

/* follow.c */
struct stream *stream_new(const struct call_record *r);
void follow_say(struct engine *e, struct stream *s, const void *p, size_t n, bool last);     /* to all who read it */
void follow_ended(struct engine *e, struct job *j);             /* all was said: the stream and its texts leave the job */
void follow_reader_gone(struct engine *e, struct reader *r);
void follow_reader_writable(struct engine *e, struct reader *r);
/* It reads this stream from here on, and is told the wish's head in one piece, with `last` nothing more; or it is refused.
 * Both take the wish. */
void follow_join(struct engine *e, struct stream *s, struct follow *f, bool last);
void follow_refuse(struct follow *f);
void follow_tick(struct engine *e);
void follow_bury(struct engine *e);
void follow_done(struct engine *e);

/* probe.c */
void probe_turn(struct engine *e);
int64_t probe_due_us(const struct engine *e);
void probe_done(struct engine *e);

/* relay.c, for lease.c */
void relay_response(struct sb *out, const struct job *j, int status, const struct sb *body);     /* a whole answer with this JSON */
void relay_whole(struct engine *e, struct job *j, const struct sb *body);        /* 200 with this JSON, and no more for this client */
void relay_refusal_json(struct sb *out, const struct job *j);   /* {"error":…} */

/* relay.c, for relay_wire.c */
void relay_to(struct engine *e, struct job *j);                 /* from here on e->out is this client's */
void relay_heads(struct sb *out, const struct job *j);          /* header lines of every answer */
void relay_event_head(struct sb *out, const struct job *j);     /* status and header lines of every stream, without their end */

/* relay_wire.c: clients that speak another wire than Weir's own */
/* An event of the provider's goes on as it is; a job's last one is kept until its end. */
void relay_wire_pass(struct engine *e, struct job *j, const char *name, const char *data, size_t n, const struct provider_reply *r);
void relay_wire_place(struct engine *e, struct job *j, const struct admit_place *p);
void relay_wire_delta(struct engine *e, struct job *j, enum stream_event kind, const char *raw, size_t n);
void relay_wire_tick(struct engine *e, struct job *j);          /* a stream whose answer is long in coming is opened */
void relay_wire_end(struct engine *e, struct job *j);           /* the last words, into e->out */

/* share.c */
bool share_arrive(struct engine *e, struct job *j);             /* true: it needs no place in line, now */
void share_recorded(struct engine *e, struct job *j);           /* a shared one's first rows are committed */
void share_ended(struct engine *e, struct job *j);              /* all was said, and its texts are still there */

/* settle.c */
/* What the attempt that runs used: into j->usage and, with its cost, its row. Before the ticket is given back. */
void settle_usage(struct engine *e, struct job *j);
void settle_sum(struct job *j);                                 /* usage and cost of all attempts, into the record */
void settle_merge(struct call_attempt *to, const struct call_attempt *from);     /* one row stands for two attempts */
void settle_fill(struct engine *e, struct job *j);              /* the record's end, before it is written */
void settle_times(const struct job *j, int64_t end_us, struct call_record *r);   /* where the time went, had it ended then */
int64_t settle_output(const struct job *j);                     /* tokens of what came so far, counted by Weir */

/* An escaped text, its escapes undone: malloc'd, NULL where there is none. */
char *settle_text(const struct sb *raw, int64_t *bytes);

/* marks.c */
void marks_tick(struct engine *e);
int64_t marks_tokens(const struct job *j);                      /* of output that came so far, roughly */

/* explain.c */
void explain_job(struct engine *e, struct job *j, struct report_open *out);

/* meter.c */
void meter_granted(struct engine *e, const struct job *j);      /* before its attempt has a row */
void meter_sent(struct engine *e, const struct job *j);         /* its attempt has one */
void meter_answered(struct engine *e, const struct job *j, int http_status, enum weir_err err);
void meter_retry(struct engine *e, const struct job *j, enum weir_err err);
void meter_ended(struct engine *e, const struct job *j);        /* once, when it is stored and before it is told */

/* purse.c */
/* Read budgets and what they have spent, before the engine's thread starts; false: they cannot be read. */
bool purse_init(struct engine *e);
void purse_done(struct engine *e);
/* Hold what the job may cost at most, its max_tokens lowered to what the budgets pay for. False: it may not start; *no
 * says why (error, and texts it then owns) and nothing changed. */
bool purse_take(struct engine *e, struct job *j, struct job_end *no) __attribute__((warn_unused_result));
/* The attempt that runs failed: what it cost is added to what the job may cost at most, so that it may be tried again.
 * False: the budgets do not pay for another, and what is held is as before. */
bool purse_again(struct engine *e, struct job *j) __attribute__((warn_unused_result));
/* Hold what a job that was begun before may cost, or has; where budgets are read anew, and after a restart. */
void purse_hold(struct engine *e, struct job *j);
/* The job ended; its record says what it cost. */
void purse_settle(struct engine *e, struct job *j);
/* It ended before it had a record, and cost nothing. */
void purse_release(struct engine *e, struct job *j);
/* A running answer has more tokens than the budgets pay for. */
bool purse_is_empty(struct job *j);
/* Budgets were changed in the database: `loaded` (takes it) is what the writer read, between this engine's settlements
 * before and after. What runs is held anew. */
void purse_replace(struct engine *e, struct budget_set *loaded);

/* allowance.c */
/* May it begin? Else `no` says why not. Nothing changed. */
bool allowance_may(struct engine *e, const struct ask *ask, const struct session_tokens *known, struct allowance_refusal *no)
    __attribute__((warn_unused_result));
void allowance_hold(struct engine *e, struct job *j);           /* it has a place in line */
void allowance_settle(struct engine *e, struct job *j);         /* it ended; its record says what it took */
void allowance_release(struct engine *e, struct job *j);        /* it ended before it had a record */
void allowance_change(struct engine *e, const struct settings *fresh);      /* before these are in force */

/* lease.c */
bool leases_init(struct engine *e);      /* those that a Weir before gave, before the engine's thread starts; false: they cannot be read */
bool lease_runs(const struct job *j);                           /* it was told, and neither settled nor ended otherwise */
void lease_granted(struct engine *e, struct job *j);            /* before its intent is written */
void lease_begin(struct engine *e, struct job *j);              /* its intent is committed: it is told */
void lease_heard(struct engine *e, struct job *j);              /* its client has the answer: the connection is closed */
void lease_tick(struct engine *e, struct job *j);
bool lease_ended(struct engine *e, struct job *j);              /* all is stored; true: what its client hears is the batch's matter */

/* models.c */
bool models_init(struct engine *e);
void models_done(struct engine *e);
void models_tick(struct engine *e);
/* An upstream's settings are others, or it is new and not counted yet: what is not configured is asked for anew. */
void models_change(struct engine *e, size_t i, const struct upstream_settings *s);
bool models_finished(struct engine *e, CURL *easy, CURLcode code);    /* false: not one of its transfers */

/* snapshot.c */
void snapshot_note_wait(struct engine *e, int64_t wait_us);
struct snapshot *snapshot_build(struct engine *e);
void snapshot_free(struct snapshot *s);

#endif
