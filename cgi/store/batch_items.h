/* batch_items.h - the requests of a batch, each with where its line is in the
 * input and, once it has ended, the line that says how.
 *
 * An item that is open has not ended for Weir: whether the provider was asked is
 * told by its idempotency key. */
#ifndef WEIR_BATCH_ITEMS_H
#define WEIR_BATCH_ITEMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "store/db.h"

enum item_state { ITEM_OPEN, ITEM_ANSWERED, ITEM_FAILED, ITEM_NEVER };

struct batch_item_place {
    int64_t n;                           /* from 0 */
    int64_t start, bytes;                /* of its line in the input */
};

/* --- any connection --- */

/* At most `limit` that are open, from number `from` on. */
enum weir_err batch_items_open(struct db *ro, int64_t batch, int64_t from, int64_t limit, struct batch_item_place *out, size_t *n)
    __attribute__((warn_unused_result));
/* A piece of the file that its lines make, those of answers or the others, appended; *at moves on, to -1 at the end. */
enum weir_err batch_items_lines(struct db *ro, int64_t batch, bool answers, int64_t *at, struct sb *out) __attribute__((warn_unused_result));
/* How large that file is. */
enum weir_err batch_items_bytes(struct db *ro, int64_t batch, bool answers, int64_t *bytes) __attribute__((warn_unused_result));
/* What a request cost, picodollars; -1: unknown or without a price. */
enum weir_err batch_items_charge(struct db *ro, const char *request_id, int64_t *cost) __attribute__((warn_unused_result));

/* What calls for an open item were charged that it does not count yet, as Weir ended before it had an answer. */
struct batch_item_charge {
    int64_t n, cost;                     /* picodollars */
};
/* Of all open items of a batch whose calls have keys of the form "<batch_id>.<item from 1>.<call>"; at most `max`. */
enum weir_err batch_items_charged(struct db *ro, int64_t batch, const char *batch_id, int64_t user, size_t max, struct batch_item_charge *out, size_t *n)
    __attribute__((warn_unused_result));

/* --- writer --- */

/* Places of more items; those of an earlier reading of the input have been forgotten. None if the batch has ended meanwhile, or gone
 * with its owner. */
enum weir_err batch_items_add(struct db *db, int64_t batch, const struct batch_item_place *p, size_t n) __attribute__((warn_unused_result));

struct batch_item_end {
    int64_t batch, user, n;
    int64_t at_ms;                       /* UTC: when it is written down */
    enum item_state state;
    const char *line;                    /* with its newline, borrowed */
    size_t length;
    int64_t cost, tokens_in, tokens_out;
    bool repeated;
};
/* It has ended; its batch counts it. Nothing happens to one that ended before. */
enum weir_err batch_items_end(struct db *db, const struct batch_item_end *end) __attribute__((warn_unused_result));
/* So long has a batch been worked at, more. */
enum weir_err batch_items_worked(struct db *db, int64_t batch, int64_t ms) __attribute__((warn_unused_result));
/* At most `most` of a batch's go. */
enum weir_err batch_items_forget(struct db *db, int64_t batch, int64_t most) __attribute__((warn_unused_result));

#endif
