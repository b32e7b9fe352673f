/* batch_line.h - lines of OpenAI's batch files: one request in, and one answer or
 * failure out (with a member "weir"); and what an answer of Weir's says of its
 * item. Pure. */
#ifndef WEIR_BATCH_LINE_H
#define WEIR_BATCH_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"

enum { BATCH_ID_MAX = 512, BATCH_LINE_MAX = 64 << 20, BATCH_WHY_SIZE = 256 };

struct batch_line {
    json_t *json;                        /* owned; the rest is borrowed from it */
    const char *custom_id, *url;
    json_t *body;
};

struct batch_line_fault {
    const char *param;                   /* static */
    char why[BATCH_WHY_SIZE];            /* a sentence */
};

/* True if the path is one that a batch can be of. */
bool batch_url_known(const char *url);
/* Check a line, with the model `model` where it names none (NULL: it has to). False with `fault`; json_decref(out->json) else. */
bool batch_line_read(const char *text, size_t n, const char *model, struct batch_line *out, struct batch_line_fault *fault)
    __attribute__((warn_unused_result));

/* What one call gave. */
struct batch_result {
    int status;                          /* HTTP; 0: never executed, and `error` says why */
    const char *body;                    /* JSON as it came */
    size_t body_bytes;
    const char *request_id, *model;      /* "" if unknown */
    const char *code, *error;            /* why it was given up, or NULL */
    int64_t cost, tokens_in, tokens_out; /* cost < 0: no price */
    int tries;
    const char *first_request_id;        /* of the call before, that Weir's end cut off; NULL: none was */
    int64_t first_cost;                  /* that one's; < 0: unknown */
};

/* Model and tokens as the answer says. The strings are borrowed from it. */
void batch_result_take(struct batch_result *r, const json_t *answer);
/* What it cost with the call before: money is spent either way. Picodollars. */
int64_t batch_result_paid(const struct batch_result *r);
/* The line with its newline, of the n-th item (from 0). */
void batch_line_put(struct sb *out, size_t n, const char *custom_id, const struct batch_result *r);

enum batch_verdict {
    BATCH_VERDICT_DONE,
    BATCH_VERDICT_GIVE_UP,               /* trying again would give the same */
    BATCH_VERDICT_RETRY,                 /* it failed, and may not the next time */
    BATCH_VERDICT_PATIENCE,              /* Weir itself waits, or is not there for a while: that says nothing of the item */
    BATCH_VERDICT_AGAIN,                 /* its answer cannot be had any more: under a new key */
    BATCH_VERDICT_BUDGET,                /* a budget of Weir's would be passed */
    BATCH_VERDICT_ACCESS,                /* Weir does not take the token */
};
/* Of the answer with this HTTP status; `code` is its error's, "" if it has none. */
enum batch_verdict batch_judge(int status, const char *code);

#endif
