/* chat.h - POST /v1/chat/completions and GET /v1/models, as OpenAI answers them.
 *
 * One `call` is an answer under way: a plan, a place in it and a timer. */
#ifndef WEIR_TESTS_CHAT_H
#define WEIR_TESTS_CHAT_H

#include "net.h"

/* `key`: the only API key accepted, or NULL for any. Borrowed. */
void chat_init(const char *key);
/* Answer a request for the provider's paths. */
void chat_request(struct conn *c, const struct request *r, int64_t now_us);
/* The peer left: end the call under way, if there is one. */
void chat_gone(struct conn *c, int64_t now_us);

#endif
