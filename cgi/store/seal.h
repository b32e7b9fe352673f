/* seal.h - a flipped byte in a row of the ledger is found.
 *
 * SQLite does not see bit rot. For each quarter of an hour, and for each of the
 * tables of names, `seals` has the number of rows and the sum of their hashes
 * (BLAKE2b, 128 bits, added modulo 2^64 in two lanes). It is added to in the
 * transaction that settles an event. A sum rather than a chain, because events
 * of a quarter are settled in any order and some long after it (imports, what
 * waited in a spill file): nothing has to be closed first, no row is without its
 * seal for a while, and what rots is never sealed in. Costs 60 bytes a quarter
 * and no index. It finds damage, not forgery: whoever can write the database can
 * write a sum; the audit log is what is for that.
 *
 * Whoever changes a settled event or its attempts (anonymising) calls
 * seal_lift() before and seal_event() after, in one transaction. Whoever removes
 * the events of whole quarters calls seal_prune() in the same transaction: the
 * seal stays as the proof of how many there were. Writer thread only, but for
 * seal_row() and seal_read(). */
#ifndef WEIR_SEAL_H
#define WEIR_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/db.h"

enum { SEAL_BYTES = 16 };
enum { SEAL_WORDS = -1, SEAL_RATES = -2, SEAL_COMBOS = -3 };

/* What is hashed of a row, by place; a NULL counts as not there. So a column that is added later, NULL in older rows,
 * goes to the end of its list and old seals still hold. */
#define SEAL_EVENT_COLUMNS                                                                                        \
    "id, user, model, upstream, endpoint, priority, status, session, attempts, prompt, cached, cache_write,"      \
    " cache_write_1h, completion, reasoning, chars, cost_in, cost_out, rate, estimated, queue_us, retry_us,"      \
    " ttft_us, writing_us, state, token, question, answer, held_by, finish, error, counted, max_tokens, suspect," \
    " asked, request, metadata, waited, omitted, saved, after_ms, wait_us, duration_us, http_status, reserved_in,"   \
    " reserved_out, reason, provider_request_id, units"
#define SEAL_ATTEMPT_COLUMNS                                                                                   \
    "event, n, prompt, completion, cost_in, cost_out, upstream, after_ms, wait_us, duration_us, http_status, " \
    "error, reserved_in, reserved_out, provider_request_id, model, reason, estimated"
enum { SEAL_EVENT_N = 49, SEAL_ATTEMPT_N = 18 };
enum { SEAL_OF_EVENT = 'e', SEAL_OF_ATTEMPT = 'a', SEAL_OF_WORD = 'w', SEAL_OF_RATE = 'r', SEAL_OF_COMBO = 'c' };

/* Rows and the sum of their hashes. Zeroed at the beginning. */
struct seal {
    int64_t events, attempts;            /* attempts: those with rows of their own */
    uint64_t lane[2];
};

/* Add the first `n` columns of a query's row. `value` (NULL: not wanted) gets them as numbers, 0 for what is none: asking
 * SQLite for each column once is most of what looking through a ledger takes. */
void seal_row(struct seal *s, const struct query *q, int n, char kind, int64_t *value);
void seal_plus(struct seal *to, const struct seal *s);

/* Add `s` to a seal, made if new; in the caller's transaction. */
enum weir_err seal_add(struct db *db, int64_t id, const struct seal *s) __attribute__((warn_unused_result));
/* The rows of one settled event, read back: what is stored is what is sealed. */
enum weir_err seal_of_event(struct db *db, int64_t event, struct seal *out) __attribute__((warn_unused_result));
/* An event as it is now is in its quarter's seal from now on; or no longer. */
enum weir_err seal_event(struct db *db, int64_t event) __attribute__((warn_unused_result));
enum weir_err seal_lift(struct db *db, int64_t event) __attribute__((warn_unused_result));
/* A new word, rate or combination is in its table's seal. */
enum weir_err seal_name(struct db *db, int64_t seal, int64_t row) __attribute__((warn_unused_result));
/* All events before `to_quarter` have been removed by the caller, with their attempts. */
enum weir_err seal_prune(struct db *db, int64_t to_quarter, int64_t now_ms) __attribute__((warn_unused_result));

struct seal_stored {
    struct seal seal;
    bool there, hashed, pruned;          /* hashed: false if there were rows before seals were kept */
};
enum weir_err seal_read(struct db *db, int64_t id, struct seal_stored *out) __attribute__((warn_unused_result));

#endif
