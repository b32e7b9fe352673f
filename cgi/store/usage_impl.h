/* usage_impl.h - what usage_import.c and usage_settle.c need of usage.c. Internal to store/. */
#ifndef WEIR_USAGE_IMPL_H
#define WEIR_USAGE_IMPL_H

#include "store/content.h"
#include "store/usage.h"

/* events.state */
enum { STATE_ACCEPTED, STATE_SENT, STATE_SETTLED };

/* A row of messages, and its text; `seq` and `parent` number it in its session. All is borrowed. */
struct usage_message {
    int64_t session, seq, parent;
    int role;
    const char *message_id;
    struct content content;
    int64_t at_ms;
};

enum weir_err usage_add_message(struct db *db, const struct usage_message *m) __attribute__((warn_unused_result));

/* The event alone, as sent, in a session by number (0: none), without messages. */
enum weir_err usage_accept_bare(struct db *db, const struct call_record *r, int64_t session) __attribute__((warn_unused_result));

#endif
