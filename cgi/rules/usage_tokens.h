/* usage_tokens.h - what one call used, by token class. Parts sum to totals:
 * `prompt` includes cached and cache_write, `completion` includes reasoning. */
#ifndef WEIR_USAGE_TOKENS_H
#define WEIR_USAGE_TOKENS_H

#include <stdint.h>

struct usage_tokens {
    int64_t prompt;
    int64_t cached;           /* of prompt: read from the provider's cache */
    int64_t cache_write;      /* of prompt: written to the cache, 5 minutes */
    int64_t cache_write_1h;   /* of prompt: written to the cache, 1 hour */
    int64_t completion;
    int64_t reasoning;        /* of completion */
    int64_t units;            /* of an operation that counts in something else: results, rows, pushes */
};

#endif
