/* judge.h - what the stand-in saw and billed, for tests to hold Weir against.
 *
 * GET /_judge answers it as JSON, GET /_judge/totals without the calls; POST
 * /_judge/reset forgets it; POST /_judge/limits sets the provider's limits and
 * the spelling of the headers that tell them; POST /_judge/foreign is what others
 * send with the same key. One thread. */
#ifndef WEIR_TESTS_JUDGE_H
#define WEIR_TESTS_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "limits.h"
#include "net.h"

enum call_end { CALL_RUNS, CALL_DONE, CALL_REFUSED, CALL_ABORTED, CALL_BROKEN };

/* One call of /v1/chat/completions or /v1/messages. Times are those of clock_mono_us(); 0 = not yet. */
struct call_log {
    int64_t seq;                  /* 1, 2, … since the start or the reset */
    int64_t at_us, first_us, end_us;
    enum call_end end;
    bool stream, include_usage;
    bool messages;                /* Anthropic's words */
    int status;
    int64_t prompt_tokens;        /* billed, refused calls not */
    int64_t completion_tokens;    /* billed so far, also of an aborted stream */
    char model[64];
    char auth[24];                /* the end of Authorization */
    char client_id[40];
    char tag[64];                 /* the begin of the last user message */
};

/* SPELL_PROJECT: OpenAI's of a project; SPELL_UNKNOWN: Azure's -1 and 0; SPELL_NONE: no header, only a 429's text. */
enum spelling { SPELL_OPENAI, SPELL_PROJECT, SPELL_AZURE, SPELL_UNKNOWN, SPELL_ANTHROPIC, SPELL_NONE };

extern enum spelling judge_spelling;
extern struct limit judge_requests, judge_tokens;    /* a minute; Anthropic's tokens are those of input alone … */
extern struct limit judge_output;                    /* … and these count as they are made */

void judge_init(bool keep_texts);
/* A call arrives. The entry is valid until JUDGE_LOG more have come; look it up again by seq. */
struct call_log *judge_call(const struct request *r, int64_t now_us);
struct call_log *judge_find(int64_t seq);            /* NULL if it is no longer kept */
void judge_status(struct call_log *log, int status);
void judge_bill(int64_t seq, int64_t prompt_tokens, int64_t completion_tokens);
void judge_end(int64_t seq, enum call_end end, int64_t now_us);
/* How many calls of this model and message came before; counts this one. */
int judge_repeats(const char *model, const char *message, size_t n);
void judge_other(void);                              /* a request to a path nobody should ask */

/* Answer /_judge…; false if the path is none of the judge's. */
bool judge_request(struct conn *c, const struct request *r, int64_t now_us);

#endif
