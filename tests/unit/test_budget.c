/* The ledger: what is spent and held, who is refused, and nothing past a limit, against an exact slow model. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "rules/budget.h"

#define USD INT64_C(1000000000000)
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define NOON (20000 * DAY_MS + 12 * HOUR_MS)

/* Days of UTC for every rule but those that are total. */
static struct budget_span days(void *ctx, size_t rule, int64_t at_ms)
{
    const bool *total = ctx;

    if (total && total[rule])
        return (struct budget_span){INT64_MIN, INT64_MAX};
    return (struct budget_span){at_ms / DAY_MS * DAY_MS, (at_ms / DAY_MS + 1) * DAY_MS};
}

static struct budget_rule rule(enum budget_scope scope, const char *key, int64_t limit)
{
    struct budget_rule r = {.scope = scope, .limit = limit, .warn = {500000, 800000, 950000}, .warns = 3};

    if (key)
        snprintf(r.key, sizeof r.key, "%s", key);
    r.each = !key;
    return r;
}

static void add(struct budget_book *b, const char *id, struct budget_rule r)
{
    snprintf(r.id, sizeof r.id, "%s", id);
    (void)budget_book_add(b, &r);
}

static struct budget_call call(const char *user, int64_t at_ms)
{
    return (struct budget_call){.user = user, .session = "ses_1", .model = "m", .at_ms = at_ms};
}

/* The ledger of one rule and key, as the whole picture shows it. */
struct wanted {
    const char *id, *key;
    struct budget_view found;
    bool any;
};

static void visit(void *ctx, const struct budget_view *v)
{
    struct wanted *w = ctx;

    if (strcmp(v->rule->id, w->id) != 0 || strcmp(v->key, w->key) != 0)
        return;
    w->found = *v;
    w->any = true;
}

static struct budget_view look(struct budget_book *b, const char *id, const char *key, int64_t at_ms)
{
    struct wanted w = {.id = id, .key = key};

    (void)budget_each(b, at_ms, SIZE_MAX, visit, &w);
    ck_assert_msg(w.any, "no ledger %s %s", id, key);
    return w.found;
}

START_TEST(a_call_is_held_then_spent)
{
    struct budget_book *b = budget_book_new(days, NULL);
    struct budget_call c = call("usr_a", NOON);
    struct budget_view v;
    struct budget_hold *h;

    add(b, "one", rule(BUDGET_USER, "usr_a", 10 * USD));
    h = budget_reserve(b, &c, 4 * USD, &v);
    ck_assert_ptr_nonnull(h);
    v = look(b, "one", "usr_a", NOON);
    ck_assert_int_eq(v.held, 4 * USD);
    ck_assert_int_eq(v.left, 6 * USD);
    budget_settle(b, h, 3 * USD);
    v = look(b, "one", "usr_a", NOON);
    ck_assert_int_eq(v.held, 0);
    ck_assert_int_eq(v.spent, 3 * USD);
    h = budget_reserve(b, &c, 7 * USD, &v);
    ck_assert_ptr_nonnull(h);
    ck_assert_ptr_null(budget_reserve(b, &c, 1, &v));
    budget_release(b, h);
    ck_assert_int_eq(budget_room(b, &c), 7 * USD);
    budget_book_free(b);
}
END_TEST

