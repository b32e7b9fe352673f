/* view_engine.c - see view_engine.h. */
#include "web/view_engine.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "web/snapshot_json.h"
#include "web/view.h"

/* The words of a status; api is how snapshot_health_json() spells it. */
enum health { HEALTHY, WARNING, STABILIZING, LIMITED, DOWN, HEALTH_COUNT };

static const struct { const char *api, *tone, *word, *why; } health_words[HEALTH_COUNT] = {      /* why: where it is explained */
    [HEALTHY] = {"healthy", "ok", "Healthy", "/app/dashboard/limits"},
    [WARNING] = {"warning", "warn", "Warning", "/app/dashboard/limits"},
    [STABILIZING] = {"stabilizing", "warn", "Stabilizing", "/app/dashboard/limits#stabilization"},
    [LIMITED] = {"limited", "warn", "Limited", "/app/dashboard/limits#stabilization"},
    [DOWN] = {"down", "err", "Down", "/app/dashboard/limits"},
};

static enum health upstream_health(const struct admit_upstream_view *u)
{
    if (u->down)
        return DOWN;
    if (u->status == ADMIT_ERROR)
        return LIMITED;
    if (u->stabilizing)
        return STABILIZING;
    return u->status == ADMIT_WARNING ? WARNING : HEALTHY;
}

json_t *view_health(const struct snapshot *s)
{
    struct sb text = sb_make(512);
    int h = DOWN;

    snapshot_health_json(s, &text);
    json_t *said = json_loads(sb_str(&text), 0, NULL);
    while (h > HEALTHY && strcmp(health_words[h].api, json_str(said, "status", "down")) != 0)
        h--;
    json_t *pill = json_pack("{s:s, s:s, s:s, s:s}", "tone", health_words[h].tone, "word", health_words[h].word, "text",
                             json_str(said, "text", ""), "href", health_words[h].why);
    json_decref(said);
    sb_done(&text);
    return pill;
}

/* Most of what may go at once has gone, so that one may have to wait at a limit that is far from used up. */
static bool is_spread(const struct admit_dim_view *d)
{
    return d->left < d->remaining && 2 * d->left < d->capacity;
}

/* "1,200 held · free again in 12 s · spread: 400 of 10,000 at once" */
static json_t *gauge_foot(const struct admit_dim_view *d)
{
    json_t *held = view_count((double)d->reserved), *free_in = view_span((double)d->resets_in_us / USEC_PER_MS);
    json_t *left = view_count((double)(d->left > 0 ? d->left : 0)), *capacity = view_count((double)d->capacity);
    struct sb text = sb_make(200);
    json_t *foot;

    if (d->reserved > 0)
        sb_putf(&text, "%s held", json_string_value(held));
    if (d->used > 0)
        sb_putf(&text, "%sfree again in %s", text.len ? " · " : "", json_string_value(free_in));
    if (is_spread(d))
        sb_putf(&text, "%sspread: %s of %s at once", text.len ? " · " : "", json_string_value(left), json_string_value(capacity));
    foot = json_string(sb_str(&text));
    sb_done(&text);
    json_decref(held);
    json_decref(free_in);
    json_decref(left);
    json_decref(capacity);
    return foot;
}

static json_t *gauge(enum dim dim, const struct admit_dim_view *d, int64_t reserve_permille)
{
    double limit = (double)d->limit, used = (double)d->used / limit, held = (double)d->reserved / limit;
    double room = fmax(0, 1 - used), reserve = 1 - (double)reserve_permille / 1000;
    json_t *taken = view_count((double)(d->used + d->reserved)), *of = view_count(limit);
    json_t *g = json_pack("{s:s, s:o, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "name", view_dim_label(dim),
                          "num", view_text("%s of %s", json_string_value(taken), json_string_value(of)),
                          "tone", view_level(used + held), "now", (json_int_t)lround(100 * fmin(1, used + held)),
                          "valuetext", view_text("%s of %s used or held", json_string_value(taken), json_string_value(of)),
                          "used_pct", view_length(used), "held_pct", view_length(fmin(held, room)),
                          "reserve_pct", view_length(reserve), "foot", gauge_foot(d));

    if (d->provider_limit > 0 && d->provider_remaining >= 0)
        json_object_set_new(g, "tick_pct", view_length(1 - (double)d->provider_remaining / (double)d->provider_limit));
    json_decref(taken);
    json_decref(of);
    return g;
}

static json_t *gauges(const struct admit_upstream_view *u, const struct settings *settings)
{
    const struct upstream_settings *set = settings_upstream(settings, u->name);
    json_t *list = json_array();

    for (int d = 0; d < DIM_COUNT; d++)
        if (u->dim[d].limit > 0)
            json_array_append_new(list, gauge((enum dim)d, &u->dim[d], set ? set->tune.reserve_permille : 0));
    return list;
}

