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

static const char *const texts[CHOICE_COUNT] = {
    [CHOICE_ONLY] = "It was the only healthy upstream that serves the model.",
    [CHOICE_MOST_HEADROOM] = "Of the upstreams that serve the model at this price it had most room left.",
    [CHOICE_CHEAPEST] = "It was the cheapest of those that could serve it.",
    [CHOICE_SOONEST] = "It was the first that could start; one as cheap or cheaper could not yet.",
    [CHOICE_RETRY] = "It was tried again after an attempt that failed.",
    [CHOICE_FALLBACK_UNHEALTHY] = "The model before it in the list had no healthy upstream.",
    [CHOICE_FALLBACK_FAILED] = "The model before it in the list had failed too often.",
    [CHOICE_FALLBACK_LATE] = "The model before it in the list would have begun too late.",
};

const char *choice_text(enum choice c) { return texts[c]; }
const char *choice_name(enum choice c) { return names[c]; }
