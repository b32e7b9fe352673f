/* reconcile.c - the two sides are laid on one grid of models and days. */
#include "store/reconcile_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/price_table.h"
#include "store/ledger.h"
#include "store/retain.h"
#include "store/usage.h"

enum { WORDS_SEEN = 256 };
#define DAY_MS INT64_C(86400000)
#define SPAN_MS INT64_C(3600000)

/* What is remembered of the numbers of words while the ledger is read. */
struct seen_words {
    struct {
        int64_t pair;                    /* model and upstream */
        size_t model;                    /* as look_up() has it */
    } of[WORDS_SEEN];
    size_t n;
};

/* --- names --- */

/* "openai/gpt-4o-mini-2024-07-18" -> "gpt-4o-mini"; an alias -> its model. */
static void plain_name(const struct reconcile *r, const char *model, char to[BILL_MODEL_SIZE])
{
    static const char *const providers[] = {[BILL_ANY] = NULL, [BILL_OPENAI] = "openai", [BILL_ANTHROPIC] = "anthropic"};
    enum price_match match = PRICE_NONE;
    const struct price *p = price_find(r->s.prices, providers[r->s.bill->provider], model, &match);
    const char *slash = strrchr(model, '/'), *bare = p && match == PRICE_ALIAS ? p->id : slash && slash[1] ? slash + 1 : model;

    (void)snprintf(to, BILL_MODEL_SIZE, "%.*s", (int)price_name_undated(bare), bare);
}

static size_t model_at(struct reconcile *r, const char *name)
{
    struct reconcile_model *m;
    size_t i = 0;

    while (i < r->n && strcmp(r->model[i].name, name) < 0)
        i++;
    if (i < r->n && strcmp(r->model[i].name, name) == 0)
        return i;
    r->model = mem_grow(r->model, r->n + 1, sizeof *r->model);
    m = &r->model[i];
    memmove(m + 1, m, (r->n++ - i) * sizeof *m);
    memset(m, 0, sizeof *m);
    (void)snprintf(m->name, sizeof m->name, "%s", name);
    m->day = mem_zalloc((size_t)r->days, sizeof *m->day);
    return i;
}

static void lay_bill(struct reconcile *r)
{
    const struct bill *b = r->s.bill;

    r->unnamed = b->n > 0;
    for (size_t i = 0; i < b->n; i++)
        r->unnamed = r->unnamed && !*b->row[i].model;
    for (size_t i = 0; i < b->n; i++) {
        const struct bill_row *row = &b->row[i];
        char name[BILL_MODEL_SIZE];
        struct reconcile_model *m;
        struct reconcile_day *d;
        size_t at;

        plain_name(r, row->model, name);
        at = model_at(r, name);
        m = &r->model[at];
        if (strcmp(name, row->model) != 0)
            memcpy(m->billed, row->model, sizeof m->billed);
        d = &m->day[row->day - b->first_day];
        d->met = true;
        for (int p = 0; p < BILL_PARTS; p++)
            d->bill[p] += row->part[p];
    }
}

/* --- the ledger --- */

bool reconcile_counts(const struct reconcile *r, const char *name)
{
    const struct reconcile_setup *s = &r->s;
    const struct upstream_settings *u = settings_upstream(s->settings, name);
    const char *provider = price_provider(s->prices, name, u ? u->base_url : NULL);

    for (size_t i = 0; i < s->upstreams->n; i++)
        if (strcmp(s->upstreams->items[i], name) == 0)
            return true;
    if (s->upstreams->n || (u && !settings_is_called(u)))
        return false;
    switch (s->bill->provider) {
    case BILL_OPENAI: return provider && strcmp(provider, "openai") == 0;
    case BILL_ANTHROPIC: return provider && strcmp(provider, "anthropic") == 0;
    case BILL_ANY: break;
    }
    return true;
}

static bool is_billed(const struct reconcile *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->model[i].name, name) == 0)
            return true;
    return r->unnamed;
}

/* Where calls of this model at this upstream belong; 0: nowhere, else the model's number + 1. What was used elsewhere counts
 * if the bill has its model. */
