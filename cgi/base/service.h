/* service.h - what systemd and a service say to each other, without libsystemd: readiness, the watchdog, and a socket
 * that outlives us. Without systemd all of it does nothing.
 *
 * Main's thread. */
#ifndef WEIR_SERVICE_H
#define WEIR_SERVICE_H

#include <stdint.h>

/* Tell the service manager: "READY=1", "STOPPING=1", "WATCHDOG=1", or lines of them (sd_notify(3)). Lost without a word
 * where nobody listens. */
void service_say(const char *state);
/* Within this many microseconds "WATCHDOG=1" has to be said again; 0: nobody waits for it. */
int64_t service_watchdog_us(void);
/* The listening unix socket that was passed to us, non-blocking and closed on exec; -1: there is none. */
int service_socket(void);

#endif
