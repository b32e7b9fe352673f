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

static int64_t prompt_of(const struct job *j)
{
    return budget_prompt(j->rec.prompt_tokens_counted, j->tokens.exact);
}

static int64_t worst_of(const struct job *j)
{
    return price_worst_case(j->price, prompt_of(j), j->rec.max_tokens);
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
        budget_book_lost(b, s->row, s->key, s->at_ms, s->lost);
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
static void hold_anew(struct engine *e, struct job *j)
{
    struct budget_call c = call_of(j);

    if (j->state == JOB_COMMITTING)
        budget_spend(e->book, &c, j->rec.cost.total);
    else if (j->state < JOB_COMMITTING && j->price && !j->builtin_reply && budget_applies(e->book, &c))
        j->money = budget_hold(e->book, &c, worst_of(j));
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
        hold_anew(e, j);
}

/* --- jobs --- */

/* "$0.02 of $5" and the like are for people; the object beside it is for programs. */
static void refuse(struct job_end *no, const struct budget_view *v)
{
    static const char *const whose[] = {"everything", "this user", "this session", "this token", "this model"};
    static const char *const spans[] = {"daily", "weekly", "monthly", "total"};
    struct sb text = sb_make(1024), extra = sb_make(1024);

    sb_putf(&text, "This would pass the %s budget of %s: of $", spans[v->rule->window], whose[v->rule->scope]);
    sb_usd(&text, v->rule->limit);
    sb_puts(&text, " there are $");
    sb_usd(&text, v->spent);
    sb_puts(&text, " spent and $");
    sb_usd(&text, v->held);
    sb_puts(&text, " reserved for what is running. Nothing was sent or charged.");
    sb_puts(&extra, ",\"budget\":{");
    gauge_budget_json(&extra, v);
    sb_putc(&extra, '}');
    no->err = WEIR_E_BUDGET;
    no->message = sb_take(&text);
    no->extra = sb_take(&extra);
}

bool purse_take(struct engine *e, struct job *j, struct job_end *no)
{
    struct budget_call c = call_of(j);
    struct budget_view binds;
    int64_t output;

    if (j->builtin_reply || !budget_applies(e->book, &c))
        return true;
    if (!j->price) {
        no->err = WEIR_E_UNPRICED;
        return false;
    }
    output = budget_output_for(j->price, prompt_of(j), budget_room(e->book, &c));
    if (output > 0 && output < j->rec.max_tokens) {
        j->rec.max_tokens = j->ask.max_tokens = output;
        j->short_of_money = true;
    }
    j->count_at = j->rec.max_tokens;
    j->money = budget_reserve(e->book, &c, worst_of(j), &binds);
    if (!j->money)
        refuse(no, &binds);
    return j->money != NULL;
}

void purse_settle(struct engine *e, struct job *j)
{
    if (j->money)
        budget_settle(e->book, j->money, j->rec.cost.priced ? j->rec.cost.total : worst_of(j));
    j->money = NULL;
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
    int64_t quarters = (int64_t)(j->answer.len + j->reasoning.len) / 4;
    int64_t pieces = j->chunks > quarters ? j->chunks : quarters, left;

    if (!j->money || pieces <= j->count_at)
        return false;
    left = j->rec.max_tokens - settle_output(j);
    j->count_at = pieces + (left > COUNT_EVERY ? left : COUNT_EVERY);
    return left < 0;
}
