/* reach.h - where Weir is and who asks, for commands that speak HTTP to one that runs, here or elsewhere. */
#ifndef WEIR_REACH_H
#define WEIR_REACH_H

#include <stdbool.h>

#include "base/sb.h"
#include "base/settings.h"

/* Its URL without a slash at the end (`given`, unless NULL; else WEIR_URL, or that of weir.json) and a token (WEIR_TOKEN, or the
 * administrator's from the state folder), appended to each; wipe the token after use. False with a sentence in `why`. */
bool reach_weir(const char *given, struct sb *url, struct sb *token, struct sb *why) __attribute__((warn_unused_result));
/* Where the Weir of these settings is, appended to `url`. */
void reach_url(const struct settings *s, struct sb *url);

#endif
