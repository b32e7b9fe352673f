/* alarm.c - measures become signals, signals become alerts. */
#include "flow/alarm.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rules/trend.h"
#include "store/alerts.h"
#include "store/period.h"
#include "store/report.h"
#include "store/webhooks.h"

enum { CHANGES_MAX = 64, TEXT_MAX = 512, ALERT_JSON_MAX = 8192, HOLDS_PERCENT = 90, LATE_MS = 120000, HOUR_MS = 3600000 };

struct alarm {
    struct engine *e;
    struct writer *w;
    struct db *ro;
    struct alert_book *book;
    bool storage_due;                        /* the database could not be written, and nobody was told so far */
    long outages;                            /* of those at the last look */
    int64_t ledger_failures;                 /* of the last check */
    int64_t cost_version, cost_quarter, cost_newest;   /* what the costs below were read at, and for which newest rule */
    struct {
        int64_t rule, window_ms, cost;
    } cost[ALERT_RULES_MAX];
    size_t costs;
    int64_t odd_hour, odd_newest;            /* what the anomalies below were read at, and for which newest rule */
    struct report_anomaly odd[REPORT_ANOMALIES_NOW];
    size_t odds;
};

/* The signals of one look. */
struct signals {
    struct alert_signal *signal;
    size_t n;
};

static void open_one(void *ctx, const struct alert_id *id)
{
    alert_book_open(ctx, id, clock_mono_us());
}

struct alarm *alarm_new(struct engine *e, struct writer *w, struct db *ro)
{
    struct alarm *a = mem_zalloc(1, sizeof *a);

    a->e = e;
    a->w = w;
    a->ro = ro;
    a->book = alert_book_new();
    a->cost_version = -1;
    if (alerts_unresolved(ro, open_one, a->book))
        log_error("alarm: the open alerts could not be read; they stay open until they come again");
    return a;
}

void alarm_ledger(struct alarm *a, int64_t failures)
{
    a->ledger_failures = failures;
}

void alarm_free(struct alarm *a)
{
    if (!a)
        return;
    alert_book_free(a->book);
    free(a);
}

/* --- measures --- */

static struct alert_signal *add(struct signals *s, const struct alert_rule *r, int64_t value, int64_t threshold, bool firing)
{
    struct alert_signal *one;

    s->signal = mem_grow(s->signal, s->n + 1, sizeof *s->signal);
    one = &s->signal[s->n++];
    memset(one, 0, sizeof *one);
    one->id.rule = r->row;
    one->value = value;
    one->threshold = threshold;
    one->firing = firing;
    one->for_us = r->for_ms * USEC_PER_MS;
    return one;
}

/* A value that wavers: it fires from the threshold on, and holds a little below. NULL: not even that. */
static struct alert_signal *add_value(struct signals *s, const struct alert_rule *r, int64_t value)
{
    return value > 0 && value >= r->threshold * HOLDS_PERCENT / 100 ? add(s, r, value, r->threshold, value >= r->threshold) : NULL;
}

static void look_at_budgets(struct signals *s, const struct alert_rule *r, const struct snapshot *now)
{
    for (size_t i = 0; i < now->budget_count; i++) {
        const struct budget_view *v = &now->budgets[i].view;
        int32_t level = v->spent >= v->rule->limit ? BUDGET_WARN_ALL : v->warned;
        struct alert_signal *one;

        if (level == 0)
            continue;
        one = add(s, r, v->spent, (int64_t)((__int128)v->rule->limit * level / BUDGET_WARN_ALL), true);
        (void)snprintf(one->id.key, sizeof one->id.key, *v->key ? "%s %s" : "%s", v->rule->id, v->key);
        one->id.window_ms = v->rule->window == BUDGET_TOTAL ? 0 : v->span.from_ms;
        one->id.level = level;
    }
}

static void look_at_limits(struct signals *s, const struct alert_rule *r, const struct snapshot *now)
{
    for (size_t i = 0; i < now->upstream_count; i++) {
        for (int d = 0; d < DIM_COUNT; d++) {
            const struct admit_dim_view *v = &now->upstreams[i].dim[d];
            struct alert_signal *one = v->limit && !now->upstreams[i].gone ? add_value(s, r, (v->used + v->reserved) * 1000000 / v->limit) : NULL;

            if (one)
                (void)snprintf(one->id.key, sizeof one->id.key, "%s %s", now->upstreams[i].name, dim_name((enum dim)d));
        }
    }
}

