/* address.c - a table of ranges that are not the public internet. */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/broken.h"

/* An IPv4 address is looked at as ::ffff:a.b.c.d. */
struct range {
    unsigned char at[16];
    int bits;
};

static const char *const special[] = {
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
    "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
};

static void mapped(const void *v4, unsigned char out[16])
{
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, v4, 4);
}

static bool range_parse(const char *text, struct range *out)
{
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    struct in_addr v4;
    int most = 128, bits;
    char *end;

    if (n >= sizeof host)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    if (inet_pton(AF_INET, host, &v4) == 1) {
        mapped(&v4, out->at);
        most = 32;
    } else if (inet_pton(AF_INET6, host, out->at) != 1)
        return false;
    bits = most;
    if (slash) {
        bits = (int)strtol(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || bits < 0 || bits > most)
            return false;
    }
    out->bits = bits + 128 - most;
    return true;
}

static bool range_has(const struct range *r, const unsigned char at[16])
{
    int whole = r->bits / 8, rest = r->bits % 8;

    return memcmp(r->at, at, (size_t)whole) == 0 && (!rest || ((r->at[whole] ^ at[whole]) >> (8 - rest)) == 0);
}

static bool any_has(const char *const *text, size_t n, const unsigned char at[16])
{
    struct range r;

    for (size_t i = 0; i < n; i++) {
        if (range_parse(text[i], &r) && range_has(&r, at))
            return true;
    }
    return false;
}

bool address_parse(const char *text)
{
    struct range r;

    return range_parse(text, &r);
}

bool address_may(const struct sockaddr *a, const struct cfg_list *allowed)
{
    unsigned char at[16];

    if (BROKEN("any-address"))
        return true;
    if (a->sa_family == AF_INET)
        mapped(&((const struct sockaddr_in *)(const void *)a)->sin_addr, at);
    else if (a->sa_family == AF_INET6)
        memcpy(at, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, sizeof at);
    else
        return false;
    return any_has((const char *const *)allowed->items, allowed->n, at) || !any_has(special, sizeof special / sizeof *special, at);
}
