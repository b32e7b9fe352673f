/* once.h - a request with an Idempotency-Key in the engine's hands: the key is
 * taken in the transaction that accepts the request, and what the client was
 * told is stored under it when all was said.
 *
 * Belongs to its job, and at the end to the writer. */
#ifndef WEIR_ONCE_H
#define WEIR_ONCE_H

#include <stdbool.h>

#include "base/sb.h"
#include "flow/writer.h"
#include "store/idempotency.h"
#include "store/usage.h"

struct once {
    struct write_op op;
    struct idempotency_key key;      /* user and endpoint are the record's, and not looked at after the acceptance */
    char request_id[CALL_ID_SIZE];
    bool taken;                      /* the acceptance is committed */
    struct sb said;                  /* all that the client was told, CGI style */
};

/* For a record whose ids are set; it must not outlive the record until it is accepted. Caller frees with once_free(). */
struct once *once_new(const struct call_record *r, const struct idempotency_key *k);
/* It goes with another record, as the one before was not accepted; or was, and the key stays with that one's id. */
void once_move(struct once *o, const struct call_record *r);
void once_free(struct once *o);      /* NULL is fine */
/* All was said. `keep`: it is what everybody is told who sends the key again; else the key is free. Takes `o`. */
void once_end(struct once *o, struct writer *w, bool keep);

#endif