static void look_at_upstreams(struct signals *s, const struct alert_rule *r, const struct snapshot *now)
{
    for (size_t i = 0; i < now->upstream_count; i++) {
        if (now->upstreams[i].down && !now->upstreams[i].gone)
            (void)snprintf(add(s, r, 1, 1, true)->id.key, ALERT_KEY_SIZE, "%s", now->upstreams[i].name);
    }
}

static void look_at_errors(struct alarm *a, struct signals *s, const struct alert_rule *r)
{
    int64_t requests, failed;

    if (alerts_recent(a->ro, clock_utc_ms(), &requests, &failed) == WEIR_OK && requests > 0 && requests >= r->least)
        (void)add_value(s, r, failed * 1000000 / requests);
}

/* Sums over weeks are not made at every look, but when something was settled, a quarter of an hour began or a rule is new. */
static void read_costs(struct alarm *a, const struct alert_rules *rules)
{
    int64_t version = report_version(a->ro), now_ms = clock_utc_ms(), quarter = now_ms / 900000;
    int64_t newest = rules->n ? rules->rule[rules->n - 1].row : 0;

    if (version == a->cost_version && quarter == a->cost_quarter && newest == a->cost_newest)
        return;
    a->costs = 0;
    for (size_t i = 0; i < rules->n && a->costs < ALERT_RULES_MAX; i++) {
        const struct alert_rule *r = &rules->rule[i];
        struct zone zone;
        int64_t from_ms, cost;

        if (r->kind != ALERT_COST || !zone_load(r->tz, &zone))
            continue;
        from_ms = period_at(&zone, r->window, now_ms).from_ms;
        if (alerts_cost(a->ro, r, from_ms, &cost))
            return;                          /* what was read so far is right; the rest comes at the next look */
        a->cost[a->costs].rule = r->row;
        a->cost[a->costs].window_ms = from_ms;
        a->cost[a->costs++].cost = cost;
    }
    a->cost_version = version;
    a->cost_quarter = quarter;
    a->cost_newest = newest;
}

static void look_at_cost(struct alarm *a, struct signals *s, const struct alert_rule *r)
{
    for (size_t i = 0; i < a->costs; i++) {
        if (a->cost[i].rule == r->row && a->cost[i].cost > 0 && a->cost[i].cost >= r->threshold)
            add(s, r, a->cost[i].cost, r->threshold, true)->id.window_ms = a->cost[i].window_ms;
    }
}

/* Weeks of hours are read once an hour, a little after its end, so that what ended then is in it; or when a rule is new. */
static void read_odds(struct alarm *a, const struct alert_rules *rules)
{
    int64_t then_ms = clock_utc_ms() - LATE_MS, newest = 0;

    for (size_t i = 0; i < rules->n; i++) {
        if (rules->rule[i].kind == ALERT_ANOMALY && rules->rule[i].enabled)
            newest = rules->rule[i].row;
    }
    if (!newest || (then_ms / HOUR_MS == a->odd_hour && newest == a->odd_newest) || report_anomalies_now(a->ro, then_ms, a->odd, &a->odds))
        return;
    a->odd_hour = then_ms / HOUR_MS;
    a->odd_newest = newest;
}

/* Not an alert for each hour: one that stays as long as the newest is out of the ordinary. */
static void odd_key(const struct report_anomaly *o, char key[ALERT_KEY_SIZE])
{
    (void)snprintf(key, ALERT_KEY_SIZE, "%s by %s", report_metric_name(o->metric), o->day ? "day" : "hour");
}

static void look_at_odds(const struct alarm *a, struct signals *s, const struct alert_rule *r)
{
    for (size_t i = 0; i < a->odds; i++)
        odd_key(&a->odd[i], add(s, r, (int64_t)(fabs(a->odd[i].score) * 1000), (int64_t)(TREND_OUTSIDE * 1000), true)->id.key);
}

static void look_at_suspects(const struct alarm *a, struct signals *s, const struct alert_rule *r)
{
    struct alerts_suspect found[ALERTS_SUSPECT_MAX];
    size_t n;

    if (alerts_suspect(a->ro, clock_utc_ms(), found, &n))
        return;
    for (size_t i = 0; i < n; i++)
        memcpy(add(s, r, found[i].requests, 1, true)->id.key, found[i].upstream, ALERT_KEY_SIZE);
}

