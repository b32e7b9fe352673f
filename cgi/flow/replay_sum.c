/* replay_sum.c - counts, exact percentiles and fairness of a replay. */
#include "flow/replay_sum.h"

#include <stdlib.h>

#include "base/mem.h"

void replay_sum_begin(const struct traffic *t, struct replay_result *r)
{
    *r = (struct replay_result){.requests = (int64_t)t->n, .users = t->users.n, .models = t->models.n, .jain_ppm = -1};
    r->user = mem_zalloc(t->users.n, sizeof *r->user);
    r->model = mem_zalloc(t->models.n, sizeof *r->model);
    for (size_t i = 0; i < t->n; i++)
        r->user[t->call[i].user].requests++;
}

void replay_sum_started(struct replay_result *r, const struct traffic_call *c)
{
    struct replay_model *m = &r->model[c->model];
    struct replay_user *u = &r->user[c->user];

    r->started++;
    u->started++;
    u->tokens += c->input + c->output;
    m->started++;
    m->input += c->input;
    m->output += c->output;
    m->unpriced += !c->priced;
    r->unpriced += !c->priced;
    m->cost += c->cost_in + c->cost_out;
    r->cost += c->cost_in + c->cost_out;
}

/* --- waits --- */

/* Waits of one group, met in rising order; its number is known before. */
struct ranks {
    struct replay_waits *out;
    int64_t seen, sum;
};

/* The place, from 1 on, of a percentile among n. */
static int64_t rank(int64_t n, int64_t percent)
{
    return (n * percent + 99) / 100;
}

static void meet(struct ranks *g, int64_t us)
{
    struct replay_waits *o = g->out;

    g->seen++;
    g->sum += us;
    if (g->seen == rank(o->n, 50))           /* NOLINT(clang-analyzer-*): nobody is met in a group without a place for its result */
        o->p50_us = us;
    if (g->seen == rank(o->n, 95))
        o->p95_us = us;
    if (g->seen == rank(o->n, 99))
        o->p99_us = us;
    o->max_us = us;
    o->mean_us = g->sum / g->seen;
}

static int by_length(const void *a, const void *b)
{
    const struct replay_wait *x = a, *y = b;

    return (x->us > y->us) - (x->us < y->us);
}

void replay_sum_waits(struct replay_result *r, struct replay_wait *w, size_t n)
{
    static const struct replay_waits none = {0, -1, -1, -1, -1, -1};
    struct ranks all = {.out = &r->wait}, of_priority[PRIORITY_COUNT] = {{0}};
    struct ranks *of_user = mem_zalloc(r->users, sizeof *of_user);

    r->wait = none;
    for (int p = 0; p < PRIORITY_COUNT; p++) {
        r->by_priority[p] = none;
        of_priority[p].out = &r->by_priority[p];
    }
    for (size_t u = 0; u < r->users; u++) {
        r->user[u].wait = none;
        of_user[u].out = &r->user[u].wait;
    }
    for (size_t i = 0; i < n; i++) {
        r->wait.n++;
        r->by_priority[w[i].priority].n++;
        r->user[w[i].user].wait.n++;
    }
    qsort(w, n, sizeof *w, by_length);
    for (size_t i = 0; i < n; i++) {
        meet(&all, w[i].us);
        meet(&of_priority[w[i].priority], w[i].us);
        meet(&of_user[w[i].user], w[i].us);
    }
    free(of_user);
}

/* --- fairness --- */

int64_t replay_sum_jain(const int64_t *amount, size_t n)
{
    double sum = 0, squares = 0;

    for (size_t i = 0; i < n; i++) {
        sum += (double)amount[i];
        squares += (double)amount[i] * (double)amount[i];
    }
    return n < 2 || squares <= 0 ? -1 : (int64_t)(sum * sum / ((double)n * squares) * 1e6 + 0.5);
}

/* --- what was recorded --- */

void replay_recorded(const struct traffic *t, struct replay_result *out)
{
    struct replay_wait *wait = mem_zalloc(t->n, sizeof *wait);
    size_t waits = 0;

    replay_sum_begin(t, out);
    for (size_t i = 0; i < t->n; i++) {
        const struct traffic_call *c = &t->call[i];
        int64_t end_us = c->at_us + c->wait_us + c->first_us + c->writing_us;

        out->span_us = end_us > out->span_us ? end_us : out->span_us;
        out->answers_429 += c->refused;
        out->retries += c->attempts > 1 ? c->attempts - 1 : 0;
        if (c->attempts == 0) {
            out->timed_out += c->status == CALL_TIMEOUT;
            out->left += c->status == CALL_CANCELLED;
            out->refused += c->status != CALL_TIMEOUT && c->status != CALL_CANCELLED;
        } else if (c->refused == c->attempts) {
            out->failed++;
        } else {
            replay_sum_started(out, c);
            wait[waits++] = (struct replay_wait){c->wait_us, c->user, c->priority};
        }
    }
    replay_sum_waits(out, wait, waits);
    free(wait);
}

void replay_done(struct replay_result *r)
{
    free(r->user);
    free(r->model);
    free(r->limit);
    *r = (struct replay_result){0};
}
