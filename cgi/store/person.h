/* person.h - all that is kept of one person: given out whole, and erased.
 *
 * Erasing is several writes, each bounded: person_close() first, after which
 * nobody can sign in as that person and nothing new is accepted for them, then
 * person_erase_some() until nothing is left. What they wrote and were answered,
 * titles, tokens, sign-ins, names and metadata are gone then. The ledger's
 * numbers stay, under a user id made at random that nothing leads back from. */
#ifndef WEIR_PERSON_H
#define WEIR_PERSON_H

#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/sb.h"
#include "store/db.h"

struct person {
    int64_t user;                          /* the row */
    char user_id[RAND_ID_SIZE];
};
/* By id or name. E_NOT_FOUND: there is no such user. Any connection. */
enum weir_err person_find(struct db *db, const char *who, struct person *out) __attribute__((warn_unused_result));

/* --- giving out --- */

enum person_form {
    PERSON_JSON,                           /* {user, tokens, browser_sessions, sessions with all messages, requests, files and
                                              batches without what they hold, budgets, audit} */
    PERSON_USAGE_CSV,                      /* a line for each request */
    PERSON_MESSAGES_CSV,                   /* a line for each message */
};
/* Append it to `out`. Whenever that has become large, `take` (NULL: never) gets it and empties it; false ends with
 * E_STORAGE. Sees one state of the database; ends by itself after 10 minutes. Any connection outside a transaction. */
enum weir_err person_export(struct db *ro, const struct person *p, enum person_form form, struct sb *out,
                            bool (*take)(struct sb *out, void *ctx), void *ctx) __attribute__((warn_unused_result));

/* --- erasing: writer only, in a write_op's run --- */

struct person_gone {
    int64_t sessions, texts, tokens, requests;      /* requests: that had metadata */
    char pseudonym[RAND_ID_SIZE];                   /* person_close(): the id from now on; in no log, nothing leads to it */
};
/* The account is closed and loses its names; adds to `gone`. E_CONFLICT: it is the last active administrator. */
enum weir_err person_close(struct db *db, const struct person *p, int64_t now_ms, struct person_gone *gone)
    __attribute__((warn_unused_result));
/* At most `most` sessions, or metadata of as many of the requests `from` and later (event ids; 0 at first). Adds to
 * `gone`. *from < 0: it is done. */
enum weir_err person_erase_some(struct db *db, const struct person *p, int64_t most, int64_t *from, struct person_gone *gone)
    __attribute__((warn_unused_result));

#endif
