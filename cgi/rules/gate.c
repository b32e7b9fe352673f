/* gate.c - the names. */
#include "rules/gate.h"

#include <string.h>

static const char *const gates[GATE_NONE + 1] = {
    [DIM_REQUESTS_PER_MINUTE] = "requests_per_minute",
    [DIM_REQUESTS_PER_HOUR] = "requests_per_hour",
    [DIM_TOKENS_PER_MINUTE] = "tokens_per_minute",
    [DIM_TOKENS_PER_HOUR] = "tokens_per_hour",
    [DIM_INPUT_TOKENS_PER_MINUTE] = "input_tokens_per_minute",
    [DIM_OUTPUT_TOKENS_PER_MINUTE] = "output_tokens_per_minute",
    [GATE_CONCURRENCY] = "concurrency",
    [GATE_BUDGET] = "budget",
    [GATE_PACING] = "pacing",
    [GATE_STABILIZING] = "stabilizing",
    [GATE_BACKOFF] = "backoff",
    [GATE_SESSION] = "concurrency",
    [GATE_NONE] = "none",
};

static const char *const texts[GATE_NONE + 1] = {
    [DIM_REQUESTS_PER_MINUTE] = "The limit of requests per minute was used up.",
    [DIM_REQUESTS_PER_HOUR] = "The limit of requests per hour was used up.",
    [DIM_TOKENS_PER_MINUTE] = "The limit of tokens per minute left too little for it.",
    [DIM_TOKENS_PER_HOUR] = "The limit of tokens per hour left too little for it.",
    [DIM_INPUT_TOKENS_PER_MINUTE] = "The limit of input tokens per minute left too little for it.",
    [DIM_OUTPUT_TOKENS_PER_MINUTE] = "The limit of output tokens per minute left too little for it.",
    [GATE_CONCURRENCY] = "As many calls were running as the upstream may have at a time.",
    [GATE_BUDGET] = "A budget was used up.",
    [GATE_PACING] = "The least pause between two requests was kept.",
    [GATE_STABILIZING] = "The allowed rate was climbing back after the provider had refused a call.",
    [GATE_BACKOFF] = "It rested after an attempt that failed, or the provider had asked for a pause.",
    [GATE_SESSION] = "An earlier message of the same session was still being answered.",
    [GATE_NONE] = "No gate: it was read, its tokens were counted, it was stored.",
};

static const char *const spread_keys[DIM_COUNT] = {
    [DIM_REQUESTS_PER_MINUTE] = "requests_per_minute_spread",
    [DIM_REQUESTS_PER_HOUR] = "requests_per_hour_spread",
    [DIM_TOKENS_PER_MINUTE] = "tokens_per_minute_spread",
    [DIM_TOKENS_PER_HOUR] = "tokens_per_hour_spread",
    [DIM_INPUT_TOKENS_PER_MINUTE] = "input_tokens_per_minute_spread",
    [DIM_OUTPUT_TOKENS_PER_MINUTE] = "output_tokens_per_minute_spread",
};

static const char *const spread_texts[DIM_COUNT] = {
    [DIM_REQUESTS_PER_MINUTE] = "Weir spreads the requests of a minute over it; the next was not due yet.",
    [DIM_REQUESTS_PER_HOUR] = "Weir spreads the requests of an hour over it; the next was not due yet.",
    [DIM_TOKENS_PER_MINUTE] = "Weir spreads the tokens of a minute over it; so many were not due yet.",
    [DIM_TOKENS_PER_HOUR] = "Weir spreads the tokens of an hour over it; so many were not due yet.",
    [DIM_INPUT_TOKENS_PER_MINUTE] = "Weir spreads the input tokens of a minute over it; so many were not due yet.",
    [DIM_OUTPUT_TOKENS_PER_MINUTE] = "Weir spreads the output tokens of a minute over it; so many were not due yet.",
};

static const char *const priorities[PRIORITY_COUNT] = {"Low", "Medium", "High"};

bool gate_spreads(enum gate g, enum dim *d)
{
    if (g < GATE_SPREAD)
        return false;
    *d = (enum dim)(g - GATE_SPREAD);
    return true;
}

const char *gate_name(enum gate g) { return gates[g < GATE_SPREAD ? g : g - GATE_SPREAD]; }
const char *gate_text(enum gate g) { return g < GATE_SPREAD ? texts[g] : spread_texts[g - GATE_SPREAD]; }

const char *gate_key(enum gate g)
{
    if (g >= GATE_SPREAD)
        return spread_keys[g - GATE_SPREAD];
    return g == GATE_SESSION ? "session" : gates[g];
}

const char *dim_name(enum dim d) { return gates[d]; }
const char *priority_name(enum priority p) { return priorities[p]; }

bool priority_parse(const char *s, enum priority *out)
{
    for (int i = 0; i < PRIORITY_COUNT; i++) {
        if (strcmp(s, priorities[i]) == 0) {
            *out = (enum priority)i;
            return true;
        }
    }
    return false;
}

enum gate gate_longest(const int64_t held_us[GATE_COUNT])
{
    enum gate longest = GATE_NONE;
    int64_t most = 0;

    for (int g = 0; g < GATE_NONE; g++) {
        int64_t spread = g < DIM_COUNT ? held_us[GATE_SPREAD + g] : 0;

        if (held_us[g] + spread > most) {
            most = held_us[g] + spread;
            longest = (enum gate)(spread > held_us[g] ? GATE_SPREAD + g : g);
        }
    }
    return longest;
}

int64_t dim_window_us(enum dim d)
{
    bool hour = d == DIM_REQUESTS_PER_HOUR || d == DIM_TOKENS_PER_HOUR;

    return INT64_C(1000000) * (hour ? 3600 : 60);
}
