/* embedded.h - a Weir of a command's own, for as long as the command runs: `weir serve` and nginx as its children, on a
 * free port of 127.0.0.1, with the settings and the state folder of any other. However the command ends, they do:
 * Weir settles what is under way first.
 *
 * For a process that has no threads yet. */
#ifndef WEIR_EMBEDDED_H
#define WEIR_EMBEDDED_H

#include "base/sb.h"

struct embedded;

/* Start one and wait until it is ready; its URL is appended to `url`. Where a Weir runs in the state folder already that one's is,
 * and nothing is started; where another command's own does, its end is waited for first. EX_OK with *out NULL in the
 * first of these cases and to be stopped in all others; or another exit status, after a sentence on stderr. */
int embedded_start(struct embedded **out, struct sb *url) __attribute__((warn_unused_result));
/* End it and wait for that; each signal that is caught meanwhile asks it again, and the second time Weir cuts off what is under
 * way. Takes; NULL is fine. EX_OK; or EX_UNAVAILABLE, after a sentence on stderr: it had ended by itself. */
int embedded_stop(struct embedded *e);

#endif
