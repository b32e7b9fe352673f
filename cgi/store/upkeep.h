/* upkeep.h - single values that survive a restart, and rows that have outlived
 * their use. */
#ifndef WEIR_UPKEEP_H
#define WEIR_UPKEEP_H

#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "store/db.h"

#define UPKEEP_ADMISSION "admission"    /* admit_save()'s JSON */

/* Append the value of `key`; nothing if there is none. Any connection. */
enum weir_err upkeep_get(struct db *db, const char *key, struct sb *out) __attribute__((warn_unused_result));
/* Writer only. */
enum weir_err upkeep_put(struct db *db, const char *key, const char *value, int64_t now_ms)
    __attribute__((warn_unused_result));
/* A moment that only moves forward: where it is (UTC milliseconds; 0: it was never put), and on with it (writer only). */
enum weir_err upkeep_moment(struct db *db, const char *key, int64_t *at_ms) __attribute__((warn_unused_result));
enum weir_err upkeep_forward(struct db *db, const char *key, int64_t to_ms, int64_t now_ms) __attribute__((warn_unused_result));
/* Minute roll-ups are kept for 48 hours. Writer only; gives how many went. */
enum weir_err upkeep_minutes(struct db *db, int64_t now_ms, int64_t *gone) __attribute__((warn_unused_result));

#endif