static enum weir_err look_up(struct reconcile *r, int64_t model, int64_t upstream, size_t *at)
{
    struct query q = query(r->s.ro, "SELECT (SELECT text FROM words WHERE id = ?1), (SELECT text FROM words WHERE id = ?2)");
    char name[BILL_MODEL_SIZE];
    const char *where;

    *at = 0;
    query_i64(&q, model);
    query_i64(&q, upstream);
    if (query_row(&q) && query_col_text(&q, 0) && (where = query_col_text(&q, 1)) != NULL) {
        plain_name(r, query_col_text(&q, 0), name);
        if (strcmp(where, USAGE_IMPORTED) == 0 ? is_billed(r, name) : reconcile_counts(r, where))
            *at = model_at(r, r->unnamed ? "" : name) + 1;
    }
    return query_stop(&q);
}

/* The same, asked once for each pair. Numbers move when a new model is put in between. */
static enum weir_err find_model(struct reconcile *r, struct seen_words *w, int64_t model, int64_t upstream, size_t *at)
{
    int64_t pair = model << 32 | upstream;
    size_t before = r->n;
    enum weir_err e;

    for (size_t i = 0; i < w->n; i++)
        if (w->of[i].pair == pair) {
            *at = w->of[i].model;
            return WEIR_OK;
        }
    e = look_up(r, model, upstream, at);
    if (r->n > before || w->n == WORDS_SEEN)
        w->n = 0;
    w->of[w->n].pair = pair;
    w->of[w->n++].model = *at;
    return e;
}

static void add_fact(struct reconcile_day *d, enum reconcile_fact f, bool holds, int64_t tokens)
{
    d->fact[f].calls += holds;
    d->fact[f].tokens += holds ? tokens : 0;
}

static struct reconcile_day *day_at(struct reconcile *r, size_t model, int64_t ms)
{
    int64_t day = zone_day(r->s.zone, ms) - r->s.bill->first_day;

    return model && day >= 0 && day < r->days ? &r->model[model - 1].day[day] : NULL;
}

enum {
    COL_AT, COL_AFTER, COL_DURATION, COL_MODEL, COL_UPSTREAM, COL_PROMPT, COL_COMPLETION, COL_CACHED, COL_COST, COL_ESTIMATED, COL_SUSPECT,
    COL_INTERRUPTED, COL_UNPRICED, COL_ANSWERED, COL_IMPORTED
};

/* The attempts of events that do not say theirs themselves. Of those from before they had figures of their own the last
 * one has the event's, as has the only one. */
#define NTH "coalesce(a.n, e.http_status IS NOT NULL)"
#define ATTEMPTS                                                                                                                     \
    "SELECT e.at_ms, coalesce(a.after_ms, e.after_ms, 0), coalesce(a.duration_us, e.duration_us, 0) / 1000,"                         \
    " coalesce(nullif(a.model, 0), e.model), coalesce(nullif(a.upstream, 0), e.upstream),"                                           \
    " coalesce(a.prompt, iif(" NTH " = e.attempts, e.prompt, 0)), coalesce(a.completion, iif(" NTH " = e.attempts, e.completion, 0))," \
    " iif(" NTH " = e.attempts, e.cached, 0),"                                                                                        \
    " iif(a.prompt IS NULL, iif(" NTH " = e.attempts, e.cost_in + e.cost_out, 0), coalesce(a.cost_in + a.cost_out, 0)),"              \
    " coalesce(a.estimated, e.estimated), e.suspect, e.error = ?3, iif(a.prompt IS NULL, e.rate = 0, a.cost_in IS NULL),"            \
    " coalesce(a.http_status, e.http_status, 200) = 200, " NTH " = 0"                                                                \
    " FROM events e LEFT JOIN attempt_rows a ON a.event = e.id WHERE e.state = 2 AND e.id >= ?1 AND e.id < ?2"                       \
    " AND (" NTH " > 0 OR e.upstream = ?4)"

