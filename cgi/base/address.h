/* address.h - may Weir connect there at somebody's wish?
 *
 * Judged by the socket address at connect time, not by the text of a URL: names
 * that change their mind and numbers written oddly end up here all the same.
 * Pure; any thread. */
#ifndef WEIR_ADDRESS_H
#define WEIR_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/cfg.h"

/* True if text is an IPv4 or IPv6 address, or one with /bits: an entry of a list of allowed addresses. */
bool address_parse(const char *text);
/* Is it on the public internet, or in `allowed` (address_parse()d entries)? Refused otherwise: loopback, private and shared
 * ranges, link-local, multicast, unspecified, reserved, and IPv6 forms that carry such an IPv4 address: mapped, NAT64, 6to4,
 * Teredo (the IANA special-purpose registries, RFC 6890, 8190). Any other family is refused. */
bool address_may(const struct sockaddr *a, const struct cfg_list *allowed);

#endif
