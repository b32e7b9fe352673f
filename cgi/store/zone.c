/* zone.c - reading TZif (RFC 8536, version 2 and later: the second, 64-bit
 * block). Times after the last transition in the file keep its offset; a file
 * that leaves the years to come to a rule in its footer is refused. */
#include "store/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_DIR "/usr/share/zoneinfo/"

enum { HEADER = 44, FILE_MAX = 64 * 1024 };
#define RULE_FREE_UNTIL_S INT64_C(2114380800)      /* 2037: how far files without need of the rule reach */
#define DAY_MS INT64_C(86400000)

struct zone zone_utc(void)
{
    struct zone z = {.name = "UTC"};
    return z;
}

/* Only names: no absolute path, no way up. */
static bool name_ok(const char *name)
{
    size_t n = strlen(name);

    if (!n || n >= ZONE_NAME_SIZE || name[0] == '/' || strstr(name, ".."))
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-") == n;
}

static int64_t be(const unsigned char *p, int bytes)
{
    uint64_t v = (p[0] & 0x80) ? ~UINT64_C(0) : 0;

    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

struct counts {
    size_t isut, isstd, leap, time, type, chars;
};

/* False unless a header with sane counts stands at p. */
static bool read_header(const unsigned char *p, size_t n, struct counts *c)
{
    size_t *field[] = {&c->isut, &c->isstd, &c->leap, &c->time, &c->type, &c->chars};

    if (n < HEADER || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
        return false;
    for (int i = 0; i < 6; i++) {
        int64_t v = be(p + 20 + 4 * i, 4);

        if (v < 0 || v > FILE_MAX)
            return false;
        *field[i] = (size_t)v;
    }
    return c->type > 0;
}

static size_t block_size(const struct counts *c, size_t time_bytes)
{
    return c->time * (time_bytes + 1) + c->type * 6 + c->chars + c->leap * (time_bytes + 4) + c->isstd + c->isut;
}

/* The 64-bit block at p, followed by the footer; n bytes are there. */
static bool read_block(const unsigned char *p, size_t n, const struct counts *c, struct zone *out)
{
    const unsigned char *types = p + c->time * 8, *offsets = types + c->time;
    size_t size = block_size(c, 8);
    size_t first = c->time > ZONE_SPANS_MAX - 1 ? c->time - (ZONE_SPANS_MAX - 1) : 0;
    int64_t last_s = 0;

    if (size > n)
        return false;
    out->span[0].from_s = INT64_MIN;
    out->span[0].offset_s = (int32_t)be(offsets, 4);
    out->count = 1;
    for (size_t i = first; i < c->time; i++) {
        if (types[i] >= c->type)
            return false;
        last_s = out->span[out->count].from_s = be(p + 8 * i, 8);
        out->span[out->count].offset_s = (int32_t)be(offsets + 6 * (size_t)types[i], 4);
        out->count++;
    }
    return last_s >= RULE_FREE_UNTIL_S || !memchr(p + size, ',', n - size);
}

static bool parse(const unsigned char *p, size_t n, struct zone *out)
{
    struct counts c;
    size_t skip;

    if (!read_header(p, n, &c))
        return false;
    skip = HEADER + block_size(&c, 4);
    if (skip > n || !read_header(p + skip, n - skip, &c))
        return false;
    skip += HEADER;
    return read_block(p + skip, n - skip, &c, out);
}

bool zone_load(const char *name, struct zone *out)
{
    char path[sizeof ZONE_DIR + ZONE_NAME_SIZE];
    unsigned char *bytes;
    size_t n;
    FILE *file;
    bool ok;

    *out = zone_utc();
    if (strcmp(name, "UTC") == 0)
        return true;
    if (!name_ok(name))
        return false;
    (void)snprintf(path, sizeof path, ZONE_DIR "%s", name);
    file = fopen(path, "rbe");
    if (!file)
        return false;
    bytes = malloc(FILE_MAX);
    n = bytes ? fread(bytes, 1, FILE_MAX, file) : 0;
    ok = n < FILE_MAX && parse(bytes, n, out);
    if (ok)
        (void)snprintf(out->name, sizeof out->name, "%s", name);
    else
        *out = zone_utc();
    free(bytes);
    (void)fclose(file);
    return ok;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int32_t zone_offset_s(const struct zone *z, int64_t utc_ms)
{
    int64_t utc_s = floor_div(utc_ms, 1000);
    int32_t from = 0, to = z->count;

    if (!z->count)
        return 0;
    while (to - from > 1) {
        int32_t mid = from + (to - from) / 2;

        if (z->span[mid].from_s <= utc_s)
            from = mid;
        else
            to = mid;
    }
    return z->span[from].offset_s;
}

/* The moment a local day (counted from 1970) begins. Where midnight is skipped, the day begins after the gap. */
int64_t zone_day_begins(const struct zone *z, int64_t day)
{
    int64_t local = day * DAY_MS;
    int64_t early = local - zone_offset_s(z, local - DAY_MS) * INT64_C(1000);
    int64_t late = local - zone_offset_s(z, local + DAY_MS) * INT64_C(1000);
    int64_t at = early < late ? early : late;

    for (int i = 0; i < 2; i++) {                  /* the earlier candidate if it is that day there and then */
        if (floor_div(at + zone_offset_s(z, at) * INT64_C(1000), DAY_MS) >= day)
            return at;
        at = early < late ? late : early;
    }
    return at;
}

int64_t zone_day_start(const struct zone *z, int64_t utc_ms)
{
    return zone_day_begins(z, floor_div(utc_ms + zone_offset_s(z, utc_ms) * INT64_C(1000), DAY_MS));
}

int64_t zone_day_next(const struct zone *z, int64_t utc_ms)
{
    return zone_day_begins(z, floor_div(utc_ms + zone_offset_s(z, utc_ms) * INT64_C(1000), DAY_MS) + 1);
}

int64_t zone_day(const struct zone *z, int64_t utc_ms)
{
    int64_t day = floor_div(utc_ms + zone_offset_s(z, utc_ms) * INT64_C(1000), DAY_MS);

    if (utc_ms < zone_day_begins(z, day))
        return day - 1;
    return utc_ms < zone_day_begins(z, day + 1) ? day : day + 1;
}
