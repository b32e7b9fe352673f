/* provider.h - what a provider's answer means for waiting: the words its
 * headers say about limits, and the kinds of failure admission tells apart. */
#ifndef WEIR_PROVIDER_H
#define WEIR_PROVIDER_H

#include <stdint.h>

#include "rules/gate.h"

/* Why an attempt failed, as far as waiting goes. */
enum attempt_fault {
    FAULT_RATE_LIMIT,      /* 429 of the temporary kind */
    FAULT_OVERLOADED,      /* 503, 529 */
    FAULT_SERVER,          /* 500, 502, 504, 408, 409, network, time-out before the first byte */
    FAULT_AUTH,            /* 401, 403: upstream is taken out */
    FAULT_QUOTA,           /* credit or quota gone: upstream is taken out */
};

/* What the provider's headers said, on every answer. Members < 0: not said. Local state can only get stricter. */
struct provider_word {
    int64_t limit[DIM_COUNT], remaining[DIM_COUNT];
    int64_t reset_us[DIM_COUNT];             /* microseconds from the answer until the limit is whole again */
};

#endif
