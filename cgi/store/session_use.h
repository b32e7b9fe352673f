/* session_use.h - what a session has taken, from its records. */
#ifndef WEIR_SESSION_USE_H
#define WEIR_SESSION_USE_H

#include "base/err.h"
#include "rules/session_tokens.h"
#include "store/db.h"

/* As of now_ms. Any connection; a session that is not there has taken nothing. Where there is no limit, all it ever took. */
enum weir_err session_use_read(struct db *ro, const char *session_id, const struct session_limit *l, int64_t now_ms,
                               struct session_tokens *out) __attribute__((warn_unused_result));

#endif
