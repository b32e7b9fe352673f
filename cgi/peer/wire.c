/* wire.c - the two tables, and what all kinds have in common. */
#include "peer/wire.h"

#include <inttypes.h>
#include <string.h>

#include "peer/anthropic.h"
#include "peer/openai.h"

static const struct wire_reader readers[WIRE_COUNT] = {
    [WIRE_CHAT] = {"/chat/completions", NULL, openai_read, openai_read_error, openai_judge, openai_close},
    [WIRE_EMBEDDINGS] = {"/embeddings", NULL, openai_read_embeddings, openai_read_error, openai_judge, openai_close_embeddings},
    [WIRE_RESPONSES] = {"/responses", NULL, openai_read_responses, openai_read_error, openai_judge, openai_close_responses},
    [WIRE_MESSAGES] = {"/v1/messages", ANTHROPIC_VERSION, anthropic_read, anthropic_read_error, anthropic_judge, anthropic_close},
    [WIRE_COUNT_TOKENS] = {"/v1/messages/count_tokens", ANTHROPIC_VERSION, anthropic_read_count, anthropic_read_error, anthropic_judge,
                           anthropic_close_count},
};

static const struct wire_writer *const writers[WIRE_COUNT] = {
    [WIRE_CHAT] = &openai_writer,
    [WIRE_EMBEDDINGS] = &openai_writer_embeddings,
    [WIRE_RESPONSES] = &openai_writer_responses,
    [WIRE_MESSAGES] = &anthropic_writer,
    [WIRE_COUNT_TOKENS] = &anthropic_writer_count,
};

const struct wire_reader *wire_reader(enum wire w)
{
    return readers[w].path ? &readers[w] : NULL;
}

const struct wire_writer *wire_writer(enum wire w)
{
    return writers[w];
}

enum wire wire_at(enum protocol p, enum wire w)
{
    if (p == PROTOCOL_OPENAI)
        return w == WIRE_EMBEDDINGS || w == WIRE_RESPONSES ? w : w == WIRE_COUNT_TOKENS ? WIRE_OWN : WIRE_CHAT;
    if (p == PROTOCOL_ANTHROPIC)
        return w == WIRE_COUNT_TOKENS ? w : w == WIRE_EMBEDDINGS || w == WIRE_RESPONSES ? WIRE_OWN : WIRE_MESSAGES;
    return WIRE_OWN;
}

/* Weir has tried again already where that could help, or waiting does not. */
static bool is_final(enum weir_err e)
{
    switch (err_status(e)) {
    case 402: case 502: case 504:
        return true;
    default:
        return e == WEIR_E_UPSTREAM_RATE_LIMITED || e == WEIR_E_UPSTREAM_QUOTA || e == WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT ||
               e == WEIR_E_CANCELLED;
    }
}

void wire_retry_heads(struct sb *out, enum weir_err e, int64_t retry_after_ms)
{
    enum { PATIENCE_MS = 60 * 1000 };      /* some clients would sleep for as long as they are told, others not at all */

    if (retry_after_ms >= 0)
        sb_putf(out, "retry-after-ms: %" PRId64 "\r\n", retry_after_ms);
    if (is_final(e) || retry_after_ms > PATIENCE_MS)
        sb_puts(out, "x-should-retry: false\r\n");
}

const char *wire_finish(const char *finish)
{
    return strcmp(finish, "budget") == 0 ? "length" : strcmp(finish, "cancelled") == 0 ? "stop" : finish;
}
