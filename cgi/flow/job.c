/* job.c - a job's birth and end. */
#include "flow/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/trace.h"

enum { ANSWER_MAX = 16 * 1024 * 1024 };

struct job *job_new(void)
{
    struct job *j = mem_zalloc(1, sizeof *j);

    j->client.fd = -1;
    j->end.retry_after_ms = -1;
    j->answer = sb_make(ANSWER_MAX);
    j->reasoning = sb_make(ANSWER_MAX);
    return j;
}

void job_choose(struct job *j, int candidate)
{
    const struct job_candidate *c;

    if (!j->candidates)
        return;
    c = &j->candidates[candidate];
    j->price = c->price;
    j->tokens = c->tokens;
    j->max_completion_tokens = c->max_completion_tokens;
    j->short_of_money = c->short_of_money;
    j->rec.model = c->model;
    j->rec.prompt_tokens_counted = j->ask_candidates[candidate].prompt_tokens;
    j->rec.max_tokens = j->count_at = j->ask_candidates[candidate].max_tokens;
    j->rec.cost.priced = c->cost.priced;
    j->rec.cost.rate_in = c->cost.rate_in;
    j->rec.cost.rate_out = c->cost.rate_out;
    memcpy(j->rec.cost.price_version, c->cost.price_version, sizeof c->cost.price_version);
}

void job_free(struct job *j)
{
    if (!j)
        return;
    stream_free(j->stream);
    sb_done(&j->answer);
    sb_done(&j->reasoning);
    free(j->answer_text);
    free(j->reasoning_text);
    free(j->client.pending);
    free(j->end.message);
    free(j->end.extra);
    for (size_t i = 0; j->candidates && i < j->ask.candidate_count; i++) {
        free(j->candidates[i].model);
        free(j->candidates[i].tail);
    }
    free(j->candidates);
    free(j->ask_candidates);
    free(j->body);
    free(j->builtin_reply);
    free(j->strings);
    trace_free(j->trace);
    free(j);
}
