/* report_forecast.c - what is to be expected, and when a limit will be reached
 * if it comes so.
 *
 * Hours up to two weeks ahead, days beyond. Goals are looked for hour by hour,
 * each in the past of the traffic that counts against it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/trend.h"
#include "store/event_row.h"
#include "store/report_past.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS INT64_C(86400000)

enum { HOURS_AHEAD_DAYS = 14, LIMITS_AHEAD_DAYS = 7, GOALS_AHEAD_DAYS = 62, HOURS_A_DAY = 24, PAST_GOALS_DAYS = 56 };

/* --- one metric of one past, continued --- */

struct future {
    size_t count;
    int64_t *at_ms;                      /* count + 1 */
    struct trend_band *band;
};

static void future_done(struct future *u)
{
    free(u->at_ms);
    free(u->band);
}

/* The slope of whole days: hours of a night and a noon have none of their own. */
static struct trend_line line_of(const double *day, size_t n)
{
    struct trend_line line;

    if (!trend_fit(day, n, &line))
        line = (struct trend_line){0, 0, 0};
    return line;
}

/* From where the past ends up to `until_ms`. */
static struct future future_of(const struct report_past *p, const struct report_past *days, enum report_metric m,
                               const struct zone *z, int64_t until_ms)
{
    struct trend_line line = line_of(days->value[m], days->count);
    size_t most = (size_t)((until_ms - p->at_ms[p->count]) / HOUR_MS + 2);    /* NOLINT(clang-analyzer-*): it was read */
    uint8_t *slot = mem_zalloc(most, sizeof *slot);
    struct future u = {0, mem_zalloc(most + 1, sizeof *u.at_ms), mem_zalloc(most, sizeof *u.band)};

    if (p->unit == GRANULARITY_HOUR) {                       /* a day's growth, over 24 hours, each 24 steps later */
        line.slope /= HOURS_A_DAY * HOURS_A_DAY;
        line.low /= HOURS_A_DAY * HOURS_A_DAY;
        line.high /= HOURS_A_DAY * HOURS_A_DAY;
    }
    for (int64_t at = p->at_ms[p->count]; at < until_ms && u.count < most; at = report_bucket_next(z, p->unit, at)) {
        u.at_ms[u.count] = at;
        slot[u.count++] = report_past_slot(p, z, at);
        u.at_ms[u.count] = report_bucket_next(z, p->unit, at);
    }
    if (!trend_forecast(p->value[m], p->slot, p->count, &line, slot, u.count, u.band))
        u.count = 0;
    free(slot);
    return u;
}

/* --- goals --- */

/* When the sum from now on passes `amount`; -1: not before the end. */
static int64_t when_spent(const struct future *u, const struct report_goal *g, int64_t now_ms)
{
    double left = g->metric == REPORT_COST ? (double)g->amount / 1e12 : (double)g->amount;

    if (g->amount <= 0)
        return now_ms;
    for (size_t i = 0; i < u->count; i++) {
        int64_t from = u->at_ms[i] > now_ms ? u->at_ms[i] : now_ms, to = u->at_ms[i + 1];
        double part = to > from ? (double)(to - from) / (double)(to - u->at_ms[i]) : 0, spent = u->band[i].expected * part;

        if (spent >= left && spent > 0) {
            int64_t at = from + (int64_t)((double)(to - from) * left / spent);

            return at < g->until_ms ? at : -1;
        }
        left -= spent;
        if (to >= g->until_ms)
            return -1;
    }
    return -1;
}

/* What is to come from now until the goal's end; -1: the future is not known that far. */
static double sum_until(const struct future *u, const struct report_goal *g, int64_t now_ms)
{
    double sum = 0;

    for (size_t i = 0; i < u->count; i++) {
        int64_t from = u->at_ms[i] > now_ms ? u->at_ms[i] : now_ms, to = u->at_ms[i + 1] < g->until_ms ? u->at_ms[i + 1] : g->until_ms;

        if (to > from)
            sum += u->band[i].expected * (double)(to - from) / (double)(u->at_ms[i + 1] - u->at_ms[i]);
    }
    return u->count && u->at_ms[u->count] >= g->until_ms ? sum : -1;
}

/* The first hour that alone reaches the amount; *possible: that its band does. */
static void when_full(const struct future *u, struct report_goal *g)
{
    for (size_t i = 0; i < u->count; i++) {
        double amount = (double)g->amount;

        if (g->possible_ms < 0 && u->band[i].high >= amount)
            g->possible_ms = u->at_ms[i];
        if (u->band[i].expected >= amount) {
            g->reached_ms = u->at_ms[i];
            return;
        }
    }
}

struct pasts {
    struct report_filter f;
    struct report_past hours, days;
    bool read;
};

static void pasts_done(struct pasts *p)
{
    if (p->read) {
        report_past_done(&p->hours);
        report_past_done(&p->days);
    }
    p->read = false;
}

