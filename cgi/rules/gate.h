/* gate.h - the words of admission: dimensions of a limit, gates that can hold
 * a request, priorities. One spelling for code, JSON, SQL and page. */
#ifndef WEIR_GATE_H
#define WEIR_GATE_H

#include <stdbool.h>
#include <stdint.h>

enum dim {
    DIM_REQUESTS_PER_MINUTE,
    DIM_REQUESTS_PER_HOUR,
    DIM_TOKENS_PER_MINUTE,
    DIM_TOKENS_PER_HOUR,
    DIM_INPUT_TOKENS_PER_MINUTE,
    DIM_OUTPUT_TOKENS_PER_MINUTE,
    DIM_COUNT
};

/* What holds a request back. The first DIM_COUNT gates are the dimensions themselves. */
enum gate {
    GATE_CONCURRENCY = DIM_COUNT,   /* as many calls run at this upstream as it may have */
    GATE_BUDGET,
    GATE_PACING,                    /* the minimum pause between two requests */
    GATE_STABILIZING,               /* the allowed rate is climbing back after a 429 */
    GATE_BACKOFF,                   /* Retry-After or a retry's delay */
    GATE_SESSION,                   /* an earlier message of the same session runs; told as "concurrency" */
    GATE_NONE,
    GATE_SPREAD,                    /* the first of DIM_COUNT: not what was used of a dimension's limit holds, but the pace at
                                     * which it is spread over its window; told as the dimension, with what it spreads */
    GATE_COUNT = GATE_SPREAD + DIM_COUNT
};

enum priority { PRIORITY_LOW, PRIORITY_MEDIUM, PRIORITY_HIGH, PRIORITY_COUNT };

const char *gate_name(enum gate g);           /* the `reason` of who waits: "tokens_per_minute", …; "none" */
const char *gate_key(enum gate g);            /* the same, but each gate its own, as it is stored: "session", "tokens_per_minute_spread" */
const char *gate_text(enum gate g);           /* what held a request there, as a sentence */
/* Is it the pace of a limit? *d (untouched if not) is the limit's dimension. */
bool gate_spreads(enum gate g, enum dim *d);
/* The one that held longest, a limit's sum and its pace together, told as the one of them that held longer; GATE_NONE: none did. */
enum gate gate_longest(const int64_t held_us[GATE_COUNT]);
const char *dim_name(enum dim d);
const char *priority_name(enum priority p);   /* "Low" "Medium" "High" */
bool priority_parse(const char *s, enum priority *out);

/* One hour or one minute in microseconds, by dimension. */
int64_t dim_window_us(enum dim d);

#endif
