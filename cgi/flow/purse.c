/* purse.c - what jobs may spend: budgets as the engine keeps them.
 *
 * A job's money is held before it gets a place in line and becomes a cost in
 * the same turn in which its settlement goes to the writer. That is what makes
 * a change of budgets exact without stopping anything: the writer reads sums in
 * between two settlements, and when they arrive here, a job whose settlement
 * was read has been answered already, since the writer answers in order. */
#include "base/log.h"
#include "flow/engine_impl.h"
#include "flow/gauge.h"
#include "store/period.h"

enum { COUNT_EVERY = 64 };            /* pieces between two looks at a running answer, at least */

static struct budget_call call_of(const struct job *j)
{
    return (struct budget_call){.user = j->rec.user_id, .session = j->rec.session_id, .token = j->rec.token_id,
                                .model = j->rec.model, .at_ms = j->rec.accepted_at_ms};
}

static int64_t worst_of(const struct job *j)
{
    return price_worst_case(j->price, budget_prompt(j->rec.prompt_tokens_counted, j->tokens.exact), j->rec.max_tokens);
}

/* --- the ways a job may be served --- */

/* One of them, as money sees it. */
struct way {
    const char *model;
    const struct price *price;
    bool free, open;                  /* open: it may still be taken */
    int stage;
    int64_t prompt;
    int64_t *max_tokens[2];           /* lowered to what the budgets pay for: for admission, for the request */
    bool *short_of_money;
};

static size_t way_count(const struct job *j)
{
    return j->candidates ? j->ask.candidate_count : 1;
}

static struct way way_of(struct job *j, size_t i)
{
    if (j->candidates) {
        struct ask_candidate *a = &j->ask_candidates[i];
        struct job_candidate *c = &j->candidates[i];

        return (struct way){.model = c->model, .price = c->price, .free = a->free, .open = a->upstreams != 0, .stage = a->stage,
                            .prompt = budget_prompt(a->prompt_tokens, c->tokens.exact),
                            .max_tokens = {&a->max_tokens, &a->max_tokens}, .short_of_money = &c->short_of_money};
    }
    return (struct way){.model = j->rec.model, .price = j->price, .free = j->builtin_reply || j->wire == WIRE_COUNT_TOKENS, .open = true,
                        .prompt = budget_prompt(j->rec.prompt_tokens_counted, j->tokens.exact),
                        .max_tokens = {&j->ask.max_tokens, &j->rec.max_tokens}, .short_of_money = &j->short_of_money};
}

static struct budget_call call_by(const struct job *j, const struct way *w)
{
    struct budget_call c = call_of(j);

    c.model = w->model;
    return c;
}

/* An operation's estimate is its asker's word; a call may use up its cap. */
static int64_t way_worst(const struct job *j, const struct way *w)
{
    struct cost c;

    if (j->lease)
        return price_cost(w->price, &j->lease->used, &c) ? c.total : INT64_MAX;
    return price_worst_case(w->price, w->prompt, *w->max_tokens[0]);
}

int64_t engine_worst(struct job *j)
{
    int64_t most = 0;

    for (size_t i = 0; i < way_count(j); i++) {
        struct way w = way_of(j, i);
        int64_t cost = w.free || !w.open ? 0 : w.price ? way_worst(j, &w) : -1;

        if (cost < 0)
            return -1;
        most = cost > most ? cost : most;
    }
    return most;
}

/* What each way that a budget counts costs at most, failed attempts included; gives how many there are. */
static size_t worst_ways(struct engine *e, struct job *j, struct budget_way out[ASK_CANDIDATES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < way_count(j); i++) {
        struct way w = way_of(j, i);
        struct budget_call c = call_by(j, &w);
        int64_t cost = j->paid;

        if (!w.open || (w.free && j->paid == 0) || (!w.free && !w.price) || !budget_applies(e->book, &c))
            continue;
        if (!w.free && __builtin_add_overflow(cost, way_worst(j, &w), &cost))
            cost = INT64_MAX;
        out[n++] = (struct budget_way){w.model, cost};
    }
    return n;
}

