/* admission.h - admission as the settings want it: the same for the engine and for a
 * replay of recorded traffic. Any thread. */
#ifndef WEIR_ADMISSION_H
#define WEIR_ADMISSION_H

#include "base/settings.h"
#include "flow/admit.h"

/* What admission goes by; upstream i of the settings is upstream i there. `u` has room for all of them, and is borrowed by what is
 * given. Names are borrowed from the settings. */
struct admit_config admission_config(const struct settings *s, struct admit_upstream *u);
/* admit_new() with the limits of these settings; the caller frees with admit_free(). */
struct admit *admission_new(const struct settings *s, uint64_t seed, int64_t now_us);

#endif