/* "3 of 32 running · at 40 % until its limits are trusted again · 2 refusals in 24 h" */
static json_t *upstream_note(const struct admit_upstream_view *u)
{
    json_t *rate = view_percent((double)u->rate_ppm / 1e6), *left = view_span((double)u->stabilizing_until_us / USEC_PER_MS);
    json_t *pause = view_span((double)u->cooldown_until_us / USEC_PER_MS), *refused = view_count((double)u->provider_429s_24h);
    json_t *text;

    if (u->cooldown_until_us > 0)
        text = view_text("paused for %s at the provider’s request", json_string_value(pause));
    else if (u->stabilizing)
        text = view_text("running at %s, back to all in %s", json_string_value(rate), json_string_value(left));
    else
        text = view_text("%lld of %lld running", (long long)u->running, (long long)u->max_concurrent);
    if (u->provider_429s_24h > 0) {
        json_t *more = view_text("%s · refusals in 24 h: %s", json_string_value(text), json_string_value(refused));
        json_decref(text);
        text = more;
    }
    json_decref(rate);
    json_decref(left);
    json_decref(pause);
    json_decref(refused);
    return text;
}

/* "Next 15 min: about 120 requests, 45 k tokens; such figures were off by 12 % lately"; NULL while nothing is known */
static json_t *outlook(const struct admit_outlook *o)
{
    json_t *requests, *tokens, *off, *text;

    if (!o->known)
        return NULL;
    requests = view_count((double)o->requests);
    tokens = view_count((double)o->tokens);
    off = view_percent((double)o->tokens_error_ppm / 1e6);
    text = view_text("Next 15 min: about %s requests, %s tokens%s%s%s%s", json_string_value(requests), json_string_value(tokens),
                     o->tokens_error_ppm >= 0 ? "; such figures were off by " : "", o->tokens_error_ppm >= 0 ? json_string_value(off) : "",
                     o->tokens_error_ppm >= 0 ? " lately" : "", o->low_held ? ". Low waits so that others find room" : "");
    json_decref(requests);
    json_decref(tokens);
    json_decref(off);
    return text;
}

json_t *view_limits(const struct snapshot *s, const struct settings *settings, const char *only)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->upstream_count; i++) {
        const struct admit_upstream_view *u = &s->upstreams[i];
        enum health h = upstream_health(u);
        json_t *g;

        if (!snapshot_shows(u) || (only && strcmp(only, u->name) != 0))
            continue;
        g = gauges(u, settings);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o*, s:b, s:o}", "name", u->name, "tone", health_words[h].tone,
                                              "word", health_words[h].word, "note", upstream_note(u), "outlook", outlook(&u->outlook),
                                              "has_gauges", json_array_size(g) > 0, "gauges", g));
    }
    return list;
}

/* "Month of this user: usr_a" */
static json_t *budget_name(const struct budget_view *v)
{
    static const char *const spans[] = {[BUDGET_DAY] = "Day", [BUDGET_WEEK] = "Week", [BUDGET_MONTH] = "Month", [BUDGET_TOTAL] = "Total"};

    if (v->rule->scope == BUDGET_ALL)
        return view_text("%s of everything", spans[v->rule->window]);
    return view_text("%s of %s %s", spans[v->rule->window], budget_scope_name(v->rule->scope), v->key);
}

/* The lowest warn level that is not reached; all of it if there is none. */
static int32_t next_warn(const struct budget_view *v)
{
    for (int i = 0; i < v->rule->warns; i++)
        if (v->rule->warn[i] > v->warned)
            return v->rule->warn[i];
    return BUDGET_WARN_ALL;
}

/* "80 % reached · resets 2026-12-01 06:00 Europe/Berlin (midnight America/New_York)": in the reader's zone, and that of the budget's
 * days where they are of another. */
static json_t *budget_foot(const struct snapshot_budget *b, const struct zone *z)
{
    const struct budget_view *v = &b->view;
    bool resets = v->rule->window != BUDGET_TOTAL, elsewhere = resets && strcmp(b->tz, z->name) != 0;
    json_t *reached = view_percent((double)v->warned / BUDGET_WARN_ALL), *at = resets ? view_moment(z, v->span.to_ms, VIEW_MINUTE) : NULL, *text;

    text = view_text("%s%s%s%s%s%s%s%s%s%s", v->warned ? json_string_value(reached) : "", v->warned ? " reached" : "", v->warned && resets ? " · " : "",
                     resets ? "resets " : "", resets ? json_string_value(at) : "", resets ? " " : "", resets ? z->name : "",
                     elsewhere ? " (midnight " : "", elsewhere ? b->tz : "", elsewhere ? ")" : "");
    json_decref(reached);
    json_decref(at);
    return text;
}

