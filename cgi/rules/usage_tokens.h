/* usage_tokens.h - what one call used, in tokens, whoever counted it.
 *
 * Providers differ in what includes what; here it is always: `prompt` is all
 * input, `completion` all output, and the other counts are parts of those two.
 * Parsers bring a provider's numbers into this shape; price, store and pages
 * only read it. All counts are >= 0. */
#ifndef WEIR_USAGE_TOKENS_H
#define WEIR_USAGE_TOKENS_H

#include <stdint.h>

struct usage_tokens {
    int64_t prompt;           /* all input, the three below included */
    int64_t cached;           /* read from the provider's prompt cache */
    int64_t cache_write;      /* written to it (for its usual time, 5 minutes at Anthropic) */
    int64_t cache_write_1h;   /* written to it for an hour */
    int64_t completion;       /* all output, the one below included */
    int64_t reasoning;        /* output nobody sees */
};

#endif
