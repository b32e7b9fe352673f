/* job.c - a job's birth and end. */
#include "flow/job.h"

#include <stdlib.h>

#include "base/mem.h"

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

void job_free(struct job *j)
{
    if (!j)
        return;
    sb_done(&j->answer);
    sb_done(&j->reasoning);
    free(j->answer_text);
    free(j->reasoning_text);
    free(j->client.pending);
    free(j->end.message);
    free(j->end.extra);
    free(j->body);
    free(j->builtin_reply);
    free(j->strings);
    free(j);
}