static json_t *budget_gauge(const struct snapshot_budget *b, const struct zone *z)
{
    const struct budget_view *v = &b->view;
    double limit = (double)v->rule->limit, used = limit > 0 ? (double)v->spent / limit : 1, held = limit > 0 ? (double)v->held / limit : 0;
    json_t *spent = view_money((double)v->spent / 1e12), *of = view_money(limit / 1e12);
    const char *tone = v->left == 0 ? "err" : v->warned ? "warn" : "ok";
    json_t *g = json_pack("{s:o, s:o, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "name", budget_name(v),
                          "num", view_text("%s of %s", json_string_value(spent), json_string_value(of)), "tone", tone,
                          "now", (json_int_t)lround(100 * fmin(1, used + held)),
                          "valuetext", view_text("%s of %s spent", json_string_value(spent), json_string_value(of)),
                          "used_pct", view_length(used), "held_pct", view_length(fmin(held, fmax(0, 1 - used))),
                          "reserve_pct", view_length((double)next_warn(v) / BUDGET_WARN_ALL), "foot", budget_foot(b, z));

    json_object_set_new(g, "id", json_string(v->rule->id));
    json_object_set_new(g, "key", json_string(v->key));
    if (v->rule->scope == BUDGET_USER)
        json_object_set_new(g, "user_id", json_string(v->key));
    json_decref(spent);
    json_decref(of);
    return g;
}

json_t *view_budgets(const struct snapshot *s, const char *user_id, const struct zone *z)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->budget_count; i++)
        if (snapshot_budget_is_of(&s->budgets[i], user_id))
            json_array_append_new(list, budget_gauge(&s->budgets[i], z));
    return list;
}

int64_t view_waiting(const struct snapshot *s)
{
    int64_t n = 0;

    for (int p = 0; p < PRIORITY_COUNT; p++)
        n += s->waiting[p];
    return n;
}

/* The priorities as an operator may set them, with the one it has. */
static json_t *priorities(enum priority at)
{
    json_t *list = json_array();

    for (int p = PRIORITY_HIGH; p >= PRIORITY_LOW; p--)
        json_array_append_new(list, json_pack("{s:s, s:b}", "name", priority_name((enum priority)p), "chosen", p == (int)at));
    return list;
}

static bool is(const char *wanted, const char *name)
{
    return !wanted || strcmp(wanted, name) == 0;
}

/* Is it one of those to be shown? */
static bool is_chosen(const struct snapshot *s, const struct snapshot_entry *e, const struct report_filter *f)
{
    bool somewhere = e->upstream >= 0 && (size_t)e->upstream < s->upstream_count;

    return !f || (is(f->user_id, e->user_id) && is(f->session_id, e->session_id) && is(f->model, e->model) &&
                  is(f->upstream, somewhere ? s->upstreams[e->upstream].name : "") && (f->priority < 0 || f->priority == (int)e->priority));
}

/* The first `max` of them that wait; *more: how many others do. */
static json_t *entries(const struct snapshot *s, const char *user_id, const struct report_filter *f, size_t max, size_t *more)
{
    json_t *list = json_array();

    *more = 0;
    for (size_t i = 0; i < s->entry_count; i++) {
        const struct snapshot_entry *e = &s->entries[i];

        if (!is(user_id, e->user_id) || !is_chosen(s, e, f))
            continue;
        if (json_array_size(list) == max) {
            ++*more;
            continue;
        }
        json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s}", "position", (json_int_t)e->position,
                                              "request_id", e->request_id, "user_id", e->user_id, "model", e->model,
                                              "priority", priority_name(e->priority), "choices", priorities(e->priority),
                                              "tokens", view_count((double)e->tokens),
                                              "waited", view_span((double)e->waited_ms),
                                              "eta", view_span(e->eta_ms < 0 ? (double)NAN : (double)e->eta_ms),
                                              "reason", view_gate_label(e->reason)));
    }
    return list;
}

json_t *view_queue(const struct snapshot *s, const char *user_id, const struct report_filter *chosen, size_t max)
{
    const struct admit_counters *c = &s->counters;
    size_t more;
    json_t *list = entries(s, user_id, chosen, max, &more), *p50 = view_span((double)s->wait_ms_p50), *p95 = view_span((double)s->wait_ms_p95);
    json_t *q = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}",
                          "running", view_text("%lld of %lld", (long long)s->running, (long long)s->max_concurrent),
                          "waiting", view_text("%lld · %lld · %lld", (long long)s->waiting[PRIORITY_HIGH],
                                               (long long)s->waiting[PRIORITY_MEDIUM], (long long)s->waiting[PRIORITY_LOW]),
                          "oldest", view_span(view_waiting(s) ? (double)s->oldest_wait_ms : (double)NAN),
                          "waits", view_text("%s · %s", json_string_value(p50), json_string_value(p95)),
                          "lifetime", view_text("%lld · %lld · %lld · %lld", (long long)c->admitted, (long long)c->cancelled,
                                                (long long)c->timed_out, (long long)c->rejected),
                          "promises", view_percent(c->promises ? (double)c->promises_kept / (double)c->promises : (double)NAN),
                          "has_entries", json_array_size(list) > 0, "entries", list,
                          "more", more ? view_count((double)more) : json_false());

    json_decref(p50);
    json_decref(p95);
    return q;
}
