/* test_purse.c - budgets on the real engine: holds, edges, and changes of
 * budgets while everything runs. What is spent is what the records say. */
#include <pthread.h>

#include "fixture_budget.h"
#include "unit.h"

START_TEST(a_provider_that_goes_on_beyond_the_budget_is_cut_off_cleanly)
{
    struct world *w = world_make(true);
    static const char ignored[] = ",\"max_completion_tokens\":100000";      /* the stand-in goes by this, not by the cap that follows */
    struct client c;
    struct job *j;
    const char *text;

    world_start(w);
    set_budget(w, "one", BUDGET_ALL, "", worst(200));
    j = priced_job(w, &c, JOB_STREAM, "#slow-0-1-5000 on and on", 5000);
    j->body[PROTOCOL_OPENAI].text = mem_grow(j->body[PROTOCOL_OPENAI].text, j->body[PROTOCOL_OPENAI].len + sizeof ignored, 1);
    memcpy(j->body[PROTOCOL_OPENAI].text + j->body[PROTOCOL_OPENAI].len, ignored, sizeof ignored);
    j->body[PROTOCOL_OPENAI].len += sizeof ignored - 1;
    engine_submit(w->e, j);
    text = await_end(&c);
    assert_stream(text);
    assert_event_str(text, "done", "finish_reason", "budget");
    ck_assert_int_ge(event_int(text, "done", "usage", "completion_tokens"), 200);
    ck_assert_int_lt(event_int(text, "done", "usage", "completion_tokens"), 400);
    assert_spent(w, "one");
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(a_refusal_leaves_nothing_held_and_says_which_budget)
{
    struct world *w = world_make(true);
    int64_t spent, held;
    struct client c;
    const char *text;

    world_start(w);
    set_budget(w, "wide", BUDGET_ALL, "", worst(1000));
    set_budget(w, "each", BUDGET_USER, NULL, worst(1) - 1);
    engine_submit(w->e, priced_job(w, &c, JOB_STREAM, "#lorem-5 refused", 10));
    text = await_end(&c);
    ck_assert(strstr(text, "Status: 402 "));
    ck_assert(strstr(text, "\"budget\":{\"id\":\"each\",\"scope\":\"user\",\"window\":\"month\""));
    look(w, "wide", &spent, &held);
    ck_assert_int_eq(held, 0);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM events"), 0);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(what_is_refused_by_the_line_gives_its_money_back)
{
    struct world *w = world_make(true);
    int64_t spent, held;
    struct client c;

    for (size_t i = 0; i < w->s->n_upstreams; i++)      /* too large for the line, ever */
        w->s->upstreams[i].tune.limits.tokens_per_minute = 1;
    world_start(w);
    set_budget(w, "one", BUDGET_ALL, "", worst(1000));
    engine_submit(w->e, priced_job(w, &c, JOB_STREAM, "#lorem-5 refused", 10));
    ck_assert(strstr(await_end(&c), "Status: 429 "));
    look(w, "one", &spent, &held);
    ck_assert_int_eq(held, 0);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(a_deadline_that_passes_in_line_gives_its_money_back)
{
    struct world *w = world_make(true);
    int64_t spent, held;
    struct client first, late;
    struct job *j;

    w->s->upstreams[0].tune.max_concurrent = 1;
    world_start(w);
    set_budget(w, "one", BUDGET_ALL, "", worst(10000));
    engine_submit(w->e, priced_job(w, &first, JOB_STREAM, "#slow-0-20-1000 first", 1000));
    await_text(&first, "event: delta\n");
    j = priced_job(w, &late, JOB_STREAM, "#lorem-5 late", 10);
    j->ask.deadline_us = j->ask.arrived_us + 300 * USEC_PER_MS;
    engine_submit(w->e, j);
    ck_assert(strstr(await_end(&late), "queue_timeout"));
    look(w, "one", &spent, &held);
    ck_assert_int_eq(held, worst(1000));                /* the first's alone */
    ck_assert_int_eq(spent, 0);
    client_leave(&first);
    await_rows(w, "SELECT count(*) FROM events WHERE state < 2", 0);
    assert_spent(w, "one");
    client_done(&first);
    client_done(&late);
    world_done(w);
}
END_TEST

/* --- everything at once --- */

enum { THREADS = 8, EACH = 125, PAID = 100, ANSWER = 20 };

struct crowd {
    struct world *w;
    struct client c[EACH];
    struct job *j[EACH];
};

static void *submit_all(void *arg)
{
    struct crowd *crowd = arg;

    for (int i = 0; i < EACH; i++)
        engine_submit(crowd->w->e, crowd->j[i]);
    return NULL;
}

/* A thousand jobs from eight threads; `meanwhile` runs beside them. Gives how many were answered. */
static int crowd_run(struct world *w, void (*meanwhile)(struct world *w))
{
    static struct crowd crowd[THREADS];
    pthread_t thread[THREADS];
    int answered = 0;

    w->s->queue.max_wait_us = 600 * USEC_PER_SEC;         /* only money is to refuse */
    for (int t = 0; t < THREADS; t++) {
        crowd[t].w = w;
        for (int i = 0; i < EACH; i++)
            crowd[t].j[i] = priced_job(w, &crowd[t].c[i], i % 2 ? JOB_STREAM : JOB_COMPLETE, "#lorem-20 crowd", ANSWER);
    }
    for (int t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_create(&thread[t], NULL, submit_all, &crowd[t]), 0);
    if (meanwhile)
        meanwhile(w);
    for (int t = 0; t < THREADS; t++)
        pthread_join(thread[t], NULL);
    for (int t = 0; t < THREADS; t++)
        for (int i = 0; i < EACH; i++) {
            const char *text = await_end(&crowd[t].c[i]);

            answered += strstr(text, "Status: 200 ") != NULL;
            ck_assert_msg(strstr(text, "Status: 200 ") || strstr(text, "Status: 402 "), "%s", text);
            client_done(&crowd[t].c[i]);
        }
    return answered;
}

START_TEST(a_thousand_at_once_never_pass_a_budget_for_a_hundred)
{
    struct world *w = world_make(true);
    int answered;

    world_start(w);
    set_budget(w, "one", BUDGET_ALL, "", PAID * worst(ANSWER));
    set_budget(w, "each", BUDGET_USER, NULL, 2 * PAID * worst(ANSWER));
    answered = crowd_run(w, NULL);
    ck_assert_int_ge(answered, PAID);
    ck_assert_int_le(fixture_i64(w->ro, "SELECT sum(cost_in + cost_out) FROM events"), PAID * worst(ANSWER));
    assert_spent(w, "one");
    assert_spent(w, "each");
    world_done(w);
}
END_TEST

static void change_budgets(struct world *w)
{
    for (int i = 0; i < 30; i++) {
        char id[16];

        snprintf(id, sizeof id, "b%d", i);
        set_budget(w, id, i % 2 ? BUDGET_ALL : BUDGET_USER, i % 2 ? "" : NULL, INT64_MAX / 4);
        if (i >= 5) {
            snprintf(id, sizeof id, "b%d", i - 5);
            remove_budget(w, id);
        }
    }
}

START_TEST(budgets_that_change_under_load_count_every_call_once)
{
    struct world *w = world_make(true);

    world_start(w);
    set_budget(w, "always", BUDGET_ALL, "", INT64_MAX / 4);
    ck_assert_int_eq(crowd_run(w, change_budgets), THREADS * EACH);
    assert_spent(w, "always");
    assert_spent(w, "b29");
    assert_spent(w, "b26");
    world_done(w);
}
END_TEST

/* --- several models --- */

static const struct price dear = {.tiers = 1, .tier = {{.in = 10 * RATE_IN, .out = 10 * RATE_OUT, .cache_read = -1, .cache_write = -1,
                                                        .cache_write_1h = -1}}};

/* One that the cheap model may serve, or the dear one after it (stage 1) or beside it (0). */
static struct job *choosing_job(struct world *w, struct client *c, const char *message, const char *first, int stage, int64_t max_tokens)
{
    struct job *j = priced_job(w, c, JOB_STREAM, message, max_tokens);
    struct openai_turn turn = {"user", message};
    struct openai_options o = {.stream = true};
    const char *const names[] = {first, "gpt-4o"};
    struct sb body = sb_make(1 << 20);

    free(j->body[PROTOCOL_OPENAI].text);
    openai_request(&body, NULL, &turn, 1, &o);
    j->body[PROTOCOL_OPENAI].len = body.len;
    j->body[PROTOCOL_OPENAI].text = sb_take(&body);
    j->rec.model = j->rec.requested_model = "auto";
    j->ask_candidates = mem_zalloc(2, sizeof *j->ask_candidates);
    j->candidates = mem_zalloc(2, sizeof *j->candidates);
    for (int i = 0; i < 2; i++) {
        struct sb tail = sb_make(200);

        openai_request_model(&tail, names[i], &o);
        j->candidates[i] = (struct job_candidate){.model = mem_strdup(names[i]), .price = i ? &dear : &price, .tokens = j->tokens,
                                                  .cost = {.priced = true}, .tail = sb_take(&tail)};
        j->ask_candidates[i] = (struct ask_candidate){.upstreams = 1, .model = (uint64_t)i + 1, .price = i ? &dear : &price,
                                                      .stage = i * stage, .prompt_tokens = PROMPT, .max_tokens = max_tokens};
    }
    j->ask.candidates = j->ask_candidates;
    j->ask.candidate_count = 2;
    return j;
}

START_TEST(the_dearest_that_may_serve_is_held_and_what_served_is_spent)
{
    struct world *w = world_make(true);
    struct sb ids = sb_make(1024);
    int64_t spent, held;
    struct client c;

    world_start(w);
    set_budget(w, "all", BUDGET_ALL, "", worst(100000));
    set_budget(w, "each", BUDGET_MODEL, NULL, worst(100000));
    engine_submit(w->e, choosing_job(w, &c, "#fault-hang-3 x", "gpt-4o-mini", 1, 100));
    await_text(&c, "event: delta");
    look(w, "all", &spent, &held);
    ck_assert_int_eq(held, 10 * worst(100));
    look(w, "each", &spent, &held);
    ck_assert_int_eq(held, 11 * worst(100));             /* each of the two in its own ledger */
    remove_budget(w, "each");                            /* what runs is held anew */
    look(w, "all", &spent, &held);
    ck_assert_int_eq(held, 10 * worst(100));
    engine_cancel(w->e, NULL, c.request_id, NULL, &ids);
    assert_stream(await_end(&c));
    assert_event_str(client_text(&c), "done", "model", "gpt-4o-mini");
    client_done(&c);
    sb_done(&ids);
    assert_spent(w, "all");
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT cost_in / prompt FROM events"), RATE_IN);
    world_done(w);
}
END_TEST

START_TEST(a_model_that_is_not_paid_for_is_no_choice_but_one_asked_for_is_refused)
{
    struct world *w = world_make(true);
    struct client c;

    world_start(w);
    set_budget(w, "mini", BUDGET_MODEL, "gpt-4o-mini", 1);
    engine_submit(w->e, choosing_job(w, &c, "hello", "gpt-4o-mini", 0, 100));
    assert_event_str(await_end(&c), "done", "model", "gpt-4o");
    client_done(&c);
    engine_submit(w->e, choosing_job(w, &c, "hello", "gpt-4o-mini", 1, 100));
    ck_assert_ptr_nonnull(strstr(await_end(&c), "budget_exceeded"));
    client_done(&c);
    set_budget(w, "all", BUDGET_ALL, "", worst(100));    /* the dear one's cap is lowered to what this pays for */
    engine_submit(w->e, choosing_job(w, &c, "#lorem-60 x", "gpt-4.1", 0, 100));
    assert_event_str(await_end(&c), "done", "model", "gpt-4.1");
    client_done(&c);
    assert_spent(w, "all");
    world_done(w);
}
END_TEST

START_TEST(what_a_failed_attempt_cost_is_held_beside_the_next_and_no_budget_is_passed)
{
    struct world *w = world_make(true);
    int64_t cost, limit = PROMPT * RATE_IN + 10 * worst(50);
    struct client c;

    w->s->upstreams[0].tune.timeouts.first_byte_us = 100 * USEC_PER_MS;
    w->s->upstreams[0].tune.retry.max_retries = 0;
    world_start(w);
    set_budget(w, "all", BUDGET_ALL, "", limit);
    engine_submit(w->e, choosing_job(w, &c, "#lorem-60 x", "gpt-4o-mini", 1, 50));       /* the message decides: no fault */
    assert_stream(await_end(&c));
    client_done(&c);
    cost = fixture_i64(w->ro, "SELECT cost_in + cost_out FROM events");
    remove_budget(w, "all");
    set_budget(w, "again", BUDGET_ALL, "", cost + limit);
    engine_submit(w->e, choosing_job(w, &c, "no word from the first", "fault-hang", 1, 1000));
    assert_event_str(await_end(&c), "done", "model", "gpt-4o");
    client_done(&c);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM attempts WHERE prompt > 0 AND event = (SELECT max(id) FROM events)"), 2);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT cost_in FROM attempts WHERE event = (SELECT max(id) FROM events) AND n = 1"), PROMPT * RATE_IN);
    /* Its cap, lowered to what was left when it began, is lowered once more by what the first attempt took. */
    ck_assert_int_lt(fixture_i64(w->ro, "SELECT max_tokens FROM events ORDER BY id DESC LIMIT 1"), 60);
    ck_assert_int_le(fixture_i64(w->ro, "SELECT sum(cost_in + cost_out) FROM events"), cost + limit);
    assert_spent(w, "again");
    set_budget(w, "tight", BUDGET_ALL, "", fixture_i64(w->ro, "SELECT sum(cost_in + cost_out) FROM events") + 10 * worst(0) + 10 * RATE_OUT);
    engine_submit(w->e, choosing_job(w, &c, "too little for two", "fault-hang", 1, 1000));
    ck_assert_ptr_nonnull(strstr(await_end(&c), "upstream_timeout"));      /* one attempt was all there was money for */
    client_done(&c);
    assert_spent(w, "tight");
    world_done(w);
}
END_TEST

UNIT_MAIN("purse", a_provider_that_goes_on_beyond_the_budget_is_cut_off_cleanly, a_refusal_leaves_nothing_held_and_says_which_budget,
          what_is_refused_by_the_line_gives_its_money_back, a_deadline_that_passes_in_line_gives_its_money_back, a_thousand_at_once_never_pass_a_budget_for_a_hundred,
          budgets_that_change_under_load_count_every_call_once, the_dearest_that_may_serve_is_held_and_what_served_is_spent,
          a_model_that_is_not_paid_for_is_no_choice_but_one_asked_for_is_refused,
          what_a_failed_attempt_cost_is_held_beside_the_next_and_no_budget_is_passed)
