/* anonymous.h - usage that nobody can be told from: after its time, requests and
 * the sums by user and session go to pseudonyms (store/pseudonym.h).
 *
 * Tokens and metadata leave the requests too. All sums stay equal, and seals and
 * `weir verify` hold after each step: what is in one quarter's roll-ups of a
 * person moves as a whole, in one transaction. The account stays as it is, with
 * its sessions and their text; a deleted session that all requests have left goes.
 * Writer only, in a write_op's run. */
#ifndef WEIR_ANONYMOUS_H
#define WEIR_ANONYMOUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/settings.h"
#include "store/db.h"

/* Budgets that never end count what a person, token or session has ever cost: those keep their names. */
struct anonymous_held {
    bool everybody;                      /* a budget of each user, session or token */
    int64_t *user;                       /* rows */
    size_t n;
};
/* Who is held, by the budgets in force. Any connection. The caller frees with anonymous_held_done(). */
enum weir_err anonymous_held(struct db *db, const struct settings *s, struct anonymous_held *out) __attribute__((warn_unused_result));
void anonymous_held_done(struct anonymous_held *h);

/* Four hours of one person from before `before_ms` (cut to a UTC day), the first there are of users from row *user on;
 * *user is where to go on, < 0: all is done. *requests is how many the four hours had. */
enum weir_err anonymous_some(struct db *db, int64_t before_ms, int64_t now_ms, const struct anonymous_held *held, int64_t *user, int64_t *requests)
    __attribute__((warn_unused_result));
/* Requests from before this moment have been through it, UTC milliseconds; 0: never. Any connection. */
enum weir_err anonymous_to(struct db *db, int64_t *to_ms) __attribute__((warn_unused_result));

#endif