static void look_at(struct alarm *a, struct signals *s, const struct alert_rule *r, const struct snapshot *now)
{
    switch (r->kind) {
    case ALERT_COST: look_at_cost(a, s, r); break;
    case ALERT_BUDGET: look_at_budgets(s, r, now); break;
    case ALERT_LIMIT_USE: look_at_limits(s, r, now); break;
    case ALERT_ERROR_RATE: look_at_errors(a, s, r); break;
    case ALERT_QUEUE_WAIT: (void)add_value(s, r, now->oldest_wait_ms); break;
    case ALERT_UPSTREAM_DOWN: look_at_upstreams(s, r, now); break;
    case ALERT_STORAGE:
        if (a->storage_due)
            (void)add(s, r, 1, 1, true);
        break;
    case ALERT_LEDGER_CHECK:
        if (a->ledger_failures)
            (void)add(s, r, a->ledger_failures, 1, true);
        break;
    case ALERT_ANOMALY: look_at_odds(a, s, r); break;
    case ALERT_USAGE_SUSPECT: look_at_suspects(a, s, r); break;
    case ALERT_KINDS: break;
    }
}

/* --- words --- */

static void percent(struct sb *out, int64_t ppm)
{
    sb_putf(out, "%" PRId64 ".%" PRId64 " %%", ppm / 10000, ppm / 1000 % 10);
}

/* Below a cent six decimals, as pages have it: no limit is "$0.0000". */
static void dollars(struct sb *out, int64_t pico)
{
    if (pico < INT64_C(10000000000))
        sb_putf(out, "$0.%06" PRId64, pico / 1000000);
    else
        sb_putf(out, "$%" PRId64 ".%04" PRId64, pico / 1000000000000, pico / 100000000 % 10000);
}

/* "Requests of the hour from 2026-11-22T06:00Z: 480, where 20 to 61 were to be expected." */
static void odd_text(struct sb *out, const struct report_anomaly *o)
{
    static const char *const what[REPORT_METRICS] = {"Requests", "Tokens", "Dollars"};
    struct sb at = sb_make(64);

    sb_time(&at, o->at_ms);
    sb_putf(out, "%s of the %s from %.16sZ: %.6g, where %.6g to %.6g were to be expected.", what[o->metric], o->day ? "day" : "hour", sb_str(&at),
            o->value, fmax(o->low, 0), o->high);
    sb_done(&at);
}

static void put_text(struct sb *out, const struct alarm *a, const struct alert_rule *r, const struct alert_change *c)
{
    char key[ALERT_KEY_SIZE];

    switch (r->kind) {
    case ALERT_COST:
        sb_putf(out, "This %s has cost ", budget_window_name(r->window));
        dollars(out, c->value);
        if (r->scope != BUDGET_ALL)
            sb_putf(out, " for %s %s", budget_scope_name(r->scope), r->key);
        sb_puts(out, "; the alert is set at ");
        dollars(out, c->threshold);
        sb_putc(out, '.');
        break;
    case ALERT_BUDGET:
        sb_putf(out, "Budget %s has reached ", c->id.key);
        percent(out, c->id.level);
        sb_puts(out, " of its limit: ");
        dollars(out, c->value);
        sb_puts(out, c->id.level == BUDGET_WARN_ALL ? " is spent, and calls that it counts are refused." : " is spent.");
        break;
    case ALERT_LIMIT_USE:
        sb_putf(out, "%s is used to ", c->id.key);
        percent(out, c->value);
        sb_puts(out, "; requests will have to wait.");
        break;
    case ALERT_ERROR_RATE:
        percent(out, c->value);
        sb_puts(out, " of the requests of the last 15 minutes failed.");
        break;
    case ALERT_QUEUE_WAIT:
        sb_putf(out, "A request has been waiting for %" PRId64 " s.", c->value / 1000);
        break;
    case ALERT_STORAGE:
        sb_puts(out, "The database could not be written; calls that cost money were refused meanwhile.");
        break;
    case ALERT_UPSTREAM_DOWN:
        sb_putf(out, "Upstream %s was taken out: the provider refused the key, or its quota is used up. Mend that, then reset its limits.",
                c->id.key);
        break;
    case ALERT_LEDGER_CHECK:
        sb_putf(out, "The ledger does not add up: %" PRId64 " findings. `weir verify` lists them; keep a copy of the database before you mend it.", c->value);
        break;
    case ALERT_ANOMALY:
        for (size_t i = 0; i < a->odds; i++) {
            odd_key(&a->odd[i], key);
            if (strcmp(key, c->id.key) == 0)
                odd_text(out, &a->odd[i]);
        }
        break;
    case ALERT_USAGE_SUSPECT:
        sb_putf(out, "Upstream %s told implausible usage for %" PRId64 " of its requests of the last 15 minutes; the larger"
                " of its count and Weir's was charged. Compare its bill (`weir reconcile`).", c->id.key, c->value);
        break;
    case ALERT_KINDS:
        break;
    }
}