START_TEST(of_several_ways_each_ledger_holds_the_dearest_that_it_counts)
{
    static const struct budget_way ways[] = {{"m", 2 * USD}, {"n", 5 * USD}, {"o", 3 * USD}};
    struct budget_book *b = budget_book_new(days, NULL);
    struct budget_call c = call("usr_a", NOON);
    struct budget_rule each = rule(BUDGET_MODEL, "", 4 * USD);
    struct budget_view v;
    struct budget_hold *h;

    add(b, "all", rule(BUDGET_ALL, "", 5 * USD));
    add(b, "n", rule(BUDGET_MODEL, "n", 5 * USD));
    h = budget_reserve_any(b, &c, ways, 3, &v);
    ck_assert_ptr_nonnull(h);
    ck_assert_int_eq(look(b, "all", "", NOON).held, 5 * USD);
    ck_assert_int_eq(look(b, "n", "n", NOON).held, 5 * USD);
    budget_release(b, h);
    c.model = "m";
    budget_spend(b, &c, 2 * USD);                        /* the one that served it */
    ck_assert_int_eq(look(b, "all", "", NOON).spent, 2 * USD);
    ck_assert_int_eq(look(b, "n", "n", NOON).spent, 0);
    ck_assert_ptr_null(budget_reserve_any(b, &c, ways, 3, &v));       /* only the dearest would pass */
    ck_assert_str_eq(v.rule->id, "all");
    ck_assert_int_eq(look(b, "all", "", NOON).held, 0);
    budget_book_free(b);

    b = budget_book_new(days, NULL);
    each.each = true;
    add(b, "each", each);
    ck_assert_ptr_null(budget_reserve_any(b, &c, ways, 3, &v));
    ck_assert_str_eq(v.key, "n");
    h = budget_reserve_any(b, &c, &ways[2], 1, &v);
    ck_assert_int_eq(look(b, "each", "o", NOON).held, 3 * USD);
    budget_release(b, h);
    h = budget_hold_any(b, &c, ways, 3);                 /* it runs already */
    ck_assert_int_eq(look(b, "each", "m", NOON).held, 2 * USD);
    ck_assert_int_eq(look(b, "each", "n", NOON).held, 5 * USD);
    budget_settle(b, h, 0);
    ck_assert_int_eq(look(b, "each", "n", NOON).held, 0);
    budget_book_free(b);
}
END_TEST

START_TEST(a_refusal_changes_nothing_and_names_the_budget_that_binds)
{
    struct budget_book *b = budget_book_new(days, NULL);
    struct budget_call c = call("usr_a", NOON);
    struct budget_view v;
    struct budget_hold *h;

    add(b, "wide", rule(BUDGET_ALL, "", 100 * USD));
    add(b, "narrow", rule(BUDGET_MODEL, "m", 5 * USD));
    add(b, "other", rule(BUDGET_USER, "usr_b", 1));
    h = budget_reserve(b, &c, 2 * USD, &v);
    ck_assert_ptr_nonnull(h);
    ck_assert_ptr_null(budget_reserve(b, &c, 3 * USD + 1, &v));
    ck_assert_str_eq(v.rule->id, "narrow");
    ck_assert_int_eq(v.held, 2 * USD);
    ck_assert_int_eq(v.left, 3 * USD);
    ck_assert_int_eq(v.span.to_ms, 20001 * DAY_MS);
    ck_assert_int_eq(look(b, "wide", "", NOON).held, 2 * USD);
    ck_assert_int_eq(look(b, "narrow", "m", NOON).held, 2 * USD);
    budget_release(b, h);
    budget_book_free(b);
}
END_TEST

START_TEST(each_user_has_a_ledger_of_their_own)
{
    struct budget_book *b = budget_book_new(days, NULL);
    struct budget_call a = call("usr_a", NOON), o = call("usr_b", NOON), nobody = {.model = "m", .at_ms = NOON};
    struct budget_view v;
    struct budget_hold *h, *g;

    add(b, "each", rule(BUDGET_USER, NULL, USD));
    h = budget_reserve(b, &a, USD, &v);
    g = budget_reserve(b, &o, USD, &v);
    ck_assert(h && g);
    ck_assert_ptr_null(budget_reserve(b, &a, 1, &v));
    ck_assert_str_eq(v.key, "usr_a");
    ck_assert(!budget_applies(b, &nobody));
    ck_assert_int_eq(budget_room(b, &nobody), INT64_MAX);
    budget_settle(b, h, USD / 2);
    budget_settle(b, g, 1);
    ck_assert_int_eq(look(b, "each", "usr_a", NOON).spent, USD / 2);
    ck_assert_int_eq(look(b, "each", "usr_b", NOON).spent, 1);
    budget_book_free(b);
}
END_TEST

static void names_of(void *ctx, const struct budget_view *v)
{
    char *names = ctx;

    snprintf(names + strlen(names), 64, "%s/%s ", v->rule->id, v->key);
}

START_TEST(single_ledgers_are_shown_before_the_many_and_all_are_counted)
{
    struct budget_book *b = budget_book_new(days, NULL);
    struct budget_call a = call("usr_a", NOON), o = call("usr_b", NOON), late = call("usr_c", NOON + DAY_MS);
    char names[256] = "";

    add(b, "each", rule(BUDGET_USER, NULL, USD));
    add(b, "all", rule(BUDGET_ALL, "", USD));
    budget_spend(b, &a, 1);
    budget_spend(b, &o, 1);
    budget_spend(b, &late, 1);
    ck_assert_uint_eq(budget_each(b, NOON, 2, names_of, names), 3);
    ck_assert_str_eq(names, "all/ each/usr_a ");
    budget_book_free(b);
}
END_TEST

