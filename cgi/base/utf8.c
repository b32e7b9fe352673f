/* utf8.c - table 3-7 of the Unicode standard, and eight ASCII bytes at a time. */
#include "base/utf8.h"

#include <string.h>

/* What may follow a first byte: how many bytes in all, and the range of the second. */
struct lead {
    unsigned char len, lo, hi;
};

static struct lead utf8_lead(unsigned char c)
{
    if (c < 0x80)
        return (struct lead){1, 0, 0};
    if (c < 0xc2 || c > 0xf4)
        return (struct lead){0, 0, 0};
    if (c < 0xe0)
        return (struct lead){2, 0x80, 0xbf};
    if (c < 0xf0)
        return (struct lead){3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
    return (struct lead){4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
}

/* Bytes at s that belong together, and in *whole how many there should be. */
static size_t utf8_run(const char *s, size_t n, size_t *whole)
{
    const unsigned char *u = (const unsigned char *)s;
    struct lead lead = utf8_lead(u[0]);
    size_t k = 1;

    *whole = lead.len;
    if (lead.len < 2 || n < 2 || u[1] < lead.lo || u[1] > lead.hi)
        return 1;
    for (k = 2; k < lead.len && k < n && (u[k] & 0xc0) == 0x80;)
        k++;
    return k;
}

size_t utf8_len(const char *s, size_t n)
{
    size_t whole, run = utf8_run(s, n, &whole);

    return run == whole ? run : 0;
}

uint32_t utf8_decode(const char *s, size_t len)
{
    uint32_t c = (unsigned char)s[0];

    if (len > 1)
        c &= 0xffU >> (len + 1);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3f);
    return c;
}

size_t utf8_bad_len(const char *s, size_t n)
{
    size_t whole;

    return utf8_run(s, n, &whole);
}

/* Bytes before the first block of eight that is not all ASCII. */
static size_t ascii_run(const char *s, size_t n)
{
    size_t i = 0;
    uint64_t w;

    for (; i + sizeof w <= n; i += sizeof w) {
        memcpy(&w, s + i, sizeof w);
        if (w & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

size_t utf8_valid(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n) {
        size_t k = ascii_run(s + i, n - i);

        if (!k)
            k = utf8_len(s + i, n - i);
        if (!k)
            break;
        i += k;
    }
    return i;
}

int64_t utf8_count(const char *s, size_t n)
{
    int64_t count = 0;
    size_t i = 0;

    while (i < n) {
        size_t k = ascii_run(s + i, n - i);

        if (k) {
            count += (int64_t)k;
        } else {
            k = utf8_bad_len(s + i, n - i);
            count++;
        }
        i += k;
    }
    return count;
}
