/* replay_print.c - one line for each figure, one column for each result. */
#include "web/replay_print.h"

#include <inttypes.h>
#include <stdio.h>

enum { LABEL = 38, COLUMN = 16, USERS_SHOWN = 10, CELL = 64 };

#define NONE SIZE_MAX

/* --- numbers for people --- */

/* 1,240 */
static void put_count(struct sb *out, int64_t n)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%" PRId64, n);

    for (int i = 0; i < len; i++) {
        sb_putc(out, digits[i]);
        if (i < len - 1 && (len - 1 - i) % 3 == 0 && digits[i] != '-')
            sb_putc(out, ',');
    }
}

/* 8.215 s; nothing known is a dash. */
static void put_seconds(struct sb *out, int64_t us)
{
    int64_t ms = (us + 500) / 1000;

    if (us < 0)
        sb_puts(out, "-");
    else
        sb_putf(out, "%" PRId64 ".%03" PRId64 " s", ms / 1000, ms % 1000);
}

/* 97.3 %, of millionths. */
static void put_percent(struct sb *out, int64_t ppm)
{
    int64_t tenths = (ppm + 500) / 1000;

    if (ppm < 0)
        sb_puts(out, "-");
    else
        sb_putf(out, "%" PRId64 ".%" PRId64 " %%", tenths / 10, tenths % 10);
}

/* --- the table --- */

/* A line is filled cell by cell. A character beyond ASCII would count for more than its width: labels have none but names'. */
static void put_label(struct sb *out, const char *label)
{
    sb_putf(out, "%-*.*s", LABEL, LABEL, label);
}

static void put_cell(struct sb *out, struct sb *cell)
{
    sb_putf(out, "%*s", COLUMN, sb_str(cell));
    sb_reset(cell);
}

struct table {
    const struct traffic *t;
    const struct replay_column *c;
    size_t n;
    struct sb *out;
    struct sb cell;
};

/* What a line shows of a result; `of` is the place of a user, model or priority. */
typedef void put_figure(struct sb *cell, const struct replay_column *c, size_t of);

static void line(struct table *t, const char *label, put_figure *put, size_t of)
{
    put_label(t->out, label);
    for (size_t i = 0; i < t->n; i++) {
        put(&t->cell, &t->c[i], of);
        put_cell(t->out, &t->cell);
    }
    sb_putc(t->out, '\n');
}

/* Counts, by their offset in the result. */
static void count_at(struct sb *cell, const struct replay_column *c, size_t of)
{
    put_count(cell, *(const int64_t *)(const void *)((const char *)c->result + of));
}

static void seconds_at(struct sb *cell, const struct replay_column *c, size_t of)
{
    put_seconds(cell, *(const int64_t *)(const void *)((const char *)c->result + of));
}

static void jain(struct sb *cell, const struct replay_column *c, size_t of)
{
    int64_t thousandths = (c->result->jain_ppm + 500) / 1000;

    (void)of;
    if (c->result->jain_ppm < 0)
        sb_puts(cell, "-");
    else
        sb_putf(cell, "%" PRId64 ".%03" PRId64, thousandths / 1000, thousandths % 1000);
}

static void kept(struct sb *cell, const struct replay_column *c, size_t of)
{
    (void)of;
    put_percent(cell, c->result->promises ? c->result->kept * 1000000 / c->result->promises : -1);
}

static void cost(struct sb *cell, const struct replay_column *c, size_t of)
{
    (void)of;
    sb_putc(cell, '$');
    sb_usd(cell, c->result->cost);
}

static void model_cost(struct sb *cell, const struct replay_column *c, size_t of)
{
    const struct replay_model *m = &c->result->model[of];

    if (m->started && m->unpriced == m->started) {
        sb_puts(cell, "unpriced");
        return;
    }
    sb_putc(cell, '$');
    sb_usd(cell, m->cost);
}

static void user_p95(struct sb *cell, const struct replay_column *c, size_t of)
{
    put_seconds(cell, c->result->user[of].wait.p95_us);
}