/* Lower its cap to what the budgets pay for; false: not even one token, and nothing changed. */
static bool way_clamp(struct engine *e, struct job *j, struct way *w)
{
    struct budget_call c = call_by(j, w);
    int64_t room = budget_room(e->book, &c), output;

    if (w->free)
        return room >= j->paid;
    output = budget_output_for(w->price, w->prompt, room > j->paid ? room - j->paid : 0);
    if (output <= 0)
        return false;
    if (output < *w->max_tokens[0]) {
        *w->max_tokens[0] = *w->max_tokens[1] = output;
        *w->short_of_money = true;
    }
    return true;
}

/* --- the book --- */

static struct budget_span calendar(void *ctx, size_t rule, int64_t at_ms)
{
    const struct engine *e = ctx;

    return period_at(&e->budgets.zone[rule], e->budgets.row[rule].rule.window, at_ms);
}

static struct budget_book *open_book(struct engine *e)
{
    struct budget_book *b = budget_book_new(calendar, e);

    for (size_t i = 0; i < e->budgets.rows; i++)
        (void)budget_book_add(b, &e->budgets.row[i].rule);
    for (size_t i = 0; i < e->budgets.sums; i++) {
        const struct budget_sum *s = &e->budgets.sum[i];

        budget_book_spent(b, s->row, s->key, s->at_ms, s->spent);
        if (s->lost)
            budget_book_lost(b, s->row, s->key, s->at_ms, s->lost, s->lost_until_ms);
    }
    return b;
}

struct reading {
    struct write_op op;
    const struct settings *s;
    struct budget_set set;
};

static enum weir_err run_read(struct db *db, struct write_op *op)
{
    struct reading *r = (struct reading *)op;

    budget_set_done(&r->set);         /* of a first try */
    return budgets_load(db, r->s, clock_utc_ms(), &r->set);
}

bool purse_init(struct engine *e)
{
    struct reading r = {.op = {.run = run_read}, .s = e->s};
    enum weir_err err = writer_call(e->w, &r.op);

    if (err) {
        log_error("engine: the budgets cannot be read (%s)", err_code(err));
        budget_set_done(&r.set);
        return false;
    }
    e->budgets = r.set;
    e->book = open_book(e);
    return true;
}

void purse_done(struct engine *e)
{
    budget_book_free(e->book);
    budget_set_done(&e->budgets);
}

/* Ended and on its way to the writer, or gone from it: see above. */
void purse_hold(struct engine *e, struct job *j)
{
    struct budget_call c = call_of(j);
    struct budget_way ways[ASK_CANDIDATES_MAX];
    size_t n = worst_ways(e, j, ways);

    if (j->state == JOB_COMMITTING)
        budget_spend(e->book, &c, j->rec.cost.total);
    else if (j->state < JOB_COMMITTING && n > 0)
        j->money = budget_hold_any(e->book, &c, ways, n);
    j->count_at = j->rec.max_tokens;
}

void purse_replace(struct engine *e, struct budget_set *loaded)
{
    for (struct job *j = e->jobs; j; j = j->next)
        purse_release(e, j);
    purse_done(e);
    e->budgets = *loaded;
    *loaded = (struct budget_set){0};
    e->book = open_book(e);
    for (struct job *j = e->jobs; j; j = j->next)
        purse_hold(e, j);
}

/* --- jobs --- */

/* "$0.02 of $5" and the like are for people; the object beside it is for programs. Neither has sums that the caller shall not
 * see; both say which budget it is and until when. */
static void refuse(struct job_end *no, const struct job *j, const struct budget_view *v)
{
    static const char *const whose[] = {"everything", "this user", "this session", "this token", "this model"};
    static const char *const spans[] = {"daily", "weekly", "monthly", "total"};
    bool sums = !(j->sums_hidden && budget_is_shared(v->rule));
    struct sb text = sb_make(1024), extra = sb_make(1024);

    sb_putf(&text, "This would pass the %s budget of %s", spans[v->rule->window], whose[v->rule->scope]);
    if (sums) {
        sb_puts(&text, ": of $");
        sb_usd(&text, v->rule->limit);
        sb_puts(&text, " there are $");
        sb_usd(&text, v->spent);
        sb_puts(&text, " spent and $");
        sb_usd(&text, v->held);
        sb_puts(&text, " reserved for what is running");
    } else if (v->rule->window != BUDGET_TOTAL) {
        sb_puts(&text, ", which resets at ");
        sb_time(&text, v->span.to_ms);
    }
    sb_puts(&text, ". Nothing was sent or charged.");
    sb_puts(&extra, ",\"budget\":{");
    gauge_budget_json(&extra, v, sums);
    sb_putc(&extra, '}');
    no->err = WEIR_E_BUDGET;
    no->message = sb_take(&text);
    no->extra = sb_take(&extra);
}