static enum weir_err pasts_read(struct pasts *p, struct db *ro)
{
    p->read = true;
    return report_past_read(ro, &p->f, &p->hours, &p->days);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The past of the traffic that counts; the one before is kept if it is the same. */
static enum weir_err past_of_goal(struct pasts *p, struct db *ro, const struct report_filter *f, const struct report_goal *g)
{
    if (p->read && same(p->f.user_id, g->user_id) && same(p->f.model, g->model) && same(p->f.upstream, g->upstream))
        return WEIR_OK;
    pasts_done(p);
    p->f = report_filter_make(f->now_ms);
    p->f.zone = f->zone;
    p->f.owner_id = f->owner_id;
    p->f.from_ms = zone_day_start(&f->zone, f->now_ms - PAST_GOALS_DAYS * DAY_MS);
    p->f.user_id = g->user_id;
    p->f.model = g->model;
    p->f.upstream = g->upstream;
    return pasts_read(p, ro);
}

static enum weir_err look_ahead(struct db *ro, const struct report_filter *f, struct report_goal *goal, size_t n)
{
    struct pasts p = {.read = false};
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < n; i++) {
        struct report_goal *g = &goal[i];
        int64_t ahead_ms = g->by_hour ? LIMITS_AHEAD_DAYS * DAY_MS : GOALS_AHEAD_DAYS * DAY_MS;
        int64_t until_ms = f->now_ms + (f->horizon_ms > ahead_ms ? f->horizon_ms : ahead_ms);
        struct future u;

        g->reached_ms = g->possible_ms = -1;
        g->expected = -1;
        e = past_of_goal(&p, ro, f, g);
        if (e || report_past_days(&p.days) < PAST_DAYS_MIN)
            continue;
        u = future_of(&p.hours, &p.days, g->metric, &f->zone, !g->by_hour && g->until_ms < until_ms ? g->until_ms : until_ms);
        if (g->by_hour) {
            when_full(&u, g);
        } else {
            g->reached_ms = when_spent(&u, g, f->now_ms);
            g->expected = sum_until(&u, g, f->now_ms);
        }
        future_done(&u);
    }
    pasts_done(&p);
    return e;
}

/* --- the report --- */

static void series_json(struct sb *out, const struct future *u)
{
    sb_puts(out, ",\"series\":[");
    for (size_t i = 0; i < u->count; i++) {
        sb_puts(out, i ? ",{" : "{");
        json_time(out, "at", u->at_ms[i]);
        sb_puts(out, ",\"expected\":");
        report_number_json(out, u->band[i].expected);
        sb_puts(out, ",\"low\":");
        report_number_json(out, u->band[i].low);
        sb_puts(out, ",\"high\":");
        report_number_json(out, u->band[i].high);
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
}

static void head_json(struct sb *out, const struct report_filter *f, bool hours, int64_t days, bool enough)
{
    sb_putf(out, "{\"metric\":\"%s\",\"bucket\":\"%s\",\"horizon_days\":%lld,\"confidence\":0.8,\"history_days\":%lld,"
            "\"enough_history\":%s,\"message\":", report_metric_name(f->metric), hours ? "hour" : "day",
            (long long)(f->horizon_ms / DAY_MS), (long long)days, enough ? "true" : "false");
    if (enough)
        sb_puts(out, "null");
    else
        sb_putf(out, "\"Not enough history: a forecast needs %d days, there are %lld.\"", PAST_DAYS_MIN, (long long)days);
}

enum weir_err report_forecast(struct db *ro, const struct report_filter *f, struct report_goal *goal, size_t goals, struct sb *out)
{
    bool hours = f->horizon_ms <= HOURS_AHEAD_DAYS * DAY_MS, enough = false;
    struct pasts p = {.f = *f};
    struct future u = {0};
    bool began;
    enum weir_err e = report_view_begin(ro, &began);

    if (p.f.from_ms < f->now_ms - PAST_HOURS_MAX * HOUR_MS)
        p.f.from_ms = f->now_ms - PAST_HOURS_MAX * HOUR_MS;
    p.f.from_ms = zone_day_start(&f->zone, p.f.from_ms);
    p.f.to_ms = f->now_ms;
    if (!e)
        e = pasts_read(&p, ro);
    if (!e) {
        enough = report_past_days(&p.days) >= PAST_DAYS_MIN;
        if (enough)
            u = future_of(hours ? &p.hours : &p.days, &p.days, f->metric, &f->zone, f->now_ms + f->horizon_ms);
        head_json(out, f, hours, report_past_days(&p.days), enough);
        series_json(out, &u);
        sb_putc(out, '}');
        future_done(&u);
    }
    pasts_done(&p);
    if (!e)
        e = look_ahead(ro, f, goal, goals);
    report_view_end(ro, began);
    return e;
}
