/* ask.h - the body of /chat/complete, /chat/stream and /chat/estimate, checked.
 *
 * Pure: what it means for a model, a session or a limit is h_chat.c's. */
#ifndef WEIR_ASK_H
#define WEIR_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"
#include "rules/gate.h"
#include "web/field.h"

enum {
    ASK_MESSAGES_MAX = 1000,
    ASK_MAX_TOKENS_MAX = 1000 * 1000,
    ASK_METADATA_MAX = 16,
};

/* All borrowed from the body; what is absent is NULL, 0 or as said. */
struct chat_ask {
    const char *message;             /* exactly one of these two; or neither, for another answer to parent_id; */
    const json_t *messages;          /* each with a known role and a text, the last one the user's */
    const char *parent_id;           /* of session_id: the message it answers to, CONVO_ROOT for none; NULL: the newest */
    const char *session_id, *model, *system;
    enum priority priority;          /* Medium unless said */
    int64_t max_tokens;              /* 0: not said */
    const json_t *temperature, *top_p, *stop;
    const char *idempotency_key;
    const json_t *metadata;          /* flat */
    int cache;                       /* 1: another's answer will do; 0: it will not; -1: not said */
    bool keep;                       /* on_disconnect: "keep" */
};

/* OK, or a refusal with `fault` filled. */
enum weir_err ask_read(const json_t *body, struct chat_ask *out, struct field_fault *fault)
    __attribute__((warn_unused_result));
/* Names and values of a `metadata`, wherever it came from. OK, or a refusal with `fault` filled. */
enum weir_err ask_check_metadata(const json_t *metadata, struct field_fault *fault) __attribute__((warn_unused_result));

#endif
