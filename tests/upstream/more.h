/* more.h - what OpenAI's accounts have beside Chat Completions: embeddings and Responses; and Azure's addresses. */
#ifndef WEIR_TESTS_MORE_H
#define WEIR_TESTS_MORE_H

#include <stdbool.h>

#include "net.h"

/* POST /v1/embeddings and /v1/responses. False: it is neither.
 *
 * A Responses answer is the input again, word by word; "#fail" in it ends a stream with response.failed, "#long" with
 * response.incomplete. With `tools` it calls the first. Usage has 4 cached, 2 cached anew and 3 reasoning tokens. A plan that takes its time (plan.h) is a
 * stream's. */
bool more_request(struct conn *c, const struct request *r, int64_t now_us);
/* "/openai/deployments/NAME/chat/completions" asked with a key in api-key: the path it stands for. */
bool more_is_azure(const struct request *r);

#endif
