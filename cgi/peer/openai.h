/* openai.h - OpenAI's Chat Completions: what is sent, what comes back.
 *
 * Speaks to OpenAI itself and to everything shaped like it (OpenRouter, Azure,
 * Ollama, llama.cpp, vLLM, DeepSeek), whose differences are all met by reading
 * tolerantly: members may be absent, null, or of another type. No I/O, no state
 * but the caller's; thread-safe. */
#ifndef WEIR_OPENAI_H
#define WEIR_OPENAI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "peer/head.h"
#include "peer/scan.h"
#include "rules/usage_tokens.h"

/* --- what is sent (acceptor threads) --- */

struct openai_turn {
    const char *role, *text;         /* "system", "user", "assistant"; UTF-8 */
};

struct openai_options {
    bool stream;                     /* usage is asked for with it */
    bool no_temperature;             /* the model refuses temperature and top_p */
    const json_t *temperature, *top_p, *stop;   /* as the caller sent them, already checked; NULL: absent */
};

/* Append a request body without its closing brace and without its cap, which the engine adds when the cap is known.
 * `model` NULL: without what depends on the model too, which openai_request_model() gives. */
void openai_request(struct sb *out, const char *model, const struct openai_turn *turns, size_t n,
                    const struct openai_options *o);
/* ,"model":… and the options that not every model takes. */
void openai_request_model(struct sb *out, const char *model, const struct openai_options *o);
/* The cap goes by the name max_completion_tokens: o-series and gpt-5 onwards refuse the other. */
bool openai_wants_completion_cap(const char *model);

/* --- what comes back (engine) --- */

struct openai_error {
    bool set;
    int64_t status;                  /* a numeric `code`, or one that is digits; 0: none */
    char type[48], code[64], message[512];      /* "" where absent */
};

/* What has been said so far; zeroed at the beginning. */
struct openai_reply {
    bool done;                       /* [DONE] came */
    bool choice;                     /* at least one choice came */
    char finish_reason[24];          /* "" until it came */
    bool has_prompt, has_completion; /* which figures of usage are there and sound */
    struct usage_tokens usage;       /* the largest figures said, if several times */
    bool has_cost;                   /* OpenRouter says what it charges */
    int64_t cost;                    /* then, picodollars; the largest said */
    struct openai_error error;
};

/* Text as it comes: the content of a JSON string, escapes as they stand, so that it can be put between quotes again. */
struct openai_sink {
    void (*text)(void *ctx, const char *raw, size_t n);
    void (*reasoning)(void *ctx, const char *raw, size_t n);
    void *ctx;
};

/* One event's data, or the whole body of an answer that is no stream. E_UPSTREAM_INVALID if it is not JSON of that shape.
 * An error the provider reports is no failure here: look at reply->error. */
enum weir_err openai_read(struct openai_reply *r, const char *data, size_t n, const struct openai_sink *sink)
    __attribute__((warn_unused_result));
/* Only the error of a refusal's body, which may be anything at all (a page, nothing). */
void openai_read_error(struct openai_error *e, const char *body, size_t n);

/* What to do about a refusal. */
struct openai_verdict {
    enum weir_err err;               /* what the client is told if it ends here */
    bool retry;                      /* admission may let it try again, here or elsewhere */
    enum attempt_fault fault;        /* if retry */
    enum dim dim;                    /* the limit a 429 named, or DIM_COUNT */
    int64_t retry_after_us;          /* -1: not said */
    bool pass_message;               /* the provider's message is the caller's business */
};

/* `status` is HTTP's; an error inside a 200 is judged by its own code or type, or as a fault of the provider's. A 429 is
 * one of three: money or quota is gone (FAULT_QUOTA), the request is larger than the whole limit (never tried again), or
 * a limit is used up for now (FAULT_RATE_LIMIT). */
struct openai_verdict openai_judge(int status, const struct openai_error *e, const struct provider_head *h);

#endif
