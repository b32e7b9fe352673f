/* rand.c - kernel randomness in a per-thread pool, and splitmix64. */
#include "base/rand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

void rand_bytes(void *p, size_t n)
{
    unsigned char *q = p;

    while (n) {
        ssize_t got = getrandom(q, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            perror("weir: getrandom");
            abort();
        }
        q += got;
        n -= (size_t)got;
    }
}

/* Eight base62 digits of milliseconds: enough until the year 8887. Eleven hold 63 bits. */
enum { BASE = 62, TIME_CHARS = 8, SHORT_CHARS = 11, NTH_CHARS = 6 };

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static size_t put_prefix(char out[RAND_ID_SIZE], const char *prefix)
{
    size_t n = 0;

    memset(out, 0, RAND_ID_SIZE);
    while (n < 4 && prefix[n]) {
        out[n] = prefix[n];
        n++;
    }
    out[n++] = '_';
    return n;
}

static void put_number(char *out, size_t chars, int64_t v)
{
    for (size_t i = chars; i-- > 0; v /= BASE)
        out[i] = digits[v % BASE];
}

/* -1: too large a number. */
static int64_t read_number(const char *s, size_t chars)
{
    int64_t v = 0;

    for (size_t i = 0; i < chars; i++)
        if (__builtin_mul_overflow(v, BASE, &v) || __builtin_add_overflow(v, strchr(digits, s[i]) - digits, &v))
            return -1;
    return v;
}

/* The `chars` digits after the prefix, of which `more` random ones come and nothing else; -1 if that is not so. */
static int64_t number_of(const char *id, const char *prefix, size_t chars, size_t more)
{
    size_t n = strlen(prefix);

    if (strncmp(id, prefix, n) != 0 || id[n] != '_' || strlen(id) != n + 1 + chars + more || strspn(id + n + 1, digits) != chars + more)
        return -1;
    return read_number(id + n + 1, chars);
}

void rand_id_join(char out[RAND_ID_SIZE], const char *prefix, int64_t ms, const void *random)
{
    size_t n = put_prefix(out, prefix);

    put_number(out + n, TIME_CHARS, ms);
    memcpy(out + n + TIME_CHARS, random, RAND_ID_RANDOM);
}

void rand_id_at(char out[RAND_ID_SIZE], const char *prefix, int64_t ms)
{
    static _Thread_local unsigned char pool[256];
    static _Thread_local size_t left;
    char random[RAND_ID_RANDOM];

    for (size_t i = 0; i < RAND_ID_RANDOM;) {
        unsigned char c;

        if (!left) {
            rand_bytes(pool, sizeof pool);
            left = sizeof pool;
        }
        c = pool[--left];
        pool[left] = 0;
        if (c < 4 * BASE)          /* keeps the draw uniform */
            random[i++] = digits[c % BASE];
    }
    rand_id_join(out, prefix, ms, random);
}

void rand_id(char out[RAND_ID_SIZE], const char *prefix)
{
    rand_id_at(out, prefix, clock_utc_ms());
}

int64_t rand_id_ms(const char *id, const char *prefix)
{
    return number_of(id, prefix, TIME_CHARS, RAND_ID_RANDOM);
}

void rand_id_nth(char out[RAND_ID_SIZE], const char *prefix, const unsigned char hash[RAND_ID_HASH], int64_t n)
{
    size_t at = put_prefix(out, prefix);

    for (size_t i = 0; i < RAND_ID_HASH; i++)
        out[at++] = digits[hash[i] % BASE];
    put_number(out + at, NTH_CHARS, n);
}

int64_t rand_id_which(const char *id)
{
    return read_number(id + strlen(id) - NTH_CHARS, NTH_CHARS);
}

void rand_short_id(char out[RAND_ID_SIZE], const char *prefix)
{
    uint64_t v;

    rand_bytes(&v, sizeof v);
    put_number(out + put_prefix(out, prefix), SHORT_CHARS, (int64_t)(v >> 1));
}

int64_t rand_short_id_number(const char *id, const char *prefix)
{
    return number_of(id, prefix, SHORT_CHARS, 0);
}

struct rng rng_make(uint64_t seed)
{
    struct rng r = {.state = seed};
    return r;
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t rng_below(struct rng *r, int64_t n)
{
    if (n <= 1)
        return 0;
    return (int64_t)(((unsigned __int128)rng_u64(r) * (uint64_t)n) >> 64);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1.0p-53;
}
