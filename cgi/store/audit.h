/* audit.h - who did what, append-only: the database refuses to change or delete
 * a row, and each row's hash covers the one before, so that a row that was
 * changed, swapped or taken out of the middle is found. */
#ifndef WEIR_AUDIT_H
#define WEIR_AUDIT_H

#include <stdint.h>

#include "base/err.h"
#include "store/db.h"

struct audit_entry {
    int64_t at_ms;
    const char *actor;         /* a user's id, or "weir" */
    const char *action;        /* "limits.reset" … */
    const char *object;        /* what it was done to; "" = all */
    const char *detail;        /* JSON without secrets; "{}" */
    const char *request_id;    /* or NULL */
};

/* Writer only, in the transaction of what it tells of. */
enum weir_err audit_add(struct db *db, const struct audit_entry *a) __attribute__((warn_unused_result));
/* Recompute all hashes. *bad is the first row that does not fit, 0 if all do; *rows how many were read. Any connection. */
enum weir_err audit_verify(struct db *db, int64_t *rows, int64_t *bad) __attribute__((warn_unused_result));

#endif
