/* admit_candidates.c - the models and upstreams an ask may go to, in the order in
 * which they are tried, and whether any of them could ever serve it. */
#include "flow/admit_state.h"

/* What this answer is expected to cost. */
static int64_t expected_cost(const struct ask_candidate *c, int64_t output)
{
    const struct usage_tokens u = {.prompt = c->prompt_tokens, .completion = output};
    struct cost cost;

    if (c->free)
        return 0;
    return c->price && price_cost(c->price, &u, &cost) ? cost.total : INT64_MAX;
}

static bool goes_before(const struct candidate *a, const struct candidate *b)
{
    return a->stage != b->stage ? a->stage < b->stage : a->cost < b->cost;
}

/* The upstreams of these at which a call of this size could ever pass. */
static uint64_t where_it_fits(const struct admit *a, const struct item *it, uint64_t upstreams)
{
    struct limits_need need;
    uint64_t fits = 0;

    for (uint64_t left = upstreams; left; left &= left - 1) {
        int i = __builtin_ctzll(left);

        if (i < (int)a->pick.upstreams && pick_need(&a->pick, it, i, 0, &need))
            fits |= UINT64_C(1) << i;
    }
    return fits;
}

void admit_candidates(struct admit *a, const struct ask *ask, struct admit_candidates *out)
{
    *out = (struct admit_candidates){.n = 0};
    for (size_t i = 0; i < ask->candidate_count && i < ASK_CANDIDATES_MAX; i++) {
        const struct ask_candidate *from = &ask->candidates[i];
        const struct item size = {.priority = ask->priority, .input = from->prompt_tokens, .max_output = from->max_tokens,
                                  .want_output = 1};
        struct learned_guess guess = learned_guess(&a->learned, from->model, ask->user, from->max_tokens);
        struct candidate c = {
            .upstreams = where_it_fits(a, &size, from->upstreams), .input = from->prompt_tokens, .max_output = from->max_tokens,
            .want_output = guess.reserve, .expect_output = guess.expect, .cost = expected_cost(from, guess.expect),
            .model = from->model, .stage = from->stage, .number = (int)i,
        };
        int at = out->n++;

        for (; at > 0 && goes_before(&c, &out->of[at - 1]); at--)
            out->of[at] = out->of[at - 1];
        out->of[at] = c;
    }
    for (int i = 0; i < out->n; i++) {
        for (int k = 0; k < i; k++)
            if (out->of[k].stage == out->of[i].stage)
                out->of[i].upstreams &= ~out->of[k].upstreams;
        out->upstreams |= out->of[i].upstreams;
    }
}

int admit_stage_after(const struct candidate *c, int n, int stage)
{
    for (int i = 0; i < n; i++)
        if (c[i].stage > stage && c[i].upstreams)
            return c[i].stage;
    return -1;
}

struct item admit_item_like(const struct ask *ask, const struct admit_candidates *c)
{
    struct item it = {.priority = ask->priority, .upstreams = ask->upstreams, .input = ask->prompt_tokens,
                      .max_output = ask->max_tokens, .want_output = 1};

    if (c->n) {
        it.upstreams = c->upstreams;
        it.candidates = c->of;
        it.candidate_count = c->n;
    }
    return it;
}

enum weir_err admit_unservable(const struct admit *a, const struct item *it)
{
    const struct candidate own = {.upstreams = it->upstreams, .stage = it->from_stage};
    enum weir_err e = WEIR_E_NO_UPSTREAM;

    for (int c = 0; c < (it->candidates ? it->candidate_count : 1); c++) {
        const struct candidate *of = it->candidates ? &it->candidates[c] : &own;

        for (uint64_t left = of->stage < it->from_stage ? 0 : of->upstreams; left; left &= left - 1) {
            int i = __builtin_ctzll(left);
            struct limits_need need;

            if (i >= (int)a->pick.upstreams || a->pick.upstream[i].down)
                continue;
            if (pick_need(&a->pick, it, i, of->stage, &need))
                return WEIR_OK;
            e = WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT;
        }
    }
    return e;
}

enum weir_err admit_refused_outright(const struct admit *a, const struct ask *ask, const struct admit_candidates *c)
{
    const struct item it = admit_item_like(ask, c);
    enum weir_err e = admit_unservable(a, &it);

    for (size_t i = 0; e == WEIR_E_NO_UPSTREAM && i < ask->candidate_count; i++)      /* one that is up was too small */
        for (uint64_t left = ask->candidates[i].upstreams; left; left &= left - 1)
            if (!a->pick.upstream[__builtin_ctzll(left)].down)
                e = WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT;
    return e;
}
