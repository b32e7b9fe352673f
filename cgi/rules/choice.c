/* choice.c - the names. */
#include "rules/choice.h"

static const char *const names[CHOICE_COUNT] = {
    [CHOICE_ONLY] = "only",
    [CHOICE_MOST_HEADROOM] = "most_headroom",
    [CHOICE_CHEAPEST] = "cheapest",
    [CHOICE_SOONEST] = "soonest",
    [CHOICE_RETRY] = "retry",
    [CHOICE_FALLBACK_UNHEALTHY] = "fallback_unhealthy",
    [CHOICE_FALLBACK_FAILED] = "fallback_failed",
    [CHOICE_FALLBACK_LATE] = "fallback_late",
};

const char *choice_name(enum choice c) { return names[c]; }
