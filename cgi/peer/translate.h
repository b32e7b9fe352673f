/* translate.h - a request in one protocol's words as a model of the other takes it.
 *
 * OpenAI's Chat Completions and Anthropic's Messages say most things both: texts,
 * images, PDF files, tools and their results, stops, answers of a given shape,
 * effort, who asks. What only one of them can say is refused by name, unless it
 * changes nothing in the answer (hints to caches, `detail` of an image) or cannot
 * be used by another model (thoughts of an earlier answer). Answers need no code
 * of their own: peer/wire.h reads each kind and writes each kind.
 *
 * What is the gateway's business is not in the result: model, the cap on the answer,
 * stream and its options. Trees in, tree out; no I/O, no state; thread-safe. */
#ifndef WEIR_TRANSLATE_H
#define WEIR_TRANSLATE_H

#include <jansson.h>

#include "base/err.h"

struct translate_fault {
    char param[96];        /* the member: "messages[2].content[0].image_url" */
    char why[240];         /* a sentence */
};

/* `body` is borrowed. On success *out is a new object. E_INVALID_FIELD, E_MISSING_FIELD or E_OUT_OF_RANGE with `fault` where
 * it cannot be said; then *out is NULL. */
enum weir_err translate_to_messages(const json_t *chat, json_t **out, struct translate_fault *fault)
    __attribute__((warn_unused_result));
enum weir_err translate_to_chat(const json_t *messages, json_t **out, struct translate_fault *fault)
    __attribute__((warn_unused_result));

#endif
