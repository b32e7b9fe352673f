/* h_forecast.c - GET /monitoring/forecast: the report's expectation, and when the
 * budgets and hourly limits of the engine's snapshot will be reached by it.
 *
 * A budget of one session or one access key has no past of its own and no
 * forecast. For role user only their own budgets, and no limits: those are
 * filled by everybody. */
#include <inttypes.h>
#include <string.h>

#include "web/monitor.h"
#include "web/route.h"
#include "web/snapshot_json.h"

#define DOLLARS_MOST 9e6          /* as many picodollars an int64_t holds */

enum { PAST_DAYS = 56, GOALS_MAX = 64 };

/* What is looked for, and for whom in the snapshot. */
struct goals {
    size_t count;
    struct report_goal goal[GOALS_MAX];
};

static const struct { enum dim dim; enum report_metric metric; } hourly[] = {
    {DIM_REQUESTS_PER_HOUR, REPORT_REQUESTS}, {DIM_TOKENS_PER_HOUR, REPORT_TOKENS},
};
enum { HOURLY = sizeof hourly / sizeof *hourly };

/* False for a budget whose traffic has no past of its own. */
static bool foreseeable(const struct budget_view *v)
{
    return v->rule->scope == BUDGET_ALL || v->rule->scope == BUDGET_USER || v->rule->scope == BUDGET_MODEL;
}

/* A goal for each budget shown, then for each hourly limit, in the order that goals_json() goes through them. */
static void goals_of(const struct snapshot *s, const char *user_id, struct goals *g)
{
    for (size_t i = 0; i < s->budget_count && g->count < GOALS_MAX; i++) {
        const struct budget_view *v = &s->budgets[i].view;

        if (snapshot_budget_is_of(&s->budgets[i], user_id) && foreseeable(v))
            g->goal[g->count++] = (struct report_goal){.user_id = v->rule->scope == BUDGET_USER ? v->key : NULL,
                                                       .model = v->rule->scope == BUDGET_MODEL ? v->key : NULL,
                                                       .metric = REPORT_COST, .amount = v->left, .until_ms = v->span.to_ms};
    }
    for (size_t i = 0; i < s->upstream_count && !user_id; i++)
        for (int h = 0; h < HOURLY && g->count < GOALS_MAX; h++) {
            const struct admit_dim_view *d = &s->upstreams[i].dim[hourly[h].dim];

            if (d->limit)
                g->goal[g->count++] = (struct report_goal){.upstream = s->upstreams[i].name, .metric = hourly[h].metric,
                                                           .by_hour = true, .amount = d->limit};
        }
}

static void moment(struct sb *out, const char *name, int64_t at_ms)
{
    sb_putf(out, ",\"%s\":", name);
    if (at_ms < 0) {
        sb_puts(out, "null");
        return;
    }
    sb_putc(out, '"');
    sb_time(out, at_ms);
    sb_putc(out, '"');
}

static void goals_json(const struct snapshot *s, const char *user_id, const struct goals *g, struct sb *out)
{
    const char *comma = "";
    size_t n = 0;

    sb_puts(out, ",\"budgets\":[");
    for (size_t i = 0; i < s->budget_count; i++) {
        const struct budget_view *v = &s->budgets[i].view;

        if (!snapshot_budget_is_of(&s->budgets[i], user_id))
            continue;
        sb_putf(out, "%s{", comma);
        snapshot_budget_json(v, out);
        moment(out, "reached_at", foreseeable(v) && n < g->count ? g->goal[n].reached_ms : -1);
        sb_puts(out, ",\"expected_usd\":");
        if (foreseeable(v) && n < g->count && g->goal[n].expected >= 0 && g->goal[n].expected < DOLLARS_MOST - (double)v->spent / 1e12)
            sb_usd(out, v->spent + (int64_t)(g->goal[n].expected * 1e12));
        else
            sb_puts(out, "null");
        n += foreseeable(v) && n < g->count;
        sb_putc(out, '}');
        comma = ",";
    }
    sb_puts(out, "],\"limits\":[");
    comma = "";
    for (size_t i = 0; i < s->upstream_count && !user_id; i++)
        for (int h = 0; h < HOURLY; h++) {
            const struct admit_dim_view *d = &s->upstreams[i].dim[hourly[h].dim];

            if (!d->limit)
                continue;
            sb_putf(out, "%s{\"upstream\":", comma);
            sb_json(out, s->upstreams[i].name);
            sb_putf(out, ",\"dimension\":\"%s\",\"limit\":%" PRId64, dim_name(hourly[h].dim), d->limit);
            moment(out, "reached_at", n < g->count ? g->goal[n].reached_ms : -1);
            moment(out, "possible_at", n < g->count ? g->goal[n].possible_ms : -1);
            sb_putc(out, '}');
            n += n < g->count;
            comma = ",";
        }
    sb_puts(out, "]}\n");
}

enum weir_err h_forecast(struct exchange *x)
{
    struct goals g = {.count = 0};
    struct report_filter f;
    enum weir_err e = monitor_filter(x, PAST_DAYS, &f);
    const struct snapshot *s;

    if (e)
        return e;
    s = engine_snapshot(x->web->engine);
    goals_of(s, monitor_owner(x), &g);
    e = report_forecast(x->db, &f, g.goal, g.count, &x->out.body);
    sb_drop(&x->out.body, strlen("}"));            /* the report is of what was; limits are the engine's */
    if (!e)
        goals_json(s, monitor_owner(x), &g, &x->out.body);
    snapshot_put(s);
    return e;
}
