/* v1_count.h - the prompt tokens of requests in OpenAI's and Anthropic's shapes: messages, tools,
 * images and what else a model reads. Pure. */
#ifndef WEIR_V1_COUNT_H
#define WEIR_V1_COUNT_H

#include <jansson.h>
#include <stdint.h>

#include "rules/tokens.h"

/* candidate_count_fn's: `body` is the request, a json_t. What has another shape than the provider will want counts by its text. */
int64_t v1_count_chat(const struct tokens_model *m, const char *model, const void *body);
int64_t v1_count_embeddings(const struct tokens_model *m, const char *model, const void *body);
int64_t v1_count_responses(const struct tokens_model *m, const char *model, const void *body);
int64_t v1_count_messages(const struct tokens_model *m, const char *model, const void *body);

#endif
