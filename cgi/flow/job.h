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
#include "flow/writer.h"
#include "peer/client.h"
#include "rules/price.h"
#include "rules/tokens.h"
#include "store/usage.h"

enum job_kind { JOB_COMPLETE, JOB_STREAM };     /* /chat/complete, /chat/stream */

enum job_state {
    JOB_ACCEPTING,     /* its first rows are being committed */
    JOB_QUEUED,
    JOB_INTENT,        /* granted; the intent is being committed */
    JOB_CONNECTING,    /* sent to the provider, nothing came yet */
    JOB_STREAMING,
    JOB_COMMITTING,    /* ended; the settlement is being committed */
    JOB_FLUSHING,      /* last bytes on their way to nginx */
};

struct job_attempt;    /* the engine's: transfer, parser, what came so far */

struct job {
    /* --- the acceptor's part --- */
    enum job_kind kind;
    struct peer_client client;       /* nginx's connection: descriptor and FastCGI request id */
    struct call_record rec;
    struct ask ask;                  /* job, arrived_us and deadline_us included */
    char *body;                      /* openai_request()'s text, malloc'd: without its closing brace and without its cap; the
                                        engine appends ,"max_tokens":N} (or max_completion_tokens). NULL for the built-in model */
    size_t body_len;
    bool stream_upstream;            /* the body asks for a stream */
    bool max_completion_tokens;      /* which name the cap has */
    char *builtin_reply;             /* the built-in model's whole answer, or NULL */
    int64_t builtin_tokens;          /* its exact count */
    const struct price *price;       /* borrowed from the price table; NULL: unpriced. rec.cost.price_version is filled too */
    struct tokens_model tokens;      /* how to count where the provider does not say */
    char *strings;                   /* one allocation that rec's strings point into */

    /* --- the engine's part; zero when submitted --- */
    enum job_state state;
    struct admit_ticket *ticket;
    struct job_attempt *attempt;
    struct write_op op;
    struct job *next, *prev;
    uint32_t slot;                   /* in the engine's table, with a generation for epoll */
    int64_t accepted_us, granted_us, sent_us, first_us, last_us;   /* monotonic */
    int64_t event_id;
};

/* A zeroed job; the acceptor fills it. Never NULL. */
struct job *job_new(void);
/* Free it and all it owns, but not the client's descriptor. */
void job_free(struct job *j);

#endif
