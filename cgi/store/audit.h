/* audit.h - who did what, append-only, and signed.
 *
 * A row's MAC covers the one before it with a key that lies beside the database,
 * not in it: whoever has the database alone can change, swap, insert or take out
 * nothing that audit_verify() does not find. A log cut off at its end is still a
 * good log, so the head (number and MAC of the last row) goes elsewhere now and
 * then: against such an anchor a cut is found too. Rows from before there was a
 * key have a plain SHA-256 chain, which the first signed row seals.
 *
 * Retention takes out a prefix. A signed row says first what was the last to go
 * and with which MAC; the database lets nothing else be deleted. */
#ifndef WEIR_AUDIT_H
#define WEIR_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "store/db.h"

enum { AUDIT_KEY_BYTES = 32, AUDIT_MAC_BYTES = 32, AUDIT_HEAD_SIZE = 20 + 1 + 2 * AUDIT_MAC_BYTES + 1 };

struct audit_entry {
    int64_t at_ms;
    const char *actor;         /* a user's id, or "weir" */
    const char *action;        /* "limits.reset" … */
    const char *object;        /* what it was done to; "" = all */
    const char *detail;        /* JSON without secrets; "{}" */
    const char *request_id;    /* or NULL */
};

/* The process's key. Main, before the first thread. */
void audit_set_key(const unsigned char key[AUDIT_KEY_BYTES]);
/* Seal what was written before there was a key; nothing if there is nothing, or it is sealed. Only for a key that was just
 * made: with one that is older, rows without a MAC are a forgery. In a transaction. */
enum weir_err audit_seal(struct db *db, int64_t now_ms) __attribute__((warn_unused_result));

/* Writer only, in the transaction of what it tells of. E_INTERNAL: no key was set. */
enum weir_err audit_add(struct db *db, const struct audit_entry *a) __attribute__((warn_unused_result));

/* The last row. seq 0: there is none. Any connection. */
struct audit_head {
    int64_t seq;
    unsigned char mac[AUDIT_MAC_BYTES];
};
enum weir_err audit_head(struct db *db, struct audit_head *out) __attribute__((warn_unused_result));
/* "12:0af3…" */
void audit_head_text(const struct audit_head *h, char out[AUDIT_HEAD_SIZE]);
bool audit_head_parse(const char *text, struct audit_head *out) __attribute__((warn_unused_result));

/* Recompute all MACs; with `anchor` (or NULL) the log must also have the row that was its head then. Any connection. */
struct audit_found {
    int64_t rows;              /* that were read */
    int64_t pruned;            /* retention took out the rows up to this one */
    int64_t bad;               /* the first row that does not fit or is missing; 0: the log is whole */
    const char *why;           /* a sentence about it; literal */
};
enum weir_err audit_verify(struct db *db, const struct audit_head *anchor, struct audit_found *out)
    __attribute__((warn_unused_result));

/* Rows from before `before_ms` go, at most `most` and only from the front. Gives how many. In a write_op's run. */
enum weir_err audit_prune(struct db *db, int64_t before_ms, int64_t now_ms, int64_t most, int64_t *gone)
    __attribute__((warn_unused_result));

/* {"items":[{seq, at, actor, action, object, detail, request_id}…],"next_cursor":…}, the newest first. */
enum weir_err audit_json(struct db *ro, const char *cursor, int64_t limit, struct sb *out) __attribute__((warn_unused_result));

#endif
