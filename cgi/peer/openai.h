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
#include "peer/wire.h"

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

/* The end of a body: stream_options and the cap as the upstream wants them, and the closing brace. */
void openai_close(struct sb *out, const struct wire_tail *t);
void openai_close_embeddings(struct sb *out, const struct wire_tail *t);
void openai_close_responses(struct sb *out, const struct wire_tail *t);

/* --- what comes back (engine): struct wire_reader's functions --- */

enum weir_err openai_read(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink)
    __attribute__((warn_unused_result));
enum weir_err openai_read_embeddings(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink)
    __attribute__((warn_unused_result));
enum weir_err openai_read_responses(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink)
    __attribute__((warn_unused_result));
void openai_read_error(struct provider_error *e, const char *body, size_t n);

/* A 429 is one of three: money or quota is gone (FAULT_QUOTA), the request is larger than the whole limit (never tried
 * again), or a limit is used up for now (FAULT_RATE_LIMIT). */
struct provider_verdict openai_judge(int status, const struct provider_error *e, const struct provider_head *h);

/* What they have in common, for the readers of one protocol: a count that was said, the largest of several; false: it was
 * none. An `error` member, whatever it is. */
bool openai_read_count(struct scan *s, int64_t *have);
void openai_read_error_value(struct provider_error *e, struct scan *s);
/* The value of a member `…_details` of usage. */
void openai_read_details(struct provider_reply *r, struct scan *s);
/* The value of a member `service_tier`. */
void openai_read_service(struct provider_reply *r, struct scan *s);

/* --- what clients are told: OpenAI's chunks, answers and refusals --- */

extern const struct wire_writer openai_writer;              /* Chat Completions */
extern const struct wire_writer openai_writer_embeddings, openai_writer_responses;

#endif
