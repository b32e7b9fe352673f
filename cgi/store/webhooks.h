/* webhooks.h - who is told, and what is still to be delivered.
 *
 * A delivery is written in the transaction of what it tells of, and tried until
 * it is answered or its time is up; then it stays in the list of those given up,
 * from where it can be sent again. Functions that take `db` are the writer's,
 * those with `ro` any connection's. */
#ifndef WEIR_WEBHOOKS_H
#define WEIR_WEBHOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/sb.h"
#include "store/db.h"

enum { WEBHOOKS_MAX = 50, WEBHOOK_URL_SIZE = 1024 };
#define WEBHOOK_GIVE_UP_MS (INT64_C(24) * 3600 * 1000)

struct webhook {
    char id[RAND_ID_SIZE];
    char url[WEBHOOK_URL_SIZE];
    int64_t turn;                     /* counts its secrets */
    bool enabled;
    int64_t created_ms;
};

/* --- webhooks --- */

enum weir_err webhooks_find(struct db *ro, const char *webhook_id, struct webhook *out) __attribute__((warn_unused_result));
/* {"items":[…],"next_cursor":null} */
enum weir_err webhooks_json(struct db *ro, struct sb *out) __attribute__((warn_unused_result));
void webhook_json(const struct webhook *w, struct sb *out);      /* its members, without braces */
/* E_CONFLICT: there are WEBHOOKS_MAX. */
enum weir_err webhooks_add(struct db *db, const struct webhook *w) __attribute__((warn_unused_result));
/* URL, turn and enabled replace what was. E_NOT_FOUND: there is none. */
enum weir_err webhooks_change(struct db *db, const struct webhook *w) __attribute__((warn_unused_result));
/* What waits for it is given up. */
enum weir_err webhooks_remove(struct db *db, const char *webhook_id, int64_t now_ms) __attribute__((warn_unused_result));

/* --- deliveries --- */

/* Something happened: a delivery of {"type":…,"timestamp":…,"data":…} to every enabled webhook, or to the one named.
 * `data` is JSON. */
enum weir_err webhooks_tell(struct db *db, const char *webhook_id, const char *type, const char *data, int64_t now_ms)
    __attribute__((warn_unused_result));

struct delivery {
    int64_t row;
    char id[RAND_ID_SIZE];
    struct webhook webhook;
    int64_t attempts, until_ms;
    char *body;                       /* owned by whoever asked */
};
/* The one that is due, oldest first (those of a disabled webhook wait, a test apart): *found false if none is by now_ms, and *next_ms when one will be (INT64_MAX: never). */
enum weir_err webhooks_due(struct db *ro, int64_t now_ms, struct delivery *out, bool *found, int64_t *next_ms)
    __attribute__((warn_unused_result));
struct delivery_result {
    int64_t row;
    int status;                       /* HTTP; 0: no answer */
    const char *error;                /* a sentence; NULL: delivered */
    int64_t next_ms;                  /* when to try again; -1: given up, or delivered */
    bool gone;                        /* the receiver wants no more: the webhook is disabled */
};
enum weir_err webhooks_tried(struct db *db, const struct delivery_result *r, int64_t now_ms) __attribute__((warn_unused_result));
/* A page of a webhook's deliveries, newest first; `state` "waiting", "delivered", "failed", or NULL for all. E_NOT_FOUND. */
enum weir_err webhooks_deliveries_json(struct db *ro, const char *webhook_id, const char *state, const char *cursor, int64_t limit,
                                       struct sb *out) __attribute__((warn_unused_result));
/* One that was given up is due again. E_NOT_FOUND: no such delivery of this webhook; E_CONFLICT: it still waits, or was delivered. */
enum weir_err webhooks_again(struct db *db, const char *webhook_id, const char *delivery_id, int64_t now_ms)
    __attribute__((warn_unused_result));
/* Forget what was delivered a week ago or given up a month ago, and alerts resolved 400 days ago. */
enum weir_err webhooks_sweep(struct db *db, int64_t now_ms) __attribute__((warn_unused_result));

#endif