START_TEST(a_call_counts_in_the_window_it_was_admitted_in)
{
    struct budget_book *b = budget_book_new(days, NULL);
    int64_t midnight = 20001 * DAY_MS;
    struct budget_call before = call("usr_a", midnight - 1), after = call("usr_a", midnight);
    struct budget_view v;
    struct budget_hold *h, *g;

    add(b, "one", rule(BUDGET_ALL, "", USD));
    h = budget_reserve(b, &before, USD, &v);
    ck_assert_ptr_nonnull(h);
    g = budget_reserve(b, &after, USD, &v);               /* a new day, and nothing had to be reset */
    ck_assert_ptr_nonnull(g);
    budget_settle(b, h, USD);
    budget_release(b, g);
    ck_assert_int_eq(look(b, "one", "", midnight).spent, 0);
    ck_assert_int_eq(look(b, "one", "", midnight - 1).spent, USD);
    ck_assert_ptr_null(budget_reserve(b, &before, 1, &v));  /* the clock stepped back: that day is still spent */
    budget_book_free(b);
}
END_TEST

/* Whether it is held is a function of the time of whoever asks. */
START_TEST(what_nobody_saw_the_end_of_is_held_for_its_time)
{
    bool total[] = {true, false};
    struct budget_book *b = budget_book_new(days, total);
    struct budget_call before = call("usr_a", NOON + HOUR_MS - 1), after = call("usr_a", NOON + HOUR_MS);
    struct budget_view v;
    struct budget_hold *h;

    add(b, "all", rule(BUDGET_ALL, "", 10 * USD));
    add(b, "each", rule(BUDGET_USER, NULL, 12 * USD));
    budget_book_spent(b, 0, "", NOON, 2 * USD);
    budget_book_lost(b, 0, "", NOON, 5 * USD, NOON + HOUR_MS);
    budget_book_lost(b, 1, "usr_a", NOON, 5 * USD, NOON + HOUR_MS);
    v = look(b, "all", "", before.at_ms);
    ck_assert_int_eq(v.spent, 2 * USD);
    ck_assert_int_eq(v.held, 5 * USD);
    ck_assert_int_eq(v.lost, 5 * USD);
    ck_assert_int_eq(v.lost_until_ms, NOON + HOUR_MS);
    ck_assert_int_eq(v.left, 3 * USD);
    ck_assert_int_eq(budget_room(b, &before), 3 * USD);
    ck_assert_ptr_null(budget_reserve(b, &before, 3 * USD + 1, &v));
    ck_assert_int_eq(v.held, 5 * USD);
    h = budget_reserve(b, &before, 3 * USD, &v);
    ck_assert_ptr_nonnull(h);
    ck_assert_int_eq(look(b, "all", "", before.at_ms).held, 8 * USD);
    budget_settle(b, h, USD);

    v = look(b, "each", "usr_a", after.at_ms);
    ck_assert_int_eq(v.held, 0);
    ck_assert_int_eq(v.lost, 0);
    ck_assert_int_eq(budget_room(b, &after), 7 * USD);
    h = budget_reserve(b, &after, 7 * USD, &v);
    ck_assert_ptr_nonnull(h);
    ck_assert_int_eq(look(b, "all", "", after.at_ms).left, 0);
    budget_release(b, h);
    budget_book_free(b);
}
END_TEST

START_TEST(warn_levels_are_reached_by_what_is_spent)
{
    static const struct { int64_t spent; int32_t warned; } rows[] = {
        {0, 0}, {USD / 2 - 1, 0}, {USD / 2, 500000}, {USD * 8 / 10, 800000}, {USD * 95 / 100 - 1, 800000}, {USD, 950000},
        {INT64_MAX, 950000},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct budget_book *b = budget_book_new(days, NULL);

        add(b, "one", rule(BUDGET_ALL, "", USD));
        budget_book_spent(b, 0, "", NOON, rows[i].spent);
        ck_assert_int_eq(look(b, "one", "", NOON).warned, rows[i].warned);
        budget_book_free(b);
    }
}
END_TEST

