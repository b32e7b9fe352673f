/* idempotency.h - one request, however often it is sent: what is known of an
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header).
 *
 * A key belongs to a user and a path. The row is written in the transaction that
 * accepts the request, so of any number that are sent at once one is accepted;
 * the answer is added after it was given. A key whose request came to nothing
 * and cost nothing is free again, so that it can be retried. Rows live for a day.
 * Answers hold text: they are sealed where contents are. */
#ifndef WEIR_IDEMPOTENCY_H
#define WEIR_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "store/db.h"

enum {
    IDEMPOTENCY_KEY_MAX = 255,
    IDEMPOTENCY_DIGEST = 32,
    IDEMPOTENCY_KEPT_MS = 24 * 3600 * 1000,
    IDEMPOTENCY_ANSWER_MAX = 16 * 1024 * 1024,
};

struct idempotency_key {
    const char *user_id, *endpoint;          /* borrowed */
    char key[IDEMPOTENCY_KEY_MAX + 1];
    unsigned char body[IDEMPOTENCY_DIGEST];  /* SHA-256 */
};

/* The key's text: 1 to 255 of letters, digits, - _ . and : */
bool idempotency_key_ok(const char *key);
void idempotency_digest(const void *body, size_t n, unsigned char digest[IDEMPOTENCY_DIGEST]);

enum idempotency_state {
    IDEMPOTENCY_FREE,            /* nobody has used it within a day */
    IDEMPOTENCY_RUNNING,
    IDEMPOTENCY_ANSWERED,        /* `answer` is what was said, status and headers included, CGI style */
    IDEMPOTENCY_UNKEPT,          /* answered, and the answer is not kept */
    IDEMPOTENCY_INTERRUPTED,     /* Weir ended while it ran */
};

struct idempotency_found {
    enum idempotency_state state;
    bool other_body;
    char request_id[65];
    char *answer;                /* owned, or NULL */
    size_t answer_bytes;
};
/* Any connection. Gives `out`, whose answer the caller frees. */
enum weir_err idempotency_find(struct db *ro, const struct idempotency_key *k, int64_t now_ms, struct idempotency_found *out)
    __attribute__((warn_unused_result));

/* --- writer --- */

/* Take a free key. E_IDEMPOTENCY_RUNNING: it is not free, whatever its state. */
enum weir_err idempotency_take(struct db *db, const struct idempotency_key *k, const char *request_id, int64_t now_ms)
    __attribute__((warn_unused_result));
/* What was answered; NULL: it is not kept. Nothing happens if the row is gone. */
enum weir_err idempotency_answer(struct db *db, const char *request_id, const char *answer, size_t n) __attribute__((warn_unused_result));
/* The key is free again. */
enum weir_err idempotency_free(struct db *db, const char *request_id) __attribute__((warn_unused_result));
/* At start, after usage_recover(): what ran is interrupted, what was never sent is free. */
enum weir_err idempotency_recover(struct db *db) __attribute__((warn_unused_result));
/* Rows older than a day, at most `most`; gives how many. */
enum weir_err idempotency_prune(struct db *db, int64_t now_ms, int64_t most, int64_t *gone) __attribute__((warn_unused_result));
/* Those of a session's requests (by its number): what it said is not to stay here. */
enum weir_err idempotency_erase(struct db *db, int64_t session) __attribute__((warn_unused_result));

#endif
