/* candidate.h - which models may serve a request: the one that was asked for,
 * those that stand in for it, or those that "auto" chooses from.
 *
 * They are in the order of their stages. All that takes time, counting above
 * all, is done here, on the acceptor's thread. */
#ifndef WEIR_CANDIDATE_H
#define WEIR_CANDIDATE_H

#include "flow/admit.h"
#include "peer/openai.h"
#include "web/web.h"

struct exchange;

struct candidate_model {
    const char *model;               /* borrowed from the settings, or from the request */
    uint64_t upstreams;
    const struct price *price;       /* NULL: unpriced, or the built-in model */
    bool builtin;
    int stage;
    struct tokens_model tokens;
    int64_t prompt_tokens, context;  /* context 0: unknown */
    int64_t max_tokens;              /* lowered to what model and window leave; 0: no room for an answer */
};

struct candidate_list {
    struct candidate_model of[ASK_CANDIDATES_MAX];
    size_t n;                        /* never 0 once found */
};

/* The model of a request that names none: the engine's, or where the caller's filters do not let that through, the first they do. */
void candidates_default(struct exchange *x, char out[MODEL_NAME_SIZE]);
/* Who may serve `model`, as far as the caller may use it. E_MODEL_NOT_ALLOWED; E_MODEL_NOT_FOUND, or E_UNAVAILABLE while providers have not told their models; refused already. */
enum weir_err candidates_find(struct exchange *x, const char *model, struct candidate_list *out)
    __attribute__((warn_unused_result));
/* Is there an upstream among those that may serve it which speaks this? */
bool candidates_speak(const struct exchange *x, const struct candidate_list *l, enum protocol p);
/* Count the prompt for each: of turns, or by a function that is called once for each way to count. */
void candidates_count(struct candidate_list *l, const struct openai_turn *turns, size_t n);
typedef int64_t candidate_count_fn(const struct tokens_model *m, const char *model, const void *ctx);
void candidates_count_by(struct candidate_list *l, candidate_count_fn *fn, const void *ctx);
/* Of a counted prompt, how many turns from `first` on, the last not among them, have to be left out so that there is room
 * for the rest and an answer, in the window of the model asked for or in the largest that "auto" may choose. `asked` 0: no
 * cap was asked for. 0: all fits, or nobody knows the window. */
size_t candidates_omit(const struct candidate_list *l, const struct openai_turn *turns, size_t n, size_t first, int64_t asked);
/* Set the cap of each (`output_max` 0: no request is bounded); those whose window is too small for the counted prompt are
 * out. Where the model asked for, or each that "auto" may choose, is too small, the largest of them alone stays, with
 * max_tokens 0. */
void candidates_fit(struct candidate_list *l, int64_t asked, int64_t output_max);
/* E_CONTEXT_LENGTH, refused: for a list whose first has max_tokens 0. */
enum weir_err candidates_too_small(struct exchange *x, const struct candidate_list *l, const char *param);
/* What a crash would charge a call of this one at, version and rates. */
void candidate_cost(const struct exchange *x, const struct candidate_model *c, struct call_cost *to);

#endif
