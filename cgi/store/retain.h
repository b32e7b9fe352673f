/* retain.h - what has outlived its time goes, a bounded number of rows at each
 * call, each in a write_op's run. Rows of the audit log: store/audit.h.
 *
 * Requests go by whole quarters of an hour: the moment from which they are
 * complete moves first, in the transaction of the first deletion, then the rows
 * before it go in steps. Whoever compares requests with their sums, or seals them
 * by quarter, starts at retain_usage_from(): before it rows are missing by
 * intent. The sums stay, and the seals of quarters before it stay as the proof of
 * how many there were. */
#ifndef WEIR_RETAIN_H
#define WEIR_RETAIN_H

#include <stdint.h>

#include "base/err.h"
#include "store/db.h"

/* Texts of messages from before `before_ms`, the oldest first, at most `most` and until `bytes` of them went. Gives how
 * many and how large; 0: none is left. */
enum weir_err retain_texts(struct db *db, int64_t before_ms, int64_t bytes, int64_t most, int64_t *gone, int64_t *gone_bytes)
    __attribute__((warn_unused_result));
/* How large all texts are. Reads every one: for the keeper's own connection. */
enum weir_err retain_text_bytes(struct db *ro, int64_t *bytes) __attribute__((warn_unused_result));
/* Sessions last used before `before_ms` go as if their owners deleted them, at most `most`. */
enum weir_err retain_sessions(struct db *db, int64_t before_ms, int64_t most, int64_t *gone) __attribute__((warn_unused_result));
/* Settled requests and their attempts from quarters that ended before `before_ms`, at most `most`. */
enum weir_err retain_requests(struct db *db, int64_t before_ms, int64_t now_ms, int64_t most, int64_t *gone)
    __attribute__((warn_unused_result));
/* From when on requests are complete, UTC milliseconds; 0: none was ever taken out. Any connection. */
enum weir_err retain_usage_from(struct db *db, int64_t *from_ms) __attribute__((warn_unused_result));

#endif
