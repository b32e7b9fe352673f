/* batch_log.h - what became of each item of a batch, kept so that it outlives
 * kill -9: OUT.jsonl has a line for each answer and OUT.errors.jsonl one for each
 * item that was given up (OpenAI's output and error files, with a member "weir"),
 * and a folder OUT.jsonl.checkpoints the run's id and figures for people and programs.
 *
 * A line is written whole and before the next call begins. One thread. */
#ifndef WEIR_BATCH_LOG_H
#define WEIR_BATCH_LOG_H

#include "base/rand.h"
#include "flow/batch_input.h"

enum batch_state { BATCH_OPEN, BATCH_DONE, BATCH_PARKED };

struct batch_counts {
    int64_t succeeded, parked;
    int64_t cost;                        /* picodollars */
    int64_t tokens_in, tokens_out;
    int64_t repeated;                    /* items that were in flight when Weir died, and were sent again */
    int64_t seconds;                     /* of all runs together */
};

struct batch_log;

/* Open the files of `output`; `resume`: they are there and what they have is done, else they must not be there unless `force`, which
 * begins anew. NULL with a sentence in `why`. */
struct batch_log *batch_log_open(const char *output, const struct batch_input *in, bool resume, bool force, struct sb *why)
    __attribute__((warn_unused_result));
/* NULL is fine. */
void batch_log_close(struct batch_log *l);

const char *batch_log_id(const struct batch_log *l);                  /* of the batch, the same in all its runs */
enum batch_state batch_log_state(const struct batch_log *l, size_t item);   /* `l` NULL: open */
const struct batch_counts *batch_log_counts(const struct batch_log *l);
const char *batch_log_errors(const struct batch_log *l);              /* file of the items given up */

/* False, with a sentence in `why`: it cannot be written, and the run has to end. */
bool batch_log_answer(struct batch_log *l, size_t item, const struct batch_result *r, struct sb *why) __attribute__((warn_unused_result));
/* checkpoint_latest.json, and every five minutes one with its time that stays (the newest ten). `seconds`: of this run. */
bool batch_log_checkpoint(struct batch_log *l, int64_t seconds, struct sb *why) __attribute__((warn_unused_result));

/* By model, for the summary; what is beyond 31 of them is "others". Valid until the next answer. */
struct batch_model {
    char model[128];
    int64_t calls, cost, tokens_in, tokens_out;
};
const struct batch_model *batch_log_models(const struct batch_log *l, size_t *n);

#endif
