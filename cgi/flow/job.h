/* job.h - one chat request on its way through the engine.
 *
 * The acceptor fills it and gives it away with engine_submit(); from then on it
 * belongs to the engine (and, between writer_submit() and its completion, is
 * only read by the writer). Nobody else touches it. */
#ifndef WEIR_JOB_H
#define WEIR_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/admit.h"
#include "flow/cache.h"
#include "flow/writer.h"
#include "peer/client.h"
#include "peer/wire.h"
#include "rules/budget.h"
#include "rules/callers.h"
#include "rules/price.h"
#include "rules/session_tokens.h"
#include "rules/tokens.h"
#include "store/usage.h"

enum job_kind { JOB_COMPLETE, JOB_STREAM };     /* /chat/complete, /chat/stream */

enum job_state {
    JOB_ACCEPTING,     /* its first rows are being committed; it may wait in line already */
    JOB_QUEUED,        /* in line, for the first time or again after a failed attempt */
    JOB_INTENT,        /* granted; the intent is being committed */
    JOB_CONNECTING,    /* sent to the provider, nothing came yet */
    JOB_STREAMING,
    JOB_COMMITTING,    /* ended; the settlement is being committed */
    JOB_FLUSHING,      /* last bytes on their way to nginx */
    JOB_GONE,          /* freed at the end of the engine's turn */
};

enum { CALLER_USER, CALLER_TOKEN, CALLERS };

/* What the writer has in hand. While it is not OP_NONE nobody changes `rec`. */
enum job_op { OP_NONE, OP_ACCEPT, OP_ACCEPT_SENT, OP_SENT, OP_SETTLE };

/* Why and how a job ended; decided once. */
struct job_end {
    enum weir_err err;               /* WEIR_OK: answered, or cancelled with what there is */
    enum call_status status;
    const char *finish;              /* finish_reason, static; NULL with an error */
    char *message;                   /* the provider's own words or ours, owned; NULL: the error's default sentence */
    char *extra;                     /* more members of the error object, owned, or NULL */
    char code[64], param[96];        /* the provider's own, where it says in the client's words what is wrong with the request; else "" */
    int64_t retry_after_ms;          /* -1: unknown */
};

enum { JOB_PROTOCOLS = 2, JOB_HEADS = 4 };       /* PROTOCOL_OPENAI and PROTOCOL_ANTHROPIC; header lines of the client's */

/* A request's body as upstreams of one protocol take it, without its end (wire_reader's `close`), nor its model where there
 * is a choice of them. */
struct job_body {
    char *text;                      /* malloc'd; NULL: none of them may serve it */
    size_t len;
};

/* A tool call as it has come so far: contents of JSON strings. */
struct job_call {
    int64_t index;
    struct sb id, name, arguments;
};

/* One of the models that may serve a job: what is different from the others. Its place is that of the ask's candidate. */
struct job_candidate {
    char *model;                     /* owned */
    const struct price *price;       /* borrowed; NULL: unpriced, or the built-in model */
    struct tokens_model tokens;
    struct call_cost cost;           /* what a crash would charge: version and rates */
    char *tail;                      /* of its request, malloc'd: ,"model":… and what else is this model's own, before the end
                                        of the body; NULL for the built-in model */
    bool max_completion_tokens;
    bool short_of_money;
};

/* Where a descriptor stands in the engine's epoll. */
struct watch {
    uint32_t slot;                   /* in the engine's table, with a generation for epoll */
    bool wants_out;                  /* bytes wait for the socket */
};

struct stream;         /* follow.c: the events of one, kept, and who else reads them */
void stream_free(struct stream *s);
struct once;           /* once.h */
struct job_lease;      /* lease.h */
struct trace;          /* trace.h */
struct job_attempt;    /* the engine's: transfer, parser, what came so far */
struct engine;

/* A letter to the engine's inbox. */
struct mail {
    void (*deliver)(struct engine *e, struct mail *m);   /* on the engine's thread */
    struct mail *next;
};

struct job {
    /* --- the acceptor's part --- */
    enum job_kind kind;
    struct peer_client client;       /* nginx's connection: descriptor and FastCGI request id */
    struct call_record rec;
    struct ask ask;                  /* arrived_us and deadline_us included; the engine sets ask.job */
    struct ask_candidate *ask_candidates;     /* owned, what ask.candidates borrows; NULL: one model, which `rec`, `price`, */
    struct job_candidate *candidates;         /* `tokens` and `body` are about. Else job_choose() sets those, and the body
                                                 has no model yet */
    enum wire wire;                  /* what the client speaks */
    struct job_body body[JOB_PROTOCOLS];      /* none for the built-in model */
    char *stream_options;            /* owned: as in wire_tail, or NULL */
    char *heads[JOB_HEADS];          /* owned: "Name: value" of the client's that go to a provider of its own kind, that of
                                        wire_reader's among them; NULL ends it */
    bool keep;                       /* it goes on when its client leaves, for a while */
    bool stream_upstream;            /* the body asks for a stream */
    bool usage_wanted;               /* as in wire_call */
    bool max_completion_tokens;      /* which name the cap has */
    bool no_answer;                  /* as in wire_tail */
    int64_t cost_most;               /* picodollars; more than this with its failed attempts, and it is not tried again. 0: no such cap */
    bool uncapped;                   /* neither the client nor a setting bounds the answer: no cap is sent but for a budget's sake */
    int64_t choices;                 /* so many answers were asked for; max_tokens are of all */
    char *builtin_reply;             /* the built-in model's whole answer, or NULL */
    int64_t builtin_tokens;          /* its exact count */
    const struct price *price;       /* borrowed from the price table; NULL: unpriced. rec.cost.price_version is filled too */
    struct tokens_model tokens;      /* how to count where the provider does not say */
    struct caller caller[CALLERS];   /* the user and the token, with limits of their own */
    bool sums_hidden;                /* who asks is told no sums of budgets that others' calls count in */
    struct session_tokens session_known;   /* what the records say its session has taken, where that is limited */
    char *strings;                   /* one allocation that rec's strings point into */
    bool cache;                      /* who asks the same may have the same answer: cache_key is what is asked */
    unsigned char cache_key[CACHE_KEY_BYTES];
    struct job_lease *lease;         /* owned; NULL: it is a call that Weir makes, and no operation */
    struct trace *trace;             /* owned; NULL: none is exported */
    struct once *once;               /* owned; NULL: it has no idempotency key */

