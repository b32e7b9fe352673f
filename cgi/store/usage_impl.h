/* usage_impl.h - what usage_import.c needs of usage.c. Internal to store/. */
#ifndef WEIR_USAGE_IMPL_H
#define WEIR_USAGE_IMPL_H

#include "store/usage.h"

/* The event alone, as sent, in a session by number (0: none), without messages. */
enum weir_err usage_accept_bare(struct db *db, const struct call_record *r, int64_t session) __attribute__((warn_unused_result));

#endif
