/* messages.h - Anthropic's Messages at the stand-in: what a request has to be, what a refusal looks like, and the words of
 * an answer (call_anthropic of call.h). */
#ifndef WEIR_TESTS_MESSAGES_H
#define WEIR_TESTS_MESSAGES_H

#include <jansson.h>

#include "chat.h"

bool messages_is(const struct request *r);             /* POST /v1/messages or /v1/messages/count_tokens */
bool messages_is_count(const struct request *r);
/* The key of x-api-key, or of Authorization: is it this one? */
bool messages_has_key(const struct request *r, const char *key);
/* Read the body. NULL, or the sentence of a 400. */
const char *messages_read(const json_t *o, const struct request *r, struct ask *a);
/* The body of a refusal. `quota`: the one of a 429 that no waiting helps. */
void messages_error(struct sb *b, int status, bool quota, const char *message, int64_t seq);
/* GET /v1/models in Anthropic's shape. */
void messages_models(struct sb *b);

#endif
