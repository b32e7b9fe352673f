/* spill.h - settlements that wait for the database, in a file beside it.
 *
 * One line each (spill_line.h), mode 0600 as it holds text, with room set aside
 * so that a full disk can still take them. Replayed by request id, which changes
 * nothing where the settlement is stored already; then the file is emptied.
 * One thread at a time: main while it starts, then the writer. */
#ifndef WEIR_SPILL_H
#define WEIR_SPILL_H

#include "store/db.h"
#include "store/usage.h"

struct spill;

/* Open or create; spill_close() frees. E_STORAGE: it cannot be, *out is NULL and `why` a sentence with the path. */
enum weir_err spill_open(const char *path, struct spill **out, char why[DB_WHY_SIZE]) __attribute__((warn_unused_result));
void spill_close(struct spill *s);       /* NULL is fine; what waits stays in the file */

/* Append a settlement: from now on it survives the process. E_STORAGE: it is not there. */
enum weir_err spill_put(struct spill *s, const struct call_record *r) __attribute__((warn_unused_result));
/* What was put survives a loss of power too. E_STORAGE: nothing put since the last success is sure to; trying again
 * proves nothing. */
enum weir_err spill_sync(struct spill *s) __attribute__((warn_unused_result));
/* Settlements put since the file was empty; what was found at the opening counts as one. */
int64_t spill_waiting(const struct spill *s);

/* Settle all of it in transactions of its own and empty the file; *settled says how many lines were read. Damaged lines
 * and settlements the ledger refuses (without a request) are logged and left behind. E_STORAGE: the database or the
 * file failed; the file is as it was, and what was committed will be found settled. */
enum weir_err spill_replay(struct spill *s, struct db *db, int64_t *settled) __attribute__((warn_unused_result));

#endif
