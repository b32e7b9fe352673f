/* zone.h - days in a time zone, from the system's compiled zone files (TZif,
 * RFC 8536), without the C library's global TZ. Pure after zone_load(). */
#ifndef WEIR_ZONE_H
#define WEIR_ZONE_H

#include <stdbool.h>
#include <stdint.h>

enum { ZONE_SPANS_MAX = 320, ZONE_NAME_SIZE = 48 };

struct zone {
    char name[ZONE_NAME_SIZE];
    int32_t count;                       /* spans used; 0 = UTC */
    struct zone_span {
        int64_t from_s;                  /* UTC seconds since 1970 from which the offset holds */
        int32_t offset_s;                /* local minus UTC */
    } span[ZONE_SPANS_MAX];
};

struct zone zone_utc(void);
/* Load an IANA name ("Europe/Berlin", "UTC"). False: no such zone here, or a file we cannot read; *out is then UTC. */
bool zone_load(const char *name, struct zone *out) __attribute__((warn_unused_result));
int32_t zone_offset_s(const struct zone *z, int64_t utc_ms);
/* First millisecond (UTC) of the local day that utc_ms lies in, and of the day after it. */
int64_t zone_day_start(const struct zone *z, int64_t utc_ms);
int64_t zone_day_next(const struct zone *z, int64_t utc_ms);
/* The local day, counted from 1970-01-01, whose milliseconds [zone_day_begins(day), zone_day_begins(day + 1)) hold
 * utc_ms; also where a clock that is set back repeats a midnight. */
int64_t zone_day(const struct zone *z, int64_t utc_ms);
int64_t zone_day_begins(const struct zone *z, int64_t day);

#endif
