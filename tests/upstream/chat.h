/* chat.h - POST /v1/chat/completions and GET /v1/models, as OpenAI answers them, and POST /v1/messages, as Anthropic does
 * (messages.h).
 *
 * One `call` is an answer under way: a plan, a place in it and a timer. */
#ifndef WEIR_TESTS_CHAT_H
#define WEIR_TESTS_CHAT_H

#include "net.h"

/* What a request for an answer comes to. Strings are borrowed from its body. */
struct ask {
    const char *model, *message;     /* message: the user's last text */
    size_t message_len;
    int64_t prompt_tokens, max_tokens;
    bool stream, include_usage;
};

/* `key`: the only API key accepted, or NULL for any. Borrowed. */
void chat_init(const char *key);
/* Answer a request for the provider's paths. */
void chat_request(struct conn *c, const struct request *r, int64_t now_us);
/* The peer left: end the call under way, if there is one. */
void chat_gone(struct conn *c, int64_t now_us);

#endif