static void lay_attempt(struct reconcile *r, const struct query *q, size_t model)
{
    int64_t sent_ms = query_col_i64(q, COL_AT) + query_col_i64(q, COL_AFTER), over_ms = sent_ms + query_col_i64(q, COL_DURATION);
    int64_t prompt = query_col_i64(q, COL_PROMPT), completion = query_col_i64(q, COL_COMPLETION), tokens = prompt + completion;
    bool edge = zone_day(r->s.zone, sent_ms) != zone_day(r->s.zone, over_ms), interrupted = query_col_i64(q, COL_INTERRUPTED) == 1;
    struct reconcile_day *d = day_at(r, model, sent_ms), *next = edge ? day_at(r, model, over_ms) : NULL;

    if (!tokens && !query_col_i64(q, COL_ANSWERED))
        return;                                         /* refused: nobody is charged */
    if (next)
        add_fact(next, FACT_DAY_EDGE, true, tokens);
    if (!d)
        return;
    d->met = true;
    d->weir[BILL_REQUESTS]++;
    d->weir[BILL_INPUT] += prompt;
    d->weir[BILL_OUTPUT] += completion;
    d->weir[BILL_CACHED] += query_col_i64(q, COL_CACHED);
    d->weir[BILL_COST] += query_col_i64(q, COL_COST);
    add_fact(d, FACT_INTERRUPTED, interrupted, tokens);
    add_fact(d, FACT_ESTIMATED, !interrupted && query_col_i64(q, COL_ESTIMATED), tokens);
    add_fact(d, FACT_SUSPECT, query_col_i64(q, COL_SUSPECT), tokens);
    add_fact(d, FACT_DAY_EDGE, edge, tokens);
    add_fact(d, FACT_UNPRICED, query_col_i64(q, COL_UNPRICED), tokens);
    add_fact(d, FACT_IMPORTED, query_col_i64(q, COL_IMPORTED), tokens);
}

static enum weir_err word(struct reconcile *r, const char *text, int64_t *id)
{
    struct query q = query(r->s.ro, "SELECT id FROM words WHERE text = ?1");

    query_text(&q, text);
    *id = query_row(&q) ? query_col_i64(&q, 0) : -1;
    return query_stop(&q);
}

/* What was accepted in a span. Short, so that no reader holds back the write-ahead log. */
static enum weir_err lay_span(struct reconcile *r, struct seen_words *w, int64_t from_ms, int64_t to_ms, int64_t interrupted, int64_t imported)
{
    struct query q = query(r->s.ro, ATTEMPTS);
    enum weir_err e = WEIR_OK, ended;

    query_i64(&q, from_ms << EVENT_BITS);
    query_i64(&q, to_ms << EVENT_BITS);
    query_i64(&q, interrupted);
    query_i64(&q, imported);
    while (!e && query_row(&q)) {
        size_t model;

        if (query_col_i64(&q, COL_AT) < r->kept_from_ms)
            continue;
        e = find_model(r, w, query_col_i64(&q, COL_MODEL), query_col_i64(&q, COL_UPSTREAM), &model);
        lay_attempt(r, &q, e ? 0 : model);
    }
    ended = query_end(&q);
    return e ? e : ended;
}

static enum weir_err lay_attempts(struct reconcile *r, struct seen_words *w, int64_t from_ms, int64_t to_ms)
{
    int64_t interrupted, imported;
    enum weir_err e = word(r, "interrupted", &interrupted);

    if (!e)
        e = word(r, USAGE_IMPORTED, &imported);
    /* What waited was accepted before it was sent. */
    for (int64_t at_ms = from_ms - DAY_MS; !e && at_ms < to_ms; at_ms += SPAN_MS)
        e = lay_span(r, w, at_ms, at_ms + SPAN_MS < to_ms ? at_ms + SPAN_MS : to_ms, interrupted, imported);
    return e;
}

/* Where single requests are no longer kept. */
static enum weir_err lay_rollups(struct reconcile *r, struct seen_words *w, int64_t from_ms, int64_t to_ms)
{
    struct query q = query(r->s.ro, "SELECT r.at_ms, c.model, c.upstream, r.requests, r.prompt, r.cached, r.completion, r.cost_in + r.cost_out,"
                                    " r.estimated, r.unpriced, r.unpriced_tokens FROM rollups r JOIN combos c ON c.id = r.combo"
                                    " WHERE r.id >= ?1 AND r.id < ?2 AND c.status != ?3");
    enum weir_err e = WEIR_OK, ended;