static void waits(struct table *t)
{
    static const struct {
        const char *label;
        size_t at;
    } lines[] = {
        {"wait, mean", offsetof(struct replay_result, wait.mean_us)}, {"      p50", offsetof(struct replay_result, wait.p50_us)},
        {"      p95", offsetof(struct replay_result, wait.p95_us)},   {"      p99", offsetof(struct replay_result, wait.p99_us)},
        {"      max", offsetof(struct replay_result, wait.max_us)},
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        line(t, lines[i].label, seconds_at, lines[i].at);
    for (int p = PRIORITY_COUNT; p-- > 0;) {
        struct sb label = sb_make(100);

        sb_putf(&label, "      p95, %s", priority_name((enum priority)p));
        line(t, sb_str(&label), seconds_at, offsetof(struct replay_result, by_priority) + (size_t)p * sizeof(struct replay_waits)
                                                + offsetof(struct replay_waits, p95_us));
        sb_done(&label);
    }
}

/* The user after `last` (NONE: the first) when those with most requests come first; of as many, as in the traffic. */
static size_t next_busiest(const struct replay_result *r, size_t last)
{
    size_t best = NONE;

    for (size_t i = 0; i < r->users; i++) {
        int64_t n = r->user[i].requests;

        if (last != NONE && (n > r->user[last].requests || (n == r->user[last].requests && i <= last)))
            continue;                      /* it came before */
        if (best == NONE || n > r->user[best].requests)
            best = i;
    }
    return best;
}

static void users(struct table *t)
{
    size_t user = NONE, shown = 0;

    while (shown < USERS_SHOWN && (user = next_busiest(t->c[0].result, user)) != NONE) {
        struct sb label = sb_make(400);

        sb_putf(&label, "      p95, user %s", t->t->users.v[user]);
        line(t, sb_str(&label), user_p95, user);
        sb_done(&label);
        shown++;
    }
    if (t->t->users.n > shown)
        sb_putf(t->out, "      (and %zu more users)\n", t->t->users.n - shown);
}

static void models(struct table *t)
{
    line(t, "cost", cost, 0);
    for (size_t m = 0; m < t->t->models.n; m++) {
        struct sb label = sb_make(400);

        sb_putf(&label, "      %s", t->t->models.v[m]);
        line(t, sb_str(&label), model_cost, m);
        sb_done(&label);
    }
    line(t, "unpriced requests", count_at, offsetof(struct replay_result, unpriced));
}

static void limits(struct table *t, const struct replay_column *c)
{
    if (!c->result->limits)
        return;
    sb_putf(t->out, "\nlimits used, %s:\n", c->name);
    for (size_t i = 0; i < c->result->limits; i++) {
        const struct replay_limit *l = &c->result->limit[i];
        struct sb label = sb_make(400);

        sb_putf(&label, "  %s %s", c->settings->upstreams[l->upstream].name, dim_name(l->dim));
        put_label(t->out, sb_str(&label));
        put_count(&t->cell, l->limit);
        put_cell(t->out, &t->cell);
        sb_puts(&t->cell, "mean ");
        put_percent(&t->cell, l->mean_ppm);
        put_cell(t->out, &t->cell);
        sb_puts(&t->cell, "peak ");
        put_percent(&t->cell, l->peak_ppm);
        put_cell(t->out, &t->cell);
        sb_putc(t->out, '\n');
        sb_done(&label);
    }
}

void replay_print_table(const struct traffic *traffic, const struct replay_column *c, size_t n, struct sb *out)
{
    static const struct {
        const char *label;
        size_t at;
    } counts[] = {
        {"requests", offsetof(struct replay_result, requests)},
        {"started", offsetof(struct replay_result, started)},
        {"refused at once", offsetof(struct replay_result, refused)},
        {"waited in vain", offsetof(struct replay_result, timed_out)},
        {"failed after 429s", offsetof(struct replay_result, failed)},
        {"left while waiting", offsetof(struct replay_result, left)},
        {"429s of the provider", offsetof(struct replay_result, answers_429)},
        {"retries", offsetof(struct replay_result, retries)},
    };
    struct table t = {traffic, c, n, out, sb_make(CELL * 4)};

    put_label(out, "");
    for (size_t i = 0; i < n; i++)
        sb_putf(out, "%*s", COLUMN, c[i].name);
    sb_putc(out, '\n');
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        line(&t, counts[i].label, count_at, counts[i].at);
    waits(&t);
    users(&t);
    line(&t, "fairness between those who waited", jain, 0);
    line(&t, "promises kept", kept, 0);
    models(&t);
    line(&t, "time span", seconds_at, offsetof(struct replay_result, span_us));
    for (size_t i = 0; i < n; i++) {
        limits(&t, &c[i]);
        if (c[i].result->unserved)
            sb_putf(out, "\n%s: %" PRId64 " requests were refused because no upstream has their model.\n", c[i].name, c[i].result->unserved);
    }
    sb_done(&t.cell);
}

/* --- JSON --- */

static void put_ms(struct sb *out, const char *name, int64_t us)
{
    if (us < 0)
        sb_putf(out, "\"%s\":null", name);
    else
        sb_putf(out, "\"%s\":%" PRId64, name, (us + 500) / 1000);
}

static void waits_json(struct sb *out, const char *name, const struct replay_waits *w)
{
    sb_putf(out, "\"%s\":{\"requests\":%" PRId64 ",", name, w->n);
    put_ms(out, "mean", w->mean_us);
    sb_putc(out, ',');
    put_ms(out, "p50", w->p50_us);
    sb_putc(out, ',');
    put_ms(out, "p95", w->p95_us);
    sb_putc(out, ',');
    put_ms(out, "p99", w->p99_us);
    sb_putc(out, ',');
    put_ms(out, "max", w->max_us);
    sb_putc(out, '}');
}

/* A share in millionths as 0.973; null below 0. */
static void put_share(struct sb *out, const char *name, int64_t ppm)
{
    if (ppm < 0)
        sb_putf(out, "\"%s\":null", name);
    else
        sb_putf(out, "\"%s\":%" PRId64 ".%06" PRId64, name, ppm / 1000000, ppm % 1000000);
}

static void users_json(struct sb *out, const struct traffic *t, const struct replay_result *r)
{
    sb_puts(out, ",\"by_user\":[");
    for (size_t i = 0; i < r->users; i++) {
        sb_puts(out, i ? ",{\"user\":" : "{\"user\":");
        sb_json(out, t->users.v[i]);
        sb_putf(out, ",\"requests\":%" PRId64 ",\"started\":%" PRId64 ",\"tokens\":%" PRId64 ",", r->user[i].requests,
                r->user[i].started, r->user[i].tokens);
        waits_json(out, "wait_ms", &r->user[i].wait);
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
}

static void models_json(struct sb *out, const struct traffic *t, const struct replay_result *r)
{
    sb_puts(out, ",\"by_model\":[");
    for (size_t i = 0; i < r->models; i++) {
        const struct replay_model *m = &r->model[i];

        sb_puts(out, i ? ",{\"model\":" : "{\"model\":");
        sb_json(out, t->models.v[i]);
        sb_putf(out, ",\"started\":%" PRId64 ",\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64 ",\"cost_usd\":",
                m->started, m->input, m->output);
        if (m->started && m->unpriced == m->started)
            sb_puts(out, "null");
        else
            sb_usd(out, m->cost);
        sb_putf(out, ",\"unpriced\":%" PRId64 "}", m->unpriced);
    }
    sb_putc(out, ']');
}

static void limits_json(struct sb *out, const struct replay_column *c)
{
    sb_puts(out, ",\"limits\":[");
    for (size_t i = 0; i < c->result->limits; i++) {
        const struct replay_limit *l = &c->result->limit[i];

        sb_puts(out, i ? ",{\"upstream\":" : "{\"upstream\":");
        sb_json(out, c->settings->upstreams[l->upstream].name);
        sb_putf(out, ",\"dimension\":\"%s\",\"limit\":%" PRId64 ",", dim_name(l->dim), l->limit);
        put_share(out, "used_mean", l->mean_ppm);
        sb_putc(out, ',');
        put_share(out, "used_peak", l->peak_ppm);
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
}

static void column_json(struct sb *out, const struct traffic *t, const struct replay_column *c)
{
    const struct replay_result *r = c->result;

    sb_putf(out, "\"%s\":{\"requests\":%" PRId64 ",\"started\":%" PRId64 ",\"refused\":%" PRId64 ",\"timed_out\":%" PRId64
            ",\"failed\":%" PRId64 ",\"left\":%" PRId64 ",\"unserved\":%" PRId64 ",\"provider_429s\":%" PRId64 ",\"retries\":%" PRId64 ",",
            c->name, r->requests, r->started, r->refused, r->timed_out, r->failed, r->left, r->unserved, r->answers_429, r->retries);
    waits_json(out, "wait_ms", &r->wait);
    sb_puts(out, ",\"by_priority\":{");
    for (int p = 0; p < PRIORITY_COUNT; p++) {
        if (p)
            sb_putc(out, ',');
        waits_json(out, priority_name((enum priority)p), &r->by_priority[p]);
    }
    sb_putc(out, '}');
    users_json(out, t, r);
    sb_puts(out, ",\"fairness\":{");
    put_share(out, "jain", r->jain_ppm);
    sb_putf(out, ",\"users\":%" PRId64 "},\"promises\":{\"made\":%" PRId64 ",\"kept\":%" PRId64 "},\"cost_usd\":", r->contenders,
            r->promises, r->kept);
    sb_usd(out, r->cost);
    sb_putf(out, ",\"unpriced\":%" PRId64, r->unpriced);
    models_json(out, t, r);
    limits_json(out, c);
    sb_putf(out, ",\"span_ms\":%" PRId64 "}", r->span_us / 1000);
}

void replay_print_json(const struct traffic *t, const struct replay_column *c, size_t n, struct sb *out)
{
    sb_putc(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            sb_putc(out, ',');
        column_json(out, t, &c[i]);
    }
    sb_puts(out, "}\n");
}
