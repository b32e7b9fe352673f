/* job.c - a job's birth and end. */
#include "flow/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/lease.h"
#include "flow/once.h"
#include "flow/trace.h"

enum { ANSWER_MAX = 16 * 1024 * 1024, CALL_NAME_MAX = 1024 };

struct job *job_new(void)
{
    struct job *j = mem_zalloc(1, sizeof *j);

    j->client.fd = -1;
    j->end.retry_after_ms = -1;
    j->answer = sb_make(ANSWER_MAX);
    j->reasoning = sb_make(ANSWER_MAX);
    j->whole = sb_make(ANSWER_MAX);
    j->choices = 1;
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

/* A piece of the call with this index, in the order in which they began. */
bool job_add_call(struct job *j, const struct wire_piece *p)
{
    enum { CALLS_MAX = 256 };
    struct job_call *c = NULL;

    for (size_t i = 0; i < j->call_count && !c; i++)
        if (j->calls[i].index == p->index)
            c = &j->calls[i];
    if (!c) {
        if (j->call_count == CALLS_MAX)
            return false;
        j->calls = mem_grow(j->calls, j->call_count + 1, sizeof *j->calls);
        c = &j->calls[j->call_count++];
        *c = (struct job_call){.index = p->index, .id = sb_make(CALL_NAME_MAX), .name = sb_make(CALL_NAME_MAX),
                               .arguments = sb_make(ANSWER_MAX)};
    }
    sb_put(&c->id, p->id.p, p->id.n);
    sb_put(&c->name, p->name.p, p->name.n);
    sb_put(&c->arguments, p->arguments.p, p->arguments.n);
    return sb_ok(&c->id) && sb_ok(&c->name) && sb_ok(&c->arguments);
}

void job_free(struct job *j)
{
    if (!j)
        return;
    stream_free(j->stream);
    sb_done(&j->answer);
    sb_done(&j->reasoning);
    sb_done(&j->whole);
    for (size_t i = 0; i < j->call_count; i++) {
        sb_done(&j->calls[i].id);
        sb_done(&j->calls[i].name);
        sb_done(&j->calls[i].arguments);
    }
    free(j->calls);
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
    for (int p = 0; p < JOB_PROTOCOLS; p++)
        free(j->body[p].text);
    for (int i = 0; i < JOB_HEADS; i++)
        free(j->heads[i]);
    free(j->stream_options);
    free(j->builtin_reply);
    free(j->strings);
    lease_free(j->lease);
    trace_free(j->trace);
    once_free(j->once);
    free(j);
}