    query_i64(&q, from_ms / QUARTER_MS << COMBO_BITS);
    query_i64(&q, to_ms / QUARTER_MS << COMBO_BITS);
    query_i64(&q, CALL_REJECTED);
    while (!e && query_row(&q)) {
        struct reconcile_day *d;
        size_t model;

        e = find_model(r, w, query_col_i64(&q, 1), query_col_i64(&q, 2), &model);
        d = e ? NULL : day_at(r, model, query_col_i64(&q, 0));
        if (!d)
            continue;
        d->met = true;
        d->weir[BILL_REQUESTS] += query_col_i64(&q, 3);
        d->weir[BILL_INPUT] += query_col_i64(&q, 4);
        d->weir[BILL_CACHED] += query_col_i64(&q, 5);
        d->weir[BILL_OUTPUT] += query_col_i64(&q, 6);
        d->weir[BILL_COST] += query_col_i64(&q, 7);
        d->fact[FACT_ESTIMATED].calls += query_col_i64(&q, 8);
        d->fact[FACT_UNPRICED].calls += query_col_i64(&q, 9);
        d->fact[FACT_UNPRICED].tokens += query_col_i64(&q, 10);
    }
    ended = query_end(&q);
    return e ? e : ended;
}

static enum weir_err lay_ledger(struct reconcile *r)
{
    const struct bill *b = r->s.bill;
    struct seen_words *w = mem_zalloc(1, sizeof *w);
    int64_t from_ms = zone_day_begins(r->s.zone, b->first_day), to_ms = zone_day_begins(r->s.zone, b->last_day + 1), cut_ms;
    enum weir_err e = retain_usage_from(r->s.ro, &r->kept_from_ms);

    cut_ms = r->kept_from_ms < to_ms ? r->kept_from_ms : to_ms;
    if (!e && cut_ms > from_ms)
        e = lay_rollups(r, w, from_ms, cut_ms);
    if (!e)
        e = lay_attempts(r, w, from_ms, to_ms);
    free(w);
    return e;
}

/* --- --- */

int64_t reconcile_tokens(const int64_t part[BILL_PARTS])
{
    return part[BILL_INPUT] + part[BILL_OUTPUT];
}

static bool close_to(int64_t a, int64_t b, int64_t ppm)
{
    double most = (double)(llabs(a) > llabs(b) ? llabs(a) : llabs(b));

    return (double)llabs(a - b) * 1e6 <= most * (double)ppm;
}

bool reconcile_within(const struct reconcile *r, const struct reconcile_day *d)
{
    const struct bill *b = r->s.bill;

    return (!b->says[BILL_INPUT] || close_to(d->bill[BILL_INPUT], d->weir[BILL_INPUT], r->s.tolerance_ppm)) &&
           (!b->says[BILL_OUTPUT] || close_to(d->bill[BILL_OUTPUT], d->weir[BILL_OUTPUT], r->s.tolerance_ppm)) &&
           (!b->says[BILL_COST] || close_to(d->bill[BILL_COST], d->weir[BILL_COST], r->s.tolerance_ppm));
}

bool reconcile_agrees(const struct reconcile *r)
{
    for (size_t i = 0; i < r->n; i++)
        for (int64_t d = 0; d < r->days; d++)
            if (r->model[i].day[d].met && !reconcile_within(r, &r->model[i].day[d]))
                return false;
    return true;
}

enum weir_err reconcile_new(const struct reconcile_setup *s, struct reconcile **out)
{
    struct reconcile *r = mem_zalloc(1, sizeof *r);
    enum weir_err e;

    r->s = *s;
    r->days = s->bill->last_day - s->bill->first_day + 1;
    lay_bill(r);
    e = lay_ledger(r);
    *out = e ? NULL : r;
    if (e)
        reconcile_free(r);
    return e;
}

void reconcile_free(struct reconcile *r)
{
    for (size_t i = 0; r && i < r->n; i++)
        free(r->model[i].day);
    if (r)
        free(r->model);
    free(r);
}
