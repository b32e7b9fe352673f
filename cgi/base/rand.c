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

/* Eight base62 digits of milliseconds: enough until the year 8887. */
enum { TIME_CHARS = 8 };

void rand_id(char out[RAND_ID_SIZE], const char *prefix)
{
    static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static _Thread_local unsigned char pool[256];
    static _Thread_local size_t left;
    int64_t ms = clock_utc_ms();
    size_t n = 0;

    while (n < 4 && prefix[n]) {
        out[n] = prefix[n];
        n++;
    }
    out[n++] = '_';
    for (size_t i = TIME_CHARS; i-- > 0; ms /= 62)
        out[n + i] = set[ms % 62];
    n += TIME_CHARS;
    for (size_t i = TIME_CHARS; i < 22;) {
        unsigned char c;

        if (!left) {
            rand_bytes(pool, sizeof pool);
            left = sizeof pool;
        }
        c = pool[--left];
        pool[left] = 0;
        if (c >= 248)          /* 4 * 62: keeps the draw uniform */
            continue;
        out[n++] = set[c % 62];
        i++;
    }
    memset(out + n, 0, RAND_ID_SIZE - n);
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
