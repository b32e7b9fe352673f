/* fixture_budget.h - jobs that cost something, budgets that hold them, and what
 * the engine says of both; on top of fixture_engine.h. */
#ifndef WEIR_TESTS_FIXTURE_BUDGET_H
#define WEIR_TESTS_FIXTURE_BUDGET_H

#include "fixture_engine.h"
#include "store/budgets.h"

#define RATE_IN INT64_C(150000)
#define RATE_OUT INT64_C(600000)

enum { PROMPT = 30 };              /* more than any question here has */

static const struct price price = {.tiers = 1, .tier = {{.in = RATE_IN, .out = RATE_OUT, .cache_read = -1, .cache_write = -1,
                                                         .cache_write_1h = -1}}};

static inline struct job *priced_job(struct world *w, struct client *c, enum job_kind kind, const char *message, int64_t max_tokens)
{
    struct job *j = job_make(w, c, kind, message);
    struct openai_turn turn = {"user", message};
    struct openai_options o = {.stream = kind == JOB_STREAM};
    struct sb body = sb_make(1 << 20);

    openai_request(&body, "gpt-4o-mini", &turn, 1, &o);
    j->body[PROTOCOL_OPENAI].len = body.len;
    j->body[PROTOCOL_OPENAI].text = sb_take(&body);
    j->stream_upstream = o.stream;
    j->price = &price;
    j->tokens.exact = true;
    j->rec.prompt_tokens_counted = j->ask.prompt_tokens = PROMPT;
    j->rec.max_tokens = j->ask.max_tokens = max_tokens;
    return j;
}

static inline int64_t worst(int64_t max_tokens)
{
    return PROMPT * RATE_IN + max_tokens * RATE_OUT;
}

struct setting {
    struct write_op op;
    struct budget_row row;
};

static inline enum weir_err run_set(struct db *db, struct write_op *op)
{
    return budgets_add(db, &((struct setting *)op)->row);
}

static inline enum weir_err run_remove(struct db *db, struct write_op *op)
{
    return budgets_remove(db, ((struct setting *)op)->row.rule.id, 1);
}

static inline void change(struct world *w, struct setting *s)
{
    ck_assert_int_eq(writer_call(w->w, &s->op), WEIR_OK);
    ck_assert_int_eq(engine_reload_budgets(w->e), WEIR_OK);
}

static inline void set_budget(struct world *w, const char *id, enum budget_scope scope, const char *key, int64_t limit)
{
    struct setting s = {.op = {.run = run_set}, .row = {.rule = {.scope = scope, .window = BUDGET_MONTH, .each = !key, .limit = limit},
                                                       .tz = "UTC"}};

    snprintf(s.row.rule.id, sizeof s.row.rule.id, "%s", id);
    snprintf(s.row.rule.key, sizeof s.row.rule.key, "%s", key ? key : "");
    change(w, &s);
}

static inline void remove_budget(struct world *w, const char *id)
{
    struct setting s = {.op = {.run = run_remove}};

    snprintf(s.row.rule.id, sizeof s.row.rule.id, "%s", id);
    change(w, &s);
}

/* What the engine says a budget has spent and held, in all its ledgers. A snapshot may be a tenth of a second old. */
static inline void look(struct world *w, const char *id, int64_t *spent, int64_t *held)
{
    const struct snapshot *s;

    poll(NULL, 0, 120);
    s = engine_snapshot(w->e);
    *spent = *held = 0;
    for (size_t i = 0; i < s->budget_count; i++)
        if (strcmp(s->budgets[i].rule.id, id) == 0) {
            *spent += s->budgets[i].view.spent;
            *held += s->budgets[i].view.held;
        }
    snapshot_put(s);
}

static inline void assert_spent(struct world *w, const char *id)
{
    int64_t spent, held;

    look(w, id, &spent, &held);
    ck_assert_int_eq(held, 0);
    ck_assert_int_eq(spent, fixture_i64(w->ro, "SELECT coalesce(sum(cost_in + cost_out), 0) FROM events"));
}

#endif
