/* v1.h - what all requests of /v1 that are sent to a provider have in common:
 * Weir's own headers, the model and who may serve it, the caller's filters, the
 * session, and the body as the client sent it.
 *
 * A handler reads with v1_begin(), counts, fits, and gives the job it made to
 * v1_go(). Upstreams of the other protocol get the body translated (v1_body.c).
 * Acceptor threads. */
#ifndef WEIR_V1_H
#define WEIR_V1_H

#include "web/launch.h"

enum { V1_CAP_MAX = 1000 * 1000 * 1000 };       /* a larger cap is this one */

struct v1 {
    enum wire wire;
    char model[MODEL_NAME_SIZE];     /* asked for */
    struct candidate_list candidates;
    struct launch launch;
    const char *body;                /* the client's own text, or what its filters left of it */
    size_t body_len;
    int64_t max_tokens, choices;     /* asked for; 0: no cap was */
    bool no_answer;                  /* as in wire_tail */
    struct openai_turn *turns;       /* owned with their texts, made by the handler: what is stored, or heard by the built-in model */
    size_t turn_count;

    char *rewritten;                 /* owned: what `body` is then */
    json_t *translated;              /* owned: the body in the other protocol's words; NULL: no candidate needs it */
    json_t *metadata;                /* owned */
    struct convo_history history;
};

/* Members of the body that are checked by all. False, refused: of another type, out of range, or missing. */
enum weir_err v1_flag(struct exchange *x, const char *name, bool *out) __attribute__((warn_unused_result));
/* An integer from 1; absent or null leaves *out. */
enum weir_err v1_count(struct exchange *x, const char *name, int64_t max, int64_t *out) __attribute__((warn_unused_result));

/* Headers, `model` and `stream`, filters, session. Whatever it says, v1_done() has to follow. `text_param` is the member that the
 * prompt is in. */
enum weir_err v1_begin(struct exchange *x, enum wire w, const char *text_param, struct v1 *v) __attribute__((warn_unused_result));
void v1_done(struct v1 *v);
/* `messages` is a list of objects, of one at least. Refused otherwise. */
enum weir_err v1_check_messages(struct exchange *x) __attribute__((warn_unused_result));
/* Their texts into `turns`, where somebody here needs them: a session, or the built-in model. */
void v1_gather_turns(const struct exchange *x, struct v1 *v);
/* The last turn is what a session keeps of this request, with the system text if it is new; none is kept without a session. */
void v1_keep_texts(struct v1 *v);
/* Translate where needed, count the prompt, set caps, refuse what does not fit. `cap`: that of one choice, 0: none was asked for. */
enum weir_err v1_fit(struct exchange *x, struct v1 *v, candidate_count_fn *count, const char *text_param) __attribute__((warn_unused_result));
/* The job, with everything but a body. */
struct job *v1_job(struct exchange *x, struct v1 *v);
/* Leave the upstreams of this mask, and the models that have one. False: there is none. */
bool v1_narrow(struct v1 *v, uint64_t upstreams) __attribute__((warn_unused_result));
/* The body for those upstreams that speak the other protocol, where there are any. What that has no words for leaves the others;
 * if there are none, it is refused and named. */
enum weir_err v1_translate(struct exchange *x, struct v1 *v) __attribute__((warn_unused_result));
/* Launch it with its bodies: the client's own without these members (which end with NULL) and those v1 sets, and the
 * translated one. Takes the job. */
enum weir_err v1_go(struct exchange *x, const struct v1 *v, struct job *j, const char *const *without) __attribute__((warn_unused_result));
/* A handler, made of the function that does all of the above: what was sent before is answered again. */
enum weir_err v1_serve(struct exchange *x, enum weir_err (*make)(struct exchange *, struct v1 *));

#endif