START_TEST(sums_past_int64_stay_at_its_end)
{
    struct budget_book *b = budget_book_new(days, NULL);
    struct budget_call c = call("usr_a", NOON);
    struct budget_hold *h[3];
    struct budget_view v;

    add(b, "one", rule(BUDGET_ALL, "", INT64_MAX));
    for (int i = 0; i < 3; i++)
        h[i] = budget_hold_any(b, &c, &(struct budget_way){c.model, INT64_MAX / 2 + 1}, 1);
    ck_assert_ptr_null(budget_reserve(b, &c, INT64_MAX, &v));
    for (int i = 0; i < 3; i++)
        budget_settle(b, h[i], INT64_MAX);
    ck_assert_int_eq(look(b, "one", "", NOON).spent, INT64_MAX);
    ck_assert_int_eq(look(b, "one", "", NOON).held, 0);
    ck_assert_ptr_null(budget_reserve(b, &c, 1, &v));
    budget_book_free(b);
}
END_TEST

START_TEST(a_budget_pays_for_so_many_tokens_and_not_one_more)
{
    struct price p = {.tiers = 1, .tier = {{.in = 150000, .out = 600000, .cache_read = -1, .cache_write = -1, .cache_write_1h = -1}}};

    for (int64_t room = 0; room < 40000000; room += 99991) {
        int64_t out = budget_output_for(&p, 100, room);

        if (out < 0)
            ck_assert_int_gt(price_worst_case(&p, 100, 0), room);
        else {
            ck_assert_int_le(price_worst_case(&p, 100, out), room);
            ck_assert_int_gt(price_worst_case(&p, 100, out + 1), room);
        }
    }
    p.tier[0].out = 0;
    ck_assert_int_eq(budget_output_for(&p, 0, 0), INT64_MAX);
}
END_TEST

/* --- the model: every window's every cost written down, added up anew each time it is asked --- */

enum { STEPS = UNIT_TIMES(1000 * 1000), RULES = 7, USERS = 5, HOLDS = 64, LOG = 1024 };

struct entry {
    int user, model;
    int64_t at_ms, cost;
    bool running;
};

struct model {
    struct budget_rule rule[RULES];
    bool total[RULES];
    struct entry log[LOG];
    int n;
};

static const char *const users[USERS] = {"usr_a", "usr_b", "usr_c", "usr_d", "usr_e"};
static const char *const names[2] = {"cheap", "dear"};

static bool model_counts(const struct model *m, int r, const struct entry *e)
{
    const struct budget_rule *rule = &m->rule[r];
    const char *who = rule->scope == BUDGET_USER ? users[e->user] : names[e->model];

    return rule->scope == BUDGET_ALL || rule->each || strcmp(rule->key, who) == 0;
}

/* What one ledger has spent and held, for the key and the day of `like`. */
static int64_t model_sum(const struct model *m, int r, const struct entry *like)
{
    int64_t sum = 0;

    for (int i = 0; i < m->n; i++) {
        const struct entry *e = &m->log[i];
        bool same = m->rule[r].scope == BUDGET_ALL || !m->rule[r].each ||
                    (m->rule[r].scope == BUDGET_USER ? e->user == like->user : e->model == like->model);

        if (model_counts(m, r, e) && same && (m->total[r] || e->at_ms / DAY_MS == like->at_ms / DAY_MS))
            sum += e->cost;
    }
    return sum;
}

static bool model_fits(const struct model *m, const struct entry *e)
{
    for (int r = 0; r < RULES; r++)
        if (model_counts(m, r, e) && model_sum(m, r, e) + e->cost > m->rule[r].limit)
            return false;
    return true;
}

/* Forget the oldest days, as no question reaches back to them; totals keep their sum in one entry for each user and model. */
static void model_trim(struct model *m, int64_t now_ms)
{
    struct entry old[USERS][2] = {0};
    int kept = 0;

    for (int i = 0; i < m->n; i++) {
        struct entry e = m->log[i];

        if (e.running || e.at_ms / DAY_MS >= now_ms / DAY_MS - 2)
            m->log[kept++] = e;
        else
            old[e.user][e.model].cost += e.cost;
    }
    for (int u = 0; u < USERS; u++)
        for (int k = 0; k < 2; k++)
            m->log[kept++] = (struct entry){.user = u, .model = k, .cost = old[u][k].cost};
    m->n = kept;
}

