/* blob.h - bytes of a person's in a row: sealed where there is a master key, else
 * as they are. Internal to store/. */
#ifndef WEIR_BLOB_H
#define WEIR_BLOB_H

#include "base/sb.h"
#include "store/db.h"

/* Bind ?at, whether it is sealed, and ?at+1, the bytes; `kept` is empty and has to live until query_end(). `what` is checked
 * when it is read. Writer. */
enum weir_err blob_bind(struct query *q, int64_t user, const char *what, const void *p, size_t n, struct sb *kept)
    __attribute__((warn_unused_result));
/* Append what the columns `col` and col + 1 have; nothing if it is gone or its key was destroyed. E_OVERLOADED: `out` is full. */
enum weir_err blob_read(const struct query *q, int col, int64_t user, const char *what, struct sb *out)
    __attribute__((warn_unused_result));

#endif
