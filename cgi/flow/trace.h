/* trace.h - one request as spans: what OpenTelemetry is told of it.
 *
 * The acceptor makes one where traces are exported, continuing the client's
 * trace if it sent one (W3C Trace Context); it travels with the job, the engine
 * notes waits and attempts, and at the end it is the tracer's. A root span,
 * below it one for each wait in line and one for each attempt. Ids, names and
 * numbers, never what was said. Who has the job has the trace; all functions but
 * trace_new() take a job without one, and do nothing. */
#ifndef WEIR_TRACE_H
#define WEIR_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"
#include "flow/job.h"

struct tracer;

enum { TRACE_ID_SIZE = 33, TRACE_SPAN_SIZE = 17, TRACE_PARENT_SIZE = 56, TRACE_PARTS_MAX = 16, TRACE_NAME_SIZE = 128 };

struct trace_wait {
    char span_id[TRACE_SPAN_SIZE];
    int64_t begun_us, ended_us;
    int64_t held_us[GATE_COUNT];           /* by each gate, one after another or in turns */
};

struct trace_attempt {
    char span_id[TRACE_SPAN_SIZE];
    int64_t begun_us, ended_us;            /* ended 0: it runs */
    const char *upstream;                  /* lives until Weir stops */
    char model[TRACE_NAME_SIZE];
    enum choice choice;
    int number;                            /* from 1 */
    int http_status;                       /* 0: no answer */
    const char *error;                     /* static, or NULL */
    const char *retry_of;                  /* why the one before failed, static; NULL: it is the first */
};

struct trace {
    struct trace *next;                    /* the tracer's */
    struct tracer *tracer;
    char trace_id[TRACE_ID_SIZE], span_id[TRACE_SPAN_SIZE];
    char parent_id[TRACE_SPAN_SIZE];       /* the client's span; "": this is the first */
    bool sampled;                          /* false: the client's trace is not recorded, and so this is not */
    int64_t arrived_us, ended_us;          /* monotonic, as all times here … */
    int64_t arrived_ms;                    /* … and UTC of the first */
    int64_t held_us[GATE_COUNT];           /* in all waits so far */
    size_t wait_count, attempt_count;
    struct trace_wait waits[TRACE_PARTS_MAX];
    struct trace_attempt attempts[TRACE_PARTS_MAX];
    /* the end */
    char request_id[RAND_ID_SIZE], session_id[RAND_ID_SIZE], message_id[RAND_ID_SIZE];
    char route[TRACE_NAME_SIZE], asked[TRACE_NAME_SIZE], model[TRACE_NAME_SIZE];
    const char *upstream;                  /* lives until Weir stops; NULL: it was never sent */
    const char *finish, *error, *status;   /* static; NULL: none */
    enum priority priority;
    bool stream, priced;
    int64_t max_tokens, attempts_made, cost, first_us;     /* cost in picodollars; first_us 0: nothing came */
    struct usage_tokens usage;
};

/* `traceparent` as the client sent it; NULL, or one that is not valid: a new trace begins. NULL if `t` is. */
struct trace *trace_new(struct tracer *t, const char *traceparent, int64_t arrived_us, int64_t arrived_ms);
void trace_free(struct trace *t);          /* NULL is fine */

/* It may be sent now. */
void trace_granted(struct job *j, int64_t now_us);
/* It is sent. */
void trace_sent(struct job *j, int64_t now_us);
void trace_answered(struct job *j, int http_status, const char *error, int64_t now_us);
/* The request has ended: its trace is given to the tracer, and is the job's no more. */
void trace_ended(struct job *j);
/* The traceparent for the attempt that was just sent; false: the job has no trace. */
bool trace_parent(const struct job *j, char out[TRACE_PARENT_SIZE]) __attribute__((warn_unused_result));

/* trace_json.c: a body for OTLP/HTTP, ExportTraceServiceRequest as JSON, of a list of traces. */
void trace_json(struct sb *out, const struct trace *list, const char *version);

#endif
