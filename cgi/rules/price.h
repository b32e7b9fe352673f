/* price.h - what a model costs, exactly, in picodollars.
 *
 * A table is read from JSON text once (data/prices.json, made by `make
 * update-prices`, and the operator's own prices over it) and never changes, so
 * any thread may look up and count. $1 per million tokens is 1,000,000
 * picodollars per token. No floats, no I/O, no clock. A model that is not in the
 * table is unpriced, which is not the same as free. */
#ifndef WEIR_PRICE_H
#define WEIR_PRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "rules/usage_tokens.h"

enum { PRICE_TIERS_MAX = 4, PRICE_WHY = 160, PRICE_VERSION_SIZE = 24 };

/* Picodollars per token. -1: the provider has no such price of its own. */
struct price_rates {
    int64_t above;           /* these count when prompt tokens are more than this; 0 in the first */
    int64_t in, out;         /* never -1 */
    int64_t unit;            /* of an operation, for each unit; 0 for models */
    int64_t cache_read;      /* else `in` */
    int64_t cache_write;     /* else `in` */
    int64_t cache_write_1h;  /* else twice `in` where writing has a price, else `in` */
};

/* What the provider was asked for, or says it gave. */
enum price_service { PRICE_STANDARD, PRICE_BATCH, PRICE_FLEX, PRICE_PRIORITY, PRICE_SERVICES };
/* As providers write it (`service_tier`, n bytes): "batch", "flex", "priority" or "fast"; everything else is standard. */
enum price_service price_service_of(const char *name, size_t n);

struct price {
    const char *provider, *id;
    const char *version;     /* of the table it is of */
    struct price_rates tier[PRICE_TIERS_MAX];   /* by `above`, rising */
    int tiers;                                  /* >= 1 */
    int64_t context;         /* tokens, 0: unknown */
    int64_t max_out;         /* tokens, 0: unknown */
    bool reasoning, vision;
    bool own;                /* the operator's own lies over it, or it is only there */
    bool no_temperature;     /* refuses the parameter */
    int32_t permille[PRICE_SERVICES];           /* a service's rates of the standard ones; 0: it has none of its own */
    const struct price *service[PRICE_SERVICES];   /* the same model's prices; NULL where there are none */
};

/* How a name led to its price. */
enum price_match {
    PRICE_NONE,      /* it did not: unpriced */
    PRICE_EXACT,
    PRICE_DATED,     /* after -YYYY-MM-DD, -YYYYMMDD or @date was taken off */
    PRICE_ALIAS,     /* another name of the same model */
    PRICE_PREFIX     /* the longest known name it begins with: a guess, to be shown as one */
};
const char *price_match_name(enum price_match m);   /* "none" "exact" … */

/* Picodollars; the parts sum to input and output, and those to total. */
struct cost {
    int64_t fresh, cached, cache_write, units;      /* of input */
    int64_t visible, reasoning;           /* of output */
    int64_t input, output, total;
    int64_t saved;                        /* by the cache: what `cached` would have cost more as fresh input */
    int64_t rate_in, rate_out;            /* per token, of the tier and service that counted */
};

struct price_table;

/* Read a table. `own` (NULL: none) is JSON of the same shape laid over it: a
 * model there that names any price replaces all prices of that model, other
 * members replace one by one, new models are added. E_INVALID_JSON or
 * E_INVALID_FIELD: *out is NULL and `why` a sentence. */
enum weir_err price_table_load(const char *text, size_t n, const char *own, size_t own_n, struct price_table **out,
                               char why[PRICE_WHY]) __attribute__((warn_unused_result));
void price_table_free(struct price_table *t);   /* NULL is fine */
/* The date of the table, "2026-11-10", followed by + and a fingerprint of both if own prices lie over it. */
const char *price_table_version(const struct price_table *t);
/* All models, by provider and id. */
size_t price_table_count(const struct price_table *t);
const struct price *price_table_at(const struct price_table *t, size_t i);

/* Whose prices an upstream has: by the host of its base URL, else by its name
 * if a provider is called so; NULL if neither. Each argument may be NULL. */
const char *price_provider(const struct price_table *t, const char *upstream, const char *base_url);

/* The price of `model` at `provider`, NULL if it has none; *match says how it
 * was found. "provider/model" in `model` is understood too, and is what decides
 * if provider is NULL. Borrowed from the table. */
const struct price *price_find(const struct price_table *t, const char *provider, const char *model,
                               enum price_match *match);

/* How much of a model's name is left without the date at its end (-YYYY-MM-DD, -YYYYMMDD, @date). */
size_t price_name_undated(const char *model);

/* Both directions cost nothing at every tier. */
bool price_is_free(const struct price *p);

/* The prices of a service for the model that `p` (of whatever service) is of; the standard ones where it has none, so that
 * nothing is counted too cheap. NULL gives NULL. */
const struct price *price_for(const struct price *p, enum price_service s);

/* The exact cost of `u`. false: a count is negative or the sum passes int64; *out is then all zeros. */
bool price_cost(const struct price *p, const struct usage_tokens *u, struct cost *out)
    __attribute__((warn_unused_result));

/* At most this much: every input token at the dearest input rate and `max_out`
 * at the dearest output rate, over all tiers they can reach. INT64_MAX if it passes int64. */
int64_t price_worst_case(const struct price *p, int64_t prompt, int64_t max_out);

#endif
