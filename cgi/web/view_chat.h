/* view_chat.h - conversations in the words of the chat page: the list by days, a
 * session's messages, the models to choose from. Pure; any thread. */
#ifndef WEIR_VIEW_CHAT_H
#define WEIR_VIEW_CHAT_H

#include <jansson.h>
#include <stdint.h>

#include "base/settings.h"
#include "rules/price.h"

/* convo_list()'s items, newest first, as a list of {day, sessions: [{session_id, title, pinned, current}]}. `current` may be "".
 * Each function's result is new, the caller's. */
json_t *view_sessions(const json_t *items, const char *current, int64_t now_ms);

/* convo_messages()'s items as what templates/msg_user and msg_answer take. */
json_t *view_messages(const json_t *items);

/* engine_models_json()'s array as a list of {id, name, upstream, label, selected, down}; `standard` is the one selected. */
json_t *view_models(const json_t *models, const char *standard, const struct settings *settings, const struct price_table *prices);

#endif
