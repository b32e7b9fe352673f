/* meter.c - what is counted of a job for /metrics, where it happens.
 *
 * Requests, tokens and cost are counted when the record of the call is
 * committed, so that they agree with the ledger. */
#include <string.h>

#include "flow/engine_impl.h"
#include "peer/builtin.h"

static bool is_configured(const struct settings *s, const char *model)
{
    for (size_t i = 0; i < s->n_upstreams; i++)
        for (size_t m = 0; m < s->upstreams[i].models.n; m++)
            if (strcmp(s->upstreams[i].models.items[m], model) == 0)
                return true;
    return false;
}

/* A name of the configuration or, for all that have one price, of the price table: these are bounded, whatever providers
 * list. */
static const char *label_of(const struct engine *e, const struct job *j, const char *model)
{
    const struct price *p = j->price;

    for (size_t i = 0; j->candidates && i < j->ask.candidate_count; i++)
        if (strcmp(j->candidates[i].model, model) == 0) {
            p = j->candidates[i].price;
            break;
        }
    if (strcmp(model, BUILTIN_MODEL) == 0 || strcmp(model, MODEL_AUTO) == 0 || is_configured(e->s, model))
        return model;
    return p && p->id && *p->id ? p->id : TALLY_OTHER;       /* the price that stands in for a missing one has no name */
}

static const struct call_attempt *last_of(const struct job *j)
{
    return &j->rec.attempts[j->rec.attempt_count - 1];
}

void meter_granted(struct engine *e, const struct job *j)
{
    if (!j->first_sent_us)
        tally_hist_add(&e->tally.wait[j->rec.priority], &tally_waits, e->now_us - j->ask.arrived_us);
}

void meter_sent(struct engine *e, const struct job *j)
{
    const struct call_attempt *now = last_of(j), *before = j->rec.attempt_count > 1 ? now - 1 : NULL;

    if (before && (strcmp(before->upstream, now->upstream) != 0 || strcmp(before->model, now->model) != 0))
        tally_event(&e->tally, TALLY_FAILOVER, now->upstream, 0, before->error_code ? before->error_code : TALLY_NONE);
    else if (!before && now->reason >= CHOICE_FALLBACK_UNHEALTHY)
        tally_event(&e->tally, TALLY_FAILOVER, now->upstream, 0, choice_name(now->reason));
}

void meter_answered(struct engine *e, const struct job *j, int http_status, enum weir_err err)
{
    bool left = !err && j->ending && j->end.status == CALL_CANCELLED;

    tally_event(&e->tally, TALLY_ANSWER, last_of(j)->upstream, http_status, err ? err_code(err) : left ? "cancelled" : "ok");
}

void meter_retry(struct engine *e, const struct job *j, enum weir_err err)
{
    tally_event(&e->tally, TALLY_RETRY, last_of(j)->upstream, 0, err_code(err));
}

static enum tally_outcome outcome_of(const struct job *j)
{
    enum weir_err err = j->end.err;

    if (j->end.status == CALL_CANCELLED)
        return TALLY_CANCELLED;
    switch (err_status(err)) {
    case 200:
        return TALLY_OK;
    case 402:
        return TALLY_QUOTA;
    case 429:
        return err == WEIR_E_QUEUE_TIMEOUT ? TALLY_QUEUE_TIMEOUT : TALLY_RATE_LIMITED;
    case 500:
        return TALLY_UNAVAILABLE;
    case 503:
        return err == WEIR_E_UPSTREAM_QUOTA || err == WEIR_E_NO_UPSTREAM ? TALLY_UPSTREAM_ERROR : TALLY_UNAVAILABLE;
    default:
        return err_status(err) < 500 ? TALLY_CLIENT_ERROR : TALLY_UPSTREAM_ERROR;
    }
}

static void add_use(struct tally_line *l, const struct call_attempt *a)
{
    const struct usage_tokens *u = &a->usage;

    l->used.prompt += u->prompt;
    l->used.cached += u->cached;
    l->used.cache_write += u->cache_write;
    l->used.cache_write_1h += u->cache_write_1h;
    l->used.completion += u->completion;
    l->used.reasoning += u->reasoning;
    l->cost += a->cost_in + a->cost_out;
}

/* A call that reached a provider, when its times are known. */
static void count_call(struct engine *e, const struct job *j, struct tally_line *l)
{
    const struct call_record *r = &j->rec;
    const struct call_attempt *last = last_of(j);
    const char *error = j->end.err ? err_code(j->end.err) : j->end.status == CALL_CANCELLED ? "cancelled" : "";

    l->unpriced += !r->cost.priced;
    if (j->kind == JOB_STREAM && j->first_us)
        tally_hist_add(&l->first_chunk, &tally_seconds, r->ttft_us);
    if (j->end.status == CALL_SUCCESS) {
        tally_hist_add(&l->input, &tally_tokens, r->usage.prompt);
        tally_hist_add(&l->output, &tally_tokens, r->usage.completion);
        if (!last->estimated && r->prompt_tokens_counted > 0 && last->usage.prompt < INT64_MAX / tally_ratios.unit)
            tally_hist_add(&l->estimate, &tally_ratios, last->usage.prompt * tally_ratios.unit / r->prompt_tokens_counted);
    }
    tally_took(&e->tally, l, error, r->duration_us - r->queue_us);
}

void meter_ended(struct engine *e, const struct job *j)
{
    const struct call_record *r = &j->rec;
    const char *provider = r->attempt_count > 0 ? last_of(j)->upstream : TALLY_NONE;

    for (int d = 0; d < DIM_COUNT; d++)
        if (r->held_us[d] + r->held_us[GATE_SPREAD + d] > 0)
            tally_throttled(&e->tally, provider, (enum dim)d, r->held_us[d] + r->held_us[GATE_SPREAD + d]);
    for (int i = 0; i < r->attempt_count; i++)
        add_use(tally_line(&e->tally, r->attempts[i].upstream, label_of(e, j, r->attempts[i].model)), &r->attempts[i]);
    tally_request(&e->tally, tally_line(&e->tally, provider, label_of(e, j, r->model)), r->api_endpoint, outcome_of(j), r->priority);
    if (j->first_sent_us && r->attempt_count > 0)
        count_call(e, j, tally_line(&e->tally, provider, label_of(e, j, r->model)));
}