START_TEST(it_agrees_with_an_exact_slow_model_over_a_million_steps)
{
    static struct model m;
    static struct budget_hold *hold[HOLDS];
    int64_t at = NOON, granted = 0, refused = 0;
    struct budget_book *b;
    uint64_t seed;
    struct rng rng;

    rand_bytes(&seed, sizeof seed);
    if (getenv("WEIR_TEST_SEED"))
        seed = strtoull(getenv("WEIR_TEST_SEED"), NULL, 0);
    printf("seed %#" PRIx64 " (WEIR_TEST_SEED repeats it)\n", seed);
    rng = rng_make(seed);
    memset(&m, 0, sizeof m);
    m.rule[0] = rule(BUDGET_ALL, "", 4000);
    m.rule[1] = rule(BUDGET_USER, NULL, 1200);
    m.rule[2] = rule(BUDGET_USER, users[0], 700);
    m.rule[3] = rule(BUDGET_MODEL, names[1], 1500);
    m.rule[4] = rule(BUDGET_MODEL, NULL, 3000);
    m.rule[5] = rule(BUDGET_USER, users[1], 300000);
    m.rule[6] = rule(BUDGET_ALL, "", INT64_MAX / 2);
    m.total[5] = m.total[6] = true;
    b = budget_book_new(days, m.total);
    for (int r = 0; r < RULES; r++)
        add(b, (char[]){(char)('0' + r), 0}, m.rule[r]);
    for (int step = 0, running = 0; step < STEPS; step++) {
        int64_t dice = rng_below(&rng, 100);

        if (dice < 2)
            at += rng_below(&rng, 4 * HOUR_MS);
        else if (dice < 3)
            at -= rng_below(&rng, 2 * HOUR_MS);                      /* the clock is set back */
        if (dice < 55 && running < HOLDS) {
            struct entry e = {.user = (int)rng_below(&rng, USERS), .model = (int)rng_below(&rng, 2), .at_ms = at,
                              .cost = rng_below(&rng, 300), .running = true};
            struct budget_call c = {.user = users[e.user], .model = names[e.model], .at_ms = at};
            struct budget_view binds;
            bool fits = model_fits(&m, &e);
            struct budget_hold *h = budget_reserve(b, &c, e.cost, &binds);

            ck_assert_msg(!!h == fits, "step %d: %s, the model says %s", step, h ? "granted" : "refused", fits ? "yes" : "no");
            if (h) {
                if (m.n >= LOG - HOLDS)
                    model_trim(&m, at);
                hold[running++] = h;
                m.log[m.n++] = e;
                granted++;
            } else {
                int r = binds.rule->id[0] - '0';

                ck_assert_msg(model_sum(&m, r, &e) + e.cost > m.rule[r].limit, "step %d: rule %d does not bind", step, r);
                ck_assert_int_eq(binds.spent + binds.held, model_sum(&m, r, &e));
                refused++;
            }
        } else if (running > 0) {
            int i = (int)rng_below(&rng, running), seen = 0, k = 0;
            int64_t cost;

            while (!m.log[k].running || seen++ < i)                  /* running entries keep their order, as do holds */
                k++;
            cost = rng_below(&rng, m.log[k].cost + 1);
            m.log[k].cost = cost;
            m.log[k].running = false;
            if (cost)
                budget_settle(b, hold[i], cost);
            else
                budget_release(b, hold[i]);
            memmove(&hold[i], &hold[i + 1], (size_t)(--running - i) * sizeof *hold);
        }
        for (; step == STEPS - 1 && running > 0; running--)
            budget_release(b, hold[running - 1]);
    }
    ck_assert_msg(granted > STEPS / 100 && refused > STEPS / 100, "granted %" PRId64 ", refused %" PRId64, granted, refused);
    budget_book_free(b);
}
END_TEST

UNIT_MAIN("budget", a_call_is_held_then_spent, of_several_ways_each_ledger_holds_the_dearest_that_it_counts,
          a_refusal_changes_nothing_and_names_the_budget_that_binds,
          each_user_has_a_ledger_of_their_own,
          single_ledgers_are_shown_before_the_many_and_all_are_counted, a_call_counts_in_the_window_it_was_admitted_in,
          what_nobody_saw_the_end_of_is_held_for_its_time,
          warn_levels_are_reached_by_what_is_spent, sums_past_int64_stay_at_its_end,
          a_budget_pays_for_so_many_tokens_and_not_one_more, it_agrees_with_an_exact_slow_model_over_a_million_steps)
