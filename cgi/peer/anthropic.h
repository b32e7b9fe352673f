/* anthropic.h - Anthropic's Messages: what is sent, what comes back, and what
 * clients that speak it are told.
 *
 * Read as tolerantly as OpenAI's: members may be absent, null, or of another
 * type, and events of an unknown type are passed over. No I/O, no state but the
 * caller's; thread-safe. */
#ifndef WEIR_ANTHROPIC_H
#define WEIR_ANTHROPIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "peer/openai.h"
#include "peer/wire.h"

/* The widest of its versions: later ones refuse what the chat page and clients of other kinds may ask for. */
#define ANTHROPIC_VERSION "anthropic-version: 2023-06-01"

/* --- what is sent (acceptor threads) --- */

/* As openai_request(), to which openai_request_model() gives the rest here too: system turns go to `system`, and those
 * without a word in them, which Anthropic refuses, are left out. */
void anthropic_request(struct sb *out, const char *model, const struct openai_turn *turns, size_t n,
                       const struct openai_options *o);

/* The end of a body. Its cap has to be said. */
void anthropic_close(struct sb *out, const struct wire_tail *t);
void anthropic_close_count(struct sb *out, const struct wire_tail *t);

/* --- what comes back (engine): struct wire_reader's functions --- */

/* Usage is what was said last of each figure, and comes to Weir's: `prompt` includes what the cache had or took. What a stream
 * begins with says nothing of its output. */
enum weir_err anthropic_read(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink)
    __attribute__((warn_unused_result));
/* {"input_tokens":N}: nothing was used. */
enum weir_err anthropic_read_count(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink)
    __attribute__((warn_unused_result));
void anthropic_read_error(struct provider_error *e, const char *body, size_t n);

/* As openai_judge(): the words are others, what follows from them is not. */
struct provider_verdict anthropic_judge(int status, const struct provider_error *e, const struct provider_head *h);

/* --- what clients are told --- */

extern const struct wire_writer anthropic_writer, anthropic_writer_count;

#endif
