/* ledger.h - what usage.c and its roll-ups keep in memory beside the writing
 * connection: numbers of names seen before, and what the open transaction will
 * add to the roll-ups. Internal to store/; writer thread only. */
#ifndef WEIR_LEDGER_H
#define WEIR_LEDGER_H

#include <stdint.h>

#include "base/err.h"
#include "store/db.h"
#include "store/seal.h"

enum { EVENT_BITS = 20, COMBO_BITS = 24, SESSION_BITS = 32 };
#define QUARTER_MS INT64_C(900000)
#define MINUTE_MS INT64_C(60000)

/* What one settled event adds. */
struct ledger_delta {
    int64_t quarter, minute;     /* of its acceptance, since 1970 */
    int64_t combo, session;
    int64_t prompt, cached, cache_write, completion, reasoning, chars;
    int64_t cost_in, cost_out, unpriced, unpriced_tokens, estimated, retries;
    int64_t queue_us, retry_us, ttft_us, writing_us, duration_us;
    struct seal seal;            /* of its rows */
};

struct ledger_dims {
    int64_t user, model, upstream, endpoint, priority, status;
};

/* The number of a name, made if new. Gives 0 for NULL or "". */
enum weir_err ledger_word(struct db *db, const char *text, int64_t *id);
/* The number of a user or a token; E_NOT_FOUND if there is none. token_id NULL or "" gives 0. */
enum weir_err ledger_user(struct db *db, const char *user_id, int64_t *id);
enum weir_err ledger_token(struct db *db, const char *token_id, int64_t *id);
/* Ids of people were changed in the database: look them up anew. */
void ledger_forget_people(struct db *db);
/* The number of applied prices, or of a combination of dimensions, made if new. */
enum weir_err ledger_rate(struct db *db, const char *version, int64_t rate_in, int64_t rate_out, int64_t *id);
enum weir_err ledger_combo(struct db *db, const struct ledger_dims *d, int64_t *id);
/* To be added to the roll-ups before COMMIT. Nothing of the operation may fail after it. */
void ledger_add(struct db *db, const struct ledger_delta *d);
/* Write what was gathered now instead of before COMMIT, so that the roll-ups can be read in this transaction. The
 * operation that asked may then fail with nothing but E_STORAGE. */
enum weir_err ledger_write(struct db *db) __attribute__((warn_unused_result));

#endif
