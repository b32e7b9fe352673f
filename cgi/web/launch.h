/* launch.h - from a checked request, whichever path it came by, to a job in the
 * engine's hands: what may still be refused, the record, the ask, the candidates.
 * What the provider is sent is the caller's. */
#ifndef WEIR_LAUNCH_H
#define WEIR_LAUNCH_H

#include "store/convo.h"
#include "web/candidate.h"

/* All borrowed until launch_job() is through. */
struct launch {
    enum job_kind kind;
    enum wire wire;
    const char *asked;               /* the model's name in the request */
    const struct candidate_list *candidates;
    int cache;                       /* 1: it may be answered from the cache; 0: not; -1: as the model's setting says */
    enum priority priority;
    const char *session_id;          /* NULL: a new one is made for it, or with `alone` none */
    const char *session_name;        /* the title of one that is made; NULL: its first message gives it */
    bool alone;                      /* it belongs to no session unless one is named, and its texts are not kept then */
    bool may_be_new;                 /* the session named is made if it is not there */
    const char *parent_id;           /* the message it answers to, or "" */
    const char *system, *user_text;  /* to be stored; NULL: none */
    int64_t omitted;                 /* of its session's messages */
    const json_t *metadata;
    struct session_tokens session;   /* taken so far, where that is limited */
};

/* What the session has taken, into l->session. */
enum weir_err launch_read_session(struct exchange *x, struct launch *l) __attribute__((warn_unused_result));
/* Refuses, in this order: a prompt that fits no model, one that is longer than a request may be, a Weir that takes no work. */
enum weir_err launch_check(struct exchange *x, const struct candidate_list *l, const char *param) __attribute__((warn_unused_result));
/* The sentence about a prompt that is longer than one may be, by whichever model's count, or nothing. */
void launch_say_too_long(const struct exchange *x, const struct candidate_list *l, struct sb *why);

/* The job without its body. Of several candidates, all but their tails. */
struct job *launch_job(struct exchange *x, const struct launch *l);
/* An operation that somebody wants a lease for. Borrowed. */
struct launch_operation {
    const char *name, *session_id;   /* no session: NULL */
    size_t upstream;                 /* its place in the settings */
    enum priority priority;
    struct usage_tokens estimate;
    int64_t wait_us;
};
/* Its job; NULL: the cost is beyond all counting. Each has a request id, and so a lease id, of its own. */
struct job *launch_operation(struct exchange *x, const struct launch_operation *o);
/* Its words, if the built-in model is one of the candidates; `turns` are all the prompt's. */
void launch_builtin(struct job *j, const struct candidate_list *l, const struct openai_turn *turns, size_t n);
/* Give it to the engine, with the client's connection, unless the request's cap says no. Takes the job in every case. */
void launch_go(struct exchange *x, struct job *j);

/* Is the caller told no sums of budgets that others' calls count in? */
bool launch_hides_sums(const struct exchange *x);

/* What admission is told, also without a job: for a forecast. */
void launch_ask(const struct exchange *x, const struct candidate_list *l, enum priority p, const char *session_id, struct ask *a);
/* Of several candidates, as admission sees them. Caller frees. */
struct ask_candidate *launch_ask_candidates(const struct candidate_list *l);

#endif
