/* once.h - a request with an Idempotency-Key, before anything else is done for
 * it: has it been sent before? */
#ifndef WEIR_WEB_ONCE_H
#define WEIR_WEB_ONCE_H

#include <stdbool.h>

#include "web/web.h"

/* `from_body`: the member idempotency_key, or NULL. The header's says the same or is not there. *answered: it was answered
 * as it was the first time, with Idempotent-Replayed; else OK means that it is new, and x->key is to go with its job.
 * E_INVALID_FIELD, E_OUT_OF_RANGE: no such key can be; E_IDEMPOTENCY_RUNNING, with running_request_id; E_IDEMPOTENCY_MISMATCH;
 * E_INTERRUPTED and E_GONE (it was answered and the answer is not kept), with first_request_id; E_STORAGE. Refused already. */
enum weir_err once_check(struct exchange *x, const char *from_body, bool *answered) __attribute__((warn_unused_result));

#endif