/* --- written down --- */

struct written {
    struct write_op op;
    const struct alarm *alarm;           /* waits meanwhile */
    const struct alert_rules *rules;
    const struct alert_change *change;
    size_t n;
    int64_t now_ms;
};

static const struct alert_rule *rule_of(const struct alert_rules *rules, int64_t row)
{
    for (size_t i = 0; i < rules->n; i++) {
        if (rules->rule[i].row == row)
            return &rules->rule[i];
    }
    return NULL;
}

static enum weir_err write_one(struct db *db, const struct written *w, const struct alert_change *c)
{
    const struct alert_rule *r = rule_of(w->rules, c->id.rule);
    struct sb text = sb_make(TEXT_MAX), json = sb_make(ALERT_JSON_MAX);
    char id[RAND_ID_SIZE] = "";
    enum weir_err e = WEIR_OK;

    if (!c->opens)
        e = alerts_resolve(db, &c->id, w->now_ms, id);
    else if (r) {
        put_text(&text, w->alarm, r, c);
        e = alerts_open(db, r, c, sb_str(&text), w->now_ms, id);
    }
    if (!e && *id)
        e = alerts_one_json(db, id, &json);
    if (!e && *id)
        e = webhooks_tell(db, NULL, c->opens ? "alert.opened" : "alert.resolved", sb_str(&json), w->now_ms);
    sb_done(&text);
    sb_done(&json);
    return e;
}

static enum weir_err run_write(struct db *db, struct write_op *op)
{
    const struct written *w = (const struct written *)op;
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < w->n; i++)
        e = write_one(db, w, &w->change[i]);
    return e;
}

static bool write_down(struct alarm *a, const struct alert_rules *rules, const struct alert_change *change, size_t n)
{
    struct written w = {.op = {.run = run_write}, .alarm = a, .rules = rules, .change = change, .n = n, .now_ms = clock_utc_ms()};

    if (n == 0 || writer_call(a->w, &w.op))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct alert_rule *r = rule_of(rules, change[i].id.rule);

        alert_confirm(a->book, &change[i]);
        if (r && r->kind == ALERT_STORAGE && change[i].opens)
            a->storage_due = false;
    }
    return true;
}

bool alarm_look(struct alarm *a)
{
    struct alert_change change[CHANGES_MAX];
    struct alert_rules rules;
    struct signals s = {NULL, 0};
    const struct snapshot *now;
    long outages = writer_outages(a->w);
    bool healthy = writer_healthy(a->w) && outages == a->outages, told = false;
    size_t n;

    if (!healthy && !a->storage_due)
        log_error("alarm: the database cannot be written, or could not be a moment ago");
    a->storage_due = a->storage_due || !healthy;
    a->outages = outages;
    if (alert_rules_list(a->ro, &rules) == WEIR_OK) {
        read_costs(a, &rules);
        read_odds(a, &rules);
        now = engine_snapshot(a->e);
        for (size_t i = 0; i < rules.n; i++) {
            if (rules.rule[i].enabled)
                look_at(a, &s, &rules.rule[i], now);
        }
        snapshot_put(now);
        n = alert_round(a->book, s.signal, s.n, clock_mono_us(), change, CHANGES_MAX);
        told = write_down(a, &rules, change, n);
    }
    free(s.signal);
    alert_rules_done(&rules);
    return told;
}