/* A job of one model is refused if the budgets do not pay for it; of several those that are not paid for are out, as
 * long as one of the first stage is left. */
static bool may_drop(const struct job *j, size_t i)
{
    if (j->candidates && j->ask_candidates[i].stage > j->ask_candidates[0].stage)
        return true;
    for (size_t k = 0; j->candidates && k < j->ask.candidate_count; k++)
        if (k != i && j->ask_candidates[k].upstreams && j->ask_candidates[k].stage == j->ask_candidates[i].stage)
            return true;
    return false;
}

bool purse_take(struct engine *e, struct job *j, struct job_end *no)
{
    struct budget_way ways[ASK_CANDIDATES_MAX];
    struct budget_call call = call_of(j);
    struct budget_view binds;
    size_t n;

    for (size_t i = 0; i < way_count(j); i++) {
        struct way w = way_of(j, i);
        struct budget_call c = call_by(j, &w);

        if (!w.open || w.free || j->lease || !budget_applies(e->book, &c))
            continue;
        if (w.price && (way_clamp(e, j, &w) || !may_drop(j, i)))
            continue;
        if (!may_drop(j, i)) {
            no->err = WEIR_E_UNPRICED;
            return false;
        }
        j->ask_candidates[i].upstreams = 0;
    }
    j->count_at = j->rec.max_tokens;
    n = worst_ways(e, j, ways);
    if (n == 0)
        return true;
    j->money = budget_reserve_any(e->book, &call, ways, n, &binds);
    if (!j->money)
        refuse(no, j, &binds);
    return j->money != NULL;
}

bool purse_again(struct engine *e, struct job *j)
{
    const struct call_attempt *row = &j->rec.attempts[j->rec.attempt_count - 1];
    struct budget_way ways[ASK_CANDIDATES_MAX];
    struct budget_call call = call_of(j);
    int64_t before = j->paid;
    struct budget_view binds;
    bool paid_for = true;
    size_t n;

    if (j->cost_most && row->cost_in + row->cost_out > 0 && before + row->cost_in + row->cost_out + engine_worst(j) > j->cost_most)
        return false;
    j->paid += row->cost_in + row->cost_out;
    if (!j->money || j->paid == before)
        return true;
    purse_release(e, j);
    for (size_t i = 0; i < way_count(j); i++) {
        struct way w = way_of(j, i);
        struct budget_call c = call_by(j, &w);

        if (w.open && (w.free || w.price) && budget_applies(e->book, &c))
            paid_for = way_clamp(e, j, &w) && paid_for;
    }
    j->count_at = j->rec.max_tokens;
    n = worst_ways(e, j, ways);
    if (paid_for)
        j->money = budget_reserve_any(e->book, &call, ways, n, &binds);
    if (!j->money) {
        j->paid = before;
        n = worst_ways(e, j, ways);
        j->money = budget_hold_any(e->book, &call, ways, n);
    }
    return paid_for && j->paid != before;
}

/* What is held was held for every way it might have been served; spent is what the one that served it cost. */
void purse_settle(struct engine *e, struct job *j)
{
    struct budget_call c = call_of(j);
    int64_t cost = j->rec.cost.priced ? j->rec.cost.total : j->price ? worst_of(j) : 0;

    if (!j->money)
        return;
    purse_release(e, j);
    if (cost > 0)
        budget_spend(e->book, &c, cost);
}

void purse_release(struct engine *e, struct job *j)
{
    if (j->money)
        budget_release(e->book, j->money);
    j->money = NULL;
}

/* Providers keep to max_tokens; this is for those that do not. Counting takes time, so it is done as rarely as the
 * distance to the edge allows. */
bool purse_is_empty(struct job *j)
{
    int64_t quarters = ((int64_t)(j->answer.len + j->reasoning.len) + j->unshown_bytes) / 4;
    int64_t pieces = j->chunks > quarters ? j->chunks : quarters, left;

    if (!j->money || pieces <= j->count_at)
        return false;
    left = j->rec.max_tokens - settle_output(j);
    j->count_at = pieces + (left > COUNT_EVERY ? left : COUNT_EVERY);
    return left < 0;
}
