/* plausible.h - may a provider's own figures about a call be believed?
 *
 * Providers forget them, send strings or 10^18, or count something else. What
 * is believed is billed, so the doubtful is seen to and flagged. Pure. */
#ifndef WEIR_PLAUSIBLE_H
#define WEIR_PLAUSIBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/usage_tokens.h"

struct usage_claim {
    bool has_prompt, has_completion;   /* the provider gave a sound integer >= 0 */
    struct usage_tokens said;
    int64_t own_prompt, own_completion;   /* Weir's count of what passed, >= 0 */
    int64_t context;                   /* the model's window, tokens; 0: unknown */
};

struct usage_finding {
    struct usage_tokens usage;         /* to be billed; parts never exceed their totals */
    bool estimated;                    /* at least one total is Weir's own count */
    bool suspect;                      /* the provider's figures are far from it, or absurd */
};

/* Totals beyond ten windows count as not said. Below half or above twice the own count (beyond a few tokens) they are
 * suspect, and the larger counts, for it is what the provider will charge: a claim of more than max_tokens, which was
 * all that was held for, is then spent all the same, and a budget it passes shows that and refuses the next. */
struct usage_finding usage_believe(const struct usage_claim *c);

#endif