    /* --- the engine's part; zero when submitted --- */
    enum job_state state;
    struct watch watch;              /* of the client */
    struct cache_entry *entry;       /* that it will fill, or waits for; else NULL */
    bool leads;                      /* it is to fill it */
    bool shared;                     /* it is served by another's answer, or will be */
    struct job *waits_next;          /* the next of those who wait for the same entry */
    struct stream *stream;           /* JOB_STREAM, from the first event until the last is sent; else NULL */
    int64_t unread_us;               /* when the last who read it left; 0: somebody does, or it is ended when they leave */
    enum job_op writing;
    struct write_op op;
    struct mail mail;
    struct engine *engine;
    struct job *next, *prev;         /* all jobs */
    struct job *chain;               /* new ones of this turn … */
    struct job *grave;               /* … and dead ones: a job can be both */
    struct job *paced;               /* the next in the built-in model's line … */
    bool pacing;                     /* … if it stands in it */
    bool recorded;                   /* its first rows are committed */
    bool granted;                    /* may be sent; `grant` says where */
    bool headers_sent;
    bool ending;                     /* `end` is decided */
    struct admit_ticket *ticket;     /* NULL: not in admission's hands */
    struct admit_grant grant;
    struct budget_hold *money;       /* what it may cost at most, held in every budget that counts it; NULL: none does */
    struct limits_hold caller_hold[CALLERS];
    bool caller_held;
    int64_t session_held;            /* tokens it is expected to take of what its session may have; 0: not limited */
    bool short_of_money;             /* its max_tokens are what a budget still pays for */
    int64_t paid;                    /* what its failed attempts cost, picodollars */
    int64_t count_at;                /* under a budget: so many pieces, or quarters of their bytes, and its tokens are counted */
    struct job_attempt *attempt;     /* the call that runs, or NULL */
    struct job_end end;

    /* monotonic microseconds; 0: not yet */
    int64_t first_sent_us, sent_us, failed_us, first_us, ended_us;
    int64_t quiet_us;                /* the client heard something last */
    int64_t limits_us;               /* it heard of limits last */
    int64_t due_us;                  /* the built-in model's next word */

    bool cut;                        /* the provider was stopped: the budgets pay for no more */
    bool passed;                     /* the client has a part of the provider's answer, whatever it is */
    struct sb answer, reasoning;     /* contents of JSON strings, escapes as they came */
    struct job_call *calls;          /* owned; where they are put together here */
    size_t call_count;
    int64_t unshown_bytes;           /* of output that is in neither */
    struct sb whole;                 /* an answer that goes on as it is: a body, or a stream's last event */
    struct wire_call said;           /* for the writer of its answer */
    char answer_id[64];              /* the provider's, where its events go on */
    char *answer_text, *reasoning_text;   /* the same decoded, made for the record */
    int64_t chunks;                  /* pieces of them, about one token each */
    size_t builtin_at;
    struct usage_tokens usage;       /* of the attempt that runs */
    bool estimated;
    bool suspect;                    /* of any */
    int64_t marked;                  /* tokens of the attempt that runs that a start after a kill would charge … */
    size_t marked_bytes;             /* … and how much of its text it would show */
    int64_t event_id;                /* of the last event sent */
    struct admit_place told;         /* the last queue event; position 0: none yet */
    int64_t told_start_us;           /* when it said the start would be */
    int64_t tell_us;                 /* its allowance of queue events is used up to here */
};

/* A zeroed job with both ends' defaults (no descriptor); the acceptor fills it. Never NULL. */
struct job *job_new(void);
/* This candidate will serve it: what the record, the price and the counts are about from now on. Nothing if there are none. */
void job_choose(struct job *j, int candidate);
/* Keep a piece of a tool call. False: there are more of them, or longer ones, than any answer has. */
bool job_add_call(struct job *j, const struct wire_piece *p) __attribute__((warn_unused_result));
/* Free it and all it owns, but not the client's descriptor. */
void job_free(struct job *j);

#endif
