/* batches.h - batches of requests that Weir works through by itself: what each
 * is, how far it has come. Its items are in store/batch_items.h.
 *
 * Whose it is, is part of every question that somebody asks. */
#ifndef WEIR_BATCHES_H
#define WEIR_BATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/sb.h"
#include "rules/gate.h"
#include "store/account.h"
#include "store/db.h"

/* OpenAI's names in this order; the numbers are in the database. */
enum batch_status {
    BATCH_VALIDATING, BATCH_FAILED, BATCH_IN_PROGRESS, BATCH_FINALIZING, BATCH_COMPLETED, BATCH_EXPIRED, BATCH_CANCELLING,
    BATCH_CANCELLED, BATCH_STATUSES
};
const char *batch_status_name(enum batch_status s);

enum { BATCH_ENDPOINT_SIZE = 64, BATCH_CODE_SIZE = 64, BATCH_WINDOW_MS = 24 * 3600 * 1000, BATCH_TEXT_SIZE = 16 * 1024 };

#define BATCH_BUDGET "batch_budget"    /* what a batch waits for whose own budget does not let it on */

struct batch_row {
    int64_t id, user, token;             /* token 0: made in a browser */
    char batch_id[RAND_ID_SIZE], user_id[RAND_ID_SIZE];
    char input_id[RAND_ID_SIZE];
    char output_id[RAND_ID_SIZE], errors_id[RAND_ID_SIZE];      /* "": there is none, or no more */
    int64_t input;
    char endpoint[BATCH_ENDPOINT_SIZE], held[BATCH_CODE_SIZE];
    enum priority priority;
    enum batch_status status;
    int ends_as;                         /* enum batch_status; -1: not decided */
    bool paused, used_up;                /* used_up: paused because its budget does not pay for the next request */
    /* UTC; 0: not yet */
    int64_t created_ms, expires_ms, begun_ms, cancelled_ms, finalizing_ms, ended_ms;
    int64_t saved_ms;                    /* when items of it ended last; 0: none has */
    int64_t worked_ms, total, completed, failed, repeated, tokens_in, tokens_out;
    int64_t cost, budget;                /* picodollars; budget -1: it has none of its own */
};

/* --- any connection --- */

/* E_NOT_FOUND: also somebody else's. */
enum weir_err batches_find(struct db *ro, const char *user_id, const char *batch_id, struct batch_row *out) __attribute__((warn_unused_result));
/* At most `limit`, newest first, older than the batch `after` (NULL: from the newest), into `out`, which has room for one more than
 * `limit`: it tells whether there is another. `user_id` NULL: everybody's. */
enum weir_err batches_list(struct db *ro, const char *user_id, const char *after, int64_t limit, struct batch_row *out, size_t *n)
    __attribute__((warn_unused_result));
/* The same of those that have not ended: the oldest of each person, then the second of each, so that nobody's crowd others out; what is
 * paused comes after a person's others. */
enum weir_err batches_open(struct db *ro, const char *user_id, int64_t limit, struct batch_row *out, size_t *n) __attribute__((warn_unused_result));
/* Changes whenever one of those does. */
int64_t batches_version(struct db *ro);
/* Its metadata and what was wrong with its input, JSON or nothing, appended. */
enum weir_err batches_texts(struct db *ro, int64_t id, struct sb *metadata, struct sb *errors) __attribute__((warn_unused_result));
/* Who its requests are of, as they may be now. E_UNAUTHENTICATED: they may no more. */
enum weir_err batches_owner(struct db *ro, const struct batch_row *b, int64_t now_ms, struct identity *out) __attribute__((warn_unused_result));

/* --- writer --- */

struct batch_new {
    const char *batch_id, *user_id, *token_id, *endpoint, *metadata;     /* token_id and metadata NULL: none */
    int64_t input, created_ms, budget;   /* budget: picodollars, -1: none */
    enum priority priority;
};
enum { BATCHES_OPEN_MAX = 1000 };        /* of one person, at once: all open ones are looked at in every round */
/* E_NOT_FOUND: the input has gone. E_RATE_LIMITED: BATCHES_OPEN_MAX of this person's have not ended. */
enum weir_err batches_add(struct db *db, const struct batch_new *b) __attribute__((warn_unused_result));
/* Its input is fine: it has `total` items, and begins. Or it is not, and `errors` says why. */
enum weir_err batches_begin(struct db *db, int64_t id, int64_t total, int64_t now_ms) __attribute__((warn_unused_result));
enum weir_err batches_fail(struct db *db, int64_t id, const char *errors, int64_t now_ms) __attribute__((warn_unused_result));
/* Somebody wants it to stop, for good or for a while, or to go on. E_CONFLICT: it has ended, or is about to. */
enum weir_err batches_cancel(struct db *db, int64_t id, int64_t now_ms) __attribute__((warn_unused_result));
enum weir_err batches_pause(struct db *db, int64_t id) __attribute__((warn_unused_result));
/* With a new budget, unless that is -1. E_BUDGET: it was used up, and is not raised. */
enum weir_err batches_resume(struct db *db, int64_t id, int64_t budget) __attribute__((warn_unused_result));
/* Its budget does not pay for the next request: it is paused, if that still is its budget. */
enum weir_err batches_use_up(struct db *db, int64_t id, int64_t budget) __attribute__((warn_unused_result));
/* What keeps it from going on: an error's code; NULL: nothing does. */
enum weir_err batches_hold(struct db *db, int64_t id, const char *code) __attribute__((warn_unused_result));
/* Nothing of it is under way any more, and it will end as completed, expired or cancelled. */
enum weir_err batches_finalize(struct db *db, int64_t id, enum batch_status ends_as, int64_t now_ms) __attribute__((warn_unused_result));
/* And has: its lines become files that are kept until `expires_ms`. */
enum weir_err batches_end(struct db *db, const struct batch_row *b, int64_t now_ms, int64_t expires_ms) __attribute__((warn_unused_result));
/* A step of those that ended before `before_ms` and have left no file, or of `user`'s whatever they are (0: of nobody's).
 * *left: there is more. */
enum weir_err batches_purge_some(struct db *db, int64_t user, int64_t before_ms, bool *left) __attribute__((warn_unused_result));

#endif
