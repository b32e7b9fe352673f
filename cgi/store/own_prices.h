/* own_prices.h - prices that an administrator sets, laid over the table Weir was
 * built with. What counted once stays: a change ends a row and begins another. */
#ifndef WEIR_OWN_PRICES_H
#define WEIR_OWN_PRICES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/sb.h"
#include "store/db.h"

enum { OWN_PRICE_NAME_SIZE = 201, OWN_PRICES_MAX = 1000 };

struct own_price {
    char price_id[RAND_ID_SIZE];
    int64_t version;                                  /* of this price, from 1 */
    char provider[OWN_PRICE_NAME_SIZE], model[OWN_PRICE_NAME_SIZE];
    int64_t in, out;                                  /* picodollars per token */
    int64_t cache_read, cache_write, cache_write_1h;  /* -1: the provider has no such price of its own */
};

/* The one in force. E_NOT_FOUND. Any connection. */
enum weir_err own_prices_find(struct db *db, const char *price_id, struct own_price *out) __attribute__((warn_unused_result));
/* All in force as price_table_load()'s second table, appended; nothing if there are none. Any connection. */
enum weir_err own_prices_overlay(struct db *db, struct sb *out) __attribute__((warn_unused_result));
/* {"items":[…],"next_cursor":…}; with `all` those that ended too. */
enum weir_err own_prices_json(struct db *ro, bool all, const char *cursor, int64_t limit, struct sb *out) __attribute__((warn_unused_result));
enum weir_err own_price_json(struct db *ro, const char *price_id, struct sb *out) __attribute__((warn_unused_result));

/* --- writer --- */

/* Version 1 of a new one, or, if p->version is above 1, in the place of the one before. E_CONFLICT: that model of that provider
 * has one, or there are OWN_PRICES_MAX. */
enum weir_err own_prices_set(struct db *db, const struct own_price *p, const char *user_id, int64_t now_ms) __attribute__((warn_unused_result));
/* E_NOT_FOUND: none is in force. */
enum weir_err own_prices_end(struct db *db, const char *price_id, int64_t now_ms) __attribute__((warn_unused_result));

#endif
