/* gate.c - the names. */
#include "rules/gate.h"

#include <string.h>

static const char *const gates[GATE_COUNT] = {
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

static const char *const priorities[PRIORITY_COUNT] = {"Low", "Medium", "High"};

const char *gate_name(enum gate g) { return gates[g]; }
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

int64_t dim_window_us(enum dim d)
{
    bool hour = d == DIM_REQUESTS_PER_HOUR || d == DIM_TOKENS_PER_HOUR;

    return INT64_C(1000000) * (hour ? 3600 : 60);
}
