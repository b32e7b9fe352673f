/* broken.h - Weir broken on purpose, so that a test can be seen to notice.
 *
 * Only in a build with --enable-faults (make check-the-checks): there the
 * environment's BROKEN_ON_PURPOSE names the one promise that is not kept. In any
 * other build BROKEN() is the constant false, and nothing of it is left. */
#ifndef WEIR_BROKEN_H
#define WEIR_BROKEN_H

#include <stdbool.h>

#ifdef WEIR_FAULTS
#include <stdlib.h>
#include <string.h>

static inline bool broken_on_purpose(const char *name)
{
    const char *which = getenv("BROKEN_ON_PURPOSE");

    return which && strcmp(which, name) == 0;
}
#define BROKEN(name) broken_on_purpose(name)
#else
#define BROKEN(name) false
#endif

#endif
